//! Days as people write them.

use std::str::FromStr;

use chrono::NaiveDate;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::reader::Located;

/// The months by the letters that tell them apart.
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// A day of a scenario or an option: `2027-03-01`; the first of a month where it names a month
/// alone, `2027-03` or `March 2027`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day(pub NaiveDate);

impl FromStr for Day {
    type Err = String;

    /// Reads a day.
    ///
    /// # Errors
    /// A text that names none.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let whole = || text.parse().ok();
        let found =
            whole().or_else(|| format!("{text}-01").parse().ok()).or_else(|| in_words(text));
        found
            .map(Self)
            .ok_or_else(|| format!("`{text}` names no day: write a day such as 2027-03-01"))
    }
}

/// `March 2027`, `1 March 2027`, `Mar 1, 2027`.
fn in_words(text: &str) -> Option<NaiveDate> {
    let (mut month, mut numbers) = (None, Vec::new());
    for word in text.split([' ', ',']).filter(|word| !word.is_empty()) {
        if let Ok(number) = word.parse::<i32>() {
            numbers.push(number);
            continue;
        }
        let lower = word.to_lowercase();
        let at = MONTHS.iter().position(|month| lower.starts_with(month))?;
        // A second month would make two dates.
        if month.replace(at as u32 + 1).is_some() {
            return None;
        }
    }
    let (year, day) = match numbers.as_slice() {
        [year] => (*year, 1),
        [day, year] => (*year, u32::try_from(*day).ok()?),
        _ => return None,
    };
    NaiveDate::from_ymd_opt(year, month?, day).filter(|_| year >= 1000)
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A day that may be left out.
pub(crate) fn maybe<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<NaiveDate>, D::Error> {
    Ok(Option::<Day>::deserialize(deserializer)?.map(|day| day.0))
}

/// The same with its place.
pub(crate) fn located<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Located<NaiveDate>>, D::Error> {
    let day = Option::<Located<Day>>::deserialize(deserializer)?;
    Ok(day.map(|day| Located { value: day.value.0, place: day.place }))
}

/// A day that must be there.
pub(crate) fn plain<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NaiveDate, D::Error> {
    Day::deserialize(deserializer).map(|day| day.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_as_people_write_them() {
        for (text, meant) in [
            ("2027-03-01", "2027-03-01"),
            ("2027-03", "2027-03-01"),
            ("March 2027", "2027-03-01"),
            ("Sept 2027", "2027-09-01"),
            ("15 March 2027", "2027-03-15"),
            ("Mar 5, 2027", "2027-03-05"),
        ] {
            let day: Day = text.parse().expect(text);
            assert_eq!(day.0.to_string(), meant, "{text}");
        }
        for text in
            ["", "2027", "soon", "2027-13", "31 Feb 2027", "March", "3/4/2027", "March May 2027"]
        {
            let error = text.parse::<Day>().expect_err(text);
            assert!(error.contains("write a day such as 2027-03-01"), "{error}");
        }
    }
}
