//! The rows of the ledger: what is used, for which stage, when, and what one unit of it costs.
//!
//! A row's amount is its quantity x its unit price by construction, and a total is nothing but a
//! sum of rows, so that the figures reconcile. The amount is money, or whatever else is counted by
//! row: energy, CO2e, water. The types of quantity and unit price must multiply to the type of the
//! amount, so a rent per instance-hour cannot be charged for device-hours.
//!
//! A row spreads over its period in proportion to time, which gives the cash flow by month.
//! `ledger`'s other modules enter rows, `estimate` sums them, `report` shows them.

use std::fmt;
use std::ops::{Add, Mul};
use std::sync::Arc;

use crate::provenance::{Step, Traced, Unknown, Value};
use crate::quantity::system::time as unit;
use crate::quantity::{Measure, Time};

/// The stage that a row belongs to: one table of the report each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The training run.
    Training,
    /// A year of service, numbered from 1.
    Serving(u32),
}

/// The prefix of the JSON path of a year of service; the number of the year follows.
pub const YEARS: &str = "inference.years.";

impl Stage {
    /// The stage's path in the JSON: `training`, `inference.years.1`.
    pub fn path(self) -> String {
        self.to_string()
    }

    /// The stage's name for people: `training`, `year 1`.
    pub fn label(self) -> String {
        match self {
            Self::Training => "training".to_owned(),
            Self::Serving(year) => format!("year {year}"),
        }
    }
}

impl fmt::Display for Stage {
    /// The stage's path in the JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Training => f.write_str("training"),
            Self::Serving(year) => write!(f, "{YEARS}{year}"),
        }
    }
}

/// The resource that a row is about: what is paid for, or what draws energy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// Rent of devices, with whatever the price list puts into it.
    Compute,
    /// Rent of hosts that are billed apart from their devices.
    Host,
    /// Data that is stored.
    Storage,
    /// Data that leaves the provider.
    Egress,
    /// People.
    Staff,
    /// Reserved devices that stand idle until their term ends.
    UnusedCommitment,
    /// Reserved devices of a run that serve until their term ends.
    LentCommitment,
    /// Amortisation of owned hardware while it is used.
    Hardware,
    /// The cost of owned hardware while it has no work.
    Unused,
    /// Rent of the contracted power of owned hardware.
    Colocation,
    /// Electricity of owned hardware, cooling included.
    Electricity,
    /// Repairs and support of owned hardware.
    Maintenance,
    /// Energy of devices and hosts, by an average power.
    Power,
    /// Energy that work adds to the idle draw.
    Work,
    /// Energy of powered devices and hosts, whatever they do.
    Idle,
}

impl Resource {
    /// Each resource with its key in the JSON and its name for people, in the order of reports.
    pub const NAMES: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Compute, "compute", "rent"),
        (Self::Host, "host", "hosts"),
        (Self::UnusedCommitment, "unused_commitment", "unused"),
        (Self::LentCommitment, "lent_commitment", "lent by the run"),
        (Self::Hardware, "hardware", "amortisation"),
        (Self::Unused, "unused", "owned, unused"),
        (Self::Colocation, "colocation", "colocation"),
        (Self::Electricity, "electricity", "electricity"),
        (Self::Maintenance, "maintenance", "maintenance"),
        (Self::Storage, "storage", "storage"),
        (Self::Egress, "egress", "egress"),
        (Self::Staff, "staff", "staff"),
        (Self::Power, "power", "devices and hosts"),
        (Self::Work, "work", "work above idle"),
        (Self::Idle, "idle", "idle draw"),
    ];

    /// The resource's key in the JSON: `cost_usd.<key>`.
    pub fn key(self) -> &'static str {
        self.names().1
    }

    /// The resource's name for people.
    pub fn label(self) -> &'static str {
        self.names().2
    }

    /// True if the resource grows with the number of devices of a fleet, so that it counts when the
    /// fleet is compared with a hosted model. Storage, egress and staff do not.
    pub fn is_of_the_fleet(self) -> bool {
        match self {
            Self::Compute
            | Self::Host
            | Self::UnusedCommitment
            | Self::LentCommitment
            | Self::Hardware
            | Self::Unused
            | Self::Colocation
            | Self::Electricity
            | Self::Maintenance
            | Self::Power
            | Self::Work
            | Self::Idle => true,
            Self::Storage | Self::Egress | Self::Staff => false,
        }
    }

    /// The resource's row of [`Resource::NAMES`].
    fn names(self) -> (Self, &'static str, &'static str) {
        let found = Self::NAMES.iter().find(|(resource, ..)| *resource == self);
        found.copied().unwrap_or((self, "", ""))
    }
}

/// How accountants take a payment: as an investment or as an expense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Capital expenditure: something is bought that lasts longer than the period.
    Capex,
    /// Operating expenditure: something is used up within the period.
    Opex,
}

impl Kind {
    /// The name in reports, `capex` or `opex`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Capex => "capex",
            Self::Opex => "opex",
        }
    }
}

/// A stretch of time, counted from the start of the scenario. A length of zero is a single moment.
///
/// An amount is spread over the months that its period touches, in proportion to time:
/// ```
/// use flopcast_core::ledger::line::Period;
/// let period = Period::of_months(2, 3);
/// let parts: Vec<(u32, f64)> = period.by_month(30.0).collect();
/// assert_eq!(parts.iter().map(|(month, _)| *month).collect::<Vec<_>>(), [2, 3, 4]);
/// assert!((parts.iter().map(|(_, part)| part).sum::<f64>() - 30.0).abs() < 1e-12);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Period {
    /// The time from the start of the scenario to its beginning.
    pub start: Time,
    /// How long it lasts.
    pub length: Time,
}

impl Period {
    /// The moment `start`, a period of length zero.
    pub fn once(start: Time) -> Self {
        Self { start, length: Time::from_stored(0.0) }
    }

    /// The period of this length from the start of the scenario on.
    pub fn during(length: Time) -> Self {
        Self { start: Time::from_stored(0.0), length }
    }

    /// A period of `count` whole months of a twelfth of a year each; `first` counts from 0.
    pub fn of_months(first: u32, count: u32) -> Self {
        let [start, length] =
            [first, count].map(|months| Time::new::<unit::year>(f64::from(months) / 12.0));
        Self { start, length }
    }

    /// The month in which it begins, counted from 0.
    pub fn month(self) -> u32 {
        (months(self.start) + ROUNDING).floor() as u32
    }

    /// The number of months that it touches, at least one.
    pub fn months(self) -> u32 {
        let end = (months(self.start + self.length) - ROUNDING).ceil() as u32;
        end.saturating_sub(self.month()).max(1)
    }

    /// An amount by month, in proportion to time: (month, part). The parts add up to the amount,
    /// since each is the difference of what is due by the end of two months.
    pub fn by_month(self, amount: f64) -> impl Iterator<Item = (u32, f64)> {
        let mut before = 0.0;
        (self.month()..self.month() + self.months()).map(move |month| {
            // The difference of what is due by then: rounding errors cancel out.
            let due = amount * self.passed_by_end_of(month);
            (month, due - std::mem::replace(&mut before, due))
        })
    }

    /// The part of the period, 0 to 1, that has passed when the month ends.
    fn passed_by_end_of(self, month: u32) -> f64 {
        if month + 1 >= self.month() + self.months() {
            return 1.0;
        }
        (f64::from(month + 1) - months(self.start)) / months(self.length)
    }
}

/// The part of a month below which a difference is an error of rounding.
const ROUNDING: f64 = 1e-9;

/// A time in months of a twelfth of a Julian year.
pub fn months(time: Time) -> f64 {
    12.0 * time.get::<unit::year>()
}

/// All that identifies a row: its stage, resource, kind and period, without its figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// The stage that it is charged to.
    pub stage: Stage,
    /// The resource that it is about.
    pub resource: Resource,
    /// Which of several of this kind: `on-demand`, `checkpoints`; empty for the only one.
    pub detail: &'static str,
    /// Capital or operating expense.
    pub kind: Kind,
    /// The time over which it falls due.
    pub period: Period,
}

impl Entry {
    /// The name of the row for people: the resource, and the detail where there is one.
    pub fn label(&self) -> String {
        let comma = if self.detail.is_empty() { "" } else { ", " };
        format!("{}{comma}{}", self.resource.label(), self.detail)
    }
}

/// A row of the ledger: quantity x unit price = amount, in the unit of `Q`.
#[derive(Clone, Debug)]
pub struct Line<Q> {
    /// The resource, its stage and its period.
    pub entry: Entry,
    /// Quantity x unit price.
    pub amount: Value<Q>,
    /// The step of the quantity, where the run records derivations.
    pub quantity: Option<Arc<Step>>,
    /// The step of the price of one unit, where the run records derivations.
    pub unit_price: Option<Arc<Step>>,
}

impl<Q: Measure> Line<Q> {
    /// A row of a quantity at a unit price. Its amount is their product; it is unknown where one of
    /// them is, and where the product is not finite.
    pub fn new<A, B>(entry: Entry, quantity: &Value<A>, unit_price: &Value<B>) -> Self
    where
        A: Measure + Mul<B, Output = Q>,
        B: Measure,
    {
        let amount = quantity * unit_price;
        if amount.known().is_some_and(|amount| !amount.value().stored().is_finite()) {
            return Self::unknown(entry, format!("{} has no bound", entry.label()));
        }
        // Without a derivation nobody reads the name.
        let recorded = amount.known().is_some_and(|amount| amount.step().is_some());
        let amount = if recorded {
            amount.named(format_args!("{}: {}", entry.stage.label(), entry.label()))
        } else {
            amount
        };
        Self { entry, amount, quantity: step(quantity), unit_price: step(unit_price) }
    }

    /// A row whose amount is unknown, with the reason: one sentence for the user.
    pub fn unknown(entry: Entry, why: impl Into<String>) -> Self {
        Self { entry, amount: Unknown::new(why).into(), quantity: None, unit_price: None }
    }

    /// The amount by month, in proportion to time: (month, part). The parts add up to the amount,
    /// and each is `None` where the amount is not known.
    pub fn by_month(&self) -> Vec<(u32, Option<Q>)> {
        let amount = self.amount.known().map(|amount| amount.value().stored());
        let parts = self.entry.period.by_month(amount.unwrap_or_default());
        parts.map(|(month, part)| (month, amount.map(|_| Q::from_stored(part)))).collect()
    }
}

/// The step behind a known figure, if it was recorded.
fn step<Q: Measure>(figure: &Value<Q>) -> Option<Arc<Step>> {
    figure.known().and_then(Traced::step).cloned()
}

/// Rows of one kind of amount `Q`: money, energy, CO2e or water.
#[derive(Clone, Debug)]
pub struct Ledger<Q> {
    lines: Vec<Line<Q>>,
}

impl<Q> Default for Ledger<Q> {
    fn default() -> Self {
        Self { lines: Vec::new() }
    }
}

impl<Q: Measure + Add<Output = Q>> Ledger<Q> {
    /// Adds a row after the others.
    pub fn enter(&mut self, line: Line<Q>) {
        self.lines.push(line);
    }

    /// The rows, in the order of entry.
    pub fn lines(&self) -> &[Line<Q>] {
        &self.lines
    }

    /// The sum of the rows that `meant` accepts: absent where there are none, unknown where one of
    /// them is.
    pub fn sum(&self, meant: impl Fn(&Entry) -> bool) -> Value<Q> {
        let amounts = self.lines.iter().filter(|line| meant(&line.entry));
        Value::sum(amounts.map(|line| line.amount.clone()))
    }

    /// The sums by resource of the rows that `meant` accepts, in the order of [`Resource::NAMES`];
    /// resources without a row are left out.
    pub fn by_resource(&self, meant: impl Fn(&Entry) -> bool) -> Vec<(Resource, Value<Q>)> {
        let sum = |(resource, ..): &(Resource, _, _)| {
            let sum = self.sum(|entry| entry.resource == *resource && meant(entry));
            (!sum.is_absent()).then_some((*resource, sum))
        };
        Resource::NAMES.iter().filter_map(sum).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantity::{DevicePrice, DeviceTime, Money};

    fn line(start: f64, length: f64) -> Line<Money> {
        let time = |months: f64| Time::new::<unit::year>(months / 12.0);
        let entry = Entry {
            stage: Stage::Training,
            resource: Resource::Compute,
            detail: "",
            kind: Kind::Opex,
            period: Period { start: time(start), length: time(length) },
        };
        let used = Traced::derived("used", DeviceTime::from_stored(3600.0), "test");
        let price = Traced::derived("price", DevicePrice::from_stored(0.1), "test");
        Line::new(entry, &Value::Known(used), &Value::Known(price))
    }

    #[test]
    fn months_add_up_to_the_line() {
        for (start, length, first, count) in [
            (0.0, 0.0, 0, 1),
            (5.0, 0.0, 5, 1),
            (0.0, 0.5, 0, 1),
            (0.3, 1.4, 0, 2),
            (12.0, 12.0, 12, 12),
        ] {
            let line = line(start, length);
            let parts = line.by_month();
            assert_eq!((parts[0].0, parts.len()), (first, count), "{start} {length}");
            let sum: f64 = parts.iter().map(|(_, part)| part.unwrap().stored()).sum();
            assert!((sum - 360.0).abs() < 1e-9, "{start} {length}: {sum}");
            assert!(parts.iter().all(|(_, part)| part.unwrap().stored() >= 0.0));
        }
    }

    #[test]
    fn a_sum_over_an_unknown_row_is_unknown() {
        let mut ledger = Ledger::default();
        assert!(ledger.sum(|_| true).is_absent());
        ledger.enter(line(0.0, 1.0));
        ledger.enter(Line::unknown(line(0.0, 1.0).entry, "no price"));
        assert_eq!(ledger.sum(|_| true).unknown(), Some(&Unknown::new("no price")));
    }
}
