//! A report of `BoAmps` (Boavizta) on the energy of a task.

use flopcast_core::diagnostic::Result;
use flopcast_core::estimate::Id;
use serde_json::{Value, json};

use super::{VERSION, activities, day, forecast, object, pretty, single, words};
use crate::Report;

/// The report of the training, or of the first year of service where the scenario trains nothing.
///
/// # Errors
/// If there are several scenarios, or no energy is known.
pub fn report(reports: &[Report]) -> Result<String> {
    let report = single(reports, "a report of BoAmps")?;
    let activities = activities(report)?;
    let activity = &activities[0];
    let card = report.card.as_ref();
    let stage = match (activity.training, card.is_some_and(|card| card.adapts)) {
        (true, true) => "finetuning",
        (true, false) => "training",
        (false, _) => "inference",
    };
    let value = |id: Id| report.figure(id).and_then(flopcast_core::estimate::Figure::value);
    let requests = report.years().first().and_then(|(_, figures)| {
        figures.iter().find(|figure| figure.key.id == Id::YearRequests)?.value()
    });
    let (tokens, samples) = (value(Id::TrainingTokens), value(Id::TrainingSamples));
    let data = object([
        ("dataUsage", Some(json!("input"))),
        (
            "dataType",
            Some(json!(if tokens.is_some() || samples.is_none() { "token" } else { "other" })),
        ),
        ("dataQuantity", tokens.or(samples).map(|count| json!(count))),
    ]);
    let task = object([
        ("taskStage", Some(json!(stage))),
        ("taskFamily", Some(json!(family(report)))),
        ("nbRequest", requests.filter(|_| !activity.training).map(|count| json!(count))),
        ("algorithms", Some(json!([algorithm(report)]))),
        ("dataset", Some(json!([data]))),
        ("taskDescription", Some(words(&format!("{}: {}", report.name, forecast())))),
    ]);
    let seconds =
        value(Id::WallClock).filter(|_| activity.training).map(|days| json!(86_400.0 * days));
    // The power over the time is the energy, in kWh.
    let measure = object([
        ("measurementMethod", Some(words(&forecast()))),
        ("version", Some(json!(VERSION))),
        ("powerConsumption", Some(json!(activity.energy))),
        ("measurementDuration", seconds),
    ]);
    let date = day(report);
    Ok(pretty(&object([
        (
            "header",
            Some(json!({
                "formatVersionSpecificationUri": "https://github.com/Boavizta/BoAmps/tree/main/model",
                "reportDatetime": format!("{date} 00:00:00"),
                "reportStatus": "draft",
                "publisher": {"confidentialityLevel": "internal"},
            })),
        ),
        ("task", Some(task)),
        ("measures", Some(json!([measure]))),
        ("infrastructure", Some(infrastructure(report, activity.training))),
        (
            "environment",
            card.and_then(|card| card.country.as_ref()).map(|country| {
                object([
                    ("country", Some(words(country))),
                    (
                        "location",
                        card.and_then(flopcast_core::estimate::plan::Card::place)
                            .map(|place| words(&place)),
                    ),
                    (
                        "powerSourceCarbonIntensity",
                        activity
                            .co2e
                            .filter(|_| activity.energy > 0.0)
                            .map(|kg| json!(1e3 * kg / activity.energy)),
                    ),
                ])
            }),
        ),
    ])))
}

/// The family of the task.
fn family(report: &Report) -> &'static str {
    match &report.card {
        Some(card) if card.generates => "text generation",
        Some(_) => "other",
        None => "inference",
    }
}

/// The model.
fn algorithm(report: &Report) -> Value {
    let card = report.card.as_ref();
    object([
        ("algorithmName", Some(words(card.map_or(&*report.name, |card| &card.model)))),
        ("parametersNumber", card.map(|card| json!(card.parameters as f64 / 1e9))),
        ("quantization", card.map(|card| json!(card.precision.to_string()))),
    ])
}

/// The devices of the run, or of the fleet.
fn infrastructure(report: &Report, training: bool) -> Value {
    let card = report.card.as_ref().filter(|_| training);
    let fleet = report.figure(Id::FleetDevices).and_then(flopcast_core::estimate::Figure::value);
    let devices = card.map_or(fleet.map(|it| it as u64), |card| card.devices).unwrap_or(1);
    let kind = match card.and_then(|card| card.provider.as_deref()) {
        Some("owned") => "onPremise",
        Some(_) => "publicCloud",
        None => "other",
    };
    object([
        ("infraType", Some(json!(kind))),
        (
            "cloudProvider",
            card.filter(|_| kind == "publicCloud")
                .and_then(|card| card.provider.as_ref().map(|name| words(name))),
        ),
        (
            "components",
            Some(json!([object([
                ("componentName", card.map(|card| words(&card.accelerator))),
                ("componentType", Some(json!("gpu"))),
                ("nbComponent", Some(json!(devices))),
            ])])),
        ),
    ])
}
