//! What became of a policy, as table, JSON, CSV and the Markdown comment of a pull request.

use std::fmt::Write as _;

use flopcast_core::estimate::{Id, Key};
use flopcast_study::compare::Comparison;
use flopcast_study::policy::{Findings, Level, Outcome, Verdict};
use serde_json::{Value, json};

use super::compare::{inputs, lines, notes, percent, short};
use super::grid::Grid;
use super::tree::wrap;

/// A scenario that was checked.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The scenario's name.
    pub name: String,
    /// What the policy says of it.
    pub findings: Findings,
    /// Against the baseline, where there is one.
    pub comparison: Option<Comparison>,
    /// Warnings of the forecast.
    pub warnings: Vec<String>,
}

/// The tag by which a comment is found again, to be replaced.
pub const TAG: &str = "<!-- flopcast:check -->";

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

fn grid(findings: &Findings) -> Grid {
    let mut grid = Grid::new(3, ["", "figure", "limit", "value", "before", "over"]);
    let cell = |value: Option<f64>| value.map(short).unwrap_or_default();
    for it in &findings.verdicts {
        let value = match it.outcome {
            Outcome::Unknown => "unknown".to_owned(),
            _ => it.value.map(|v| format!("{} {}", short(v), it.unit)).unwrap_or_default(),
        };
        let over = match it.outcome {
            Outcome::Broken(by) => Some(by),
            _ => None,
        };
        grid.push([
            word(it).to_owned(),
            it.figure.clone(),
            it.bound.clone(),
            value.trim_end().to_owned(),
            cell(it.baseline),
            cell(over),
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

/// Aligned text for a terminal.
pub fn table(all: &[Checked]) -> String {
    let mut out = String::new();
    for it in all {
        let _ = writeln!(out, "{}\n  {}", it.name, wrap(&sentence(it), 76).join("\n  "));
        let verdicts = grid(&it.findings);
        if !verdicts.is_empty() {
            let _ = write!(out, "\n{}", verdicts.text());
        }
        for why in reasons(it) {
            let _ = writeln!(out, "  {}", wrap(&why, 76).join("\n    "));
        }
        for name in &it.findings.assumed {
            let _ = writeln!(out, "  ASSUMED  {name}: the policy wants it given");
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// Why the limits are there that are spoken about.
fn reasons(it: &Checked) -> impl Iterator<Item = String> {
    let spoken = it.findings.verdicts.iter().filter(|verdict| verdict.speaks());
    spoken.filter_map(|verdict| Some(format!("{}: {}", verdict.figure, verdict.why.as_ref()?)))
}

/// The comment of a pull request.
pub fn markdown(all: &[Checked]) -> String {
    let mut out = format!("{TAG}\n");
    for it in all {
        let _ = writeln!(out, "**flopcast: {}** {}.\n", it.name, sentence(it));
        let verdicts = grid(&it.findings);
        if !verdicts.is_empty() {
            let _ = writeln!(out, "{}", verdicts.markdown());
        }
        for why in reasons(it) {
            let _ = writeln!(out, "- {why}");
        }
        for name in &it.findings.assumed {
            let _ = writeln!(out, "- assumed, and the policy wants it given: `{name}`");
        }
        if let Some(comparison) = it.comparison.as_ref().filter(|it| !it.lines.is_empty()) {
            let count = comparison.lines.len();
            let _ = write!(
                out,
                "\n<details><summary>{count} figures change</summary>\n\n{}\n",
                lines(comparison).markdown()
            );
            let inputs = inputs(comparison);
            if !inputs.is_empty() {
                let _ = write!(out, "\nInputs that differ:\n\n{}\n", inputs.markdown());
            }
            for note in notes(comparison) {
                let _ = writeln!(out, "{note}\n");
            }
            let _ = writeln!(out, "</details>");
        }
        if !it.warnings.is_empty() {
            let count = it.warnings.len();
            let _ = writeln!(out, "\n<details><summary>{count} warnings</summary>\n");
            for warning in &it.warnings {
                let _ = writeln!(out, "- {warning}");
            }
            let _ = writeln!(out, "\n</details>");
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// `flopcast.check/1`.
pub fn json(all: &[Checked]) -> Value {
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
            "scenario": it.name, "fails": it.findings.fails(),
            "verdicts": it.findings.verdicts.iter().map(verdict).collect::<Vec<_>>(),
            "assumed": it.findings.assumed,
        })
    };
    json!({
        "schema": "flopcast.check/1",
        "fails": all.iter().any(|it| it.findings.fails()),
        "scenarios": all.iter().map(scenario).collect::<Vec<_>>(),
    })
}

/// One row per bound.
pub fn csv(all: &[Checked]) -> String {
    let mut out = csv::Writer::from_writer(Vec::new());
    // Writing into memory does not fail.
    let _ = out.write_record(["scenario", "outcome", "figure", "limit", "value", "before"]);
    let cell = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
    for it in all {
        for verdict in &it.findings.verdicts {
            let _ = out.write_record([
                it.name.clone(),
                word(verdict).to_lowercase(),
                verdict.figure.clone(),
                verdict.bound.clone(),
                cell(verdict.value),
                cell(verdict.baseline),
            ]);
        }
    }
    out.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
