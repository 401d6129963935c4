//! The pictures of a report: which figures become which chart. A picture is left out where a figure
//! of it is unknown, since a bar of zero would be read as none.

use flopcast_core::estimate::{Id, Place};
use flopcast_core::ledger::line::Stage;
use flopcast_core::quantity::Measure;
use flopcast_core::quantity::text::{convert, count, number, show_stored};
use flopcast_study::uncertainty::Interval;

use super::super::chart::{self, Bar, Columns, Lines, Point, Points};
use super::super::{Load, Report};
use crate::cash::{CashFlow, Paid};

/// A picture with its title.
pub(crate) struct Picture {
    pub(crate) title: &'static str,
    /// What there is to say of it in a line below the title.
    pub(crate) below: &'static str,
    pub(crate) svg: String,
}

/// The pictures that the report has the figures for.
pub(crate) fn all(report: &Report) -> Vec<Picture> {
    let costly = report.widest();
    let trained = report.ledger.iter().any(|row| row.entry.stage == Stage::Training);
    let nominal = if trained { "nominal; the training falls into the first" } else { "nominal" };
    let tokens = report.load.iter().any(|load| load.tpot.iter().any(|time| *time > 0.0));
    let [first, against] = if tokens {
        ["Time to first token", "Time to first token against load"]
    } else {
        ["Time of a request", "Time of a request against load"]
    };
    let pictures = [
        ("Cost by item", "over the whole horizon", costs(report)),
        ("CO2e by source", "location-based and embodied stand apart", carbon(report)),
        ("Cost by year", nominal, years(report)),
        ("Payments", "when they are due: capital and operating", payments(report)),
        (
            against,
            "simulated: percentiles of one replica",
            waiting(report, first, |load| load.ttft),
        ),
        (
            "Time per output token against load",
            "simulated: percentiles of one replica",
            waiting(report, "Time per output token", |load| load.tpot),
        ),
        (
            "What moves the answer most",
            costly.map_or("", |range| range.figure.declared().name),
            costly.map(sensitivity),
        ),
    ];
    let drawn = pictures.into_iter();
    drawn.filter_map(|(title, below, svg)| Some(Picture { title, below, svg: svg? })).collect()
}

/// Money in short, with its unit.
fn usd(value: f64) -> String {
    format!("{} USD", count(value))
}

/// Money by resource over all stages; `None` if a row is unknown.
fn costs(report: &Report) -> Option<String> {
    let mut bars: Vec<Bar> = Vec::new();
    for row in &report.ledger {
        let amount = row.amount?;
        let stage = match row.entry.stage {
            Stage::Training => "training",
            Stage::Serving(_) => "serving",
        };
        let name = format!("{stage}: {}", row.entry.label());
        match bars.iter_mut().find(|bar| bar.name == name) {
            Some(bar) => bar.value += amount,
            None => bars.push(Bar { name, value: amount, shown: String::new() }),
        }
    }
    // What is got back is no part of what is paid; the table has it.
    bars.retain(|bar| bar.value > 0.0);
    let sum: f64 = bars.iter().map(|bar| bar.value).sum();
    for bar in &mut bars {
        let percent = 100.0 * bar.value / sum;
        let share = match percent {
            _ if percent > 0.0 && percent < 0.5 => "< 1 %".to_owned(),
            _ => format!("{percent:.0} %"),
        };
        bar.shown = format!("{} ({share})", usd(bar.value));
    }
    (!bars.is_empty()).then(|| chart::bars("Cost by item", &bars))
}

/// CO2e by stage and source; `None` if a part is unknown.
fn carbon(report: &Report) -> Option<String> {
    let mut bars = Vec::new();
    let mut enter = |name: &str, kg: Option<f64>| {
        if let Some(kg) = kg.filter(|kg| *kg > 0.0) {
            let dimension = flopcast_core::quantity::Co2eMass::DIMENSION;
            let shown = show_stored(convert_back(kg, "kgCO2e"), dimension);
            bars.push(Bar { name: name.to_owned(), value: kg, shown });
        }
    };
    let training = |figure: Id| report.figure(figure.at(Place::Training))?.value();
    enter("training: electricity", training(Id::LocationCo2e));
    enter("training: embodied", training(Id::EmbodiedMid));
    let years = report.years();
    let over = |figure: Id| {
        let each = |year: u32| report.figure(figure.at(Place::Year(year)))?.value();
        years.iter().map(|(year, _)| each(*year)).sum()
    };
    enter("serving: electricity", over(Id::LocationCo2e));
    enter("serving: embodied", over(Id::EmbodiedMid));
    (!bars.is_empty()).then(|| chart::bars("CO2e by source", &bars))
}

/// The stored value of a number of a unit.
fn convert_back(value: f64, unit: &str) -> f64 {
    value / convert(1.0, unit)
}

/// Money by year of payment; none for less than two years or with an unknown row.
fn years(report: &Report) -> Option<String> {
    let data = periods(
        report,
        12,
        "Cost by year",
        |year| format!("year {}", year + 1),
        |row| usize::from(row.stage != Stage::Training),
    )?;
    let data = Columns { series: vec!["training".to_owned(), "serving".to_owned()], ..data };
    (data.columns.len() > 1).then(|| chart::columns(&data, &usd_short))
}

/// Money by quarter, capital and operating.
fn payments(report: &Report) -> Option<String> {
    let cash = CashFlow::of(report)?;
    let bar = |it: &Paid| (it.period.clone(), vec![it.capex.max(0.0), it.opex.max(0.0)]);
    let data = Columns {
        title: format!("Payments by {}", cash.unit),
        series: vec!["capex".to_owned(), "opex".to_owned()],
        columns: cash.periods.iter().map(bar).collect(),
    };
    (data.columns.len() > 1).then(|| chart::columns(&data, &usd_short))
}

/// Money in short, thousands too.
fn usd_short(value: f64) -> String {
    if value.abs() >= 1e3 && value.abs() < 1e6 {
        format!("{}K", flopcast_core::quantity::text::number(value / 1e3))
    } else {
        count(value)
    }
}

/// Payments by a number of months, capital and operating apart.
fn periods(
    report: &Report,
    months: u32,
    title: &str,
    name: impl Fn(u32) -> String,
    series: impl Fn(&flopcast_core::ledger::line::Entry) -> usize,
) -> Option<Columns> {
    let mut sums: Vec<Vec<f64>> = Vec::new();
    for row in &report.ledger {
        for (month, amount) in &row.by_month {
            let period = (month / months) as usize;
            if sums.len() <= period {
                sums.resize(period + 1, vec![0.0; 2]);
            }
            sums[period][series(&row.entry)] += (*amount)?;
        }
    }
    let columns = sums
        .into_iter()
        .enumerate()
        .map(|(index, parts)| (name(index as u32), parts.iter().map(|p| p.max(0.0)).collect()))
        .collect();
    Some(Columns { title: title.to_owned(), series: Vec::new(), columns })
}

/// Percentiles of a latency over the rate of a replica; none without a simulation.
fn waiting(report: &Report, title: &str, latency: fn(&Load) -> [f64; 3]) -> Option<String> {
    let at: Vec<f64> = report.load.iter().map(|load| load.rate).collect();
    let series = ["P50", "P95", "P99"].iter().enumerate().map(|(index, name)| {
        let values = report.load.iter().map(|load| 1e3 * latency(load)[index]).collect();
        ((*name).to_owned(), values)
    });
    let data = Lines {
        title: format!("{title} against load"),
        across: "requests per second and replica".to_owned(),
        series: series.collect(),
        at,
    };
    let shown = data.series.iter().flat_map(|(_, values)| values).any(|value| *value > 0.0);
    let milliseconds = |value: f64| format!("{} ms", number(value));
    shown.then(|| chart::lines(&data, &milliseconds, &number))
}

/// The inputs that move a figure.
pub(crate) fn sensitivity(range: &Interval) -> String {
    chart::tornado(range, &|value| format!("{} {}", usd_short(value), range.short_unit()))
}

/// Cost against carbon of several scenarios; none where fewer than two have both.
pub(super) fn choices(reports: &[Report]) -> Option<String> {
    let value = |report: &Report, figure: Id| report.figure(figure)?.value();
    let points: Vec<Point> = reports
        .iter()
        .filter_map(|report| {
            let across = value(report, Id::TotalCost)?;
            let up = value(report, Id::TotalCo2e)?;
            Some(Point { name: report.name.clone(), across, up })
        })
        .collect();
    let data = Points { points: &points, across: "cost, USD", up: "CO2e, location-based, kg" };
    (points.len() > 1).then(|| chart::points(&data, &usd_short, &usd_short))
}
