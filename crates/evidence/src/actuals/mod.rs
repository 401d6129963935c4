//! The measured resources of a run or a service beside the forecast, item by item, with the reasons
//! for a difference as far as the two sides tell them.
//! ```text
//! energy = device-hours x power     cost = device-hours x price     CO2e = facility energy x grid
//! actual / forecast of an item = product of the ratios of its factors, where both sides know them
//! ```
//! A log is recognised by its columns, whatever their order. A figure that was not metered is
//! unknown, never zero, and explains nothing; a cell that cannot be read makes its sum unknown and
//! is noted with its line.

pub mod bench;
mod bill;
mod codecarbon;
mod compare;
mod hint;
mod metric;
mod plain;
mod power;
pub mod requests;
mod sacct;
mod table;
#[cfg(test)]
mod tests;
mod tracker;

use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::quantity::{Co2eMass, DevicePower, DeviceTime, Energy, Money, Time};
use flopcast_core::serving::traffic::records::{Record, records};
use serde::Deserialize;
use serde_json::value::RawValue;

use table::Table;

pub use compare::compare;
pub use hint::Hint;

/// A log of a run that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// `emissions.csv` of `CodeCarbon`, or its file of tasks.
    CodeCarbon,
    /// `sacct` of Slurm.
    Slurm,
    /// Samples of the power of GPUs: nvidia-smi, DCGM, Prometheus, trackers of experiments.
    Power,
    /// A cloud bill: FOCUS, or the cost and usage report of AWS.
    Bill,
    /// Runs of a tracker of experiments.
    Tracker,
    /// A line of hours, energy, cost.
    Plain,
    /// Requests to a service with their latencies: see [`requests`].
    Requests,
    /// Results of a load test: see [`mod@bench`].
    Bench,
}

/// The scenario's side of a comparison, as far as reading a log depends on it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected<'a> {
    /// Devices of the forecast.
    pub devices: Option<f64>,
    /// The forecast's hardware in words.
    pub hardware: &'a str,
    /// The catalog in which instances are looked up.
    pub catalog: Option<&'a Catalog>,
}

/// Modules of two dies, each of which Slurm and AMD's tools count as a GPU.
const TWO_DIES: &[&str] = &["mi250", "mi200"];

impl Expected<'_> {
    /// GPUs of a log for one device of the catalog. `model` is the log's name of the device, or
    /// empty; it comes before the forecast's.
    fn dies(&self, model: &str) -> f64 {
        let two = |name: &str| TWO_DIES.iter().any(|it| name.to_lowercase().contains(it));
        let named = model.chars().any(|letter| letter.is_ascii_digit());
        if two(model) || !named && two(self.hardware) { 2.0 } else { 1.0 }
    }
}

/// The figures that were measured; a figure that the log does not have is `None`.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Time of all devices together, in device-hours.
    pub device_time: Option<DeviceTime>,
    /// Energy of the devices and, if the meter includes them, their hosts: IT energy.
    pub it: Option<Energy>,
    /// The same energy with cooling and the rest of the building.
    pub facility: Option<Energy>,
    /// Mean power of a device, where neither time nor energy is known.
    pub power: Option<DevicePower>,
    /// The energy and the power are those of devices without their hosts.
    pub devices_alone: bool,
    /// Location-based CO2e of the electricity.
    pub co2e: Option<Co2eMass>,
    /// Hours as billed, of instances whose devices the bill does not say.
    pub instance_time: Option<Time>,
    /// Billed amounts in USD, by the ledger's key of the resource, or `total`.
    pub costs: Vec<(&'static str, Money)>,
    /// Remarks to read before relying on the figures.
    pub notes: Vec<String>,
}

/// Forecast and fact of one item.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its path below `training` (of requests: `inference`) in the JSON of an estimate. The path
    /// names the unit.
    pub path: String,
    /// The forecast, if there is one.
    pub forecast: Option<f64>,
    /// The measurement, if there is one.
    pub actual: Option<f64>,
    /// The ratios whose product is actual / forecast, if all of them are known.
    pub factors: Vec<(&'static str, f64)>,
}

/// The comparison of a forecast with a log.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The kinds of log.
    pub forms: Vec<Form>,
    /// The items that either side has.
    pub items: Vec<Item>,
    /// The changes of the scenario with which the forecast would have come true.
    pub hints: Vec<Hint>,
    /// Remarks to read before relying on the comparison.
    pub notes: Vec<String>,
}

impl Form {
    /// Forms of log with their names, the columns by which people know them, and by which the
    /// reader does.
    #[expect(clippy::type_complexity, reason = "a table of rows")]
    const KNOWN: &'static [(Self, &'static str, &'static str, fn(&Table) -> bool)] = &[
        (Self::CodeCarbon, "CodeCarbon emissions.csv", "duration, emissions", codecarbon::is_in),
        (Self::Slurm, "Slurm sacct", "JobID, ElapsedRaw, AllocTRES", sacct::is_in),
        (Self::Bill, "bill (FOCUS or AWS CUR)", "ChargeCategory, BilledCost", bill::is_in),
        (
            Self::Power,
            "samples of power",
            "timestamp, index, power.draw (or gpu.0.power)",
            power::is_in,
        ),
        (Self::Tracker, "runs of a tracker", "_runtime, gpu_count", |it| {
            tracker::is_in(it) && !plain::is_whole(it)
        }),
        (Self::Plain, "plain line", "device_hours, kWh, cost", plain::is_in),
    ];

    /// The name of the kind of log.
    pub fn name(self) -> &'static str {
        let known = Self::KNOWN.iter().find(|(form, ..)| *form == self);
        let other = if self == Self::Bench { "results of a load test" } else { "log of requests" };
        known.map_or(other, |(_, name, ..)| name)
    }
}

/// A log as far as its form is known.
enum Log {
    Table(Form, Table),
    Measured(Form, Measured),
}

/// Reads logs, each with its file's name; the header of each tells its form. Logs of one form are
/// parts of one whole, and added.
///
/// # Errors
/// If a header is of no known form, or a log cannot be read: the error names the file.
pub fn read(logs: &[(&str, &str)], expected: &Expected<'_>) -> Result<Vec<(Form, Measured)>> {
    let mut tables: Vec<(Form, Vec<Table>)> = Vec::new();
    let mut read = Vec::new();
    for (name, text) in logs {
        match of_text(text, expected).map_err(|error| error.within(name))? {
            Log::Measured(form, measured) => read.push((form, measured)),
            Log::Table(form, table) => match tables.iter_mut().find(|(other, _)| *other == form) {
                Some((_, tables)) => tables.push(table),
                None => tables.push((form, vec![table])),
            },
        }
    }
    for (form, tables) in &tables {
        let measured = match form {
            Form::CodeCarbon => codecarbon::read(tables, expected),
            Form::Slurm => sacct::read(tables, expected),
            Form::Power => power::read(tables),
            Form::Bill => {
                let name = logs.first().map_or("", |(name, _)| name);
                bill::read(tables, expected).map_err(|error| error.within(name))?
            }
            Form::Tracker => tracker::read(tables, expected),
            Form::Plain => plain::read(tables, expected),
            // A log of requests has none of the columns above, and is read elsewhere.
            Form::Requests | Form::Bench => Measured::default(),
        };
        read.push((*form, measured));
    }
    Ok(read)
}

/// The log that a text holds, by its first characters and its columns.
///
/// # Errors
/// If it is of no form that is known.
fn of_text(text: &str, expected: &Expected<'_>) -> Result<Log> {
    let start = text.trim_start_matches('\u{feff}').trim_start();
    let table = if start.starts_with(['{', '[']) {
        match objects(start)? {
            Objects::Samples(result) => {
                return Ok(Log::Measured(Form::Power, power::of_prometheus(&result)?));
            }
            Objects::Rows(rows) => Table::of_objects(&rows)?,
        }
    } else if let Some(measured) = power::of_monitor(text) {
        return Ok(Log::Measured(Form::Power, measured));
    } else if let Some(measured) = plain::of_words(text, expected) {
        return Ok(Log::Measured(Form::Plain, measured));
    } else if let Some(money) = plain::foreign(text) {
        return Err(Error::input(format!("`{money}` is not in USD, and the catalog has no rates"))
            .hint("convert it first, and say it in USD"));
    } else {
        Table::read(&power::headed(text))?
    };
    if let Some((form, ..)) = Form::KNOWN.iter().find(|(.., is_in)| is_in(&table)) {
        return Ok(Log::Table(*form, table));
    }
    let mut error = Error::input("the header is that of no log that can be read");
    for (_, name, columns, _) in Form::KNOWN {
        error = error.hint(format!("{name}: columns such as {columns}"));
    }
    Err(error
        .hint("log of requests: arrival_s, input_tokens, output_tokens, ttft_s, e2e_s")
        .hint("load test: the JSON of vllm bench serve, SGLang, guidellm, AIPerf, LLMPerf"))
}

/// The content of a JSON text.
enum Objects<'a> {
    /// Series of Prometheus.
    Samples(Vec<Record<'a>>),
    /// A row each.
    Rows(Vec<Record<'a>>),
}

/// Keys under which an object holds rows, or the series of Prometheus.
#[derive(Default, Deserialize)]
struct Outer<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    runs: Option<&'a RawValue>,
    #[serde(borrow)]
    rows: Option<&'a RawValue>,
    #[serde(borrow)]
    logs: Option<&'a RawValue>,
    #[serde(borrow)]
    jobs: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow, rename = "resultType")]
    result_type: Option<&'a RawValue>,
    #[serde(borrow)]
    metric: Option<&'a RawValue>,
    #[serde(borrow)]
    values: Option<&'a RawValue>,
}

/// The objects of a JSON text: one after another, in an array, or in one under `data` or `runs`.
fn objects(text: &str) -> Result<Objects<'_>> {
    let outer = |text| serde_json::from_str::<Outer<'_>>(text).unwrap_or_default();
    let mut rows = Vec::new();
    for record in records(text) {
        let record = record.map_err(|error| error.within("the log is no JSON"))?;
        let Outer { data, runs, rows: below, logs, jobs, result, result_type, .. } =
            outer(record.text);
        let matrix = || result.filter(|_| result_type.is_some());
        if let Some(result) = data.and_then(|data| outer(data.get()).result).or_else(matrix)
            && let Some(series) = elements(record, result)?
        {
            return Ok(Objects::Samples(series));
        }
        let inner = data.or(runs).or(below).or(logs).or(jobs);
        match inner.map(|inner| elements(record, inner)).transpose()?.flatten() {
            Some(inner) => rows.extend(inner),
            None => match record.elements()? {
                // `promtool` writes the series alone.
                Some(inner) if inner.first().is_some_and(|it| is_series(&outer(it.text))) => {
                    return Ok(Objects::Samples(inner));
                }
                Some(inner) => rows.extend(inner),
                None => rows.push(record),
            },
        }
        if rows.len() > MOST_ROWS {
            return Err(Error::input(format!("the log has more than {MOST_ROWS} rows")));
        }
    }
    Ok(Objects::Rows(rows))
}

/// True for a series of Prometheus.
fn is_series(object: &Outer<'_>) -> bool {
    object.metric.is_some() && object.values.is_some()
}

/// The values of an array in a record.
fn elements<'a>(record: Record<'a>, inner: &'a RawValue) -> Result<Option<Vec<Record<'a>>>> {
    Record { text: inner.get(), ..record }.elements()
}

/// The most rows of a log in JSON.
const MOST_ROWS: usize = 4_000_000;
