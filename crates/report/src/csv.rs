//! One row per figure and per row of the ledger: scenario, path, value.

use super::Report;

/// The reports as CSV with a header; an unknown value is an empty cell.
pub fn estimates(reports: &[Report]) -> String {
    let mut out = csv::Writer::from_writer(Vec::new());
    let mut rows = vec![["scenario".to_owned(), "figure".to_owned(), "value".to_owned()]];
    for report in reports {
        let figures = report.figures.iter().map(|figure| (figure.path.clone(), figure.value()));
        let ledger = report.ledger.iter();
        let ledger = ledger.map(|row| (format!("ledger.{}.amount_usd", row.path()), row.amount));
        rows.extend(figures.chain(ledger).map(|(path, value)| {
            [report.name.clone(), path, value.map(|v| v.to_string()).unwrap_or_default()]
        }));
    }
    for row in rows {
        // Writing into memory does not fail.
        let _ = out.write_record(row);
    }
    out.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
