//! The forecast as Markdown tables.

use std::fmt::Write as _;

use flopcast_core::estimate::{Figure, Section};
use flopcast_core::provenance::{How, Step};

use super::table::by_year;
use super::{Report, answer, ledger};

/// The report as Markdown.
pub fn estimate(report: &Report) -> String {
    let mut out = format!("# {}\n", report.name);
    let answer = answer::sentences(report);
    if !answer.is_empty() {
        let _ = writeln!(out, "\n{answer}");
    }
    for (section, figures) in report.sections() {
        let title = section.title();
        let _ = writeln!(out, "\n## {title}\n\n| figure | value |\n|---|---:|");
        for figure in figures {
            let _ = writeln!(out, "| {} | {} |", figure.label().trim(), figure.shown());
        }
    }
    years(&report.years(), &mut out);
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

/// A row per figure, a column per year.
fn years(years: &[(u32, Vec<&Figure>)], out: &mut String) {
    if years.is_empty() {
        return;
    }
    let heads: Vec<_> = years.iter().map(|(year, _)| format!("year {year}")).collect();
    let rules = "---:|".repeat(years.len());
    let title = Section::Years.title();
    let _ = writeln!(out, "\n## {title}\n\n| figure | {} |\n|---|{rules}", heads.join(" | "));
    for (label, cells) in by_year(years) {
        let _ = writeln!(out, "| {} | {} |", label.trim(), cells.join(" | "));
    }
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
