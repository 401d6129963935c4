//! Runs as trackers of experiments export them: tables of runs, histories and summaries of Weights
//! & Biases, `MLflow` and Trackio, as CSV or JSON. Samples of power are read elsewhere.

use std::collections::BTreeMap;

use flopcast_core::quantity::text::parse;
use flopcast_core::quantity::{DeviceTime, Measure, Time};
use flopcast_core::serving::traffic::stamp::{self, Stamp};

use super::power::device_of;
use super::table::{Odd, Row, Sum, Table};
use super::{Expected, Measured};

/// Columns of the length of a run, with the seconds of their unit.
const LENGTHS: &[(&str, f64)] = &[
    ("_wandb.runtime", 1.0),
    ("summary._wandb.runtime", 1.0),
    ("_runtime", 1.0),
    ("summary._runtime", 1.0),
    ("summaryMetrics._runtime", 1.0),
    ("summary_metrics._runtime", 1.0),
    ("train_runtime", 1.0),
    ("train/train_runtime", 1.0),
    ("metrics.train_runtime", 1.0),
    ("duration_s", 1.0),
    ("duration_seconds", 1.0),
    ("sys/running_time", 1.0),
    ("TrainingTimeInSeconds", 1.0),
    ("durationMillis", 1e-3),
    ("duration_ms", 1e-3),
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
    "params/num_gpus",
    "parameters/num_gpus",
    "metadata.gpuCount",
    "params.n_gpus",
    "params.gpus",
    "data.params.world_size",
    "data.params.num_gpus",
    "data.params.n_gpus",
    "gpus",
    "n_gpus",
];
/// Columns of the number of GPUs of each node, and of the nodes: those of PyTorch Lightning.
const OF_A_NODE: &[&str] = &[
    "params.trainer.devices",
    "trainer.devices",
    "params.devices",
    "gpus_per_node",
    "nproc_per_node",
];
const NODES: &[&str] = &[
    "params.trainer.num_nodes",
    "trainer.num_nodes",
    "params.num_nodes",
    "num_nodes",
    "nnodes",
    "nodes",
];
/// Columns of the first and the last moment of a run.
const SPANS: &[[&str; 2]] = &[
    ["start_time", "end_time"],
    ["info.start_time", "info.end_time"],
    ["start_time_ms", "end_time_ms"],
    ["startTimeMillis", "endTimeMillis"],
    ["started", "completed"],
    ["started_at", "finished_at"],
    ["TrainingStartTime", "TrainingEndTime"],
];
/// Columns of the time of a row of a history.
const MOMENTS: &[&str] = &["Wall time", "timestamp", "time"];
/// The column of the length of a run with its unit, `10.0h`.
const SPOKEN: &str = "Duration";
/// Columns of the place of a row in the history of one run.
const STEPS: &[&str] = &["_step", "step", "global_step", "trainer/global_step"];
/// Columns that name a run.
const RUNS: &[&str] =
    &["run_id", "info.run_id", "Run ID", "id", "ID", "run", "run_name", "Name", "name"];

/// True if a log is one of runs.
pub(super) fn is_in(table: &Table) -> bool {
    LENGTHS.iter().any(|(column, _)| table.has(column))
        || is_history(table)
        || SPANS.iter().any(|span| span.iter().all(|column| table.has(column)))
        || table.has(SPOKEN) && table.first(RUNS).is_some()
        || table.has("gpu_count") && table.has("gpu")
}

/// True for a history whose rows have their time: `TensorBoard`'s, Trackio's.
fn is_history(table: &Table) -> bool {
    table.first(STEPS).is_some() && table.first(MOMENTS).is_some()
}

/// The length of each run of a history: from its first moment to its last.
fn spans(table: &Table) -> BTreeMap<&str, [f64; 2]> {
    let mut spans: BTreeMap<&str, [f64; 2]> = BTreeMap::new();
    for row in table.rows() {
        let Some(at) = row.any(MOMENTS).and_then(moment) else { continue };
        let span = spans.entry(row.any(RUNS).unwrap_or_default()).or_insert([at, at]);
        *span = [span[0].min(at), span[1].max(at)];
    }
    spans
}

/// Device time: the sum over runs of length x GPUs. A history has its run in many rows, the last of
/// which counts. A row that has GPUs alone, such as the metadata of a run, gives them to all.
pub(super) fn read(tables: &[Table], expected: &Expected<'_>) -> Measured {
    let mut odd = Odd::default();
    let mut runs: BTreeMap<String, (Option<f64>, Option<f64>)> = BTreeMap::new();
    let mut common = None;
    for (file, table) in tables.iter().enumerate() {
        let history = table.first(STEPS).is_some();
        let timed = LENGTHS.iter().any(|(column, _)| table.has(column));
        if is_history(table) && !timed {
            let counted = table.rows().find_map(|row| gpus(table, row, &mut odd));
            for (run, [first, last]) in spans(table) {
                if last > first {
                    runs.insert(format!("{file} {run}"), (Some(last - first), counted));
                }
            }
            continue;
        }
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
    if let Some((column, unit)) = LENGTHS.iter().find(|(column, _)| row.text(column).is_some()) {
        let text = row.text(column)?;
        let worded = || spoken(text).filter(|_| text.contains(' '));
        return worded().or_else(|| Some(odd.number(row, column)? * unit));
    }
    if let Some(text) = row.text(SPOKEN) {
        let length = spoken(text);
        if length.is_none() {
            odd.note(row, SPOKEN, "is not a time such as 10.0h");
        }
        return length.filter(|seconds| *seconds > 0.0);
    }
    let moment = |column: &str| row.text(column).and_then(moment);
    let span = SPANS.iter().find(|span| span.iter().all(|column| row.text(column).is_some()))?;
    Some(moment(span[1])? - moment(span[0])?).filter(|seconds| *seconds > 0.0)
}

/// The seconds of `10.0h` or `1d 10h 0m 5s`.
fn spoken(text: &str) -> Option<f64> {
    let mut rest = text.trim();
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let letters = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let (number, unit) = rest.split_at(letters);
        let end = unit.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(unit.len());
        let (unit, after) = unit.split_at(end);
        let unit = if unit == "m" { "min" } else { unit };
        seconds += parse::<Time>(&format!("{} {unit}", number.trim())).ok()?.stored();
        rest = after.trim();
    }
    Some(seconds)
}

/// The seconds since 1970 of a moment, or of the clock that a log has.
fn moment(text: &str) -> Option<f64> {
    match stamp::read(text)? {
        Stamp::Date(seconds) => Some(seconds),
        Stamp::Number(number) => Some(number * stamp::epoch(number).map_or(1.0, |(_, unit)| unit)),
    }
}

/// The GPUs of a run: as it says, else as many as it has metrics of power of.
fn gpus(table: &Table, row: Row<'_>, odd: &mut Odd) -> Option<f64> {
    if let Some(column) = GPUS.iter().find(|column| row.text(column).is_some()) {
        return odd.number(row, column).filter(|count| *count > 0.0);
    }
    if let Some(column) = OF_A_NODE.iter().find(|column| row.text(column).is_some()) {
        let nodes = NODES.iter().find(|column| row.text(column).is_some());
        let nodes = nodes.and_then(|nodes| odd.number(row, nodes)).unwrap_or(1.0);
        return odd.number(row, column).map(|count| count * nodes).filter(|count| *count > 0.0);
    }
    let metered = |it: &&str| device_of(it).is_some() && row.text(it).is_some();
    let count = table.columns().filter(metered).count();
    (count > 0).then_some(count as f64)
}
