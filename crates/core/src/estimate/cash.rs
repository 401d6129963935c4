//! Cash: when each row of money is paid, apart from when it is an expense.
//!
//! ```text
//! owned hardware     on the day of its purchase; its amortisation is no payment
//! a reservation      upfront share at the begin of each term, the rest month by month over the terms
//! everything else    month by month over the period of its row
//! ```
//! A run pays the terms that it begins, one after the other, also where it ends before. A service
//! begins new terms of several years whenever its fleet outgrows those that run; what is paid
//! upfront falls to the years in proportion to what they newly commit. The payments of a row add up
//! to its amount, so cash and cost differ in time alone.

use chrono::{Datelike, Months, NaiveDate};

use super::plan::Scenario;
use super::{Estimate, Place};
use crate::ledger::line::{Entry, Kind, Line, Period, Resource, Stage};
use crate::ledger::plan::{Rent, Terms, Upfront};
use crate::quantity::{Measure, Money};

/// Payments by month from the start of the scenario; `None` where the amount is unknown.
pub type Payments = Vec<(u32, Option<Money>)>;

/// A reservation, with the years of its term and its upfront share.
struct Reserved {
    years: u32,
    upfront: Upfront,
}

impl Estimate {
    /// The payments of each row of [`Self::money`], in its order. Amortisation has none: its
    /// hardware is paid for by the purchases of [`Self::ownerships`], except where their number is
    /// unknown, which leaves the payment unknown too.
    pub fn payments(&self, scenario: &Scenario) -> Vec<Payments> {
        let lines: Vec<&Line<Money>> = self.money().collect();
        let bought = |stage: Stage| {
            let place = if stage == Stage::Training { Place::Training } else { Place::Service };
            self.ownerships().any(|(of, it)| of == place && !it.purchases.lines().is_empty())
        };
        let mut out = Vec::with_capacity(lines.len());
        for line in &lines {
            let entry = &line.entry;
            out.push(match (entry.kind, reserved(scenario, entry)) {
                (Kind::Capex, _) if bought(entry.stage) => Vec::new(),
                (Kind::Capex, _) => vec![(entry.period.month(), None)],
                (Kind::Opex, Some(terms)) => terms.payments(line, &lines, scenario),
                (Kind::Opex, None) => line.by_month(),
            });
        }
        out
    }
}

/// The reservation that a row is of, where it is of one.
fn reserved(scenario: &Scenario, entry: &Entry) -> Option<Reserved> {
    let rent = rent(scenario, entry.stage)?;
    rent.tariffs.iter().find_map(|tariff| match &tariff.terms {
        Terms::Reserved { plan, years, upfront, .. } if plan.name() == entry.detail => {
            Some(Reserved { years: (*years).max(1), upfront: *upfront })
        }
        _ => None,
    })
}

/// The rent of a stage.
fn rent(scenario: &Scenario, stage: Stage) -> Option<&Rent> {
    match stage {
        Stage::Training => scenario.training.as_ref()?.rent.as_ref(),
        Stage::Serving(year) => scenario.inference.as_ref()?.in_year(year).rent.as_ref(),
    }
}

impl Reserved {
    /// The payments of a row of the reservation.
    fn payments(&self, line: &Line<Money>, all: &[&Line<Money>], scenario: &Scenario) -> Payments {
        let Some(amount) = line.amount.known().map(|amount| amount.value().stored()) else {
            return line.by_month();
        };
        let term = 12 * self.years;
        let (begins, monthly): (Vec<(u32, f64)>, Period) = match line.entry.stage {
            Stage::Training => {
                let terms = line.entry.period.months().div_ceil(term).max(1);
                let begins = (0..terms).map(|n| (n * term, 1.0 / f64::from(terms))).collect();
                (begins, Period::of_months(0, terms * term))
            }
            Stage::Serving(_) if self.years == 1 => {
                (vec![(line.entry.period.month(), 1.0)], line.entry.period)
            }
            Stage::Serving(year) => match self.commitments(&line.entry, year, all, scenario) {
                Some(begins) => (begins, line.entry.period),
                None if self.upfront == Upfront::No => (Vec::new(), line.entry.period),
                None => return line.by_month().into_iter().map(|(at, _)| (at, None)).collect(),
            },
        };
        let share = self.upfront.share();
        let at_once = begins.into_iter().map(|(month, part)| (month, share * part));
        let later = monthly.by_month(1.0 - share);
        at_once
            .chain(later)
            .filter(|(_, part)| *part != 0.0)
            .map(|(month, part)| (month, Some(Money::from_stored(amount * part))))
            .collect()
    }

    /// The months in which a service begins terms of several years, each with its part of all that
    /// it commits. A year needs what its rows of rent cost; what the terms of the years before do
    /// not cover is new. `None` where one of those costs is unknown: so are the parts then.
    fn commitments(
        &self,
        entry: &Entry,
        year: u32,
        all: &[&Line<Money>],
        scenario: &Scenario,
    ) -> Option<Vec<(u32, f64)>> {
        let renewed = scenario.inference.as_ref().and_then(|it| Some(it.refresh.as_ref()?.year));
        let generation = |year: u32| renewed.is_some_and(|renewed| year >= renewed);
        let mut needs: Vec<(u32, f64)> = Vec::new();
        for line in all {
            let Stage::Serving(of) = line.entry.stage else { continue };
            let same = line.entry.detail == entry.detail && generation(of) == generation(year);
            if !same || line.entry.resource == Resource::UnusedCommitment {
                continue;
            }
            let known = line.amount.known()?.value().stored();
            let month = line.entry.period.month();
            match needs.last_mut().filter(|(last, _)| *last == month) {
                Some((_, need)) => *need += known,
                None => needs.push((month, known)),
            }
        }
        let mut new: Vec<f64> = Vec::with_capacity(needs.len());
        for (_, need) in &needs {
            let running: f64 = new.iter().rev().take(self.years as usize - 1).sum();
            new.push((need - running).max(0.0));
        }
        let whole: f64 = new.iter().sum();
        if whole <= 0.0 {
            return Some(vec![(entry.period.month(), 1.0)]);
        }
        Some(needs.into_iter().zip(new).map(|((month, _), new)| (month, new / whole)).collect())
    }
}

/// The calendar quarter of a month from a start: `2027Q1`.
///
/// ```
/// use chrono::NaiveDate;
/// use flopcast_core::estimate::cash::quarter;
/// let start = NaiveDate::from_ymd_opt(2026, 12, 1).unwrap();
/// assert_eq!(quarter(start, 0), "2026Q4");
/// assert_eq!(quarter(start, 1), "2027Q1");
/// ```
pub fn quarter(start: NaiveDate, month: u32) -> String {
    let day = start.checked_add_months(Months::new(month)).unwrap_or(start);
    format!("{}Q{}", day.year(), day.month0() / 3 + 1)
}

/// The fiscal year of a month from a start, by the calendar year in which it ends: `FY2027`. `first`
/// is its first month, 1 to 12.
///
/// ```
/// use chrono::NaiveDate;
/// use flopcast_core::estimate::cash::fiscal_year;
/// let start = NaiveDate::from_ymd_opt(2026, 3, 1).unwrap();
/// assert_eq!(fiscal_year(start, 0, 4), "FY2026");
/// assert_eq!(fiscal_year(start, 1, 4), "FY2027");
/// assert_eq!(fiscal_year(start, 1, 1), "FY2026");
/// ```
pub fn fiscal_year(start: NaiveDate, month: u32, first: u32) -> String {
    let day = start.checked_add_months(Months::new(month)).unwrap_or(start);
    let next = i32::from(first > 1 && day.month() >= first);
    format!("FY{}", day.year() + next)
}
