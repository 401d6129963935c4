//! Runs as trackers of experiments export them: tables of runs, histories and summaries of Weights
//! & Biases, `MLflow` and Trackio, as CSV or JSON. Samples of power are read elsewhere.

use std::collections::BTreeMap;

use flopcast_core::quantity::text::parse;
use flopcast_core::quantity::{DeviceTime, Measure, Time};
use flopcast_core::serving::traffic::stamp::{self, Stamp};

use super::power::device_of;
use super::table::{Odd, Row, Sum, Table};
use super::{Expected, Measured};

/// Columns of the length of a run in seconds.
const SECONDS: &[&str] = &[
    "_wandb.runtime",
    "summary._wandb.runtime",
    "_runtime",
    "summary._runtime",
    "Runtime",
    "runtime",
    "train_runtime",
    "train/train_runtime",
    "metrics.train_runtime",
    "duration_s",
];
/// Columns of the number of GPUs.
const GPUS: &[&str] = &[
    "gpu_count",
    "GPU Count",
    "gpuCount",
    "metadata.gpu_count",
    "world_size",
    "config.world_size",
    "params.world_size",
    "num_gpus",
    "config.num_gpus",
    "params.num_gpus",
    "params.n_gpus",
    "params.gpus",
    "data.params.world_size",
    "data.params.num_gpus",
    "data.params.n_gpus",
    "gpus",
    "n_gpus",
];
/// Columns of the first and the last moment of a run.
const SPANS: &[[&str; 2]] = &[["start_time", "end_time"], ["info.start_time", "info.end_time"]];
/// The column of the length of a run with its unit, `10.0h`.
const SPOKEN: &str = "Duration";
/// Columns of the place of a row in the history of one run.
const STEPS: &[&str] = &["_step", "step", "global_step", "trainer/global_step"];
/// Columns that name a run.
const RUNS: &[&str] =
    &["run_id", "info.run_id", "Run ID", "id", "ID", "run", "run_name", "Name", "name"];

/// True if a log is one of runs.
pub(super) fn is_in(table: &Table) -> bool {
    table.first(SECONDS).is_some()
        || SPANS.iter().any(|span| span.iter().all(|column| table.has(column)))
        || table.has(SPOKEN) && table.first(RUNS).is_some()
        || table.has("gpu_count") && table.has("gpu")
}

/// Device time: the sum over runs of length x GPUs. A history has its run in many rows, the last of
/// which counts. A row that has GPUs alone, such as the metadata of a run, gives them to all.
pub(super) fn read(tables: &[Table], expected: &Expected<'_>) -> Measured {
    let mut odd = Odd::default();
    let mut runs: BTreeMap<String, (Option<f64>, Option<f64>)> = BTreeMap::new();
    let mut common = None;
    for (file, table) in tables.iter().enumerate() {
        let history = table.first(STEPS).is_some();
        for (index, row) in table.rows().enumerate() {
            let (seconds, gpus) = (length(row, &mut odd), gpus(table, row, &mut odd));
            if seconds.is_none() {
                common = common.or(gpus);
                continue;
            }
            let run = row.any(RUNS).unwrap_or_default();
            let key =
                if history { format!("{file} {run}") } else { format!("{file} {run} {index}") };
            let entry = runs.entry(key).or_default();
            let longest = entry.0.unwrap_or_default().max(seconds.unwrap_or_default());
            *entry = (Some(longest), gpus.or(entry.1));
        }
    }
    let mut time = Sum::new();
    let mut unknown = 0;
    for (seconds, gpus) in runs.values() {
        let gpus = gpus.or(common);
        unknown += u32::from(gpus.is_none());
        time.add(seconds.zip(gpus).map(|(seconds, gpus)| seconds * gpus / expected.dies("")));
    }
    let mut notes = vec![format!("{} run(s)", runs.len())];
    if unknown > 0 {
        notes.push(format!(
            "{unknown} run(s) do not say on how many GPUs: add a column gpu_count, or the run's \
             wandb-metadata.json"
        ));
    }
    notes.extend(odd.notes());
    let device_time = time.positive().map(DeviceTime::from_stored);
    Measured { device_time, notes, ..Measured::default() }
}

/// The length of a run in seconds: as the tracker has it, or end - start.
fn length(row: Row<'_>, odd: &mut Odd) -> Option<f64> {
    if let Some(column) = SECONDS.iter().find(|column| row.text(column).is_some()) {
        return odd.number(row, column);
    }
    if let Some(text) = row.text(SPOKEN) {
        let spaced = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (number, unit) = text.split_at(spaced);
        let length = parse::<Time>(&format!("{} {unit}", number.trim())).ok();
        if length.is_none() {
            odd.note(row, SPOKEN, "is not a time such as 10.0h");
        }
        return length.map(Measure::stored).filter(|seconds| *seconds > 0.0);
    }
    let moment = |column: &str| match stamp::read(row.text(column)?)? {
        Stamp::Date(seconds) => Some(seconds),
        Stamp::Number(number) => Some(number * stamp::epoch(number).map_or(1.0, |(_, unit)| unit)),
    };
    let span = SPANS.iter().find(|span| span.iter().all(|column| row.text(column).is_some()))?;
    Some(moment(span[1])? - moment(span[0])?).filter(|seconds| *seconds > 0.0)
}

/// The GPUs of a run: as it says, else as many as it has metrics of power of.
fn gpus(table: &Table, row: Row<'_>, odd: &mut Odd) -> Option<f64> {
    if let Some(column) = GPUS.iter().find(|column| row.text(column).is_some()) {
        return odd.number(row, column).filter(|count| *count > 0.0);
    }
    let metered = |it: &&str| device_of(it).is_some() && row.text(it).is_some();
    let count = table.columns().filter(metered).count();
    (count > 0).then_some(count as f64)
}
