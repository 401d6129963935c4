//! Keys of a placement for the environmental impact of its electricity and its devices.

use flopcast_core::catalog::GridBasis;
use flopcast_core::ledger::plan::Upfront;
use flopcast_core::quantity::{Co2eMass, DeviceCo2e, GridIntensity, Share, Time};
use schemars::JsonSchema;
use serde::Deserialize;

use super::given::{Given, Positive};
use super::reader::Located;

/// The emissions that an annual average intensity counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AverageBasis {
    /// Emissions of the plants, and upstream of them of fuels and building; every region has it.
    #[default]
    LifeCycle,
    /// Emissions of the plants themselves; the upstream is a line of its own.
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

/// When a commitment is paid.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Payment {
    /// Month by month over the term.
    #[default]
    NoUpfront,
    /// Half at the begin of the term, half month by month.
    PartialUpfront,
    /// All of it at the begin of the term.
    AllUpfront,
}

impl From<Payment> for Upfront {
    fn from(payment: Payment) -> Self {
        match payment {
            Payment::NoUpfront => Self::No,
            Payment::PartialUpfront => Self::Partial,
            Payment::AllUpfront => Self::All,
        }
    }
}

/// The contracts under which the electricity is bought, for market-based CO2e.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contracts {
    /// Share of the electricity that power purchase agreements or a supplier's tariff cover with
    /// carbon-free generation.
    pub carbon_free: Option<Given<Share>>,
    /// Share that is covered by certificates alone (guarantees of origin, RECs).
    pub certificates: Option<Given<Share>>,
    /// The year in which the electricity of the certificates was generated; it must be that of the
    /// use, or the year beside it, for them to count.
    pub vintage: Option<Located<i32>>,
    /// The country that issued the certificates, as in `region` (`NOR`, `US-TX`); they count in
    /// their own market alone.
    pub market: Option<Located<String>>,
    /// Intensity of electricity that nobody has claimed; left out, the published residual mix of
    /// the country or state, else the grid's average.
    pub residual_mix: Option<Given<GridIntensity>>,
}

/// Emissions of making the devices, and the use over which they are shared out.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmbodiedCarbon {
    /// Emissions of one device without its server; low, mid and high of the catalog when left out.
    pub device: Option<Given<DeviceCo2e>>,
    /// Emissions of one server without its devices.
    pub server: Option<Given<Co2eMass>>,
    /// Service life; 3 years, or that over which owned hardware is written off.
    pub lifetime: Option<Given<Time, Positive>>,
    /// Share of the service life in which the device is in use; 85 %. Of an owned run
    /// `owned.utilisation`, of an owned fleet 100 %, for its idle hours are counted too.
    pub utilisation: Option<Given<Share, Positive>>,
}
