//! Cash: when each row of money is paid, apart from when it is an expense.
//!
//! ```text
//! owned hardware     on the day of its purchase; its amortisation is no payment
//! a reservation      upfront share at the begin of each term, the rest month by month over the terms
//! a capacity block   all of it when it is booked, at the start of the scenario
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
use crate::provenance::Traced;
use crate::quantity::{Measure, Money};

/// The payments of a row of money: its amount, and when which share of it is paid.
#[derive(Clone, Debug)]
pub struct Payments {
    /// The amount; `None` where it is unknown.
    pub amount: Option<Money>,
    /// Shares of the amount by month from the start of the scenario, which add up to one; empty for
    /// what is no payment.
    pub shares: Vec<(u32, f64)>,
}

impl Payments {
    /// A row that is paid in proportion to time.
    pub fn even(line: &Line<Money>) -> Self {
        Self { amount: amount(line), shares: line.entry.period.by_month(1.0).collect() }
    }

    /// What is paid by month; `None` where the amount is unknown.
    pub fn by_month(&self) -> impl Iterator<Item = (u32, Option<Money>)> + '_ {
        let stored = self.amount.map(Measure::stored);
        let part = move |share: f64| stored.map(|stored| Money::from_stored(stored * share));
        self.shares.iter().map(move |(month, share)| (*month, part(*share)))
    }
}

/// The amount of a row, where it is known.
fn amount(line: &Line<Money>) -> Option<Money> {
    line.amount.known().map(Traced::value)
}

/// A reservation, with the years of its term (none of a block) and its upfront share.
struct Reserved {
    years: Option<u32>,
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
            let once = || vec![(entry.period.month(), 1.0)];
            out.push(match (entry.kind, reserved(scenario, entry)) {
                (Kind::Capex, _) if bought(entry.stage) => {
                    Payments { amount: amount(line), shares: Vec::new() }
                }
                (Kind::Capex, _) => Payments { amount: None, shares: once() },
                (Kind::Opex, Some(terms)) => match terms.shares(line, &lines, scenario) {
                    Some(shares) => Payments { amount: amount(line), shares },
                    None => Payments { amount: None, ..Payments::even(line) },
                },
                (Kind::Opex, None) => Payments::even(line),
            });
        }
        out
    }
}

/// The reservation that a row is of, where it is of one.
fn reserved(scenario: &Scenario, entry: &Entry) -> Option<Reserved> {
    let lent = entry.resource == Resource::LentCommitment;
    let rent = rent(scenario, if lent { Stage::Training } else { entry.stage })?;
    rent.tariffs.iter().find_map(|tariff| match &tariff.terms {
        Terms::Reserved { plan, length, upfront, .. } if plan.name() == entry.detail => {
            Some(Reserved { years: length.years(), upfront: *upfront })
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
    /// The shares of a row of the reservation by month; unknown where what is paid upfront is.
    fn shares(
        &self,
        line: &Line<Money>,
        all: &[&Line<Money>],
        scenario: &Scenario,
    ) -> Option<Vec<(u32, f64)>> {
        let Some(years) = self.years else { return Some(vec![(0, 1.0)]) };
        let term = 12 * years;
        let (begins, monthly): (Vec<(u32, f64)>, Period) = match line.entry.stage {
            // The term is the run's.
            _ if line.entry.resource == Resource::LentCommitment => {
                let first = begin_of_run(all);
                let begin = first + (line.entry.period.month() - first) / term * term;
                (vec![(begin, 1.0)], Period::of_months(begin, term))
            }
            Stage::Training => {
                let first = line.entry.period.month();
                let terms = line.entry.period.months().div_ceil(term).max(1);
                let begins =
                    (0..terms).map(|n| (first + n * term, 1.0 / f64::from(terms))).collect();
                (begins, Period::of_months(first, terms * term))
            }
            Stage::Serving(_) if years == 1 => {
                (vec![(line.entry.period.month(), 1.0)], line.entry.period)
            }
            Stage::Serving(year) => match commitments(years, &line.entry, year, all, scenario) {
                Some(begins) => (begins, line.entry.period),
                None if self.upfront == Upfront::No => (Vec::new(), line.entry.period),
                None => return None,
            },
        };
        let upfront = self.upfront.share();
        let at_once = begins.into_iter().map(|(month, part)| (month, upfront * part));
        let later = monthly.by_month(1.0 - upfront);
        Some(at_once.chain(later).filter(|(_, share)| *share != 0.0).collect())
    }
}

/// The months in which a service begins terms of several years, each with its part of all that
/// it commits. A year needs what its rows of rent cost; what the terms of the years before do
/// not cover is new. `None` where one of those costs is unknown: so are the parts then.
fn commitments(
    years: u32,
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
        let others = [Resource::UnusedCommitment, Resource::LentCommitment];
        if !same || others.contains(&line.entry.resource) {
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
        let running: f64 = new.iter().rev().take(years as usize - 1).sum();
        new.push((need - running).max(0.0));
    }
    let whole: f64 = new.iter().sum();
    if whole <= 0.0 {
        return Some(vec![(entry.period.month(), 1.0)]);
    }
    Some(needs.into_iter().zip(new).map(|((month, _), new)| (month, new / whole)).collect())
}

/// The month in which the run begins, from 0.
fn begin_of_run(all: &[&Line<Money>]) -> u32 {
    let of_run = all.iter().map(|line| &line.entry).find(|entry| entry.stage == Stage::Training);
    of_run.map_or(0, |entry| entry.period.month())
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
