//! The file of a search: the model, its knobs and what holds between them, objectives and limits.
//!
//! ```text
//! model: vit-small-patch16-224          a preset, a model file, {type:, config:}, {transformer:}
//! knobs:
//!   hidden_size: [192, 384, 768]        a key of the model's family
//!   num_hidden_layers: 6..16+2          a range: from..to+step, from..to*factor
//!   image_size: [192, 224]
//!   compress.quantization: [none, int8] what `compress` of a scenario takes
//!   scenario.training.hardware.count: 8..64*2
//! derived: {intermediate_size: 4 * hidden_size}
//! constraints: ["hidden_size % num_attention_heads == 0"]
//! devices: [l4, jetson-orin-nano-8gb]
//! limits: {flops: 9 GFLOP, latency: {l4: 2 ms}, training.cost_usd.total: 2000}
//! objectives: [quality, latency@l4]
//! quality: {table: results.csv, score: top1}
//! teacher: llama-3-70b                  the scenario's run distils it
//! ```

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::compress::Compression;
use flopcast_core::model::template::{Expression, Failure, Names, Value};
use flopcast_core::quantity::Precision;
use flopcast_scenario::document::{self, Node};
use flopcast_scenario::reader::{self, Located};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::architecture::Architecture;
use super::evolve::digits;
use super::figure::{Figure, Limit, Objective};
use crate::axis;

/// The most values of a knob, and of knobs.
const MOST_VALUES: usize = 10_000;
const MOST_KNOBS: usize = 64;
/// Points that are looked at to find which constraints contradict each other.
const LOOKED_AT: u64 = 200_000;

/// The file as it is typed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    model: Option<Json>,
    knobs: Json,
    #[serde(default)]
    derived: Map<String, Json>,
    #[serde(default)]
    constraints: Vec<Located<String>>,
    #[serde(default)]
    devices: Vec<String>,
    batch: Option<u64>,
    precision: Option<String>,
    sequence_length: Option<u64>,
    image_size: Option<u64>,
    #[serde(default)]
    limits: Map<String, Json>,
    #[serde(default)]
    objectives: Vec<Located<String>>,
    quality: Option<Quality>,
    teacher: Option<String>,
}

/// Where quality comes from.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quality {
    /// A table of results.
    pub table: Option<String>,
    /// The column that is the score; `min:loss` where less is better.
    pub score: Option<String>,
    /// The columns that say a configuration; all others where it is left out.
    pub columns: Option<Vec<String>>,
    /// A table of what compressions add to the score.
    pub deltas: Option<String>,
    /// A scaling law instead.
    pub law: Option<String>,
    /// Tokens of training for the law; those of the scenario where it is left out.
    pub tokens: Option<Json>,
}

impl Quality {
    /// The score's column, and whether less of it is better.
    pub fn score(&self) -> (&str, bool) {
        match self.score.as_deref().map(|score| score.split_once(':').unwrap_or(("", score))) {
            Some((way, score)) => (score, way == "min"),
            None => ("score", self.law.is_some()),
        }
    }
}

/// A knob and its values.
#[derive(Clone, Debug)]
pub struct Knob {
    /// Its name.
    pub name: String,
    /// Its values.
    pub values: Vec<Json>,
    /// The values as people read them.
    pub shown: Vec<String>,
    /// What it turns.
    pub turns: Turns,
}

/// What a knob turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turns {
    /// A key of the model.
    Model,
    /// The size of the input.
    Input,
    /// A setting of the compression.
    Compression,
    /// A key of the scenario.
    Scenario,
}

/// What of a point follows from a knob: all of a level, and of those after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The model.
    Model,
    /// What else is known without the scenario: constraints, compression, quality.
    Point,
    /// The scenario alone.
    Scenario,
}

/// A search, read.
#[derive(Debug)]
pub struct Plan {
    /// The model.
    pub architecture: Architecture,
    /// What varies.
    pub knobs: Vec<Knob>,
    derived: Vec<(String, Expression)>,
    constraints: Vec<Expression>,
    /// Devices whose latency is asked for.
    pub devices: Vec<String>,
    /// Samples of a pass.
    pub batch: u64,
    /// Format of weights and products, where the file says it.
    pub precision: Option<Precision>,
    /// Tokens of a sample.
    pub sequence: Option<u64>,
    /// Pixels of a side.
    pub image_size: Option<u64>,
    /// Bounds.
    pub limits: Vec<Limit>,
    /// What is to be least or greatest.
    pub objectives: Vec<Objective>,
    /// Where quality comes from.
    pub quality: Option<Quality>,
    /// The model that the points learn from.
    pub teacher: Option<String>,
}

/// The values of a point: those of the knobs, then what is derived from them.
pub type Values = Vec<(String, Json)>;

impl Plan {
    /// Reads a file; `inherited` is the model of the scenario, for a file that names none.
    ///
    /// # Errors
    /// A fault of the file with its place; a knob that the model lacks, with the nearest keys; a
    /// knob without values; an expression that is none or that names what is not there.
    pub fn read(
        node: &Node,
        inherited: Option<&Json>,
        scenario: bool,
        files: &dyn flopcast_scenario::Files,
    ) -> Result<Self> {
        let file: File = reader::read(node)?;
        let model = file.model.as_ref().or(inherited).ok_or_else(|| {
            Error::input("the space names no model").hint("`model: vit-small-patch16-224`")
        })?;
        let architecture = Architecture::read(model, files)
            .map_err(|error| error.at(node.get("model").map(|it| &it.place)))?;
        let knobs = knobs(node, &file.knobs, &architecture, scenario)?;
        let loss = file.quality.as_ref().is_some_and(|quality| quality.score().1);
        let limits = Limit::all(&file.limits, &file.devices, loss)
            .map_err(|error| error.at(node.get("limits").map(|it| &it.place)))?;
        let objective = |text: &Located<String>| {
            Objective::read(&text.value, &file.devices, loss)
                .map_err(|error| error.at(Some(&text.place)))
        };
        let mut objectives: Vec<_> =
            file.objectives.iter().map(objective).collect::<Result<_>>()?;
        if objectives.is_empty() {
            let usual = match (&file.quality, &file.teacher) {
                (Some(_), _) => &["quality"][..],
                (None, Some(_)) => &["max:parameters"],
                (None, None) => &[],
            };
            let cost = if file.devices.is_empty() {
                "flops".to_owned()
            } else {
                format!("latency@{}", file.devices[0])
            };
            let usual = usual.iter().copied().chain([cost.as_str()]);
            objectives = usual
                .map(|text| Objective::read(text, &file.devices, loss))
                .collect::<Result<_>>()?;
        }
        let plan = Self {
            derived: expressions(&file.derived, node.get("derived"))?,
            constraints: file
                .constraints
                .iter()
                .map(|text| {
                    Expression::parse(&text.value).map_err(|error| error.at(Some(&text.place)))
                })
                .collect::<Result<_>>()?,
            precision: file.precision.as_deref().map(precision).transpose()?,
            architecture,
            knobs,
            devices: file.devices,
            batch: file.batch.unwrap_or(1).max(1),
            sequence: file.sequence_length,
            image_size: file.image_size,
            limits,
            objectives,
            quality: file.quality,
            teacher: file.teacher,
        };
        plan.check(scenario)?;
        for (at, constraint) in plan.constraints.iter().enumerate() {
            let place = file.constraints.get(at).map(|text| &text.place);
            plan.names(constraint).map_err(|error| error.at(place))?;
        }
        Ok(plan)
    }

    /// Refuses what no point could answer.
    fn check(&self, scenario: bool) -> Result<()> {
        let figures = self.objectives.iter().map(|it| &it.figure);
        for figure in figures.chain(self.limits.iter().map(|it| &it.figure)) {
            if figure.is_forecast() && !scenario {
                let message = format!("`{}` is a figure of a scenario", figure.key());
                return Err(Error::input(message)
                    .hint("name one: flopcast optimize plan.yaml --search space.yaml"));
            }
            if *figure == Figure::Quality && self.quality.is_none() {
                return Err(Error::input("nothing says the quality of a point").hint(
                    "quality: {table: results.csv, score: top1}; flopcast invents no score",
                ));
            }
        }
        if self.teacher.is_some() && !scenario {
            return Err(Error::input("a teacher teaches in a scenario")
                .hint("name one: flopcast optimize plan.yaml --search space.yaml"));
        }
        for (name, expression) in &self.derived {
            let base = name.split('.').next().unwrap_or_default();
            if !self.architecture.has(base) {
                return Err(lacks(&self.architecture, name));
            }
            self.names(expression)?;
        }
        Ok(())
    }

    /// Refuses an expression that names what is neither a knob nor a key of the model.
    fn names(&self, expression: &Expression) -> Result<()> {
        let mut unknown = None;
        let derived = || self.derived.iter().map(|(name, _)| name.as_str());
        let known: Vec<&str> =
            self.knobs.iter().map(|it| it.name.as_str()).chain(derived()).collect();
        expression.names(&mut |name, optional| {
            let dotted = |it: &&str| it.split('.').next() == Some(name);
            let there = known.iter().any(dotted) || self.architecture.has(name);
            if !there && !optional {
                unknown.get_or_insert_with(|| name.to_owned());
            }
        });
        match unknown {
            None => Ok(()),
            Some(name) => Err(Error::input(format!(
                "`{}`: `{name}` is neither a knob nor a key of the model",
                expression.text()
            ))
            .suggest(&name, known.iter().copied().chain(self.architecture.known()))),
        }
    }

    /// What follows from each knob; `quality` are the knobs that quality is read from.
    pub(super) fn levels(&self, quality: &[String]) -> Vec<Level> {
        let named_in = |knob: &Knob, expression: &Expression| {
            let mut named = false;
            let first = knob.name.split('.').next();
            expression.names(&mut |name, _| named |= Some(name) == first);
            named
        };
        let level = |knob: &Knob| {
            let derives = self.derived.iter().any(|(_, it)| named_in(knob, it));
            let constrains = self.constraints.iter().any(|it| named_in(knob, it));
            match knob.turns {
                Turns::Model | Turns::Input => Level::Model,
                _ if derives => Level::Model,
                Turns::Scenario if !constrains && !quality.contains(&knob.name) => Level::Scenario,
                _ => Level::Point,
            }
        };
        self.knobs.iter().map(level).collect()
    }

    /// How many values each knob has.
    pub fn sizes(&self) -> Vec<usize> {
        self.knobs.iter().map(|knob| knob.values.len()).collect()
    }

    /// The values of a point, with what is derived.
    ///
    /// # Errors
    /// An expression without a value.
    pub fn values(&self, digits: &[usize]) -> Result<Values> {
        let mut values: Values = self
            .knobs
            .iter()
            .zip(digits)
            .map(|(knob, digit)| (knob.name.clone(), knob.values[*digit].clone()))
            .collect();
        for (name, expression) in &self.derived {
            let value = self.evaluate(expression, &values)?;
            values.push((name.clone(), json(&value)));
        }
        Ok(values)
    }

    fn evaluate(&self, expression: &Expression, values: &Values) -> Result<Value> {
        let mut names = Point { plan: self, values };
        let value = expression.evaluate(&mut names).map_err(Error::from);
        value.map_err(|error| error.within(&format!("`{}`", expression.text())))
    }

    /// The constraint that a point breaks, if any.
    ///
    /// # Errors
    /// A constraint without a value.
    pub fn broken(&self, values: &Values) -> Result<Option<&Expression>> {
        for constraint in &self.constraints {
            if !self.evaluate(constraint, values)?.holds() {
                return Ok(Some(constraint));
            }
        }
        Ok(None)
    }

    /// The fewest constraints that no point meets together, where there are any; of a large space
    /// some of the points are looked at.
    pub fn contradiction(&self) -> Vec<&str> {
        let sizes = self.sizes();
        let points = sizes.iter().fold(1_u64, |all, size| all.saturating_mul(*size as u64));
        let stride = points.div_ceil(LOOKED_AT).max(1) | 1;
        let kept: Vec<Vec<bool>> = (0..points.min(LOOKED_AT))
            .map(|at| {
                let values = self.values(&digits(&sizes, at.saturating_mul(stride) % points));
                let holds = |it: &Expression| {
                    values.as_ref().is_ok_and(|values| {
                        self.evaluate(it, values).is_ok_and(|value| value.holds())
                    })
                };
                self.constraints.iter().map(holds).collect()
            })
            .collect();
        let together = |some: &[usize]| kept.iter().any(|point| some.iter().all(|it| point[*it]));
        let mut rest: Vec<usize> = (0..self.constraints.len()).collect();
        if rest.is_empty() || together(&rest) {
            return Vec::new();
        }
        for one in 0..self.constraints.len() {
            let others: Vec<usize> = rest.iter().copied().filter(|it| *it != one).collect();
            if !together(&others) {
                rest = others;
            }
        }
        rest.into_iter().map(|it| self.constraints[it].text()).collect()
    }

    /// The point whose knobs are shown as these texts; none where there is none.
    pub fn find(&self, columns: &[String], cells: &[String]) -> Option<Vec<usize>> {
        self.knobs
            .iter()
            .map(|knob| {
                let cell = &cells[columns.iter().position(|column| *column == knob.name)?];
                knob.shown.iter().position(|shown| shown == cell)
            })
            .collect()
    }
}

/// A point as the names of an expression.
struct Point<'a> {
    plan: &'a Plan,
    values: &'a Values,
}

impl Names for Point<'_> {
    fn lookup(&mut self, name: &str) -> Result<Option<Value>, Failure> {
        self.key(name)
    }

    fn key(&mut self, name: &str) -> Result<Option<Value>, Failure> {
        if let Some((_, value)) = self.values.iter().rev().find(|(known, _)| known == name) {
            return Ok(Some(Value::from(value)));
        }
        // Knobs with dots in their names are the entries of a section.
        let mut section = self.plan.architecture.value(name).cloned();
        for (path, value) in self.values {
            let Some(rest) = path.strip_prefix(name).and_then(|rest| rest.strip_prefix('.')) else {
                continue;
            };
            let mut at = section.get_or_insert_with(|| Json::Object(Map::new()));
            for key in rest.split('.') {
                if !at.is_object() {
                    *at = Json::Object(Map::new());
                }
                at = &mut at[key];
            }
            at.clone_from(value);
        }
        Ok(section.as_ref().map(Value::from))
    }
}

fn json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Int(number) => Json::from(*number),
        Value::Float(number) => Json::from(*number),
        Value::Text(text) => Json::String(text.to_string()),
        Value::List(list) => list.iter().map(json).collect(),
        Value::Map(map) => map.iter().map(|(key, value)| (key.clone(), json(value))).collect(),
    }
}

fn precision(name: &str) -> Result<Precision> {
    Precision::named(name).ok_or_else(|| {
        let known = Precision::ALL.map(Precision::name);
        Error::input(format!("`{name}` is not a precision"))
            .suggest(name, known)
            .hint(format!("one of {}", known.join(", ")))
    })
}

fn expressions(map: &Map<String, Json>, node: Option<&Node>) -> Result<Vec<(String, Expression)>> {
    map.iter()
        .map(|(name, json)| {
            let place = node.and_then(|node| node.get(name)).map(|it| &it.place);
            let expression = Expression::from_json(json).map_err(|error| error.at(place))?;
            Ok((name.clone(), expression))
        })
        .collect()
}

fn lacks(architecture: &Architecture, name: &str) -> Error {
    let first = name.split('.').next().unwrap_or_default();
    Error::input(format!("{} has no key `{first}`", architecture.name()))
        .suggest(first, architecture.known())
}

/// The knobs of a file with their values.
fn knobs(
    node: &Node,
    knobs: &Json,
    architecture: &Architecture,
    scenario: bool,
) -> Result<Vec<Knob>> {
    let place = node.get("knobs").map(|it| &it.place);
    let example = "knobs: {hidden_size: [384, 768], num_hidden_layers: 6..16+2}";
    let empty = || Error::input("the space is empty: it has no knobs").hint(example).at(place);
    let map = knobs.as_object().filter(|map| !map.is_empty()).ok_or_else(empty)?;
    if map.len() > MOST_KNOBS {
        return Err(Error::input(format!("more than {MOST_KNOBS} knobs")).at(place));
    }
    map.iter()
        .map(|(name, json)| {
            let place = node.get("knobs").and_then(|it| it.get(name)).map(|it| &it.place);
            knob(name, json, architecture, scenario).map_err(|error| error.at(place))
        })
        .collect()
}

fn knob(name: &str, json: &Json, architecture: &Architecture, scenario: bool) -> Result<Knob> {
    let turns = match name.split_once('.').map_or(name, |(first, _)| first) {
        "compress" => Turns::Compression,
        "scenario" if scenario => Turns::Scenario,
        "scenario" => {
            return Err(Error::input(format!("`{name}` turns a key of a scenario"))
                .hint("name one: flopcast optimize plan.yaml --search space.yaml"));
        }
        _ if architecture.has(name) => Turns::Model,
        "image_size" | "sequence_length" => Turns::Input,
        _ => return Err(lacks(architecture, name)),
    };
    let values: Vec<Json> = match json {
        Json::Array(list) => list.clone(),
        Json::String(text) => axis::values(text)
            .map_err(|what| Error::input(format!("`{name}: {text}` {what}")))?
            .iter()
            .map(|value| document::json(name, value.as_bytes()))
            .collect::<Result<_>>()?,
        single => vec![single.clone()],
    };
    let values: Vec<Json> = values.into_iter().map(whole).collect();
    if values.is_empty() || values.len() > MOST_VALUES {
        let message = format!("the space is empty: `{name}` has no value");
        let many = format!("`{name}` has more than {MOST_VALUES} values");
        return Err(Error::input(if values.is_empty() { message } else { many }));
    }
    if turns == Turns::Compression {
        values.iter().try_for_each(|value| compresses(name, value))?;
    }
    let shown = values.iter().map(shown).collect();
    Ok(Knob { name: name.to_owned(), values, shown, turns })
}

/// Refuses a setting of the compression that there is not.
fn compresses(name: &str, value: &Json) -> Result<()> {
    Compression::from_json(&Json::Object(compression([(name, value)]))).map(|_| ())
}

/// The compression that knobs set, as `compress:` of a scenario; empty where there is none.
pub(super) fn compression<'a>(
    knobs: impl IntoIterator<Item = (&'a str, &'a Json)>,
) -> Map<String, Json> {
    let mut compress: Map<String, Json> = Map::new();
    for (name, value) in knobs {
        let Some(path) = name.strip_prefix("compress.") else { continue };
        let none = value.is_null() || value.as_str() == Some("none");
        if none || value.as_f64() == Some(0.0) {
            continue;
        }
        let (key, group) = path.split_once('.').unwrap_or((path, ""));
        let groups = compress.entry(key).or_insert_with(|| Json::Object(Map::new()));
        groups[group] = value.clone();
    }
    compress
}

/// 12.0, as ranges write it, is 12.
fn whole(json: Json) -> Json {
    match json.as_f64() {
        Some(number) if number.fract() == 0.0 && number.abs() < 9e15 => Json::from(number as i64),
        _ => json,
    }
}

fn shown(json: &Json) -> String {
    match json {
        Json::String(text) => text.clone(),
        Json::Null => "none".to_owned(),
        other => other.to_string(),
    }
}
