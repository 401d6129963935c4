//! Inputs of the ledger: cost, power and emissions of devices at a place.
//!
//! They are made by `scenario::resolve` and hold [`Input`]s alone: a value with its basis, and its
//! range where it is uncertain. What they mean stands where they are charged: [`Rent`] in
//! `ledger::rent`, [`Owned`] in `ledger::owned`, [`Costs`] in `ledger::overhead`, [`Site`] in
//! `ledger::footprint`.

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
pub use rent::{Includes, Length, Listed, LongStep, Offer, Price, Rent, Tariff, Terms, Upfront};
pub use site::{
    Contracts, Draw, Embodied, IdleHost, PowerModel, Scope, Site, StartWindow, Vintage,
};

/// An input that may be unknown: the reason is a sentence for the user, and every figure that rests
/// on the input gives it.
pub type Stated<Q> = Result<Input<Q>, Unknown>;

/// The input as the start of a computation; unknown where the input is.
pub(super) fn trace<Q: Measure>(stated: &Stated<Q>) -> Value<Q> {
    stated.as_ref().map(Input::trace).map_err(Clone::clone).into()
}
