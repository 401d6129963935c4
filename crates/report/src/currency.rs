//! Money in the user's currency, at the rate that the scenario states.

use flopcast_core::estimate::plan::Currency;
use flopcast_core::estimate::{Figure, Mark};
use flopcast_core::quantity::text::number;
use serde_json::{Map, Value, json};

use super::Report;
use crate::doc::{Cell, Column, Grid};

/// The main figures of money.
pub(super) fn shown(report: &Report) -> impl Iterator<Item = &Figure> {
    report.figures.iter().filter(|figure| figure.key.is(Mark::Converted))
}

/// The main figures as a table.
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
