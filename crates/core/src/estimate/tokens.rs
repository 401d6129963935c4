//! Money, energy and carbon per token, with the prices of input and output apart.
//!
//! A replica's time is shared by prompts and answers, and whoever pays for the replica pays for
//! both. With s the share of a full replica's time that prompts take and c the cost of a request:
//! ```text
//! price of an input token  = c s / input tokens
//! price of an output token = c (1 - s) / output tokens
//! ```
//! Energy and carbon are those of the whole request, over all tokens or over those of the answer.

use super::ReplicaLimits;
use crate::estimate::plan::Service;
use crate::provenance::Value;
use crate::quantity::{Co2eMass, Energy, Money, Per, Requests, Tokens};

/// Money, energy and CO2e per token over the horizon.
#[derive(Clone, Debug)]
pub struct PerToken {
    /// Money; absent where nothing is paid.
    pub money: Prices,
    /// Facility energy, input and output counted alike.
    pub energy: Value<Per<Energy, Tokens>>,
    /// Location-based CO2e, input and output counted alike.
    pub location: Value<Per<Co2eMass, Tokens>>,
    /// Facility energy of a request per token of its answer.
    pub energy_per_output: Value<Per<Energy, Tokens>>,
    /// Location-based CO2e of a request per token of its answer.
    pub location_per_output: Value<Per<Co2eMass, Tokens>>,
}

/// Cost of serving per token, in USD/token.
#[derive(Clone, Debug)]
pub struct Prices {
    /// Cost of a request / (input + output tokens).
    pub all: Value<Per<Money, Tokens>>,
    /// Cost of a token of the prompt: cost of a request x share of prompts / input tokens.
    pub input: Value<Per<Money, Tokens>>,
    /// Cost of a token of the answer: cost of a request x (1 - share of prompts) / output tokens.
    pub output: Value<Per<Money, Tokens>>,
}

impl PerToken {
    /// The figures per token from those per request; `None` where the service has no tokens.
    pub(super) fn of(
        service: &Service,
        limits: &ReplicaLimits,
        cost: &Value<Per<Money, Requests>>,
        energy: &Value<Per<Energy, Requests>>,
        location: &Value<Per<Co2eMass, Requests>>,
    ) -> Option<Self> {
        let output = service.replica.output.as_ref()?.trace();
        let share = limits.prompt_share.as_ref()?;
        let input = service.replica.input.trace();
        let tokens = &input + &output;
        let rest = 1.0 - share;
        Some(Self {
            money: Prices {
                all: (cost / &tokens).named("inference.per_million_tokens.cost_usd"),
                input: (&(cost * share) / &input).named("inference.per_million_tokens.input_usd"),
                output: (&(cost * &rest) / &output)
                    .named("inference.per_million_tokens.output_usd"),
            },
            energy: (energy / &tokens).named("inference.per_million_tokens.energy_kwh"),
            location: (location / &tokens).named("inference.per_million_tokens.co2e_kg.location"),
            energy_per_output: (energy / &output).named("inference.per_output_token.energy_j"),
            location_per_output: (location / &output)
                .named("inference.per_output_token.co2e_g.location"),
        })
    }
}
