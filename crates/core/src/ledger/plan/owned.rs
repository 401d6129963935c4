//! Hardware of one's own, resolved.

use super::Stated;
use crate::catalog::PurchasePrice;
use crate::provenance::{Input, Uncertain, Unknown};
use crate::quantity::{DevicePower, DevicePrice, EnergyPrice, Share, Time, YearlyRate};

/// What hardware of one's own costs.
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
        /// What is left at its end / price.
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

impl Owned {
    /// Visits every input.
    pub fn for_each_input(&mut self, visit: &mut dyn FnMut(&mut dyn Uncertain)) {
        if let Ok(chip) = &mut self.chip {
            visit(chip);
        }
        visit(&mut self.server);
        visit(&mut self.interconnect);
        match &mut self.amortisation {
            Amortisation::StraightLine { residual } => visit(residual),
            Amortisation::Value { change, age } => {
                visit(change);
                visit(age);
            }
        }
        visit(&mut self.life);
        visit(&mut self.utilisation);
        if let Ok(power) = &mut self.power {
            visit(power);
        }
        visit(&mut self.colocation);
        if let Ok(electricity) = &mut self.electricity {
            visit(electricity);
        }
        visit(&mut self.maintenance);
        if let Ok(Alternative { price, .. }) = &mut self.instead_of {
            visit(price);
        }
    }
}

/// A rent that owned hardware is compared with.
#[derive(Clone, Debug)]
pub struct Alternative {
    /// Rent of one device with all that it contains.
    pub price: Input<DevicePrice>,
    /// Whether it is paid for unused time as well, as a reservation is.
    pub committed: bool,
}
