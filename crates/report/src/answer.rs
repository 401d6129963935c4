//! The answer in a sentence or two, which stands before every table: what the training takes, with
//! how many devices serving starts, and what it all comes to. A figure that is unknown is left out
//! of the sentence. Its values are the central ones, as in every table; where ranges were sampled,
//! the contingency to P80 of the cost stands beside them.

use std::fmt::Write as _;

use flopcast_core::estimate::figure::headlines;
use flopcast_core::estimate::{Figure, Id};
use flopcast_core::ledger::line::Resource;
use flopcast_core::quantity::text::count;
use flopcast_study::uncertainty::{Interval, PERCENTILES};

use super::Report;
use super::doc::short;

/// The range of a figure; `None` if none was sampled.
pub(super) fn interval(report: &Report, figure: Id) -> Option<&Interval> {
    report.intervals.iter().find(|interval| interval.figure == figure)
}

/// The value at a percentile, in the unit in which the figure is shown.
pub(super) fn along(figure: &Figure, range: &Interval, percentile: u32) -> Option<f64> {
    Some(figure.in_shown_unit(at(range, percentile)?))
}

/// The value at a percentile of [`PERCENTILES`]; `None` for one that is not kept.
pub(super) fn at(interval: &Interval, percentile: u32) -> Option<f64> {
    let place = PERCENTILES.iter().position(|known| *known == percentile)?;
    interval.values.get(place).copied()
}

/// Number and unit of a figure; millions in short.
pub(super) fn shown(report: &Report, figure: Id) -> Option<[String; 2]> {
    let read = report.figure(figure)?;
    let unit = figure.declared().short_unit;
    let [number, fitting] = read.short();
    // Where another unit fits better, its number is short already.
    let many = read.value().filter(|value| value.abs() >= 1e6 && fitting == unit);
    Some([many.map_or(number, count), fitting])
}

/// A headline figure.
pub(super) struct Tile {
    /// Its path in the JSON.
    pub(super) path: String,
    pub(super) name: &'static str,
    /// Number and unit.
    pub(super) value: [String; 2],
    /// Its range, where one was sampled.
    pub(super) note: Option<String>,
}

/// The figures that answer at a glance.
pub(super) fn tiles(report: &Report) -> Vec<Tile> {
    let tile = |figure: Id| {
        let value = shown(report, figure)?;
        let read = report.figure(figure)?;
        let note = interval(report, figure).and_then(|range| {
            let [p50, p80, p90] = [50, 80, 90].map(|it| along(read, range, it).map(short));
            Some(format!("P50 {} · P80 {} · P90 {}", p50?, p80?, p90?))
        });
        Some(Tile { path: read.path.clone(), name: figure.declared().name, value, note })
    };
    headlines().filter_map(tile).collect()
}

/// The same as text; `None` if the figure is unknown.
fn known(report: &Report, figure: Id) -> Option<String> {
    report.figure(figure)?.value()?;
    Some(shown(report, figure)?.join(" "))
}

/// A number of devices, `1 device` in the singular.
fn devices(report: &Report, figure: Id) -> Option<String> {
    let [number, unit] = shown(report, figure)?;
    let one = (report.figure(figure)?.value()? - 1.0).abs() < 1e-9;
    Some(if one { "1 device".to_owned() } else { format!("{number} {unit}") })
}

/// The sentences: training, start and cost of serving, the total; empty if none of it is known.
pub(super) fn sentences(report: &Report) -> String {
    let known = |figure: Id| known(report, figure);
    let mut sentences = Vec::new();
    if !report.fits {
        sentences.push("The run does not fit the memory of its devices".to_owned());
    }
    if let Some(days) = report.late_days {
        let days = if days == 1 { "a day".to_owned() } else { format!("{days} days") };
        sentences.push(format!("The run misses its deadline by {days}"));
    }
    if let Some(hours) = known(Id::DeviceHours) {
        let wall = known(Id::WallClock);
        let time = match wall.zip(devices(report, Id::TrainingDevices)) {
            Some((days, devices)) => format!("takes {days} on {devices} ({hours})"),
            None => format!("takes {hours}"),
        };
        let cost = known(Id::TrainingCost).map(|cost| format!("costs {cost}"));
        let co2e = known(Id::LocationCo2e).map(|mass| format!("emits {mass}"));
        let clauses: Vec<_> = [Some(time), cost, co2e].into_iter().flatten().collect();
        sentences.push(format!("The training {}", listed(&clauses)));
    }
    if let Some(devices) = devices(report, Id::FleetDevices) {
        let mut text = format!("Serving starts with {devices}");
        if let Some(cost) = known(Id::ServingCost) {
            let _ = write!(text, " and costs {cost} a request");
        }
        sentences.push(text);
    }
    let years = report.years().len();
    if years > 0 {
        let sums = [Id::TotalCost, Id::TotalCo2e].map(known);
        let sums: Vec<_> = sums.into_iter().flatten().collect();
        let horizon = if years == 1 { "a year".to_owned() } else { format!("{years} years") };
        if !sums.is_empty() {
            sentences.push(format!("Over {horizon} it all comes to {}", listed(&sums)));
        }
    }
    sentences.extend(contingency(report));
    sentences.extend(unused(report));
    sentences.join(". ") + if sentences.is_empty() { "" } else { "." }
}

/// The money to P80 of the cost beyond its central value.
fn contingency(report: &Report) -> Option<String> {
    let high = at(interval(report, Id::TotalCost)?, 80)?;
    let more = high - report.figure(Id::TotalCost)?.value()?;
    let high = count(high);
    Some(if more > 0.0 {
        format!(
            "These are central values: P80 of the cost is {high} USD, a contingency of {} USD",
            count(more)
        )
    } else {
        format!("These are central values: P80 of the cost is {high} USD, without contingency")
    })
}

/// What a commitment costs that nobody uses, where it is more than a tenth of all costs.
fn unused(report: &Report) -> Option<String> {
    let sum = |meant: &dyn Fn(Resource) -> bool| -> Option<f64> {
        let rows = report.ledger.iter().filter(|row| meant(row.entry.resource));
        rows.map(|row| row.amount).sum()
    };
    let unused = sum(&|resource| resource == Resource::UnusedCommitment)?;
    let share = unused / sum(&|_| true)?;
    (share > NOTABLE).then(|| {
        format!(
            "Of the cost, {} USD ({:.0} %) is commitment left unused",
            count(unused),
            100.0 * share
        )
    })
}

/// The part of the cost from which on an unused commitment is told first.
const NOTABLE: f64 = 0.1;

/// `a`, `a and b`, `a, b and c`.
fn listed(clauses: &[String]) -> String {
    match clauses {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
