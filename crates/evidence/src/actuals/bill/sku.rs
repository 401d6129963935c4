//! The names in a bill's row: its currency, its unit of time, its machine.

use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::{Error, Result};

use crate::actuals::table::Row;

/// The machine that a charge is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Machine {
    /// A device by itself.
    Device,
    /// An instance with devices, as many as its provider lists.
    Instance(Option<f64>),
    /// A machine, or a part of one, without devices.
    Host,
    /// Nothing says.
    Unclear,
}

/// A time as billed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Hours {
    /// The hours are those of devices.
    OfDevices(f64),
    /// The hours are those of whatever the charge is for.
    OfInstances(f64),
}

impl Hours {
    /// The hours.
    pub(super) fn value(&self) -> f64 {
        match self {
            Self::OfDevices(hours) | Self::OfInstances(hours) => *hours,
        }
    }
}

/// Units of time in hours.
const TIMES: &[(&[&str], f64)] = &[
    (&["hour", "hours", "hrs", "hr", "h"], 1.0),
    (&["ms", "millisecond", "milliseconds"], 1.0 / 3.6e6),
    (&["minute", "minutes", "min", "mins"], 1.0 / 60.0),
    (&["second", "seconds", "sec", "secs", "s"], 1.0 / 3600.0),
    (&["day", "days"], 24.0),
];
/// Words for devices before a unit of time.
const DEVICES: &[&str] = &["gpu", "gpus", "device", "devices", "accelerator", "chip", "tpu"];
/// Words for instances before a unit of time.
const INSTANCES: &[&str] =
    &["instance", "instances", "node", "nodes", "machine", "compute", "vm", "per"];
/// Families of instances of AWS that have devices; every other family has none.
const AWS_FAMILIES: &[&str] = &["p", "g", "gr", "trn", "inf", "dl"];
/// Beginnings of machine types of Google that have devices.
const GOOGLE_DEVICES: &[&str] = &["a2-", "a3-", "a4-", "a4x-", "g2-", "g4-", "ct"];
/// Beginnings of those that have none.
const GOOGLE_HOSTS: &[&str] = &[
    "e2-", "n1-", "n2-", "n2d-", "n4-", "c2-", "c2d-", "c3-", "c3d-", "c4-", "c4a-", "c4d-",
    "t2a-", "t2d-", "m1-", "m2-", "m3-", "m4-", "x4-", "h3-", "z3-",
];
/// Words of charges for parts of a machine beside its devices.
const PARTS: &[&str] = &["core", "cores", "ram", "vcpu", "cpu", "ocpu", "memory"];

/// Refuses amounts in another currency.
pub(super) fn in_usd(row: Row<'_>, column: &str) -> Result<()> {
    match row.text(column) {
        None | Some("USD") => Ok(()),
        Some(other) => {
            let line = row.line();
            Err(Error::input(format!("line {line}: `{other}` in `{column}` is not USD"))
                .hint("convert the bill's amounts to USD at a stated rate"))
        }
    }
}

/// The hours of a quantity, if its unit is one of time: `Hrs`, `GPU-Hours`, `100 Hours`.
pub(super) fn hours(quantity: f64, unit: &str) -> Option<Hours> {
    let unit = unit.to_lowercase();
    let mut words: Vec<&str> = unit.split([' ', '-']).filter(|word| !word.is_empty()).collect();
    let time = words.pop()?;
    let (_, hours) = TIMES.iter().find(|(names, _)| names.contains(&time))?;
    let (mut block, mut devices) = (1.0, false);
    for word in words {
        match word.parse::<f64>() {
            Ok(number) if number.is_finite() => block *= number,
            _ if DEVICES.contains(&word) => devices = true,
            _ if INSTANCES.contains(&word) => {}
            _ => return None,
        }
    }
    let hours = quantity * block * hours;
    Some(if devices { Hours::OfDevices(hours) } else { Hours::OfInstances(hours) })
}

/// The machine that some texts name, the first that names one.
pub(super) fn machine(texts: &[&str], catalog: Option<&Catalog>) -> Machine {
    let words = |text: &&str| {
        let text = text.to_lowercase();
        let split = text.split(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)));
        split.filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    let words: Vec<String> = texts.iter().flat_map(words).collect();
    let of_a_word = words.iter().map(|word| instance(word, catalog));
    if let Some(found) = of_a_word.into_iter().find(|it| *it != Machine::Unclear) {
        return found;
    }
    let says = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    // `8x H100` is an instance of its own name, as is `8 x H100` and `gpu_8x_h100_sxm5`.
    let counted = |word: &str| word.strip_suffix('x')?.parse::<u32>().ok();
    let apart =
        words.windows(2).find(|pair| pair[1] == "x").and_then(|it| it[0].parse::<u32>().ok());
    let parts = words.iter().flat_map(|word| word.split(['_', '-']));
    let several = parts.into_iter().find_map(counted).or(apart).filter(|count| *count > 0);
    match (says(DEVICES), says(PARTS), several) {
        (.., Some(count)) => Machine::Instance(Some(f64::from(count))),
        (true, ..) if !says(INSTANCES) => Machine::Device,
        (_, true, _) => Machine::Host,
        _ => Machine::Unclear,
    }
}

/// True if a word of a text is a device's name, or the first part of one: `NVIDIA H100 80GB HBM3`.
pub(super) fn names_device(text: &str, catalog: Option<&Catalog>) -> bool {
    let Some(catalog) = catalog else { return false };
    let text = text.to_lowercase();
    let numbered = |word: &&str| word.len() > 1 && word.contains(|c: char| c.is_ascii_digit());
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(numbered);
    let is =
        |word: &str| catalog.accelerators().any(|it| it.id.split('-').any(|part| part == word));
    words.into_iter().any(is)
}

/// The machine of an instance's name: `p5.48xlarge`, `standard_nd96isr_h100_v5`, `a3-highgpu-8g`.
fn instance(word: &str, catalog: Option<&Catalog>) -> Machine {
    let listed = || {
        let mut prices = catalog?.prices();
        let sold = prices.find(|price| price.sku.eq_ignore_ascii_case(word));
        sold.and_then(|price| price.devices).or_else(|| catalog?.machine(word).map(|it| it.1))
    };
    let with_devices = || Machine::Instance(listed().map(|devices| devices as f64));
    if let Some((family, size)) = word.split_once('.') {
        let letters: String = family.chars().take_while(char::is_ascii_alphabetic).collect();
        let numbered = family[letters.len()..]
            .trim_start_matches('-')
            .starts_with(|c: char| c.is_ascii_digit());
        let sizes = ["nano", "micro", "small", "medium", "large", "metal"];
        let sized = sizes.iter().any(|it| size.trim_end_matches(char::is_numeric).contains(it));
        if numbered && sized {
            let known = AWS_FAMILIES.contains(&letters.as_str());
            return if known { with_devices() } else { Machine::Host };
        }
    }
    if let Some(size) = word.strip_prefix("standard_") {
        return if size.starts_with('n') { with_devices() } else { Machine::Host };
    }
    if GOOGLE_DEVICES.iter().any(|it| word.starts_with(it)) && word.contains('-') {
        return with_devices();
    }
    if GOOGLE_HOSTS.iter().any(|it| word.starts_with(it)) {
        return Machine::Host;
    }
    match listed() {
        Some(devices) => Machine::Instance(Some(devices as f64)),
        None => Machine::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_time_are_hours_of_devices_or_of_what_is_charged() {
        let check = |unit: &str, expected: Option<Hours>| assert_eq!(hours(10.0, unit), expected);
        for unit in ["Hours", "Hrs", "h", "Instance-Hours", "1 Hour", "hour"] {
            check(unit, Some(Hours::OfInstances(10.0)));
        }
        for unit in ["GPU-Hours", "Device-Hours", "GPU hour", "accelerator-hours"] {
            check(unit, Some(Hours::OfDevices(10.0)));
        }
        check("GPU Per Hour", Some(Hours::OfDevices(10.0)));
        check("100 Hours", Some(Hours::OfInstances(1000.0)));
        check("Seconds", Some(Hours::OfInstances(10.0 / 3600.0)));
        for unit in ["", "GB-Months", "vCPU-Hours", "gibibyte hour", "Requests"] {
            check(unit, None);
        }
    }

    #[test]
    fn machines_are_told_by_their_names() {
        let catalog = Catalog::embedded();
        let check = |text: &str, expected: Machine| {
            assert_eq!(machine(&[text], Some(&catalog)), expected, "{text}");
        };
        check("p5.48xlarge", Machine::Instance(Some(8.0)));
        check("USE2-BoxUsage:p5.48xlarge", Machine::Instance(Some(8.0)));
        check("$55.04 per On Demand Linux p5.48xlarge Instance Hour", Machine::Instance(Some(8.0)));
        check("p9.48xlarge", Machine::Instance(None));
        for host in ["t3.micro", "m7i.large", "u-6tb1.metal", "Standard_D8s_v5", "n2-standard-8"] {
            check(host, Machine::Host);
        }
        check("a3-highgpu-8g", Machine::Instance(Some(8.0)));
        check("Nvidia H100 80GB GPU running in Iowa", Machine::Device);
        check("A3 Instance Core running in Iowa", Machine::Host);
        check("P5", Machine::Unclear);
        check("8x H100 GPU", Machine::Instance(Some(8.0)));
        check("8 x H100 (80 GB SXM5)", Machine::Instance(Some(8.0)));
    }
}
