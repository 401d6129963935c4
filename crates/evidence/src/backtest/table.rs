//! A table of published figures: CSV with a header; columns in any order, empty cells unknown.

use std::collections::BTreeMap;

use flopcast_core::diagnostic::{Error, Result};

/// The rows of a table.
#[derive(Clone, Debug)]
pub struct Table {
    columns: BTreeMap<String, usize>,
    rows: Vec<csv::StringRecord>,
    also: Option<Box<Joined>>,
}

/// Rows of another table, found by a column that both have.
#[derive(Clone, Debug)]
struct Joined {
    key: &'static str,
    table: Table,
    by_key: BTreeMap<String, usize>,
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    table: &'a Table,
    record: &'a csv::StringRecord,
    /// Number of the line's record, the header being 1.
    pub number: usize,
}

impl Table {
    /// Reads the text of a CSV file.
    ///
    /// # Errors
    /// Not CSV, or without the column `id`.
    pub fn read(text: &str) -> Result<Self> {
        let table = Self::parse(text)?;
        if !table.columns.contains_key("id") {
            return Err(Error::input("the table has no column `id`")
                .hint("the columns are described in docs/backtest.md"));
        }
        Ok(table)
    }

    /// Adds the columns of another table: a row finds its cells there by the column `key`.
    ///
    /// # Errors
    /// The other text is no CSV.
    pub fn join(self, text: &str, key: &'static str) -> Result<Self> {
        let table = Self::parse(text)?;
        let rows = table.rows().enumerate();
        let by_key = rows.filter_map(|(i, row)| Some((row.text(key)?.to_owned(), i))).collect();
        Ok(Self { also: Some(Box::new(Joined { key, table, by_key })), ..self })
    }

    /// Reads the header and the rows.
    fn parse(text: &str) -> Result<Self> {
        let mut reader = csv::ReaderBuilder::new()
            .flexible(true)
            .comment(Some(b'#'))
            .from_reader(text.as_bytes());
        let faulty = |error: csv::Error| Error::input(format!("this is no CSV table: {error}"));
        let header = reader.headers().map_err(faulty)?.clone();
        let columns: BTreeMap<_, _> =
            header.iter().enumerate().map(|(i, name)| (name.trim().to_owned(), i)).collect();
        let rows = reader.records().collect::<Result<_, _>>().map_err(faulty)?;
        Ok(Self { columns, rows, also: None })
    }

    /// True if it has a column.
    pub fn has(&self, column: &str) -> bool {
        self.columns.contains_key(column)
    }

    /// The rows in order.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let rows = self.rows.iter().enumerate();
        rows.map(|(i, record)| Row { table: self, record, number: i + 2 })
    }
}

impl<'a> Row<'a> {
    /// The text of a cell, or of the joined table's where it is empty; `None` where both are or the
    /// column is missing.
    pub fn text(&self, column: &str) -> Option<&'a str> {
        if let Some(&index) = self.table.columns.get(column) {
            let cell = self.record.get(index).unwrap_or_default().trim();
            if !cell.is_empty() {
                return Some(cell);
            }
        }
        // The key itself stands in this table alone.
        let also = self.table.also.as_ref().filter(|also| also.key != column)?;
        let index = *also.by_key.get(self.text(also.key)?)?;
        let record = also.table.rows.get(index)?;
        Row { table: &also.table, record, number: self.number }.text(column)
    }

    /// The row's name.
    pub fn id(&self) -> String {
        self.text("id").map_or_else(|| format!("row {}", self.number), str::to_owned)
    }

    /// A number; `None` where the cell is empty.
    ///
    /// # Errors
    /// The cell is no finite number.
    pub fn number(&self, column: &str) -> Result<Option<f64>> {
        let Some(text) = self.text(column) else { return Ok(None) };
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Some(number)),
            _ => Err(self.error(column, &format!("`{text}` is no number"))),
        }
    }

    /// A number that the row cannot do without.
    ///
    /// # Errors
    /// The cell is empty, or no number.
    pub fn required(&self, column: &str) -> Result<f64> {
        self.number(column)?.ok_or_else(|| self.error(column, "empty"))
    }

    /// A count that the row cannot do without.
    ///
    /// # Errors
    /// The cell is empty, or no whole number of at least 1.
    pub fn count(&self, column: &str) -> Result<u64> {
        self.whole(column, self.required(column)?)
    }

    /// A count, or another where the cell is empty.
    ///
    /// # Errors
    /// The cell is no whole number of at least 1.
    pub fn count_or(&self, column: &str, other: u64) -> Result<u64> {
        self.number(column)?.map_or(Ok(other), |number| self.whole(column, number))
    }

    /// A count that may be 0, and is where the cell is empty.
    ///
    /// # Errors
    /// The cell is no whole number.
    pub fn count_or_none(&self, column: &str) -> Result<u64> {
        match self.number(column)? {
            None | Some(0.0) => Ok(0),
            Some(number) => self.whole(column, number),
        }
    }

    /// A number as a whole one of at least 1.
    ///
    /// # Errors
    /// If it is none.
    fn whole(&self, column: &str, number: f64) -> Result<u64> {
        if number >= 1.0 && number.fract() == 0.0 && number < 1e18 {
            Ok(number as u64)
        } else {
            Err(self.error(column, &format!("{number} is no whole number of at least 1")))
        }
    }

    /// An error about a cell of this row.
    pub fn error(&self, column: &str, what: &str) -> Error {
        Error::input(format!("row {} (`{}`), column `{column}`: {what}", self.number, self.id()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_found_by_column_and_errors_name_them() {
        let table = Table::read("n,id,x\n8,a,\n0.5,b,zz\n").expect("a table");
        let rows: Vec<_> = table.rows().collect();
        assert_eq!(rows[0].count("n"), Ok(8));
        assert_eq!(rows[0].number("x"), Ok(None));
        assert_eq!(rows[0].number("nowhere"), Ok(None));
        for (error, message) in [
            (rows[1].count("n"), "row 3 (`b`), column `n`: 0.5 is no whole number"),
            (rows[1].count("x"), "`zz` is no number"),
            (rows[0].count("x"), "empty"),
        ] {
            let error = error.expect_err("faulty").to_string();
            assert!(error.contains(message), "{error}");
        }
        assert!(Table::read("name\nx\n").is_err());
    }

    #[test]
    fn a_joined_table_adds_columns() {
        let table = Table::read("id,model\na,big\nb,new\n").expect("a table");
        let table = table.join("model,layers\nbig,80\n", "model").expect("a table");
        let layers: Vec<_> = table.rows().map(|row| row.count_or_none("layers")).collect();
        assert_eq!(layers, [Ok(80), Ok(0)]);
    }
}
