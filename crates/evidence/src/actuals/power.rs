//! Samples of power: the power of each GPU over time, as nvidia-smi, DCGM, Prometheus, Weights &
//! Biases, `MLflow` and Trackio write it. The host's power is not in it.
//!
//! Rows are a GPU at a time (columns for the stamp, the GPU and its power), all GPUs at a time (a
//! column per GPU, `system.gpu.0.powerWatts`), or a metric at a time (columns `key` and `value`).
//! Names of power are read by their words, cells with their units.

use std::borrow::Cow;
use std::collections::BTreeMap;

use flopcast_core::diagnostic::Result;
use flopcast_core::quantity::{DevicePower, DeviceTime, Energy, Measure};
use flopcast_core::serving::traffic::records::Record;
use flopcast_core::serving::traffic::stamp::{self, Stamp};
use indexmap::IndexSet;

use super::metric::{self, Metric};
use super::table::{Odd, Row, Sum, Table, number};
use super::{Measured, sacct};

/// The power of each device: samples in seconds and watts, in order of the file.
pub(super) type Series = BTreeMap<String, Samples>;
/// Samples of one device.
type Samples = Vec<(f64, Option<f64>)>;

/// Columns of the time of a sample.
pub(super) const TIMES: &[&str] = &[
    "timestamp",
    "time",
    "_runtime",
    "Relative Time (Process)",
    "Relative Time (Wall)",
    "created_at",
    "query_time",
    "datetime",
    "date",
    "timestamp_ms",
    "ts",
];
/// Columns of the power of the GPU of a row, the first of several first; others by their words.
const POWERS: &[&str] = &[
    "power.draw",
    "power.draw.average",
    "power.draw.instant",
    "DCGM_FI_DEV_POWER_USAGE",
    "DCGM_FI_DEV_POWER_USAGE_INSTANT",
];
/// Columns that tell GPUs apart, those that do so across machines first.
const GPUS: &[&str] = &[
    "uuid",
    "gpu_uuid",
    "serial",
    "gpu_serial",
    "pci.bus_id",
    "gpu_bus_id",
    "pci_bus_id",
    "index",
    "gpu",
    "gpu_id",
    "gpu_index",
    "device_id",
    "device",
    "card",
    "Entity",
];
/// Columns of the machine.
const HOSTS: &[&str] = &["hostname", "host", "node", "instance", "run_name", "run_id"];
/// The length of a gap, in usual gaps between two samples, from which on it was not sampled.
const GAP: f64 = 5.0;
/// The least gap that was not sampled, in seconds.
const LEAST_GAP_S: f64 = 5.0;
/// The same as labels of Prometheus, which are of one case.
const GPU_LABELS: &[&str] = &[
    "uuid",
    "UUID",
    "gpu_uuid",
    "pci_bus_id",
    "serial",
    "gpu",
    "gpu_id",
    "index",
    "device",
    "card",
];
const HOST_LABELS: &[&str] = &["Hostname", "hostname", "host", "node", "instance"];
/// Columns of the name of the metric of a row, and of its value.
const KEYS: &[&str] = &["key", "metric", "metric_name", "series", "field", "tag"];
const VALUES: &[&str] = &["value", "metric_value"];
/// More watts than a GPU draws, with the unit of readings that are more: milliwatts as drivers
/// have them, microwatts as kernels do.
const TOO_MANY: [(f64, f64, &str); 2] = [(1e7, 1e-6, "microwatts"), (1e4, 1e-3, "milliwatts")];

/// The GPU of a metric of power: `system.gpu.0.powerWatts`, `gpu/0/power`.
pub(super) fn device_of(name: &str) -> Option<String> {
    metric::of_name(name)?.gpu
}

/// Where a table has its power.
enum Columns<'a> {
    /// In one column, a GPU or a machine at a time.
    One(&'a str, Metric),
    /// In a column for each GPU: its name, the GPU, the watts of its unit.
    Each(Vec<(&'a str, String, Option<f64>)>),
    /// In rows of metrics.
    Keyed(&'static str, &'static str),
}

/// The place of the power in a table that has times.
fn columns(table: &Table) -> Option<Columns<'_>> {
    let time = table.first(TIMES)?;
    let named = || table.columns().filter_map(|name| Some((name, metric::of_name(name)?)));
    let each = |(name, metric): (_, Metric)| Some((name, metric.gpu?, metric.unit));
    let wide: Vec<_> = named().filter_map(each).collect();
    if !wide.is_empty() {
        return Some(Columns::Each(wide));
    }
    let rank = |name: &str| POWERS.iter().position(|it| same(it, name)).unwrap_or(POWERS.len());
    let one = named().min_by_key(|(name, metric)| (metric.of_machine, rank(name)));
    if let Some((name, metric)) = one {
        return Some(Columns::One(name, metric));
    }
    if let Some((key, value)) = table.first(KEYS).zip(table.first(VALUES)) {
        let mut keys = table.rows().filter_map(|row| row.text(key));
        return keys
            .any(|key| metric::of_name(key).is_some())
            .then_some(Columns::Keyed(key, value));
    }
    // A legend such as `GPU 0` is no metric, but the cells have the unit.
    let first = |name: &str| table.rows().find_map(|row| row.text(name));
    let with_unit = |name: &&str| *name != time && first(name).is_some_and(metric::is_power);
    let legends = table.columns().filter(with_unit);
    let wide: Vec<_> = legends.map(|name| (name, name.to_owned(), Some(1.0))).collect();
    (!wide.is_empty()).then_some(Columns::Each(wide))
}

/// True if two names differ in case and marks alone.
fn same(a: &str, b: &str) -> bool {
    let letters = |name: &str| {
        name.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_ascii_lowercase()
    };
    letters(a) == letters(b)
}

/// True if a log has samples of power.
pub(super) fn is_in(table: &Table) -> bool {
    columns(table).is_some()
}

/// The text with a header where a sample of nvidia-smi is its first line, which `noheader` leaves
/// away: a stamp, `600.00 W`, and perhaps what tells the GPU.
pub(super) fn headed(text: &str) -> Cow<'_, str> {
    if let Some(table) = monitored(text) {
        return table.into();
    }
    let first = text.lines().next().unwrap_or_default();
    // Without units, only powers have two decimals.
    let bare = !first.contains(" W");
    let decimals = |cell: &str| {
        let parts = cell.split_once('.');
        parts.is_some_and(|(_, it)| it.len() == 2) && cell.parse::<f64>().is_ok()
    };
    let mut powers = 0;
    let names: Vec<&str> = first
        .split(',')
        .enumerate()
        .map(|(place, cell)| match cell.trim() {
            cell if matches!(stamp::read(cell), Some(Stamp::Date(_))) => "timestamp",
            cell if metric::is_power(cell) || bare && decimals(cell) => {
                powers += 1;
                if powers == 1 { "power.draw" } else { "limit" }
            }
            cell if cell.starts_with("GPU-") => "uuid",
            cell if cell.matches(':').count() == 2 && cell.contains('.') => "pci.bus_id",
            cell if place < 3 && cell.parse::<u32>().is_ok() => "index",
            _ => "other",
        })
        .collect();
    if powers == 0 || !names.contains(&"timestamp") {
        return text.into();
    }
    format!("{}\n{text}", names.join(",")).into()
}

/// The samples of `nvidia-smi dmon` with its columns of time (`-o T` or `-o DT`) as a table.
fn monitored(text: &str) -> Option<String> {
    let cells = |line: &str| {
        let cells =
            line.trim().trim_start_matches('#').split(|c: char| c == ',' || c.is_whitespace());
        cells.filter(|it| !it.is_empty()).map(str::to_lowercase).collect::<Vec<_>>()
    };
    let names = cells(text.lines().find(|line| line.trim_start().starts_with('#'))?);
    let place = |name: &str| names.iter().position(|it| it == name);
    let (time, gpu, power) = (place("time")?, place("gpu")?, place("pwr")?);
    let mut table = "timestamp,gpu,power.draw\n".to_owned();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let cells = cells(line);
        let cell = |place: usize| cells.get(place).map_or("", String::as_str);
        let day = place("date").map_or("", cell);
        // `20260301` is a day.
        let day = match (day.len(), day.is_ascii()) {
            (8, true) => format!("{}-{}-{} ", &day[..4], &day[4..6], &day[6..]),
            _ => String::new(),
        };
        let power = Some(cell(power)).filter(|it| *it != "-").unwrap_or_default();
        table.extend([&day, cell(time), ",", cell(gpu), ",", power, "\n"]);
    }
    Some(table)
}

/// The samples of logs, and the sums over them.
pub(super) fn read(tables: &[Table]) -> Measured {
    let (mut series, mut odd, mut notes) = (Series::new(), Odd::default(), Vec::new());
    let mut of_machines = false;
    for (file, table) in tables.iter().enumerate() {
        let read = of_table(table, &mut odd, &mut notes);
        of_machines |= read.of_machines;
        for (device, samples) in read.series {
            // An index is of one machine: the same one in another file is of another.
            let global = device.starts_with("GPU-");
            let device = if global { device } else { format!("{file} {device}") };
            series.entry(device).or_default().extend(samples);
        }
    }
    let mut measured = of_series(series);
    if of_machines {
        (measured.device_time, measured.devices_alone) = (None, false);
        notes.push("the power is that of machines: on how many GPUs, it does not say".to_owned());
    }
    measured.notes.extend(notes);
    measured.notes.extend(odd.notes());
    measured
}

/// What a table has of power.
struct Sampled {
    series: Series,
    of_machines: bool,
}

/// The samples of one table, by GPU.
fn of_table(table: &Table, odd: &mut Odd, notes: &mut Vec<String>) -> Sampled {
    let time = table.first(TIMES).unwrap_or_default();
    let Some(columns) = columns(table) else {
        return Sampled { series: Series::new(), of_machines: false };
    };
    let unit = unit(table, time);
    let held = |names: &'static [&'static str]| -> Vec<&str> {
        names.iter().copied().filter(|name| table.has(name)).collect()
    };
    let (hosts, gpus) = (held(HOSTS), held(GPUS));
    // There are many samples of few GPUs.
    let mut names: IndexSet<String> = IndexSet::new();
    let mut rows: Vec<Sample> = Vec::new();
    let mut clock = Clock::default();
    // Readings whose unit no name says.
    let mut bare: Vec<f64> = Vec::new();
    let mut watts = |row: Row<'_>, column: &str, unit: Option<f64>, odd: &mut Odd| {
        let text = row.text(column)?;
        let read = metric::watts(text, unit.unwrap_or(1.0)).filter(|watts| *watts >= 0.0);
        if read.is_none() {
            odd.note(row, column, "is no power such as 312.45 W");
        }
        if unit.is_none() && bare.len() < 10_000 {
            bare.extend(read.filter(|watts| *watts > 0.0));
        }
        read
    };
    for row in table.rows() {
        let Some(at) = moment(row, time, unit, &mut clock, odd) else { continue };
        let host = row.any(&hosts).unwrap_or_default();
        let named = |gpu: &str| format!("{host} {gpu}").trim().to_owned();
        match &columns {
            Columns::One(column, metric) => {
                let gpu = row.any(&gpus).unwrap_or_default();
                let device = if gpu.starts_with("GPU-") { gpu.to_owned() } else { named(gpu) };
                rows.push((names.insert_full(device).0, at, watts(row, column, metric.unit, odd)));
            }
            Columns::Each(each) => {
                for (column, device, unit) in each {
                    if row.text(column).is_some() {
                        let power = watts(row, column, *unit, odd);
                        rows.push((names.insert_full(named(device)).0, at, power));
                    }
                }
            }
            Columns::Keyed(key, value) => {
                let Some(metric) = row.text(key).and_then(metric::of_name) else { continue };
                let device = named(&metric.gpu.unwrap_or_default());
                let power = watts(row, value, metric.unit, odd);
                rows.push((names.insert_full(device).0, at, power));
            }
        }
    }
    let of_machines = matches!(&columns, Columns::One(_, metric) if metric.of_machine);
    if let Some((unit, name)) = Some(bare).filter(|_| !of_machines).and_then(small_unit) {
        for row in &mut rows {
            row.2 = row.2.map(|watts| watts * unit);
        }
        notes.push(name);
    }
    if matches!(columns, Columns::One(..)) && gpus.is_empty() && !of_machines {
        names = number_in_turn(&mut rows);
    }
    let mut series: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut last: BTreeMap<usize, (f64, usize)> = BTreeMap::new();
    for (device, at, watts) in rows {
        // Several rows of one name with one stamp are several GPUs.
        let seen = last.get(&device).filter(|(stamp, _)| stamp.total_cmp(&at).is_eq());
        let turn = seen.map_or(0, |(_, turn)| turn + 1);
        last.insert(device, (at, turn));
        series.entry((device, turn)).or_default().push((at, watts));
    }
    let name = |device: usize, turn: usize| match turn {
        0 => names[device].clone(),
        turn => format!("{} #{turn}", names[device]),
    };
    let series = series.into_iter();
    let series = series.map(|((device, turn), samples)| (name(device, turn), samples)).collect();
    Sampled { series, of_machines }
}

/// The unit of readings of GPUs that are too many for watts, with a remark.
fn small_unit(mut readings: Vec<f64>) -> Option<(f64, String)> {
    readings.sort_by(f64::total_cmp);
    let usual = readings.get(readings.len() / 2)?;
    let (_, unit, name) = TOO_MANY.iter().find(|(most, ..)| usual > most)?;
    Some((*unit, format!("readings of {usual} are no GPU's watts: they are taken as {name}")))
}

/// A sample: the GPU among those of its table, the time in seconds, the power in watts.
type Sample = (usize, f64, Option<f64>);

/// Names the GPUs of rows that do not: as many as come in one go, again and again.
fn number_in_turn(rows: &mut [Sample]) -> IndexSet<String> {
    // The first rows show it as well as all.
    let stamps: Vec<f64> = rows.iter().map(|(_, at, _)| *at).take(20_000).collect();
    let in_one_go = |count: usize| {
        let rounds: Vec<&[f64]> = stamps.chunks_exact(count).collect();
        let mut periods: Vec<f64> = rounds.windows(2).map(|it| it[1][0] - it[0][0]).collect();
        periods.sort_by(f64::total_cmp);
        let Some(period) = periods.get(periods.len() / 4) else { return false };
        let close = |round: &&&[f64]| round[count - 1] - round[0] <= 0.2 * period;
        rounds.iter().filter(close).count() * 20 >= rounds.len() * 19
    };
    let most = (stamps.len() / 2).min(256);
    let count = (2..=most).rev().find(|count| in_one_go(*count)).unwrap_or(1);
    for (index, row) in rows.iter_mut().enumerate() {
        row.0 = index % count;
    }
    (0..count).map(|turn| format!("row {turn}")).collect()
}

/// Seconds of a unit of the stamps of a table, those since 1970 told by their size.
fn unit(table: &Table, time: &str) -> f64 {
    let least =
        table.rows().filter_map(|row| number(row.text(time)?)).fold(f64::INFINITY, f64::min);
    stamp::epoch(least).map_or(1.0, |(_, unit)| unit)
}

/// The time of day of the row before, and the days that passed, where stamps have no date.
#[derive(Default)]
struct Clock {
    before: f64,
    days: f64,
}

/// The moment of a row in seconds; one that cannot be read is noted.
fn moment(row: Row<'_>, time: &str, unit: f64, clock: &mut Clock, odd: &mut Odd) -> Option<f64> {
    let text = row.text(time)?;
    match stamp::read(text) {
        Some(Stamp::Date(seconds)) => Some(seconds),
        Some(Stamp::Number(number)) => Some(number * unit),
        None => {
            let Some(seconds) = sacct::clock(text) else {
                odd.note(row, time, "is not a time such as 2026/11/23 12:00:00.000");
                return None;
            };
            // Rows are in order: a clock that falls by hours has passed midnight.
            if seconds < clock.before - 43_200.0 {
                clock.days += 1.0;
            }
            clock.before = seconds;
            Some(seconds + 86_400.0 * clock.days)
        }
    }
}

/// Device time is the time that samples cover. Energy is the integral of power by the trapezoidal
/// rule: the sum of (p1 + p2) / 2 x seconds. Neither runs across a gap: in it nobody sampled. A
/// sample without a reading has that of its neighbours; a GPU with fewer readings than two makes
/// the energy unknown.
pub(super) fn of_series(series: Series) -> Measured {
    let [mut time, mut energy] = [Sum::new(); 2];
    let (mut gaps, mut unsampled, mut longest) = (0, 0.0, 0.0_f64);
    let devices = series.len();
    for (_, mut samples) in series {
        samples.sort_by(|a, b| a.0.total_cmp(&b.0));
        fill(&mut samples);
        let mut steps: Vec<f64> = samples.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        steps.sort_by(f64::total_cmp);
        let usual = steps.get(steps.len() / 2).copied().unwrap_or_default();
        let most = (GAP * usual).max(LEAST_GAP_S);
        for pair in samples.windows(2) {
            let [(start, first), (end, second)] = [pair[0], pair[1]];
            let seconds = end - start;
            if seconds > most && steps.len() > 1 {
                gaps += 1;
                unsampled += seconds;
                continue;
            }
            longest = longest.max(seconds);
            time.add(Some(seconds));
            energy.add(first.zip(second).map(|(a, b)| f64::midpoint(a, b) * seconds));
        }
    }
    let mut notes = vec![format!("{devices} GPU(s), sampled at most {longest:.0} s apart")];
    if gaps > 0 {
        notes.push(format!(
            "{gaps} gap(s) of together {:.4} device-hours were not sampled and are in no sum",
            unsampled / 3600.0
        ));
    }
    Measured {
        device_time: time.positive().map(DeviceTime::from_stored),
        it: energy.positive().map(Energy::from_stored),
        devices_alone: true,
        notes,
        ..Measured::default()
    }
}

/// Gives samples without a reading the mean of the readings before and after; the only one where
/// there is but one. Fewer than two readings say nothing of the others.
fn fill(samples: &mut [(f64, Option<f64>)]) {
    if samples.iter().filter(|(_, watts)| watts.is_some()).count() < 2 {
        return;
    }
    let mut after = vec![None; samples.len()];
    let mut next = None;
    for (place, (_, watts)) in after.iter_mut().zip(samples.iter()).rev() {
        next = watts.or(next);
        *place = next;
    }
    let mut before = None;
    for ((_, watts), after) in samples.iter_mut().zip(after) {
        let mean = match (before, after) {
            (Some(before), Some(after)) => Some(f64::midpoint(before, after)),
            (before, after) => before.or(after),
        };
        before = watts.or(before);
        *watts = watts.or(mean);
    }
}

/// The samples of the answer to a range query of Prometheus: a series per GPU, as DCGM's exporter
/// labels them.
///
/// # Errors
/// If a series is too long to be read.
pub(super) fn of_prometheus(result: &[Record<'_>]) -> Result<Measured> {
    use serde_json::Value;
    // The series of a GPU by the rank of their metric: one of several counts.
    let mut series: BTreeMap<String, BTreeMap<usize, Samples>> = BTreeMap::new();
    let (mut machines, mut whole, mut others) = (Series::new(), false, 0);
    let (mut counted, mut once, mut bare) = (Counters::default(), Vec::new(), Vec::new());
    for (index, each) in result.iter().enumerate() {
        let each = each.value()?;
        let label = |name: &str| each.get("metric")?.get(name)?.as_str();
        let name = label("__name__").unwrap_or("power");
        let counter = COUNTERS.iter().find(|(metric, _)| name.eq_ignore_ascii_case(metric));
        let metric = metric::of_name(name);
        if metric.is_none() && counter.is_none() {
            others += 1;
            continue;
        }
        let values = each.get("values").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let stamp = values.first().and_then(|pair| pair.get(0)?.as_f64()).unwrap_or_default();
        let second = stamp::epoch(stamp).map_or(1.0, |(_, unit)| unit);
        let watts = metric.as_ref().and_then(|metric| metric.unit);
        let unit = watts.unwrap_or(1.0);
        let sample = |pair: &Value| {
            let read = pair.get(1)?;
            let read = read.as_f64().or_else(|| number(read.as_str()?));
            Some((pair.get(0)?.as_f64()? * second, read.map(|read| read * unit)))
        };
        let samples: Samples = values.iter().filter_map(sample).collect();
        if let Some((_, joules)) = counter {
            counted.add(samples, *joules);
            continue;
        }
        let host = HOST_LABELS.iter().find_map(|name| label(name)).unwrap_or_default();
        if metric.as_ref().is_some_and(|metric| metric.of_machine) {
            machines.entry(format!("{host} {name}")).or_default().extend(samples);
            continue;
        }
        let gpu = GPU_LABELS.iter().find_map(|name| label(name));
        let gpu = gpu.map(str::to_owned).or(metric.and_then(|metric| metric.gpu));
        whole |= gpu.is_none();
        if watts.is_none() && gpu.is_some() {
            bare.extend(samples.iter().filter_map(|(_, watts)| *watts).filter(|it| *it > 0.0));
        }
        let device = match gpu {
            Some(gpu) if gpu.starts_with("GPU-") => gpu,
            Some(gpu) => format!("{host} {gpu}"),
            None => format!("series {index}"),
        };
        // An instant query has one value.
        once.extend(each.get("value").and_then(sample).and_then(|(_, watts)| watts));
        let rank = POWERS.iter().position(|it| *it == name).unwrap_or(POWERS.len());
        series.entry(device).or_default().entry(rank).or_default().extend(samples);
    }
    let again: usize = series.values().map(|of_gpu| of_gpu.len() - 1).sum();
    let small = small_unit(bare);
    let unit = small.as_ref().map_or(1.0, |(unit, _)| *unit);
    let first = |of_gpu: BTreeMap<usize, Samples>| of_gpu.into_values().next().unwrap_or_default();
    let in_watts = |samples: Samples| -> Samples {
        samples.into_iter().map(|(at, watts)| (at, watts.map(|it| it * unit))).collect()
    };
    let series = series.into_iter().map(|(device, of_gpu)| (device, in_watts(first(of_gpu))));
    let mut measured = of_series(series.collect());
    let sampled = measured.device_time.is_some();
    if !once.is_empty() && !sampled {
        let mean = unit * once.iter().sum::<f64>() / once.len() as f64;
        measured.power = Some(DevicePower::from_stored(mean)).filter(|_| !whole);
        measured.notes = vec![format!("{} GPU(s) at one moment: power alone is known", once.len())];
    }
    if counted.series > 0 && !sampled {
        measured.device_time = counted.time.positive().map(DeviceTime::from_stored);
        measured.it = counted.energy.positive().map(Energy::from_stored);
        measured.notes = vec![format!("{} counter(s) of energy", counted.series)];
    }
    measured.notes.extend(small.map(|(_, note)| note));
    if again > 0 {
        measured
            .notes
            .push(format!("{again} series of a second metric of the same GPU are left out"));
    }
    if whole {
        measured.device_time = None;
        measured.notes.push(
            "a series without a GPU's label is a sum over GPUs: how many, it does \
                             not say"
                .to_owned(),
        );
    }
    if !machines.is_empty() {
        let count = machines.len();
        let of_machines = of_series(machines);
        (measured.it, measured.devices_alone) = (of_machines.it, false);
        measured.notes.push(format!("the energy is that of {count} machine(s)"));
    }
    if others > 0 {
        measured.notes.push(format!("{others} series of other metrics than power are left out"));
    }
    Ok(measured)
}

/// Metrics that count energy from some start on, in lower case, with the joules of their unit.
const COUNTERS: &[(&str, f64)] = &[
    ("dcgm_fi_dev_total_energy_consumption", 1e-3),
    ("kepler_node_gpu_joules_total", 1.0),
    ("amd_gpu_energy_consumed", 1e-6),
];

/// The sums over counters of energy.
struct Counters {
    series: u32,
    time: Sum,
    energy: Sum,
}

impl Default for Counters {
    fn default() -> Self {
        Self { series: 0, time: Sum::new(), energy: Sum::new() }
    }
}

impl Counters {
    /// Adds what a counter rose by, and over what time; it begins anew where it falls.
    fn add(&mut self, mut samples: Vec<(f64, Option<f64>)>, joules: f64) {
        samples.sort_by(|a, b| a.0.total_cmp(&b.0));
        let read: Vec<(f64, f64)> =
            samples.into_iter().filter_map(|(at, count)| Some((at, count?))).collect();
        let rises = read.windows(2).map(|pair| match pair[1].1 - pair[0].1 {
            rise if rise < 0.0 => pair[1].1,
            rise => rise,
        });
        self.series += 1;
        self.energy.add((read.len() > 1).then(|| joules * rises.sum::<f64>()));
        self.time.add(read.first().zip(read.last()).map(|(first, last)| last.0 - first.0));
    }
}

/// The mean power of the rows of `dcgmi dmon` or `nvidia-smi dmon`, which have no stamps, and the
/// energy by their counters (`TOTEC`, mJ).
pub(super) fn of_monitor(text: &str) -> Option<Measured> {
    if monitored(text).is_some() {
        return None;
    }
    let header = text.lines().find(|line| line.trim_start().starts_with('#'))?;
    let names: Vec<&str> = header.trim_start().trim_start_matches('#').split_whitespace().collect();
    // The entity `GPU 0` is two words.
    let shift = usize::from(names.first() == Some(&"Entity"));
    let place = |wanted: &[&str]| Some(names.iter().position(|it| wanted.contains(it))? + shift);
    let (power, counter) = (place(&["POWER", "POWR", "pwr"]), place(&["TOTEC"]));
    let mut watts = Vec::new();
    let mut counts: BTreeMap<String, Vec<(f64, Option<f64>)>> = BTreeMap::new();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    for (at, line) in lines.enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let read = |place: Option<usize>| words.get(place?)?.parse::<f64>().ok();
        watts.extend(read(power).filter(|it| it.is_finite() && *it > 0.0));
        if let Some(count) = read(counter).filter(|it| it.is_finite()) {
            let gpu = words[..=shift.min(words.len() - 1)].join(" ");
            counts.entry(gpu).or_default().push((at as f64, Some(count)));
        }
    }
    let mut counted = Counters::default();
    for samples in counts.into_values() {
        counted.add(samples, 1e-3);
    }
    let mean = watts.iter().sum::<f64>() / watts.len() as f64;
    let it = counted.energy.positive().map(Energy::from_stored);
    let what = if it.is_some() { "power and energy are" } else { "power alone is" };
    let notes = vec![format!("{} samples without stamps: {what} known", watts.len())];
    (!watts.is_empty() || it.is_some()).then(|| Measured {
        power: Some(DevicePower::from_stored(mean)).filter(|_| !watts.is_empty()),
        it,
        devices_alone: true,
        notes,
        ..Measured::default()
    })
}
