//! The page's section of one scenario: the answer first, then pictures, money, figures, inputs.

use flopcast_core::quantity::text::count;
use maud::{Markup, PreEscaped, html};

use super::super::answer::{at, interval, shown};
use super::super::{Report, answer, headlines};
use super::{pictures, tables};

/// The parts of a section: the end of its id, its heading.
pub(super) const PARTS: &[(&str, &str)] = &[
    ("pictures", "Pictures"),
    ("cash", "Cash flow"),
    ("ledger", "Ledger"),
    ("figures", "Figures"),
    ("ranges", "Ranges"),
    ("inputs", "Inputs"),
    ("notes", "Assumptions and warnings"),
];

/// The section; its title is left out where it is the page's.
pub(super) fn section(index: usize, report: &Report, titled: bool) -> Markup {
    let id = |part: &str| format!("s{index}-{part}");
    let contents = |part: &str| match part {
        "pictures" => all_pictures(report),
        "cash" => tables::cash_flow(report),
        "ledger" => tables::ledger(report),
        "figures" => Some(tables::figures(report)),
        "ranges" => tables::ranges(report),
        "inputs" => Some(tables::inputs(report)),
        _ => tables::notes(report),
    };
    html! {
        section #{ "s" (index) } {
            @if titled { h2 { (report.name) } }
            @else { h2 .first { "In short" } }
            (summary(report))
            @for (part, heading) in PARTS {
                @if let Some(content) = contents(part) {
                    h3 #(id(part)) { (heading) }
                    (content)
                }
            }
        }
    }
}

/// The headline figures on tiles.
fn summary(report: &Report) -> Markup {
    let tiles = headlines().filter_map(|figure| {
        let value = shown(report, figure)?;
        let name = figure.declared().name;
        let note = interval(report, figure).and_then(|range| {
            Some(format!(
                "P80 {} · P5 to P95 {} to {}",
                count(at(range, 80)?),
                count(at(range, 5)?),
                count(at(range, 95)?)
            ))
        });
        Some((name, value, note))
    });
    html! {
        p .lead { (answer::sentences(report)) }
        dl .tiles { @for (name, value, note) in tiles { div .tile {
            dt { (name) }
            dd { (quantity(&value))
                 @if let Some(note) = note { div .note { (note) } } }
        } } }
    }
}

/// A number and, smaller, its unit.
fn quantity([number, unit]: &[String; 2]) -> Markup {
    html! { span .value { (number) " " span .unit { (unit) } } }
}

/// The pictures of the scenario; `None` if it has none.
fn all_pictures(report: &Report) -> Option<Markup> {
    let costly = report.widest();
    let figures = [
        ("Cost by item", "over the whole horizon", pictures::costs(report)),
        ("CO2e by source", "location-based and embodied stand apart", pictures::carbon(report)),
        ("Cost by year", "nominal; the training falls into the first", pictures::years(report)),
        ("Payments", "when they are due: capital and operating", pictures::payments(report)),
        (
            "Time to first token against load",
            "simulated: percentiles of one replica",
            pictures::waiting(report, "Time to first token", |load| load.ttft),
        ),
        (
            "Time per output token against load",
            "simulated: percentiles of one replica",
            pictures::waiting(report, "Time per output token", |load| load.tpot),
        ),
        (
            "What moves the answer most",
            costly.map_or("", |range| range.figure.declared().name),
            costly.map(pictures::sensitivity),
        ),
    ];
    let shown: Vec<_> = figures
        .into_iter()
        .filter_map(|(title, below, picture)| Some((title, below, picture?)))
        .collect();
    (!shown.is_empty()).then(|| {
        html! { div .charts { @for (title, below, picture) in shown { figure {
            figcaption { (title) span { (below) } }
            (PreEscaped(picture))
        } } } }
    })
}
