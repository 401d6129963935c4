//! The names that exporters give to the power of a GPU, and the watts of a cell.

use super::table::number;

/// A metric of power as its name tells it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Metric {
    /// The GPU, where it has one in its name, with the run before it.
    pub(super) gpu: Option<String>,
    /// Watts of its unit, where the name has one.
    pub(super) unit: Option<f64>,
    /// It is that of a whole machine.
    pub(super) of_machine: bool,
}

/// Words of a power that is drawn.
const POWER: &[&str] = &[
    "power",
    "pwr",
    "powr",
    "watt",
    "watts",
    "milliwatt",
    "milliwatts",
    "microwatt",
    "microwatts",
];
/// Words for a bound, a share, a statistic or another part of the machine.
const OTHER: &[&str] = &[
    "percent",
    "percentage",
    "limit",
    "cap",
    "max",
    "min",
    "violation",
    "default",
    "mgmt",
    "management",
    "enforced",
    "requested",
    "state",
    "util",
    "utilization",
    "profile",
    "mode",
    "cpu",
    "ram",
    "dram",
    "memory",
    "mem",
    "module",
    "process",
    "std",
    "stddev",
    "energy",
    "cost",
    "rated",
    "factor",
    "tdp",
    "saving",
];
/// Words for a whole machine.
const MACHINE: &[&str] = &[
    "ipmi", "dcmi", "redfish", "chassis", "host", "node", "server", "psu", "pdu", "outlet", "wall",
    "machine", "rack", "platform", "scaph",
];
/// Words for a GPU before its number.
const GPU: &[&str] = &["gpu", "card", "device", "xpu", "hpu", "accelerator", "npu", "aip"];
/// Labels that tell GPUs apart.
const LABELS: &[&str] = &["uuid", "gpu_uuid", "pci_bus_id", "gpu", "gpu_id", "index", "device"];
/// Words of units with their watts.
const UNITS: &[(&[&str], f64)] = &[
    (&["milliwatt", "milliwatts", "mw"], 1e-3),
    (&["microwatt", "microwatts", "uw"], 1e-6),
    (&["kilowatt", "kilowatts", "kw"], 1e3),
    (&["watt", "watts", "w"], 1.0),
];

/// The words of a name: parted by marks, where capitals follow small letters, and before digits.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        let parts = before.is_lowercase() && c.is_uppercase()
            || before.is_alphabetic() && c.is_ascii_digit()
            || before.is_ascii_digit() && c.is_alphabetic();
        if parts || !c.is_alphanumeric() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    // `mW` has a capital within.
    let mut joined: Vec<String> = Vec::new();
    for word in words {
        match joined.last_mut() {
            Some(last) if word == "w" && ["m", "k", "u", "µ"].contains(&last.as_str()) => {
                last.push('w');
            }
            _ => joined.push(word),
        }
    }
    joined
}

/// The metric of a column's or a series' name; none where it is not of power that is drawn.
pub(super) fn of_name(name: &str) -> Option<Metric> {
    let (run, name) = name.rsplit_once(" - ").unwrap_or(("", name));
    let (base, labels) = name.split_once('{').unwrap_or((name, ""));
    let label = |wanted: &str| {
        let mut pairs = labels.split(',').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(key, _)| key.trim() == wanted)?;
        Some(value.trim_matches(|c| "\"'} ".contains(c)).to_owned())
    };
    let base = if base.is_empty() { label("__name__")? } else { base.to_owned() };
    let words = words(&base);
    let any = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    if !any(POWER) || any(OTHER) {
        return None;
    }
    let unit = UNITS.iter().find(|(names, _)| any(names)).map(|(_, watts)| *watts);
    let labelled = LABELS.iter().find_map(|name| label(name));
    let host = ["Hostname", "hostname", "instance", "node"].iter().find_map(|name| label(name));
    let gpu =
        labelled.map(|gpu| format!("{} {gpu}", host.unwrap_or_default())).or(number_of(&words));
    let gpu = gpu.map(|gpu| format!("{run} {}", gpu.trim()).trim().to_owned());
    let of_machine = gpu.is_none() && !any(GPU) && any(MACHINE);
    Some(Metric { gpu, unit, of_machine })
}

/// The number of the GPU of `system.gpu.0.powerWatts` or `gpu_power_0`.
fn number_of(words: &[String]) -> Option<String> {
    let gpu = words.iter().position(|word| GPU.contains(&word.as_str()))?;
    let digits = |word: &&String| word.parse::<u32>().is_ok();
    words.get(gpu + 1).filter(digits).or(words.last().filter(digits)).cloned()
}

/// The watts of a cell with its unit, `0.7 kW`, or of a number in a unit.
pub(super) fn watts(text: &str, unit: f64) -> Option<f64> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_alphabetic());
    let said = text[digits.len()..].to_lowercase();
    let own = UNITS.iter().find(|(names, _)| names.contains(&said.as_str())).map(|(_, it)| *it);
    number(digits).map(|number| number * own.unwrap_or(unit))
}

/// True if a cell is a power with its unit.
pub(super) fn is_power(text: &str) -> bool {
    text.trim_end().ends_with('W') && watts(text, 1.0).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_power_of_a_gpu_is_told_by_its_name() {
        let check = |name: &str, gpu: Option<&str>, unit: Option<f64>| {
            let metric = of_name(name).unwrap();
            assert_eq!((metric.gpu.as_deref(), metric.unit), (gpu, unit), "{name}");
        };
        check("system.gpu.0.powerWatts", Some("0"), Some(1.0));
        check("run-1 - system/gpu.7.powerWatts", Some("run-1 7"), Some(1.0));
        check("system/gpu_3_power_usage_watts", Some("3"), Some(1.0));
        check("gpu/5/power", Some("5"), None);
        check("gpu0_power_w", Some("0"), Some(1.0));
        check("GPU 1 Power (mW)", Some("1"), Some(1e-3));
        check("gpu_power_2", Some("2"), None);
        check("DCGM_FI_DEV_POWER_USAGE{Hostname=\"n1\", gpu=\"4\"}", Some("n1 4"), None);
        check("{gpu=\"4\", __name__=\"nvidia_smi_power_draw_watts\"}", Some("4"), Some(1.0));
        check("power.draw", None, None);
        check("nvidia_gpu_power_usage_milliwatts", None, Some(1e-3));
        check("Average Graphics Package Power (W)", None, Some(1.0));
        check("powerWatts", None, Some(1.0));
        assert!(of_name("ipmi_dcmi_power_consumption_watts").unwrap().of_machine);
        assert!(!of_name("kepler_node_gpu_watts").unwrap().of_machine);
        for other in [
            "system.gpu.0.powerPercent",
            "system.gpu.0.enforcedPowerLimitWatts",
            "system.gpu.process.0.powerWatts",
            "run-1 - system/gpu.0.powerWatts__MAX",
            "DCGM_FI_DEV_POWER_VIOLATION",
            "nvidia_smi_power_default_limit_watts",
            "cpu_power",
            "GPU 0",
            "max_power",
        ] {
            assert_eq!(of_name(other), None, "{other}");
        }
    }

    #[test]
    fn a_cell_has_its_own_unit() {
        let check = |text: &str, right: Option<f64>| {
            let got = watts(text, 1.0);
            let same = got.zip(right).map_or(got == right, |(a, b)| (a - b).abs() < 1e-9);
            assert!(same, "{text}: {got:?}");
        };
        check("700.00 W", Some(700.0));
        check("0.7 kW", Some(700.0));
        check("1.2 kW", Some(1200.0));
        check("700", Some(700.0));
        check("ERR!", None);
        assert_eq!(watts("700000", 1e-3), Some(700.0));
    }
}
