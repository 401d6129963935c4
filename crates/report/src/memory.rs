//! What fits a replica: weights, KV cache, and the requests at once that this allows.

use std::fmt::Write as _;

use flopcast_core::quantity::{Measure as _, text};
use flopcast_study::capacity::{Capacity, Engaged};

/// What one engine holds, beside what its load needs; nothing for networks without a cache.
fn rows(capacity: &Capacity) -> Vec<(String, String)> {
    let Engaged::Engine(_, memory) = &capacity.engaged else { return Vec::new() };
    let used = capacity.found.planned.answering();
    let share = |part: f64| format!("{:.0} %", 100.0 * part);
    let length = memory.tokens.value / memory.sequences;
    let row = |label: &str, value: String| (label.to_owned(), value);
    let mut rows = vec![
        row("memory of its devices for both", text::show(memory.weights + memory.cache)),
        row("weights", text::show(memory.weights)),
        row("KV cache", text::show(memory.cache)),
        row("  in tokens", text::count(memory.tokens.value.floor())),
        row(
            &format!("  in requests of {} tokens", text::count(length.round())),
            text::count(memory.sequences.floor()),
        ),
        row(
            "  used at the peak, mean and most",
            format!("{}, {}", share(used.kv.0), share(used.kv.1)),
        ),
    ];
    if let Some(inference) = &capacity.estimate.inference {
        let most = inference.limits.max_concurrency.value().stored();
        rows.push(row("requests at once, most", text::count(most.floor())));
    }
    rows
}

const TITLE: &str = "What fits, weights and KV cache of an engine";

/// For a terminal, with an empty line after it.
pub(super) fn table(capacity: &Capacity) -> String {
    let rows = rows(capacity);
    if rows.is_empty() {
        return String::new();
    }
    let width = |pick: fn(&(String, String)) -> &String| {
        rows.iter().map(|row| pick(row).chars().count()).max().unwrap_or(0)
    };
    let (label, value) = (width(|row| &row.0), width(|row| &row.1));
    let mut out = format!("{TITLE}\n");
    for (name, shown) in &rows {
        let _ = writeln!(out, "  {name:label$}  {shown:>value$}");
    }
    out + "\n"
}

/// For a document, with an empty line before it.
pub(super) fn markdown(capacity: &Capacity) -> String {
    let rows = rows(capacity);
    if rows.is_empty() {
        return String::new();
    }
    let mut out = format!("\n## {TITLE}\n\n| | |\n|---|--:|\n");
    for (name, shown) in &rows {
        let _ = writeln!(out, "| {} | {shown} |", name.trim());
    }
    out
}
