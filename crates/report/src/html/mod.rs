//! The report as one HTML file: no script, no request, light and dark, and a clean print.
//!
//! The page comes from a template with the places `{{ title }}`, `{{ style }}` and
//! `{{ content }}`; the built-in one and a house's own go the same way.

pub(crate) mod pictures;
mod scenario;
mod tables;

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::Id;
use flopcast_core::estimate::figure::headlines;
use maud::{Markup, PreEscaped, html};

use self::scenario::Section;
use super::subject::accuracy;
use super::text::{self, visible, visible_lines};
use super::{Report, chart};

pub(super) use pictures::sensitivity;

/// The built-in template, for a house to start from.
pub const TEMPLATE: &str = include_str!("page.html");

/// The built-in style sheet, for light, dark and paper.
const STYLE: &str = include_str!("style.css");

/// The reports on one page, side by side where there are several.
///
/// # Errors
/// If the template has no place for the content.
pub fn page(reports: &[Report], template: &str) -> Result<String> {
    let title = match reports {
        [one] => one.name.clone(),
        many => format!("{} scenarios compared", many.len()),
    };
    filled(template, &title, &content(reports, &title))
}

/// The template with a title and a content.
///
/// # Errors
/// A template without a place for the content.
pub(crate) fn filled(template: &str, title: &str, content: &Markup) -> Result<String> {
    if !template.contains("{{ content }}") {
        return Err(Error::input("the template has no `{{ content }}`").hint(
            "`flopcast report --print-template` prints the built-in one; it has the places \
             {{ title }}, {{ style }} and {{ content }}",
        ));
    }
    let style = format!("{}{STYLE}", chart::STYLE);
    // Text is markup by now; what acts on a terminal or on the direction of writing is not.
    let content = visible_lines(&content.0);
    let title = html! { (visible(title)) }.into_string();
    let places = [
        ("{{ title }}", title.as_str(), 8),
        ("{{ style }}", style.as_str(), 1),
        ("{{ content }}", content.as_str(), 1),
    ];
    for (place, _, most) in places {
        let found = template.matches(place).count();
        if found > most {
            return Err(Error::input(format!("the template has `{place}` {found} times"))
                .hint(format!("at most {most} are filled")));
        }
    }
    // Each place is filled once, and what fills it is never read as a template.
    let mut out = String::with_capacity(template.len() + style.len() + content.len());
    let mut rest = template;
    while let Some(start) = rest.find("{{ ") {
        out += &rest[..start];
        rest = &rest[start..];
        let known = places.into_iter().find(|(place, ..)| rest.starts_with(place));
        let (place, text, _) = known.unwrap_or(("{{ ", "{{ ", 0));
        out += text;
        rest = &rest[place.len()..];
    }
    Ok(out + rest)
}

/// The content of the page: the head, each scenario, the statement of accuracy.
fn content(reports: &[Report], title: &str) -> Markup {
    let sections: Vec<Section> = reports.iter().enumerate().map(Section::of).collect();
    let several = reports.len() > 1;
    // A page of several leads to each as a whole.
    let parts = sections.iter().filter(|_| !several).flat_map(Section::parts);
    html! {
        a .skip href="#content" { "Skip to the content" }
        header {
            h1 { (title) }
            p .quiet { "A forecast by flopcast " (env!("CARGO_PKG_VERSION")) (dates(reports)) }
            nav aria-label="Contents" { ul {
                @for (index, report) in reports.iter().enumerate().filter(|_| several) {
                    li { a href={ "#s" (index) } { (report.name) } }
                }
                @for (id, name) in parts {
                    li { a href={ "#" (id) } { (name) } }
                }
                li { a href="#accuracy" { "Accuracy" } }
            } }
        }
        main #content {
            @if several { (side_by_side(reports)) }
            @for section in &sections { (section.shown(several)) }
            (accuracy_statement())
        }
        footer .quiet {
            p { "Figures are central values; P50 is the middle of the forecast, and a budget to P80 \
                 holds in four of five cases: the contingency is P80 less the central value. \
                 Unknown is not zero: a figure that cannot be told is said to be unknown, and so \
                 is every sum that it would enter." }
        }
    }
}

/// The dates of prices and grids in a line.
fn dates(reports: &[Report]) -> String {
    let mut dates: Vec<(String, String)> = Vec::new();
    for dated in reports.iter().flat_map(|report| &report.dates) {
        if !dates.contains(dated) {
            dates.push(dated.clone());
        }
    }
    if dates.is_empty() { String::new() } else { format!(" · {}", text::dates(&dates)) }
}

/// The headline figures of several scenarios beside each other.
fn side_by_side(reports: &[Report]) -> Markup {
    let known = |figure: &Id| reports.iter().any(|report| report.figure(*figure).is_some());
    html! {
        section aria-labelledby="compared" {
            h2 #compared .first { "Side by side" }
            div .scroll tabindex="0" role="region" aria-label="Side by side" { table {
                thead { tr {
                    th scope="col" { "figure" }
                    @for report in reports { th scope="col" .num { (report.name) } }
                } }
                tbody { @for figure in headlines().filter(known) { tr {
                    th scope="row" { (figure.declared().name) }
                    @for report in reports {
                        td .num { (report.figure(figure).map_or("–".to_owned(), |it| it.short().join(" "))) }
                    }
                } } }
            } }
            @if let Some(picture) = pictures::choices(reports) {
                div .charts { figure {
                    figcaption { "Cost against carbon" span { "the dashed line joins the choices that none beats in both" } }
                    (PreEscaped(picture))
                } }
            }
        }
    }
}

/// The errors of the forecasts on runs that no fit had seen.
fn accuracy_statement() -> Markup {
    html! {
        section aria-labelledby="accuracy" {
            h2 #accuracy { "How wrong this may be" }
            p { "Forecasts compared with published runs that the model was not fitted to. An error \
                 is forecast / measured - 1." }
            div .scroll tabindex="0" role="region" aria-label="Accuracy" { table {
                thead { tr {
                    th scope="col" { "figure" } th scope="col" .num { "runs" }
                    th scope="col" .num { "median error" }
                    th scope="col" .num { "90 % of errors below" }
                } }
                tbody { @for row in accuracy::statement() { tr {
                    th scope="row" { (row.figure) } td .num { (row.runs) }
                    td .num { (row.median) } td .num { (row.p90) }
                } } }
            } }
            p .quiet { "Prices are list prices: a price is no promise that devices are available." }
        }
    }
}
