//! The age of the tables' facts, and the gaps in the tables.
//!
//! A fact is a row, or a group of columns in a row with a source of its own (`grid_source` with
//! `grid_year`). Its age is counted from the start of its period, so that the age of an annual
//! figure is at its highest.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::Catalog;
use super::source::AsOf;

/// The state of one table: rows, age by source, gaps.
#[derive(Clone, Debug)]
pub struct TableHealth {
    /// Its path inside the data folders.
    pub table: &'static str,
    /// Its rows, those of overlays included.
    pub rows: usize,
    /// Its sources, the one with the oldest facts first.
    pub sources: Vec<SourceAge>,
    /// Columns with gaps, and how many, in the order of the table.
    pub gaps: Vec<(String, usize)>,
}

/// The age of the facts from one source.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceAge {
    /// The id of the source.
    pub source: String,
    /// Facts that cite it: rows, or groups of columns in a row.
    pub facts: usize,
    /// The newest fact's date, if its facts are dated.
    pub newest: Option<AsOf>,
    /// The oldest fact's date.
    pub oldest: Option<AsOf>,
    /// Days from the newest fact to the date asked for.
    pub age_days: Option<i64>,
}

impl Catalog {
    /// Ages relative to `on`, and gaps, by table. A fact is dated by its row or, where the row
    /// has no date, by its source.
    pub fn doctor(&self, on: NaiveDate) -> Vec<TableHealth> {
        let texts = self.texts().into_iter();
        texts.map(|(table, texts)| self.examine(table, &texts, on)).collect()
    }

    /// The state of one table: its texts, embedded and laid over, are read anew, so that gaps of
    /// columns that no code reads count too.
    fn examine(&self, table: &'static str, texts: &[&str], on: NaiveDate) -> TableHealth {
        let mut rows = 0;
        let mut gaps: Vec<(String, usize)> = Vec::new();
        let mut facts: BTreeMap<String, Vec<Option<AsOf>>> = BTreeMap::new();
        for text in texts {
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let header: Vec<_> =
                reader.headers().map(|h| h.iter().map(str::to_owned).collect()).unwrap_or_default();
            for name in &header {
                if !gaps.iter().any(|(n, _)| n == name) {
                    gaps.push((name.clone(), 0));
                }
            }
            for record in reader.records().flatten() {
                rows += 1;
                let cells: BTreeMap<&str, &str> =
                    header.iter().map(String::as_str).zip(record.iter()).collect();
                for (column, count) in &mut gaps {
                    *count += usize::from(cells.get(column.as_str()) == Some(&""));
                }
                for (column, ids) in cells.iter().filter(|(c, _)| is_citation(c)) {
                    for id in ids.split_whitespace() {
                        let source = self.source(id).and_then(|s| s.as_of);
                        facts
                            .entry(id.to_owned())
                            .or_default()
                            .push(row_date(&cells, column).or(source));
                    }
                }
            }
        }
        gaps.retain(|(column, count)| *count > 0 && !is_remark(column));
        let mut sources: Vec<_> =
            facts.into_iter().map(|(id, dates)| SourceAge::new(id, &dates, on)).collect();
        sources.sort_by_key(|s| (s.newest, s.source.clone()));
        TableHealth { table, rows, sources, gaps }
    }
}

impl SourceAge {
    /// The ages of one source's facts; facts without a date count, but have no age.
    fn new(source: String, dates: &[Option<AsOf>], on: NaiveDate) -> Self {
        let newest = dates.iter().copied().flatten().max();
        let oldest = dates.iter().copied().flatten().min();
        let age_days = newest.map(|date| date.age_days(on));
        Self { source, facts: dates.len(), newest, oldest, age_days }
    }
}

/// True for columns that name sources: `source`, `grid_source`, `peak_sources`.
pub(super) fn is_citation(column: &str) -> bool {
    column.ends_with("source") || column.ends_with("sources")
}

/// True for columns whose gaps say nothing about the data.
fn is_remark(column: &str) -> bool {
    is_citation(column) || matches!(column, "note" | "reference" | "host_sku" | "sparsity")
}

/// The date of a fact in its row: that of its group (`grid_source`: `grid_year`), or of the row.
fn row_date(cells: &BTreeMap<&str, &str>, column: &str) -> Option<AsOf> {
    let group = column.strip_suffix("source").map(|group| format!("{group}year"));
    let columns = [group.as_deref().unwrap_or(""), "as_of", "month", "period"];
    columns.iter().find_map(|c| AsOf::parse(cells.get(c)?))
}
