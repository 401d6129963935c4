//! The first screen of a forecast: the answer, the figures that people ask for first, the assumed
//! inputs that the answer leans on, and how to see the rest. It fits a terminal of 24 lines.

use std::sync::Arc;

use flopcast_core::estimate::{Figure, Id, Key, Mark};
use flopcast_core::provenance::{Basis, Expr, Step};
use flopcast_study::leaning::Leaning;

use super::estimate::cell;
use crate::doc::{Block, Cell, Column, Doc, Grid};
use crate::render::terminal;
use crate::text::cut;
use crate::{Report, answer};

/// The percentile at which a figure that has percentiles is shown: that of most promises.
const PROMISED: &str = "p95";

/// The inputs that are named.
const LEANINGS: usize = 2;

/// The letters of a warning: a line.
const WARNING: usize = 69;

/// The first screen of a forecast.
pub(super) fn document(report: &Report) -> Doc {
    let figures = [Block::Grid(figures(report, |_| true)), Block::Text(leanings(report))];
    around(report, figures.into_iter().chain(report.parts.iter().cloned()))
}

/// The first screen of a fleet: its latencies by percentile in place of one percentile of each.
pub(super) fn of_fleet(report: &Report, title: String, latencies: Grid) -> Doc {
    let others = figures(report, |figure| figure.key.member.is_empty());
    around(report, [Block::Caption(title), Block::Grid(latencies), Block::Grid(others)])
}

/// The answer, blocks below it, the gravest warnings and the way to the rest.
fn around(report: &Report, blocks: impl IntoIterator<Item = Block>) -> Doc {
    let mut doc = Doc::titled(&report.name);
    doc.push_some(Block::Text(answer::sentences(report)));
    for block in blocks {
        doc.push_some(block);
    }
    let warnings = gravest(report).map(|it| format!("warning: {}", cut(it, WARNING)));
    doc.push(Block::Lines(warnings.chain([rest(report)]).collect()));
    doc
}

/// Lines of a terminal of 80 x 24 that a first screen may fill: one is the next prompt's.
const LINES: usize = 23;
/// Rows of a table on a first screen, at most and at least.
const ROWS: (usize, usize) = (12, 3);
/// The letters of a remark on a first screen: two lines.
const REMARK: usize = 150;

/// A document that is longer than a screen, with fewer rows of its tables and fewer remarks, pictures
/// left out; none of one that fits.
pub(super) fn shortened(doc: &Doc) -> Option<Doc> {
    let fits = |doc: &Doc| terminal::text(doc, terminal::WIDTH).lines().count() <= LINES;
    let shorter = || (ROWS.1..=ROWS.0).rev().map(|rows| with_rows(doc, rows));
    let first = || shorter().find(|it| fits(it)).unwrap_or_else(|| with_rows(doc, ROWS.1));
    (!fits(doc)).then(first)
}

/// A document with so many rows of each table, a third as many remarks of each list, and the way to the
/// rest.
fn with_rows(doc: &Doc, rows: usize) -> Doc {
    let (mut less, mut silent, mut unseen) = (0, 0, 0);
    let remarks = (rows / 3).max(1);
    let mut few = |all: &[String]| -> Vec<String> {
        silent += all.len().saturating_sub(remarks);
        all.iter().take(remarks).map(|it| cut(it, REMARK)).collect()
    };
    let mut blocks: Vec<Block> = Vec::new();
    for block in &doc.blocks {
        blocks.push(match block {
            Block::Grid(grid) => {
                less += grid.rows.len().saturating_sub(rows);
                let kept = grid.rows.iter().take(rows).cloned().collect();
                Block::Grid(Grid { rows: kept, ..grid.clone() })
            }
            Block::List(all) => Block::List(few(all)),
            Block::Warnings(all) => Block::Warnings(few(all)),
            Block::Facts(all) => {
                // Facts of a line each are the answer; of longer ones some will do.
                let brief = all.iter().all(|(name, it)| name.len() + it.len() < REMARK / 2);
                let most = if brief { ROWS.0 } else { remarks };
                less += all.len().saturating_sub(most);
                let kept = all.iter().take(most);
                Block::Facts(kept.map(|(name, it)| (name.clone(), cut(it, REMARK))).collect())
            }
            Block::Picture { .. } => {
                unseen += 1;
                continue;
            }
            other => other.clone(),
        });
    }
    let more = [(less, "row"), (silent, "remark"), (unseen, "picture")];
    let more = more.iter().filter(|(count, _)| *count > 0).map(|(count, what)| {
        let plural = if *count == 1 { "" } else { "s" };
        format!("{count} {what}{plural}")
    });
    let more: Vec<String> = more.collect();
    let rest = if more.is_empty() { "long remarks".to_owned() } else { more.join(", ") };
    blocks.push(Block::Text(format!("--full: {rest} more")));
    Doc { blocks, ..doc.clone() }
}

/// The percentiles of a figure that has a range.
const PERCENTILES: [u32; 3] = [50, 80, 90];

/// The figures that are wanted, each with its percentiles where it has a range.
fn figures(report: &Report, wanted: impl Fn(&Figure) -> bool) -> Grid {
    let ranged = !report.intervals.is_empty();
    let value = Column::quantities("value");
    let mut columns =
        vec![Column::words("figure").headed(""), value.headed(if ranged { "central" } else { "" })];
    if ranged {
        columns.extend(PERCENTILES.map(|it| Column::numbers(format!("P{it}"))));
    }
    let mut grid = Grid::new(columns);
    for figure in report.figures.iter().filter(|it| is_shown(report, it) && wanted(it)) {
        let [number, unit] = figure.short();
        let mut row = vec![Cell::text(name(figure)), cell(figure, number, unit)];
        if ranged {
            row.extend(PERCENTILES.map(|it| percentile(report, figure, it)));
        }
        grid.push(row);
    }
    grid
}

/// The name of a figure, with its percentile where it has several.
fn name(figure: &Figure) -> String {
    let name = figure.declared().name;
    if figure.key.member.is_empty() { name.to_owned() } else { format!("{name}, P95") }
}

/// True for a figure of the first screen. Simulated latencies take the place of the closed form's
/// means, and a figure that does not apply takes none.
fn is_shown(report: &Report, figure: &Figure) -> bool {
    let key = &figure.key;
    let simulated = report.figures.iter().any(|other| other.key.id == Id::TtftAt);
    let mean = matches!(key.id, Id::Ttft | Id::Tpot);
    let place = Key::from(key.id).place == key.place;
    let member = key.member.is_empty() || key.member == PROMISED;
    let known = figure.value().is_some() || figure.unknown().is_some();
    key.is(Mark::First) && place && member && known && !(mean && simulated)
}

/// A percentile of a figure, in the unit in which the figure stands beside it.
fn percentile(report: &Report, figure: &Figure, percentile: u32) -> Cell {
    let range = answer::interval(report, figure.key.id);
    let value = range.and_then(|range| answer::along(figure, range, percentile));
    value.map_or(Cell::Blank, Cell::short)
}

/// A sentence about the assumed inputs that move the answer most; empty where none does.
fn leanings(report: &Report) -> String {
    let Some(leanings) = &report.leanings else { return String::new() };
    if let (false, Some(first)) = (report.intervals.is_empty(), leanings.inputs.first()) {
        // Percentiles take the room of the second.
        let name = first.input.name.as_deref().unwrap_or_default();
        let change = 100.0 * first.change;
        return format!(
            "Felt most, assumed: {name} {} (+10 %: {change:+.1} %).",
            first.input.shown()
        );
    }
    let named: Vec<String> = leanings.inputs.iter().take(LEANINGS).map(leaning).collect();
    if named.is_empty() {
        return String::new();
    }
    let figure = leanings.figure.declared().name;
    format!("Assumed, and felt most (a tenth more changes {figure}): {}.", named.join("; "))
}

/// An assumed input with its value, and what a tenth more of it does.
fn leaning(leaning: &Leaning) -> String {
    let name = leaning.input.name.as_deref().unwrap_or_default();
    format!("{name} {} ({:+.1} %)", leaning.input.shown(), 100.0 * leaning.change)
}

/// The warnings that are read first: what doubts the answer, and why a figure of the screen is
/// unknown.
fn gravest(report: &Report) -> impl Iterator<Item = &String> {
    let shown = report.figures.iter().filter(|figure| is_shown(report, figure));
    let mut causes = shown.filter_map(|figure| Some(&figure.unknown()?.why));
    let said =
        |why: &String| report.warnings.iter().find(|warning| warning.ends_with(why.as_str()));
    let cause = causes.find_map(said);
    let first = report.warnings.first().filter(|first| cause != Some(first));
    let is_cause = |warning: &&String| warning.contains(" unknown: ");
    first.filter(|it| cause.is_none() || !is_cause(it)).into_iter().chain(cause)
}

/// The way to the rest.
fn rest(report: &Report) -> String {
    let assumed = report.assumptions().count();
    let inputs = report.inputs.len() + report.choices.len();
    let warnings = match report.warnings.len() {
        0 | 1 => String::new(),
        many => format!("{many} warnings, "),
    };
    let locked = |step: &&Arc<Step>| matches!(step.how, Expr::Leaf(Basis::Locked { .. }));
    let lock = match report.inputs.iter().filter(locked).count() {
        0 => String::new(),
        some => format!(", {some} by the lock"),
    };
    format!(
        "--full: {warnings}all figures, costs by row, {inputs} inputs ({assumed} assumed{lock})"
    )
}
