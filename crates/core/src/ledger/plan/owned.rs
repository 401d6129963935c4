//! Hardware of one's own, resolved.

use super::Stated;
use crate::catalog::PurchasePrice;
use crate::provenance::{Input, Unknown, inputs};
use crate::quantity::{DevicePower, DevicePrice, EnergyPrice, Share, Time, YearlyRate};

/// The cost of owned hardware.
#[derive(Clone, Debug)]
pub struct Owned {
    /// Price of one accelerator.
    pub chip: Stated<PurchasePrice>,
    /// Cost of a server / cost of its accelerators.
    pub server: Input<f64>,
    /// Cluster interconnect / cost of the cluster.
    pub interconnect: Input<Share>,
    /// How its price is written off.
    pub amortisation: Amortisation,
    /// Service life.
    pub life: Input<Time>,
    /// Part of its life in which the hardware has work.
    pub utilisation: Input<Share>,
    /// Contracted power of one device with its share of the server.
    pub power: Stated<DevicePower>,
    /// Rent of contracted power.
    pub colocation: Input<EnergyPrice>,
    /// Price of electricity.
    pub electricity: Stated<EnergyPrice>,
    /// Repairs and support per year / purchase price.
    pub maintenance: Input<YearlyRate>,
    /// The rent that it is compared with, where one is known.
    pub instead_of: Result<Alternative, Unknown>,
}

/// How the price of hardware is written off.
#[derive(Clone, Debug)]
pub enum Amortisation {
    /// In equal parts over the service life.
    StraightLine {
        /// Residual value / price.
        residual: Input<Share>,
    },
    /// As the value falls.
    Value {
        /// Change of the value per year.
        change: Input<YearlyRate>,
        /// From the day of the price to the first day of use.
        age: Input<Time>,
    },
}

/// A rent that owned hardware is compared with.
#[derive(Clone, Debug)]
pub struct Alternative {
    /// Rent of one device with all that it contains.
    pub price: Input<DevicePrice>,
    /// True if it is paid for unused time as well, as a reservation is.
    pub committed: bool,
}

inputs!(Owned {
    chip,
    server,
    interconnect,
    amortisation,
    life,
    utilisation,
    power,
    colocation,
    electricity,
    maintenance,
    instead_of,
});
inputs!(enum Amortisation {
    Self::StraightLine { residual } => [residual],
    Self::Value { change, age } => [change, age],
});
inputs!(Alternative { price; but committed });
