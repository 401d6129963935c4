//! Statements in forms that others ask for: the carbon of a model card on the Hub, the statement of
//! a software carbon intensity.

use std::fmt::Write as _;

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::Id;
use serde_json::json;

use super::Report;
use crate::doc::{Block, Cell, Column, Doc, Grid};
use crate::render::markdown;
use crate::text::visible;

/// The metadata of a Hugging Face model card (`co2_eq_emissions`), in grams of location-based CO2e.
///
/// # Errors
/// If there are several scenarios, the scenario trains nothing, or the carbon is unknown.
pub fn model_card(reports: &[Report]) -> Result<String> {
    let report = single(reports, "a model card")?;
    let none = || Error::input("the scenario trains nothing, so there is nothing for a model card");
    let card = report.card.as_ref().ok_or_else(none)?;
    let figure = report.figure(Id::LocationCo2e).ok_or_else(none)?;
    let kg = figure.value().ok_or_else(|| {
        let why = figure.unknown().map_or("", |unknown| unknown.why.as_str());
        Error::input(format!("the CO2e of the training is unknown: {why}"))
    })?;
    let quoted = |text: &str| json!(visible(text)).to_string();
    let source = format!(
        "forecast by flopcast {}: location-based electricity of \"{}\"",
        env!("CARGO_PKG_VERSION"),
        report.name
    );
    let mut text = format!(
        "---\nco2_eq_emissions:\n  emissions: {:.0}\n  source: {}\n  training_type: {}\n",
        1e3 * kg,
        quoted(&source),
        quoted(card.training_type)
    );
    if let Some(place) = &card.place {
        let _ = writeln!(text, "  geographical_location: {}", quoted(place));
    }
    let _ = writeln!(text, "  hardware_used: {}\n---", quoted(&card.hardware));
    Ok(text)
}

/// A sentence for the methods of a paper: time, energy and carbon of the training, on which devices
/// and where, as far as they are known; `None` where nothing is trained or its time is unknown.
pub fn sentence(report: &Report) -> Option<String> {
    let card = report.card.as_ref()?;
    let shown = |id: Id| {
        let figure = report.figure(id)?;
        figure.value().map(|_| figure.short().join(" "))
    };
    let mut text = format!("We estimate that training took {}", shown(Id::DeviceHours)?);
    let _ = write!(text, " on {}", card.hardware);
    if let Some(place) = &card.place {
        let _ = write!(text, " in {place}");
    }
    if let Some(energy) = shown(Id::FacilityEnergy) {
        let _ = write!(text, ", drew {energy} with the overhead of the site");
    }
    if let Some(mass) = shown(Id::LocationCo2e) {
        let _ = write!(text, " and emitted {mass}, location-based");
    }
    let dates: Vec<String> =
        report.dates.iter().map(|(what, on)| format!("{} {on}", what.replace('_', " "))).collect();
    let dated = if dates.is_empty() { String::new() } else { format!("; {}", dates.join(", ")) };
    let _ = write!(text, " (flopcast {}{dated}).", env!("CARGO_PKG_VERSION"));
    Some(visible(&text))
}

/// The terms of SCI = (E x I + M) per R (ISO/IEC 21031) as Markdown, as far as the scenario says
/// them.
///
/// # Errors
/// If there are several scenarios.
pub fn sci(reports: &[Report]) -> Result<String> {
    let report = single(reports, "a statement")?;
    let mut doc = Doc::titled(format!("Software carbon intensity: {}", report.name));
    doc.push(Block::Text(format!(
        "SCI = (E x I + M) per R, ISO/IEC 21031. E is facility energy, I the location-based \
         intensity of the grid, M the embodied share, middle estimate; contracts and certificates \
         do not enter. A forecast by flopcast {}.",
        env!("CARGO_PKG_VERSION")
    )));
    let mut terms = Grid::new([Column::words("term"), Column::quantities("value")]);
    for figure in &report.figures {
        if let Some(label) = figure.term() {
            terms.push([Cell::text(label), Cell::text(figure.shown())]);
        }
    }
    let units = report.inputs.iter().filter(|step| step.name.as_deref() == Some("functional_unit"));
    for unit in units {
        terms.push([Cell::text("R, the functional unit"), Cell::text(unit.shown())]);
    }
    doc.push_some(Block::Grid(terms));
    doc.push(Block::Text(
        "Boundary: the accelerators and their hosts, with cooling and losses (PUE). Networks of \
         users, storage and the training of other models are outside."
            .to_owned(),
    ));
    Ok(markdown::text(&doc))
}

/// The one report.
///
/// # Errors
/// If there are several.
fn single<'a>(reports: &'a [Report], what: &str) -> Result<&'a Report> {
    match reports {
        [report] => Ok(report),
        _ => Err(Error::input(format!("{what} is about one scenario"))),
    }
}
