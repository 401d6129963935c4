//! `emissions.csv` of `CodeCarbon`, a row per run, cumulative, and its files of tasks, a row per
//! task of a run.
//!
//! Columns read: `run_id`, `task_name`, `timestamp`, `duration` (s), `gpu_count`, `gpu_model`,
//! `gpu_energy`, `energy_consumed` (kWh, with the PUE in it if there is one), `pue`, `emissions`
//! (kgCO2e), `tracking_mode`.

use std::collections::BTreeSet;

use flopcast_core::quantity::{Co2eMass, DeviceTime, Energy, Measure};
use flopcast_core::serving::traffic::stamp::{self, Stamp};
use indexmap::IndexMap;

use super::table::{Odd, Row, Sum, Table, number};
use super::{Expected, Measured};

/// Trackers of which each is held against each.
const MOST_TRACKERS: usize = 5000;
/// Joules of a kWh.
const JOULES_PER_KWH: f64 = 3.6e6;
/// Columns of numbers: in a row of another width than the header's, nothing counts from the first
/// that holds words on.
const NUMBERS: &[&str] = &[
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
    "cpu_count",
    "gpu_count",
    "longitude",
    "latitude",
    "ram_total_size",
    "cpu_utilization_percent",
    "gpu_utilization_percent",
    "ram_utilization_percent",
    "ram_used_gb",
    "pue",
    "wue",
];

/// Columns of the emissions.
const EMISSIONS: &[&str] = &["emissions", "emissions_sum"];

/// A run or a task, as its row has it.
struct Tracked<'a> {
    row: Row<'a>,
    seconds: Option<f64>,
    devices: Option<f64>,
    end: Option<f64>,
}

/// Sums over runs and tasks: device time = duration x GPUs, IT energy = consumed energy / PUE, and
/// the emissions as the tool states them.
///
/// A PUE of 1 is the tool's default and states nothing. GPUs that drew nothing were not metered.
/// Trackers that ran at once beside one another metered one machine, unless the forecast has
/// devices for all of them.
pub(super) fn read(tables: &[Table], expected: &Expected<'_>) -> Measured {
    let (mut odd, mut notes) = (Odd::default(), Vec::new());
    let tracked = tracked(tables, expected, &mut odd, &mut notes);
    let tracked = machines(tracked, expected, &mut notes);
    let [mut time, mut it, mut facility, mut co2e] = [Sum::new(); 4];
    let (mut unmetered, mut stated) = (0, 0);
    for Tracked { row, seconds, devices, .. } in &tracked {
        time.add(seconds.zip(*devices).map(|(seconds, devices)| seconds * devices));
        // Without a meter of GPUs the tool sees the processor alone, and may count no GPU.
        let blind = odd.number(*row, "gpu_energy").is_some_and(|energy| energy <= 0.0);
        unmetered += u32::from(blind);
        let consumed = odd.number(*row, "energy_consumed").filter(|_| !blind);
        let pue = odd.number(*row, "pue").filter(|pue| *pue > 1.0);
        stated += u32::from(pue.is_some());
        facility.add(consumed.filter(|_| pue.is_some()));
        // Without a PUE, the tool meters the machine itself.
        it.add(consumed.map(|consumed| consumed / pue.unwrap_or(1.0)));
        co2e.add(emissions(*row, &mut odd).filter(|_| !blind));
    }
    if unmetered > 0 {
        notes.push(format!("the GPUs of {unmetered} row(s) drew 0 kWh: they were not metered"));
    }
    if stated == 0 {
        notes.push(
            "no PUE is stated (1 is CodeCarbon's default): energy and CO2e are those of \
                    the machines"
                .to_owned(),
        );
    }
    if tracked.iter().any(|it| it.row.text("tracking_mode") == Some("process")) {
        notes.push("tracked by process: what others drew on the machine is not in it".to_owned());
    }
    notes.extend(odd.notes());
    let energy = |sum: Sum| sum.positive().map(|kwh| Energy::from_stored(kwh * JOULES_PER_KWH));
    Measured {
        device_time: time.positive().map(DeviceTime::from_stored),
        it: energy(it),
        facility: energy(facility),
        co2e: co2e.positive().map(Co2eMass::from_stored),
        notes,
        ..Measured::default()
    }
}

/// The emissions of a row, in kgCO2e; `emissions_sum` where the tool's service gives them.
fn emissions(row: Row<'_>, odd: &mut Odd) -> Option<f64> {
    let column = EMISSIONS.iter().find(|column| row.text(column).is_some())?;
    odd.number(row, column)
}

/// The GPUs of `4 x NVIDIA A100,4 x NVIDIA H100`.
fn of_models(models: &str) -> Option<f64> {
    models.split(',').map(|model| number(model.trim())).sum()
}

/// True if a log is one of `CodeCarbon`.
pub(super) fn is_in(table: &Table) -> bool {
    table.has("duration") && table.first(EMISSIONS).is_some()
}

/// The rows that count: every task, and the last row of every run.
fn tracked<'a>(
    tables: &'a [Table],
    expected: &Expected<'_>,
    odd: &mut Odd,
    notes: &mut Vec<String>,
) -> Vec<Tracked<'a>> {
    let mut runs: IndexMap<String, Tracked<'a>> = IndexMap::new();
    let (mut tasks, mut of_tasks) = (0, BTreeSet::new());
    for (file, table) in tables.iter().enumerate() {
        for (i, row) in table.rows().enumerate() {
            let row = aligned(row, notes);
            let task = row.text("task_name").is_some();
            let run = row.text("run_id").map_or_else(|| format!("{file} row {i}"), str::to_owned);
            if task {
                of_tasks.insert(run.clone());
            }
            let key = if task { format!("{run} task {file} {i}") } else { run };
            tasks += u32::from(task);
            let model = row.text("gpu_model");
            let counted = odd.number(row, "gpu_count").or_else(|| of_models(model?));
            let dies = expected.dies(model.unwrap_or_default());
            let end = row.text("timestamp").and_then(stamp::read).and_then(|at| match at {
                Stamp::Date(seconds) => Some(seconds),
                Stamp::Number(_) => None,
            });
            let devices = counted.filter(|count| *count > 0.0).map(|count| count / dies);
            let seconds = odd.number(row, "duration");
            runs.insert(key, Tracked { row, seconds, devices, end });
        }
    }
    // A run whose tasks are there as well is the sum of them.
    runs.retain(|run, _| !of_tasks.contains(run));
    let whole = runs.len() - tasks as usize;
    let counts = [(whole, "run(s)"), (tasks as usize, "task(s)")];
    let said = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
    notes.insert(0, said.collect::<Vec<_>>().join(", "));
    runs.into_values().collect()
}

/// The row as far as it can be read: all of it if it has as many cells as the header, else up to
/// the first column of numbers that holds words.
fn aligned<'a>(row: Row<'a>, notes: &mut Vec<String>) -> Row<'a> {
    let (cells, columns) = row.width();
    if cells == columns {
        return row;
    }
    let words = |column: &&&str| row.text(column).is_some_and(|text| text.parse::<f64>().is_err());
    let places = NUMBERS.iter().filter(words).filter_map(|column| row.place(column));
    let intact = places.min().unwrap_or(cells);
    notes.push(format!(
        "line {}: {cells} cells below a header of {columns}, as CodeCarbon leaves them after a \
         change of version; the first {intact} are read",
        row.line()
    ));
    row.until(intact)
}

/// One tracker for each machine: of those that ran at once, the longest.
fn machines<'a>(
    tracked: Vec<Tracked<'a>>,
    expected: &Expected<'_>,
    notes: &mut Vec<String>,
) -> Vec<Tracked<'a>> {
    let hardware = |row: Row<'a>| {
        ["cpu_model", "gpu_model", "gpu_count", "ram_total_size", "region"]
            .map(|column| row.text(column).unwrap_or_default())
    };
    let is_task = |it: &Tracked<'_>| it.row.text("task_name").is_some();
    let same_run = |a: &Tracked<'_>, b: &Tracked<'_>| {
        is_task(a) && is_task(b) && a.row.text("run_id") == b.row.text("run_id")
    };
    let at_once = |a: &Tracked<'_>, b: &Tracked<'_>| {
        let span = |it: &Tracked<'_>| Some((it.end? - it.seconds?, it.end?, it.seconds?));
        let (Some(a), Some(b)) = (span(a), span(b)) else { return false };
        let shared = a.1.min(b.1) - a.0.max(b.0);
        shared > 0.5 * a.2.min(b.2)
    };
    if tracked.len() > MOST_TRACKERS {
        notes.push(format!(
            "more than {MOST_TRACKERS} trackers: it was not looked which of them ran at once"
        ));
        return tracked;
    }
    let mut order: Vec<usize> = (0..tracked.len()).collect();
    let length = |i: usize| tracked[i].seconds.unwrap_or_default();
    order.sort_by(|a, b| length(*b).total_cmp(&length(*a)));
    let mut kept: Vec<usize> = Vec::new();
    let mut left_out = BTreeSet::new();
    for i in order {
        let mine = &tracked[i];
        let beside = kept.iter().filter(|other| {
            let other = &tracked[**other];
            let at_once = at_once(other, mine) && !same_run(other, mine);
            at_once && hardware(other.row) == hardware(mine.row)
        });
        let together = (beside.count() + 1) as f64 * mine.devices.unwrap_or_default();
        let room = expected.devices.is_some_and(|devices| together <= devices);
        if together <= mine.devices.unwrap_or_default() || room {
            kept.push(i);
        } else {
            left_out.insert(i);
        }
    }
    if !left_out.is_empty() {
        notes.push(format!(
            "{} tracker(s) ran beside another on more GPUs than the forecast has: they metered the \
             same machine, which counts once",
            left_out.len()
        ));
    }
    let kept = tracked.into_iter().enumerate().filter(|(i, _)| !left_out.contains(i));
    kept.map(|(_, it)| it).collect()
}
