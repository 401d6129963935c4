//! The page's section of one scenario: the answer first, then pictures, money, figures, inputs.

use maud::{Markup, PreEscaped, html};

use super::super::{Report, answer};
use super::{pictures, tables};

/// A part of a section: the end of its id, its heading, and what the scenario has to show in it.
type Part = (&'static str, &'static str, Option<Markup>);

/// The section of one scenario.
pub(super) struct Section<'a> {
    index: usize,
    report: &'a Report,
    parts: Vec<Part>,
}

impl<'a> Section<'a> {
    /// The section of the scenario of this number.
    pub(super) fn of((index, report): (usize, &'a Report)) -> Self {
        let parts: [Part; 8] = [
            ("pictures", "Pictures", all_pictures(report)),
            ("cash", "Cash flow", tables::cash_flow(report)),
            ("ledger", "Ledger", tables::ledger(report)),
            ("figures", "Figures", Some(tables::figures(report))),
            ("ranges", "Ranges", tables::ranges(report)),
            ("scopes", "Emissions by scope", tables::by_scope(report)),
            ("inputs", "Inputs", Some(tables::inputs(report))),
            ("notes", "Assumptions and warnings", tables::notes(report)),
        ];
        let parts = parts.into_iter().filter(|(.., content)| content.is_some()).collect();
        Self { index, report, parts }
    }

    /// Its parts: the id and the heading of each.
    pub(super) fn parts(&self) -> impl Iterator<Item = (String, &'static str)> {
        self.parts.iter().map(|(part, heading, _)| (format!("s{}-{part}", self.index), *heading))
    }

    /// The section; its title is left out where it is the page's.
    pub(super) fn shown(&self, titled: bool) -> Markup {
        html! {
            section #{ "s" (self.index) } {
                @if titled { h2 { (self.report.name) } }
                @else { h2 .first { "In short" } }
                (summary(self.report))
                @for ((id, heading), (.., content)) in self.parts().zip(&self.parts) {
                    h3 #(id) { (heading) }
                    @if let Some(content) = content { (content) }
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
