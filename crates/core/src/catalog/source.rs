//! The origin of facts: publications, dates and citations.
//!
//! Every figure of an estimate leads back to a [`Citation`]: the row of a table, the publications
//! that the row names, and the date of the row or, where it has none, of the newest publication. A
//! figure computed from two facts cites both, with the older date.

use std::fmt;
use std::sync::Arc;

use chrono::{Datelike, NaiveDate};

use super::table::{Cells, Row};
use crate::diagnostic::Result;
use crate::provenance::{Basis, Input};
use crate::quantity::Measure;

/// A publication that facts are taken from: a row of `sources.csv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Short name that rows cite.
    pub id: String,
    /// Publisher and publication.
    pub title: String,
    /// Terms under which the facts may be used.
    pub licence: String,
    /// Address, with the commit if there is one; empty if nothing can be pointed at.
    pub reference: String,
    /// The date on which it was published or read.
    pub as_of: Option<AsOf>,
    /// A warning to read before relying on it.
    pub note: String,
    /// True if the row that cites it, or its own, is a lock's alone.
    pub by_lock: bool,
}

/// The source of one fact: the row of a table, the publications behind it, and a date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Citation {
    /// Table and row: `hardware/accelerators.csv:h100-sxm`.
    pub row: String,
    /// The publications, the decisive one first.
    pub sources: Vec<Arc<Source>>,
    /// The date on which the fact held; for a datasheet figure, the date on which its source was
    /// published or read.
    pub as_of: Option<AsOf>,
}

/// A fact with its citation.
#[derive(Clone, Debug, PartialEq)]
pub struct Sourced<T> {
    /// The fact.
    pub value: T,
    /// The publications and date that it comes from.
    pub citation: Arc<Citation>,
}

/// A date that is known to the day, the month, the half-year or the year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AsOf {
    /// The first day of the period.
    pub start: NaiveDate,
    /// The length of the period.
    pub span: Span,
}

/// The length of the period that a date stands for: how exactly it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Span {
    /// A day.
    Day,
    /// A month.
    Month,
    /// Half a year.
    HalfYear,
    /// A year.
    Year,
}

impl Citation {
    /// Titles of the publications, for a reader.
    pub fn titles(&self) -> String {
        let title = |source: &Arc<Source>| {
            let by_lock = if source.by_lock { ", as the lock says" } else { "" };
            format!("{}{by_lock}", source.title)
        };
        self.sources.iter().map(title).collect::<Vec<_>>().join("; ")
    }

    /// The citation as the basis of a value that enters an estimate.
    pub fn basis(&self) -> Basis {
        let (row, source) = (self.row.clone(), self.titles());
        if self.sources.iter().any(|source| source.by_lock) {
            return Basis::Locked { row, source };
        }
        Basis::Catalog { row, source, date: self.as_of.map(|as_of| as_of.start) }
    }

    /// The citation of a value computed from two facts: both rows, all publications, and the older
    /// date.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let new = other.sources.iter().filter(|s| !self.sources.contains(s));
        Self {
            row: format!("{} + {}", self.row, other.row),
            sources: self.sources.iter().chain(new).cloned().collect(),
            as_of: self.as_of.min(other.as_of),
        }
    }
}

impl fmt::Display for Citation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.titles())?;
        self.as_of.map_or(Ok(()), |as_of| write!(f, ", {as_of}"))
    }
}

/// A value derived from the fact, with the same citation.
impl<T> Sourced<T> {
    /// The same source for a value derived from the fact.
    pub fn map<U>(&self, derive: impl FnOnce(&T) -> U) -> Sourced<U> {
        Sourced { value: derive(&self.value), citation: Arc::clone(&self.citation) }
    }
}

impl<Q: Measure> Sourced<Q> {
    /// The fact as an input of an estimate, under the name it has there.
    pub fn input(&self, name: impl Into<String>) -> Input<Q> {
        Input::new(name, self.value, self.citation.basis())
    }
}

impl AsOf {
    /// Reads a year, month or day: `2024`, `2024-07` or `2024-07-01`; `None` if the text is no such
    /// date.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '-');
        let year = parts.next().filter(|y| y.len() == 4)?.parse().ok()?;
        let (month, day) = (parts.next(), parts.next());
        let span = match (month, day) {
            (None, _) => Span::Year,
            (_, None) => Span::Month,
            _ => Span::Day,
        };
        let number = |part: Option<&str>| part.map_or(Some(1), |p| p.parse().ok());
        let start = NaiveDate::from_ymd_opt(year, number(month)?, number(day)?)?;
        Some(Self { start, span })
    }

    /// A calendar year.
    pub fn year(year: i32) -> Option<Self> {
        Some(Self { start: NaiveDate::from_ymd_opt(year, 1, 1)?, span: Span::Year })
    }

    /// Whole days from the start of the period to `date`; negative if it lies ahead.
    pub fn age_days(self, date: NaiveDate) -> i64 {
        (date - self.start).num_days()
    }
}

impl fmt::Display for AsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month) = (self.start.year(), self.start.month());
        match self.span {
            Span::Day => write!(f, "{}", self.start),
            Span::Month => write!(f, "{year}-{month:02}"),
            Span::HalfYear => write!(f, "{year}-H{}", if month < 7 { 1 } else { 2 }),
            Span::Year => write!(f, "{year}"),
        }
    }
}

impl Span {
    /// Names of the spans in tables.
    pub(super) const NAMES: &'static [(&'static str, Self)] = &[
        ("day", Self::Day),
        ("month", Self::Month),
        ("half-year", Self::HalfYear),
        ("year", Self::Year),
    ];
}

impl Row for Arc<Source> {
    const TABLE: &'static flopcast_data::Csv = &flopcast_data::SOURCES;

    /// Reads a row; id and title are required.
    fn read(cells: &Cells<'_>) -> Result<Self> {
        Ok(Self::new(Source {
            id: cells.required("id")?.to_owned(),
            title: cells.required("title")?.to_owned(),
            licence: cells.text("licence").to_owned(),
            reference: cells.text("reference").to_owned(),
            as_of: cells.as_of("date")?,
            note: cells.text("note").to_owned(),
            by_lock: cells.by_lock(),
        }))
    }

    /// The short name that rows cite.
    fn key(&self) -> String {
        self.id.clone()
    }
}
