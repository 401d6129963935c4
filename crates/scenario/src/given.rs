//! A quantity as the user gives it: a value, a range or an estimate of three points, perhaps with
//! the reason for it.
//!
//! ```text
//! 1.2 USD/h
//! 1.1..1.3 USD/h                                 5th and 95th percentile
//! {value: 1.2 USD/h, source: "our bill"}
//! {low: 0.9 USD/h, mode: 1.1 USD/h, high: 1.6 USD/h}   a PERT distribution
//! ```
//! A [`Given`] becomes an [`Input`] whose basis is its line in the file. The type of the quantity
//! says which units do, the [`Domain`] which values.

use std::borrow::Cow;
use std::marker::PhantomData;

use flopcast_core::diagnostic::{Error, Place, Result};
use flopcast_core::provenance::{Basis, Input};
use flopcast_core::quantity::text::QuantityError;
use flopcast_core::quantity::{DeviceBandwidth, Dimension, Distribution, Measure, Scale, text};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::Value as Json;

use super::reader::{Located, located};

/// A quantity of the scenario, with its place and the user's reason.
///
/// Every value is one that its dimension admits; `D` narrows that where a key needs more.
#[derive(Clone, Debug)]
pub struct Given<Q, D = Any> {
    /// The value or its range.
    pub spread: Spread<Q>,
    /// The reason for the value, in the user's words.
    pub source: Option<String>,
    /// The place in the file.
    pub place: Place,
    domain: PhantomData<D>,
}

/// The values that a key accepts, if it is narrower than its quantity.
pub trait Domain {
    /// The unit of a bare number and of messages, where it is not that of the quantity.
    const UNIT: Option<&'static str> = None;
    /// The reason why a stored value is refused; `None` if it is accepted.
    fn refuses(stored: f64) -> Option<&'static str>;
}

/// The domain of a key that takes every value which makes sense in the quantity.
#[derive(Clone, Copy, Debug)]
pub struct Any;

/// The domain of a key that takes values above zero.
#[derive(Clone, Copy, Debug)]
pub struct Positive;

/// The domain of a key that takes changes which are not negative.
#[derive(Clone, Copy, Debug)]
pub struct NonNegative;

/// The domain of a yearly rate that money is discounted by: from 0 % to 100 %, not the whole.
#[derive(Clone, Copy, Debug)]
pub struct Discounting;

/// The domain of a rent of power, which is told by the kW and month: a price of energy by its
/// dimension, of which USD/kWh would be 730 times as much.
#[derive(Clone, Copy, Debug)]
pub struct RentOfPower;

/// The domain of a part that something is used for: 1 % or more.
#[derive(Clone, Copy, Debug)]
pub struct Used;

impl Domain for Any {
    fn refuses(_: f64) -> Option<&'static str> {
        None
    }
}

impl Domain for Positive {
    fn refuses(stored: f64) -> Option<&'static str> {
        (stored <= 0.0).then_some("is not above zero")
    }
}

impl Domain for NonNegative {
    fn refuses(stored: f64) -> Option<&'static str> {
        (stored < 0.0).then_some("cannot be negative")
    }
}

/// The knowledge of a quantity: a value, or its distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Spread<Q> {
    /// One value.
    Point(Q),
    /// `a..b`: the 5th and the 95th percentile.
    Range(Q, Q),
    /// `{low, mode, high}`: a PERT distribution.
    Pert {
        /// The least value.
        low: Q,
        /// The likeliest value.
        mode: Q,
        /// The greatest value.
        high: Q,
    },
}

impl Domain for Discounting {
    fn refuses(stored: f64) -> Option<&'static str> {
        (!(0.0..1.0).contains(&stored)).then_some("is not between 0 % and 100 % a year")
    }
}

impl Domain for RentOfPower {
    const UNIT: Option<&'static str> = Some("USD/kW-month");
    fn refuses(_: f64) -> Option<&'static str> {
        None
    }
}

impl Domain for Used {
    fn refuses(stored: f64) -> Option<&'static str> {
        (stored < 0.01).then_some("is not 1 % or more")
    }
}

impl<Q: Copy> Spread<Q> {
    /// The same knowledge of what `to` makes of the quantity.
    pub fn map<R>(self, to: impl Fn(Q) -> R) -> Spread<R> {
        match self {
            Self::Point(value) => Spread::Point(to(value)),
            Self::Range(low, high) => Spread::Range(to(low), to(high)),
            Self::Pert { low, mode, high } => {
                Spread::Pert { low: to(low), mode: to(mode), high: to(high) }
            }
        }
    }
}

impl Spread<f64> {
    /// The stored value that stands for a spread on a scale.
    fn middle(self, scale: Scale) -> f64 {
        match self {
            Self::Point(value) | Self::Pert { mode: value, .. } => value,
            Self::Range(low, high) => Distribution::range(low, high, scale).quantile(0.5),
        }
    }
}

impl<Q: Measure> Spread<Q> {
    /// The one value that stands for it: the median of a range (geometric mean for positive
    /// quantities), the mode of three points.
    pub fn central(&self) -> Q {
        Q::from_stored(self.map(Q::stored).middle(Q::SCALE))
    }

    /// The distribution of the quantity; `None` if it is one value.
    pub fn distribution(&self) -> Option<Distribution> {
        match self.map(Q::stored) {
            Spread::Point(_) => None,
            Spread::Range(low, high) => Some(Distribution::range(low, high, Q::SCALE)),
            Spread::Pert { low, mode, high } => Some(Distribution::Pert { low, mode, high }),
        }
    }
}

impl<Q: Measure, D: Domain> Given<Q, D> {
    /// The given value as an input of the estimate, under `name`.
    pub fn input(&self, name: &str) -> Input<Q> {
        Input::new(name, self.spread.central(), self.basis()).ranged(self.spread.distribution())
    }

    /// A quantity from a value that was read before its dimension was known.
    ///
    /// # Errors
    /// If it is not such a quantity: the reason, in words for the user.
    pub(super) fn from_json(raw: Located<Json>) -> Result<Self, String> {
        let Unplaced { spread, source } =
            Kind::of::<Q, D>().deserialize(raw.value).map_err(|error| error.to_string())?;
        let spread = spread.map(Q::from_stored);
        Ok(Self { spread, source, place: raw.place, domain: PhantomData })
    }

    /// The basis of a given value: this line of the file, and the user's reason.
    pub fn basis(&self) -> Basis {
        Basis::Given { place: self.place.cited(), source: self.source.clone() }
    }

    /// An error about this value, at its place.
    pub fn refuse(&self, message: impl Into<String>) -> Error {
        Error::input(message).at(Some(&self.place))
    }
}

impl<'de, Q: Measure, D: Domain> Deserialize<'de> for Given<Q, D> {
    fn deserialize<R: Deserializer<'de>>(deserializer: R) -> Result<Self, R::Error> {
        let Located { value: Unplaced { spread, source }, place } =
            located(deserializer, Kind::of::<Q, D>())?;
        Ok(Self { spread: spread.map(Q::from_stored), source, place, domain: PhantomData })
    }
}

/// A quantity without its place, in the stored unit of its dimension.
struct Unplaced {
    spread: Spread<f64>,
    source: Option<String>,
}

/// The type of a quantity and the domain of its key as data: the reader of quantities is compiled
/// once, not for each type.
#[derive(Clone, Copy)]
struct Kind {
    dimension: Dimension,
    unit: Option<&'static str>,
    scale: Scale,
    accepts: fn(f64) -> Result<(), String>,
}

impl Kind {
    const fn of<Q: Measure, D: Domain>() -> Self {
        let (dimension, unit) = (Q::DIMENSION, D::UNIT);
        Self { dimension, unit, scale: Q::SCALE, accepts: accepts::<Q, D> }
    }

    /// One value with its unit.
    fn one(self, text: &str) -> Result<f64, String> {
        let read = match self.unit {
            // `150 USD/kW` is by the month as well.
            Some(unit) => {
                let by_kw = text.trim().ends_with("/kW") && unit.ends_with("/kW-month");
                let whole = format!("{}{}", text.trim(), if by_kw { "-month" } else { "" });
                text::parse_in(&whole, unit).map(|number| number / text::convert(1.0, unit))
            }
            None => text::parse_stored(text, self.dimension),
        };
        let stored = read.map_err(|error| match (error, self.unit) {
            (QuantityError::Number(_), _) if self.dimension == DeviceBandwidth::DIMENSION => format!(
                "`{text}` does not say how fast it is: write the bandwidth of one device, as 50 \
                 GB/s/device (InfiniBand NDR), 25 (HDR) or 12.5 (100 Gbit/s Ethernet)"
            ),
            (error @ QuantityError::Number(_), _) => format!("{error}, as {} does", self.example()),
            (
                QuantityError::UnknownUnit { unit: said, .. }
                | QuantityError::WrongUnit { unit: said, .. },
                Some(unit),
            ) => format!("`{said}` does not fit here; use {unit}"),
            (error, _) if grouped(text) => format!("{error}; a number is written without commas"),
            (error, _) => error.to_string(),
        })?;
        (self.accepts)(stored).map(|()| stored).map_err(|why| match self.percent(text, stored) {
            Some(meant) => format!("{why}; did you mean `{meant}`?"),
            None => why,
        })
    }

    /// An example for messages.
    fn example(self) -> String {
        example(self.dimension, self.unit)
    }

    /// A bare number that would do as a percentage.
    fn percent(self, text: &str, stored: f64) -> Option<String> {
        let bare = text.trim().parse::<f64>().is_ok() && self.dimension == Dimension::NONE;
        let does = bare && stored > 1.0 && (self.accepts)(stored / 100.0).is_ok();
        does.then(|| format!("{} %", text.trim()))
    }

    /// A value, or the two ends of a range.
    fn spread(self, text: &str) -> Result<Spread<f64>, String> {
        let Some((low, high)) = text.split_once("..") else {
            return Ok(Spread::Point(self.one(text)?));
        };
        // `2.0..3.0 USD/device-h`: the unit at the end serves both.
        let (_, unit) = text::split_number(high.trim());
        let has_unit = !low.trim().ends_with(|c: char| c.is_ascii_digit());
        let low = if has_unit { self.one(low) } else { self.one(&format!("{low}{unit}")) }?;
        let high = self.one(high)?;
        if low >= high {
            return Err(format!("the range {text} does not rise"));
        }
        Ok(Spread::Range(low, high))
    }
}

/// True of `1,167 W`, which may be a thousand or, with a decimal comma, one.
fn grouped(text: &str) -> bool {
    let digit = |part: &str| part.ends_with(|c: char| c.is_ascii_digit());
    text.split_once(',')
        .is_some_and(|(whole, rest)| digit(whole) && rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// A stored value must make sense as its quantity, and its key must take it.
fn accepts<Q: Measure, D: Domain>(stored: f64) -> Result<(), String> {
    Q::from_stored(stored).check()?;
    match D::refuses(stored) {
        Some(why) => Err(format!("{} {why}", text::show_stored(stored, Q::DIMENSION))),
        None => Ok(()),
    }
}

impl<'de> DeserializeSeed<'de> for Kind {
    type Value = Unplaced;

    fn deserialize<R: Deserializer<'de>>(self, deserializer: R) -> Result<Unplaced, R::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Kind {
    type Value = Unplaced;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a quantity such as {}", self.example())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Unplaced, E> {
        self.visit_f64(value as f64)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Unplaced, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Unplaced, E> {
        Ok(Unplaced { spread: self.spread(text).map_err(E::custom)?, source: None })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Unplaced, A::Error> {
        const KEYS: &[&str] = &["value", "source", "low", "mode", "high"];
        let (mut value, mut source): (Option<Unplaced>, Option<String>) = (None, None);
        let mut points: [Option<Unplaced>; 3] = [None, None, None];
        while let Some(key) = entries.next_key::<String>()? {
            match key.as_str() {
                "value" => value = Some(entries.next_value_seed(self)?),
                "source" => source = Some(entries.next_value()?),
                "low" => points[0] = Some(entries.next_value_seed(self)?),
                "mode" => points[1] = Some(entries.next_value_seed(self)?),
                "high" => points[2] = Some(entries.next_value_seed(self)?),
                other => return Err(de::Error::unknown_field(other, KEYS)),
            }
        }
        let point = |p: &Unplaced| p.spread.middle(self.scale);
        let spread = match (value, points) {
            (Some(value), [None, None, None]) => value.spread,
            (None, [Some(low), Some(mode), Some(high)]) => {
                let (low, mode, high) = (point(&low), point(&mode), point(&high));
                if !(low <= mode && mode <= high) {
                    return Err(de::Error::custom("low, mode and high do not rise"));
                }
                Spread::Pert { low, mode, high }
            }
            _ => return Err(de::Error::custom("write {value, source} or {low, mode, high}")),
        };
        Ok(Unplaced { spread, source })
    }
}

/// An example of a quantity, for messages: one of its unit, or of its stored unit as reports print it,
/// or a usual one.
fn example(dimension: Dimension, unit: Option<&str>) -> String {
    let usual = if dimension == DeviceBandwidth::DIMENSION { 50e9 } else { 1.0 };
    unit.map_or_else(|| text::show_stored(usual, dimension), |unit| format!("1 {unit}"))
}

impl<Q: Measure, D: Domain> JsonSchema for Given<Q, D> {
    fn schema_name() -> Cow<'static, str> {
        let usual = || text::unit_name(Q::DIMENSION);
        format!("Quantity in {}", D::UNIT.map_or_else(usual, str::to_owned)).into()
    }

    fn inline_schema() -> bool {
        false
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schema(Q::DIMENSION, D::UNIT)
    }
}

/// The schema of a quantity. It does not depend on the type, so that it is compiled once.
fn schema(dimension: Dimension, unit: Option<&str>) -> Schema {
    let one = json_schema!({"type": ["number", "string"]});
    json_schema!({
        "description": format!(
            "A number with its unit, such as \"{}\"; a range a..b; {{value, source}}; or {{low, mode, high}}.",
            example(dimension, unit)
        ),
        "anyOf": [
            one,
            {"type": "object", "additionalProperties": false, "required": ["value"],
             "properties": {"value": one, "source": {"type": "string"}}},
            {"type": "object", "additionalProperties": false, "required": ["low", "mode", "high"],
             "properties": {"low": one, "mode": one, "high": one, "source": {"type": "string"}}},
        ]
    })
}
