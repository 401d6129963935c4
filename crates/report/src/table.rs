//! The forecast for a terminal of 80 columns.

use std::fmt::Write as _;

use flopcast_core::estimate::{Figure, Id, Section};
use flopcast_core::provenance::{Basis, How, Step};
use flopcast_core::quantity::text::{count, number, shown_parts};
use flopcast_study::uncertainty::{Interval, PERCENTILES};
use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Padding, Style};

use super::tree::wrap;
use super::{Report, answer, carbon, currency, ledger};

/// The report as aligned text.
pub fn estimate(report: &Report) -> String {
    let mut out = format!("{}\n", report.name);
    let answer = answer::sentences(report);
    if !answer.is_empty() {
        let _ = writeln!(out, "\n{}", wrap(&answer, 78).join("\n"));
    }
    body(report, &mut out);
    out
}

/// Everything below the title.
pub(super) fn body(report: &Report, out: &mut String) {
    for (section, figures) in report.sections() {
        let mut builder = Builder::default();
        for figure in figures {
            let [number, unit] = figure.short();
            builder.push_record([format!("  {}", figure.label()), number, unit]);
        }
        titled(out, section.title(), builder, &[1]);
        facts(report, section, out);
    }
    years(report, out);
    ledger::table(&report.ledger, out);
    ledger::commitments(&report.commitments, out);
    currency::table(report, out);
    carbon::table(&report.footprint, out);
    ranges(report, out);
    inputs(report, out);
    for warning in &report.warnings {
        let lines = wrap(&format!("warning: {warning}"), 78);
        let _ = writeln!(out, "\n{}", lines.join("\n  "));
    }
}

/// A titled table; nothing where it has no rows.
pub(super) fn titled(out: &mut String, title: &str, builder: Builder, right: &[usize]) {
    if builder.count_records() == 0 {
        return;
    }
    let mut table = builder.build();
    table.with(Style::empty()).with(Padding::new(0, 2, 0, 0));
    for column in right {
        table.modify(Columns::one(*column), Alignment::right());
    }
    let _ = writeln!(out, "\n{title}");
    for line in table.to_string().lines() {
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

fn facts(report: &Report, section: Section, out: &mut String) {
    for fact in report.facts_of(section) {
        let lines = wrap(&format!("{}: {}", fact.declared.label, fact.shown()), 76);
        let _ = writeln!(out, "  {}", lines.join("\n    "));
    }
}

/// Years that fit side by side.
const BESIDE: usize = 3;

/// A row per figure, a column per year; below each other where there are many years.
fn years(report: &Report, out: &mut String) {
    let section = Section::Years;
    for (block, years) in report.years().chunks(BESIDE).enumerate() {
        let mut builder = Builder::default();
        let heads = years.iter().map(|(year, _)| format!("year {year}"));
        builder.push_record(std::iter::once(String::new()).chain(heads));
        for (label, cells) in by_year(years) {
            builder.push_record(std::iter::once(format!("  {label}")).chain(cells));
        }
        let title = if block == 0 { section.title() } else { "Years of service, going on" };
        titled(out, title, builder, &[1, 2, 3]);
    }
    facts(report, section, out);
}

/// A row per figure of the years: its label, then its value year by year.
pub(super) fn by_year(years: &[(u32, Vec<&Figure>)]) -> Vec<(String, Vec<String>)> {
    let mut ids: Vec<Id> =
        years.iter().flat_map(|(_, all)| all.iter().map(|it| it.key.id)).collect();
    ids.sort_unstable();
    ids.dedup();
    let row = |id: Id| {
        let of = |all: &[&Figure]| all.iter().find(|it| it.key.id == id).map(|it| it.cell());
        let cells = years.iter().map(|(_, all)| of(all).unwrap_or_default());
        (id.declared().label().to_owned(), cells.collect())
    };
    ids.into_iter().map(row).collect()
}

/// Ranges of the figures and, for the widest question, what moves it most.
fn ranges(report: &Report, out: &mut String) {
    let Some(widest) = report.widest() else { return };
    let mut builder = Builder::default();
    // A terminal has room for four of the percentiles; the JSON has all.
    let shown: Vec<usize> =
        (0..PERCENTILES.len()).filter(|i| [5, 50, 80, 95].contains(&PERCENTILES[*i])).collect();
    let heading = ["  figure".to_owned(), "unit".to_owned()];
    builder.push_record(
        heading.into_iter().chain(shown.iter().map(|i| format!("P{}", PERCENTILES[*i]))),
    );
    for interval in &report.intervals {
        let row = interval.figure.declared();
        let cells = [format!("  {}", shorten(row.name, 32)), row.short_unit.to_owned()];
        builder.push_record(
            cells.into_iter().chain(shown.iter().map(|i| short_number(interval.values[*i]))),
        );
    }
    titled(out, "Ranges (P50, with contingency to P80)", builder, &[2, 3, 4, 5]);
    tornado(widest, out);
}

/// Bars of what each factor alone does to a figure, P10 to P90.
fn tornado(interval: &Interval, out: &mut String) {
    let ends = |pick: fn(f64, f64) -> f64, start: f64| {
        interval.swings.iter().fold(start, |end, swing| pick(pick(end, swing.low), swing.high))
    };
    let (low, high) = (ends(f64::min, f64::INFINITY), ends(f64::max, f64::NEG_INFINITY));
    let _ = writeln!(
        out,
        "\n  What moves {} ({} at P10 to P90 of each factor alone)",
        interval.figure.declared().name,
        interval.unit()
    );
    for swing in interval.swings.iter().take(8) {
        let at = |value: f64| {
            (20.0 * (value - low) / (high - low).max(f64::MIN_POSITIVE)).round() as usize
        };
        let (from, to) = (at(swing.low.min(swing.high)), at(swing.low.max(swing.high)));
        let bar: String =
            (0..=20).map(|i| if (from..=to).contains(&i) { '█' } else { '·' }).collect();
        let _ = writeln!(
            out,
            "  {:<28} {bar} {} .. {}",
            shorten(&swing.factor, 28),
            short_number(swing.low),
            short_number(swing.high)
        );
    }
}

fn short_number(value: f64) -> String {
    if value.abs() >= 1e6 { count(value) } else { number(value) }
}

fn inputs(report: &Report, out: &mut String) {
    let mut builder = Builder::default();
    let mut assumed = false;
    for step in report.inputs.iter().filter(|step| !is_derived(step)) {
        let (mark, basis) = basis(step);
        assumed |= mark == "*";
        let name = step.name.clone().unwrap_or_default();
        let [number, unit] = shown_parts(step.value, step.dimension);
        builder.push_record([format!("{mark:>1} {}", shorten(&name, 29)), number, unit, basis]);
    }
    titled(out, "Inputs", builder, &[1]);
    if assumed {
        let _ = writeln!(out, "  * assumed: nobody said; `flopcast explain` tells why");
    }
    for assumption in &report.model_assumptions {
        let _ = writeln!(out, "{}", wrap(&format!("* model: {assumption}"), 78).join("\n    "));
    }
}

/// The mark of an assumed input and the short word for its basis.
fn basis(step: &Step) -> (&'static str, String) {
    match &step.how {
        How::Leaf(Basis::Given { place, .. }) => {
            let line = place.rsplit(':').next().unwrap_or_default();
            ("", format!("given, line {line}"))
        }
        How::Leaf(Basis::Catalog { date: Some(date), .. }) => ("", format!("catalog, {date}")),
        How::Leaf(Basis::Catalog { .. }) => ("", "catalog".to_owned()),
        How::Leaf(Basis::Assumed { .. }) => ("*", "assumed".to_owned()),
        _ => ("", "derived".to_owned()),
    }
}

fn is_derived(step: &Step) -> bool {
    matches!(step.how, How::Leaf(Basis::Derived { .. }))
}

fn shorten(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    // The end of a path tells more than its beginning.
    if text.contains(' ') {
        text.chars().take(width - 1).chain(['…']).collect()
    } else {
        let skipped = text.chars().count() - (width - 1);
        std::iter::once('…').chain(text.chars().skip(skipped)).collect()
    }
}
