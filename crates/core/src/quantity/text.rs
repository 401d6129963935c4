//! Quantities as people write them: `300B tokens`, `2.10 USD/device-h`, `57 gCO2e/kWh`.
//!
//! One grammar serves every quantity:
//! ```text
//! quantity   = number [multiplier] [unit]      1_000, 2.5e3, 300B, 2 trillion
//! unit       = atom {("-" | "*") atom} {"/" atom {("-" | "*") atom}}
//! atom       = [SI prefix] word [plural "s"]   kWh, tokens, device, h
//! multiplier = K | M | B | G | T | thousand | million | billion | trillion
//! ```
//! Behind a `/` a multiplier counts too: `USD/M tokens`, `USD/1M tokens`. All atoms behind the first `/` divide. Their dimensions must multiply out to the dimension that
//! is asked for, where counted things may be left unsaid except in a price. Every written quantity
//! reads back as the same value within its digits.
//!
//! ```
//! use flopcast_core::quantity::{DevicePrice, Energy, Tokens, parse, show};
//! let energy: Energy = parse("1287 MWh").unwrap();
//! assert_eq!(show(energy), "1,287 MWh");
//! let tokens: Tokens = parse("300B tokens").unwrap();
//! assert_eq!(tokens.value, 3e11);
//! let error = parse::<DevicePrice>("2 USD/h").unwrap_err();
//! assert!(error.to_string().contains("USD/device-h"));
//! ```

use std::sync::LazyLock;

use super::dimension::{Dimension, Measure};

/// A text that is no quantity of the dimension asked for, with the units that would do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum QuantityError {
    /// No number at the start, or one that is not finite.
    #[error("`{0}` does not start with a finite number")]
    Number(String),
    /// A word that is no unit.
    #[error("`{unit}` is not a unit; {valid}")]
    UnknownUnit {
        /// The word.
        unit: String,
        /// The units that would do here.
        valid: String,
    },
    /// A unit of another quantity.
    #[error("`{unit}` does not fit here; {valid}")]
    WrongUnit {
        /// The unit as written.
        unit: String,
        /// The units that would do here.
        valid: String,
    },
    /// A bare number, in a dimension whose unit does not go without saying.
    #[error("`{0}` has no unit; {1}")]
    NoUnit(String, String),
    /// A price that does not say what it is the price of.
    #[error(
        "`{0}` does not say whether it is per device or per instance; write `USD/device-h` or `USD/instance-h`"
    )]
    PriceOfWhat(String),
}

/// Seconds per unit of time; a year is the Julian one of 365.25 days.
const S: f64 = 1.0;
const HOUR: f64 = 3600.0;
const DAY: f64 = 86400.0;
const YEAR: f64 = 365.25 * DAY;
/// Joules per kWh.
const KWH: f64 = 3.6e6;

/// Unit words: spelling, factor to the stored unit, base quantity, SI prefixes allowed. The prefix
/// applies before the word; words that may not take one are matched whole.
const ATOMS: &[(&str, f64, Dimension, bool)] = {
    const T: Dimension = Dimension::base(0, 1);
    const E: Dimension = Dimension::base(1, 1);
    const P: Dimension = Dimension::base(1, 1).over_time();
    const C: Dimension = Dimension::base(3, 1);
    const F: Dimension = Dimension::base(4, 1);
    const B: Dimension = Dimension::base(5, 1);
    &[
        ("s", S, T, false),
        ("ms", 1e-3, T, false),
        ("us", 1e-6, T, false),
        ("second", S, T, false),
        ("min", 60.0, T, false),
        ("minute", 60.0, T, false),
        ("h", HOUR, T, false),
        ("hr", HOUR, T, false),
        ("hour", HOUR, T, false),
        ("d", DAY, T, false),
        ("day", DAY, T, false),
        ("week", 7.0 * DAY, T, false),
        ("month", YEAR / 12.0, T, false),
        ("mo", YEAR / 12.0, T, false),
        ("year", YEAR, T, false),
        ("yr", YEAR, T, false),
        ("J", 1.0, E, true),
        ("Wh", KWH / 1e3, E, true),
        ("W", 1.0, P, true),
        ("USD", 1.0, Dimension::base(2, 1), false),
        ("$", 1.0, Dimension::base(2, 1), false),
        ("gCO2e", 1e-3, C, true),
        ("gCO2eq", 1e-3, C, true),
        ("gCO2", 1e-3, C, true),
        ("g", 1e-3, C, true),
        ("tCO2e", 1e3, C, true),
        ("tCO2eq", 1e3, C, true),
        ("tCO2", 1e3, C, true),
        ("t", 1e3, C, false),
        ("FLOP", 1.0, F, true),
        ("FLOPs", 1.0, F, true),
        ("FLOPS", 1.0, F.over_time(), true),
        ("B", 1.0, B, true),
        ("byte", 1.0, B, false),
        ("KiB", 1024.0, B, false),
        ("MiB", 1_048_576.0, B, false),
        ("GiB", 1_073_741_824.0, B, false),
        ("TiB", 1_099_511_627_776.0, B, false),
        ("token", 1.0, Dimension::base(6, 1), true),
        ("sample", 1.0, Dimension::base(7, 1), false),
        ("image", 1.0, Dimension::base(7, 1), false),
        ("request", 1.0, Dimension::base(8, 1), false),
        ("query", 1.0, Dimension::base(8, 1), false),
        ("rps", 1.0, Dimension::base(8, 1).over_time(), false),
        ("qps", 1.0, Dimension::base(8, 1).over_time(), false),
        ("L", 1.0, Dimension::base(9, 1), true),
        ("m3", 1e3, Dimension::base(9, 1), false),
        ("device", 1.0, Dimension::base(10, 1), false),
        ("GPU", 1.0, Dimension::base(10, 1), false),
        ("gpu", 1.0, Dimension::base(10, 1), false),
        ("chip", 1.0, Dimension::base(10, 1), false),
        ("instance", 1.0, Dimension::base(11, 1), false),
        ("%", 0.01, Dimension::NONE, false),
    ]
};

/// SI prefixes of units that take them; `K` is read as `k`, and data is decimal (1 KB = 1,000 B).
const PREFIXES: &[(&str, f64)] = &[
    ("m", 1e-3),
    ("k", 1e3),
    ("K", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
    ("Z", 1e21),
    ("Y", 1e24),
];

/// Multipliers right behind a number: `300B tokens`, `7.2M requests`.
const MULTIPLIERS: &[(&str, f64)] =
    &[("K", 1e3), ("k", 1e3), ("M", 1e6), ("B", 1e9), ("G", 1e9), ("T", 1e12)];

/// Multipliers in words: `2 trillion tokens`.
const WORDS: &[(&str, f64)] = &[
    ("thousand", 1e3),
    ("million", 1e6),
    ("billion", 1e9),
    ("bn", 1e9),
    ("trillion", 1e12),
    ("tn", 1e12),
];

/// The units in which a quantity prints, by dimension, in rising size; each serves from the value
/// that fits it. They are also the units that errors offer.
const LADDERS: &[&[&str]] = &[
    &["ms", "s", "min", "h", "days"],
    &["J", "Wh", "kWh", "MWh"],
    &["USD"],
    &["gCO2e", "kgCO2e", "tCO2e"],
    &["FLOP"],
    &["B", "KB", "MB", "GB", "TB", "PB"],
    &["tokens"],
    &["samples"],
    &["requests"],
    &["mL", "L", "m3"],
    &["devices"],
    &["instances"],
    &["device-h"],
    &["instance-h"],
    &["W", "kW", "MW", "GW"],
    &["W/device", "kW/device"],
    &["FLOP/s", "GFLOP/s", "TFLOP/s", "PFLOP/s", "EFLOP/s"],
    &["GFLOP/s/device", "TFLOP/s/device", "PFLOP/s/device"],
    &["MB/s", "GB/s", "TB/s"],
    &["MB/s/device", "GB/s/device", "TB/s/device"],
    &["KB/device", "MB/device", "GB/device", "TB/device"],
    &["kgCO2e/device"],
    &["devices/instance"],
    &["USD/device-h"],
    &["USD/instance-h"],
    &["USD/kWh"],
    &["GB-month", "TB-month"],
    &["USD/GB-month"],
    &["USD/GB"],
    &["USD/year"],
    &["B/request", "KB/request", "MB/request"],
    &["gCO2e/kWh"],
    &["L/kWh"],
    &["FLOP/token"],
    &["FLOP/sample"],
    &["FLOP/request"],
    &["tokens/s"],
    &["tokens/s/device"],
    &["samples/s"],
    &["requests/s"],
    &["tokens/request"],
    &["USD/request"],
    &["Wh/request", "kWh/request"],
    &["gCO2e/request", "kgCO2e/request"],
    &["USD/Mtoken"],
    &["kWh/Mtoken"],
    &["kgCO2e/Mtoken"],
    &["ms/request", "s/request"],
    &["ms/token", "s/token"],
    &["KB/token", "MB/token"],
    &["FLOP/USD"],
    &["%/year"],
];

/// Units that a bare number is read in; any other quantity must name its unit.
const BARE: &[&str] = &[
    "tokens",
    "samples",
    "requests",
    "devices",
    "instances",
    "tokens/request",
    "W/device",
    "tokens/s/device",
    "gCO2e/kWh",
    "device-h",
    "USD/kWh",
    "L/kWh",
    "USD",
];

/// The factor of the unit that a bare number of this dimension is in.
fn bare_unit(wanted: Dimension) -> Option<f64> {
    if wanted == Dimension::NONE {
        return Some(1.0);
    }
    let read = |unit: &&str| read_unit(unit, wanted).ok().filter(|(_, said)| *said == wanted);
    BARE.iter().find_map(read).map(|(factor, _)| factor)
}

impl Dimension {
    /// The dimension per time.
    const fn over_time(self) -> Self {
        let mut exponents = self.0;
        exponents[0] -= 1;
        Self(exponents)
    }
}

/// Reads a quantity of the dimension of `Q`; the value is in its stored unit.
///
/// # Errors
/// [`QuantityError`], which names the units that would do.
pub fn parse<Q: Measure>(text: &str) -> Result<Q, QuantityError> {
    parse_stored(text, Q::DIMENSION).map(Q::from_stored)
}

/// Reads a quantity as a number of `unit`, which is one of this crate's own texts. A bare number is
/// in that unit.
///
/// # Errors
/// As [`parse`].
pub fn parse_in(text: &str, unit: &str) -> Result<f64, QuantityError> {
    let (factor, dimension) = read_unit(unit, Dimension::NONE)?;
    let (number, rest) = split_number(text.trim());
    let bare = split_multiplier(rest, dimension).1.trim().is_empty();
    let stored = if bare {
        parse_stored(&format!("{number}{rest} {unit}"), dimension)
    } else {
        parse_stored(text, dimension)
    };
    Ok(stored? / factor)
}

/// Reads a value of the given dimension, in its stored unit.
///
/// # Errors
/// As [`parse`].
pub fn parse_stored(text: &str, wanted: Dimension) -> Result<f64, QuantityError> {
    let text = text.trim();
    // `$2.10/h` is 2.10 USD/h.
    let dollars = text.strip_prefix('$').map(|rest| {
        let (number, unit) = split_number(rest.trim_start());
        format!("{number} USD{}", unit.trim_start())
    });
    let text = dollars.as_deref().unwrap_or(text);
    let (number, unit) = split_number(text);
    let value: f64 = number
        .replace('_', "")
        .parse()
        .ok()
        .filter(|v: &f64| v.is_finite())
        .ok_or_else(|| QuantityError::Number(text.to_owned()))?;
    let (multiplier, unit) = split_multiplier(unit, wanted);
    let unit = unit.trim();
    if unit.is_empty() {
        return match bare_unit(wanted) {
            Some(factor) => Ok(value * multiplier * factor),
            None => Err(QuantityError::NoUnit(text.to_owned(), valid_units(wanted))),
        };
    }
    let (factor, said) = read_unit(unit, wanted)?;
    let yearly = wanted == Dimension::NONE.over_time() && unit == "%";
    let of_tokens = Dimension::base(2, 1).times(Dimension::base(6, 1), -1);
    let millions = wanted == of_tokens && said == Dimension::base(2, 1) && unit.contains('/');
    if wanted.admits(said) || millions {
        Ok(value * multiplier * factor)
    } else if yearly {
        // A part of what goes by the year is one of each year.
        Ok(value * multiplier * factor / YEAR)
    } else if wanted.is_price_of_count() && said == Dimension::base(2, 1).over_time() {
        Err(QuantityError::PriceOfWhat(unit.to_owned()))
    } else {
        Err(QuantityError::WrongUnit { unit: unit.to_owned(), valid: valid_units(wanted) })
    }
}

/// Splits a text behind its leading number: sign, digits, underscores, fraction, exponent.
pub fn split_number(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    let mut end = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    while let Some(byte) = bytes.get(end) {
        let exponent = matches!(byte, b'e' | b'E')
            && end > 0
            && bytes[end - 1].is_ascii_digit()
            && match (bytes.get(end + 1), bytes.get(end + 2)) {
                (Some(b'+' | b'-'), Some(d)) | (Some(d), _) => d.is_ascii_digit(),
                _ => false,
            };
        let sign = matches!(byte, b'+' | b'-') && matches!(bytes[end - 1], b'e' | b'E');
        if byte.is_ascii_digit() || matches!(byte, b'.' | b'_') || exponent || (sign && end > 0) {
            end += 1;
        } else {
            break;
        }
    }
    text.split_at(end)
}

/// The multiplier right behind a number, and the rest. `B` is a billion, unless bytes are asked
/// for.
fn split_multiplier(rest: &str, wanted: Dimension) -> (f64, &str) {
    // `2 trillion`, `2 T`: a word apart is one only if no unit is called so.
    let apart = rest.trim_start();
    let end = apart.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(apart.len());
    let (word, tail) = apart.split_at(end);
    if let Some((_, factor)) = WORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)) {
        return (*factor, tail);
    }
    // Tokens, samples and requests come in no bytes, tonnes or thousandths: `2t`, `15 b`.
    let counted = [6, 7, 8].iter().any(|count| wanted == Dimension::base(*count, 1));
    if counted
        && let Some((_, factor)) = MULTIPLIERS.iter().find(|it| it.0.eq_ignore_ascii_case(word))
    {
        return (*factor, tail);
    }
    if apart.len() < rest.len() && read_atom(word).is_some() {
        return (1.0, rest);
    }
    let counts_bytes = word == "B" && wanted.0[5] != 0;
    match MULTIPLIERS.iter().find(|(name, _)| *name == word) {
        Some((_, factor)) if !counts_bytes => (*factor, tail),
        _ => (1.0, rest),
    }
}

/// Factor and dimension of a unit expression such as `gCO2e/kWh` or `USD/device-h`: `-` and `*`
/// join atoms, and all atoms behind the first `/` divide.
fn read_unit(unit: &str, wanted: Dimension) -> Result<(f64, Dimension), QuantityError> {
    let (mut factor, mut dimension, mut sign) = (1.0, Dimension::NONE, 1);
    // `g CO2e` is one word in two.
    let unit = unit.replace(" CO2", "CO2");
    for (i, quotient) in unit.split('/').enumerate() {
        if i > 0 {
            sign = -1;
        }
        if i == 0 && quotient.trim().is_empty() {
            continue;
        }
        for word in quotient.split(['-', '*', '·', ' ']).filter(|w| !w.is_empty()) {
            let many = || many(word).filter(|_| i > 0).map(|many| (many, Dimension::NONE));
            let (scale, said) = read_atom(word).or_else(many).ok_or_else(|| {
                QuantityError::UnknownUnit { unit: word.to_owned(), valid: valid_units(wanted) }
            })?;
            factor *= if sign > 0 { scale } else { 1.0 / scale };
            dimension = dimension.times(said, sign);
        }
    }
    Ok((factor, dimension))
}

/// The number of things that a price is of: a million of `USD/M tokens` or `USD/1M tokens`.
fn many(word: &str) -> Option<f64> {
    let (count, multiplier) = split_number(word);
    let count = if count.is_empty() { Some(1.0) } else { count.parse().ok() };
    let known = MULTIPLIERS.iter().chain(WORDS).find(|(name, _)| *name == multiplier);
    count.filter(|it| *it > 0.0).zip(known).map(|(count, (_, factor))| count * factor)
}

/// Factor to the stored unit and dimension of one word, singular or plural, perhaps with a prefix.
fn read_atom(word: &str) -> Option<(f64, Dimension)> {
    let exact = |word: &str| ATOMS.iter().find(|(name, ..)| *name == word);
    let plain = exact(word).or_else(|| match word.strip_suffix("ies") {
        Some(stem) => ATOMS.iter().find(|(name, ..)| name.strip_suffix('y') == Some(stem)),
        None => word.strip_suffix('s').filter(|w| w.len() > 1).and_then(exact),
    });
    if let Some((_, factor, dimension, _)) = plain {
        return Some((*factor, *dimension));
    }
    PREFIXES.iter().find_map(|(prefix, scale)| {
        let stem = word.strip_prefix(prefix)?;
        let (_, factor, dimension, prefixed) =
            exact(stem).or_else(|| stem.strip_suffix('s').and_then(exact))?;
        prefixed.then_some((scale * factor, *dimension))
    })
}

/// A stored value in another unit, such as `kWh`: stored / factor. The unit is one of this crate's
/// own texts; any other gives NaN.
pub fn convert(stored: f64, unit: &str) -> f64 {
    match read_unit(unit, Dimension::NONE) {
        Ok((factor, _)) => stored / factor,
        Err(_) => f64::NAN,
    }
}

/// The unit that stands for a dimension in tables: the smallest of those it is shown in.
pub fn unit_name(dimension: Dimension) -> String {
    ladder(dimension).map_or_else(|| dimension.stored_unit(), |units| units[0].1.to_owned())
}

/// The units that would do, as a hint: `use J, Wh, kWh, MWh`.
fn valid_units(wanted: Dimension) -> String {
    match ladder(wanted) {
        Some(units) => {
            let names: Vec<_> = units.iter().map(|(_, unit)| *unit).collect();
            format!("use {}", names.join(", "))
        }
        None if wanted == Dimension::NONE => "use a plain number or %".to_owned(),
        None => format!("use {}", wanted.stored_unit()),
    }
}

/// The units of a dimension with their factors, in rising size.
fn ladder(dimension: Dimension) -> Option<&'static [(f64, &'static str)]> {
    type Ladder = (Dimension, Vec<(f64, &'static str)>);
    // Read once: a report shows hundreds of quantities.
    static READ: LazyLock<Vec<Ladder>> = LazyLock::new(|| {
        let read = |unit: &&'static str| {
            let (factor, said) = read_unit(unit, Dimension::NONE).ok()?;
            Some((said, (factor, *unit)))
        };
        let ladder = |units: &&[&'static str]| {
            let units: Vec<_> = units.iter().filter_map(read).collect();
            let dimension = units.first()?.0;
            Some((dimension, units.into_iter().map(|(_, unit)| unit).collect()))
        };
        LADDERS.iter().filter_map(ladder).collect()
    });
    READ.iter().find(|(known, _)| *known == dimension).map(|(_, units)| units.as_slice())
}

/// Writes a quantity in the unit that suits its size: `1,287 MWh`, `3.143e23 FLOP`.
pub fn show<Q: Measure>(quantity: Q) -> String {
    show_stored(quantity.stored(), Q::DIMENSION)
}

/// [`show`] for a value of a dimension that is known only at run time.
pub fn show_stored(value: f64, dimension: Dimension) -> String {
    let [number, unit] = shown_parts(value, dimension);
    if unit.is_empty() { number } else { format!("{number} {unit}") }
}

/// Number and unit of [`show_stored`]; the unit of a plain number is empty.
pub fn shown_parts(value: f64, dimension: Dimension) -> [String; 2] {
    let (value, unit) = fitting(value, dimension);
    shown_in(value, unit)
}

/// Number and unit of a value in a unit.
pub fn shown_in(value: f64, unit: String) -> [String; 2] {
    let counted = COUNTS.contains(&unit.as_str());
    [if counted { count(value) } else { number(value) }, unit]
}

/// The dimension of a unit, which is one of this crate's own texts.
pub fn dimension(unit: &str) -> Dimension {
    read_unit(unit, Dimension::NONE).map_or(Dimension::NONE, |(_, dimension)| dimension)
}

/// A stored value in the unit that suits its size, with that unit.
pub fn fitting(value: f64, dimension: Dimension) -> (f64, String) {
    let (factor, unit) = fitting_unit(value, dimension);
    (value / factor, unit)
}

/// The unit that suits a stored value's size, and its factor: the stored value of one such unit.
pub fn fitting_unit(value: f64, dimension: Dimension) -> (f64, String) {
    match rung(value, dimension) {
        Some((factor, unit)) => (*factor, (*unit).to_owned()),
        None => (1.0, dimension.stored_unit()),
    }
}

/// The name of the unit that suits a stored value's size, where its dimension has several.
pub fn fitting_name(value: f64, dimension: Dimension) -> Option<&'static str> {
    rung(value, dimension).map(|(_, unit)| *unit)
}

/// The largest unit of a dimension that a stored value reaches, or the smallest.
fn rung(value: f64, dimension: Dimension) -> Option<&'static (f64, &'static str)> {
    let units = ladder(dimension).unwrap_or_default();
    units.iter().rev().find(|(factor, _)| value.abs() >= *factor).or(units.first())
}

/// Units of things that are counted by the million, billion and trillion.
const COUNTS: &[&str] = &["tokens", "samples", "requests"];

/// A count as people say it: `300B`, `1.28M`, `3,552`.
pub fn count(value: f64) -> String {
    // 999.96 million is a billion in four digits.
    let steps = [(1e12, 0.99996, "T"), (1e9, 0.99996, "B"), (1e6, 1.0, "M")];
    match steps.iter().find(|(step, from, _)| value.abs() >= step * from) {
        Some((step, _, letter)) => format!("{}{letter}", number(value / step)),
        None => number(value),
    }
}

/// A number of four significant digits, `0.197`, `3.143e23`; from a thousand to a billion all
/// digits of the whole part, `1,287`.
pub fn number(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        return "unknown".to_owned();
    }
    if size >= 1e9 || (size > 0.0 && size < 1e-5) {
        return format!("{value:.3e}");
    }
    if size >= 999.95 {
        return group(&format!("{value:.0}"));
    }
    if value.fract() == 0.0 {
        return format!("{value}");
    }
    // Four significant digits.
    let decimals = (3 - size.log10().floor() as i32).clamp(0, 9) as usize;
    let text = format!("{value:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The same number as a scenario writes it: without commas between its digits.
pub fn typed(value: f64) -> String {
    number(value).replace(',', "")
}

/// Groups the digits of a whole number by three: `3,552,000`.
fn group(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |d| ("-", d));
    let mut out = String::from(sign);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::{
        Co2eMass, Data, DeviceFlopRate, DeviceMemory, DevicePower, DevicePrice, Energy,
        EnergyPrice, Flop, GridIntensity, InstancePrice, Money, Per, RequestRate, Time, Tokens,
        WaterIntensity, YearlyRate,
    };
    use super::*;

    fn check<Q: Measure>(text: &str, stored: f64) {
        let value = parse::<Q>(text).unwrap_or_else(|e| panic!("{text}: {e}")).stored();
        assert!((value - stored).abs() <= 1e-9 * stored.abs(), "{text} = {value}, not {stored}");
    }

    #[test]
    fn reads_what_people_write() {
        check::<Tokens>("300B tokens", 3e11);
        check::<Tokens>("300_000", 3e5);
        check::<Tokens>("1.5e12", 1.5e12);
        check::<GridIntensity>("429", 0.429 / 3.6e6);
        check::<Tokens>("3.2M", 3.2e6);
        check::<Tokens>("15.6T tokens", 15.6e12);
        check::<Tokens>("2 trillion", 2e12);
        check::<Tokens>("2 Trillion tokens", 2e12);
        check::<Tokens>("2 T", 2e12);
        check::<Tokens>("2t", 2e12);
        check::<Tokens>("15b tokens", 15e9);
        check::<Tokens>("15 B", 15e9);
        check::<Tokens>("1.5tn", 1.5e12);
        check::<Data>("15 B", 15.0);
        check::<DevicePrice>("$2.10/GPU-hr", 2.1 / 3600.0);
        check::<DevicePrice>("$ 2.10 / device-h", 2.1 / 3600.0);
        check::<RequestRate>("40 rps", 40.0);
        check::<RequestRate>("40 qps", 40.0);
        check::<DevicePrice>("2.10 USD/device-h", 2.1 / 3600.0);
        check::<DevicePrice>("2.10 USD/GPU-hour", 2.1 / 3600.0);
        check::<InstancePrice>("16.80 USD/instance-h", 16.8 / 3600.0);
        check::<GridIntensity>("57 gCO2e/kWh", 0.057 / 3.6e6);
        check::<GridIntensity>("57 g/kWh", 0.057 / 3.6e6);
        check::<DevicePower>("330 W", 330.0);
        check::<DevicePower>("0.4 kW/device", 400.0);
        check::<RequestRate>("2M/day", 2e6 / 86400.0);
        check::<RequestRate>("5 requests/s", 5.0);
        check::<Time>("500 ms", 0.5);
        check::<Time>("3 years", 3.0 * YEAR);
        check::<YearlyRate>("40 %/year", 0.4 / YEAR);
        check::<f64>("8 %", 0.08);
        check::<DeviceFlopRate>("989.4 TFLOPS", 989.4e12);
        check::<DeviceFlopRate>("989.4 TFLOP/s", 989.4e12);
        check::<DeviceMemory>("80 GB", 80e9);
        check::<Data>("300B", 300.0);
        check::<EnergyPrice>("0.08 USD/kWh", 0.08 / 3.6e6);
        check::<GridIntensity>("200 gCO2/kWh", 0.2 / 3.6e6);
        check::<GridIntensity>("200 g CO2e/kWh", 0.2 / 3.6e6);
        check::<Co2eMass>("3 t CO2", 3e3);
        check::<YearlyRate>("5 %", 0.05 / YEAR);
        for price in ["0.1 USD/Mtoken", "0.1 USD/1M tokens", "$0.10/M tokens", "$0.10/M"] {
            check::<Per<Money, Tokens>>(price, 1e-7);
        }
        check::<Per<Money, Tokens>>("0.1 USD/million tokens", 1e-7);
        assert!(parse::<Per<Money, Tokens>>("2 USD").is_err());
        assert_eq!(typed(1167.4), "1167");
        check::<WaterIntensity>("0.18 L/kWh", 0.18 / 3.6e6);
    }

    #[test]
    fn refuses_with_the_units_that_would_do() {
        let error = |e: Result<f64, QuantityError>| e.unwrap_err().to_string();
        let price = DevicePrice::DIMENSION;
        assert!(error(parse_stored("2.1 USD/h", price)).contains("per device or per instance"));
        assert!(error(parse_stored("2.1 USD/instance-h", price)).contains("USD/device-h"));
        assert!(error(parse_stored("300 kWh", Tokens::DIMENSION)).contains("use tokens"));
        assert!(
            error(parse_stored("300 tokns", Tokens::DIMENSION)).contains("`tokns` is not a unit")
        );
        assert!(error(parse_stored("3", Time::DIMENSION)).contains("has no unit"));
        for bad in ["NaN", "inf", "", "tokens", "1e999", "--3", "1.2.3"] {
            assert!(parse_stored(bad, Tokens::DIMENSION).is_err(), "{bad}");
        }
    }

    #[test]
    fn writes_in_the_unit_that_suits() {
        assert_eq!(show(parse::<Flop>("3.1428e23 FLOP").unwrap()), "3.143e23 FLOP");
        assert_eq!(show(parse::<Energy>("1287 MWh").unwrap()), "1,287 MWh");
        assert_eq!(show(parse::<DeviceFlopRate>("989.4 TFLOP/s").unwrap()), "989.4 TFLOP/s/device");
        assert_eq!(show(parse::<Tokens>("15.6e12").unwrap()), "15.6T tokens");
        assert_eq!(show(parse::<GridIntensity>("429 g/kWh").unwrap()), "429 gCO2e/kWh");
        assert_eq!(show(parse::<YearlyRate>("40 %/year").unwrap()), "40 %/year");
        assert_eq!(show(parse::<DevicePrice>("2.1 USD/device-h").unwrap()), "2.1 USD/device-h");
    }

    #[test]
    fn what_rounds_up_takes_the_next_unit() {
        let cases = [(999.96e6, "1B"), (999.9e6, "999.9M"), (999.97e9, "1T"), (1.28e6, "1.28M")];
        for (value, expected) in cases {
            assert_eq!(count(value), expected);
        }
        assert_eq!([number(999.97), number(999.9)], ["1,000", "999.9"]);
    }

    #[test]
    fn every_ladder_unit_reads_back() {
        for units in LADDERS {
            let dimensions =
                units.iter().map(|u| read_unit(u, Dimension::NONE).expect(u).1).collect::<Vec<_>>();
            assert!(dimensions.windows(2).all(|pair| pair[0] == pair[1]), "{units:?}");
        }
    }
}
