//! A forecast as its JSON says it: what is compared, checked and added up. What is forecast now and
//! what was saved before are read in the same way.

use flopcast_core::catalog::GridBasis;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::{Key, Place};
use serde_json::Value;

/// The schema that is read; `flopcast estimate --format json` writes it.
const SCHEMA: &str = "flopcast.estimate/";

/// A saved forecast.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    figures: Vec<Told>,
    json: Value,
}

/// A number as a snapshot holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Which figure it is; none for what is no figure, or none of this version's.
    pub figure: Option<Key>,
    /// Its path in the JSON.
    pub path: String,
    /// Its value; none is unknown.
    pub value: Option<f64>,
}

impl Told {
    /// A figure of a saved forecast by its path.
    fn new(path: String, value: Option<f64>) -> Self {
        Self { figure: Key::parse(&path), path, value }
    }

    /// The part of the forecast that it is in.
    pub fn stage(&self) -> &str {
        stage(&self.path)
    }

    /// The units that a bound may be in: of what the figure's label says, and in full.
    pub fn units(&self) -> [&'static str; 2] {
        let row = self.figure.as_ref().map(|figure| figure.id.declared());
        row.map_or([""; 2], |row| [row.short_unit, row.unit])
    }
}

/// The part of the forecast that a path is in.
pub(super) fn stage(path: &str) -> &str {
    path.split('.').next().unwrap_or_default()
}

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
            Some(schema) if schema.starts_with(SCHEMA) => {
                let mut figures = Vec::new();
                for stage in Place::stages() {
                    if let Some(value) = json.get(stage) {
                        flatten(stage.to_owned(), value, &mut figures);
                    }
                }
                Ok(Self { figures, json })
            }
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
        self.json["scenario"].as_str().unwrap_or_default()
    }

    /// Every number with its path, in the order of the JSON; none is unknown.
    pub fn figures(&self) -> &[Told] {
        &self.figures
    }

    /// The percentiles of a figure, `p5` to `p95`, where there are any.
    pub fn percentile(&self, path: &str, percentile: &str) -> Option<f64> {
        number(&self.json["intervals"][path][percentile])
    }

    /// The figures that have percentiles.
    pub fn intervals(&self) -> impl Iterator<Item = &str> {
        self.json["intervals"].as_object().into_iter().flatten().map(|(path, _)| path.as_str())
    }

    /// The inputs that the figures rest on.
    pub fn inputs(&self) -> Vec<Stated> {
        let stated = |input: &Value| {
            let text = |key: &str| input[key].as_str().unwrap_or_default().to_owned();
            Some(Stated {
                name: input["name"].as_str()?.to_owned(),
                value: number(&input["value"])?,
                unit: text("unit"),
                shown: text("shown"),
                basis: text("basis"),
            })
        };
        self.json["inputs"].as_array().into_iter().flatten().filter_map(stated).collect()
    }

    /// Names of the inputs that nobody gave.
    pub fn assumed(&self) -> impl Iterator<Item = &str> {
        let all = self.json["assumptions"].as_array().into_iter().flatten();
        all.filter_map(|assumption| assumption["path"].as_str())
    }

    /// Warnings to read before trusting the figures.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        self.json["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str)
    }

    /// The basis of a stage's location-based CO2e, where it is given.
    pub fn carbon_basis(&self, stage: &str) -> Option<GridBasis> {
        let name = self.json[stage]["co2e_basis"].as_str()?;
        GridBasis::NAMES.iter().find(|(known, _)| *known == name).map(|(_, basis)| *basis)
    }
}

/// A number that a forecast may have; a file may hold any.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().filter(|value| value.abs() < 1e100)
}

/// The longest path of a figure, in bytes; a file may hold longer keys, once for each figure below.
const LONGEST_PATH: usize = 512;

/// Numbers and nulls of a tree; an entry of a list goes by its year, or is left out.
fn flatten(path: String, value: &Value, out: &mut Vec<Told>) {
    match value {
        _ if path.len() > LONGEST_PATH => {}
        Value::Number(_) => out.push(Told::new(path, number(value))),
        Value::Null => out.push(Told::new(path, None)),
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
    fn figures_know_their_units() {
        let cases = [
            ("tco.total_usd", ["USD", "USD"]),
            ("training.cost_usd.compute", ["USD", "USD"]),
            ("training.co2e_kg.embodied.mid", ["kgCO2e", "kgCO2e"]),
            ("inference.per_query.co2e_g.location", ["gCO2e", "gCO2e/request"]),
            ("inference.years.2.water_l.on_site", ["L", "L"]),
            ("inference.fleet.peak_rate_per_s", ["requests/s", "requests/s"]),
            ("training.flops_per_usd.peak", ["FLOP/USD", "FLOP/USD"]),
            ("training.mfu", ["", ""]),
            ("training.sequences_per_step", ["", ""]),
        ];
        for (path, expected) in cases {
            assert_eq!(Told::new(path.to_owned(), None).units(), expected, "{path}");
        }
    }

    #[test]
    fn years_go_by_their_number() {
        let json = serde_json::json!({
            "schema": "flopcast.estimate/1", "scenario": "it",
            "inference": {"years": [{"year": 1, "devices": 8}, {"year": 2, "devices": null}]},
        });
        let snapshot = Snapshot::new(json).unwrap();
        let told: Vec<_> =
            snapshot.figures().iter().map(|it| (it.path.as_str(), it.value)).collect();
        let expected =
            [("inference.years.1.devices", Some(8.0)), ("inference.years.2.devices", None)];
        assert_eq!(told, expected);
    }
}
