//! The prices of hosted models by the token, as `LiteLLM` collects them.
//!
//! Asked is `/model_prices_and_context_window.json`, a section per model. An unchanged file is not
//! sent again (`ETag`).

use std::collections::BTreeSet;

use flopcast_core::diagnostic::Result;
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

use super::super::number::Number;
use super::super::sheet::Sheet;
use super::super::transport::{Answer, Request};
use super::Session;

/// A model's section; prices are in USD per token.
#[derive(Deserialize)]
struct Model {
    /// The provider that serves it.
    litellm_provider: String,
    /// The interface; chat, responses and embedding are kept.
    mode: String,
    /// Price of input tokens; a model without it is left out.
    #[serde(default)]
    input_cost_per_token: Number,
    /// Price of output tokens.
    #[serde(default)]
    output_cost_per_token: Number,
    /// Price of cached input tokens.
    #[serde(default)]
    cache_read_input_token_cost: Number,
    /// Price of input tokens in batch mode.
    #[serde(default)]
    input_cost_per_token_batches: Number,
    /// Price of output tokens in batch mode.
    #[serde(default)]
    output_cost_per_token_batches: Number,
    /// The longest input.
    #[serde(default)]
    max_input_tokens: Number,
    /// The longest output.
    #[serde(default)]
    max_output_tokens: Number,
}

/// Prices of the providers that the catalog knows, converted from USD per token to USD per million
/// tokens.
pub(super) fn read(session: &Session<'_>, _: &str) -> Result<Answer<Sheet>> {
    let request = Request {
        path: "/model_prices_and_context_window.json".to_owned(),
        etag: session.etag.clone(),
        ..Request::default()
    };
    let (models, etag) = match session.server.json::<IndexMap<String, Value>>(&request)? {
        Answer::New(models, etag) => (models, etag),
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
    // The first entry documents the others, and some are not priced by the token.
    for (name, value) in models.into_iter().filter(|(name, _)| name != "sample_spec") {
        let Ok(model) = serde_json::from_value::<Model>(value) else { continue };
        let kept = ["chat", "responses", "embedding"].contains(&model.mode.as_str());
        if !kept || !providers.contains(model.litellm_provider.as_str()) {
            continue;
        }
        let price = |price: Number| {
            let price = price.positive().filter(|price| *price < 1.0);
            // Twelve digits: the change of units leaves noise in the digits beyond them.
            price.map(|p| format!("{:.12e}", p * 1e6).parse::<f64>().map(|p| p.to_string()))
        };
        let price = |number| price(number).and_then(Result::ok).unwrap_or_default();
        let count = |number: Number| number.positive().map(|n| format!("{n:.0}"));
        if model.input_cost_per_token.positive().is_none() {
            continue;
        }
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
