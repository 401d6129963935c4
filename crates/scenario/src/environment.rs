//! Keys of a placement that say what its electricity and its devices weigh on the environment.

use flopcast_core::catalog::GridBasis;
use flopcast_core::quantity::{Co2eMass, DeviceCo2e, GridIntensity, Share, Time};
use schemars::JsonSchema;
use serde::Deserialize;

use super::given::{Given, Positive};

/// What an annual average intensity counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AverageBasis {
    /// The plants with the upstream of fuels and plants; every region has it.
    #[default]
    LifeCycle,
    /// What the plants themselves emit; the upstream is a line of its own.
    Direct,
}

impl From<AverageBasis> for GridBasis {
    fn from(basis: AverageBasis) -> Self {
        match basis {
            AverageBasis::LifeCycle => Self::LifeCycle,
            AverageBasis::Direct => Self::Direct,
        }
    }
}

/// Under which contracts the electricity is bought, for market-based CO2e.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contracts {
    /// Part of the electricity that power purchase agreements or a supplier's tariff cover with
    /// carbon-free generation.
    pub carbon_free: Option<Given<Share>>,
    /// Part that is covered by certificates alone (guarantees of origin, RECs).
    pub certificates: Option<Given<Share>>,
    /// Intensity of what nobody has claimed; the grid's average where none is given.
    pub residual_mix: Option<Given<GridIntensity>>,
}

/// What making the devices emitted, and over what use it is spread.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmbodiedCarbon {
    /// Of one device without its server; low, mid and high of the catalog when left out.
    pub device: Option<Given<DeviceCo2e>>,
    /// Of one server without its devices.
    pub server: Option<Given<Co2eMass>>,
    /// Service life; 3 years.
    pub lifetime: Option<Given<Time, Positive>>,
    /// Part of the service life that the device is in use; 85 %.
    pub utilisation: Option<Given<Share, Positive>>,
}
