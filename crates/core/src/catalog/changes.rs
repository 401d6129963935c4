//! The differences between two catalogs: figures that are new or have changed.
//!
//! `flopcast catalog refresh` lists them after it fetched newer prices and intensities. Only tables
//! that are continued in time are compared ([`SERIES`]); for each thing, the newest figure before
//! is set against the newest figure now.

use std::collections::BTreeMap;

use super::Catalog;
use super::price::Purchase;
use crate::diagnostic::Result;

/// A figure that is new or has another value.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Path of the table.
    pub table: &'static str,
    /// The name of the row without its date: `aws/us-east-1/p5.48xlarge/instance`.
    pub row: String,
    /// The columns that name the row.
    pub about: &'static [&'static str],
    /// The column, which names the unit.
    pub column: &'static str,
    /// The figure before, if there was one, in the column's unit.
    pub before: Option<f64>,
    /// The figure now, in the column's unit.
    pub after: f64,
    /// The date of the figure now.
    pub date: String,
    /// The source of the figure now.
    pub source: String,
}

/// A table whose rows follow one another in time.
struct Series {
    /// Path of the table.
    table: &'static str,
    /// The columns that name a thing.
    about: &'static [&'static str],
    /// The column that dates a row.
    date: &'static str,
    /// The columns of its figures.
    values: &'static [&'static str],
}

/// The tables that change with time. Devices, regions and defaults are revised, not continued.
const SERIES: &[Series] = &[
    Series {
        table: "pricing/prices.csv",
        about: &["provider", "region", "sku", "basis"],
        date: "as_of",
        values: &Purchase::COLUMNS,
    },
    Series {
        table: "pricing/api.csv",
        about: &["provider", "model"],
        date: "as_of",
        values: &[
            "input_usd_per_mtok",
            "output_usd_per_mtok",
            "cached_input_usd_per_mtok",
            "batch_input_usd_per_mtok",
            "batch_output_usd_per_mtok",
        ],
    },
    Series {
        table: "regions/grid.csv",
        about: &["zone", "basis"],
        date: "year",
        values: &["gco2e_per_kwh"],
    },
    Series {
        table: "regions/electricity.csv",
        about: &["zone", "sector"],
        date: "period",
        values: &["usd_per_kwh"],
    },
];

/// The newest value of a column with its date and source, by row and column.
type Newest = BTreeMap<(String, &'static str), (String, f64, String)>;

impl Catalog {
    /// The figures that differ from those in `before`, comparing the newest figure of each thing;
    /// differences below 1e-9 of the figure are rounding.
    ///
    /// A figure that is gone is not listed.
    ///
    /// # Errors
    /// If an overlay is faulty.
    pub fn changes_since(&self, before: &Self) -> Result<Vec<Change>> {
        let (old, new) = (before.stored()?, self.stored()?);
        let mut changes = Vec::new();
        for series in SERIES {
            let old = series.newest(&old);
            for ((row, column), (date, after, source)) in series.newest(&new) {
                let before = old.get(&(row.clone(), column)).map(|(_, value, _)| *value);
                if before.is_none_or(|before| (before - after).abs() > 1e-9 * after.abs()) {
                    let table = series.table;
                    let about = series.about;
                    changes.push(Change { table, row, about, column, before, after, date, source });
                }
            }
        }
        Ok(changes)
    }
}

impl Series {
    /// The newest figure of each thing in a series, by the row's name and the column. Dates compare
    /// as text, which ISO dates allow.
    fn newest(&self, tables: &[super::StoredTable]) -> Newest {
        let mut newest = Newest::new();
        let Some((_, columns, rows)) = tables.iter().find(|(file, ..)| *file == self.table) else {
            return newest;
        };
        let place = |name: &str| columns.iter().position(|column| *column == name);
        let about: Vec<_> = self.about.iter().filter_map(|name| place(name)).collect();
        let (date, source) = (place(self.date), place("source"));
        for row in rows {
            let cell = |at: Option<usize>| at.map_or("", |at| row.cells[at].as_str());
            let name: Vec<_> = about.iter().map(|at| row.cells[*at].as_str()).collect();
            for column in self.values {
                let Ok(value) = cell(place(column)).parse::<f64>() else { continue };
                let found = (cell(date).to_owned(), value, cell(source).to_owned());
                let entry = newest.entry((name.join("/"), *column));
                let best = entry.or_insert_with(|| found.clone());
                // If two rows have the same day, the later one in the file counts.
                if found.0 >= best.0 {
                    *best = found;
                }
            }
        }
        newest
    }
}
