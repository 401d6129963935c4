//! A hosted model that a service is compared with, as the user types it.

use std::borrow::Cow;

use flopcast_core::catalog::TokenPrice;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};

use crate::given::Given;

/// A hosted model, by name or by price.
#[derive(Clone, Debug)]
pub enum Api {
    /// A row of pricing/api.csv: `anthropic/claude-opus-5`.
    Model(String),
    /// The user's own prices.
    Prices(ApiPrices),
}

/// The prices of a hosted model by the token.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiPrices {
    /// Price of input tokens: 3 USD/Mtoken.
    pub input_price: Given<TokenPrice>,
    /// Price of input tokens that the provider's cache holds: 0.3 USD/Mtoken; left out, that of the
    /// others.
    pub cached_input_price: Option<Given<TokenPrice>>,
    /// Price of output tokens: 15 USD/Mtoken.
    pub output_price: Option<Given<TokenPrice>>,
}

impl<'de> Deserialize<'de> for Api {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Apis;
        impl<'de> Visitor<'de> for Apis {
            type Value = Api;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(
                    "a hosted model such as anthropic/claude-opus-5, or \
                     {input_price: 3 USD/Mtoken, output_price: 15 USD/Mtoken}",
                )
            }
            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Api, E> {
                Ok(Api::Model(name.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Api, A::Error> {
                ApiPrices::deserialize(MapAccessDeserializer::new(map)).map(Api::Prices)
            }
        }
        deserializer.deserialize_any(Apis)
    }
}

impl JsonSchema for Api {
    fn schema_name() -> Cow<'static, str> {
        "Api".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let prices = generator.subschema_for::<ApiPrices>();
        json_schema!({"anyOf": [{"type": "string"}, prices]})
    }
}
