//! `sacct --parsable2` of Slurm: a row per job and step. A job's row covers the time of its steps.
//!
//! Columns read: `JobID` (steps have a dot in it), `ElapsedRaw` (s), `AllocTRES`,
//! `ConsumedEnergyRaw` (J), `State`.

use std::collections::BTreeMap;

use flopcast_core::diagnostic::Result;
use flopcast_core::quantity::{DeviceTime, Energy, Measure};

use super::Measured;
use super::table::{Row, Sum, Table};

/// Sums over jobs with GPUs: device time = elapsed seconds x GPUs, energy in J. The energy is
/// unknown if one job was not metered.
///
/// # Errors
/// If a time, an energy or a number of GPUs cannot be read.
pub(super) fn read(table: &Table<'_>) -> Result<Measured> {
    let [mut time, mut energy] = [Sum::new(); 2];
    let (mut jobs, mut without, mut unmetered) = (0, 0, 0);
    let mut states: BTreeMap<String, u32> = BTreeMap::new();
    for row in table.rows() {
        let id = row.text("JobID").unwrap_or_default();
        if id.is_empty() || id.contains('.') {
            continue;
        }
        let Some(devices) = devices(&row)? else {
            without += 1;
            continue;
        };
        jobs += 1;
        let state = row.text("State").unwrap_or("unknown");
        let state = state.split_whitespace().next().unwrap_or(state).to_owned();
        *states.entry(state).or_default() += 1;
        time.add(row.number("ElapsedRaw")?.map(|seconds| seconds * devices));
        // Slurm writes 0 if it has no meter.
        let joules = row.number("ConsumedEnergyRaw")?.filter(|joules| *joules > 0.0);
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
    Ok(Measured {
        device_time: time.positive().map(DeviceTime::from_stored),
        it: energy.positive().map(Energy::from_stored),
        notes,
        ..Measured::default()
    })
}

/// The GPUs of `billing=64,cpu=64,gres/gpu=8,node=1`; `gres/gpu:a100=8` repeats them by type.
fn devices(row: &Row<'_>) -> Result<Option<f64>> {
    let resources = row.text("AllocTRES").unwrap_or_default().split(',');
    let named: Vec<_> = resources.filter_map(|resource| resource.split_once('=')).collect();
    let all = named.iter().find(|(name, _)| *name == "gres/gpu");
    let typed = named.iter().find(|(name, _)| name.starts_with("gres/gpu:"));
    let Some((_, count)) = all.or(typed) else { return Ok(None) };
    let count = count.parse::<u32>();
    let count = count.map_err(|_| row.error("AllocTRES", "has a number of GPUs that is none"))?;
    Ok(Some(f64::from(count)).filter(|count| *count > 0.0))
}
