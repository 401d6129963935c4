//! The terms on which devices are rented, as the user types them: a plan, a mix of plans by shares,
//! or a price of one's own.
//!
//! ```text
//! purchase: spot
//! purchase: {reserved-1y: 60 %, on-demand: 40 %}
//! purchase: {price: 2.10 USD/device-h}
//! ```

use std::borrow::Cow;

use flopcast_core::catalog::Purchase;
use flopcast_core::quantity::text::number;
use flopcast_core::quantity::{DevicePrice, InstancePrice, Measure, Share};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Error as _, MapAccess, Visitor};
use serde_json::Value as Json;

use super::given::{Given, Spread};
use super::reader::Located;

/// The terms on which devices are rented.
#[derive(Clone, Debug)]
pub enum PurchaseTerms {
    /// A plan of the price list.
    Plan(Purchase),
    /// Several plans, each for a share of the devices; the shares add up to 100 %.
    Mix(Vec<(Purchase, Given<Share>)>),
    /// The user's own price of one device, such as 2.10 USD/device-h.
    PerDevice(Given<DevicePrice>),
    /// The user's own price of an instance, such as 16.80 USD/instance-h; the catalog knows the
    /// number of devices in it.
    PerInstance(Given<InstancePrice>),
}

/// The plans of a price list, by name.
const PLANS: &[&str] = &["on-demand", "spot", "reserved-1y", "reserved-3y"];
/// The keys of a section: a price of one's own, or the plans of a mix.
const KEYS: &[&str] = &["price", "on-demand", "spot", "reserved-1y", "reserved-3y"];

/// The plan of a name.
fn plan<E: serde::de::Error>(name: &str, expected: &'static [&'static str]) -> Result<Purchase, E> {
    let known = Purchase::ALL.into_iter().find(|known| known.name() == name);
    known.ok_or_else(|| E::unknown_variant(name, expected))
}

impl<'de> Deserialize<'de> for PurchaseTerms {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Purchases;
        impl<'de> Visitor<'de> for Purchases {
            type Value = PurchaseTerms;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(
                    "on-demand, spot, reserved-1y, reserved-3y, a mix such as \
                     {reserved-1y: 60 %, on-demand: 40 %}, or {price: 2.10 USD/device-h}",
                )
            }
            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<PurchaseTerms, E> {
                plan(name, PLANS).map(PurchaseTerms::Plan)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PurchaseTerms, A::Error> {
                let (mut price, mut mix) = (None, Vec::new());
                while let Some(key) = map.next_key::<String>()? {
                    if key == "price" {
                        price = Some(own(map.next_value()?).map_err(A::Error::custom)?);
                    } else {
                        mix.push((plan(&key, KEYS)?, map.next_value()?));
                    }
                }
                match (price, mix.is_empty()) {
                    (Some(price), true) => Ok(price),
                    (None, false) => mixed(mix).map_err(A::Error::custom),
                    _ => Err(A::Error::custom("write {price: ...}, or shares of plans")),
                }
            }
        }
        deserializer.deserialize_any(Purchases)
    }
}

/// A mix of plans.
///
/// # Errors
/// If the shares do not add up to 100 %, or one is a range.
fn mixed(mix: Vec<(Purchase, Given<Share>)>) -> Result<PurchaseTerms, String> {
    if mix.iter().any(|(_, share)| !matches!(share.spread, Spread::Point(_))) {
        return Err("the shares of a mix are single values, not ranges".to_owned());
    }
    let sum: f64 = mix.iter().map(|(_, share)| share.spread.central().get()).sum();
    if (sum - 1.0).abs() > 1e-6 {
        return Err(format!("the shares of a mix add up to 100 %, not {} %", number(100.0 * sum)));
    }
    Ok(PurchaseTerms::Mix(mix))
}

/// The user's own price; its unit says whether it is that of a device or of an instance.
///
/// # Errors
/// If it is no price, or not above zero.
fn own(price: Located<Json>) -> Result<PurchaseTerms, String> {
    if price.value.to_string().contains("instance") {
        Given::from_json(price).and_then(above_zero).map(PurchaseTerms::PerInstance)
    } else {
        Given::from_json(price).and_then(above_zero).map(PurchaseTerms::PerDevice)
    }
}

/// The price.
///
/// # Errors
/// If a part of its range is not above zero.
fn above_zero<Q: Measure>(price: Given<Q>) -> Result<Given<Q>, String> {
    let lowest =
        price.spread.distribution().map_or(price.spread.central().stored(), |d| d.quantile(1e-9));
    if lowest > 0.0 { Ok(price) } else { Err("this price is not above zero".to_owned()) }
}

impl JsonSchema for PurchaseTerms {
    fn schema_name() -> Cow<'static, str> {
        "Purchase".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let share = json_schema!({"type": ["number", "string", "object"]});
        json_schema!({"anyOf": [
            {"enum": PLANS},
            {"type": "object", "additionalProperties": false, "required": ["price"], "properties": {
                "price": {"type": ["string", "object"], "description": "2.10 USD/device-h or 16.80 USD/instance-h"}}},
            {"type": "object", "additionalProperties": false, "minProperties": 1,
             "description": "Shares of the devices that add up to 100 %.",
             "properties": {"on-demand": share, "spot": share, "reserved-1y": share, "reserved-3y": share}},
        ]})
    }
}
