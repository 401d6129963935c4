//! `emissions.csv` of `CodeCarbon`: a row per run, cumulative.
//!
//! Columns read: `run_id`, `duration` (s), `gpu_count`, `energy_consumed` (kWh, with the PUE in it
//! if there is one), `pue`, `emissions` (kgCO2e), `tracking_mode`.

use flopcast_core::diagnostic::Result;
use flopcast_core::quantity::{Co2eMass, DeviceTime, Energy, Measure};
use indexmap::IndexMap;

use super::Measured;
use super::table::{Sum, Table};

/// Joules of a kWh.
const JOULES_PER_KWH: f64 = 3.6e6;

/// Sums over runs: device time = duration x GPUs, IT energy = consumed energy / PUE, and the
/// emissions as the tool states them.
///
/// # Errors
/// If a cell that is read is no number, or below zero.
pub(super) fn read(table: &Table<'_>) -> Result<Measured> {
    // A run that is flushed several times has several rows, the last of which counts.
    const CELLS: [&str; 5] = ["duration", "gpu_count", "energy_consumed", "pue", "emissions"];
    let mut runs: IndexMap<String, [Option<f64>; CELLS.len()]> = IndexMap::new();
    for (i, row) in table.rows().enumerate() {
        let run = row.text("run_id").map_or_else(|| format!("row {i}"), str::to_owned);
        let mut cells = [None; CELLS.len()];
        for (cell, name) in cells.iter_mut().zip(CELLS) {
            *cell = row.number(name)?;
        }
        runs.insert(run, cells);
    }
    let [mut time, mut it, mut facility, mut co2e] = [Sum::new(); 4];
    for [duration, devices, consumed, pue, emitted] in runs.values().copied() {
        let devices = devices.filter(|count| *count > 0.0);
        time.add(duration.zip(devices).map(|(duration, devices)| duration * devices));
        let pue = pue.filter(|pue| *pue >= 1.0);
        facility.add(consumed.filter(|_| pue.is_some()));
        // Without a PUE, the tool meters the machine itself.
        it.add(consumed.map(|consumed| consumed / pue.unwrap_or(1.0)));
        co2e.add(emitted);
    }
    let mut notes = vec![format!("{} run(s)", runs.len())];
    if table.rows().any(|row| row.text("tracking_mode") == Some("process")) {
        notes.push("tracked by process: what others drew on the machine is not in it".to_owned());
    }
    let energy = |sum: Sum| sum.positive().map(|kwh| Energy::from_stored(kwh * JOULES_PER_KWH));
    Ok(Measured {
        device_time: time.positive().map(DeviceTime::from_stored),
        it: energy(it),
        facility: energy(facility),
        co2e: co2e.positive().map(Co2eMass::from_stored),
        notes,
        ..Measured::default()
    })
}
