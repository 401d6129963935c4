//! Logs as tables: comma or bar between cells, columns in any order, found by name.

use std::collections::BTreeMap;

use flopcast_core::diagnostic::{Error, Result};

/// A log with a header. Its rows are read one by one, as often as they are asked for, so that a log
/// takes no more memory than its text.
#[derive(Debug)]
pub(super) struct Table<'a> {
    text: &'a str,
    columns: BTreeMap<String, usize>,
}

/// One row.
#[derive(Clone, Debug)]
pub(super) struct Row<'a> {
    columns: &'a BTreeMap<String, usize>,
    record: csv::StringRecord,
}

/// The longest line in bytes. A longer one is of no table, and its cells alone would take memory.
const LONGEST_LINE: usize = 1 << 20;

impl<'a> Table<'a> {
    /// Reads a log with a header; it must have rows.
    ///
    /// # Errors
    /// If the text is no table, has no rows, or has a line that is too long.
    pub(super) fn read(text: &'a str) -> Result<Self> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.lines().any(|line| line.len() > LONGEST_LINE) {
            return Err(Error::input("a line of the log is longer than 1 MiB")
                .hint("a log has a line for each sample, job or charge"));
        }
        let mut reader = reader(text);
        let fault = |error: csv::Error| Error::input(format!("the log cannot be read: {error}"));
        let header = reader.headers().map_err(fault)?;
        // The header `power.draw [W]` names a unit that the cells repeat.
        let name = |column: &str| column.split(" [").next().unwrap_or_default().to_owned();
        let columns = header.iter().enumerate().map(|(i, column)| (name(column), i)).collect();
        let (mut record, mut rows) = (csv::StringRecord::new(), 0_u64);
        while reader.read_record(&mut record).map_err(fault)? {
            rows += 1;
        }
        if rows == 0 {
            return Err(Error::input("the log has no rows"));
        }
        Ok(Self { text, columns })
    }

    /// True if the log has the column.
    pub(super) fn has(&self, column: &str) -> bool {
        self.columns.contains_key(column)
    }

    /// The rows below the header.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        // Each was read before, without a fault.
        let records = reader(self.text).into_records().filter_map(Result::ok);
        records.map(|record| Row { columns: &self.columns, record })
    }
}

/// A reader of the cells, which bars part where the header has no comma.
fn reader(text: &str) -> csv::Reader<&[u8]> {
    let header = text.lines().next().unwrap_or_default();
    let bars = header.contains('|') && !header.contains(',');
    csv::ReaderBuilder::new()
        .delimiter(if bars { b'|' } else { b',' })
        .quoting(!bars)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes())
}

impl Row<'_> {
    /// The text of a cell; `None` if the log has no such column or marks the cell as unknown.
    pub(super) fn text(&self, column: &str) -> Option<&str> {
        let text = self.record.get(*self.columns.get(column)?)?;
        let gap = ["", "[N/A]", "N/A", "[Not Supported]", "null", "NULL", "Unknown"];
        (!gap.contains(&text)).then_some(text)
    }

    /// A number that is not below zero, with or without its unit: `312.45 W`.
    ///
    /// # Errors
    /// If it is below zero or no number.
    pub(super) fn number(&self, column: &str) -> Result<Option<f64>> {
        let value = self.signed(column)?;
        if value.is_some_and(|value| value < 0.0) {
            return Err(self.error(column, "is below zero"));
        }
        Ok(value)
    }

    /// A number that may be below zero, such as a credit.
    ///
    /// # Errors
    /// If it is no number.
    pub(super) fn signed(&self, column: &str) -> Result<Option<f64>> {
        let Some(text) = self.text(column) else { return Ok(None) };
        let number = text.split_whitespace().next().unwrap_or_default().parse::<f64>().ok();
        let number = number.filter(|value| value.is_finite() && value.abs() < 1e18);
        number.map(Some).ok_or_else(|| self.error(column, "is not a number"))
    }

    /// An error about a cell, with its line.
    pub(super) fn error(&self, column: &str, what: &str) -> Error {
        let line = self.record.position().map_or(0, csv::Position::line);
        let text: String = self.text(column).unwrap_or_default().chars().take(60).collect();
        Error::input(format!("line {line}: `{text}` in `{column}` {what}"))
    }
}

/// A sum that is unknown as soon as one part is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sum(Option<f64>);

impl Sum {
    /// The sum of nothing, which is 0.
    pub(super) fn new() -> Self {
        Self(Some(0.0))
    }

    /// Adds a part; an unknown part makes the sum unknown for good.
    pub(super) fn add(&mut self, part: Option<f64>) {
        self.0 = self.0.zip(part).map(|(sum, part)| sum + part);
    }

    /// The sum, if it is known and above zero.
    pub(super) fn positive(self) -> Option<f64> {
        self.0.filter(|sum| *sum > 0.0)
    }
}
