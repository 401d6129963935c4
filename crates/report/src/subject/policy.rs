//! The verdicts of a policy: a table for a terminal, the comment of a pull request.

use flopcast_core::estimate::{Id, Key};
use flopcast_study::compare::Comparison;
use flopcast_study::policy::{Findings, Level, Outcome, Verdict};
use serde_json::{Value, json};

use super::compare::{inputs, lines, notes, percent};
use crate::doc::{Block, Cell, Column, Doc, Grid, Subject, short};

/// A scenario that was checked.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The scenario's name.
    pub name: String,
    /// The findings of the policy.
    pub findings: Findings,
    /// Rows that the lock alone has.
    pub given_by_lock: Vec<String>,
    /// The figures whose limits hold by these rows only.
    pub kept_by_lock: Vec<String>,
    /// Against the baseline, where there is one.
    pub comparison: Option<Comparison>,
    /// Warnings of the forecast.
    pub warnings: Vec<String>,
}

impl Checked {
    /// True if the check fails.
    pub fn fails(&self) -> bool {
        self.findings.fails() || !self.kept_by_lock.is_empty()
    }
}

/// The tag by which a comment is found again, to be replaced.
pub const TAG: &str = "<!-- flopcast:check -->";

/// The verdict in a word: kept, broken, warned, waived, unknown.
fn word(verdict: &Verdict) -> &'static str {
    match (verdict.outcome, verdict.level) {
        (Outcome::Kept, _) => "kept",
        (Outcome::Broken(_), Level::Fail) => "BROKEN",
        (Outcome::Broken(_), Level::Warn) => "warning",
        (Outcome::Unknown, Level::Fail) => "UNKNOWN",
        (Outcome::Unknown, Level::Warn) => "unknown",
        (Outcome::NoBaseline, _) => "no baseline",
        (Outcome::NotComputed, _) => "not computed",
    }
}

/// The bounds that were checked, with the figure's value before and now.
fn grid(findings: &Findings) -> Grid {
    let words = ["", "figure", "limit"].map(Column::words);
    let numbers = ["value", "before", "over"].map(Column::numbers);
    let mut grid = Grid::new(words.into_iter().chain(numbers));
    for it in &findings.verdicts {
        let value = match (it.outcome, it.value) {
            (Outcome::Unknown, _) => Cell::Unknown,
            (_, Some(value)) => {
                Cell::shown(value, format!("{} {}", short(value), it.unit).trim_end())
            }
            (_, None) => Cell::Blank,
        };
        let over = match it.outcome {
            Outcome::Broken(by) => Some(by),
            _ => None,
        };
        grid.push([
            word(it).into(),
            Cell::text(&it.figure),
            Cell::text(&it.bound),
            value,
            Cell::maybe(it.baseline, Cell::short),
            Cell::maybe(over, Cell::short),
        ]);
    }
    grid
}

/// One sentence: whether it passes, and what changes.
fn sentence(it: &Checked) -> String {
    let broken = it.findings.verdicts.iter().filter(|v| v.fails()).count();
    let warned = it.findings.verdicts.iter().filter(|v| v.speaks() && !v.fails()).count();
    let limits = it.findings.verdicts.len();
    let mut parts = Vec::new();
    match (broken, it.findings.assumed.len()) {
        (0, assumed) if limits == 0 && assumed > 0 => {}
        (0, _) if !it.kept_by_lock.is_empty() => {
            let kept = counted(it.kept_by_lock.len(), "limit");
            parts.push(format!("keeps {kept} only by rows that are given by the lock"));
        }
        (0, _) => parts.push(format!("passes {}", counted(limits, "limit"))),
        _ => parts.push(format!("breaks {broken} of {}", counted(limits, "limit"))),
    }
    if warned > 0 {
        parts.push(counted(warned, "warning"));
    }
    match it.findings.assumed.len() {
        0 => {}
        1 => parts.push("assumes 1 input that the policy wants given".to_owned()),
        many => parts.push(format!("assumes {many} inputs that the policy wants given")),
    }
    let changes = it.comparison.iter().flat_map(|comparison| &comparison.lines);
    for (figure, name) in [(Id::TotalCost, "cost"), (Id::TotalCo2e, "CO2e")] {
        let figure = Some(Key::from(figure));
        if let Some(line) = changes.clone().find(|line| line.figure == figure) {
            let change = line.relative().map_or("is known on one side only".to_owned(), percent);
            parts.push(format!("{name} {change}"));
        }
    }
    parts.join(", ")
}

/// `1 limit`, `2 limits`.
fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// Why the limits are there that are spoken about.
fn reasons(it: &Checked) -> impl Iterator<Item = String> {
    let spoken = it.findings.verdicts.iter().filter(|verdict| verdict.speaks());
    spoken.filter_map(|verdict| Some(format!("{}: {}", verdict.figure, verdict.why.as_ref()?)))
}

/// The rows that are the lock's alone, the first few by name.
fn lock_note(rows: &[String]) -> Option<String> {
    const NAMED: usize = 3;
    let named: Vec<&str> = rows.iter().take(NAMED).map(String::as_str).collect();
    let more = if rows.len() > NAMED { "; ..." } else { "" };
    (!rows.is_empty()).then(|| {
        let count = counted(rows.len(), "row");
        format!("{count} given by the lock, not by a catalog: {}{more}", named.join("; "))
    })
}

/// The document of one scenario: the sentence, the bounds, the reasons, the changes.
fn document(it: &Checked) -> Doc {
    let mut doc = Doc::default();
    // The verdict comes before any word of the scenario, which may read like one.
    doc.push(Block::Lead { name: "flopcast".to_owned(), text: sentence(it) + "." });
    doc.push(Block::Caption(it.name.clone()));
    doc.push_some(Block::Grid(grid(&it.findings)));
    let assumed = it.findings.assumed.iter();
    let assumed = assumed.map(|name| format!("ASSUMED, and the policy wants it given: {name}"));
    let kept = it.kept_by_lock.iter();
    let kept = kept.map(|name| format!("BROKEN without the lock: {name}"));
    let reasons = reasons(it).chain(assumed).chain(kept);
    doc.push_some(Block::List(reasons.chain(lock_note(&it.given_by_lock)).collect()));
    if let Some(comparison) = it.comparison.as_ref().filter(|it| !it.lines.is_empty()) {
        let mut changes = Doc::default();
        changes.push_some(Block::Grid(lines(comparison)));
        let inputs = inputs(comparison);
        if !inputs.is_empty() {
            let caption = Block::Caption("Inputs that differ:".to_owned());
            changes.blocks.extend([caption, Block::Grid(inputs)]);
        }
        changes.push_some(Block::List(notes(comparison)));
        let summary = format!("{} figures change", comparison.lines.len());
        doc.push_some(Block::Details { summary, blocks: changes.blocks });
    }
    if !it.warnings.is_empty() {
        let summary = format!("{} warnings", it.warnings.len());
        doc.push(Block::Details { summary, blocks: vec![Block::List(it.warnings.clone())] });
    }
    doc
}

/// One row per bound.
fn rows(all: &[Checked]) -> Grid {
    let words = ["scenario", "outcome", "figure", "limit"].map(Column::words);
    let numbers = ["value", "before"].map(Column::numbers);
    let mut grid = Grid::new(words.into_iter().chain(numbers));
    for it in all {
        for verdict in &it.findings.verdicts {
            let outcome = word(verdict).to_lowercase();
            let words = [&it.name, &outcome, &verdict.figure, &verdict.bound];
            let numbers = [verdict.value, verdict.baseline].map(Cell::from);
            grid.push(words.map(|text| Cell::text(text.as_str())).into_iter().chain(numbers));
        }
    }
    grid
}

/// Scenarios and what a policy says of them.
impl Subject for Vec<Checked> {
    fn doc(&self) -> Doc {
        let mut doc = Doc::joined(self.iter().map(document));
        doc.blocks.insert(0, Block::Tag(TAG));
        Doc { rows: Some(rows(self)), ..doc }
    }

    fn json(&self) -> Option<Value> {
        Some(value(self))
    }
}

/// `flopcast.check/1`.
fn value(all: &[Checked]) -> Value {
    let outcome = |verdict: &Verdict| match verdict.outcome {
        Outcome::Kept => "kept",
        Outcome::Broken(_) => "broken",
        Outcome::Unknown => "unknown",
        Outcome::NoBaseline => "no_baseline",
        Outcome::NotComputed => "not_computed",
    };
    let verdict = |it: &Verdict| {
        let over = match it.outcome {
            Outcome::Broken(by) => Some(by),
            _ => None,
        };
        json!({
            "figure": it.figure, "limit": it.bound, "value": it.value, "before": it.baseline,
            "over": over, "unit": it.unit, "outcome": outcome(it),
            "level": if it.level == Level::Fail { "fail" } else { "warn" }, "why": it.why,
        })
    };
    let scenario = |it: &Checked| {
        json!({
            "scenario": it.name, "fails": it.fails(),
            "verdicts": it.findings.verdicts.iter().map(verdict).collect::<Vec<_>>(),
            "assumed": it.findings.assumed,
            "given_by_lock": it.given_by_lock, "kept_by_lock": it.kept_by_lock,
        })
    };
    json!({
        "schema": "flopcast.check/1",
        "fails": all.iter().any(Checked::fails),
        "scenarios": all.iter().map(scenario).collect::<Vec<_>>(),
    })
}
