//! The model card of the Hugging Face Hub: the metadata `co2_eq_emissions` that the Hub reads, and
//! the section "Environmental Impact" of its template.

use std::fmt::Write as _;

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::Id;
use serde_json::json;

use super::{VERSION, forecast, single, trained};
use crate::Report;
use crate::doc::{Block, Cell, Column, Doc, Grid};
use crate::render::markdown;
use crate::text::visible;

/// The card: emissions in grams of location-based CO2e, energy in kWh, hours of wall clock, and
/// the same with FLOPs and device-hours in words.
///
/// # Errors
/// If there are several scenarios, the scenario trains nothing, or the carbon is unknown.
pub fn card(reports: &[Report]) -> Result<String> {
    let report = single(reports, "a model card")?;
    let card = trained(report, "a model card")?;
    let figure = report.figure(Id::LocationCo2e);
    let kg = figure.and_then(flopcast_core::estimate::Figure::value).ok_or_else(|| {
        let why = figure.and_then(|figure| figure.unknown());
        let why = why.map_or("", |unknown| unknown.why.as_str());
        Error::input(format!("the CO2e of the training is unknown: {why}"))
    })?;
    let quoted = |text: &str| json!(visible(text)).to_string();
    let source = format!(
        "forecast by flopcast {VERSION}: location-based electricity of \"{}\"",
        report.name
    );
    let mut text = format!("---\nco2_eq_emissions:\n  emissions: {:.0}\n", 1e3 * kg);
    let value = |id: Id| report.figure(id).and_then(flopcast_core::estimate::Figure::value);
    if let Some(energy) = value(Id::FacilityEnergy) {
        let _ = writeln!(text, "  energy_consumed: {energy:.3}");
    }
    let _ = writeln!(text, "  source: {}", quoted(&source));
    let _ = writeln!(text, "  training_type: {}", quoted(card.training_type));
    if let Some(place) = card.place() {
        let _ = writeln!(text, "  geographical_location: {}", quoted(&place));
    }
    let _ = writeln!(text, "  hardware_used: {}", quoted(&card.hardware()));
    if let Some(days) = value(Id::WallClock) {
        let _ = writeln!(text, "  hours_used: {:.3}", 24.0 * days);
    }
    text.push_str("---\n\n");
    text.push_str(&markdown::text(&impact(report)?));
    Ok(text)
}

/// The section "Environmental Impact" of the Hub's template, with what it leaves out.
///
/// # Errors
/// If the scenario trains nothing.
fn impact(report: &Report) -> Result<Doc> {
    let card = trained(report, "a model card")?;
    let mut doc = Doc::default();
    doc.push(Block::Section("Environmental Impact".to_owned()));
    doc.push(Block::Text(format!("A {}; CO2e is location-based.", forecast())));
    let mut grid = Grid::new([Column::words("figure"), Column::quantities("value")]);
    grid.push(["Hardware Type".into(), card.hardware().into()]);
    let named = [("Cloud Provider", &card.provider), ("Compute Region", &card.region)];
    for (label, name) in named {
        if let Some(name) = name {
            grid.push([label.into(), Cell::text(name)]);
        }
    }
    let figures = [
        ("Hours used", Id::DeviceHours),
        ("Wall clock", Id::WallClock),
        ("Training compute", Id::ModelFlops),
        ("Energy, with cooling and losses", Id::FacilityEnergy),
        ("Carbon Emitted", Id::LocationCo2e),
        ("Carbon of the hardware's making", Id::EmbodiedMid),
    ];
    for (label, id) in figures {
        if let Some(figure) = report.figure(id) {
            grid.push([label.into(), Cell::text(figure.shown())]);
        }
    }
    doc.push(Block::Grid(grid));
    Ok(doc)
}
