//! Training: a scenario becomes device-hours.

pub mod run;
