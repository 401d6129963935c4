//! Money in the user's currency: USD x the rate that the scenario states. The catalog has no rates
//! of its own, which would be old when they are read.

use flopcast_core::estimate::plan::Currency;
use flopcast_core::estimate::{Figure, Mark};
use flopcast_core::quantity::text::number;
use serde_json::{Map, Value, json};

use super::Report;
use crate::doc::{Cell, Column, Grid};

/// The main figures of money, in the order of the JSON.
pub(super) fn shown(report: &Report) -> impl Iterator<Item = &Figure> {
    report.figures.iter().filter(|figure| figure.key.is(Mark::Converted))
}

/// The main figures of money in the currency; unknown where the figure is.
pub(super) fn grid(report: &Report, currency: &Currency) -> Grid {
    let columns = [Column::words("figure"), Column::quantities("value")];
    let mut grid = Grid::new(columns.map(|column| column.headed("")));
    for figure in shown(report) {
        let value = converted(figure, currency).map_or(Cell::Unknown, |value| {
            Cell::shown(value, format!("{} {}", number(value), currency.code))
        });
        grid.push([Cell::text(figure.declared().name), value]);
    }
    grid
}

/// Every figure of money in the currency; `None` for a scenario in USD.
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

/// The heading over the figures: the rate, its day and its source.
pub(super) fn title(currency: &Currency) -> String {
    let Currency { code, per_usd, date, source } = currency;
    let source = source.as_ref().map(|source| format!(", {source}")).unwrap_or_default();
    format!("In {code} at {} {code}/USD of {date}{source}", number(*per_usd))
}

/// A figure as a number of the currency, or `unknown`.
pub(super) fn text(figure: &Figure, currency: &Currency) -> String {
    converted(figure, currency).map_or("unknown".to_owned(), number)
}

/// The figure's value x units of the currency per USD; `None` if it is unknown.
fn converted(figure: &Figure, currency: &Currency) -> Option<f64> {
    Some(figure.value()? * currency.per_usd)
}
