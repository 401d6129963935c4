//! Serving: traffic and a service-level objective become a fleet.
//!
//! [`step`] says how long an engine's step takes on a device, [`memory`] what fits, and an
//! [`instance`] is both behind an engine's scheduler. [`closed_form`] gives means and bounds over
//! these times (`queue`, `request`); for percentiles, [`simulator`] replays [`traffic`] through
//! the scheduler, and [`capacity`] searches for the highest rate and the fleet. [`network`] says how
//! long a batch takes in models that answer in one pass, [`speculative`] drafts tokens ahead, and
//! [`calls`] puts the latencies of several services together into that of a request which calls them.

mod batches;
mod bound;
pub mod calibration;
pub mod calls;
pub mod capacity;
pub mod closed_form;
mod correction;
// Plain seconds: a part of the step.
mod exchange;
mod first;
pub mod instance;
pub mod memory;
pub mod network;
pub mod plan;
// Plain seconds: an inner loop that only its neighbours call.
pub(crate) mod queue;
pub(crate) mod request;
pub mod served;
pub mod simulator;
pub mod speculative;
pub mod step;
pub mod traffic;

pub use correction::Correction;
