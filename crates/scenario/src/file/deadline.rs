//! When a run must have ended, as the user types it.

use std::borrow::Cow;

use flopcast_core::estimate::plan;
use flopcast_core::quantity::text;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::Error as _;

use crate::day::Day;

/// A day, or a time after the start.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(pub plan::Deadline);

impl<'de> Deserialize<'de> for Deadline {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if let Ok(day) = text.parse::<Day>() {
            return Ok(Self(plan::Deadline::On(day.0)));
        }
        let time = text::parse(&text);
        time.map(|time| Self(plan::Deadline::Within(time))).map_err(|_| {
            D::Error::custom(format!(
                "`{text}` is neither a day such as 2027-12-31 nor a time such as 60 days"
            ))
        })
    }
}

impl JsonSchema for Deadline {
    fn schema_name() -> Cow<'static, str> {
        "Deadline".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A day (2027-12-31), or a time after the start (60 days)."
        })
    }
}
