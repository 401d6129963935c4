//! A hosted model that a service is compared with, resolved.

use crate::catalog::TokenPrice;
use crate::provenance::{Input, Uncertain};

/// What a hosted model charges by the token.
#[derive(Clone, Debug)]
pub struct Api {
    /// Tokens of the prompt, cached ones as well: what a provider caches is not the user's to say.
    pub input: Input<TokenPrice>,
    /// Tokens of the answer; none for an encoder.
    pub output: Option<Input<TokenPrice>>,
}

impl Api {
    /// Visits every input.
    pub fn for_each_input(&mut self, visit: &mut dyn FnMut(&mut dyn Uncertain)) {
        visit(&mut self.input);
        if let Some(price) = &mut self.output {
            visit(price);
        }
    }
}
