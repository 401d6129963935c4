//! flopcast forecasts what an AI model takes before anyone rents a GPU.
//!
//! FLOPs, device-hours, days, dollars, energy, `CO2e` and water for training; then latency, fleet,
//! cost and carbon of serving, over years. This crate is the command line and one name for the
//! crates below it; `ARCHITECTURE.md` maps them.

pub use flopcast_core::{
    catalog, diagnostic, estimate, ledger, model, provenance, quantity, serving, training,
};
pub use flopcast_evidence as evidence;
pub use flopcast_import as import;
pub use flopcast_live as live;
pub use flopcast_report as report;
pub use flopcast_scenario as scenario;
pub use flopcast_study as study;

pub mod cli;
