//! The forecast of a scenario: the answer, the figures by section, money and carbon by row, ranges,
//! inputs.

use flopcast_core::estimate::Figure;
use flopcast_core::provenance::{Basis, How, Step};
use flopcast_study::uncertainty::{Interval, PERCENTILES};
use serde_json::Value;

use crate::doc::{Block, Cell, Column, Doc, Grid, Subject, short};
use crate::table::{ENERGY_OF_TRAINING, SECTIONS, YEARS, label};
use crate::text::cut;
use crate::{Fact, RENEWED, Report, answer, carbon, currency, html, json, ledger};

/// Forecasts, one after the other.
impl Subject for Vec<Report> {
    fn doc(&self) -> Doc {
        Doc { rows: Some(rows(self)), ..Doc::joined(self.iter().map(document)) }
    }

    fn json(&self) -> Option<Value> {
        Some(match self.as_slice() {
            [one] => json::estimate(one),
            many => many.iter().map(json::estimate).collect(),
        })
    }

    fn forecasts(&self) -> Option<&[Report]> {
        Some(self)
    }
}

/// One row per figure and per row of the ledger: scenario, path, value.
pub(crate) fn rows(reports: &[Report]) -> Grid {
    let words = ["scenario", "figure"].map(Column::words);
    let mut grid = Grid::new(words.into_iter().chain([Column::numbers("value")]));
    for report in reports {
        let figures = report.figures.iter().map(|figure| (figure.path.clone(), figure.value));
        let ledger = report.ledger.iter();
        let ledger = ledger.map(|row| (format!("ledger.{}.amount_usd", row.path()), row.amount));
        for (path, value) in figures.chain(ledger) {
            grid.push([Cell::text(&report.name), Cell::text(path), value.into()]);
        }
    }
    grid
}

/// What people read of a forecast.
pub(crate) fn document(report: &Report) -> Doc {
    let mut doc = Doc::titled(&report.name);
    doc.push_some(Block::Text(answer::sentences(report)));
    doc.blocks.extend(report.service.iter().cloned());
    for (title, figures) in SECTIONS {
        let mut grid =
            Grid::new([Column::words("figure").headed(""), Column::quantities("value").headed("")]);
        for (path, label) in *figures {
            let Some(figure) = report.figure(path) else { continue };
            let value = value(figure, short_unit(&figure.shown));
            grid.push([Cell::text(*label), value]);
        }
        let empty = grid.is_empty();
        doc.section(*title, grid);
        if !empty {
            doc.push_some(Block::Facts(facts(report, |fact| belongs(fact, title))));
        }
    }
    doc.section("Years of service", years(report));
    doc.push_some(Block::Facts(facts(report, |fact| fact.path == RENEWED)));
    doc.section("Ledger", ledger::grid(&report.ledger));
    doc.push_some(Block::List(ledger::commitments(&report.commitments)));
    if let Some(money) = &report.currency {
        doc.section(currency::title(money), currency::grid(report, money));
    }
    doc.section(
        "Energy and CO2e by row: location-based, and embodied (mid) apart",
        carbon::grid(&report.footprint),
    );
    if let Some(widest) = report.widest() {
        doc.section("Ranges (P50, with contingency to P80)", ranges(report));
        doc.push(Block::Picture { lines: tornado(widest), svg: html::sensitivity(widest) });
    }
    inputs(report, &mut doc);
    doc.push_some(Block::Warnings(report.warnings.clone()));
    doc
}

/// A figure's cell; one that has no value says why: it is unknown, or comes never.
fn value(figure: &Figure, shown: &str) -> Cell {
    match figure.value {
        Some(value) => Cell::shown(value, shown),
        None if shown == "unknown" => Cell::Unknown,
        None => Cell::text(shown),
    }
}

/// What the heading of a section says is not said again in each unit.
fn short_unit(shown: &str) -> &str {
    shown.trim_end_matches("/request").trim_end_matches("/Mtoken")
}

/// Whether a fact is told below the figures of this section.
fn belongs(fact: &Fact, section: &str) -> bool {
    match section {
        "Training" => fact.path.starts_with("training.") && !carbon::is_about(fact),
        ENERGY_OF_TRAINING => carbon::is_about(fact),
        "Rent or buy, training" => fact.path.starts_with("rent_or_buy.training."),
        "Own fleet or hosted model, first year" => fact.path.starts_with("inference.api."),
        "Rent or buy, service" => fact.path.starts_with("rent_or_buy.inference."),
        _ => false,
    }
}

fn facts(report: &Report, meant: impl Fn(&Fact) -> bool) -> Vec<(String, String)> {
    let told = report.facts.iter().filter(|fact| meant(fact));
    told.map(|fact| (fact.label.to_owned(), in_words(&fact.value))).collect()
}

fn in_words(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; ")
        }
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        other => other.to_string(),
    }
}

fn years(report: &Report) -> Grid {
    let figure = |year: u32, name: &str| report.figure(&format!("inference.years.{year}.{name}"));
    let columns: Vec<_> = YEARS.iter().filter(|(name, _)| figure(1, name).is_some()).collect();
    let headings = columns.iter().map(|(_, heading)| Column::numbers(*heading));
    let mut grid = Grid::new([Column::words("year")].into_iter().chain(headings));
    for year in (1..).take_while(|year| figure(*year, "requests").is_some()) {
        let cells = columns.iter().map(|(name, heading)| {
            let Some(figure) = figure(year, name) else { return Cell::Blank };
            // A unit that is the heading is not said again in each row.
            let number = figure.shown.strip_suffix(heading).and_then(|it| it.strip_suffix(' '));
            value(figure, number.unwrap_or(&figure.shown))
        });
        grid.push([Cell::Count(u64::from(year))].into_iter().chain(cells));
    }
    grid
}

/// Ranges of the figures; a document has room for four of the percentiles, the JSON has all.
fn ranges(report: &Report) -> Grid {
    let shown: Vec<usize> =
        (0..PERCENTILES.len()).filter(|i| [5, 50, 80, 95].contains(&PERCENTILES[*i])).collect();
    let words = [Column::words("figure").at_most(26), Column::words("unit")];
    let numbers = shown.iter().map(|i| Column::numbers(format!("P{}", PERCENTILES[*i])));
    let mut grid = Grid::new(words.into_iter().chain(numbers));
    for interval in &report.intervals {
        let unit = interval.unit.trim_end_matches("/request");
        let words = [label(interval.path).trim(), unit].map(Cell::text);
        grid.push(words.into_iter().chain(shown.iter().map(|i| Cell::short(interval.values[*i]))));
    }
    grid
}

/// Bars of what each factor alone does to a figure, P10 to P90.
fn tornado(interval: &Interval) -> Vec<String> {
    let ends = |pick: fn(f64, f64) -> f64, start: f64| {
        interval.swings.iter().fold(start, |end, swing| pick(pick(end, swing.low), swing.high))
    };
    let (low, high) = (ends(f64::min, f64::INFINITY), ends(f64::max, f64::NEG_INFINITY));
    let heading = format!(
        "  What moves {} ({} at P10 to P90 of each factor alone)",
        label(interval.path),
        interval.unit
    );
    let bar = |swing: &flopcast_study::uncertainty::Swing| {
        let at = |value: f64| {
            (20.0 * (value - low) / (high - low).max(f64::MIN_POSITIVE)).round() as usize
        };
        let (from, to) = (at(swing.low.min(swing.high)), at(swing.low.max(swing.high)));
        let bar: String =
            (0..=20).map(|i| if (from..=to).contains(&i) { '█' } else { '·' }).collect();
        let factor = cut(&swing.factor, 28);
        format!("  {factor:<28} {bar} {} .. {}", short(swing.low), short(swing.high))
    };
    std::iter::once(heading).chain(interval.swings.iter().take(8).map(bar)).collect()
}

/// Every input with its basis: in brief on a terminal, with its source elsewhere.
fn inputs(report: &Report, doc: &mut Doc) {
    let mut grid = Grid::new([
        Column::words("input").headed("").at_most(31),
        Column::quantities("value").headed(""),
        Column::words("basis").headed(""),
    ])
    .flush();
    let mut assumed = false;
    let leaves =
        |step: &&std::sync::Arc<Step>| !matches!(step.how, How::Leaf(Basis::Derived { .. }));
    for step in report.inputs.iter().filter(leaves) {
        let (mark, brief) = basis(step);
        assumed |= mark == '*';
        let name = step.name.as_deref().unwrap_or_default();
        let full = match &step.how {
            How::Leaf(basis) => basis.to_string(),
            _ => brief.clone(),
        };
        grid.push([
            Cell::Said { brief: format!("{mark} {}", cut(name, 29)), text: name.to_owned() },
            Cell::shown(step.value, step.shown()),
            Cell::Said { brief, text: full },
        ]);
    }
    doc.section("Inputs", grid);
    if assumed {
        let says = "* assumed: nobody said; `flopcast explain` tells why";
        doc.push(Block::Legend(says.to_owned()));
    }
    let model = report.model_assumptions.iter();
    doc.push_some(Block::Facts(model.map(|it| ("model".to_owned(), it.clone())).collect()));
}

/// The mark of an assumed input and the short word for its basis.
fn basis(step: &Step) -> (char, String) {
    match &step.how {
        How::Leaf(Basis::Given { place, .. }) => {
            let line = place.rsplit(':').next().unwrap_or_default();
            (' ', format!("given, line {line}"))
        }
        How::Leaf(Basis::Catalog { date: Some(date), .. }) => (' ', format!("catalog, {date}")),
        How::Leaf(Basis::Catalog { .. }) => (' ', "catalog".to_owned()),
        How::Leaf(Basis::Assumed { .. }) => ('*', "assumed".to_owned()),
        _ => (' ', "derived".to_owned()),
    }
}
