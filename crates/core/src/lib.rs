//! The engine of flopcast: a resolved scenario and a catalog become an estimate.
//!
//! Data flows one way through the rooms below; each imports only from those above it. The engine
//! is pure: it prints nothing and reads no file, clock, environment or network.

#[macro_use]
extern crate uom;

pub mod quantity;

pub mod random;

pub mod diagnostic;

pub mod provenance;

pub mod calibration;

pub mod catalog;

pub mod model;

pub mod kernel;

pub mod training;

pub mod serving;

pub mod ledger;

pub mod estimate;
