//! Inputs of the costs beside devices: what is stored, what leaves the provider, who works on it.
//! `ledger::overhead` charges them.

use super::Stated;
use crate::provenance::{Input, inputs};
use crate::quantity::{Data, EgressPrice, Measure, PayRate, Share, StoragePrice, Time};

/// Costs beside devices. `E` is what egress is counted by: data for a run, data per request for a
/// service.
#[derive(Clone, Debug)]
pub struct Costs<E> {
    /// Data that is kept: the training data, checkpoints, model weights.
    pub stored: Vec<Stored>,
    /// Data that leaves the provider, where some does.
    pub egress: Option<Egress<E>>,
    /// The people, where the scenario counts them.
    pub staff: Option<Staff>,
}

/// Data that is stored during a stage.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its name in the ledger: `data`, `checkpoints`.
    pub detail: &'static str,
    /// Size of one copy.
    pub data: Input<Data>,
    /// Copies that are kept at a time; `None` for one.
    pub copies: Option<Input<f64>>,
    /// How long the data is kept after the stage; `None` where it is deleted at its end.
    pub retention: Option<Input<Time>>,
    /// Price of storage in USD/GB-month.
    pub price: Stated<StoragePrice>,
}

/// Data that leaves the provider.
#[derive(Clone, Debug)]
pub struct Egress<E> {
    /// How much: in all, or per request.
    pub data: Input<E>,
    /// Price of egress in USD/GB.
    pub price: Stated<EgressPrice>,
}

/// The people who work on a stage.
#[derive(Clone, Debug)]
pub enum Staff {
    /// People by head: full-time equivalents x time x yearly cost.
    Hired {
        /// Full-time equivalents.
        fte: Input<f64>,
        /// The yearly cost of one, in USD/year.
        cost: Input<PayRate>,
        /// How long they work on it; `None` for the length of the stage.
        duration: Option<Input<Time>>,
    },
    /// A part of the stage's total cost, staff included: others x share / (1 - share).
    ShareOfTotal(Input<Share>),
}

inputs!(Costs<E: Measure> { stored, egress, staff });
inputs!(Stored { data, copies, retention, price; but detail });
inputs!(Egress<E: Measure> { data, price });
inputs!(enum Staff {
    Self::Hired { fte, cost, duration } => [fte, cost, duration],
    Self::ShareOfTotal(share) => [share],
});
