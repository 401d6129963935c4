//! The forecast as Markdown tables.

use std::fmt::Write as _;

use flopcast_core::provenance::{How, Step};

use super::table::SECTIONS;
use super::{Report, answer, ledger};

/// The report as Markdown.
pub fn estimate(report: &Report) -> String {
    let mut out = format!("# {}\n", report.name);
    let answer = answer::sentences(report);
    if !answer.is_empty() {
        let _ = writeln!(out, "\n{answer}");
    }
    for (title, rows) in SECTIONS {
        let rows: Vec<_> = rows
            .iter()
            .filter_map(|(path, label)| report.figure(path).map(|figure| (label.trim(), figure)))
            .collect();
        if !rows.is_empty() {
            let _ = writeln!(out, "\n## {title}\n\n| figure | value |\n|---|---:|");
            for (label, figure) in rows {
                let _ = writeln!(out, "| {label} | {} |", figure.shown);
            }
        }
    }
    ledger::markdown(&report.ledger, &mut out);
    let _ = writeln!(out, "\n## Inputs\n\n| input | value | basis |\n|---|---:|---|");
    for step in &report.inputs {
        let name = step.name.as_deref().unwrap_or_default();
        let _ = writeln!(out, "| {name} | {} | {} |", step.shown(), cell(&basis(step)));
    }
    if !report.warnings.is_empty() {
        let _ = writeln!(out, "\n## Warnings\n");
        for warning in &report.warnings {
            let _ = writeln!(out, "- {warning}");
        }
    }
    out
}

fn basis(step: &Step) -> String {
    match &step.how {
        How::Leaf(basis) => basis.to_string(),
        _ => "derived".to_owned(),
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
