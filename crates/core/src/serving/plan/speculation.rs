//! Tokens that are guessed and verified together.

use std::sync::Arc;

use super::{FlopPerRequest, KvPerToken};
use crate::diagnostic::Place;
use crate::model::Model;
use crate::provenance::{Input, inputs};
use crate::quantity::{Data, FlopPerToken, Share};

/// Speculative decoding (Leviathan et al. 2023, arXiv:2211.17192).
#[derive(Clone, Debug)]
pub struct Speculation {
    /// Tokens guessed for each verification; a whole number.
    pub tokens: Input<f64>,
    /// Share of the guesses that are accepted, given those before.
    pub acceptance: Input<Share>,
    /// FLOPs that verify one token.
    pub verification: Input<FlopPerToken>,
    /// The model that guesses; none where guesses cost nothing.
    pub draft: Option<Draft>,
}

/// A small model on the devices of the one that it guesses for.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its weights.
    pub weights: Input<Data>,
    /// Its KV cache of one token.
    pub kv_per_token: Input<KvPerToken>,
    /// Its FLOPs of the prompt.
    pub prefill: Input<FlopPerRequest>,
    /// Its operators.
    pub model: Arc<Model>,
    /// Where it is named.
    pub place: Place,
}

inputs!(Speculation { tokens, acceptance, verification, draft });
inputs!(Draft { weights, kv_per_token, prefill; but model, place });
