//! The report as a workbook with live formulas: change a price or the PUE, and the totals move.
//!
//! The formulas are the derivations that the estimate recorded, written in the notation of a
//! spreadsheet, so the workbook cannot compute anything else than flopcast did. Each cell also
//! carries flopcast's own value for readers that do not recalculate. Inputs are cells with names; a
//! calculation sheet holds the steps in stored units, and the figures convert from there.

mod book;
mod buy;
mod money;
mod names;
mod sheets;

use flopcast_core::diagnostic::{Error, Result};
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Workbook, XlsxError};

use super::Report;

/// The workbook of one scenario as bytes; the same report gives the same bytes.
///
/// # Errors
/// If there are several scenarios.
pub fn workbook(reports: &[Report]) -> Result<Vec<u8>> {
    let [report] = reports else {
        return Err(Error::input("a workbook holds one scenario")
            .hint("write one .xlsx per scenario; an .html page shows several"));
    };
    build(report).map_err(|error| Error::input(format!("the workbook could not be made: {error}")))
}

/// Builds the workbook in memory.
fn build(report: &Report) -> std::result::Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    // A date of now would change the bytes.
    let created = ExcelDateTime::from_ymd(2000, 1, 1)?;
    let properties = DocProperties::new().set_title(&report.name).set_creation_datetime(&created);
    book.set_properties(&properties);
    sheets::write(report, &mut book)?;
    book.save_to_buffer()
}
