//! A bill of materials in `CycloneDX` 1.7 with the environmental considerations of its model card.

use flopcast_core::diagnostic::Result;
use serde_json::{Value, json};

use super::{
    Activity, VERSION, activities, covers, day, forecast, object, pretty, single, slug, subject,
    words,
};
use crate::Report;

/// The document: energy in kWh of the facility, CO2e in tonnes of the location-based method, and
/// which of both is a forecast.
///
/// # Errors
/// If there are several scenarios, or no energy is known.
pub fn document(reports: &[Report]) -> Result<String> {
    let report = single(reports, "a bill of materials")?;
    let activities = activities(report)?;
    let consumptions: Vec<Value> =
        activities.iter().map(|activity| consumption(report, activity)).collect();
    let tool = json!({"type": "application", "name": "flopcast", "version": VERSION});
    let model = json!({
        "type": "machine-learning-model",
        "bom-ref": slug(&subject(report)),
        "name": subject(report),
        "modelCard": {
            "considerations": {
                "environmentalConsiderations": {
                    "energyConsumptions": consumptions,
                    "properties": [property("flopcast:basis", &forecast())],
                },
            },
        },
    });
    Ok(pretty(&json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.7.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.7",
        "version": 1,
        "metadata": {
            "timestamp": format!("{}T00:00:00Z", day(report)),
            "tools": {"components": [tool]},
        },
        "components": [model],
    })))
}

/// The energy and the carbon of one activity.
fn consumption(report: &Report, activity: &Activity) -> Value {
    let card = report.card.as_ref();
    let kind = match (activity.training, card.is_some_and(|card| card.adapts)) {
        (true, true) => "fine-tuning",
        (true, false) => "training",
        (false, _) => "inference",
    };
    let energy = json!({"value": activity.energy, "unit": "kWh"});
    // Nobody says what the grid's electricity is made of, only what it emits.
    let place =
        card.filter(|_| activity.training).and_then(flopcast_core::estimate::plan::Card::place);
    let provider = json!({
        "organization": {"name": words(place.as_deref().unwrap_or("the grid"))},
        "energySource": "unknown",
        "energyProvided": energy,
    });
    object([
        ("activity", Some(json!(kind))),
        ("energyProviders", Some(json!([provider]))),
        ("activityEnergyCost", Some(energy)),
        ("co2CostEquivalent", activity.co2e.map(|kg| json!({"value": kg / 1e3, "unit": "tCO2eq"}))),
        (
            "properties",
            Some(json!([
                property("flopcast:covers", covers(activity)),
                property("flopcast:co2e", "location-based"),
            ])),
        ),
    ])
}

/// A property, which the format keeps for what it has no field for.
fn property(name: &str, value: &str) -> Value {
    json!({"name": name, "value": words(value)})
}
