//! The price of electricity for industry in the states of the USA: JSON, paged by offset, numbers
//! as text.
//!
//! Asked is `/v2/electricity/retail-sales/data/` for the annual `price` of sector `IND`, in cents
//! per kWh; another unit is an error. The sum of the USA is left out.

use chrono::Datelike;
use flopcast_core::diagnostic::Result;
use serde::Deserialize;

use super::super::number::Number;
use super::super::sheet::Sheet;
use super::super::transport::{Answer, Request};
use super::{Pages, Session};

/// An answer.
#[derive(Deserialize)]
struct Page {
    response: Response,
}

/// A page of rows, with the number of all rows.
#[derive(Deserialize)]
struct Response {
    total: Number,
    data: Vec<Row>,
}

/// A state and year.
#[derive(Deserialize)]
struct Row {
    /// The year.
    period: String,
    /// The state's two letters.
    stateid: String,
    /// Cents per kWh.
    price: Number,
    /// The unit of the price, which is checked.
    #[serde(rename = "price-units", default)]
    units: String,
}

/// Rows of an answer.
const LENGTH: usize = 5000;

/// Annual prices of the last years, converted from cents to USD/kWh.
///
/// # Errors
/// If the server fails, or answers in another form, in another unit, or with pages that lead in
/// circles.
pub(super) fn read(session: &Session<'_>, _: &str) -> Result<Answer<Sheet>> {
    let columns = &["zone", "period", "usd_per_kwh", "sector"];
    let mut sheet = Sheet::new("regions/electricity.csv", 2, columns);
    let (mut pages, mut offset) = (Pages::new("eia"), 0);
    loop {
        pages.enter(&offset.to_string())?;
        let request = Request {
            path: "/v2/electricity/retail-sales/data/".to_owned(),
            query: vec![
                ("frequency", "annual".to_owned()),
                ("data%5B0%5D", "price".to_owned()),
                ("facets%5Bsectorid%5D%5B%5D", "IND".to_owned()),
                ("start", (session.now.year() - 3).to_string()),
                ("offset", offset.to_string()),
                ("length", LENGTH.to_string()),
            ],
            ..Request::default()
        };
        let Page { response } = session.server.fresh(&request)?;
        for row in &response.data {
            let state = row.stateid.len() == 2 && row.stateid != "US";
            let Some(price) = row.price.positive().filter(|_| state) else { continue };
            if row.units != "cents per kilowatt-hour" {
                return Err(session.server.failed(&format!("a price is in `{}`", row.units)));
            }
            let zone = format!("US-{}", row.stateid);
            let price = format!("{:.6}", price / 100.0);
            sheet.row(vec![zone, row.period.clone(), price, "industrial".to_owned()]);
        }
        offset += response.data.len();
        // An answer that does not say how many rows there are is read to its empty page.
        let all = response.total.0.is_some_and(|total| offset as f64 >= total);
        if response.data.is_empty() || all {
            return Ok(Answer::New(sheet, None));
        }
    }
}
