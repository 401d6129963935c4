//! A hosted model that a service is compared with, resolved.

use crate::catalog::TokenPrice;
use crate::provenance::{Input, inputs};

/// The prices of a hosted model by the token.
#[derive(Clone, Debug)]
pub struct Api {
    /// Tokens of the prompt that are not found in the provider's cache.
    pub input: Input<TokenPrice>,
    /// Tokens of the prompt that are; none where they are charged as the others.
    pub cached: Option<Input<TokenPrice>>,
    /// Tokens of the answer; none for an encoder.
    pub output: Option<Input<TokenPrice>>,
}

inputs!(Api { input, cached, output });
