//! Serving: traffic becomes a fleet.

pub mod closed_form;
