//! Rows as CSV: the only writer of it.
//!
//! Numbers have all their digits; what is not known is an empty cell. A text that a spreadsheet
//! would take for a formula gets a quotation mark before it.

use std::borrow::Cow;

use crate::doc::{Cell, Doc, Grid};
use crate::text::visible_lines;

/// The rows of a document as CSV; several tables have an empty line between them.
pub fn text(doc: &Doc) -> String {
    let grids: Vec<&Grid> = crate::render::json::grids(doc).collect();
    let tables = grids.into_iter().map(|grid| {
        let mut out = Writer::default();
        out.record(grid.columns.iter().map(|column| column.key.as_str()));
        grid.rows.iter().for_each(|row| out.cells(row));
        out.text()
    });
    tables.collect::<Vec<_>>().join("\n")
}

/// One row of texts that are ready to be written, such as a heading.
pub fn record<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let mut out = Writer::default();
    out.record(cells);
    out.text()
}

/// One row of cells, numbers with all their digits.
pub fn row(cells: &[Cell]) -> String {
    let mut out = Writer::default();
    out.cells(cells);
    out.text()
}

/// A table in the making.
pub(crate) struct Writer(csv::Writer<Vec<u8>>);

impl Default for Writer {
    fn default() -> Self {
        Self(csv::Writer::from_writer(Vec::new()))
    }
}

impl Writer {
    /// A row of texts.
    pub(crate) fn record<'a>(&mut self, cells: impl IntoIterator<Item = &'a str>) {
        // Writing into memory does not fail.
        let cells = cells.into_iter().map(guarded);
        let _ = self.0.write_record(cells.map(|cell| cell.into_owned().into_bytes()));
    }

    /// Adds a row of cells.
    fn cells(&mut self, cells: &[Cell]) {
        let cells = cells.iter().map(|cell| match cell {
            Cell::Text(text) | Cell::Said { text, .. } => guarded(text),
            cell => Cow::Owned(cell.plain()),
        });
        let _ = self.0.write_record(cells.map(|cell| cell.into_owned().into_bytes()));
    }

    /// The text that was written so far.
    pub(crate) fn text(self) -> String {
        let bytes = self.0.into_inner().unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// A text that no spreadsheet takes for a formula (OWASP, CSV injection). A number in words stays
/// one, and a sign alone is none.
fn guarded(text: &str) -> Cow<'_, str> {
    let starts = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if !starts && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let harmless = matches!(text, "+" | "-") || text.parse::<f64>().is_ok_and(f64::is_finite);
    // Line breaks and tabs are at home in a cell; what acts on a terminal is not.
    let text: String = text.split('\r').map(visible_lines).collect::<Vec<_>>().join("\r");
    Cow::Owned(if starts && !harmless { format!("'{text}") } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doc::Column;

    #[test]
    fn formulas_get_a_mark_and_numbers_none() {
        for (text, expected) in [
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
            ("-2+3", "'-2+3"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("-5.5e3", "-5.5e3"),
            ("-", "-"),
            ("plain", "plain"),
            ("a=b", "a=b"),
            ("x\u{1b}[2J", "x\\u{1b}[2J"),
        ] {
            assert_eq!(guarded(text), expected);
        }
    }

    #[test]
    fn a_gap_is_no_zero_and_a_negative_number_no_text() {
        let mut grid = Grid::new([Column::words("name"), Column::numbers("value")]);
        grid.push(["=a, b".into(), Cell::number(-1234.5)]);
        grid.push(["c".into(), Cell::Unknown]);
        let doc = Doc { rows: Some(grid), ..Doc::default() };
        assert_eq!(text(&doc), "name,value\n\"'=a, b\",-1234.5\nc,\n");
    }
}
