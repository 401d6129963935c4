//! What devices cost, draw and emit at a place, as inputs. What follows from them is charged by the
//! other rooms of the ledger.

mod api;
mod costs;
mod owned;
mod rent;
mod site;

use crate::provenance::{Input, Unknown};

pub use api::Api;
pub use costs::{Costs, Egress, Staff, Stored};
pub use owned::{Alternative, Amortisation, Owned};
pub use rent::{Includes, Listed, Price, Rent, Tariff, Terms};
pub use site::{Contracts, Draw, Embodied, PowerModel, Scope, Site, StartWindow};

/// An input that may be unknown.
pub type Stated<Q> = Result<Input<Q>, Unknown>;
