//! Training: a scenario becomes device-hours.
//!
//! [`step_time`] predicts one optimizer step of a transformer laid out by [`parallelism`] on a
//! [`platform`], from the declared constants of [`calibration`]; [`memory`] what it occupies.

pub mod calibration;
mod communication;
pub mod format;
pub mod goodput;
pub mod layout;
pub mod memory;
mod offload;
pub mod parallelism;
pub mod plan;
pub mod platform;
pub mod predict;
pub mod run;
pub mod state;
pub mod step_time;
#[cfg(test)]
mod tests;
pub mod whole_run;
