//! Documents in forms that others prescribe, each filed as it is: a file per form.
//!
//! | form | prescribed by |
//! |---|---|
//! | [`card`] | the model card of the Hugging Face Hub |
//! | [`sci`] | ISO/IEC 21031, software carbon intensity |
//! | [`eu`] | Regulation (EU) 2024/1689, Annex XI, and the guidelines C(2025) 7719 |
//! | [`spdx`] | SPDX 3.0.1, AI profile |
//! | [`cyclonedx`] | `CycloneDX` 1.7, environmental considerations |
//! | [`ghg`] | the GHG Protocol and ESRS E1: emissions by scope |
//! | [`boamps`] | `BoAmps`, Boavizta's report of the energy of a task |
//! | [`codecarbon`] | the `emissions.csv` of `CodeCarbon` 3 |
//! | [`paper`] | a paper: a sentence in LaTeX, and BibTeX |
//!
//! A form has no place for "this is a forecast"; each says so where it has room for words. No form
//! gets a figure that is unknown: the place stays empty where it may, else there is no document.

pub mod boamps;
pub mod card;
pub mod codecarbon;
pub mod cyclonedx;
pub mod eu;
pub mod ghg;
pub mod paper;
pub mod sci;
pub mod spdx;

use std::fmt::Write as _;

use chrono::NaiveDate;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::plan::Card;
use flopcast_core::estimate::{Id, Place};
use serde_json::{Map, Value, json};

use super::Report;
use crate::text::{self, visible};

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

/// The facts of the scenario's training.
///
/// # Errors
/// If it trains nothing.
fn trained<'a>(report: &'a Report, what: &str) -> Result<&'a Card> {
    report.card.as_ref().ok_or_else(|| {
        Error::input(format!("the scenario trains nothing, so there is nothing for {what}"))
    })
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
    let _ = write!(text, " on {}", card.hardware());
    if let Some(place) = card.place() {
        let _ = write!(text, " in {place}");
    }
    if let Some(energy) = shown(Id::FacilityEnergy) {
        let _ = write!(text, ", drew {energy} with the overhead of the site");
    }
    if let Some(mass) = shown(Id::LocationCo2e) {
        let _ = write!(text, " and emitted {mass}, location-based");
    }
    let dates = text::dates(&report.dates);
    let dated = if dates.is_empty() { dates } else { format!("; {dates}") };
    let _ = write!(text, " (flopcast {VERSION}{dated}).");
    Some(visible(&text))
}

/// The version of flopcast that forecasts.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a figure of these documents is.
fn forecast() -> String {
    format!("forecast by flopcast {VERSION} before the run, not a measurement")
}

/// The energy of one activity and its location-based CO2e.
struct Activity {
    training: bool,
    /// Facility energy in kWh.
    energy: f64,
    /// In kgCO2e; `None` if it is unknown.
    co2e: Option<f64>,
}

/// Training and the first year of service, each if its energy is known.
///
/// # Errors
/// If neither is.
fn activities(report: &Report) -> Result<Vec<Activity>> {
    let at = |training: bool| {
        let place = if training { Place::Training } else { Place::Year(1) };
        let value = |id: Id| report.figure(id.at(place.clone()))?.value();
        let energy = value(Id::FacilityEnergy)?;
        Some(Activity { training, energy, co2e: value(Id::LocationCo2e) })
    };
    let known: Vec<_> = [true, false].into_iter().filter_map(at).collect();
    if known.is_empty() {
        let unknown = report.figures.iter().filter(|figure| figure.key.id == Id::FacilityEnergy);
        let why = unknown.filter_map(|figure| figure.unknown()).map(|unknown| &*unknown.why).next();
        let why = why.unwrap_or("the scenario neither trains nor serves");
        return Err(Error::input(format!("the energy is unknown: {why}")));
    }
    Ok(known)
}

/// What the energy of an activity covers.
fn covers(activity: &Activity) -> &'static str {
    if activity.training {
        "the whole training run: accelerators, hosts, cooling and losses"
    } else {
        "the first year of service: accelerators, hosts, cooling and losses"
    }
}

/// The name of the model, or of the scenario where it trains none.
fn subject(report: &Report) -> String {
    visible(report.card.as_ref().map_or(&report.name, |card| &card.model))
}

/// The day that a document is of: that of the newest data in it. Nothing here reads a clock, so
/// the same forecast gives the same document.
fn day(report: &Report) -> NaiveDate {
    let dates = report.dates.iter().filter_map(|(_, date)| date.parse().ok());
    dates.max().or(report.start).unwrap_or_default()
}

/// A text as a part of an identifier: letters, digits, `.` and `-`.
fn slug(text: &str) -> String {
    let kept =
        |c: char| if c.is_ascii_alphanumeric() || c == '.' { c.to_ascii_lowercase() } else { '-' };
    let text: String = text.chars().map(kept).collect();
    let words: Vec<&str> = text.split('-').filter(|word| !word.is_empty()).collect();
    if words.is_empty() { "model".to_owned() } else { words.join("-") }
}

/// A number with two significant digits, as regulators ask for it: `3.2e23`, `1300`.
fn two_digits(value: f64) -> String {
    let short = format!("{value:.1e}");
    let plain = value == 0.0 || (0.01..1e6).contains(&value.abs());
    short.parse().ok().filter(|_| plain).map_or(short, |it: f64| it.to_string())
}

/// An object of the fields that are known.
fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let known = fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Object(known.collect::<Map<_, _>>())
}

/// JSON in lines, as people read it too.
fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// The words as a JSON value, in which nothing acts on a terminal.
fn words(text: &str) -> Value {
    json!(visible(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_digits_are_two() {
        for (value, expected) in [
            (3.143e23, "3.1e23"),
            (1287.0, "1300"),
            (0.5243, "0.52"),
            (9.96, "10"),
            (174_597_906_432.0, "1.7e11"),
            (0.0, "0"),
        ] {
            assert_eq!(two_digits(value), expected);
        }
    }

    #[test]
    fn a_slug_fits_an_identifier() {
        for (text, expected) in
            [("GPT-3 175B, a run", "gpt-3-175b-a-run"), ("é/..", ".."), ("", "model")]
        {
            assert_eq!(slug(text), expected);
        }
    }
}
