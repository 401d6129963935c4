//! The tables of a scenario: payments, ledger, figures with their derivation, inputs, notes.

use flopcast_core::estimate::{Figure, Section};
use flopcast_core::provenance::{Basis, Expr};
use flopcast_core::quantity::text::{count, number};
use flopcast_study::uncertainty::PERCENTILES;
use maud::{Markup, PreEscaped, html};

use super::super::subject::estimate;
use super::super::{Report, currency};
use crate::cash::{CashFlow, Paid, cents};
use crate::render::html::table;
use crate::statement::ghg;
use crate::text::markup;
use crate::tree::Derivations;

/// A table that scrolls by itself where the page is narrow.
fn scroll(name: &str, table: &Markup) -> Markup {
    html! { div .scroll tabindex="0" role="region" aria-label=(name) { (table) } }
}

/// Money in whole dollars, cents below a hundred.
fn money(amount: f64) -> String {
    // Whole dollars for people; cents where they are all there is.
    if amount.abs() >= 100.0 { number(amount.round()) } else { number(amount) }
}

/// Payments by quarter, or by month where a short scenario has no start: capex and opex apart,
/// their sum so far, the amortisation beside them; then the sums by fiscal year. To the cent, as in
/// the workbook and the portfolio.
pub(super) fn cash_flow(report: &Report) -> Option<Markup> {
    let CashFlow { unit, periods, fiscal_years, owned } = CashFlow::of(report)?;
    let mut headings = vec!["capex, USD", "opex, USD", "together, USD", "paid so far, USD"];
    headings.extend(owned.then_some("amortisation, no payment, USD"));
    let row = |it: &Paid| {
        let mut row = vec![it.capex, it.opex, it.capex + it.opex, it.so_far];
        row.extend(owned.then_some(it.amortisation));
        row
    };
    let total = periods.iter().fold(Paid::default(), |sum, it| Paid {
        capex: sum.capex + it.capex,
        opex: sum.opex + it.opex,
        so_far: it.so_far,
        amortisation: sum.amortisation + it.amortisation,
        ..sum
    });
    Some(html! {
        (scroll("Cash flow", &html! { table {
            thead { tr {
                th scope="col" { (unit) }
                @for heading in &headings { th scope="col" .num { (heading) } }
            } }
            tbody { @for it in &periods { tr {
                th scope="row" { (it.period) }
                @for amount in row(it) { td .num { (cents(amount)) } }
            } } }
            tfoot { tr {
                th scope="row" { "total" }
                @for amount in row(&total) { td .num { (cents(amount)) } }
            } }
        } }))
        @if fiscal_years.len() > 1 { (scroll("Cash by fiscal year", &html! { table {
            thead { tr {
                th scope="col" { "fiscal year" } th scope="col" .num { "paid, USD" }
            } }
            tbody { @for (year, amount) in &fiscal_years { tr {
                th scope="row" { (year) } td .num { (cents(*amount)) }
            } } }
        } })) }
    })
}

/// The rows that the costs are sums of.
pub(super) fn ledger(report: &Report) -> Option<Markup> {
    if report.ledger.is_empty() {
        return None;
    }
    let total: Option<f64> = report.ledger.iter().map(|row| row.amount).sum();
    let grid = super::super::ledger::grid(&report.ledger);
    Some(scroll(
        "Ledger",
        &html! { table {
            thead { tr {
                @for (at, column) in grid.columns.iter().enumerate() {
                    th scope="col" .num[at > 1] { (column.heading) }
                }
                th scope="col" { "kind" } th scope="col" { "basis of the price" }
            } }
            tbody { @for (row, cells) in report.ledger.iter().zip(&grid.rows) { tr {
                @for (at, cell) in cells.iter().enumerate() {
                    td .num[at > 1] .short[at == 0] { (cell.people()) }
                }
                td { (row.entry.kind.name()) }
                td .basis { (row.basis.join("; ")) }
            } } }
            tfoot { tr {
                th scope="row" colspan="4" { "total" }
                td .num { (total.map_or("unknown".to_owned(), money)) }
                td {} td {}
            } }
        } },
    ))
}

/// Every figure; where it was computed, a click shows how.
pub(super) fn figures(report: &Report) -> Markup {
    let mut derivations = Derivations::default();
    html! {
        p .quiet .hint { "Open a figure to see how it comes about." }
        div .columns { @for (section, rows) in report.sections() { section {
            h4 { (section.title()) }
            @for figure in rows { (figure_row(figure, &mut derivations)) }
        } }
            @if let Some(currency) = &report.currency { section {
                h4 { (currency::title(currency)) }
                @for figure in currency::shown(report) { div .plain {
                    span .name { (figure.declared().name) }
                    span .amount { (currency::text(figure, currency)) " " (currency.code) }
                } }
            } }
        }
        (years(report))
    }
}

/// A figure's row; its derivation unfolds.
fn figure_row<'a>(figure: &'a Figure, derivations: &mut Derivations<'a>) -> Markup {
    let (label, shown) = (figure.label(), figure.shown());
    let label = label.trim();
    if let Some(step) = figure.step() {
        html! { details .figure {
            summary { span .name { (label) } span .amount { (shown) } }
            pre tabindex="0" { (PreEscaped(markup(&derivations.of(step)))) }
        } }
    } else {
        html! { div .plain { span .name { (label) } span .amount { (shown) } } }
    }
}

/// A row per figure, a column per year.
fn years(report: &Report) -> Markup {
    let grid = estimate::years(&report.years());
    html! { @if !grid.is_empty() { (table(&grid, Section::Years.title())) } }
}

/// Percentiles of the figures.
pub(super) fn ranges(report: &Report) -> Option<Markup> {
    if report.intervals.is_empty() {
        return None;
    }
    Some(scroll(
        "Ranges",
        &html! { table {
            thead { tr { th scope="col" { "figure" } th scope="col" { "unit" }
                th scope="col" .num { "central" }
                @for percentile in PERCENTILES { th scope="col" .num { "P" (percentile) } } } }
            tbody { @for range in &report.intervals {
                @if let Some(figure) = report.figure(range.figure) { tr {
                    th scope="row" { (figure.declared().name) }
                    td { (figure.short()[1]) }
                    @for value in figure.value().iter().chain(&range.values) {
                        td .num { (count(figure.in_shown_unit(*value))) }
                    }
                } }
            } }
        }
        @for (what, why) in estimate::spreads(report) { p .quiet { (what) ": " (why) } } },
    ))
}

/// The emissions by the scopes of the GHG Protocol.
pub(super) fn by_scope(report: &Report) -> Option<Markup> {
    let grid = ghg::by_scope(report);
    (!grid.is_empty()).then(|| {
        html! {
            (table(&grid, "The scopes of the GHG Protocol"))
            ul .notes { @for remark in ghg::remarks(report) { li { (remark) } } }
        }
    })
}

/// The inputs that the figures rest on.
pub(super) fn inputs(report: &Report) -> Markup {
    let given = report.inputs.iter().filter_map(|step| match &step.how {
        Expr::Leaf(Basis::Derived { .. }) => None,
        Expr::Leaf(basis) => Some((step, basis)),
        _ => None,
    });
    scroll(
        "Inputs",
        &html! { table .told {
            thead { tr { th scope="col" { "input" } th scope="col" .num { "value" }
                th scope="col" { "basis and source" } } }
            tbody { @for (step, basis) in given { tr {
                th scope="row" { (step.name.as_deref().unwrap_or_default()) }
                td .num { (step.shown()) }
                td .basis { (basis) }
            } }
            @for choice in &report.choices { tr {
                th scope="row" { (choice.path) }
                td .num { (choice.value) }
                td .basis { "assumed: " (choice.why) }
            } } }
        } },
    )
}

/// Assumptions about the model, facts that are no numbers, and warnings.
pub(super) fn notes(report: &Report) -> Option<Markup> {
    if report.warnings.is_empty() && report.model_assumptions.is_empty() {
        return None;
    }
    Some(html! {
        @if !report.warnings.is_empty() {
            ul .notes .warnings { @for warning in &report.warnings { li { (warning) } } }
        }
        @if !report.model_assumptions.is_empty() {
            ul .notes { @for note in &report.model_assumptions { li { "model: " (note) } } }
        }
    })
}
