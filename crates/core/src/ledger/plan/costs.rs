//! Costs beside devices: what is stored, what leaves the provider, who works on it.

use super::Stated;
use crate::provenance::{Input, inputs};
use crate::quantity::{Data, EgressPrice, Measure, PayRate, Share, StoragePrice, Time};

/// Costs beside devices; `E` is what egress is counted by: data, or data per request.
#[derive(Clone, Debug)]
pub struct Costs<E> {
    /// Stored data.
    pub stored: Vec<Stored>,
    /// Data that leaves the provider.
    pub egress: Option<Egress<E>>,
    /// Staff.
    pub staff: Option<Staff>,
}

/// Data that is stored.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its name in the ledger.
    pub detail: &'static str,
    /// Size of one copy.
    pub data: Input<Data>,
    /// Copies at a time, where there are several.
    pub copies: Option<Input<f64>>,
    /// How long it is kept after the stage, where it is.
    pub retention: Option<Input<Time>>,
    /// Its price.
    pub price: Stated<StoragePrice>,
}

/// Data that leaves the provider.
#[derive(Clone, Debug)]
pub struct Egress<E> {
    /// How much.
    pub data: Input<E>,
    /// Its price.
    pub price: Stated<EgressPrice>,
}

/// Staff.
#[derive(Clone, Debug)]
pub enum Staff {
    /// People by head.
    Hired {
        /// Full-time equivalents.
        fte: Input<f64>,
        /// The yearly cost of one.
        cost: Input<PayRate>,
        /// How long they work on it, where it is not the length of the stage.
        duration: Option<Input<Time>>,
    },
    /// A part of the stage's total, staff included.
    ShareOfTotal(Input<Share>),
}

inputs!(Costs<E: Measure> { stored, egress, staff });
inputs!(Stored { data, copies, retention, price; but detail });
inputs!(Egress<E: Measure> { data, price });
inputs!(enum Staff {
    Self::Hired { fte, cost, duration } => [fte, cost, duration],
    Self::ShareOfTotal(share) => [share],
});
