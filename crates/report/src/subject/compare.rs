//! Two forecasts side by side.

use flopcast_study::compare::{Comparison, InputChange, Line, Side};
use flopcast_study::snapshot::Stated;
use serde_json::{Value, json};

use crate::doc::{Block, Cell, Column, Doc, Grid, Subject};

/// A relative change with its sign.
pub(super) fn percent(share: f64) -> String {
    format!("{:+.1} %", 100.0 * share)
}

/// One side of a comparison as a cell.
fn told(value: Side) -> Cell {
    match value {
        Side::Absent => Cell::Blank,
        Side::Unknown => Cell::Unknown,
        Side::Value(value) => Cell::short(value),
    }
}

/// The figures that differ, without those of single years; a stage that only one side has is one
/// line.
pub(super) fn lines(it: &Comparison) -> Grid {
    let words = ["", "figure"].map(Column::words);
    let numbers = ["before", "after", "change", ""].map(Column::numbers);
    let mut grid = Grid::new(words.into_iter().chain(numbers));
    let mut folded = Vec::new();
    for line in it.lines.iter().filter(|line| !line.is_of_a_year()) {
        let stage = line.stage();
        let mark = Cell::text(line.mark().to_string());
        match it.one_sided(stage) {
            Some(_) if folded.contains(&stage) => {}
            Some(count) => {
                folded.push(stage);
                let what = Cell::text(format!("{stage}: {count} figures"));
                grid.push([mark, what, Cell::Blank, Cell::Blank, Cell::Blank, Cell::Blank]);
            }
            None => grid.push([
                mark,
                Cell::text(&line.path),
                told(line.before),
                told(line.after),
                Cell::maybe(line.difference(), Cell::signed),
                Cell::maybe(line.relative(), |share| Cell::shown(share, percent(share))),
            ]),
        }
    }
    grid
}

/// The inputs that both sides have and that differ, each with what it does alone.
pub(super) fn inputs(it: &Comparison) -> Grid {
    let words = ["", "input", "before", "after"].map(Column::words);
    let keys = it.aims.iter().map(|aim| Column::numbers(&aim.key));
    let mut grid = Grid::new(words.into_iter().chain(keys));
    for change in &it.inputs {
        let (Some(old), Some(new)) = (&change.before, &change.after) else { continue };
        let cells = ["~", &new.name, &old.shown, &new.shown].map(Cell::from);
        let effects =
            it.aims.iter().enumerate().map(|(aim, _)| {
                Cell::maybe(change.effects.get(aim).copied().flatten(), Cell::signed)
            });
        grid.push(cells.into_iter().chain(effects));
    }
    if it.totals.iter().any(Option::is_some) {
        let totals = it.totals.iter().map(|total| Cell::maybe(*total, Cell::signed));
        let cells = ["", "all together", "", ""].map(Cell::from);
        grid.push(cells.into_iter().chain(totals));
    }
    grid
}

/// The remark on how the effect of an input is to be read.
const ALONE: &str = "The effect of an input is what the figure would lack without this one change; \
                     effects of inputs that multiply do not add up to the whole.";

/// Notes on omissions of the tables, and on their reading.
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

/// The document of a comparison: names, figures, inputs, notes.
fn document(it: &Comparison) -> Doc {
    let [before, after] = &it.names;
    let mut doc = Doc::default();
    let names = [("before", before), ("after", after)];
    let names = names.map(|(side, name)| (side.to_owned(), name.clone()));
    doc.push(Block::Facts(names.into()));
    if it.lines.is_empty() {
        doc.push(Block::Text(format!("All {} figures are the same.", it.same)));
        return doc;
    }
    doc.push(Block::Grid(lines(it)));
    doc.push(Block::List(vec![format!("{} figures are the same", it.same)]));
    doc.section("Inputs that differ", inputs(it));
    doc.push_some(Block::List(notes(it)));
    doc
}

/// One row per figure that differs.
fn rows(all: &[Comparison]) -> Grid {
    let words = ["scenario", "mark", "figure"].map(Column::words);
    let numbers = ["before", "after", "difference"].map(Column::numbers);
    let mut grid = Grid::new(words.into_iter().chain(numbers));
    for it in all {
        for line in &it.lines {
            let mark = line.mark().to_string();
            let words = [&it.names[1], &mark, &line.path].map(|text| Cell::text(text.as_str()));
            let values = [line.before.value(), line.after.value(), line.difference()];
            grid.push(words.into_iter().chain(values.map(Cell::from)));
        }
    }
    grid
}

/// Comparisons with the same first side.
impl Subject for Vec<Comparison> {
    fn doc(&self) -> Doc {
        Doc { rows: Some(rows(self)), ..Doc::joined(self.iter().map(document)) }
    }

    /// `flopcast.compare/1`.
    fn json(&self) -> Option<Value> {
        let base = self.first().map(|it| it.names[0].as_str());
        let others: Vec<_> = self.iter().map(other).collect();
        Some(json!({"schema": "flopcast.compare/1", "before": base, "comparisons": others}))
    }
}

/// The JSON of one comparison: the other side's name, the figures that differ, the inputs.
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

/// The JSON of a figure that differs.
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
