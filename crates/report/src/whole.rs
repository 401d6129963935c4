//! The report of several services together: sums, the services and regions beside each other, and
//! the latency of a request that calls them.

use std::collections::BTreeSet;
use std::sync::Arc;

use flopcast_core::estimate::{Figure, Id, Key, Mark, Share, whole};
use flopcast_core::provenance::Step;
use flopcast_core::quantity::text::{convert, number};
use flopcast_core::quantity::{Measure as _, Time};
use flopcast_core::serving::simulator::ClassReport;
use flopcast_study::uncertainty::{Interval, Swing};

use crate::Report;
use crate::doc::{Block, Cell, Column, Grid};
use crate::subject::estimate::cell;

/// A service in a region, with its report.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Its name.
    pub name: String,
    /// Requests that it gets for each of the whole.
    pub per_request: f64,
    /// Its part of figures that are of the requests.
    pub once: f64,
    /// Its forecast.
    pub report: Report,
}

/// A call of a request, with its latencies at the peak.
type Call<'a> = (&'a str, &'a ClassReport);

/// The columns of the parts: figures of a part's own forecast.
const BESIDE: [(&str, Id); 5] = [
    ("devices", Id::FleetDevices),
    ("peak rate", Id::PeakRate),
    ("cost", Id::TotalCost),
    ("energy", Id::TotalEnergy),
    ("CO2e", Id::TotalCo2e),
];

impl Report {
    /// The report of services together; `None` of nothing. `latency` is that of whole requests, `calls` those of each
    /// call. Ranges add up percentile by percentile, as if the parts were uncertain together: they
    /// share the demand and the model, and a sum of independent ones would be narrower.
    pub fn whole(
        name: &str,
        parts: Vec<Answered>,
        latency: Option<&ClassReport>,
        calls: &[(&str, &ClassReport)],
    ) -> Option<Self> {
        let shares: Vec<Share<'_>> = parts
            .iter()
            .map(|Answered { name, per_request, once, report }| Share {
                name,
                figures: &report.figures,
                per_request: *per_request,
                once: *once,
            })
            .collect();
        let figures = whole(&shares, latency);
        let intervals = intervals(&parts, &figures);
        let beside = beside(&parts, &figures, latency, calls);
        let mut all = parts.into_iter().map(Answered::marked);
        let mut report = all.next()?;
        for part in all {
            report.take(part);
        }
        Some(Self {
            name: name.to_owned(),
            figures,
            intervals,
            parts: beside,
            facts: Vec::new(),
            load: Vec::new(),
            service: Vec::new(),
            rent_or_buy: Vec::new(),
            predicted: None,
            leanings: None,
            ..report
        })
    }

    /// Takes in what another report says beside its figures.
    fn take(&mut self, other: Self) {
        let mut dates: BTreeSet<(String, String)> = self.dates.drain(..).collect();
        dates.extend(other.dates);
        self.dates = dates.into_iter().collect();
        self.start = self.start.or(other.start);
        self.fits &= other.fits;
        self.ledger.extend(other.ledger);
        self.ledger.sort_by_key(|row| row.entry.stage);
        self.purchases.extend(other.purchases);
        self.sellers.extend(other.sellers);
        self.commitments.extend(other.commitments);
        self.footprint.extend(other.footprint);
        self.emitted.extend(other.emitted);
        self.inputs.extend(other.inputs);
        unique(&mut self.spreads, other.spreads);
        unique(&mut self.model_assumptions, other.model_assumptions);
        unique(&mut self.choices, other.choices);
        unique(&mut self.warnings, other.warnings);
    }
}

/// Adds what is not there yet.
fn unique<T: PartialEq>(all: &mut Vec<T>, more: Vec<T>) {
    for it in more {
        if !all.contains(&it) {
            all.push(it);
        }
    }
}

impl Answered {
    /// Its report with its name on what stands beside that of others.
    fn marked(self) -> Report {
        let Self { name, mut report, .. } = self;
        let part: Arc<str> = name.as_str().into();
        let rows = report.ledger.iter_mut().chain(&mut report.purchases);
        rows.for_each(|row| row.part = Some(Arc::clone(&part)));
        report.footprint.iter_mut().for_each(|row| row.part = Some(Arc::clone(&part)));
        report.sellers.iter_mut().for_each(|it| it.part = Some(Arc::clone(&part)));
        let named = |step: &Arc<Step>| {
            let own = step.name.as_deref().unwrap_or_default();
            Arc::new(Step { name: Some(format!("{name}: {own}")), ..(**step).clone() })
        };
        report.inputs = report.inputs.iter().map(named).collect();
        report.model_assumptions.iter_mut().for_each(|it| *it = format!("{name}: {it}"));
        report.warnings.iter_mut().for_each(|it| *it = format!("{name}: {it}"));
        report
    }
}

/// The ranges of sums: percentile by percentile, a part without a range by its value. What moves a
/// part moves the whole by as much; factors of one name are one.
fn intervals(parts: &[Answered], figures: &[Figure]) -> Vec<Interval> {
    let ranged = parts.iter().flat_map(|part| part.report.intervals.iter().map(|it| it.figure));
    let ids: BTreeSet<Id> = ranged.collect();
    let of = |id: Id| -> Option<Interval> {
        let central = figures.iter().find(|it| it.key == Key::from(id))?.value()?;
        let mut values = [0.0; flopcast_study::uncertainty::PERCENTILES.len()];
        let mut swings: Vec<Swing> = Vec::new();
        for part in parts {
            let weight = weight(part, id)?;
            let own = part.report.figure(id)?.value()?;
            let range = part.report.intervals.iter().find(|it| it.figure == id);
            for (at, value) in values.iter_mut().enumerate() {
                *value += weight * range.map_or(own, |range| range.values[at]);
            }
            for Swing { factor, low, high } in range.iter().flat_map(|range| &range.swings) {
                let [low, high] = [low, high].map(|it| weight * (it - own));
                match swings.iter_mut().find(|it| it.factor == *factor) {
                    Some(swing) => {
                        swing.low += low;
                        swing.high += high;
                    }
                    None => swings.push(Swing {
                        factor: factor.clone(),
                        low: central + low,
                        high: central + high,
                    }),
                }
            }
        }
        swings.sort_by(|a, b| (b.high - b.low).abs().total_cmp(&(a.high - a.low).abs()));
        Some(Interval { figure: id, values, swings })
    };
    ids.into_iter().filter_map(of).collect()
}

/// The number with which a part enters a sum; `None` for a figure that has no sum.
fn weight(part: &Answered, id: Id) -> Option<f64> {
    let row = id.declared();
    match (row.is(Mark::Adds), row.is(Mark::Weighs)) {
        (true, _) => Some(1.0),
        (_, true) => Some(part.per_request),
        _ => None,
    }
}

/// The parts beside each other with their sum, then the calls of a request with their latencies.
fn beside(
    parts: &[Answered],
    figures: &[Figure],
    latency: Option<&ClassReport>,
    calls: &[Call<'_>],
) -> Vec<Block> {
    let found = |figures: &'_ [Figure], id: Id| {
        let known = |it: &&Figure| it.key == Key::from(id) && it.value().is_some();
        figures.iter().find(known).cloned()
    };
    // A unit stands once, in the heading: that of the sum, else that of a part.
    let column = |(heading, id): &(&str, Id)| {
        let known = || parts.iter().find_map(|part| found(&part.report.figures, *id));
        let unit = found(figures, *id).or_else(known).map(|it| it.short()[1].clone());
        let comma = unit.iter().filter(|unit| *unit != heading && !unit.is_empty());
        let heading =
            comma.fold((*heading).to_owned(), |heading, unit| format!("{heading}, {unit}"));
        (heading, unit.unwrap_or_default())
    };
    let columns: Vec<_> = BESIDE.iter().map(column).collect();
    let headings = columns.iter().map(|(heading, _)| Column::numbers(heading.as_str()));
    let mut grid = Grid::new([Column::words("")].into_iter().chain(headings));
    let mut row = |name: &str, figures: &[Figure]| {
        let cells = BESIDE.iter().zip(&columns).map(|((_, id), (_, unit))| {
            let figure = figures.iter().find(|it| it.key == Key::from(*id));
            figure.map_or(Cell::Blank, |it| {
                let amount = it.reading.known().map(|it| convert(it.value().stored, unit));
                let shown = amount.map_or_else(|| it.short()[0].clone(), number);
                cell(it, shown, String::new())
            })
        });
        grid.push([Cell::text(name)].into_iter().chain(cells));
    };
    for part in parts {
        row(&part.name, &part.report.figures);
    }
    row("together", figures);
    let mut blocks = vec![Block::Caption("Services and regions".to_owned()), Block::Grid(grid)];
    let Some(whole) = latency else { return blocks };
    let numbers = ["mean", "P50", "P90", "P95", "P99"].map(Column::numbers);
    let mut grid = Grid::new([Column::words("")].into_iter().chain(numbers));
    let shown = |seconds: Option<f64>| {
        seconds.map_or(Cell::Gap, |seconds| Cell::quantity(Time::from_stored(seconds)))
    };
    for (name, report) in calls.iter().copied().chain([("whole request", whole)]) {
        let at = [0.5, 0.9, 0.95, 0.99].map(|share| shown(report.e2e.quantile(share)));
        grid.push([Cell::text(name), shown(report.e2e.mean())].into_iter().chain(at));
    }
    blocks.push(Block::Caption("Time of a call at the peak, and of the request".to_owned()));
    blocks.push(Block::Grid(grid));
    blocks
}
