//! A forecast beside the actuals of logs: each item's ratio, and the factors that it is a product
//! of.

use flopcast_core::quantity::text::number;
use flopcast_evidence::actuals::{Comparison, Item};
use serde_json::{Value, json};

use crate::doc::{Block, Cell, Column, Doc, Grid, Subject};

impl Subject for Comparison {
    fn doc(&self) -> Doc {
        let mut doc = Doc::default();
        doc.push(Block::Text(format!("{}: {}", names(self), self.notes.join("; "))));
        let numbers = ["forecast", "actual", "ratio"].map(Column::numbers);
        let mut grid = Grid::new([Column::words("item")].into_iter().chain(numbers));
        let mut rows = grid.clone();
        for item in &self.items {
            let path = || Cell::text(&item.path);
            let forecast = item.forecast.map_or(Cell::text("none"), Cell::number);
            let ratio = ratio(item);
            grid.push([path(), forecast, item.actual.into(), Cell::maybe(ratio, Cell::number)]);
            rows.push([path(), item.forecast.into(), item.actual.into(), ratio.into()]);
        }
        doc.rows = Some(rows);
        doc.section("Forecast and fact", grid);
        let reasons: Vec<_> = self.items.iter().filter_map(reason).collect();
        if !reasons.is_empty() {
            doc.blocks.extend([Block::Section("Why".to_owned()), Block::List(reasons)]);
        }
        if !self.hints.is_empty() {
            doc.push(Block::Section("To have forecast this".to_owned()));
            let hint = |path: &str, value: &str| format!("--set '{path}={value}'");
            let facts = self.hints.iter().map(|it| (hint(it.path, &it.value), it.why.clone()));
            doc.push(Block::Facts(facts.collect()));
        }
        doc
    }

    fn json(&self) -> Option<Value> {
        Some(value(self))
    }
}

/// The stable form.
fn value(comparison: &Comparison) -> Value {
    let item = |item: &Item| {
        let factors: serde_json::Map<_, _> =
            item.factors.iter().map(|(name, ratio)| ((*name).to_owned(), json!(ratio))).collect();
        json!({
            "item": item.path, "forecast": item.forecast, "actual": item.actual,
            "ratio": ratio(item), "factors": factors,
        })
    };
    let hints = comparison.hints.iter();
    let hints = hints.map(|h| json!({"path": h.path, "value": h.value, "why": h.why}));
    json!({
        "schema": "flopcast.actuals/1",
        "form": names(comparison),
        "items": comparison.items.iter().map(item).collect::<Vec<_>>(),
        "hints": hints.collect::<Vec<_>>(),
        "notes": comparison.notes,
    })
}

/// The names of the kinds of log.
fn names(comparison: &Comparison) -> String {
    comparison.forms.iter().map(|form| form.name()).collect::<Vec<_>>().join(", ")
}

/// Actual / forecast; `None` where either is unknown or the forecast is zero.
fn ratio(item: &Item) -> Option<f64> {
    Some(item.actual? / item.forecast.filter(|forecast| *forecast > 0.0)?)
}

/// `energy_kwh.it: 1.16 = hours 1.05 x power 1.1`, where the ratio has more factors than one.
fn reason(item: &Item) -> Option<String> {
    let factors = item.factors.iter().map(|(name, ratio)| format!("{name} {}", number(*ratio)));
    let factors: Vec<_> = factors.collect();
    let ratio = ratio(item).filter(|_| factors.len() > 1)?;
    Some(format!("{}: {} = {}", item.path, number(ratio), factors.join(" x ")))
}
