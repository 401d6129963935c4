//! Draft tokens that are verified together.

use std::sync::Arc;

use crate::diagnostic::Place;
use crate::model::Model;
use crate::provenance::{Input, inputs};
use crate::quantity::{Data, Share};

/// Speculative decoding (Leviathan et al. 2023, arXiv:2211.17192).
#[derive(Clone, Debug)]
pub struct Speculation {
    /// Tokens drafted for each verification; a whole number.
    pub tokens: Input<f64>,
    /// Share of the draft tokens that are accepted, given those before.
    pub acceptance: Input<Share>,
    /// The model that drafts; none where drafting costs nothing.
    pub draft: Option<Draft>,
}

/// A small model on the devices of the one that it drafts for.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its weights.
    pub weights: Input<Data>,
    /// Its operators.
    pub model: Arc<Model>,
    /// The place where it is named.
    pub place: Place,
}

inputs!(Speculation { tokens, acceptance, draft });
inputs!(Draft { weights; but model, place });
