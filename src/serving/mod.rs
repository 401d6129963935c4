//! Serving: traffic and a service-level objective become a fleet.
//!
//! [`closed_form`] gives means and bounds; [`simulator`] replays [`traffic`] through the scheduler
//! of a batching engine and gives percentiles.

pub mod closed_form;
mod random;
pub mod simulator;
pub mod traffic;
