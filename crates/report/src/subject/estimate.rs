//! The forecast of a scenario: the answer, the figures by section, money and carbon by row, ranges,
//! inputs.

use flopcast_core::estimate::plan::UsualSpread;
use flopcast_core::estimate::{Figure, Id, Section};
use flopcast_core::provenance::{Basis, Expr, Step};
use flopcast_core::quantity::text::shown_parts;
use flopcast_study::uncertainty::Interval;
use serde_json::Value;

use super::first_screen;
use crate::doc::{Block, Cell, Column, Doc, Grid, Subject, short};
use crate::statement::ghg;
use crate::text::cut;
use crate::{Report, answer, carbon, currency, html, json, ledger, text};

/// Forecasts, one after the other.
impl Subject for Vec<Report> {
    fn doc(&self) -> Doc {
        Doc { rows: Some(rows(self)), ..Doc::joined(self.iter().map(document)) }
    }

    fn first_screen(&self) -> Option<Doc> {
        Some(Doc::joined(self.iter().map(first_screen::document)))
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

/// The figures and the rows of the ledger as records: scenario, path, and the value, which may be
/// unknown or never reached.
pub(crate) fn rows(reports: &[Report]) -> Grid {
    let words = ["scenario", "figure"].map(Column::words);
    let mut grid = Grid::new(words.into_iter().chain([Column::numbers("value")]));
    for report in reports {
        let told = |value: Option<f64>, word: &str| value.map_or(Cell::text(word), Cell::number);
        let figures = report.figures.iter();
        let figures = figures.map(|it| (it.path.clone(), told(it.value(), &it.shown())));
        let ledger = report
            .ledger
            .iter()
            .map(|row| (format!("ledger.{}.amount_usd", row.path()), told(row.amount, "unknown")));
        for (path, value) in figures.chain(ledger) {
            grid.push([Cell::text(&report.name), Cell::text(path), value]);
        }
    }
    grid
}

/// The document of a forecast.
pub(crate) fn document(report: &Report) -> Doc {
    let mut doc = Doc::titled(&report.name);
    doc.push_some(Block::Text(answer::sentences(report)));
    doc.push_some(Block::Text(text::dates(&report.dates)));
    doc.blocks.extend(report.parts.iter().chain(&report.service).cloned());
    for (section, figures) in report.sections() {
        let columns = [Column::words("figure"), Column::quantities("value")];
        let mut grid = Grid::new(columns.map(|column| column.headed("")));
        for figure in figures {
            let [number, unit] = figure.short();
            grid.push([Cell::text(figure.label()), cell(figure, number, unit)]);
        }
        doc.section(section.title(), grid);
        doc.push_some(Block::Facts(facts(report, section)));
    }
    for (part, years) in report.years().chunks(BESIDE).enumerate() {
        let title = Section::Years.title();
        let on = if part == 0 { title.to_owned() } else { format!("{title}, going on") };
        doc.section(on, self::years(years));
    }
    doc.push_some(Block::Facts(facts(report, Section::Years)));
    doc.section("Ledger", ledger::grid(&report.ledger));
    doc.push_some(Block::List(ledger::commitments(&report.commitments)));
    if let Some(money) = &report.currency {
        doc.section(currency::title(money), currency::grid(report, money));
    }
    doc.section(
        "Energy and CO2e by row: location-based, and embodied (mid) apart",
        carbon::grid(report),
    );
    let by_scope = ghg::by_scope(report);
    if !by_scope.is_empty() {
        doc.section("Emissions by scope", by_scope);
        doc.push(Block::List(ghg::remarks(report)));
    }
    if let Some(widest) = report.widest() {
        doc.section("Ranges", ranges(report));
        doc.push(Block::Picture { lines: tornado(widest), svg: html::sensitivity(widest) });
        doc.push_some(Block::Facts(spreads(report)));
    }
    inputs(report, &mut doc);
    doc.push_some(Block::Warnings(report.warnings.clone()));
    doc
}

/// A figure's cell, with its number and unit as they are shown; one without a value is unknown, or never reached.
pub(crate) fn cell(figure: &Figure, shown: String, unit: String) -> Cell {
    match figure.value() {
        Some(value) if value.is_finite() => Cell::Number { value, shown, unit: unit.into() },
        Some(_) => Cell::Unknown,
        None if figure.unknown().is_some() => Cell::Unknown,
        None => Cell::text(shown),
    }
}

/// The facts of a section as label and text.
fn facts(report: &Report, section: Section) -> Vec<(String, String)> {
    let said = report.facts_of(section);
    said.map(|fact| (fact.declared.label.to_owned(), fact.shown())).collect()
}

/// The most years that stand side by side.
const BESIDE: usize = 3;

/// A row per figure of some years, a column per year.
pub(crate) fn years(years: &[(u32, Vec<&Figure>)]) -> Grid {
    let mut ids: Vec<Id> =
        years.iter().flat_map(|(_, all)| all.iter().map(|it| it.key.id)).collect();
    ids.sort_unstable();
    ids.dedup();
    let columns = years.iter().map(|(year, _)| Column::numbers(format!("year {year}")));
    let mut grid = Grid::new([Column::words("")].into_iter().chain(columns));
    for id in ids {
        let cells = years.iter().map(|(_, all)| {
            let figure = all.iter().find(|figure| figure.key.id == id);
            figure.map_or(Cell::Blank, |figure| {
                // What the label counts is no unit.
                let [number, unit] = figure.short();
                let said = unit == figure.declared().label();
                cell(figure, number, if said { String::new() } else { unit })
            })
        });
        grid.push([Cell::text(id.declared().label())].into_iter().chain(cells));
    }
    grid
}

/// The percentiles of a document; the JSON has all.
const SHOWN: [u32; 3] = [50, 80, 90];

/// The central values of the figures with their percentiles, in the units of the other tables.
pub(crate) fn ranges(report: &Report) -> Grid {
    let words = [Column::words("figure").at_most(30), Column::words("unit")];
    let numbers = SHOWN.map(|percentile| Column::numbers(format!("P{percentile}")));
    let central = std::iter::once(Column::numbers("central"));
    let mut grid = Grid::new(words.into_iter().chain(central).chain(numbers));
    for range in &report.intervals {
        let Some(figure) = report.figure(range.figure) else { continue };
        let [_, unit] = figure.short();
        let central = figure.value().map(|value| figure.in_shown_unit(value));
        let values = SHOWN.map(|percentile| answer::along(figure, range, percentile));
        let numbers = std::iter::once(central).chain(values);
        let words = [Cell::text(figure.declared().name), Cell::text(unit)];
        grid.push(words.into_iter().chain(numbers.map(|it| Cell::known(it, Cell::short))));
    }
    grid
}

/// The spreads of inputs that nobody gave as ranges, each with its reason.
pub(crate) fn spreads(report: &Report) -> Vec<(String, String)> {
    let told = |it: &UsualSpread| {
        let [low, high] = it.within;
        (format!("spread of {}", it.of), format!("x {low:.2} to {high:.2} (80 %): {}", it.why))
    };
    report.spreads.iter().map(told).collect()
}

/// Bars of what each factor alone does to a figure between its P10 and its P90, for a terminal.
fn tornado(interval: &Interval) -> Vec<String> {
    let ends = |pick: fn(f64, f64) -> f64, start: f64| {
        interval.swings.iter().fold(start, |end, swing| pick(pick(end, swing.low), swing.high))
    };
    let (low, high) = (ends(f64::min, f64::INFINITY), ends(f64::max, f64::NEG_INFINITY));
    let heading = format!(
        "  What moves {} ({} at P10 to P90 of each factor alone)",
        interval.figure.declared().name,
        interval.short_unit()
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
        |step: &&std::sync::Arc<Step>| !matches!(step.how, Expr::Leaf(Basis::Derived { .. }));
    for step in report.inputs.iter().filter(leaves) {
        let (mark, brief) = basis(step);
        assumed |= mark == '*';
        let name = step.name.as_deref().unwrap_or_default();
        let full = match &step.how {
            Expr::Leaf(basis) => basis.to_string(),
            _ => brief.clone(),
        };
        let [shown, unit] = shown_parts(step.value, step.dimension);
        grid.push([
            Cell::Said { brief: format!("{mark} {}", cut(name, 29)), text: name.to_owned() },
            Cell::Number { value: step.value, shown, unit: unit.into() },
            Cell::Said { brief, text: full },
        ]);
    }
    for choice in &report.choices {
        assumed = true;
        grid.push([
            Cell::Said {
                brief: format!("* {}", cut(choice.path, 29)),
                text: choice.path.to_owned(),
            },
            Cell::Text(cut(&choice.value, 24)),
            Cell::Said { brief: "assumed".to_owned(), text: format!("assumed: {}", choice.why) },
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
        Expr::Leaf(Basis::Given { place, .. }) => {
            let line = place.rsplit(':').next().unwrap_or_default();
            (' ', format!("given, line {line}"))
        }
        Expr::Leaf(Basis::Catalog { date: Some(date), .. }) => (' ', format!("catalog, {date}")),
        Expr::Leaf(Basis::Catalog { .. }) => (' ', "catalog".to_owned()),
        Expr::Leaf(Basis::Locked { .. }) => (' ', "by the lock".to_owned()),
        Expr::Leaf(Basis::Assumed { .. }) => ('*', "assumed".to_owned()),
        _ => (' ', "derived".to_owned()),
    }
}
