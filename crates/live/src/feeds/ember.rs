//! The yearly carbon intensity of every country, over the life cycle, in gCO2e/kWh.
//!
//! Asked is `/v1/carbon-intensity/yearly` for the last three years and this one.

use chrono::Datelike;
use flopcast_core::catalog::GridBasis;
use flopcast_core::diagnostic::Result;
use serde::Deserialize;

use super::super::number::Number;
use super::super::sheet::Sheet;
use super::super::transport::{Answer, Request};
use super::Session;

/// An answer.
#[derive(Deserialize)]
struct Years {
    data: Vec<Year>,
}

/// A country and year.
#[derive(Deserialize)]
struct Year {
    /// ISO 3166 alpha-3; none for aggregates.
    entity_code: Option<String>,
    #[serde(default)]
    is_aggregate_entity: bool,
    /// The year.
    date: String,
    /// Mean of the year, in gCO2e/kWh.
    emissions_intensity_gco2_per_kwh: Number,
}

/// The last years of every country; aggregates are left out.
///
/// # Errors
/// If the server fails, or answers in another form.
pub(super) fn read(session: &Session<'_>, _: &str) -> Result<Answer<Sheet>> {
    let year = session.now.year();
    let request = Request {
        path: "/v1/carbon-intensity/yearly".to_owned(),
        query: vec![("start_date", (year - 3).to_string()), ("end_date", year.to_string())],
        ..Request::default()
    };
    let answer: Years = session.server.fresh(&request)?;
    let columns = &["zone", "year", "gco2e_per_kwh", "basis"];
    let mut sheet = Sheet::new("regions/grid.csv", 2, columns);
    for row in answer.data.iter().filter(|row| !row.is_aggregate_entity) {
        let code = row.entity_code.as_deref().filter(|code| code.len() == 3);
        let intensity = row.emissions_intensity_gco2_per_kwh.positive();
        let (Some(code), Some(intensity)) = (code, intensity) else { continue };
        let year = row.date.chars().take(4).collect();
        let basis = GridBasis::LifeCycle.name().to_owned();
        sheet.row(vec![code.to_owned(), year, intensity.to_string(), basis]);
    }
    Ok(Answer::New(sheet, None))
}
