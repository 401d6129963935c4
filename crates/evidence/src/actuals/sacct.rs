//! `sacct` of Slurm: a row per job and step. A job's row covers the time of its steps.
//!
//! Columns read: `JobID` (steps have a dot in it), `ElapsedRaw` (s) or `Elapsed` or `Start` and
//! `End`, `AllocTRES` or `ReqTRES` or the older `AllocGRES` and `ReqGRES`, `ConsumedEnergyRaw` (J) or
//! `ConsumedEnergy`, `State`; of `sacct --json` the same by its
//! own names.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use flopcast_core::quantity::{DeviceTime, Energy, Measure};
use flopcast_core::serving::traffic::stamp::{self, Stamp};
use indexmap::IndexMap;

use super::table::{Odd, Row, Sum, Table};
use super::{Expected, Measured};

/// Columns of a job's number.
const IDS: &[&str] = &["JobID", "JobIDRaw", "job_id"];
/// Columns of the time of a job: one of them, or `Start` and `End`.
const TIMES: &[&str] = &["ElapsedRaw", "Elapsed", "time.elapsed"];
/// Columns of its begin.
const BEGINS: &[&str] = &["Start", "time.start"];
/// Columns of its state.
const STATES: &[&str] = &["State", "state.current"];
/// Columns of what a job held.
const RESOURCES: &[&str] =
    &["AllocTRES", "ReqTRES", "tres.allocated", "TRESUsageInTot", "AllocGRES", "ReqGRES"];
/// Columns of its nodes.
const NODES: &[&str] = &["NNodes", "AllocNodes"];

/// Steps that last as long as their job, the one that tells more first.
const STEPS: &[&str] = &["batch", "extern"];

/// True if a log is one of jobs.
pub(super) fn is_in(table: &Table) -> bool {
    let time = table.first(TIMES).is_some() || table.has("Start") && table.has("End");
    table.first(IDS).is_some() && time && table.first(RESOURCES).is_some()
}

/// Sums over jobs with GPUs: device time = elapsed seconds x GPUs, energy in J. The energy is
/// unknown if one job was not metered.
pub(super) fn read(tables: &[Table], expected: &Expected<'_>) -> Measured {
    let [mut time, mut energy] = [Sum::new(); 2];
    let (mut jobs, mut without, mut unmetered, mut slices) = (0, 0, 0, false);
    let mut states: BTreeMap<&str, u32> = BTreeMap::new();
    let mut odd = Odd::default();
    for row in once(tables).into_values() {
        let Some(held) = devices(row, expected, &mut odd) else {
            without += 1;
            continue;
        };
        let seconds = elapsed(row, &mut odd);
        if seconds.is_some_and(|seconds| seconds <= 0.0) {
            continue; // It waits, or was cancelled before it began.
        }
        jobs += 1;
        slices |= held.slices;
        let state = row.any(STATES).unwrap_or("unknown");
        let state = state.split_whitespace().next().unwrap_or(state).trim_end_matches('+');
        *states.entry(state).or_default() += 1;
        time.add(seconds.zip(held.devices).map(|(seconds, devices)| seconds * devices));
        let joules = joules(row, &mut odd);
        unmetered += u32::from(joules.is_none());
        energy.add(joules);
    }
    let states: Vec<_> = states.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let mut notes = vec![format!("{jobs} job(s): {}", states.join(", "))];
    if without > 0 {
        notes.push(format!("{without} job(s) without GPUs are left out"));
    }
    if unmetered > 0 {
        notes.push(format!("the energy of {unmetered} job(s) was not metered: it is unknown"));
    }
    if slices {
        notes.push("slices of a GPU (MIG) count as sevenths of one".to_owned());
    }
    notes.extend(odd.notes());
    Measured {
        device_time: time.positive().map(DeviceTime::from_stored),
        it: energy.positive().map(Energy::from_stored),
        notes,
        ..Measured::default()
    }
}

/// The jobs, each once. An export of an overlapping time has the same job again, perhaps longer by
/// then; a requeued one begins anew, or ended in another state.
fn once(tables: &[Table]) -> IndexMap<[Option<&str>; 4], Row<'_>> {
    let mut jobs: IndexMap<_, Row<'_>> = IndexMap::new();
    let rows = || tables.iter().flat_map(Table::rows);
    let whole: BTreeSet<&str> =
        rows().filter_map(|row| row.any(IDS)).filter(|id| !id.contains('.')).collect();
    // An export may have the steps alone: the batch or the outer step is as long as its job.
    let mut alone: BTreeMap<&str, u32> = BTreeMap::new();
    for id in rows().filter_map(|row| row.any(IDS)) {
        if let Some((job, step)) = id.split_once('.').filter(|(job, _)| !whole.contains(job)) {
            let rank = STEPS.iter().position(|it| *it == step).unwrap_or(STEPS.len()) as u32;
            let best = alone.entry(job).or_insert(rank);
            *best = rank.min(*best);
        }
    }
    let counts = |id: &str| match id.split_once('.') {
        None => true,
        Some((job, step)) => alone.get(job).is_some_and(|rank| match STEPS.get(*rank as usize) {
            Some(whole) => *whole == step,
            None => true,
        }),
    };
    for row in rows().filter(|row| row.any(IDS).is_some_and(counts)) {
        let begin = row.any(BEGINS);
        let told = if begin.is_some() { [None; 2] } else { [row.any(TIMES), row.any(STATES)] };
        let key = [row.any(IDS), begin, told[0], told[1]];
        let mut quiet = Odd::default();
        let mut longer = |known: &Row<'_>| elapsed(row, &mut quiet) >= elapsed(*known, &mut quiet);
        if jobs.get(&key).is_none_or(&mut longer) {
            jobs.insert(key, row);
        }
    }
    jobs
}

/// The GPUs of a job; the number is `None` where the cell cannot be read.
struct Held {
    devices: Option<f64>,
    slices: bool,
}

/// The GPUs of `billing=64,cpu=64,gres/gpu=8,node=1`. `gres/gpu:a100=4` are those of a type: their
/// sum where there is no total. A module of two dies is two GPUs to Slurm.
fn devices(row: Row<'_>, expected: &Expected<'_>, odd: &mut Odd) -> Option<Held> {
    let column = RESOURCES.iter().find(|column| row.text(column).is_some())?;
    let text = row.text(column)?;
    let text =
        if column.ends_with("GRES") { of_gres(row, column, text, odd)? } else { text.into() };
    if text.ends_with('+') && !text.contains("gres/gpu=") {
        odd.note(row, column, "is cut off by sacct's width (use --parsable2)");
        return Some(Held { devices: None, slices: false });
    }
    let named = text.split(',').filter_map(|resource| resource.split_once('='));
    let (mut total, mut sum, mut types, mut slices) = (None, None, Vec::new(), false);
    for (name, count) in named {
        let kind = name.strip_prefix("gres/gpu:");
        if name != "gres/gpu" && kind.is_none() {
            continue;
        }
        let Ok(count) = count.parse::<u32>().map(f64::from) else {
            odd.note(row, column, "has a number of GPUs that is none");
            return Some(Held { devices: None, slices });
        };
        match kind {
            None => total = Some(count),
            Some(kind) => {
                let sevenths = sevenths(kind);
                slices |= sevenths.is_some();
                let part = count * sevenths.map_or(1.0, |it| it / 7.0) / expected.dies(kind);
                sum = Some(sum.unwrap_or(0.0) + part);
                types.push(kind);
            }
        }
    }
    // A total counts slices and dies as GPUs.
    let by_type = sum.filter(|_| total.is_none() || slices);
    let dies = types.iter().map(|kind| expected.dies(kind)).fold(expected.dies(""), f64::max);
    let devices = by_type.or(total.map(|total| total / dies)).filter(|count| *count > 0.0)?;
    Some(Held { devices: Some(devices), slices })
}

/// `gpu:a100:4,nvme:1` as `gres/gpu:a100=4`. What is requested is so on each node; of what is
/// allocated on several nodes the column does not say whether it is on each: unknown.
fn of_gres(row: Row<'_>, column: &str, text: &str, odd: &mut Odd) -> Option<Cow<'static, str>> {
    let nodes = row.any(NODES).and_then(|text| text.parse::<u32>().ok()).unwrap_or(1);
    let each = if column == "ReqGRES" { nodes } else { 1 };
    let mut parts = Vec::new();
    for part in text.split(',') {
        let part = part.split('(').next().unwrap_or(part).trim_start_matches("gres:");
        let Some(rest) = part.strip_prefix("gpu:") else { continue };
        let (kind, count) = rest.rsplit_once(':').map_or((None, rest), |(k, n)| (Some(k), n));
        let count =
            count.parse::<u32>().map(|count| (u64::from(count) * u64::from(each)).to_string());
        let kind = kind.map(|kind| format!(":{kind}")).unwrap_or_default();
        parts.push(format!("gres/gpu{kind}={}", count.unwrap_or_else(|_| rest.to_owned())));
    }
    if parts.is_empty() {
        return None;
    }
    if column == "AllocGRES" && nodes > 1 {
        odd.note(row, column, "is per node or in all (export AllocTRES)");
        return Some("gres/gpu=unknown".into());
    }
    Some(parts.join(",").into())
}

/// Sevenths of a GPU that a MIG slice `3g.40gb` has.
fn sevenths(kind: &str) -> Option<f64> {
    let slice = kind.rsplit(['_', ':']).next()?;
    let (compute, memory) = slice.split_once("g.")?;
    memory.contains("gb").then(|| compute.parse::<u32>().ok().map(f64::from)).flatten()
}

/// The elapsed seconds of a job.
fn elapsed(row: Row<'_>, odd: &mut Odd) -> Option<f64> {
    if let Some(seconds) = ["ElapsedRaw", "time.elapsed"].iter().find(|it| row.text(it).is_some()) {
        return odd.number(row, seconds);
    }
    if let Some(text) = row.text("Elapsed") {
        let seconds = clock(text);
        if seconds.is_none() {
            odd.note(row, "Elapsed", "is not a time such as 1-02:03:04");
        }
        return seconds;
    }
    let date = |column| match stamp::read(row.text(column)?)? {
        Stamp::Date(seconds) => Some(seconds),
        Stamp::Number(_) => None,
    };
    Some(date("End")? - date("Start")?).filter(|seconds| *seconds >= 0.0)
}

/// Seconds of `[days-]hours:minutes:seconds`, or of `minutes:seconds`.
pub(super) fn clock(text: &str) -> Option<f64> {
    let (days, rest) = text.split_once('-').unwrap_or(("0", text));
    let mut seconds = days.parse::<u32>().map(f64::from).ok()?;
    let parts: Vec<f64> = rest.split(':').map(str::parse).collect::<Result<_, _>>().ok()?;
    if parts.len() < 2 || parts.len() > 3 || parts.iter().any(|it| !(0.0..1e7).contains(it)) {
        return None;
    }
    let filled = [0.0; 3].iter().copied().skip(parts.len()).chain(parts.iter().copied());
    for (part, per) in filled.zip([24.0, 60.0, 60.0]) {
        seconds = seconds * per + part;
    }
    Some(seconds)
}

/// The energy of a job: Slurm writes 0 where it has no meter, and `201.60M` in its short form.
fn joules(row: Row<'_>, odd: &mut Odd) -> Option<f64> {
    const SHORT: &[(char, f64)] = &[('K', 1e3), ('M', 1e6), ('G', 1e9), ('T', 1e12), ('P', 1e15)];
    let raw = ["ConsumedEnergyRaw", "steps.energy"].iter().find(|it| row.text(it).is_some());
    let joules = raw.and_then(|column| odd.number(row, column));
    let joules = joules.or_else(|| {
        let text = row.text("ConsumedEnergy")?;
        let text = text.trim_end_matches(['J', 'j']);
        let unit = SHORT.iter().find(|(letter, _)| text.ends_with(*letter));
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let number = digits.parse::<f64>().ok().filter(|it| it.is_finite() && *it >= 0.0);
        if number.is_none() {
            odd.note(row, "ConsumedEnergy", "is not an energy such as 201.6M");
        }
        number.map(|number| number * unit.map_or(1.0, |(_, factor)| *factor))
    });
    // What stands as energy among the resources of a job is an allocation, and no meter.
    // More than 1e17 J in one job is an unset value in floating point.
    joules.filter(|joules| *joules > 0.0 && *joules < 1e17)
}
