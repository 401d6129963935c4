//! Samples of power: the power of each GPU over time, as nvidia-smi, DCGM, Prometheus, Weights &
//! Biases, `MLflow` and Trackio write it. The host's power is not in it.
//!
//! Rows are a GPU at a time (columns for the stamp, the GPU and its power), all GPUs at a time (a
//! column per GPU, `system.gpu.0.powerWatts`), or a metric at a time (columns `key` and `value`).

use std::borrow::Cow;
use std::collections::BTreeMap;

use flopcast_core::diagnostic::Result;
use flopcast_core::quantity::{DevicePower, DeviceTime, Energy, Measure};
use flopcast_core::serving::traffic::records::Record;
use flopcast_core::serving::traffic::stamp::{self, Stamp};
use indexmap::IndexSet;

use super::Measured;
use super::table::{Odd, Row, Sum, Table, number};

/// The power of each device: samples in seconds and watts, in order of the file.
pub(super) type Series = BTreeMap<String, Vec<(f64, Option<f64>)>>;

/// Columns of the time of a sample.
pub(super) const TIMES: &[&str] = &[
    "timestamp",
    "_timestamp",
    "time",
    "Time",
    "_runtime",
    "Relative Time (Process)",
    "Relative Time (Wall)",
    "created_at",
];
/// Columns of the power of the GPU of a row, in watts.
pub(super) const POWERS: &[&str] = &[
    "power.draw",
    "power.draw.average",
    "power.draw.instant",
    "DCGM_FI_DEV_POWER_USAGE",
    "DCGM_FI_DEV_POWER_USAGE_INSTANT",
    "power_usage",
    "power_draw",
    "power_draw_w",
    "power_w",
    "socket_power",
    "Average Graphics Package Power (W)",
    "Current Socket Graphics Package Power (W)",
    "Socket Power (W)",
    "POWER",
    "POWR",
];
/// Columns that tell GPUs apart, those that do so across machines first.
const GPUS: &[&str] = &[
    "uuid",
    "gpu_uuid",
    "UUID",
    "serial",
    "gpu_serial",
    "pci.bus_id",
    "gpu_bus_id",
    "pci_bus_id",
    "index",
    "gpu",
    "GPU",
    "gpu_id",
    "device",
    "Entity",
];
/// Columns of the machine.
const HOSTS: &[&str] = &["hostname", "Hostname", "host", "node", "instance", "run_name", "run_id"];
/// The length of a gap, in usual gaps between two samples, from which on it was not sampled.
const GAP: f64 = 5.0;
/// The least gap that was not sampled, in seconds.
const LEAST_GAP_S: f64 = 5.0;

/// The GPU of a metric of power: `system.gpu.0.powerWatts`, `system/gpu_0_power_usage_watts`,
/// `gpu/0/power`. Shares of the limit and limits are none.
pub(super) fn device_of(metric: &str) -> Option<String> {
    let name = metric.rsplit(" - ").next().unwrap_or(metric).to_lowercase();
    let name = name.strip_prefix("metrics.").unwrap_or(&name);
    if ["percent", "limit", "__min", "__max"].iter().any(|word| name.contains(word)) {
        return None;
    }
    let words: Vec<&str> = name.split(['.', '/', '_']).filter(|word| !word.is_empty()).collect();
    let gpu = words.iter().position(|word| *word == "gpu")?;
    let index = words.get(gpu + 1)?.parse::<u32>().ok()?;
    let power = words[gpu + 2..].iter().any(|word| word.starts_with("power"));
    let run = metric.rsplit_once(" - ").map_or("", |(run, _)| run);
    power.then(|| format!("{run} {index}").trim().to_owned())
}

/// True if a log has samples of power.
pub(super) fn is_in(table: &Table) -> bool {
    let times = table.first(TIMES).is_some();
    let long = table.has("key") && table.has("value") && times;
    times && (table.first(POWERS).is_some() || table.columns().any(|it| device_of(it).is_some()))
        || long && table.rows().any(|row| row.text("key").is_some_and(|it| device_of(it).is_some()))
}

/// The text with a header where a sample of nvidia-smi is its first line, which `noheader` leaves
/// away: a stamp, `600.00 W`, and perhaps what tells the GPU.
pub(super) fn headed(text: &str) -> Cow<'_, str> {
    let first = text.lines().next().unwrap_or_default();
    let mut powers = 0;
    let names: Vec<&str> = first
        .split(',')
        .enumerate()
        .map(|(place, cell)| match cell.trim() {
            cell if matches!(stamp::read(cell), Some(Stamp::Date(_))) => "timestamp",
            cell if cell.ends_with(" W") && number(cell).is_some() => {
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

/// The samples of logs, and the sums over them.
pub(super) fn read(tables: &[Table]) -> Measured {
    let (mut series, mut odd) = (Series::new(), Odd::default());
    for (file, table) in tables.iter().enumerate() {
        for (device, samples) in of_table(table, &mut odd) {
            // An index is of one machine: the same one in another file is of another.
            let global = device.starts_with("GPU-");
            let device = if global { device } else { format!("{file} {device}") };
            series.entry(device).or_default().extend(samples);
        }
    }
    let mut measured = of_series(series);
    measured.notes.extend(odd.notes());
    measured
}

/// The samples of one table, by GPU.
fn of_table(table: &Table, odd: &mut Odd) -> Series {
    let (time, power) = (table.first(TIMES).unwrap_or_default(), table.first(POWERS));
    let wide: Vec<(String, String)> = match power {
        Some(_) => Vec::new(),
        None => table
            .columns()
            .filter_map(|column| Some((column.to_owned(), device_of(column)?)))
            .collect(),
    };
    let unit = unit(table, time);
    // There are many samples of few GPUs.
    let mut names: IndexSet<String> = IndexSet::new();
    let mut rows: Vec<Sample> = Vec::new();
    for row in table.rows() {
        let Some(at) = moment(row, time, unit, odd) else { continue };
        let host = row.any(HOSTS).unwrap_or_default();
        let named = |gpu: &str| format!("{host} {gpu}").trim().to_owned();
        if let Some(power) = power {
            let gpu = row.any(GPUS).unwrap_or_default();
            let device = if gpu.starts_with("GPU-") { gpu.to_owned() } else { named(gpu) };
            rows.push((names.insert_full(device).0, at, odd.number(row, power)));
        } else if wide.is_empty() {
            let Some(device) = row.text("key").and_then(device_of) else { continue };
            rows.push((names.insert_full(named(&device)).0, at, odd.number(row, "value")));
        } else {
            for (column, device) in &wide {
                if row.text(column).is_some() {
                    rows.push((names.insert_full(named(device)).0, at, odd.number(row, column)));
                }
            }
        }
    }
    if power.is_some() && table.first(GPUS).is_none() {
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
    series.into_iter().map(|((device, turn), samples)| (name(device, turn), samples)).collect()
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

/// The moment of a row in seconds; one that cannot be read is noted.
fn moment(row: Row<'_>, time: &str, unit: f64, odd: &mut Odd) -> Option<f64> {
    let moment = row.text(time).and_then(stamp::read);
    if moment.is_none() {
        odd.note(row, time, "is not a time such as 2026/11/23 12:00:00.000");
    }
    moment.map(|moment| match moment {
        Stamp::Date(seconds) => seconds,
        Stamp::Number(number) => number * unit,
    })
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
    let (mut series, mut whole, mut others) = (Series::new(), false, 0);
    let (mut counted, mut once) = (Counters::default(), Vec::new());
    for (index, each) in result.iter().enumerate() {
        let each = each.value()?;
        let label = |name: &str| each.get("metric")?.get(name)?.as_str();
        let name = label("__name__").unwrap_or("power").to_lowercase();
        let counter = COUNTERS.iter().find(|(metric, _)| *metric == name);
        if !name.contains("power") && counter.is_none() {
            others += 1;
            continue;
        }
        let mut gpus = GPUS.iter().filter_map(|name| label(name));
        let gpu = gpus.next();
        whole |= gpu.is_none();
        let hosts = HOSTS.iter().find_map(|name| label(name)).unwrap_or_default();
        let device = match gpu {
            Some(gpu) if gpu.starts_with("GPU-") => gpu.to_owned(),
            Some(gpu) => format!("{hosts} {gpu}"),
            None => format!("series {index}"),
        };
        let values = each.get("values").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let sample = |pair: &Value| {
            let watts = pair.get(1)?.as_str().and_then(number);
            Some((pair.get(0)?.as_f64()?, watts))
        };
        if let Some((_, joules)) = counter {
            counted.add(values.iter().filter_map(sample).collect(), *joules);
            continue;
        }
        // An instant query has one value.
        once.extend(each.get("value").and_then(sample).and_then(|(_, watts)| watts));
        series.entry(device).or_default().extend(values.iter().filter_map(sample));
    }
    let mut measured = of_series(series);
    let sampled = measured.device_time.is_some();
    if !once.is_empty() && !sampled {
        let mean = once.iter().sum::<f64>() / once.len() as f64;
        measured.power = Some(DevicePower::from_stored(mean)).filter(|_| !whole);
        measured.notes = vec![format!("{} GPU(s) at one moment: power alone is known", once.len())];
    }
    if counted.series > 0 && !sampled {
        measured.device_time = counted.time.positive().map(DeviceTime::from_stored);
        measured.it = counted.energy.positive().map(Energy::from_stored);
        measured.notes = vec![format!("{} counter(s) of energy", counted.series)];
    }
    if whole {
        measured.device_time = None;
        measured.notes.push(
            "a series without a GPU's label is a sum over GPUs: how many, it does \
                             not say"
                .to_owned(),
        );
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
