//! Serving: traffic and a service-level objective become a fleet.
//!
//! [`closed_form`] gives means and bounds. For percentiles, [`step`] says how long an engine's step
//! takes on a device, [`simulator`] replays [`traffic`] through the scheduler of a batching engine,
//! and [`capacity`] searches for the highest rate and the fleet. [`network`] says how long a batch
//! takes in models that answer in one pass, [`speculative`] guesses tokens ahead.

pub mod calibration;
pub mod capacity;
pub mod closed_form;
pub mod memory;
pub mod network;
pub mod plan;
pub mod queue;
pub mod request;
pub mod served;
pub mod simulator;
pub mod speculative;
pub mod step;
pub mod traffic;
