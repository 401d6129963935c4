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
use super::{Expected, Measured, sacct};

/// Watts that no device draws with its share of a host: those of today draw up to half of it.
const MOST_WATTS: f64 = 4000.0;

/// The figure that a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Figure {
    DeviceHours,
    NodeHours,
    Hours,
    Devices,
    PerNode,
    Nodes,
    It,
    Facility,
    Co2e,
    Cost,
}

/// Names of columns, in lower case with `_` for all but letters and digits; what they are of, and
/// their unit in hours, kWh, kg or USD.
const COLUMNS: &[(&[&str], Figure, f64)] = &[
    (
        &[
            "device_hours",
            "gpu_hours",
            "device_h",
            "gpu_h",
            "accelerator_hours",
            "gpuh",
            "gpu_hrs",
            "chip_hours",
            "tpu_hours",
            "total_gpu_hours",
        ],
        Figure::DeviceHours,
        1.0,
    ),
    (&["gpu_seconds", "device_seconds", "gpu_s"], Figure::DeviceHours, 1.0 / 3600.0),
    (&["gpu_minutes", "device_minutes"], Figure::DeviceHours, 1.0 / 60.0),
    (&["gpu_days", "device_days"], Figure::DeviceHours, 24.0),
    (&["node_hours", "instance_hours", "node_h"], Figure::NodeHours, 1.0),
    (
        &[
            "hours",
            "wall_hours",
            "wall_clock_hours",
            "wall_clock_h",
            "h",
            "hrs",
            "wall_time_h",
            "walltime_h",
            "walltime_hours",
            "wall_time_hours",
            "runtime_h",
            "runtime_hours",
            "duration_h",
            "duration_hours",
            "elapsed_h",
            "elapsed_hours",
            "wall_time",
            "walltime",
            "wall_clock",
            "wall_clock_time",
            "elapsed",
            "run_time",
            "time_h",
            "training_hours",
        ],
        Figure::Hours,
        1.0,
    ),
    (
        &[
            "seconds",
            "duration_s",
            "duration_seconds",
            "runtime_s",
            "runtime_seconds",
            "elapsed_s",
            "elapsed_seconds",
            "elapsed_time",
            "walltime_s",
            "wall_time_s",
            "time_s",
            "duration_sec",
        ],
        Figure::Hours,
        1.0 / 3600.0,
    ),
    (&["minutes", "duration_min", "duration_minutes", "runtime_min"], Figure::Hours, 1.0 / 60.0),
    (&["days", "duration_days", "wall_days"], Figure::Hours, 24.0),
    (
        &[
            "devices",
            "gpus",
            "gpu_count",
            "num_gpus",
            "count",
            "n_gpus",
            "num_devices",
            "ngpus",
            "accelerators",
            "n_devices",
            "world_size",
        ],
        Figure::Devices,
        1.0,
    ),
    (&["gpus_per_node", "devices_per_node", "gpus_per_instance"], Figure::PerNode, 1.0),
    (&["nodes", "num_nodes", "n_nodes", "instances"], Figure::Nodes, 1.0),
    (
        &[
            "kwh",
            "energy_kwh",
            "it_kwh",
            "energy",
            "energy_consumed_kwh",
            "electricity_kwh",
            "power_consumption_kwh",
            "total_kwh",
            "total_energy_kwh",
            "it_energy_kwh",
            "energy_consumed",
        ],
        Figure::It,
        1.0,
    ),
    (&["mwh", "energy_mwh", "it_mwh", "electricity_mwh"], Figure::It, 1e3),
    (&["wh", "energy_wh"], Figure::It, 1e-3),
    (&["joules", "energy_j", "energy_joules"], Figure::It, 1.0 / 3.6e6),
    (&["mj", "energy_mj", "megajoules"], Figure::It, 1.0 / 3.6),
    (&["gj", "energy_gj"], Figure::It, 1e3 / 3.6),
    (&["facility_kwh", "facility_energy_kwh"], Figure::Facility, 1.0),
    (&["facility_mwh", "facility_energy_mwh"], Figure::Facility, 1e3),
    (
        &[
            "co2e_kg",
            "kgco2e",
            "co2_kg",
            "kg_co2e",
            "co2eq_kg",
            "kg_co2",
            "kgco2",
            "emissions_kg",
            "co2_emissions_kg",
            "carbon_kg",
            "co2_kg_eq",
        ],
        Figure::Co2e,
        1.0,
    ),
    (&["co2e_g", "co2_g", "gco2e", "g_co2e", "co2eq_g", "gco2", "emissions_g"], Figure::Co2e, 1e-3),
    (&["tco2e", "co2e_t", "co2_t", "t_co2e", "tco2", "co2eq_t", "emissions_t"], Figure::Co2e, 1e3),
    (
        &[
            "cost",
            "cost_usd",
            "usd",
            "total_cost",
            "price_usd",
            "total_usd",
            "total_cost_usd",
            "amount_usd",
        ],
        Figure::Cost,
        1.0,
    ),
];

/// The figure of a column and its unit; `None` for other columns. `MWh` is no `mWh`, nor is `MJ`:
/// of energy, a prefix is always the larger one.
fn figure(column: &str) -> Option<(Figure, f64)> {
    let name: String = column.trim().to_lowercase();
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let name = name.trim_matches('_').replace("__", "_");
    let known = COLUMNS.iter().find(|(names, ..)| names.contains(&name.as_str()));
    let of_device = || {
        // `H100 hours` are those of a device of a number.
        let rest = name.strip_suffix("_hours").or_else(|| name.strip_suffix("_h"))?;
        let device = rest.chars().all(|c| c.is_ascii_alphanumeric())
            && rest.starts_with(|c: char| c.is_ascii_alphabetic())
            && rest.ends_with(|c: char| c.is_ascii_digit());
        device.then_some((Figure::DeviceHours, 1.0))
    };
    known.map(|(_, figure, unit)| (*figure, *unit)).or_else(of_device)
}

/// True if a log says its energy or its device-hours, so that nothing tells more.
pub(super) fn is_whole(table: &Table) -> bool {
    let figures = table.columns().filter_map(figure).map(|(figure, _)| figure);
    let figures: Vec<Figure> = figures.collect();
    let has = |wanted: Figure| figures.contains(&wanted);
    has(Figure::DeviceHours) || has(Figure::Hours) && (has(Figure::It) || has(Figure::Facility))
}

/// True if a log has a column of hours or of energy.
pub(super) fn is_in(table: &Table) -> bool {
    let figures = || table.columns().filter_map(figure).map(|(figure, _)| figure);
    figures().any(|it| {
        matches!(it, Figure::DeviceHours | Figure::NodeHours | Figure::Hours | Figure::It)
    })
}

/// True for a column of the joules of a GPU, `gpu0_energy`.
fn is_zeus(column: &str) -> bool {
    let index = column.strip_prefix("gpu").and_then(|it| it.strip_suffix("_energy"));
    index.is_some_and(|index| index.parse::<u32>().is_ok())
}

/// The figures of one line: those that it has, where they can be read.
type Line = BTreeMap<Figure, Option<f64>>;

/// Sums over the rows.
pub(super) fn read(tables: &[Table], expected: &Expected<'_>) -> Measured {
    let mut odd = Odd::default();
    let (mut lines, mut foreign, mut alone) = (Vec::new(), Vec::new(), false);
    for table in tables {
        let columns: Vec<_> = table.columns().filter_map(|it| Some((it, figure(it)?))).collect();
        // Zeus has a column of joules for each GPU that it measured.
        let metered: Vec<&str> = table.columns().filter(|it| is_zeus(it)).collect();
        alone |= !metered.is_empty();
        foreign.extend(table.columns().filter(|it| is_foreign(it)).map(str::to_owned));
        let mut line = |row: Row<'_>| -> Line {
            let mut line = Line::new();
            for (column, (figure, unit)) in &columns {
                if row.text(column).is_some() {
                    let value = cell(row, column, (*figure, *unit), &mut odd);
                    line.entry(*figure).or_insert(value);
                }
            }
            if !metered.is_empty() {
                let joules: Option<f64> = metered.iter().map(|it| odd.number(row, it)).sum();
                line.insert(Figure::It, joules.map(|joules| joules / 3.6e6));
                line.insert(Figure::Devices, Some(metered.len() as f64));
            }
            line
        };
        // A sum below the lines is of them.
        let sums = |row: &Row<'_>| {
            table.columns().find_map(|column| row.text(column)).is_some_and(|first| {
                ["total", "sum", "all"].contains(&first.to_lowercase().trim_end_matches(':'))
            })
        };
        lines.extend(table.rows().filter(|row| !sums(row)).map(&mut line));
    }
    let mut measured = sums(&lines, expected);
    measured.devices_alone = alone;
    let whose = if alone { "devices alone" } else { "machines" };
    measured.notes.insert(0, format!("energy is taken as that of the {whose}"));
    measured.notes.extend(
        foreign.iter().map(|it| format!("`{it}` is not in USD, and in no sum: convert it first")),
    );
    measured.notes.extend(odd.notes());
    measured
}

/// The number of a cell, in the unit of its column or its own: `56`, `0.056 MWh`, `10:00:00`.
fn cell(row: Row<'_>, column: &str, column_is: (Figure, f64), odd: &mut Odd) -> Option<f64> {
    let text = row.text(column)?;
    let (figure, unit) = column_is;
    if figure == Figure::Hours
        && text.contains(':')
        && let Some(seconds) = sacct::clock(text)
    {
        return Some(seconds / 3600.0);
    }
    let worded = text.ends_with(|c: char| c.is_ascii_alphabetic()) && text.parse::<f64>().is_err();
    match quantity(text).filter(|_| worded) {
        Some((found, value)) if same_kind(found, figure) => Some(value),
        _ => odd.number(row, column).map(|number| number * unit),
    }
}

/// True if a quantity that was found may be one of a column.
fn same_kind(found: Figure, column: Figure) -> bool {
    let energy = |it| matches!(it, Figure::It | Figure::Facility);
    let time = |it| matches!(it, Figure::Hours | Figure::DeviceHours | Figure::NodeHours);
    found == column || energy(found) && energy(column) || time(found) && time(column)
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
        let [nodes, each] = [Figure::Nodes, Figure::PerNode].map(value);
        let of_nodes = value(Figure::NodeHours).zip(each).map(|(hours, each)| hours * each);
        let devices = devices.or(each.map(|each| each * nodes.unwrap_or(1.0)));
        let direct = value(Figure::DeviceHours).or(of_nodes);
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
    let whole: Vec<String> = text.lines().map(ungrouped).map(|line| parted(&line)).collect();
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

/// A line with a comma for every word between two quantities: of `8 GPUs x 10 h`, `10 hours on 8
/// GPUs`, `80 GPUh 56 kWh`, and of `8x H100 for 10 h` with the devices' name as `GPUs`.
fn parted(line: &str) -> String {
    if line.contains('=') {
        return line.to_owned();
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    let counted = |word: &str| word.strip_suffix(['x', '×'])?.parse::<u32>().ok();
    let is_number = |word: &str| word.trim_start_matches('$').parse::<f64>().is_ok();
    let mut parts = String::new();
    let mut skip = false;
    for (place, word) in words.iter().enumerate() {
        if std::mem::take(&mut skip) {
            // The device after its number, but for a mark that parts.
            parts.push_str(if word.ends_with([',', ';']) { "," } else { " " });
            continue;
        }
        let between = ["x", "×", "*", "/", "for", "on", "at", "in", "and", "of", "+", "|"];
        if between.contains(word) && place > 0 {
            parts.push(',');
            continue;
        }
        if let Some(number) = counted(word) {
            parts.extend([",", &number.to_string(), " GPUs"]);
            skip = true;
            continue;
        }
        // A number begins a quantity, where the words before are one already.
        let ended = parts.trim_end().ends_with(|c: char| c.is_ascii_alphabetic());
        let named = parts.contains(':') && !parts.contains(',');
        if is_number(word) && ended && !named {
            parts.push(',');
        }
        parts.push(' ');
        parts.push_str(word);
    }
    parts
}

/// A line without the commas that group the digits of a number: `1270 device-h` of `1,270 device-h`.
fn ungrouped(line: &str) -> String {
    let bytes = line.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|it| it.is_ascii_digit()).count();
    let groups = |at: usize| at > 0 && bytes[at - 1].is_ascii_digit() && digits(at + 1) == 3;
    let kept = line.char_indices().filter(|(at, c)| *c != ',' || !groups(*at));
    kept.map(|(_, c)| c).collect()
}

/// `80 H100-hours` and `80 a100 hours` with `gpu` for the name of the device.
fn device_named(said: &str) -> String {
    let Some((number, rest)) = said.split_once(' ') else { return said.to_owned() };
    let Some((name, unit)) = rest.split_once(['-', ' ']) else { return said.to_owned() };
    let named = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.ends_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric());
    let hours = ["h", "hour", "hours", "hrs"].contains(&unit.trim());
    if named && hours { format!("{number} gpu-h") } else { said.to_owned() }
}

/// The figure of `80 device-h`, `8 GPUs`, `energy: 56 kWh` or `cost=160`, in hours, kWh, kg or USD.
fn quantity(part: &str) -> Option<(Figure, f64)> {
    let (name, text) = part.split_once([':', '=']).map_or((None, part), |(n, t)| (Some(n), t));
    let (name, text) = (name.and_then(figure), text.trim());
    if let Some(((figure, unit), value)) = name.zip(text.parse::<f64>().ok()) {
        return number(text).filter(|_| value >= 0.0).map(|value| (figure, value * unit));
    }
    let said = text.to_lowercase();
    let said = device_named(&said)
        .replace("gpus", "devices")
        .replace("gpuh", "device-h")
        .replace("gpu", "device")
        .replace("hours", "h");
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
