//! Inputs of the ledger: cost, power and emissions of devices at a place. They are charged by the
//! other rooms of the ledger.

mod api;
mod costs;
mod owned;
mod rent;
mod site;

use crate::provenance::{Input, Unknown, Value};
use crate::quantity::Measure;

pub use api::Api;
pub use costs::{Costs, Egress, Staff, Stored};
pub use owned::{Alternative, Amortisation, Owned};
pub use rent::{Includes, Listed, Offer, Price, Rent, Tariff, Terms};
pub use site::{Contracts, Draw, Embodied, PowerModel, Scope, Site, StartWindow};

/// An input that may be unknown.
pub type Stated<Q> = Result<Input<Q>, Unknown>;

/// The input as the start of a computation; unknown where it is.
pub(super) fn trace<Q: Measure>(stated: &Stated<Q>) -> Value<Q> {
    stated.as_ref().map(Input::trace).map_err(Clone::clone).into()
}
