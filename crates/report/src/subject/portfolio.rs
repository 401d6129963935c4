//! A budget of many scenarios: each with its figures, sums by tag, and the cash flow by year.

use flopcast_study::aim::Aim;
use flopcast_study::portfolio::{AIMS, Entry, QUARTER, Sum, Values, by, total, total_by};
use serde_json::{Map, Value, json};

use crate::doc::{Block, Cell, Column, Doc, Grid, Subject, short};

/// Scenarios and the tags by which they are added up.
#[derive(Clone, Copy, Debug)]
pub struct Portfolio<'a> {
    /// The scenarios.
    pub entries: &'a [Entry],
    /// The tags.
    pub tags: &'a [&'a str],
}

/// The remark on sums of which a part is unknown.
const UNKNOWN: &str = "A sum is unknown where one of its scenarios is; \"of\" is what is known.";

/// The remark on quarters where hardware is bought or a term is paid ahead.
const PAID: &str = "By quarter, cost_usd is what is paid then: purchases when they are made, terms \
                    as they are paid. It adds up to more than the cost where hardware outlasts it.";

/// The keys of the figures that are added up.
fn keys() -> [String; AIMS.len()] {
    AIMS.map(|aim| Aim::read(aim).key)
}

/// A column per figure that is added up.
fn figures() -> impl Iterator<Item = Column> {
    keys().into_iter().map(Column::numbers)
}

/// The cells of a sum; one with an unknown part shows what is known of it.
fn sums(sum: &Sum) -> impl Iterator<Item = Cell> {
    sum.values.into_iter().zip(sum.known).map(|(value, known)| match value {
        Some(value) => Cell::short(value),
        None => Cell::text(format!("unknown of {}", short(known))),
    })
}

/// The table of scenarios.
fn scenarios(entries: &[Entry]) -> Grid {
    let mut grid = Grid::new(["scenario", "file"].map(Column::words).into_iter().chain(figures()));
    for entry in entries {
        let values = entry.values.into_iter().map(|value| Cell::known(value, Cell::short));
        grid.push(
            [&entry.name, &entry.file].map(|it| Cell::text(it.as_str())).into_iter().chain(values),
        );
    }
    grid.push(["total", ""].map(Cell::from).into_iter().chain(sums(&total(entries))));
    grid
}

/// The table of sums by the values of a tag.
fn groups(entries: &[Entry], tag: &str) -> Grid {
    let heading = [Column::words(tag), Column::numbers("scenarios")];
    let mut grid = Grid::new(heading.into_iter().chain(figures()));
    let row = |name: String, sum: &Sum| -> Vec<Cell> {
        [Cell::text(name), Cell::Count(sum.scenarios as u64)].into_iter().chain(sums(sum)).collect()
    };
    for sum in by(entries, tag) {
        grid.push(row(sum.value.clone().unwrap_or("(none)".to_owned()), &sum));
    }
    grid.push(row("total".to_owned(), &total_by(entries, tag)));
    grid
}

/// One row per scenario, with its tags.
fn rows(entries: &[Entry], tags: &[&str]) -> Grid {
    let words = ["scenario", "file"].into_iter().chain(tags.iter().copied()).map(Column::words);
    let mut grid = Grid::new(words.chain(figures()));
    for it in entries {
        let tags = tags.iter().map(|tag| it.tags.get(*tag).cloned().unwrap_or_default());
        let words = [it.name.clone(), it.file.clone()].into_iter().chain(tags).map(Cell::text);
        grid.push(words.chain(it.values.map(Cell::from)));
    }
    grid
}

impl Subject for Portfolio<'_> {
    fn doc(&self) -> Doc {
        let Self { entries, tags } = self;
        let mut doc = Doc { rows: Some(rows(entries, tags)), ..Doc::default() };
        doc.push(Block::Grid(scenarios(entries)));
        doc.blocks.extend(tags.iter().map(|tag| Block::Grid(groups(entries, tag))));
        let differ = |tag: &&str| {
            let paid = [total(entries), total_by(entries, tag)].map(|it| it.values[0]);
            let [whole, paid] = paid.map(Option::unwrap_or_default);
            *tag == QUARTER && (whole - paid).abs() > 0.005
        };
        if tags.iter().any(differ) {
            doc.push(Block::Text(PAID.to_owned()));
        }
        if total(entries).values.contains(&None) {
            doc.push(Block::Text(UNKNOWN.to_owned()));
        }
        doc
    }

    fn json(&self) -> Option<Value> {
        Some(value(self.entries, self.tags))
    }
}

/// `flopcast.portfolio/1`.
fn value(entries: &[Entry], tags: &[&str]) -> Value {
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
    let totals: Map<_, _> =
        tags.iter().map(|tag| ((*tag).to_owned(), sum(&total_by(entries, tag)))).collect();
    json!({
        "schema": "flopcast.portfolio/1",
        "scenarios": entries.iter().map(entry).collect::<Vec<_>>(),
        "by": by,
        "total_by": totals,
        "total": sum(&total(entries)),
    })
}
