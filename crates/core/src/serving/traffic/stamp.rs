//! Stamps of logs: dates, and numbers whose unit the log rarely says.

/// A moment as a log writes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Stamp {
    /// A date, as seconds since 1970 (UTC where the log names no zone).
    Date(f64),
    /// A number in a unit that only all of them together tell.
    Number(f64),
}

/// Forms of dates; a `T` between date and time and a zone at the end are put right before.
const DATES: &[&str] = &[
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y/%m/%d %H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    // As C's `ctime` and the clocks of the United States write them.
    "%a %b %d %H:%M:%S %Y",
    "%a %b %d %H:%M:%S UTC %Y",
    "%m/%d/%Y %I:%M:%S %p",
    "%Y%m%d %H:%M:%S%.f",
];

/// A unit of stamps: its name and its seconds.
pub type Unit = (&'static str, f64);

/// Seconds.
pub const SECONDS: Unit = ("seconds", 1.0);
/// Milliseconds.
pub const MILLISECONDS: Unit = ("milliseconds", 1e-3);
/// Microseconds.
pub const MICROSECONDS: Unit = ("microseconds", 1e-6);
/// Nanoseconds.
pub const NANOSECONDS: Unit = ("nanoseconds", 1e-9);

/// Units of stamps since 1970, with the least number that a stamp of this century has in them:
/// 10 digits of seconds, 13 of milliseconds, 16 of microseconds, 19 of nanoseconds.
const EPOCHS: &[(f64, Unit)] =
    &[(9e17, NANOSECONDS), (9e14, MICROSECONDS), (9e11, MILLISECONDS), (9e8, SECONDS)];
/// A usual gap between requests, in the stamps' own unit, from which whole numbers are
/// milliseconds.
const WHOLE_GAP: f64 = 20.0;
/// The same of numbers with a fraction, which are rarely milliseconds.
const BROKEN_GAP: f64 = 200.0;

/// Reads a date, with or without a zone, or a finite number.
pub fn read(text: &str) -> Option<Stamp> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        return number.is_finite().then_some(Stamp::Number(number));
    }
    if text.len() > 64 {
        return None;
    }
    if let Ok(date) = chrono::DateTime::parse_from_rfc3339(text) {
        return Some(Stamp::Date(seconds(date.to_utc())));
    }
    let zoneless = text.trim_end_matches(" UTC").trim_end_matches('Z');
    // A `T` between digits parts date and time; a comma before milliseconds is Python's.
    let parts =
        zoneless.split_once('T').filter(|(date, _)| date.ends_with(|c: char| c.is_ascii_digit()));
    let zoneless = parts.map_or(zoneless.to_owned(), |(date, time)| format!("{date} {time}"));
    let zoneless = match zoneless.rsplit_once(',') {
        Some((whole, digits)) if digits.bytes().all(|it| it.is_ascii_digit()) => {
            format!("{whole}.{digits}")
        }
        _ => zoneless,
    };
    let date = DATES.iter().find_map(|form| {
        let naive = chrono::NaiveDateTime::parse_from_str(&zoneless, form);
        let zoned = || chrono::DateTime::parse_from_str(&zoneless, &format!("{form}%#z"));
        naive.map(|date| date.and_utc()).or_else(|_| zoned().map(|date| date.to_utc())).ok()
    });
    date.map(|date| Stamp::Date(seconds(date)))
}

/// Seconds since 1970 of a moment, with their fraction.
fn seconds(date: chrono::DateTime<chrono::Utc>) -> f64 {
    date.timestamp() as f64 + f64::from(date.timestamp_subsec_nanos()) * 1e-9
}

/// The unit of numbers of which `least` is the least, if they are stamps since 1970.
pub fn epoch(least: f64) -> Option<Unit> {
    EPOCHS.iter().find(|(from, _)| least >= *from).map(|(_, unit)| *unit)
}

/// The unit of stamps of requests: by size if they count from 1970, else by the median gap between
/// those that differ. A service gets more requests than one in 20 s, and whole numbers that lie
/// further apart are milliseconds.
pub fn unit_of(numbers: impl Iterator<Item = f64>) -> Unit {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    let least = numbers.first().copied().unwrap_or_default();
    epoch(least).unwrap_or_else(|| {
        let gaps = numbers.windows(2).map(|pair| pair[1] - pair[0]);
        let mut gaps: Vec<f64> = gaps.filter(|gap| *gap > 0.0).collect();
        gaps.sort_by(f64::total_cmp);
        let usual = gaps.get(gaps.len() / 2).copied().unwrap_or_default();
        let whole = numbers.iter().all(|number| number.fract() == 0.0);
        let long = if whole { WHOLE_GAP } else { BROKEN_GAP };
        if usual >= long { MILLISECONDS } else { SECONDS }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_every_form_are_one_moment() {
        let moment = Some(Stamp::Date(1_772_352_000.5));
        for text in [
            "2026-03-01 08:00:00.500",
            "2026-03-01T08:00:00.5Z",
            "2026-03-01T08:00:00.5",
            "2026/03/01 08:00:00.500",
            "2026-03-01T10:00:00.5+02:00",
            "2026-03-01 08:00:00.5 UTC",
            "2026-03-01 09:00:00.5+0100",
            "2026-03-01 08:00:00,500",
            "20260301 08:00:00.5",
        ] {
            assert_eq!(read(text), moment, "{text}");
        }
        let whole = Some(Stamp::Date(1_772_352_000.0));
        for text in
            ["Sun Mar 01 08:00:00 2026", "Sun Mar  1 08:00:00 UTC 2026", "03/01/2026 08:00:00 AM"]
        {
            assert_eq!(read(text), whole, "{text}");
        }
        for text in ["", "soon", "NaN", "inf", "2026-13-01 00:00:00"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn units_are_found_from_size_and_gap() {
        let check = |numbers: &[f64], unit: &str| {
            assert_eq!(unit_of(numbers.iter().copied()).0, unit, "{numbers:?}");
        };
        check(&[1.7e9, 1.7e9 + 1.0], "seconds");
        check(&[1.7e12, 1.7e12 + 400.0], "milliseconds");
        check(&[1.7e15, 1.7e15 + 4e5], "microseconds");
        check(&[1.7e18, 1.7e18 + 4e8], "nanoseconds");
        check(&[1.562, 1.607, 2.434], "seconds");
        check(&[63.0, 325.0, 500.0], "milliseconds");
        check(&[63.5, 525.25, 900.0], "milliseconds");
        check(&[0.0, 1.0, 5.0], "seconds");
        check(&[7.0], "seconds");
    }
}
