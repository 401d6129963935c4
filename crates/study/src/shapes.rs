//! Shapes of a model against a user's table of how good each came out: which of them fit a budget
//! of FLOPs, parameters, memory or latency, and which of those no other beats.
//!
//! A scaling law sees size, not shape; only measured scores tell a deep network from a wide one.

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::roofline::Device;
use flopcast_core::model::{AttentionCount, Input, Model, roofline};
use flopcast_core::quantity::text::{convert, parse_in};
use flopcast_core::quantity::{Measure, Precision, Time};
use flopcast_scenario::Files;
use flopcast_scenario::document::{Node, Value};
use flopcast_scenario::file::ScenarioFile;
use rayon::prelude::*;

use super::axis::Setting;
use super::pareto::Front;

/// The most rows of a table of measurements.
const MOST_ROWS: usize = 100_000;

/// The cost of one forward pass of one sample of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Take {
    /// FLOPs of the matmul class.
    Flops,
    /// All parameters.
    Parameters,
    /// At least: all weights, and the activations that the largest operator reads and writes.
    Memory,
    /// At least: the roofline of every operator, one after the other.
    Latency,
}

impl Take {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Flops, Self::Parameters, Self::Memory, Self::Latency];

    /// Its key in JSON and CSV.
    pub fn key(self) -> &'static str {
        match self {
            Self::Flops => "flops",
            Self::Parameters => "parameters",
            Self::Memory => "memory_gb",
            Self::Latency => "latency_ms",
        }
    }

    /// Its heading; a lower bound says so.
    pub fn label(self) -> &'static str {
        match self {
            Self::Flops => "FLOPs",
            Self::Parameters => "params",
            Self::Memory => "GB >=",
            Self::Latency => "ms >=",
        }
    }

    /// The unit of its key.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Flops => "FLOP",
            Self::Parameters => "",
            Self::Memory => "GB",
            Self::Latency => "ms",
        }
    }
}

/// The most that a shape may take, in the unit of the key.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// The quantity.
    pub take: Take,
    /// How much.
    pub most: f64,
}

impl Limit {
    /// Reads a bound; a bare number is in the unit of the key.
    ///
    /// # Errors
    /// No such quantity.
    pub fn read(take: Take, text: &str) -> Result<Self> {
        let most = parse_in(text, take.unit()).map_err(|error| Error::input(error.to_string()))?;
        Ok(Self { take, most })
    }
}

/// Shapes with their scores, as the user measured them.
#[derive(Clone, Debug)]
pub struct Table {
    /// The columns that say the shape.
    pub keys: Vec<String>,
    /// The name of the score.
    pub metric: String,
    /// Cells and score of each row.
    rows: Vec<(Vec<String>, f64)>,
}

/// A shape, counted.
#[derive(Clone, Debug)]
pub struct Shape {
    /// As the table has it.
    pub cells: Vec<String>,
    /// Its score.
    pub score: f64,
    /// The costs, in the order of [`Take::ALL`]; without a device no latency.
    pub takes: [Option<f64>; 4],
    /// The limits that it passes: by what part of the limit.
    pub over: Vec<(Take, f64)>,
    /// True if no other shape within the limits beats it.
    pub on_front: bool,
}

impl Shape {
    /// The cost in one quantity.
    pub fn take(&self, take: Take) -> Option<f64> {
        self.takes[take as usize]
    }
}

impl Table {
    /// Reads a table whose header names keys of the model and `accuracy`, `score` or `top1`, the
    /// more the better.
    ///
    /// # Errors
    /// No score column, no other column, no rows, a score that is no number; with the line.
    pub fn read(name: &str, text: &str) -> Result<Self> {
        let wrong = |message: String| {
            Error::input(message)
                .within(name)
                .hint("a header `layers,hidden,heads,accuracy`, then one row per shape")
        };
        let mut reader =
            csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let header = reader.headers().map_err(|error| wrong(error.to_string()))?.clone();
        let score = header.iter().position(|it| matches!(it, "accuracy" | "score" | "top1"));
        let score = score.ok_or_else(|| wrong("no column is the accuracy".to_owned()))?;
        let others = |record: &csv::StringRecord| {
            let cells = record.iter().enumerate().filter(|(at, _)| *at != score);
            cells.map(|(_, cell)| cell.to_owned()).collect::<Vec<_>>()
        };
        let keys = others(&header);
        if keys.is_empty() {
            return Err(wrong("no column says a shape".to_owned()));
        }
        let mut rows = Vec::new();
        for (record, line) in reader.records().zip(2..) {
            let record = record.map_err(|error| wrong(error.to_string()))?;
            let value = record[score].parse().ok().filter(|value: &f64| value.is_finite());
            let value = value.ok_or_else(|| {
                wrong(format!("line {line}: `{}` is no {}", &record[score], &header[score]))
            })?;
            rows.push((others(&record), value));
        }
        if rows.is_empty() || rows.len() > MOST_ROWS {
            return Err(wrong(format!("{} rows are not from 1 to {MOST_ROWS}", rows.len())));
        }
        Ok(Self { keys, metric: header[score].to_owned(), rows })
    }
}

/// The conditions that shapes are counted under.
pub struct Question<'a> {
    /// The scenario whose model has these shapes.
    pub document: &'a Node,
    /// Reads the files that it names.
    pub files: &'a (dyn Files + Sync),
    /// Number format of weights and activations.
    pub precision: Precision,
    /// The device that the pass is timed on.
    pub device: Option<Device>,
    /// The limits.
    pub limits: &'a [Limit],
}

impl Question<'_> {
    /// Counts every shape, judges it and finds the front: the shapes within the limits that no
    /// other beats in score and in what is limited (in FLOPs, where nothing is).
    ///
    /// # Errors
    /// A column that is no key of the model; a shape that cannot be; with its row.
    pub fn answer(&self, table: &Table) -> Result<Vec<Shape>> {
        let count = |(at, (cells, score)): (usize, &(Vec<String>, f64))| -> Result<Shape> {
            let takes = self.takes(&table.keys, cells);
            let takes = takes.map_err(|error| {
                Error::input(format!("row {}, {}: {}", at + 1, cells.join(" "), error.message()))
            })?;
            let over = |limit: &Limit| {
                let share = takes[limit.take as usize]? / limit.most - 1.0;
                (share > 0.0).then_some((limit.take, share))
            };
            let over = self.limits.iter().filter_map(over).collect();
            Ok(Shape { cells: cells.clone(), score: *score, takes, over, on_front: false })
        };
        // Collected before the errors are looked at, so that the same one is always the first.
        let counted: Vec<Result<Shape>> = table.rows.par_iter().enumerate().map(count).collect();
        let mut shapes: Vec<Shape> = counted.into_iter().collect::<Result<_>>()?;
        let mut against: Vec<Take> = self.limits.iter().map(|limit| limit.take).collect();
        if against.is_empty() {
            against.push(Take::Flops);
        }
        let mut front = Front::default();
        for (at, shape) in shapes.iter().enumerate().filter(|(_, shape)| shape.over.is_empty()) {
            let takes: Option<Vec<f64>> = against.iter().map(|take| shape.take(*take)).collect();
            if let Some(takes) = takes {
                front.offer([-shape.score].into_iter().chain(takes).collect(), || at);
            }
        }
        for at in front.into_best() {
            shapes[at].on_front = true;
        }
        shapes.sort_by(|a, b| {
            a.over.is_empty().cmp(&b.over.is_empty()).reverse().then(b.score.total_cmp(&a.score))
        });
        Ok(shapes)
    }

    /// The cost of a shape in every quantity.
    fn takes(&self, keys: &[String], cells: &[String]) -> Result<[Option<f64>; 4]> {
        let model = self.model(keys, cells)?;
        if let Some(unresolved) = model.unresolved.first() {
            return Err(Error::input(format!("{} cannot be counted", unresolved.kind)));
        }
        let element = self.precision.size();
        let largest = model.layers.iter().map(|layer| layer.operator.activations(element).stored());
        let memory = model.weight_data(element).stored() + largest.fold(0.0, f64::max);
        let attention = AttentionCount::Causal;
        let latency = self.device.map(|device| {
            let bounds = model.layers.iter();
            let times = bounds.map(|layer| roofline::bound(layer, attention, element, device).time);
            times.sum::<Time>().stored()
        });
        Ok([
            Some(model.forward(attention).matmul.stored()),
            Some(model.parameters().total as f64),
            Some(convert(memory, Take::Memory.unit())),
            latency.map(|time| convert(time, Take::Latency.unit())),
        ])
    }

    /// The scenario's model in the shape of a row, on one sample.
    fn model(&self, keys: &[String], cells: &[String]) -> Result<std::sync::Arc<Model>> {
        let mut document = self.document.clone();
        let mut input = Input::default();
        for (key, cell) in keys.iter().zip(cells) {
            let whole =
                || cell.parse().map_err(|_| Error::input(format!("`{cell}` is no whole number")));
            match key.as_str() {
                "image_size" => input.image_size = Some(whole()?),
                "sequence_length" => input.sequence = Some(whole()?),
                _ => Setting::new("column", &path(&document, key)?, cell)?.put(&mut document)?,
            }
        }
        let file = ScenarioFile::read(&document)?;
        let data = file.data.as_ref().and_then(|data| data.image_size.as_ref());
        let training = file.training.as_ref();
        let length = training.and_then(|training| training.sequence_length.as_ref());
        input.image_size = input.image_size.or(data.map(|size| size.value));
        input.sequence = input.sequence.or(length.map(|length| length.value));
        self.files.model(&file.model.value, &input)
    }
}

/// The path of a column: a key that the model's own section has, unless it says where it stands.
fn path(document: &Node, key: &str) -> Result<String> {
    if key == "model" || key.contains('.') {
        return Ok(key.to_owned());
    }
    let form = match document.get("model").map(|model| &model.value) {
        Some(Value::Map(entries)) => entries.first(),
        _ => None,
    };
    let Some((form, section)) = form else {
        return Err(Error::input(format!("the scenario's model has no key `{key}`"))
            .hint("write it inline: model: {transformer: {layers: 12, hidden: 768, heads: 12}}"));
    };
    let (under, section) = match section.get("let") {
        Some(names) => (".let", names),
        None => ("", section),
    };
    if section.get(key).is_none() {
        let known = match &section.value {
            Value::Map(entries) => entries.iter().map(|(key, _)| key.name.as_str()).collect(),
            _ => Vec::new(),
        };
        return Err(Error::input(format!("the scenario's model has no key `{key}`"))
            .suggest(key, known)
            .hint("a column names a key that the scenario gives a value to begin with"));
    }
    Ok(format!("model.{}{under}.{key}", form.name))
}
