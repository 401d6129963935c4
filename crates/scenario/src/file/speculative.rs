//! Speculative decoding, as the user types it.

use flopcast_core::model::Spec;
use flopcast_core::quantity::Share;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::given::Given;
use crate::reader::Located;

/// Speculative decoding: tokens are guessed one after the other, then verified in one step.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Speculative {
    /// The model that guesses, as `model`, on the same devices in the same precision; without,
    /// guesses are looked up in the context (n-grams) and cost nothing.
    #[schemars(with = "Option<serde_json::Value>")]
    pub draft: Option<Located<Spec>>,
    /// Tokens guessed for each verification.
    pub tokens: Located<u32>,
    /// Share of the guesses that the model accepts, given those before.
    pub acceptance: Given<Share>,
}
