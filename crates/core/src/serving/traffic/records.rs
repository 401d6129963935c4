//! The values of a long JSON text, one at a time: a text of which each value is small takes little
//! more memory than itself.

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::diagnostic::{Error, Result};

/// The text of a JSON value, and its line.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The line on which it starts, from 1.
    pub line: usize,
    /// Its text.
    pub text: &'a str,
}

/// The longest value that is read as a whole, in bytes: in memory it takes up to twenty times that.
const LONGEST: usize = 12 << 20;
/// The most values of an array.
const MOST: usize = 4_000_000;

impl<'a> Record<'a> {
    /// The value.
    ///
    /// # Errors
    /// If it is longer than 12 MiB, or nested too deeply.
    pub fn value(self) -> Result<Value> {
        if self.text.len() > LONGEST {
            return Err(Error::input(format!(
                "line {}: a value of {} MB; at most {} MB are read",
                self.line,
                self.text.len() / 1_000_000,
                LONGEST / 1_000_000
            )));
        }
        serde_json::from_str(self.text)
            .map_err(|error| no_json(self.line - 1 + error.line(), &error))
    }

    /// The values of an array; none if it is something else.
    ///
    /// # Errors
    /// If the array has more than 4 million values.
    pub fn elements(self) -> Result<Option<Vec<Record<'a>>>> {
        if !self.text.starts_with('[') {
            return Ok(None);
        }
        let Elements(texts) = serde_json::from_str(self.text)
            .map_err(|error| no_json(self.line - 1 + error.line(), &error))?;
        let (mut line, mut counted) = (self.line, 0);
        let elements = texts.into_iter().map(|element| {
            // A borrowed text lies in this one.
            let from = element.get().as_ptr().addr() - self.text.as_ptr().addr();
            line += newlines(&self.text[counted..from]);
            counted = from;
            Record { line, text: element.get() }
        });
        Ok(Some(elements.collect()))
    }
}

/// The values of a text, one after another.
pub fn records(text: &str) -> impl Iterator<Item = Result<Record<'_>>> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let (mut line, mut counted) = (1, 0);
    std::iter::from_fn(move || {
        let from = values.byte_offset();
        let from = from + text[from..].len() - text[from..].trim_start().len();
        line += newlines(&text[counted..from]);
        counted = from;
        let value = values.next()?;
        Some(match value {
            Ok(raw) => Ok(Record { line, text: raw.get() }),
            Err(error) => Err(no_json(error.line(), &error)),
        })
    })
}

/// Line ends of a text.
fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

/// The error of a line that is no JSON.
fn no_json(line: usize, error: &serde_json::Error) -> Error {
    Error::input(format!("line {line} is no JSON object: {error}"))
}

/// The texts of an array's values.
struct Elements<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Elements<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = Elements<'de>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut values: A,
            ) -> std::result::Result<Self::Value, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = values.next_element()? {
                    if texts.len() == MOST {
                        return Err(serde::de::Error::custom("an array without end"));
                    }
                    texts.push(text);
                }
                Ok(Elements(texts))
            }
        }
        deserializer.deserialize_seq(Texts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_lines_and_have_a_longest() {
        let text = "{\"a\": 1}\n[1,\n {\"b\": 2}]\n";
        let all: Vec<_> = records(text).collect::<Result<_>>().unwrap();
        assert_eq!(all.iter().map(|it| it.line).collect::<Vec<_>>(), [1, 2]);
        assert!(all[0].elements().unwrap().is_none());
        let inner = all[1].elements().unwrap().unwrap();
        assert_eq!(
            inner.iter().map(|it| (it.line, it.text)).collect::<Vec<_>>(),
            [(2, "1"), (3, "{\"b\": 2}")]
        );
        assert_eq!(inner[1].value().unwrap()["b"], 2);
        let long = format!("\"{}\"", "x".repeat(LONGEST));
        let error = records(&long).next().unwrap().unwrap().value().unwrap_err();
        assert!(error.message().contains("line 1: a value of 12 MB"), "{error}");
        let many = format!("[0{}]", ",0".repeat(MOST));
        let error = records(&many).next().unwrap().unwrap().elements().unwrap_err();
        assert!(error.message().contains("without end"), "{error}");
    }
}
