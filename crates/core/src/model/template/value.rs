//! Values of configurations and expressions.
//!
//! Numbers are whole as long as 64 bits hold them, so that extents stay exact; an operation that
//! overflows gives a real number, which no extent accepts.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value as Json;

/// A value of a configuration or of an expression; cloning is cheap.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing: a key that is set to null.
    Null,
    /// A yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A text.
    Text(Arc<str>),
    /// A list.
    List(Arc<[Value]>),
    /// A section of a configuration.
    Map(Arc<IndexMap<String, Value>>),
}

impl Value {
    /// A text.
    pub fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    /// A count; above 2^63 it is no whole number any more.
    pub fn count(count: u64) -> Self {
        i64::try_from(count).map_or(Self::Float(count as f64), Self::Int)
    }

    /// The number, whole or not; `None` for other kinds.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// True if a condition with this value holds: null, false, 0 and empty values do not.
    pub fn holds(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(truth) => *truth,
            Self::Int(number) => *number != 0,
            Self::Float(number) => number.abs() > 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Map(map) => !map.is_empty(),
        }
    }

    /// Equality in the language of templates: 2 is 2.0.
    pub fn same(&self, other: &Self) -> bool {
        match (self.number(), other.number()) {
            (Some(a), Some(b)) => a.total_cmp(&b).is_eq(),
            _ => self == other,
        }
    }

    /// The value as a whole number that is not negative; 2.0 is one, too.
    pub fn whole(&self) -> Option<u64> {
        match *self {
            Self::Int(number) => u64::try_from(number).ok(),
            Self::Float(number)
                if (0.0..9.0e18).contains(&number) && number.fract().abs() <= 0.0 =>
            {
                Some(number as u64)
            }
            _ => None,
        }
    }

    /// The kind of value, in words for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a yes or no",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a section",
        }
    }
}

impl From<&Json> for Value {
    fn from(json: &Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(truth) => Self::Bool(*truth),
            Json::Number(number) => number
                .as_i64()
                .map_or_else(|| Self::Float(number.as_f64().unwrap_or(f64::NAN)), Self::Int),
            Json::String(text) => Self::text(text),
            Json::Array(list) => Self::List(list.iter().map(Self::from).collect()),
            Json::Object(map) => Self::Map(Arc::new(
                map.iter().map(|(key, value)| (key.clone(), Self::from(value))).collect(),
            )),
        }
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
            Self::List(list) if list.len() > 6 => write!(f, "a list of {}", list.len()),
            Self::List(list) => {
                f.write_str("[")?;
                for (index, item) in list.iter().enumerate() {
                    write!(f, "{}{item}", if index > 0 { ", " } else { "" })?;
                }
                f.write_str("]")
            }
            Self::Map(map) => write!(f, "a section of {} keys", map.len()),
        }
    }
}
