//! From the document's tree to typed values, by serde: every error finds its place.

use std::marker::PhantomData;

use flopcast_core::diagnostic::{Error, Place, Placed, Result};
use serde::de::value::{MapDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{
    self, Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, Visitor,
};

use flopcast_import::document::{Key, Node, Value};

/// Reads a typed value from the tree.
///
/// # Errors
/// An unknown key (with the nearest valid one), a missing key, a wrong type, a value that its type
/// refuses; each with its place.
pub fn read<T: DeserializeOwned>(node: &Node) -> Result<T> {
    T::deserialize(Reader(node)).map_err(|Refusal(error)| error.at(Some(&node.place)))
}

/// All faults of a document, in the order in which they are met: what is wrong is left out, and the
/// rest read on. At most 20, for more are one fault of another kind.
pub fn faults<T: DeserializeOwned>(node: &Node) -> Vec<Error> {
    let mut rest = node.clone();
    let (mut faults, mut left_out): (Vec<Error>, Vec<String>) = (Vec::new(), Vec::new());
    while let Err(error) = read::<T>(&rest) {
        let caused = |key: &String| error.message().contains(&format!("key `{key}` is missing"));
        // What was left out is missing now: that is no fault of the user's.
        if left_out.iter().any(caused) {
            let Some(section) = error.place().and_then(|place| rest.remove(place)) else { break };
            left_out.push(section);
            continue;
        }
        let key = error.place().and_then(|place| rest.remove(place));
        faults.push(error);
        match key {
            Some(key) if faults.len() < 20 => left_out.push(key),
            _ => break,
        }
    }
    faults
}

/// A value with the place it was read from.
#[derive(Clone, Debug)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Its place in the file.
    pub place: Place,
}

impl<T: Clone> Located<T> {
    /// The value and its place, as plans hold them.
    pub fn placed(&self) -> Placed<T> {
        Placed { value: self.value.clone(), place: self.place.clone() }
    }
}

const LOCATED: &str = "$flopcast::located";

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        located(deserializer, PhantomData)
    }
}

/// What a seed makes of a value, with its place.
pub(crate) fn located<'de, D: Deserializer<'de>, S: DeserializeSeed<'de>>(
    deserializer: D,
    seed: S,
) -> Result<Located<S::Value>, D::Error> {
    deserializer.deserialize_tuple_struct(LOCATED, 3, Parts(seed))
}

/// Reads a place and the value there.
struct Parts<S>(S);

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for Parts<S> {
    type Value = Located<S::Value>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value with its place")
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
        let place = place(&mut parts)?;
        match parts.next_element_seed(self.0)? {
            Some(value) => Ok(Located { value, place }),
            None => Err(de::Error::custom("a place without a value")),
        }
    }
}

/// The place that comes before a value.
fn place<'de, A: de::SeqAccess<'de>>(parts: &mut A) -> Result<Place, A::Error> {
    let missing = || de::Error::custom("a value without its place");
    let (file, text) = parts.next_element::<(String, String)>()?.ok_or_else(missing)?;
    let (inside, line, column, width) = parts.next_element()?.ok_or_else(missing)?;
    Ok(Place { file: file.into(), inside, line, column, width, text: text.into() })
}

/// What to write at a key that is missing.
const EXAMPLES: &[(&str, &str)] = &[
    ("name", "my-run"),
    ("model", "llama-3-8b"),
    ("hardware", "8xH100"),
    ("accelerator", "H100"),
    ("traffic", "{requests: 5/s, input_tokens: 1000, output_tokens: 300}"),
    ("mean", "1000"),
    ("input_tokens", "1000"),
    ("data", "10 GB"),
    ("price", "2.50 USD/device-h"),
    ("requests", "2M"),
    ("within", "36 h"),
    ("share", "20 %"),
    ("rank", "16"),
    ("acceptance", "70 %"),
    ("start_up", "5 min"),
    ("exchange_rate", "{per_usd: 0.92, date: 2026-11-20}, of EUR for one USD"),
    ("turns", "4"),
    ("think_time", "30 s"),
];

/// What people ask for by words that a scenario has no key for, and how it says it.
const INSTEAD: &[(&[&str], &str)] = &[
    (
        &["users", "daily_users", "active_users", "dau", "concurrent_users", "concurrency"],
        "say how many ask how often: `users: 500, requests_per_user: 20/day`, or `requests: 40/s`; \
         N who each ask again T after an answer that takes L are N / (T + L)",
    ),
    (
        &["requests_per_user", "queries_per_user", "messages_per_user"],
        "say how many ask, too: `users: 500, requests_per_user: 20/day`",
    ),
];

/// [`Error`] as serde wants it.
#[derive(Debug)]
struct Refusal(Error);

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Refusal {}

impl de::Error for Refusal {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(Error::input(message.to_string()))
    }
    fn invalid_type(found: de::Unexpected, expected: &dyn de::Expected) -> Self {
        // What serde calls a struct is, to the user, a mapping.
        let expected = expected.to_string();
        let known = expected.strip_prefix("struct ").is_none();
        let expected = if known { &expected } else { "keys with values, `key: value`" };
        Self(Error::input(format!("expected {expected}, found {found}")))
    }
    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let error = Error::input(format!("unknown key `{field}`"));
        if let Some((_, instead)) = INSTEAD.iter().find(|(typed, _)| typed.contains(&field)) {
            return Self(error.hint(*instead));
        }
        let suggested = error.clone().suggest(field, expected.iter().copied());
        Self(if suggested == error && !expected.is_empty() {
            error.hint(format!("valid keys here: {}", expected.join(", ")))
        } else {
            suggested
        })
    }
    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let letters = |word: &str| word.replace(['-', '_'], "");
        // A word that is spelled in several ways is named once.
        let mut once: Vec<&str> = Vec::new();
        for word in expected {
            if once.iter().all(|known| letters(known) != letters(word)) {
                once.push(word);
            }
        }
        Self(
            Error::input(format!("`{variant}` is not one of {}", once.join(", ")))
                .suggest(variant, expected.iter().copied()),
        )
    }
    fn missing_field(field: &'static str) -> Self {
        let error = Error::input(format!("the key `{field}` is missing here"));
        let example = EXAMPLES.iter().find(|(key, _)| *key == field);
        Self(match example {
            Some((_, example)) => error.hint(format!("such as `{field}: {example}`")),
            None => error,
        })
    }
}

/// Reads a node of the tree.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a Node);

impl IntoDeserializer<'_, Refusal> for Reader<'_> {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

impl Reader<'_> {
    /// The result, whose error gets this node's place where it has none.
    fn located<T>(self, result: Result<T, Refusal>) -> Result<T, Refusal> {
        result.map_err(|Refusal(error)| Refusal(error.at(Some(&self.0.place))))
    }
}

/// A key; keys that start with `x-` are the user's own and never reach here.
struct KeyReader<'a>(&'a Key);

impl IntoDeserializer<'_, Refusal> for KeyReader<'_> {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for KeyReader<'_> {
    type Error = Refusal;
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor
            .visit_str(&self.0.name)
            .map_err(|Refusal(error)| Refusal(error.at(Some(&self.0.place))))
    }
    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Refusal;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.located(match &self.0.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(value) if value.fract() == 0.0 && (0.0..1e15).contains(value) => {
                visitor.visit_u64(*value as u64)
            }
            Value::Number(value) => visitor.visit_f64(*value),
            Value::Text(value) => visitor.visit_str(value),
            Value::List(items) => visitor.visit_seq(SeqDeserializer::new(items.iter().map(Reader))),
            Value::Map(entries) => {
                let own = entries.iter().filter(|(key, _)| !key.name.starts_with("x-"));
                visitor.visit_map(MapDeserializer::new(
                    own.map(|(key, value)| (KeyReader(key), Reader(value))),
                ))
            }
        })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match &self.0.value {
            Value::Null => visitor.visit_none(),
            // `auto` reads as left out: the engine chooses.
            Value::Text(text) if text == "auto" => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match &self.0.value {
            Value::Number(value) => self.located(visitor.visit_string(value.to_string())),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.located(match &self.0.value {
            Value::Text(text) => visitor.visit_enum(StrDeserializer::new(text)),
            Value::Map(entries) if entries.len() == 1 => {
                let entry = entries.iter().map(|(key, value)| (KeyReader(key), Reader(value)));
                let map = MapDeserializer::new(entry);
                visitor.visit_enum(de::value::MapAccessDeserializer::new(map))
            }
            _ => Err(Refusal(Error::input(format!(
                "{} is one of {}",
                name.to_lowercase(),
                variants.join(", ")
            )))),
        })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        if name == LOCATED {
            visitor.visit_seq(PlaceThenValue { node: self.0, step: 0 })
        } else {
            self.deserialize_any(visitor)
        }
    }

    /// A section is no list, though serde would take one in the order of its keys.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        let found = match &self.0.value {
            Value::List(_) => de::Unexpected::Seq,
            Value::Number(number) => de::Unexpected::Float(*number),
            Value::Text(text) => de::Unexpected::Str(text),
            _ => return self.deserialize_any(visitor),
        };
        let Refusal(error) = de::Error::invalid_type(found, &visitor);
        let is = |key: &str| key.replace('_', "").eq_ignore_ascii_case(name);
        self.located(Err(Refusal(match EXAMPLES.iter().find(|(key, _)| is(key)) {
            Some((key, example)) => error.hint(format!("such as `{key}: {example}`")),
            None => error.hint(format!("valid keys here: {}", fields.join(", "))),
        })))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str bytes byte_buf unit
        unit_struct seq tuple map identifier ignored_any
    }
}

/// Hands a [`Located`] its place, then its value.
struct PlaceThenValue<'a> {
    node: &'a Node,
    step: u8,
}

impl<'de> de::SeqAccess<'de> for PlaceThenValue<'_> {
    type Error = Refusal;
    fn next_element_seed<T: de::DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Refusal> {
        let place = &self.node.place;
        self.step += 1;
        match self.step {
            1 => {
                let parts = [place.file.to_string(), place.text.to_string()];
                seed.deserialize(SeqDeserializer::<_, Refusal>::new(parts.into_iter()))
            }
            2 => {
                let parts = [place.inside, place.line, place.column, place.width];
                seed.deserialize(SeqDeserializer::<_, Refusal>::new(parts.into_iter()))
            }
            _ => Reader(self.node).located(seed.deserialize(Reader(self.node))),
        }
        .map(Some)
    }
}

#[cfg(test)]
mod tests {
    use flopcast_import::document;

    use super::*;
    use crate::file::ScenarioFile;

    /// What an error tells people to write is read.
    #[test]
    fn examples_are_read() {
        let example = |key: &str| EXAMPLES.iter().find(|(name, _)| *name == key).expect("a row").1;
        let text = format!(
            "{{name: {}, model: {}, training: {{hardware: {{accelerator: {}}}, lora: {{rank: {}}}}}, \
             placement: {{purchase: {{price: {}}}}}, \
             inference: {{traffic: {}, hardware: {{accelerator: {}}}}}}}",
            example("name"),
            example("model"),
            example("accelerator"),
            example("rank"),
            example("price"),
            "{requests: 5/s, input_tokens: {mean: 1000}, output_tokens: {mean: 300}}",
            example("accelerator"),
        );
        let node = document::parse("test.yaml", text.as_bytes()).expect("YAML");
        let found = faults::<ScenarioFile>(&node);
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn all_faults_of_a_file_are_found() {
        let text =
            b"name: x\nmodel: gpt3-175b\ndata: {tokens: many}\ntraining:\n  recipe: pretrian\n  \
                     precision: bf17\n  hardware: {accelerator: h100-sxm, cuont: 8}\nplacement: {provder: aws}\n";
        let node = document::parse("test.yaml", text).expect("YAML");
        let found: Vec<String> =
            faults::<ScenarioFile>(&node).iter().map(|it| it.message().to_owned()).collect();
        assert_eq!(found.len(), 5, "{found:?}");
        assert!(found[0].contains("many"), "{found:?}");
        assert!(found[1].contains("pretrian"), "{found:?}");
        assert!(found[2].contains("bf17"), "{found:?}");
        assert!(found[3].contains("cuont"), "{found:?}");
        assert!(found[4].contains("provder"), "{found:?}");
    }
}
