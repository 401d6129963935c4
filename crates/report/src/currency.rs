//! Money in the user's currency, at the rate that the scenario states.

use flopcast_core::estimate::plan::Currency;
use flopcast_core::estimate::{Figure, Mark};
use flopcast_core::quantity::text::number;
use serde_json::{Map, Value, json};
use tabled::builder::Builder;

use super::Report;
use super::table::titled;

/// The main figures of money.
pub(super) fn shown(report: &Report) -> impl Iterator<Item = &Figure> {
    report.figures.iter().filter(|figure| figure.key.is(Mark::Converted))
}

/// The main figures as aligned text.
pub(super) fn table(report: &Report, out: &mut String) {
    let Some(currency) = &report.currency else { return };
    let mut builder = Builder::default();
    for figure in shown(report) {
        let label = format!("  {}", figure.declared().name);
        builder.push_record([label, text(figure, currency), currency.code.clone()]);
    }
    titled(out, &title(currency), builder, &[1]);
}

/// Every figure of money.
pub(super) fn json(report: &Report) -> Option<Value> {
    let currency = report.currency.as_ref()?;
    let money = report.figures.iter().filter(|figure| figure.declared().is_money());
    let figures: Map<_, _> =
        money.map(|figure| (figure.path.clone(), json!(converted(figure, currency)))).collect();
    Some(json!({
        "code": currency.code,
        "per_usd": currency.per_usd,
        "date": currency.date.to_string(),
        "source": currency.source,
        "figures": figures,
    }))
}

/// The rate, its day and whose it is.
pub(super) fn title(currency: &Currency) -> String {
    let Currency { code, per_usd, date, source } = currency;
    let source = source.as_ref().map(|source| format!(", {source}")).unwrap_or_default();
    format!("In {code} at {} {code}/USD of {date}{source}", number(*per_usd))
}

/// A figure as a number of the currency.
pub(super) fn text(figure: &Figure, currency: &Currency) -> String {
    converted(figure, currency).map_or("unknown".to_owned(), number)
}

fn converted(figure: &Figure, currency: &Currency) -> Option<f64> {
    Some(figure.value()? * currency.per_usd)
}
