//! Forecast beside fact: a table, Markdown, CSV, JSON.

use std::fmt::Write as _;

use flopcast_core::quantity::text::number;
use flopcast_evidence::actuals::{Comparison, Item};
use serde_json::{Value, json};
use tabled::builder::Builder;

use super::table::titled;
use crate::tree::wrap;

const HEADINGS: [&str; 4] = ["item", "forecast", "actual", "ratio"];

/// For a terminal.
pub fn table(comparison: &Comparison) -> String {
    let head = format!("{}: {}", comparison.form.name(), comparison.notes.join("; "));
    let mut out = wrap(&head, 76).join("\n  ") + "\n";
    let mut builder = Builder::default();
    builder.push_record(HEADINGS.iter().map(|h| if *h == "item" { "  item" } else { h }));
    for item in &comparison.items {
        let [name, cells @ ..] = cells(item);
        builder.push_record(std::iter::once(format!("  {name}")).chain(cells));
    }
    titled(&mut out, "Forecast and fact", builder, &[1, 2, 3]);
    let reasons: Vec<_> = comparison.items.iter().filter_map(reason).collect();
    if !reasons.is_empty() {
        let _ = writeln!(out, "\nWhy\n  {}", reasons.join("\n  "));
    }
    if !comparison.hints.is_empty() {
        out += "\nTo have forecast this\n";
        for hint in &comparison.hints {
            let _ = writeln!(out, "  --set '{}={}'", hint.path, hint.value);
            for line in wrap(&hint.why, 70) {
                let _ = writeln!(out, "      {line}");
            }
        }
    }
    out
}

/// For a pull request or a wiki.
pub fn markdown(comparison: &Comparison) -> String {
    let mut out = format!("{}: {}\n", comparison.form.name(), comparison.notes.join("; "));
    let _ = writeln!(out, "\n| {} |\n|---|---:|---:|---:|", HEADINGS.join(" | "));
    for item in &comparison.items {
        let _ = writeln!(out, "| {} |", cells(item).join(" | "));
    }
    for reason in comparison.items.iter().filter_map(reason) {
        let _ = write!(out, "\n- {reason}");
    }
    for hint in &comparison.hints {
        let _ = write!(out, "\n- `{}: {}` ({})", hint.path, hint.value, hint.why);
    }
    out
}

/// One row per item; a gap is an empty cell.
pub fn csv(comparison: &Comparison) -> String {
    let mut out = csv::Writer::from_writer(Vec::new());
    // Writing into memory does not fail.
    let _ = out.write_record(["item", "forecast", "actual", "ratio"]);
    for item in &comparison.items {
        let shown = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
        let cells =
            [item.path.clone(), shown(item.forecast), shown(item.actual), shown(ratio(item))];
        let _ = out.write_record(cells);
    }
    out.into_inner().map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default()
}

/// The stable form.
pub fn json(comparison: &Comparison) -> Value {
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
        "form": comparison.form.name(),
        "items": comparison.items.iter().map(item).collect::<Vec<_>>(),
        "hints": hints.collect::<Vec<_>>(),
        "notes": comparison.notes,
    })
}

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

fn cells(item: &Item) -> [String; 4] {
    let shown = |value: Option<f64>, gap: &str| value.map_or(gap.to_owned(), number);
    let ratio = ratio(item).map_or(String::new(), number);
    [item.path.clone(), shown(item.forecast, "none"), shown(item.actual, "unknown"), ratio]
}
