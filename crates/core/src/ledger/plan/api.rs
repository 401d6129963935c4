//! A hosted model that a service is compared with, resolved.

use crate::catalog::TokenPrice;
use crate::provenance::{Input, inputs};

/// The prices of a hosted model by the token.
#[derive(Clone, Debug)]
pub struct Api {
    /// Tokens of the prompt, cached ones as well: what a provider caches is not the user's to say.
    pub input: Input<TokenPrice>,
    /// Tokens of the answer; none for an encoder.
    pub output: Option<Input<TokenPrice>>,
}

inputs!(Api { input, output });
