//! Entries of a server's JSON of which single values count: every other value is read over and not
//! kept, so that memory does not grow with the answer.

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::number::{self, Number};

/// A value that is no list and no section.
#[derive(Debug)]
pub(super) enum Scalar {
    Text(String),
    Number(f64),
    Nothing,
    /// Something else, which was read over.
    Other,
}

impl Scalar {
    /// The text; `None` for other values.
    pub(super) fn text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number, which may be missing; none where it is something else.
    pub(super) fn number(self) -> Option<Number> {
        match self {
            Self::Number(number) => Some(Number(Some(number))),
            Self::Nothing => Some(Number(None)),
            Self::Text(text) => number::parse(&text).ok().map(Number),
            Self::Other => None,
        }
    }
}

/// Hands over the values of a section by key, and tells whether it was one.
pub(super) fn fields<'de, D: Deserializer<'de>>(
    deserializer: D,
    take: impl FnMut(&str, Scalar),
) -> Result<bool, D::Error> {
    deserializer.deserialize_any(Fields(take))
}

/// A section whose values go to a function, one by one.
struct Fields<F>(F);

/// A value that is skipped.
macro_rules! passed_over {
    ($value:expr; $($name:ident($kind:ty))*) => {
        $(fn $name<E: Error>(self, _: $kind) -> Result<Self::Value, E> { Ok($value) })*
        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok($value)
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok($value)
        }
    };
}

impl<'de, F: FnMut(&str, Scalar)> Visitor<'de> for Fields<F> {
    type Value = bool;
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a section")
    }
    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<bool, A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            self.0(&key, map.next_value()?);
        }
        Ok(true)
    }
    passed_over! { false; visit_bool(bool) visit_u64(u64) visit_i64(i64) visit_f64(f64) visit_str(&str) }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Scalar;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a value")
            }
            fn visit_bool<E: Error>(self, _: bool) -> Result<Scalar, E> {
                Ok(Scalar::Other)
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Scalar, E> {
                Ok(Scalar::Number(value as f64))
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar::Number(value as f64))
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Scalar, E> {
                Ok(Scalar::Number(value))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(text.to_owned()))
            }
            fn visit_unit<E: Error>(self) -> Result<Scalar, E> {
                Ok(Scalar::Nothing)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scalar, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }
        }
        deserializer.deserialize_any(Any)
    }
}
