//! `emissions.csv` of `CodeCarbon`: a row per run, cumulative.
//!
//! Columns read: `run_id`, `duration` (s), `gpu_count`, `energy_consumed` (kWh, with the PUE in it
//! if there is one), `pue`, `emissions` (kgCO2e), `tracking_mode`.

use flopcast_core::diagnostic::Result;
use flopcast_core::quantity::{Co2eMass, DeviceTime, Energy, Measure};
use indexmap::IndexMap;

use super::Measured;
use super::table::{Row, Sum, Table};

/// Joules of a kWh.
const JOULES_PER_KWH: f64 = 3.6e6;

/// Sums over runs: device time = duration x GPUs, IT energy = consumed energy / PUE, and the
/// emissions as the tool states them.
///
/// # Errors
/// If a cell that is read is no number, or below zero.
pub(super) fn read(table: &Table) -> Result<Measured> {
    // A run that is flushed several times has several rows, the last of which counts.
    let mut runs: IndexMap<String, Row<'_>> = IndexMap::new();
    for (i, row) in table.rows().enumerate() {
        let run = row.text("run_id").map_or_else(|| format!("row {i}"), str::to_owned);
        runs.insert(run, row);
    }
    let [mut time, mut it, mut facility, mut co2e] = [Sum::new(); 4];
    for row in runs.values() {
        let duration = row.number("duration")?;
        let devices = row.number("gpu_count")?.filter(|count| *count > 0.0);
        time.add(duration.zip(devices).map(|(duration, devices)| duration * devices));
        let consumed = row.number("energy_consumed")?;
        let pue = row.number("pue")?.filter(|pue| *pue >= 1.0);
        facility.add(consumed.filter(|_| pue.is_some()));
        // Without a PUE, the tool meters the machine itself.
        it.add(consumed.map(|consumed| consumed / pue.unwrap_or(1.0)));
        co2e.add(row.number("emissions")?);
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
