//! Tables: comma-separated text into typed rows, strictly, with the place in every error.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use csv::StringRecord;

use super::source::{AsOf, Citation, Source, Sourced};
use crate::diagnostic::{Error, Result};
use crate::quantity::Measure;

/// The publications by their short name.
pub(super) type Sources = BTreeMap<String, Arc<Source>>;

/// A row type: one table, embedded at build time, that an overlay may add to.
pub(super) trait Row: Sized {
    /// Path inside the data folders.
    const FILE: &'static str;
    /// The embedded table; its header names every valid column.
    const TEXT: &'static str;
    /// Reads one row.
    fn read(cells: &Cells<'_>) -> Result<Self>;
    /// What makes the row that row: an overlay's row of the same key replaces it.
    fn key(&self) -> String;
}

/// A table that the user lays over an embedded one.
#[derive(Clone, Debug)]
pub(super) struct Overlay {
    /// The path as the user named it.
    pub name: String,
    /// Its text.
    pub text: String,
}

impl Overlay {
    /// Whether this is a table of that path: `pricing/prices.csv`, or just `prices.csv`.
    pub(super) fn is(&self, file: &str) -> bool {
        let name = self.name.replace('\\', "/");
        let base = file.rsplit('/').next().unwrap_or(file);
        name == file || name.rsplit('/').next() == Some(base)
    }
}

/// Reads the embedded table and what lies over it.
pub(super) fn read<T: Row>(sources: &Sources, overlays: &[Overlay]) -> Result<Vec<T>> {
    let mut rows = parse::<T>(T::FILE, T::TEXT, sources, false)?;
    for overlay in overlays.iter().filter(|o| o.is(T::FILE)) {
        let mut places: BTreeMap<_, _> =
            rows.iter().enumerate().map(|(i, row)| (row.key(), i)).collect();
        for row in parse::<T>(&overlay.name, &overlay.text, sources, true)? {
            if let Some(&i) = places.get(&row.key()) {
                rows[i] = row;
            } else {
                places.insert(row.key(), rows.len());
                rows.push(row);
            }
        }
    }
    Ok(rows)
}

fn parse<T: Row>(file: &str, text: &str, sources: &Sources, own: bool) -> Result<Vec<T>> {
    let known: Vec<&str> = T::TEXT.lines().next().unwrap_or_default().split(',').collect();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().map_err(|e| broken(file, &e))?.clone();
    if let Some(name) = header.iter().find(|name| !known.contains(name)) {
        let error = Error::input(format!("{file} has a column `{name}` that the table lacks"));
        return Err(error.suggest(name, known.iter().copied()));
    }
    let columns = known.iter().map(|name| header.iter().position(|h| h == *name)).collect();
    let mut cells = Cells {
        file,
        known,
        columns,
        sources,
        own: own.then(|| Arc::new(own_source(file))),
        record: StringRecord::new(),
        next: Cell::new(0),
        last: Cell::new(None),
    };
    let mut rows = Vec::new();
    let mut keys = BTreeSet::new();
    while reader.read_record(&mut cells.record).map_err(|e| broken(file, &e))? {
        cells.next.set(0);
        let row = T::read(&cells)?;
        if own && !keys.insert(row.key()) {
            return Err(cells.error(format!("a second row for `{}`", row.key())));
        }
        rows.push(row);
    }
    Ok(rows)
}

fn broken(file: &str, error: &csv::Error) -> Error {
    Error::input(format!("{file} is not a table: {error}"))
}

/// The source of the user's own rows that cite nothing.
fn own_source(file: &str) -> Source {
    Source {
        id: "own".to_owned(),
        title: format!("your own {file}"),
        licence: String::new(),
        reference: file.to_owned(),
        as_of: None,
        note: String::new(),
    }
}

/// The cells of one row. A gap is an empty cell.
pub(super) struct Cells<'a> {
    file: &'a str,
    known: Vec<&'a str>,
    columns: Vec<Option<usize>>,
    sources: &'a Sources,
    own: Option<Arc<Source>>,
    record: StringRecord,
    /// Columns are mostly read in order: where the last look-up left off.
    next: Cell<usize>,
    /// Neighbours mostly cite the same source.
    last: Cell<Option<Arc<Source>>>,
}

impl Cells<'_> {
    /// Whether the row is the user's own.
    pub(super) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// The text of a cell, empty for a gap.
    pub(super) fn text(&self, column: &str) -> &str {
        let (from, count) = (self.next.get(), self.known.len());
        let mut places = (from..count).chain(0..from.min(count));
        let place = places.find(|&place| self.known[place] == column);
        let Some(place) = place else { return "" };
        self.next.set(place + 1);
        self.columns[place].and_then(|i| self.record.get(i)).unwrap_or_default().trim()
    }

    /// The text of a cell that must not be empty.
    pub(super) fn required(&self, column: &str) -> Result<&str> {
        match self.text(column) {
            "" => Err(self.empty(column)),
            text => Ok(text),
        }
    }

    /// The error of a cell that must not be empty.
    pub(super) fn empty(&self, column: &str) -> Error {
        self.error(format!("`{column}` is empty"))
    }

    /// A number that is not negative. (Zero is a value; a gap is an empty cell.)
    pub(super) fn number(&self, column: &str) -> Result<Option<f64>> {
        let text = self.text(column);
        if text.is_empty() {
            return Ok(None);
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() && value >= 0.0 => Ok(Some(value)),
            _ => Err(self.error(format!("`{text}` in `{column}` is not a number of 0 or more"))),
        }
    }

    /// A quantity above zero in the unit that the column's name says; `unit` in stored units.
    pub(super) fn quantity<Q: Measure>(&self, column: &str, unit: f64) -> Result<Option<Q>> {
        match self.number(column)? {
            Some(value) if value <= 0.0 => {
                let error = self.error(format!("`{column}` is zero"));
                Err(error.hint("leave the cell empty where the value is unknown"))
            }
            value => Ok(value.map(|value| Q::from_stored(value * unit))),
        }
    }

    /// [`Cells::quantity`] with its citation.
    pub(super) fn sourced<Q: Measure>(
        &self,
        column: &str,
        unit: f64,
        citation: &Arc<Citation>,
    ) -> Result<Option<Sourced<Q>>> {
        let value = self.quantity(column, unit)?;
        if value.is_some() && citation.sources.is_empty() {
            return Err(self.error(format!("`{column}` has a value but no source")));
        }
        Ok(value.map(|value| Sourced { value, citation: Arc::clone(citation) }))
    }

    /// A whole number.
    pub(super) fn count(&self, column: &str) -> Result<Option<u64>> {
        let text = self.text(column);
        if text.is_empty() {
            return Ok(None);
        }
        let count = text.parse().map(Some);
        count.map_err(|_| self.error(format!("`{text}` in `{column}` is not a whole number")))
    }

    /// One of the names; the error lists them.
    pub(super) fn one_of<E: Copy>(&self, column: &str, names: &[(&str, E)]) -> Result<Option<E>> {
        let text = self.text(column);
        if text.is_empty() {
            return Ok(None);
        }
        if let Some((_, value)) = names.iter().find(|(name, _)| *name == text) {
            return Ok(Some(*value));
        }
        let names: Vec<_> = names.iter().map(|(name, _)| *name).collect();
        let error = self.error(format!("`{text}` is no `{column}`"));
        Err(error.hint(format!("it is one of {}", names.join(", "))))
    }

    /// A date, a month or a year.
    pub(super) fn as_of(&self, column: &str) -> Result<Option<AsOf>> {
        let text = self.text(column);
        if text.is_empty() {
            return Ok(None);
        }
        let date = AsOf::parse(text).map(Some);
        date.ok_or_else(|| {
            self.error(format!("`{text}` in `{column}` is not a date such as 2026-11-23"))
        })
    }

    /// A calendar year.
    pub(super) fn year(&self, column: &str) -> Result<i32> {
        let text = self.required(column)?;
        let year = text.parse().ok().filter(|y| (1900..=2200).contains(y));
        year.ok_or_else(|| self.error(format!("`{text}` in `{column}` is not a year")))
    }

    /// The one publication that a row cites.
    pub(super) fn source(&self, column: &str) -> Result<Arc<Source>> {
        match (self.text(column), &self.own) {
            ("", None) => Err(self.empty(column)),
            ("", Some(own)) => Ok(Arc::clone(own)),
            (id, _) => self.find(id),
        }
    }

    fn find(&self, id: &str) -> Result<Arc<Source>> {
        let last = self.last.take().filter(|source| source.id == id);
        let source = last.or_else(|| self.sources.get(id).cloned()).ok_or_else(|| {
            let error = self.error(format!("`{id}` is not a source in sources.csv"));
            error.suggest(id, self.sources.keys().map(String::as_str))
        })?;
        self.last.set(Some(Arc::clone(&source)));
        Ok(source)
    }

    /// The citation of this row's facts, from the short names in `column`; where `as_of` is
    /// `None`, the newest of the publications dates it.
    pub(super) fn citation(
        &self,
        key: &str,
        column: &str,
        as_of: Option<AsOf>,
    ) -> Result<Arc<Citation>> {
        let mut sources = Vec::new();
        for id in self.text(column).split_whitespace() {
            sources.push(self.find(id)?);
        }
        if sources.is_empty() {
            sources.extend(self.own.clone());
        }
        let as_of = as_of.or_else(|| sources.iter().filter_map(|s| s.as_of).max());
        Ok(Arc::new(Citation { row: format!("{}:{key}", self.file), sources, as_of }))
    }

    /// An error in this row.
    pub(super) fn error(&self, message: impl std::fmt::Display) -> Error {
        let line = self.record.position().map_or(0, csv::Position::line);
        Error::input(format!("{}:{line}: {message}", self.file))
    }
}
