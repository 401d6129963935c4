//! Hardware of one's own, as the user types it.

use flopcast_core::catalog::PurchasePrice;
use flopcast_core::quantity::{DevicePower, EnergyPrice, Share, Time, YearlyRate};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::given::{Given, NonNegative, RentOfPower};
use crate::purchase::PurchaseTerms;
use crate::reader::Located;

/// The costs of hardware of one's own; keys that are left out follow the catalog.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Owned {
    /// Price of one accelerator; the newest of pricing/purchase.csv.
    pub chip: Option<Given<PurchasePrice>>,
    /// Cost of a server / cost of its accelerators.
    pub server: Option<Given<f64>>,
    /// Cost of the cluster interconnect, as a share of the cluster's cost.
    pub interconnect: Option<Given<Share>>,
    /// The day of that price; the placement's start. With `price_change`, the hardware enters at
    /// its value on the first day.
    #[serde(default, deserialize_with = "crate::day::located")]
    pub bought: Option<Located<chrono::NaiveDate>>,
    /// Service life, over which it is written off in equal parts.
    pub amortisation: Option<Given<Time>>,
    /// Share of the price that remains after the service life; 0 %.
    pub residual: Option<Given<Share>>,
    /// Change of the hardware's value per year, such as -27.6 %/year. Instead of equal parts, each
    /// use then pays the fall of the value.
    pub price_change: Option<Given<YearlyRate>>,
    /// Share of its life in which the hardware has work; unused time is charged. 100 %.
    pub utilisation: Option<Given<Share>>,
    /// Power that is contracted per device, host included; the server's nameplate.
    pub power: Option<Given<DevicePower>>,
    /// Rent of the contracted power, such as 184 USD/kW-month.
    pub colocation: Option<Given<EnergyPrice, RentOfPower>>,
    /// Price of electricity; the region's.
    pub electricity: Option<Given<EnergyPrice>>,
    /// Repairs and support, as a share of the purchase price per year.
    pub maintenance: Option<Given<YearlyRate, NonNegative>>,
    /// The rent that it is compared with; the cheapest on-demand price of the catalog.
    pub instead_of: Option<Located<InsteadOf>>,
}

/// A rent that owned hardware is compared with.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InsteadOf {
    /// A cloud of pricing/prices.csv.
    pub provider: Option<Located<String>>,
    /// A region of that provider.
    pub region: Option<Located<String>>,
    /// The terms on which the devices would be rented; on-demand.
    pub purchase: Option<Located<PurchaseTerms>>,
}
