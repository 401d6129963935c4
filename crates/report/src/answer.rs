//! The answer in a sentence or two, before every table.

use std::fmt::Write as _;

use flopcast_core::quantity::text::{count, number};
use flopcast_study::uncertainty::{Interval, PERCENTILES};

use super::Report;

/// The range of a figure, where one was sampled.
pub(super) fn interval<'a>(report: &'a Report, path: &str) -> Option<&'a Interval> {
    report.intervals.iter().find(|interval| interval.path == path)
}

/// The value at a percentile of [`PERCENTILES`].
pub(super) fn at(interval: &Interval, percentile: u32) -> Option<f64> {
    let place = PERCENTILES.iter().position(|known| *known == percentile)?;
    interval.values.get(place).copied()
}

/// A figure as text, by its median where it has a range; millions in short.
pub(super) fn shown(report: &Report, path: &str) -> Option<String> {
    let figure = report.figure(path)?;
    let short = |value: f64| {
        let (_, unit) = figure.shown.split_once(' ')?;
        // What is shown in its path's unit can be shortened without another look at it.
        let same = figure.shown.starts_with(&number(value));
        (value.abs() >= 1e6 && same).then(|| format!("{} {unit}", count(value)))
    };
    let median = interval(report, path)
        .and_then(|interval| Some(format!("{} {}", count(at(interval, 50)?), interval.unit)));
    let central = figure.value.and_then(short).unwrap_or_else(|| figure.shown.clone());
    Some(median.unwrap_or(central))
}

fn known(report: &Report, path: &str) -> Option<String> {
    report.figure(path)?.value?;
    shown(report, path)
}

/// What the training takes, what serving starts with and costs, what it comes to in all.
pub(super) fn sentences(report: &Report) -> String {
    let known = |path: &str| known(report, path);
    let mut sentences = Vec::new();
    if let Some(hours) = known("training.device_hours") {
        let wall = known("training.wall_clock_days");
        let time = match wall.zip(known("training.devices")) {
            Some((days, devices)) => format!("takes {days} on {} ({hours})", singular(&devices)),
            None => format!("takes {hours}"),
        };
        let cost = known("training.cost_usd.total").map(|cost| format!("costs {cost}"));
        let co2e = known("training.co2e_kg.location").map(|mass| format!("emits {mass}"));
        let clauses: Vec<_> = [Some(time), cost, co2e].into_iter().flatten().collect();
        sentences.push(format!("The training {}", listed(&clauses)));
    }
    if let Some(devices) = known("inference.fleet.devices") {
        let mut text = format!("Serving starts with {}", singular(&devices));
        if let Some(cost) = known("inference.per_query.serving_usd") {
            let _ = write!(text, " and costs {}", cost.replace("/request", " a request"));
        }
        sentences.push(text);
    }
    let range = interval(report, "tco.total_usd");
    if let Some((middle, high)) = range.and_then(|range| at(range, 50).zip(at(range, 80))) {
        sentences.push(format!(
            "Budget {} USD, and {} USD with contingency to P80",
            count(middle),
            count(high)
        ));
    }
    let served = |path: &str| path.starts_with("inference.years.") && path.ends_with(".requests");
    let years = report.figures.iter().filter(|figure| served(&figure.path)).count();
    if range.is_none() && years > 0 {
        let sums = ["tco.total_usd", "tco.co2e_kg.location"].map(known);
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

fn singular(devices: &str) -> &str {
    if devices == "1 devices" { "1 device" } else { devices }
}
