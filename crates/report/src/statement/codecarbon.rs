//! The run as a row of the `emissions.csv` of `CodeCarbon` 3, for tools that read those.

use chrono::{Days, NaiveDate};
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::Id;

use super::{VERSION, day, single, slug, trained};
use crate::Report;
use crate::render::csv::Writer;

/// The columns, in the order of version 3.3.
const COLUMNS: &[&str] = &[
    "timestamp",
    "project_name",
    "run_id",
    "experiment_id",
    "duration",
    "emissions",
    "emissions_rate",
    "cpu_power",
    "gpu_power",
    "ram_power",
    "cpu_energy",
    "gpu_energy",
    "ram_energy",
    "energy_consumed",
    "water_consumed",
    "country_name",
    "country_iso_code",
    "region",
    "cloud_provider",
    "cloud_region",
    "os",
    "python_version",
    "codecarbon_version",
    "cpu_count",
    "cpu_model",
    "gpu_count",
    "gpu_model",
    "longitude",
    "latitude",
    "ram_total_size",
    "tracking_mode",
    "cpu_utilization_percent",
    "gpu_utilization_percent",
    "ram_utilization_percent",
    "ram_used_gb",
    "on_cloud",
    "pue",
    "wue",
];

/// The row: seconds, kgCO2e, kWh with the PUE in it, as the tool writes them. What it meters apart
/// (processor, memory, accelerator) a forecast has as one, so those columns are empty;
/// `codecarbon_version` says that nothing was metered.
///
/// # Errors
/// If there are several scenarios, the scenario trains nothing, or neither its time nor its energy
/// is known.
pub fn emissions(reports: &[Report]) -> Result<String> {
    let report = single(reports, "a row of CodeCarbon")?;
    let card = trained(report, "a row of CodeCarbon")?;
    let value = |id: Id| report.figure(id).and_then(flopcast_core::estimate::Figure::value);
    let seconds = value(Id::WallClock).map(|days| 86_400.0 * days);
    let facility = value(Id::FacilityEnergy);
    if seconds.is_none() && facility.is_none() {
        return Err(Error::input("neither the time nor the energy of the training is known")
            .hint("give `training.hardware.count` and `placement.region`"));
    }
    let number = |value: Option<f64>| value.map(|it| it.to_string()).unwrap_or_default();
    let pue = facility.zip(value(Id::ItEnergy)).map(|(facility, it)| facility / it);
    let kg = value(Id::LocationCo2e);
    let cloud = card.provider.as_deref().filter(|name| *name != "owned");
    let place = |name: Option<&str>| cloud.and(name).unwrap_or_default().to_owned();
    let cell = |column: &str| match column {
        "timestamp" => format!("{}T00:00:00", last_day(report, seconds)),
        "project_name" => report.name.clone(),
        "run_id" | "experiment_id" => format!("flopcast-{}", slug(&report.name)),
        "duration" => number(seconds),
        "emissions" => number(kg),
        // A run of no time has no rate.
        "emissions_rate" => {
            let timed = kg.zip(seconds).filter(|(_, seconds)| *seconds > 0.0);
            number(timed.map(|(kg, seconds)| kg / seconds))
        }
        "energy_consumed" => number(facility),
        "water_consumed" => number(value(Id::WaterOnSite)),
        "country_iso_code" => card.country.clone().unwrap_or_default(),
        "cloud_provider" => place(cloud),
        "cloud_region" => place(card.region.as_deref()),
        "codecarbon_version" => format!("none: forecast by flopcast {VERSION}"),
        "gpu_count" => number(value(Id::TrainingDevices)),
        "gpu_model" => card.hardware(),
        "tracking_mode" => "machine".to_owned(),
        "on_cloud" => if cloud.is_some() { "Y" } else { "N" }.to_owned(),
        "pue" => number(pue.filter(|pue| pue.is_finite())),
        _ => String::new(),
    };
    let cells: Vec<String> = COLUMNS.iter().map(|column| cell(column)).collect();
    let mut out = Writer::default();
    out.record(COLUMNS.iter().copied());
    out.record(cells.iter().map(String::as_str));
    Ok(out.text())
}

/// The day on which the run ends; that of the data where nobody says when it starts.
fn last_day(report: &Report, seconds: Option<f64>) -> NaiveDate {
    let days = seconds.map_or(0, |seconds| (seconds / 86_400.0) as u64);
    let end = report.start.and_then(|start| start.checked_add_days(Days::new(days)));
    end.unwrap_or_else(|| day(report))
}
