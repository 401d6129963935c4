//! The terms on which devices are rented, as the user types them: a plan, a mix of plans by shares,
//! or a price of one's own.
//!
//! ```text
//! purchase: spot
//! purchase: {reserved-1y: 60 %, on-demand: 40 %}
//! purchase: {price: 2.10 USD/device-h}
//! purchase: {price: 4.92 USD/device-h, plan: capacity-block}
//! payment: {reserved-1y: all-upfront, savings-plan-3y: no-upfront}
//! ```

use std::borrow::Cow;

use flopcast_core::catalog::Purchase;
use flopcast_core::quantity::text::number;
use flopcast_core::quantity::{DevicePrice, InstancePrice, Measure, Share};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Error as _, IntoDeserializer as _, MapAccess, Visitor};
use serde_json::Value as Json;

use super::environment::Payment;
use super::given::{Given, Spread};
use super::reader::Located;

/// The terms on which devices are rented.
#[derive(Clone, Debug)]
pub enum PurchaseTerms {
    /// A plan of the price list.
    Plan(Purchase),
    /// Several plans, each for a share of the devices; the shares add up to 100 %.
    Mix(Vec<(Purchase, Given<Share>)>),
    /// The user's own price, paid while used where no plan is named.
    Own(OwnPrice, Option<Purchase>),
}

/// The user's own price of a device or of an instance.
#[derive(Clone, Debug)]
pub enum OwnPrice {
    /// Of one device, such as 2.10 USD/device-h.
    Device(Given<DevicePrice>),
    /// Of an instance, such as 16.80 USD/instance-h; the catalog knows the number of devices in it.
    Instance(Given<InstancePrice>),
}

/// The keys of a section: a price of one's own with its plan, or the plans of a mix.
const KEYS: &[&str] = &{
    let mut keys = ["price"; Purchase::ALL.len() + 2];
    keys[1] = "plan";
    let mut at = 0;
    while at < Purchase::NAMES.len() {
        keys[at + 2] = Purchase::NAMES[at].0;
        at += 1;
    }
    keys
};
/// The plans of a price list, by name.
const PLANS: &[&str] = KEYS.split_at(2).1;

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
                    "a plan such as on-demand, spot or reserved-1y, a mix such as \
                     {reserved-1y: 60 %, on-demand: 40 %}, or {price: 2.10 USD/device-h}",
                )
            }
            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<PurchaseTerms, E> {
                plan(name, PLANS).map(PurchaseTerms::Plan)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PurchaseTerms, A::Error> {
                let (mut price, mut of, mut mix) = (None, None, Vec::new());
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "price" => price = Some(own(map.next_value()?).map_err(A::Error::custom)?),
                        "plan" => of = Some(plan(&map.next_value::<String>()?, PLANS)?),
                        _ => mix.push((plan(&key, KEYS)?, map.next_value()?)),
                    }
                }
                match (price, of, mix.is_empty()) {
                    (Some(price), of, true) => Ok(PurchaseTerms::Own(price, of)),
                    (None, None, false) => mixed(mix).map_err(A::Error::custom),
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
fn own(price: Located<Json>) -> Result<OwnPrice, String> {
    if price.value.to_string().contains("instance") {
        Given::from_json(price).and_then(above_zero).map(OwnPrice::Instance)
    } else {
        Given::from_json(price).and_then(above_zero).map(OwnPrice::Device)
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
                "price": {"type": ["string", "object"], "description": "2.10 USD/device-h or 16.80 USD/instance-h"},
                "plan": {"enum": PLANS, "description": "The terms that go with it."}}},
            {"type": "object", "additionalProperties": false, "minProperties": 1,
             "description": "Shares of the devices that add up to 100 %.",
             "properties": by_plan(&share)},
        ]})
    }
}

/// A key for each plan, all with the same value.
fn by_plan(value: &Schema) -> serde_json::Map<String, Json> {
    PLANS.iter().map(|name| ((*name).to_owned(), value.clone().to_value())).collect()
}

/// When commitments are paid: all alike, or plan by plan.
#[derive(Clone, Debug)]
pub enum PaymentTerms {
    /// All of them.
    Alike(Payment),
    /// Plan by plan.
    ByPlan(Vec<(Purchase, Payment)>),
}

impl PaymentTerms {
    /// The payment option of a plan; none where it is not said.
    pub fn of(&self, plan: Purchase) -> Option<Payment> {
        match self {
            Self::Alike(payment) => Some(*payment),
            Self::ByPlan(plans) => plans.iter().find(|(of, _)| *of == plan).map(|(_, it)| *it),
        }
    }

    /// The plans that are named.
    pub fn plans(&self) -> impl Iterator<Item = Purchase> + '_ {
        let plans = match self {
            Self::Alike(_) => &[][..],
            Self::ByPlan(plans) => plans,
        };
        plans.iter().map(|(plan, _)| *plan)
    }
}

impl<'de> Deserialize<'de> for PaymentTerms {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Payments;
        impl<'de> Visitor<'de> for Payments {
            type Value = PaymentTerms;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(
                    "no-upfront, partial-upfront, all-upfront, or one for each plan such as \
                     {reserved-1y: all-upfront}",
                )
            }
            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<PaymentTerms, E> {
                Payment::deserialize(name.into_deserializer()).map(PaymentTerms::Alike)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PaymentTerms, A::Error> {
                let mut plans = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    let of = plan(&key, PLANS)?;
                    if of.years().is_none() {
                        return Err(A::Error::custom(format!("{key} has no payment option")));
                    }
                    plans.push((of, map.next_value()?));
                }
                Ok(PaymentTerms::ByPlan(plans))
            }
        }
        deserializer.deserialize_any(Payments)
    }
}

impl JsonSchema for PaymentTerms {
    fn schema_name() -> Cow<'static, str> {
        "PaymentTerms".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let option = Payment::json_schema(generator);
        json_schema!({"anyOf": [
            option,
            {"type": "object", "additionalProperties": false, "minProperties": 1,
             "description": "One for each plan.", "properties": by_plan(&option)},
        ]})
    }
}
