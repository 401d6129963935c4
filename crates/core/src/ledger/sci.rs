//! Software carbon intensity of training (ISO/IEC 21031): (energy x intensity + embodied) per
//! functional unit. Contracts and certificates do not enter: the intensity is location-based.

use super::footprint::Footprint;
use crate::provenance::{Input, Traced, Value};
use crate::quantity::{Co2eMass, Per, Tokens};

/// The emissions of a run by the units that are used of training.
#[derive(Clone, Debug)]
pub struct TrainingIntensity {
    /// By run: the whole of it.
    pub run: Value<Co2eMass>,
    /// By token passed, where there are tokens.
    pub token: Value<Per<Co2eMass, Tokens>>,
    /// By billion parameters of the model.
    pub billion_parameters: Value<Co2eMass>,
}

impl TrainingIntensity {
    /// The intensity of a run with this footprint.
    pub fn new(
        footprint: &Footprint,
        tokens: Option<&Traced<Tokens>>,
        billion_parameters: &Input<f64>,
    ) -> Self {
        let name = |figure: &str| format!("sci.training.{figure}");
        let run = operated_and_made(footprint).named(name("kg_per_run"));
        let token = tokens.map(|tokens| (&run / tokens).named(name("kg_per_million_tokens")));
        let parameters = &billion_parameters.trace();
        let by_parameter = (&run / parameters).named(name("kg_per_billion_parameters"));
        Self { run, token: token.into(), billion_parameters: by_parameter }
    }
}

/// Location-based + embodied, middle estimate: the numerator of the SCI.
fn operated_and_made(footprint: &Footprint) -> Value<Co2eMass> {
    let operated: Value<Co2eMass> = footprint.location.clone().map(Traced::retype);
    &operated + &footprint.embodied[1].total
}
