//! A bill of materials in SPDX 3.0.1 (JSON-LD) with the energy of its AI profile.

use flopcast_core::diagnostic::Result;
use serde_json::{Value, json};

use super::{
    Activity, VERSION, activities, covers, day, forecast, object, pretty, single, slug, subject,
    words,
};
use crate::Report;

/// The document: an `AIPackage` with `energyConsumption`, in kWh of facility energy. SPDX has no
/// unit of a rate, so that inference is the first year of service, as the comment says.
///
/// # Errors
/// If there are several scenarios, or no energy is known.
pub fn document(reports: &[Report]) -> Result<String> {
    let report = single(reports, "a bill of materials")?;
    let activities = activities(report)?;
    let name = subject(report);
    let base = format!("https://spdx.org/spdxdocs/flopcast-{}", slug(&report.name));
    let id = |part: &str| format!("{base}#{part}");
    let element = |kind: &str, part: &str, name: &str| {
        object([
            ("type", Some(json!(kind))),
            ("spdxId", Some(json!(id(part)))),
            ("creationInfo", Some(json!("_:creation"))),
            ("name", Some(words(name))),
        ])
    };
    let with = |mut element: Value, fields: Value| {
        if let (Value::Object(all), Value::Object(more)) = (&mut element, fields) {
            all.extend(more);
        }
        element
    };
    let graph = json!([
        {
            "type": "CreationInfo",
            "@id": "_:creation",
            "specVersion": "3.0.1",
            "created": format!("{}T00:00:00Z", day(report)),
            "createdBy": [id("author")],
            "createdUsing": [id("flopcast")],
        },
        element("Person", "author", "who runs flopcast"),
        element("Tool", "flopcast", &format!("flopcast-{VERSION}")),
        with(element("ai_AIPackage", "model", &name), package(report, &activities)),
        with(
            element("SpdxDocument", "document", &report.name),
            json!({"profileConformance": ["core", "software", "ai"], "rootElement": [id("model")]}),
        ),
    ]);
    let context = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld";
    Ok(pretty(&json!({"@context": context, "@graph": graph})))
}

/// The properties of the model.
fn package(report: &Report, activities: &[Activity]) -> Value {
    let card = report.card.as_ref();
    let adapts = card.is_some_and(|card| card.adapts);
    let energy = |activity: &Activity| {
        let key = match (activity.training, adapts) {
            (true, true) => "ai_finetuningEnergyConsumption",
            (true, false) => "ai_trainingEnergyConsumption",
            (false, _) => "ai_inferenceEnergyConsumption",
        };
        let described = json!([{
            "type": "ai_EnergyConsumptionDescription",
            "ai_energyQuantity": activity.energy,
            "ai_energyUnit": "kilowattHour",
        }]);
        (key.to_owned(), described)
    };
    let mut consumption = json!({"type": "ai_EnergyConsumption"});
    if let Value::Object(fields) = &mut consumption {
        fields.extend(activities.iter().map(energy));
    }
    let covered: Vec<&str> = activities.iter().map(covers).collect();
    let comment = format!("Energy is a {}. It covers {}.", forecast(), covered.join("; "));
    object([
        ("comment", Some(words(&comment))),
        ("software_primaryPurpose", Some(json!("model"))),
        (
            "ai_informationAboutTraining",
            card.map(|card| {
                words(&format!("{}, {} on {}", card.training_type, card.precision, card.hardware()))
            }),
        ),
        ("ai_energyConsumption", Some(consumption)),
    ])
}
