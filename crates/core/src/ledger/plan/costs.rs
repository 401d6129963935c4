//! Costs beside devices: what is stored, what leaves the provider, who works on it.

use super::Stated;
use crate::provenance::{Input, Uncertain};
use crate::quantity::{Data, EgressPrice, Measure, PayRate, Share, StoragePrice, Time};

/// Costs beside devices; `E` is what egress is counted by: data, or data per request.
#[derive(Clone, Debug)]
pub struct Costs<E> {
    /// What is stored.
    pub stored: Vec<Stored>,
    /// What leaves the provider.
    pub egress: Option<Egress<E>>,
    /// Who works on it.
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

/// Who works on it.
#[derive(Clone, Debug)]
pub enum Staff {
    /// People by head.
    Hired {
        /// Full-time equivalents.
        fte: Input<f64>,
        /// What one costs.
        cost: Input<PayRate>,
        /// How long they work on it, where it is not the length of the stage.
        duration: Option<Input<Time>>,
    },
    /// A part of the stage's total, staff included.
    ShareOfTotal(Input<Share>),
}

impl<E: Measure> Costs<E> {
    /// Visits every input.
    pub fn for_each_input(&mut self, visit: &mut dyn FnMut(&mut dyn Uncertain)) {
        for Stored { data, copies, retention, price, .. } in &mut self.stored {
            visit(data);
            if let Some(copies) = copies {
                visit(copies);
            }
            if let Some(retention) = retention {
                visit(retention);
            }
            if let Ok(price) = price {
                visit(price);
            }
        }
        if let Some(Egress { data, price }) = &mut self.egress {
            visit(data);
            if let Ok(price) = price {
                visit(price);
            }
        }
        match &mut self.staff {
            Some(Staff::Hired { fte, cost, duration }) => {
                visit(fte);
                visit(cost);
                if let Some(duration) = duration {
                    visit(duration);
                }
            }
            Some(Staff::ShareOfTotal(share)) => visit(share),
            None => {}
        }
    }
}
