//! Inputs of a rent: the prices of a provider for devices, tariff by tariff.
//!
//! A rent has prices of devices and, at most, of their hosts. Electricity, cooling and building are
//! in every rent, so there is no place here to charge them again. `ledger::rent` charges
//! device-time.

use crate::catalog::Purchase;
use crate::provenance::{Input, inputs};
use crate::quantity::{DevicePrice, DevicesPerInstance, InstancePrice, Share, Time};

/// The rent of devices, tariff by tariff.
#[derive(Clone, Debug)]
pub struct Rent {
    /// Devices of one instance, where whole instances are sold.
    pub instance: Option<Input<DevicesPerInstance>>,
    /// How the devices are bought; the shares add up to one.
    pub tariffs: Vec<Tariff>,
    /// Part of the list price that was negotiated away.
    pub discount: Option<Input<Share>>,
    /// Whose price list it is; none for the user's own price.
    pub listed: Option<Listed>,
}

/// The price list that a rent is taken from.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The provider, as the catalog names it.
    pub provider: String,
    /// Its region, where the scenario names one.
    pub region: Option<String>,
}

/// One way of buying: terms, a share of the devices, a price.
#[derive(Clone, Debug)]
pub struct Tariff {
    /// The terms.
    pub terms: Terms,
    /// Part of the devices that is bought so; `None` for all of them, where there is but one way.
    pub share: Option<Input<Share>>,
    /// The price of devices.
    pub price: Price,
    /// The contents of the price, and the price of what it lacks.
    pub includes: Includes,
    /// The offer of a price list; none for the user's own price.
    pub offer: Option<Offer>,
    /// The longest run that these terms are sold for, where there is a bound.
    pub longest: Option<Input<Time>>,
}

/// An offer of a price list, as bills name it.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// The provider's name of the product.
    pub sku: String,
    /// On-demand price / this price, as far as a price on demand is known.
    pub list: Option<f64>,
}

/// A price by the hour, of whole instances or of single devices.
#[derive(Clone, Debug)]
pub enum Price {
    /// The price of a whole instance, in USD/instance-h.
    Instance {
        /// Price of one instance.
        price: Input<InstancePrice>,
        /// Its devices.
        devices: Input<DevicesPerInstance>,
    },
    /// The price of one device, in USD/device-h.
    Device(Input<DevicePrice>),
}

/// The contents of a price of devices beside electricity, cooling and building.
#[derive(Clone, Debug)]
pub enum Includes {
    /// The host.
    Host,
    /// Nothing: the host has a price of its own.
    NoHost(Price),
}

/// The terms of a purchase.
#[derive(Clone, Debug)]
pub enum Terms {
    /// Paid while used, without commitment.
    OnDemand,
    /// Paid while used, interruptible.
    Spot,
    /// Paid while used, once devices are free.
    Queued,
    /// Paid for a whole term.
    Reserved {
        /// The price list's plan.
        plan: Purchase,
        /// The length of a term.
        length: Length,
        /// Part of the unused commitment that this scenario bears.
        charged: Input<Share>,
        /// When it is paid.
        upfront: Upfront,
    },
    /// At the user's own price, paid while used.
    Own,
}

/// The length of the terms that a commitment is sold in.
#[derive(Clone, Debug)]
pub enum Length {
    /// Whole years.
    Years(u32),
    /// Blocks of whole steps, such as days.
    Blocks {
        /// The step.
        step: Input<Time>,
        /// The step of longer blocks, where they have another.
        long: Option<LongStep>,
    },
}

/// The step of long blocks.
#[derive(Clone, Debug)]
pub struct LongStep {
    /// Blocks longer than this have it.
    pub above: Input<Time>,
    /// The step.
    pub step: Input<Time>,
}

impl Length {
    /// Years of a term; none of a block.
    pub fn years(&self) -> Option<u32> {
        match self {
            Self::Years(years) => Some((*years).max(1)),
            Self::Blocks { .. } => None,
        }
    }
}

/// When a reservation is paid, by the names of the price lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Upfront {
    /// Month by month over the term.
    #[default]
    No,
    /// Half at its begin, half month by month.
    Partial,
    /// All of it at its begin.
    All,
}

impl Upfront {
    /// The part that is paid at the begin of a term.
    pub fn share(self) -> f64 {
        match self {
            Self::No => 0.0,
            Self::Partial => 0.5,
            Self::All => 1.0,
        }
    }
}

impl Terms {
    /// Their name in the ledger.
    pub fn name(&self) -> &'static str {
        match self {
            Self::OnDemand => Purchase::OnDemand.name(),
            Self::Spot => Purchase::Spot.name(),
            Self::Queued => Purchase::FlexStart.name(),
            Self::Reserved { plan, .. } => plan.name(),
            Self::Own => "own price",
        }
    }
}

inputs!(Rent { instance, tariffs, discount; but listed });
inputs!(Tariff { share, price, includes, terms, longest; but offer });
inputs!(enum Price {
    Self::Instance { price, devices } => [price, devices],
    Self::Device(price) => [price],
});
inputs!(enum Includes { Self::Host => [], Self::NoHost(price) => [price] });
inputs!(enum Terms {
    Self::Reserved { plan: _, length, charged, upfront: _ } => [length, charged],
    Self::OnDemand | Self::Spot | Self::Queued | Self::Own => [],
});
inputs!(enum Length { Self::Years(_) => [], Self::Blocks { step, long } => [step, long] });
inputs!(LongStep { above, step });
