//! flopcast forecasts what an AI model takes before anyone rents a GPU.
//!
//! FLOPs, device-hours, days, dollars, energy, `CO2e` and water for training; then latency, fleet,
//! cost and carbon of serving, over years. `ARCHITECTURE.md` maps the modules and who may import
//! whom; data flows one way, in the order below.

#[macro_use]
extern crate uom;

pub mod quantity;

pub mod diagnostic;

pub mod provenance;

pub mod catalog;

pub mod model;

pub mod scenario;

pub mod training;

pub mod serving;

pub mod ledger;

pub mod estimate;

pub mod explore;

pub mod report;

pub mod live;

pub mod cli;
