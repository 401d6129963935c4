//! A forecast as an interactive page shows it: every text made here, so that the page has no number
//! format and no rule of its own; figures named by the path under which they can be explained.

use std::sync::Arc;

use flopcast_core::estimate::{Figure, Id, Key};
use flopcast_core::provenance::{Basis, Expr, Step};
use flopcast_core::quantity::text::count;
use flopcast_study::uncertainty::Interval;
use serde_json::{Map, Value, json};

use crate::doc::{Cell, Grid, Kind};
use crate::html::pictures;
use crate::statement::{self, ghg};
use crate::subject::estimate;
use crate::{Report, answer, carbon, ledger};

/// The forecast: its answer, tiles, figures by section, pictures, warnings and, where they are wanted,
/// its tables. Of the figures of the paths in `explained` it holds the derivations.
pub fn view(report: &Report, explained: &[String], tables: bool) -> Value {
    let tiles = answer::tiles(report).into_iter().map(|tile| {
        let [number, unit] = tile.value;
        json!({"path": tile.path, "name": tile.name, "number": number, "unit": unit, "note": tile.note})
    });
    let sections = report.sections().map(|(section, figures)| {
        let facts = report.facts_of(section).map(|it| json!([it.declared.label, it.shown()]));
        json!({
            "title": section.title(),
            "rows": figures.iter().map(|it| row(report, it)).collect::<Vec<_>>(),
            "facts": facts.collect::<Vec<_>>(),
        })
    });
    let pictures = pictures::all(report)
        .into_iter()
        .map(|picture| json!({"title": picture.title, "below": picture.below, "svg": picture.svg}));
    let derivations = report.figures.iter().filter(|it| explained.contains(&it.path));
    json!({
        "name": report.name,
        "answer": answer::sentences(report),
        "sentence": statement::sentence(report),
        "dates": report.dates,
        "stands": report.fits && report.late_days.is_none(),
        "tiles": tiles.collect::<Vec<_>>(),
        "sections": sections.collect::<Vec<_>>(),
        "pictures": pictures.collect::<Vec<_>>(),
        "warnings": report.warnings,
        "tables": tables.then(|| self::tables(report)),
        "derivations": derivations.map(derived).collect::<Map<_, _>>(),
    })
}

/// The tables with their titles; empty ones are left out.
fn tables(report: &Report) -> Vec<Value> {
    let assumed = report.assumptions().map(|(name, value, why, source)| {
        let source = source.map_or_else(String::new, |source| format!(" ({source})"));
        vec![name.to_owned(), value, format!("{why}{source}")]
    });
    let model = report.model_assumptions.iter();
    let model = model.map(|why| vec!["model".to_owned(), String::new(), why.clone()]);
    let columns = |what| json!([[what, false], ["value", true], ["basis and source", false]]);
    let own = |what, rows: Vec<Vec<String>>| {
        (!rows.is_empty()).then(|| json!({"columns": columns(what), "rows": rows}))
    };
    [
        ("Ranges", grid(&estimate::ranges(report))),
        ("Years of service", grid(&estimate::years(&report.years()))),
        ("Ledger", grid(&ledger::grid(&report.ledger))),
        ("Energy and carbon by row", grid(&carbon::grid(report))),
        ("Emissions by scope", grid(&ghg::by_scope(report))),
        ("Assumptions", own("assumed", assumed.chain(model).collect())),
        ("Inputs", own("input", report.inputs.iter().filter_map(input).collect())),
    ]
    .into_iter()
    .filter_map(|(title, grid)| Some(json!({"title": title, "grid": grid?})))
    .collect()
}

/// A figure of a section, with its range where it has one.
fn row(report: &Report, figure: &Figure) -> Value {
    let label = figure.label();
    let [number, unit] = figure.short();
    json!({
        "path": figure.path,
        "label": label.trim_start(),
        "part": label.starts_with(' '),
        "number": number,
        "unit": unit,
        "value": figure.value(),
        "range": range(report, figure),
    })
}

/// `1.2M to 1.9M`, P10 to P90, of a figure that was sampled.
fn range(report: &Report, figure: &Figure) -> Option<String> {
    let sampled = |it: &&Interval| figure.path == it.path();
    let ends = |interval: &Interval| Some((answer::at(interval, 10)?, answer::at(interval, 90)?));
    let predicted = || {
        let figures = report.predicted.as_ref()?.figures.iter();
        let same = |(id, ..): &&(Id, f64, f64)| Key::from(*id).path() == figure.path;
        let (_, short, long) = figures.clone().find(same)?;
        Some((short.min(*long), short.max(*long)))
    };
    let (low, high) = match report.intervals.iter().find(sampled) {
        Some(interval) => ends(interval)?,
        None => predicted()?,
    };
    // In the unit of the figure above it.
    let [_, unit] = figure.short();
    let unit = if figure.value().is_some() { &unit } else { figure.declared().short_unit };
    let [low, high] = [low, high].map(|end| count(figure.in_shown_unit(end)));
    Some(format!("{low} to {high} {unit}").trim_end().to_owned())
}

/// A table; none where it has no rows.
fn grid(grid: &Grid) -> Option<Value> {
    let number = |kind: Kind| matches!(kind, Kind::Numbers | Kind::Quantities);
    let columns = grid.columns.iter().map(|it| json!([it.heading, number(it.kind)]));
    let rows = grid.rows.iter().map(|row| row.iter().map(Cell::people).collect());
    let rows: Vec<Vec<String>> = rows.collect();
    (!rows.is_empty()).then(|| json!({"columns": columns.collect::<Vec<_>>(), "rows": rows}))
}

/// An input that somebody or something gave, with its basis.
fn input(step: &Arc<Step>) -> Option<Vec<String>> {
    match &step.how {
        Expr::Leaf(Basis::Derived { .. }) => None,
        Expr::Leaf(basis) => Some(vec![step.name.clone()?, step.shown(), basis.to_string()]),
        _ => None,
    }
}

/// The path of a figure and its derivation, or why it has none.
fn derived(figure: &Figure) -> (String, Value) {
    let tree = match (figure.step(), figure.unknown()) {
        (Some(step), _) => tree(step, &mut Vec::new()),
        (None, unknown) => {
            let how = unknown.map_or("", |unknown| unknown.why.as_str());
            json!({"name": figure.path, "shown": figure.shown(), "how": how, "steps": []})
        }
    };
    (figure.path.clone(), tree)
}

/// A step and those that it rests on; one that was told before is named again without them.
fn tree(step: &Arc<Step>, told: &mut Vec<String>) -> Value {
    let again = step.name.as_ref().is_some_and(|name| told.contains(name));
    told.extend(step.name.clone());
    let steps = if again { Vec::new() } else { step.inputs() };
    let steps: Vec<Value> = steps.into_iter().map(|below| tree(below, told)).collect();
    let how = step.formula();
    json!({
        "name": step.name.as_deref().unwrap_or(&how),
        "shown": step.shown(),
        "how": how,
        "again": again && !step.inputs().is_empty(),
        "steps": steps,
    })
}
