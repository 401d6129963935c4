//! A plain line of what a run took: `hours, kWh, cost`, under a header, with units or with names.
//! ```text
//! 80 device-h, 56 kWh, 160 USD
//! 10 h, 8 GPUs, 56 kWh
//! hours=10 gpus=8 kWh=56 cost=160
//! device_hours,energy_kwh,cost
//! 80,56,160
//! ```
//! Hours beside a number of devices are those of the clock. Hours alone are those of devices, unless
//! no device could have drawn the energy in them: then they are the clock's too.

use std::collections::BTreeMap;

use flopcast_core::quantity::text::parse;
use flopcast_core::quantity::{Co2eMass, DeviceTime, Devices, Energy, Measure, Money, Time};

use super::table::{Odd, Row, Sum, Table, number};
use super::{Expected, Measured};

/// Watts that no device draws with its share of a host: those of today draw up to half of it.
const MOST_WATTS: f64 = 4000.0;

/// The figure that a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

/// The figures of one line: those that it has, where they can be read.
type Line = BTreeMap<Figure, Option<f64>>;

/// Sums over the rows.
pub(super) fn read(tables: &[Table], expected: &Expected<'_>) -> Measured {
    let mut odd = Odd::default();
    let (mut lines, mut foreign) = (Vec::new(), Vec::new());
    for table in tables {
        let columns: Vec<_> = table.columns().filter_map(|it| Some((it, figure(it)?))).collect();
        foreign.extend(table.columns().filter(|it| is_foreign(it)).map(str::to_owned));
        let mut line = |row: Row<'_>| -> Line {
            let mut line = Line::new();
            for (column, (figure, unit)) in &columns {
                if row.text(column).is_some() {
                    let value = odd.number(row, column).map(|number| number * unit);
                    line.entry(*figure).or_insert(value);
                }
            }
            line
        };
        lines.extend(table.rows().map(&mut line));
    }
    let mut measured = sums(&lines, expected);
    measured.notes.insert(0, "energy is taken as that of the machines".to_owned());
    measured.notes.extend(
        foreign.iter().map(|it| format!("`{it}` is not in USD, and in no sum: convert it first")),
    );
    measured.notes.extend(odd.notes());
    measured
}

/// Currencies other than USD, as people write them.
const FOREIGN: [&str; 9] = ["eur", "gbp", "chf", "jpy", "cny", "inr", "€", "£", "¥"];

/// The amount in another currency because of which words are no quantities: `3300 EUR`.
pub(super) fn foreign(text: &str) -> Option<String> {
    let whole: Vec<String> = text.lines().map(ungrouped).collect();
    let mut parts = whole.iter().flat_map(|line| line.split([',', ';'])).map(str::trim);
    let is = |part: &&str| {
        let amount = part.rsplit([':', '=']).next().unwrap_or(part).trim().to_lowercase();
        let coded = |code: &&str| amount.ends_with(*code) || amount.starts_with(*code);
        let bare = |code: &str| amount.replace(code, "").trim().parse::<f64>().is_ok();
        FOREIGN.iter().find(|code| coded(code)).is_some_and(|code| bare(code))
    };
    parts.find(is).map(str::to_owned)
}

/// True for a column of money in a currency other than USD.
fn is_foreign(column: &str) -> bool {
    let name = column.to_lowercase();
    figure(column).is_none()
        && ["cost", "price", "total"].iter().any(|it| name.contains(it))
        && FOREIGN.iter().any(|code| name.contains(code))
}

/// The sums over lines. A figure that one line lacks is unknown.
fn sums(lines: &[Line], expected: &Expected<'_>) -> Measured {
    let mut notes = Vec::new();
    let [mut time, mut it, mut facility, mut co2e, mut cost] = [Sum::new(); 5];
    let (mut bare, mut clock) = (false, None);
    for line in lines {
        let value = |wanted: Figure| line.get(&wanted).copied().flatten();
        let [hours, devices] = [Figure::Hours, Figure::Devices].map(value);
        let direct = value(Figure::DeviceHours);
        let alone = hours.filter(|_| direct.is_none() && devices.is_none());
        let watts = alone.zip(value(Figure::It).or(value(Figure::Facility)));
        let watts = watts.map(|(hours, kwh)| 1e3 * kwh / hours);
        let held = expected.devices.filter(|_| watts.is_some_and(|watts| watts > MOST_WATTS));
        clock = clock.or(held);
        bare |= alone.is_some() && held.is_none();
        let devices = devices.or(held).unwrap_or(1.0);
        time.add(direct.or(hours.map(|hours| hours * devices)));
        it.add(value(Figure::It));
        facility.add(value(Figure::Facility));
        co2e.add(value(Figure::Co2e));
        cost.add(value(Figure::Cost));
    }
    if bare {
        notes.push("hours without a number of devices are taken as device-hours".to_owned());
    }
    if let Some(devices) = clock {
        notes.push(format!(
            "no device draws so much in the hours alone: they are taken as those of the clock, on \
             the forecast's {devices} devices"
        ));
    }
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

/// Quantities with their units or names, `80 device-h, 56 kWh, cost: 160`; none if one part is no
/// quantity.
pub(super) fn of_words(text: &str, expected: &Expected<'_>) -> Option<Measured> {
    let mut line = Line::new();
    let whole: Vec<String> = text.lines().map(ungrouped).collect();
    let parts = whole.iter().flat_map(|line| line.split([',', ';'])).map(str::trim);
    for part in parts.filter(|part| !part.is_empty()) {
        // Names beside numbers may stand one after another: `hours=10 kWh=56`.
        let several = part.matches('=').count() > 1;
        let words: Vec<&str> = if several { part.split(' ').collect() } else { vec![part] };
        for word in words.into_iter().filter(|word| !word.is_empty()) {
            let (figure, value) = quantity(word)?;
            line.insert(figure, Some(value));
        }
    }
    let told = [Figure::DeviceHours, Figure::Hours, Figure::It, Figure::Facility];
    told.iter().any(|it| line.contains_key(it)).then(|| sums(&[line], expected))
}

/// A line without the commas that group the digits of a number: `1270 device-h` of `1,270 device-h`.
fn ungrouped(line: &str) -> String {
    let bytes = line.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|it| it.is_ascii_digit()).count();
    let groups = |at: usize| at > 0 && bytes[at - 1].is_ascii_digit() && digits(at + 1) == 3;
    let kept = line.char_indices().filter(|(at, c)| *c != ',' || !groups(*at));
    kept.map(|(_, c)| c).collect()
}

/// The figure of `80 device-h`, `8 GPUs`, `energy: 56 kWh` or `cost=160`, in hours, kWh, kg or USD.
fn quantity(part: &str) -> Option<(Figure, f64)> {
    let (name, text) = part.split_once([':', '=']).map_or((None, part), |(n, t)| (Some(n), t));
    let (name, text) = (name.and_then(figure), text.trim());
    if let Some(((figure, unit), value)) = name.zip(text.parse::<f64>().ok()) {
        return number(text).filter(|_| value >= 0.0).map(|value| (figure, value * unit));
    }
    let said = text.to_lowercase();
    let said = said.replace("gpus", "devices").replace("gpu", "device").replace("hours", "h");
    let said = said.replace("devices h", "device-h").replace("device h", "device-h");
    let of_devices = said.contains("device");
    // Units are written as people write them, apart from the words that were replaced.
    let text = if of_devices || said.ends_with(" h") { said.as_str() } else { text };
    let found = if of_devices && said.contains("-h") {
        (Figure::DeviceHours, parse::<DeviceTime>(text).ok()?.stored() / 3600.0)
    } else if let Ok(time) = parse::<Time>(text) {
        (Figure::Hours, time.stored() / 3600.0)
    } else if let Ok(energy) = parse::<Energy>(text) {
        (Figure::It, energy.stored() / 3.6e6)
    } else if let Ok(mass) = parse::<Co2eMass>(text) {
        (Figure::Co2e, mass.stored())
    } else if let Ok(money) = parse::<Money>(text) {
        (Figure::Cost, money.stored())
    } else {
        (Figure::Devices, parse::<Devices>(text).ok().filter(|_| of_devices)?.stored())
    };
    let figure = match (name, found.0) {
        // A name tells the energy of a building, or hours of devices.
        (Some((Figure::Facility, _)), Figure::It) => Figure::Facility,
        (Some((Figure::DeviceHours, _)), Figure::Hours) => Figure::DeviceHours,
        (_, figure) => figure,
    };
    Some((figure, found.1))
}
