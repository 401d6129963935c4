//! A budget of many scenarios, as table, Markdown, JSON and CSV.

use std::fmt::Write as _;

use flopcast_study::aim::Aim;
use flopcast_study::portfolio::{AIMS, Entry, Sum, Values, by, total};
use serde_json::{Map, Value, json};

use super::compare::short;
use super::grid::Grid;
use super::tree::wrap;

const UNKNOWN: &str = "A sum is unknown where one of its scenarios is; \"of\" is what is known.";

fn keys() -> [String; AIMS.len()] {
    AIMS.map(|aim| Aim::read(aim).key)
}

fn cells(values: Values) -> impl Iterator<Item = String> {
    values.into_iter().map(|value| value.map_or("unknown".to_owned(), short))
}

fn sums(sum: &Sum) -> impl Iterator<Item = String> {
    sum.values.into_iter().zip(sum.known).map(|(value, known)| match value {
        Some(value) => short(value),
        None => format!("unknown of {}", short(known)),
    })
}

fn scenarios(entries: &[Entry]) -> Grid {
    let mut grid = Grid::new(2, ["scenario", "file"].map(str::to_owned).into_iter().chain(keys()));
    for entry in entries {
        grid.push([entry.name.clone(), entry.file.clone()].into_iter().chain(cells(entry.values)));
    }
    let heads = ["total", ""].map(str::to_owned);
    grid.push(heads.into_iter().chain(sums(&total(entries))));
    grid
}

fn groups(entries: &[Entry], tag: &str) -> Grid {
    let heading = [tag, "scenarios"].map(str::to_owned);
    let mut grid = Grid::new(1, heading.into_iter().chain(keys()));
    let row = |name: String, sum: &Sum| -> Vec<String> {
        [name, sum.scenarios.to_string()].into_iter().chain(sums(sum)).collect()
    };
    for sum in by(entries, tag) {
        grid.push(row(sum.value.clone().unwrap_or("(none)".to_owned()), &sum));
    }
    grid.push(row("total".to_owned(), &total(entries)));
    grid
}

/// The budget as aligned text.
pub fn table(entries: &[Entry], tags: &[&str]) -> String {
    document(entries, tags, Grid::text)
}

/// The budget as Markdown.
pub fn markdown(entries: &[Entry], tags: &[&str]) -> String {
    document(entries, tags, Grid::markdown)
}

fn document(entries: &[Entry], tags: &[&str], render: fn(&Grid) -> String) -> String {
    let mut out = render(&scenarios(entries));
    for tag in tags {
        let _ = write!(out, "\n{}", render(&groups(entries, tag)));
    }
    if total(entries).values.contains(&None) {
        let _ = writeln!(out, "\n{}", wrap(UNKNOWN, 78).join("\n"));
    }
    out
}

/// `flopcast.portfolio/1`.
pub fn json(entries: &[Entry], tags: &[&str]) -> Value {
    let named = |values: Values| -> Map<String, Value> {
        keys().into_iter().zip(values.map(|value| json!(value))).collect()
    };
    let sum = |sum: &Sum| {
        json!({"value": sum.value, "scenarios": sum.scenarios, "sums": named(sum.values),
               "known": named(sum.known.map(Some))})
    };
    let entry = |it: &Entry| json!({"scenario": it.name, "file": it.file, "tags": it.tags, "figures": named(it.values)});
    let by: Map<_, _> = tags
        .iter()
        .map(|tag| ((*tag).to_owned(), by(entries, tag).iter().map(sum).collect()))
        .collect();
    json!({
        "schema": "flopcast.portfolio/1",
        "scenarios": entries.iter().map(entry).collect::<Vec<_>>(),
        "by": by,
        "total": sum(&total(entries)),
    })
}

/// One row per scenario, with its tags.
pub fn csv(entries: &[Entry], tags: &[&str]) -> String {
    let mut out = csv::Writer::from_writer(Vec::new());
    let heads = ["scenario", "file"].into_iter().chain(tags.iter().copied());
    // Writing into memory does not fail.
    let _ = out.write_record(heads.map(str::to_owned).chain(keys()));
    for it in entries {
        let tags = tags.iter().map(|tag| it.tags.get(*tag).cloned().unwrap_or_default());
        let values = it.values.into_iter().map(|v| v.map(|v| v.to_string()).unwrap_or_default());
        let heads = [it.name.clone(), it.file.clone()];
        let _ = out.write_record(heads.into_iter().chain(tags).chain(values));
    }
    out.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
