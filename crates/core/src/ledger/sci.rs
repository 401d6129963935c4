//! Software carbon intensity of training (ISO/IEC 21031).
//! ```text
//! SCI = (E x I + M) / R
//! ```
//! E is the facility energy, I the location-based intensity of the grid, M the embodied CO2e by the
//! middle estimate, R the functional unit: the run, a token passed, a billion parameters. Contracts
//! and certificates do not enter, as the standard demands. `estimate` computes the SCI of serving
//! from the same numerator per request.

use super::footprint::Footprint;
use crate::provenance::{Input, Traced, Value};
use crate::quantity::{Co2eMass, Per, Tokens};

/// The emissions of a run per functional unit of training.
#[derive(Clone, Debug)]
pub struct TrainingIntensity {
    /// kgCO2e of the run: R = 1.
    pub run: Value<Co2eMass>,
    /// kgCO2e per token passed; absent where the run has samples in place of tokens.
    pub token: Value<Per<Co2eMass, Tokens>>,
    /// kgCO2e per billion parameters of the model.
    pub billion_parameters: Value<Co2eMass>,
}

impl TrainingIntensity {
    /// The intensity of a run with this footprint; `tokens` are those passed, all epochs counted.
    pub fn new(
        footprint: &Footprint,
        tokens: Option<&Traced<Tokens>>,
        billion_parameters: &Input<f64>,
    ) -> Self {
        let run = operated_and_made(footprint).named("sci.training.kg_per_run");
        let token =
            tokens.map(|tokens| (&run / tokens).named("sci.training.kg_per_million_tokens"));
        let parameters = &billion_parameters.trace();
        let by_parameter = (&run / parameters).named("sci.training.kg_per_billion_parameters");
        Self { run, token: token.into(), billion_parameters: by_parameter }
    }
}

/// Location-based + embodied CO2e by the middle estimate: the numerator E x I + M.
fn operated_and_made(footprint: &Footprint) -> Value<Co2eMass> {
    let operated: Value<Co2eMass> = footprint.location.clone().map(Traced::retype);
    &operated + &footprint.embodied[1].total
}
