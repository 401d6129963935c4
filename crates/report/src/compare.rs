//! Two forecasts side by side, as table, Markdown, JSON and CSV.

use std::fmt::Write as _;

use flopcast_core::quantity::text::{count, number};
use flopcast_study::compare::{Comparison, InputChange, Line, Side};
use flopcast_study::snapshot::Stated;
use serde_json::{Value, json};

use super::grid::Grid;
use super::tree::wrap;

/// A figure as short as a column wants it.
pub(super) fn short(value: f64) -> String {
    if (1e6..1e15).contains(&value.abs()) { count(value) } else { number(value) }
}

/// A change with its sign.
pub(super) fn signed(value: f64) -> String {
    if value > 0.0 { format!("+{}", short(value)) } else { short(value) }
}

/// A relative change with its sign.
pub(super) fn percent(share: f64) -> String {
    format!("{:+.1} %", 100.0 * share)
}

fn told(value: Side) -> String {
    match value {
        Side::Absent => String::new(),
        Side::Unknown => "unknown".to_owned(),
        Side::Value(value) => short(value),
    }
}

/// The figures that differ, without those of single years; a stage that only one side has is one
/// line.
pub(super) fn lines(it: &Comparison) -> Grid {
    let mut grid = Grid::new(2, ["", "figure", "before", "after", "change", ""]);
    let mut folded = Vec::new();
    for line in it.lines.iter().filter(|line| !line.is_of_a_year()) {
        let stage = line.stage();
        match it.one_sided(stage) {
            Some(_) if folded.contains(&stage) => {}
            Some(count) => {
                folded.push(stage);
                let what = format!("{stage}: {count} figures");
                grid.push([line.mark().to_string().as_str(), &what, "", "", "", ""]);
            }
            None => grid.push([
                line.mark().to_string(),
                line.path.clone(),
                told(line.before),
                told(line.after),
                line.difference().map(signed).unwrap_or_default(),
                line.relative().map(percent).unwrap_or_default(),
            ]),
        }
    }
    grid
}

/// The inputs that both sides have and that differ, each with what it does alone.
pub(super) fn inputs(it: &Comparison) -> Grid {
    let keys = it.aims.iter().map(|aim| aim.key.clone());
    let heading = ["", "input", "before", "after"].map(str::to_owned);
    let mut grid = Grid::new(4, heading.into_iter().chain(keys));
    for change in &it.inputs {
        let (Some(old), Some(new)) = (&change.before, &change.after) else { continue };
        let effects = it.aims.iter().enumerate().map(|(aim, _)| {
            change.effects.get(aim).copied().flatten().map(effect).unwrap_or_default()
        });
        let cells = ["~".to_owned(), new.name.clone(), old.shown.clone(), new.shown.clone()];
        grid.push(cells.into_iter().chain(effects));
    }
    if it.totals.iter().any(Option::is_some) {
        let totals = it.totals.iter().map(|total| total.map(effect).unwrap_or_default());
        let cells = ["", "all together", "", ""].map(str::to_owned);
        grid.push(cells.into_iter().chain(totals));
    }
    grid
}

fn effect(value: f64) -> String {
    if value == 0.0 { "0".to_owned() } else { signed(value) }
}

const ALONE: &str = "The effect of an input is what the figure would lack without this one change; \
                     effects of inputs that multiply do not add up to the whole.";

/// The comparison as aligned text.
pub fn table(it: &Comparison) -> String {
    let [before, after] = &it.names;
    let mut out = format!("before: {before}\nafter:  {after}\n");
    if it.lines.is_empty() {
        let _ = writeln!(out, "\nall {} figures are the same", it.same);
        return out;
    }
    let _ = write!(out, "\n{}", lines(it).text());
    let _ = writeln!(out, "  {} figures are the same", it.same);
    let inputs = inputs(it);
    if !inputs.is_empty() {
        let _ = write!(out, "\nInputs that differ\n{}", inputs.text());
    }
    for note in notes(it) {
        let _ = writeln!(out, "  {}", wrap(&note, 76).join("\n  "));
    }
    out
}

/// What the tables leave out, and how to read them.
pub(super) fn notes(it: &Comparison) -> Vec<String> {
    let mut notes = Vec::new();
    let one_sided = |came: bool| {
        let one = |change: &&InputChange| change.before.is_none() == came;
        let both = |change: &&InputChange| change.before.is_none() != change.after.is_none();
        it.inputs.iter().filter(both).filter(one).count()
    };
    let (came, went) = (one_sided(true), one_sided(false));
    if came + went > 0 {
        notes.push(format!("{came} inputs came and {went} went; --format json has them"));
    }
    if it.inputs.iter().any(|change| !change.effects.is_empty()) && !it.aims.is_empty() {
        notes.push(ALONE.to_owned());
    }
    notes
}

/// The comparison as Markdown.
pub fn markdown(it: &Comparison) -> String {
    let [before, after] = &it.names;
    let mut out = format!("# {after} against {before}\n\n");
    if it.lines.is_empty() {
        let _ = writeln!(out, "All {} figures are the same.", it.same);
        return out;
    }
    let _ = writeln!(out, "{}\n{} figures are the same.", lines(it).markdown(), it.same);
    let inputs = inputs(it);
    if !inputs.is_empty() {
        let _ = write!(out, "\n## Inputs that differ\n\n{}", inputs.markdown());
    }
    for note in notes(it) {
        let _ = writeln!(out, "\n{note}");
    }
    out
}

/// Several comparisons with the same first side as `flopcast.compare/1`.
pub fn json(all: &[Comparison]) -> Value {
    let base = all.first().map(|it| it.names[0].as_str());
    let others: Vec<_> = all.iter().map(other).collect();
    json!({"schema": "flopcast.compare/1", "before": base, "comparisons": others})
}

fn other(it: &Comparison) -> Value {
    let lines: Vec<_> = it.lines.iter().map(line).collect();
    let effects = |change: &InputChange| {
        let keys = it.aims.iter().map(|aim| aim.key.clone());
        let values = change.effects.iter().map(|value| json!(value));
        Value::Object(keys.zip(values).collect())
    };
    let side = |side: &Option<Stated>| {
        side.as_ref().map(|it| {
            json!({"name": it.name, "value": it.value, "unit": it.unit, "shown": it.shown,
                   "basis": it.basis})
        })
    };
    let inputs: Vec<_> = it
        .inputs
        .iter()
        .map(|change| {
            json!({"before": side(&change.before), "after": side(&change.after),
                   "effects": effects(change)})
        })
        .collect();
    json!({"after": it.names[1], "lines": lines, "same": it.same, "inputs": inputs})
}

fn line(line: &Line) -> Value {
    let mut value = json!({
        "mark": line.mark().to_string(),
        "figure": line.path,
        "difference": line.difference(),
        "relative": line.relative(),
    });
    // Absent is no key, unknown is null.
    for (key, side) in [("before", line.before), ("after", line.after)] {
        if side != Side::Absent {
            value[key] = json!(side.value());
        }
    }
    value
}

/// One row per figure that differs.
pub fn csv(all: &[Comparison]) -> String {
    let mut out = csv::Writer::from_writer(Vec::new());
    // Writing into memory does not fail.
    let _ = out.write_record(["scenario", "mark", "figure", "before", "after", "difference"]);
    let cell = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
    for it in all {
        for line in &it.lines {
            let _ = out.write_record([
                it.names[1].clone(),
                line.mark().to_string(),
                line.path.clone(),
                cell(line.before.value()),
                cell(line.after.value()),
                cell(line.difference()),
            ]);
        }
    }
    out.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
