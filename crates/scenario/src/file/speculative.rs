//! Speculative decoding, as the user types it.

use flopcast_core::model::Spec;
use flopcast_core::quantity::Share;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::given::Given;
use crate::reader::Located;

/// Speculative decoding: draft tokens are proposed one after the other, then verified in one step
/// (Leviathan et al. 2023, arXiv:2211.17192).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Speculative {
    /// The draft model, as `model`, on the same devices in the same precision; `mtp` for the model's
    /// own layers that predict tokens further ahead. Without it, draft
    /// tokens are looked up in the context (n-grams) and cost nothing.
    #[schemars(with = "Option<serde_json::Value>")]
    pub draft: Option<Located<Spec>>,
    /// Draft tokens for each verification.
    pub tokens: Located<u32>,
    /// Acceptance: the share of draft tokens that the model accepts, given those before.
    pub acceptance: Given<Share>,
}
