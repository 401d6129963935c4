//! The page's section of one scenario: the answer first, then pictures, money, figures, inputs.

use maud::{Markup, PreEscaped, html};

use super::super::{Report, answer};
use super::{pictures, tables};

/// The parts of a section: the end of its id, its heading.
pub(super) const PARTS: &[(&str, &str)] = &[
    ("pictures", "Pictures"),
    ("cash", "Cash flow"),
    ("ledger", "Ledger"),
    ("figures", "Figures"),
    ("ranges", "Ranges"),
    ("scopes", "Emissions by scope"),
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
        "scopes" => tables::by_scope(report),
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
    html! {
        p .lead { (answer::sentences(report)) }
        dl .tiles { @for tile in answer::tiles(report) { div .tile {
            dt { (tile.name) }
            dd { (quantity(&tile.value))
                 @if let Some(note) = tile.note { div .note { (note) } } }
        } } }
    }
}

/// A number and, smaller, its unit.
fn quantity([number, unit]: &[String; 2]) -> Markup {
    html! { span .value { (number) " " span .unit { (unit) } } }
}

/// The pictures of the scenario; `None` if it has none.
fn all_pictures(report: &Report) -> Option<Markup> {
    let shown = pictures::all(report);
    (!shown.is_empty()).then(|| {
        html! { div .charts { @for picture in shown { figure {
            figcaption { (picture.title) span { (picture.below) } }
            (PreEscaped(picture.svg))
        } } } }
    })
}
