//! Carbon intensity hour by hour: Electricity Maps, `WattTime`, Great Britain's operator. Average
//! and marginal figures are rows of different bases and are never mixed.

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use flopcast_core::catalog::GridBasis;
use flopcast_core::diagnostic::Result;
use serde::Deserialize;

use super::super::number::Number;
use super::super::sheet::Sheet;
use super::super::transport::{Answer, Request};
use super::Session;

/// One value of a series: gCO2e/kWh over a number of minutes.
struct Point {
    /// The start of the stretch.
    at: DateTime<Utc>,
    /// Its length.
    minutes: i64,
    /// The mean intensity over it.
    g_per_kwh: f64,
    /// True if it is a forecast.
    forecast: bool,
}

/// Points of a zone as rows of `regions/signals.csv`.
fn sheet(zone: &str, basis: GridBasis, points: impl IntoIterator<Item = Point>) -> Sheet {
    let columns = &["zone", "at", "minutes", "basis", "gco2e_per_kwh", "kind"];
    let mut sheet = Sheet::new("regions/signals.csv", 2, columns);
    for point in points {
        sheet.row(vec![
            zone.to_owned(),
            point.at.format("%FT%TZ").to_string(),
            point.minutes.to_string(),
            basis.name().to_owned(),
            point.g_per_kwh.to_string(),
            if point.forecast { "forecast" } else { "measured" }.to_owned(),
        ]);
    }
    sheet
}

/// An answer of Electricity Maps: a history or a forecast.
#[derive(Deserialize)]
struct History {
    #[serde(alias = "forecast")]
    history: Vec<Hour>,
}

/// An hour of Electricity Maps.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hour {
    datetime: DateTime<Utc>,
    /// Mean of the hour, in gCO2e/kWh.
    #[serde(default)]
    carbon_intensity: Number,
    /// `lifecycle` or `direct`; life-cycle if it is not stated.
    emission_factor_type: Option<String>,
}

/// The last 24 hours of a zone and the forecast, in gCO2e/kWh. The basis is life-cycle unless the
/// service says direct.
///
/// # Errors
/// If the server fails, or answers in another form, or counts emissions of an unknown kind.
pub(super) fn electricity_maps(session: &Session<'_>, zone: &str) -> Result<Answer<Sheet>> {
    let ask = |what: &str| {
        let request = Request {
            path: format!("/v3/carbon-intensity/{what}"),
            query: vec![("zone", zone.to_owned())],
            ..Request::default()
        };
        session.server.fresh::<History>(&request)
    };
    let history = ask("history")?.history;
    let basis = match history.iter().find_map(|hour| hour.emission_factor_type.as_deref()) {
        None | Some("lifecycle") => GridBasis::LifeCycle,
        Some("direct") => GridBasis::Direct,
        Some(other) => {
            let why = format!("it counts `{other}` emissions, which are unknown here");
            return Err(session.server.failed(&why));
        }
    };
    let forecast = ask("forecast")?.history;
    let point = |hour: &Hour, forecast| {
        let g_per_kwh = hour.carbon_intensity.positive()?;
        Some(Point { at: hour.datetime, minutes: 60, g_per_kwh, forecast })
    };
    let points = forecast.iter().filter_map(|hour| point(hour, true));
    let points = points.chain(history.iter().filter_map(|hour| point(hour, false)));
    Ok(Answer::New(sheet(zone, basis, points), None))
}

/// The token of a session with `WattTime`.
#[derive(Deserialize)]
struct Token {
    token: String,
}

/// A forecast of `WattTime`.
#[derive(Deserialize)]
struct Forecast {
    data: Vec<Value>,
    meta: Meta,
}

/// A value of `WattTime`, in lb CO2/MWh.
#[derive(Deserialize)]
struct Value {
    point_time: DateTime<Utc>,
    value: Number,
}

/// The signal and units of a forecast, which are checked.
#[derive(Deserialize)]
struct Meta {
    data_point_period_seconds: i64,
    signal_type: String,
    units: String,
}

/// g/kWh of 1 lb/MWh.
const G_PER_KWH: f64 = 0.453_592_37;

/// The forecast of a region's marginal emissions for 24 hours, converted from lb/MWh.
///
/// # Errors
/// If the server fails, or answers in another form, or with another signal or unit.
pub(super) fn watttime(session: &Session<'_>, region: &str) -> Result<Answer<Sheet>> {
    let login = Request { path: "/login".to_owned(), login: true, ..Request::default() };
    let token: Token = session.server.fresh(&login)?;
    session.server.secrets.learn(&token.token);
    let request = Request {
        path: "/v3/forecast".to_owned(),
        query: vec![
            ("region", region.to_owned()),
            ("signal_type", "co2_moer".to_owned()),
            ("horizon_hours", "24".to_owned()),
        ],
        bearer: Some(token.token),
        ..Request::default()
    };
    let answer: Forecast = session.server.fresh(&request)?;
    let Meta { data_point_period_seconds: seconds, signal_type, units } = answer.meta;
    if signal_type != "co2_moer" || units != "lbs_co2_per_mwh" {
        let why = format!("it answers with `{signal_type}` in `{units}`");
        return Err(session.server.failed(&why));
    }
    let points = answer.data.iter().filter_map(|point| {
        let g_per_kwh = point.value.positive()? * G_PER_KWH;
        Some(Point { at: point.point_time, minutes: seconds / 60, g_per_kwh, forecast: true })
    });
    Ok(Answer::New(sheet(region, GridBasis::Marginal, points), None))
}

/// An answer of Great Britain's operator.
#[derive(Deserialize)]
struct Slots {
    data: Vec<Slot>,
}

/// Half an hour of Great Britain.
#[derive(Deserialize)]
struct Slot {
    from: String,
    intensity: Intensity,
}

/// Intensities of half an hour in gCO2/kWh; the actual one is known afterwards.
#[derive(Deserialize)]
struct Intensity {
    forecast: Number,
    #[serde(default)]
    actual: Number,
}

/// Great Britain from a day ago to two days ahead, by the half-hour: direct emissions of the plants
/// in gCO2/kWh. A measured value replaces its forecast.
///
/// # Errors
/// If the server fails, or answers in another form.
pub(super) fn great_britain(session: &Session<'_>, _: &str) -> Result<Answer<Sheet>> {
    let time = |days| (session.now + Duration::days(days)).format("%FT%H:%MZ").to_string();
    let path = format!("/intensity/{}/{}", time(-1), time(2));
    let answer: Slots = session.server.fresh(&Request { path, ..Request::default() })?;
    let mut points = Vec::new();
    for slot in &answer.data {
        let at = NaiveDateTime::parse_from_str(&slot.from, "%Y-%m-%dT%H:%MZ")
            .map_err(|_| session.server.failed(&format!("`{}` is not a time", slot.from)))?
            .and_utc();
        let (actual, forecast) = (slot.intensity.actual.positive(), slot.intensity.forecast);
        if let Some(g_per_kwh) = actual.or(forecast.positive()) {
            points.push(Point { at, minutes: 30, g_per_kwh, forecast: actual.is_none() });
        }
    }
    Ok(Answer::New(sheet("GB", GridBasis::Direct, points), None))
}
