//! Numbers as services write them: `1.5`, `"1.5"`, `null`. A value of another kind is an error, and
//! is not read on: a list of lists would take memory.

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

/// A number that may be missing. What is no number is refused, not dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Number(pub Option<f64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        // What is no number is not read on: a list of lists would take memory.
        impl Visitor<'_> for Form {
            type Value = Number;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number")
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Number, E> {
                Ok(Number(Some(value)))
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Number, E> {
                Ok(Number(Some(value as f64)))
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Number, E> {
                Ok(Number(Some(value as f64)))
            }
            fn visit_unit<E: Error>(self) -> Result<Number, E> {
                Ok(Number(None))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
                parse(text).map(Number).map_err(Error::custom)
            }
        }
        deserializer.deserialize_any(Form)
    }
}

impl Number {
    /// The number, where it is above zero: a price of nothing is a price that is not known.
    pub(super) fn positive(self) -> Option<f64> {
        self.0.filter(|value| value.is_finite() && *value > 0.0)
    }
}

/// A number in a cell; an empty one is a gap.
pub(super) fn parse(text: &str) -> Result<Option<f64>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let value = text.parse::<f64>().ok().filter(|value| value.is_finite());
    value.map(Some).ok_or_else(|| format!("`{text}` is not a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_in_three_forms() {
        let check = |json: &str, expected| {
            assert_eq!(serde_json::from_str::<Number>(json).ok(), expected, "{json}");
        };
        check("1.5", Some(Number(Some(1.5))));
        check("3", Some(Number(Some(3.0))));
        check("\"1.5\"", Some(Number(Some(1.5))));
        check("\"\"", Some(Number(None)));
        check("null", Some(Number(None)));
        check("\"dear\"", None);
        check("\"inf\"", None);
        check("[]", None);
        assert_eq!(Number(Some(0.0)).positive(), None);
    }
}
