//! Software carbon intensity of training (ISO/IEC 21031): (energy x intensity + embodied) per
//! functional unit. Contracts and certificates do not enter: the intensity is location-based.

use super::footprint::Footprint;
use crate::provenance::{Input, Known, Traced};
use crate::quantity::{Co2eMass, Per, Tokens};

/// What a run emits by the units that are used of training.
#[derive(Clone, Debug)]
pub struct TrainingIntensity {
    /// By run: the whole of it.
    pub run: Known<Co2eMass>,
    /// By token passed, where there are tokens.
    pub token: Option<Known<Per<Co2eMass, Tokens>>>,
    /// By billion parameters of the model.
    pub billion_parameters: Known<Co2eMass>,
}

impl TrainingIntensity {
    /// The intensity of a run with this footprint.
    pub fn new(
        footprint: &Footprint,
        tokens: Option<&Traced<Tokens>>,
        billion_parameters: &Input<f64>,
    ) -> Self {
        let run = operated_and_made(footprint).map(|mass| mass.named("sci.training.kg_per_run"));
        let token = tokens.map(|tokens| {
            run.clone().map(|mass| (&mass / tokens).named("sci.training.kg_per_million_tokens"))
        });
        let parameters = billion_parameters.trace();
        let by_parameter = "sci.training.kg_per_billion_parameters";
        let billion_parameters = run.clone().map(|mass| (&mass / &parameters).named(by_parameter));
        Self { run, token, billion_parameters }
    }
}

/// Location-based + embodied, middle estimate: the numerator of the SCI.
fn operated_and_made(footprint: &Footprint) -> Known<Co2eMass> {
    let operated = footprint.location.clone()?;
    let operated = operated.retype::<Co2eMass>();
    let made = footprint.embodied[1].total.clone()?;
    Ok(&operated + &made)
}
