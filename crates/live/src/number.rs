//! Numbers as services write them: `1.5`, `"1.5"`, `null`.

use serde::{Deserialize, Deserializer};

/// A number that may be missing. What is no number is refused, not dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Number(pub Option<f64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(f64),
            Text(String),
            Nothing,
        }
        match Form::deserialize(deserializer)? {
            Form::Number(value) => Ok(Self(Some(value))),
            Form::Nothing => Ok(Self(None)),
            Form::Text(text) => parse(&text).map(Self).map_err(serde::de::Error::custom),
        }
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
