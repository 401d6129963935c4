//! Samples of `nvidia-smi`: the power of each GPU over time.
//!
//! Columns read: `timestamp` (to the millisecond), `index` or `uuid`, `power.draw` (W). The host's
//! power is not in it, so IT energy is that of the devices alone.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use flopcast_core::diagnostic::Result;
use flopcast_core::quantity::{DeviceTime, Energy, Measure};

use super::Measured;
use super::table::{Sum, Table};

/// The longest gap between samples that needs no remark.
const LONG_GAP_S: f64 = 60.0;

/// Device time is the time from the first to the last sample of each GPU. Energy is the integral of
/// power by the trapezoidal rule: the sum of (p1 + p2) / 2 x seconds.
///
/// # Errors
/// If a timestamp or a power cannot be read.
pub(super) fn read(table: &Table<'_>) -> Result<Measured> {
    let mut samples: BTreeMap<String, Vec<(NaiveDateTime, Option<f64>)>> = BTreeMap::new();
    for row in table.rows() {
        let text = row.text("timestamp").unwrap_or_default();
        let at = NaiveDateTime::parse_from_str(text, "%Y/%m/%d %H:%M:%S%.f")
            .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f"))
            .map_err(|_| row.error("timestamp", "is not a time such as 2026/11/23 12:00:00.000"))?;
        let device = row.text("index").or(row.text("uuid")).unwrap_or("0");
        let sample = (at, row.number("power.draw")?);
        match samples.get_mut(device) {
            Some(samples) => samples.push(sample),
            None => drop(samples.insert(device.to_owned(), vec![sample])),
        }
    }
    let [mut time, mut energy] = [Sum::new(); 2];
    let mut longest: f64 = 0.0;
    for samples in samples.values_mut() {
        samples.sort_by_key(|(at, _)| *at);
        for pair in samples.windows(2) {
            let [(start, first), (end, second)] = [pair[0], pair[1]];
            let seconds = (end - start).as_seconds_f64();
            longest = longest.max(seconds);
            time.add(Some(seconds));
            energy.add(first.zip(second).map(|(a, b)| f64::midpoint(a, b) * seconds));
        }
    }
    let mut notes = vec![
        format!("{} GPU(s)", samples.len()),
        "nvidia-smi sees the devices alone; the forecast's power has their host's share in it"
            .to_owned(),
    ];
    if longest > LONG_GAP_S {
        notes.push(format!("samples are up to {longest:.0} s apart"));
    }
    Ok(Measured {
        device_time: time.positive().map(DeviceTime::from_stored),
        it: energy.positive().map(Energy::from_stored),
        notes,
        ..Measured::default()
    })
}
