//! The answer in a sentence or two, which stands before every table: what the training takes, with
//! how many devices serving starts, and what it all comes to. A figure that is unknown is left out
//! of the sentence; where ranges were sampled, medians and the budget at P80 stand in it.

use std::fmt::Write as _;

use flopcast_core::estimate::Id;
use flopcast_core::quantity::text::count;
use flopcast_study::uncertainty::{Interval, PERCENTILES};

use super::Report;

/// The range of a figure; `None` if none was sampled.
pub(super) fn interval(report: &Report, figure: Id) -> Option<&Interval> {
    report.intervals.iter().find(|interval| interval.figure == figure)
}

/// The value at a percentile of [`PERCENTILES`]; `None` for one that is not kept.
pub(super) fn at(interval: &Interval, percentile: u32) -> Option<f64> {
    let place = PERCENTILES.iter().position(|known| *known == percentile)?;
    interval.values.get(place).copied()
}

/// Number and unit of a figure, by its median where it has a range; millions in short.
pub(super) fn shown(report: &Report, figure: Id) -> Option<[String; 2]> {
    let read = report.figure(figure)?;
    let unit = figure.declared().short_unit;
    let [number, fitting] = read.short();
    let median = interval(report, figure).and_then(|range| at(range, 50));
    // Where another unit fits better, its number is short already.
    let many = read.value().filter(|value| value.abs() >= 1e6 && fitting == unit);
    Some(match median.or(many) {
        Some(value) => [count(value), unit.to_owned()],
        None => [number, fitting],
    })
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
        let note = interval(report, figure).and_then(|range| {
            Some(format!(
                "P80 {} · P5 to P95 {} to {}",
                count(at(range, 80)?),
                count(at(range, 5)?),
                count(at(range, 95)?)
            ))
        });
        let path = report.figure(figure)?.path.clone();
        Some(Tile { path, name: figure.declared().name, value, note })
    };
    flopcast_study::leaning::headlines().filter_map(tile).collect()
}

/// The same as text; `None` if the figure is unknown.
fn known(report: &Report, figure: Id) -> Option<String> {
    report.figure(figure)?.value()?;
    Some(shown(report, figure)?.join(" "))
}

/// A number of devices, `1 device` in the singular.
fn devices(report: &Report, figure: Id) -> Option<String> {
    let [number, unit] = shown(report, figure)?;
    let one =
        (report.figure(figure)?.value()? - 1.0).abs() < 1e-9 && interval(report, figure).is_none();
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
    let range = interval(report, Id::TotalCost);
    if let Some((middle, high)) = range.and_then(|range| at(range, 50).zip(at(range, 80))) {
        sentences.push(format!(
            "Budget {} USD, and {} USD with contingency to P80",
            count(middle),
            count(high)
        ));
    }
    let years = report.years().len();
    if range.is_none() && years > 0 {
        let sums = [Id::TotalCost, Id::TotalCo2e].map(known);
        let sums: Vec<_> = sums.into_iter().flatten().collect();
        let horizon = if years == 1 { "a year".to_owned() } else { format!("{years} years") };
        if !sums.is_empty() {
            sentences.push(format!("Over {horizon} it all comes to {}", listed(&sums)));
        }
    }
    sentences.join(". ") + if sentences.is_empty() { "" } else { "." }
}

/// `a`, `a and b`, `a, b and c`.
fn listed(clauses: &[String]) -> String {
    match clauses {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
