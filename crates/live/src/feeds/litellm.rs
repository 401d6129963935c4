//! The prices of hosted models by the token, as `LiteLLM` collects them.
//!
//! Asked is `/model_prices_and_context_window.json`, a section per model. An unchanged file is not
//! sent again (`ETag`).

use std::collections::BTreeSet;

use flopcast_core::diagnostic::Result;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::super::number::Number;
use super::super::scalar::fields;
use super::super::sheet::{MOST_ROWS, Sheet};
use super::super::transport::{Answer, Request};
use super::Session;

/// A model's section; prices are in USD per token. A section with a field of another form is left
/// out.
#[derive(Debug, Default)]
struct Model {
    /// The provider that serves it.
    litellm_provider: String,
    /// The interface; chat, responses and embedding are kept.
    mode: String,
    /// Price of input tokens; a model without it is left out.
    input_cost_per_token: Number,
    /// Price of output tokens.
    output_cost_per_token: Number,
    /// Price of cached input tokens.
    cache_read_input_token_cost: Number,
    /// Price of input tokens in batch mode.
    input_cost_per_token_batches: Number,
    /// Price of output tokens in batch mode.
    output_cost_per_token_batches: Number,
    /// The longest input.
    max_input_tokens: Number,
    /// The longest output.
    max_output_tokens: Number,
}

/// The models that are priced by the token, by name; the others are dropped as they are read.
#[derive(Debug, Default)]
struct Models(Vec<(String, Model)>);

impl<'de> Deserialize<'de> for Models {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Models;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("models by name")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<Models, A::Error> {
                let mut models = Models::default();
                while let Some(name) = all.next_key::<String>()? {
                    // The first entry documents the others, and some are not priced by the token.
                    let Entry(model) = all.next_value()?;
                    if let Some(model) = model.filter(|model| name != "sample_spec" && model.kept())
                    {
                        models.0.push((name, model));
                    }
                    if models.0.len() > MOST_ROWS {
                        return Err(A::Error::custom("there is no end of models"));
                    }
                }
                Ok(models)
            }
        }
        deserializer.deserialize_map(All)
    }
}

impl Model {
    /// True for a model that is priced by the token, in an interface that the catalog has.
    fn kept(&self) -> bool {
        ["chat", "responses", "embedding"].contains(&self.mode.as_str())
            && self.input_cost_per_token.positive().is_some()
    }
}

/// A section, if it is that of a model.
struct Entry(Option<Model>);

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut model = Model::default();
        let mut whole = true;
        let read = fields(deserializer, |key, scalar| {
            let number = match key {
                "litellm_provider" | "mode" => {
                    let text = scalar.text();
                    whole &= text.is_some();
                    let place =
                        if key == "mode" { &mut model.mode } else { &mut model.litellm_provider };
                    *place = text.unwrap_or_default();
                    return;
                }
                "input_cost_per_token" => &mut model.input_cost_per_token,
                "output_cost_per_token" => &mut model.output_cost_per_token,
                "cache_read_input_token_cost" => &mut model.cache_read_input_token_cost,
                "input_cost_per_token_batches" => &mut model.input_cost_per_token_batches,
                "output_cost_per_token_batches" => &mut model.output_cost_per_token_batches,
                "max_input_tokens" => &mut model.max_input_tokens,
                "max_output_tokens" => &mut model.max_output_tokens,
                _ => return,
            };
            let found = scalar.number();
            whole &= found.is_some();
            *number = found.unwrap_or_default();
        })?;
        Ok(Self(Some(model).filter(|_| read && whole)))
    }
}

/// Prices of the providers that the catalog knows, converted from USD per token to USD per million
/// tokens.
///
/// # Errors
/// If the server fails, or answers in another form, or with more models than any list has.
pub(super) fn read(session: &Session<'_>, _: &str) -> Result<Answer<Sheet>> {
    let request = Request {
        path: "/model_prices_and_context_window.json".to_owned(),
        etag: session.etag.clone(),
        ..Request::default()
    };
    let (models, etag) = match session.server.long_json::<Models>(&request)? {
        Answer::New(Models(models), etag) => (models, etag),
        Answer::Unchanged => return Ok(Answer::Unchanged),
    };
    let providers: BTreeSet<&str> =
        session.catalog.api_prices().map(|price| price.provider.as_str()).collect();
    let columns = &[
        "model",
        "provider",
        "mode",
        "input_usd_per_mtok",
        "output_usd_per_mtok",
        "cached_input_usd_per_mtok",
        "batch_input_usd_per_mtok",
        "batch_output_usd_per_mtok",
        "max_input_tokens",
        "max_output_tokens",
    ];
    let mut sheet = Sheet::new("pricing/api.csv", 2, columns);
    for (name, model) in models {
        if !providers.contains(model.litellm_provider.as_str()) {
            continue;
        }
        let price = |price: Number| {
            let price = price.positive().filter(|price| *price < 1.0);
            // Twelve digits: the change of units leaves noise in the digits beyond them.
            price.map(|p| format!("{:.12e}", p * 1e6).parse::<f64>().map(|p| p.to_string()))
        };
        let price = |number| price(number).and_then(Result::ok).unwrap_or_default();
        let count = |number: Number| number.positive().map(|n| format!("{n:.0}"));
        sheet.row(vec![
            name,
            model.litellm_provider.clone(),
            model.mode.clone(),
            price(model.input_cost_per_token),
            price(model.output_cost_per_token),
            price(model.cache_read_input_token_cost),
            price(model.input_cost_per_token_batches),
            price(model.output_cost_per_token_batches),
            count(model.max_input_tokens).unwrap_or_default(),
            count(model.max_output_tokens).unwrap_or_default(),
        ]);
    }
    Ok(Answer::New(sheet, etag))
}
