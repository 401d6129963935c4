//! Serving: traffic and a service-level objective become a fleet.
//!
//! [`closed_form`] gives means and bounds. For percentiles, [`step`] says how long an engine's step
//! takes on a device, [`simulator`] replays [`traffic`] through the scheduler of a batching engine,
//! and [`capacity`] searches for the highest rate and the fleet.

pub mod calibration;
pub mod capacity;
pub mod closed_form;
pub mod memory;
pub(crate) mod random;
pub mod served;
pub mod share;
pub mod simulator;
pub mod step;
pub mod traffic;
