//! A forecast as its JSON says it: what is compared, checked and added up. What is forecast now and
//! what was saved before are read in the same way.

use flopcast_core::catalog::GridBasis;
use flopcast_core::diagnostic::{Error, Result};
use serde_json::Value;

/// The schema that is read; `flopcast estimate --format json` writes it.
const SCHEMA: &str = "flopcast.estimate/";

/// Parts of the JSON that hold figures.
pub(super) const STAGES: [&str; 4] = ["training", "inference", "tco", "sci"];

/// A saved forecast.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot(Value);

/// An input as a snapshot holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stated {
    /// Its name.
    pub name: String,
    /// Its value in the stored unit.
    pub value: f64,
    /// That unit.
    pub unit: String,
    /// Value and unit as people read them.
    pub shown: String,
    /// Why it is what it is.
    pub basis: String,
}

impl Snapshot {
    /// The snapshot of a forecast.
    ///
    /// # Errors
    /// Another schema, or none.
    pub fn new(json: Value) -> Result<Self> {
        match json["schema"].as_str() {
            Some(schema) if schema.starts_with(SCHEMA) => Ok(Self(json)),
            Some(other) => Err(Error::input(format!("this is {other}, not a forecast"))),
            None => Err(Error::input("this JSON has no `schema`, so it is no forecast")),
        }
        .map_err(|error| error.hint("`flopcast estimate FILE --format json` writes one"))
    }

    /// The snapshots in a text: one, or a list of them.
    ///
    /// # Errors
    /// No JSON; as [`Snapshot::new`].
    pub fn read_all(text: &str) -> Result<Vec<Self>> {
        let json: Value = serde_json::from_str(text)
            .map_err(|error| Error::input(format!("this is no JSON: {error}")))?;
        match json {
            Value::Array(all) => all.into_iter().map(Self::new).collect(),
            one => Self::new(one).map(|one| vec![one]),
        }
    }

    /// The scenario's name.
    pub fn name(&self) -> &str {
        self.0["scenario"].as_str().unwrap_or_default()
    }

    /// Every number with its path, in the order of the JSON; none is unknown.
    pub fn figures(&self) -> Vec<(String, Option<f64>)> {
        let mut figures = Vec::new();
        for stage in STAGES {
            if let Some(value) = self.0.get(stage) {
                flatten(stage.to_owned(), value, &mut figures);
            }
        }
        figures
    }

    /// The percentiles of a figure, `p5` to `p95`, where there are any.
    pub fn percentile(&self, path: &str, percentile: &str) -> Option<f64> {
        self.0["intervals"][path][percentile].as_f64()
    }

    /// The figures that have percentiles.
    pub fn intervals(&self) -> impl Iterator<Item = &str> {
        self.0["intervals"].as_object().into_iter().flatten().map(|(path, _)| path.as_str())
    }

    /// The inputs that the figures rest on.
    pub fn inputs(&self) -> Vec<Stated> {
        let stated = |input: &Value| {
            let text = |key: &str| input[key].as_str().unwrap_or_default().to_owned();
            Some(Stated {
                name: input["name"].as_str()?.to_owned(),
                value: input["value"].as_f64()?,
                unit: text("unit"),
                shown: text("shown"),
                basis: text("basis"),
            })
        };
        self.0["inputs"].as_array().into_iter().flatten().filter_map(stated).collect()
    }

    /// Names of the inputs that nobody gave.
    pub fn assumed(&self) -> impl Iterator<Item = &str> {
        let all = self.0["assumptions"].as_array().into_iter().flatten();
        all.filter_map(|assumption| assumption["path"].as_str())
    }

    /// What the user should know before trusting the figures.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        self.0["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str)
    }

    /// What the location-based CO2e of a stage counts, where it says so.
    pub fn carbon_basis(&self, stage: &str) -> Option<GridBasis> {
        let name = self.0[stage]["co2e_basis"].as_str()?;
        GridBasis::NAMES.iter().find(|(known, _)| *known == name).map(|(_, basis)| *basis)
    }
}

/// What the last word of a key says of its unit.
const UNITS: &[(&str, &str)] = &[
    ("usd", "USD"),
    ("kwh", "kWh"),
    ("wh", "Wh"),
    ("kg", "kgCO2e"),
    ("g", "gCO2e"),
    ("l", "L"),
    ("gb", "GB"),
    ("s", "s"),
    ("ms", "ms"),
    ("days", "days"),
    ("hours", "device-h"),
];

/// The unit that a word of a key stands for.
pub fn unit_word(word: &str) -> Option<&'static str> {
    UNITS.iter().find(|(known, _)| *known == word).map(|(_, unit)| *unit)
}

/// The unit that the keys of a path name; nothing for a count, a share or a rate.
pub fn unit(path: &str) -> &'static str {
    let unit = |key: &str| {
        let (rest, last) = key.rsplit_once('_')?;
        unit_word(last).filter(|_| !rest.ends_with("_per"))
    };
    path.rsplit('.').find_map(unit).unwrap_or_default()
}

/// Numbers and nulls of a tree; an entry of a list goes by its year, or is left out.
fn flatten(path: String, value: &Value, out: &mut Vec<(String, Option<f64>)>) {
    match value {
        Value::Number(number) => out.push((path, number.as_f64())),
        Value::Null => out.push((path, None)),
        Value::Object(map) => {
            for (key, value) in map.iter().filter(|(key, _)| *key != "year") {
                flatten(format!("{path}.{key}"), value, out);
            }
        }
        Value::Array(list) => {
            for item in list {
                if let Some(year) = item["year"].as_u64() {
                    flatten(format!("{path}.{year}"), item, out);
                }
            }
        }
        Value::Bool(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_name_their_units() {
        let cases = [
            ("tco.total_usd", "USD"),
            ("training.cost_usd.compute", "USD"),
            ("training.energy_kwh.it", "kWh"),
            ("training.co2e_kg.embodied.mid", "kgCO2e"),
            ("inference.per_query.co2e_g.location", "gCO2e"),
            ("training.water_l.on_site", "L"),
            ("training.memory_gb.weights", "GB"),
            ("training.wall_clock_days", "days"),
            ("training.device_hours", "device-h"),
            ("inference.ttft_ms.p95", "ms"),
            ("training.step_time_s", "s"),
            ("inference.fleet.peak_rate_per_s", ""),
            ("training.flops_per_usd.peak", ""),
            ("training.mfu", ""),
            ("training.devices", ""),
        ];
        for (path, expected) in cases {
            assert_eq!(unit(path), expected, "{path}");
        }
    }
}
