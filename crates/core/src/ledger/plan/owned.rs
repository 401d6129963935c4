//! Inputs of hardware of one's own. `ledger::owned` charges device-time with them, and
//! `ledger::rent_or_buy` compares it with a rent.

use super::Stated;
use crate::catalog::PurchasePrice;
use crate::provenance::{Input, Unknown, inputs};
use crate::quantity::{DevicePower, DevicePrice, EnergyPrice, Share, Time, YearlyRate};

/// The cost of owned hardware, per device.
#[derive(Clone, Debug)]
pub struct Owned {
    /// Price of one accelerator in USD/device.
    pub chip: Stated<PurchasePrice>,
    /// Cost of a server / cost of its accelerators, at least 1.
    pub server: Input<f64>,
    /// Cost of the cluster's interconnect / cost of the cluster.
    pub interconnect: Input<Share>,
    /// The rule by which its price is written off.
    pub amortisation: Amortisation,
    /// Service life, over which the price is written off.
    pub life: Input<Time>,
    /// Part of its life in which the hardware has work.
    pub utilisation: Input<Share>,
    /// Contracted power of one device with its share of the server, in W/device.
    pub power: Stated<DevicePower>,
    /// Rent of contracted power, in USD/kW-month.
    pub colocation: Input<EnergyPrice>,
    /// Price of electricity in USD/kWh, for the facility energy.
    pub electricity: Stated<EnergyPrice>,
    /// Repairs and support per year / purchase price.
    pub maintenance: Input<YearlyRate>,
    /// The rent that it is compared with, or why none is known.
    pub instead_of: Result<Alternative, Unknown>,
}

/// The rule by which the price of hardware is written off.
#[derive(Clone, Debug)]
pub enum Amortisation {
    /// In equal parts over the service life: (1 - residual) / life per year.
    StraightLine {
        /// Residual value / price.
        residual: Input<Share>,
    },
    /// As the market value falls, exponentially.
    Value {
        /// Change of the value per year, negative: -0.3 for 30 % a year.
        change: Input<YearlyRate>,
        /// The time from the day of the price to the first day of use, in which the value falls
        /// already.
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
