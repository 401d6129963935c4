//! A plain line of what a run took: `hours, kWh, cost`, under a header or with units.
//! ```text
//! 80 device-h, 56 kWh, 160 USD
//! device_hours,energy_kwh,cost
//! 80,56,160
//! ```

use flopcast_core::quantity::text::parse;
use flopcast_core::quantity::{Co2eMass, DeviceTime, Energy, Measure, Money};

use super::Measured;
use super::table::{Odd, Row, Sum, Table};

/// The figure that a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Figure {
    DeviceHours,
    Hours,
    Devices,
    It,
    Facility,
    Co2e,
    Cost,
}

/// Names of columns, in lower case with `_` for all but letters and digits; what they are of, and
/// their unit in hours, kWh, kg or USD.
const COLUMNS: &[(&[&str], Figure, f64)] = &[
    (
        &["device_hours", "gpu_hours", "device_h", "gpu_h", "accelerator_hours", "gpuh"],
        Figure::DeviceHours,
        1.0,
    ),
    (&["hours", "wall_hours", "wall_clock_hours", "wall_clock_h", "h"], Figure::Hours, 1.0),
    (&["devices", "gpus", "gpu_count", "num_gpus", "count"], Figure::Devices, 1.0),
    (&["kwh", "energy_kwh", "it_kwh", "energy"], Figure::It, 1.0),
    (&["mwh", "energy_mwh"], Figure::It, 1e3),
    (&["facility_kwh"], Figure::Facility, 1.0),
    (&["co2e_kg", "kgco2e", "co2_kg", "kg_co2e", "co2eq_kg"], Figure::Co2e, 1.0),
    (&["cost", "cost_usd", "usd", "total_cost", "price_usd"], Figure::Cost, 1.0),
];

/// The figure of a column and its unit; `None` for other columns.
fn figure(column: &str) -> Option<(Figure, f64)> {
    let name: String = column.trim().to_lowercase();
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let name = name.trim_matches('_').replace("__", "_");
    let known = COLUMNS.iter().find(|(names, ..)| names.contains(&name.as_str()));
    known.map(|(_, figure, unit)| (*figure, *unit))
}

/// True if a log has a column of hours or of energy.
pub(super) fn is_in(table: &Table) -> bool {
    let figures = || table.columns().filter_map(figure).map(|(figure, _)| figure);
    figures().any(|it| matches!(it, Figure::DeviceHours | Figure::Hours | Figure::It))
}

/// Sums over the rows. Hours beside a number of devices are those of the clock, else those of
/// devices.
pub(super) fn read(tables: &[Table]) -> Measured {
    let mut odd = Odd::default();
    let [mut time, mut it, mut facility, mut co2e, mut cost] = [Sum::new(); 5];
    let mut bare = false;
    for table in tables {
        let columns: Vec<_> = table.columns().filter_map(|it| Some((it, figure(it)?))).collect();
        for row in table.rows() {
            let mut value = |row: Row<'_>, wanted: Figure| {
                let (column, (_, unit)) = columns.iter().find(|(_, (it, _))| *it == wanted)?;
                odd.number(row, column).map(|number| number * unit)
            };
            let [hours, devices] = [Figure::Hours, Figure::Devices].map(|it| value(row, it));
            let direct = value(row, Figure::DeviceHours);
            bare |= direct.is_none() && hours.is_some() && devices.is_none();
            time.add(direct.or(hours.map(|hours| hours * devices.unwrap_or(1.0))));
            it.add(value(row, Figure::It));
            facility.add(value(row, Figure::Facility));
            co2e.add(value(row, Figure::Co2e));
            cost.add(value(row, Figure::Cost));
        }
    }
    let mut notes = vec!["energy is taken as that of the machines".to_owned()];
    if bare {
        notes.push("hours without a number of devices are taken as device-hours".to_owned());
    }
    notes.extend(odd.notes());
    Measured {
        device_time: time.positive().map(|hours| DeviceTime::from_stored(hours * 3600.0)),
        it: it.positive().map(|kwh| Energy::from_stored(kwh * 3.6e6)),
        facility: facility.positive().map(|kwh| Energy::from_stored(kwh * 3.6e6)),
        co2e: co2e.positive().map(Co2eMass::from_stored),
        costs: cost.positive().map(|usd| ("total", Money::from_stored(usd))).into_iter().collect(),
        notes,
        ..Measured::default()
    }
}

/// Quantities with their units, `80 device-h, 56 kWh, 160 USD`; none if one part is no quantity.
pub(super) fn of_words(text: &str) -> Option<Measured> {
    let mut measured = Measured::default();
    let parts = text.lines().flat_map(|line| line.split([',', ';'])).map(str::trim);
    for part in parts.filter(|part| !part.is_empty()) {
        let part = part.replace("GPU", "device").replace("gpu", "device").replace("hours", "h");
        let part = part.replace("device h", "device-h");
        if let Ok(time) = parse::<DeviceTime>(&part) {
            measured.device_time = Some(time);
        } else if let Ok(energy) = parse::<Energy>(&part) {
            measured.it = Some(energy);
        } else if let Ok(mass) = parse::<Co2eMass>(&part) {
            measured.co2e = Some(mass);
        } else {
            measured.costs = vec![("total", parse::<Money>(&part).ok()?)];
        }
    }
    let known = measured.device_time.is_some() || measured.it.is_some();
    known.then_some(measured)
}
