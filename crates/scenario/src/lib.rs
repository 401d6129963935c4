//! The scenario file: read with every value's place, typed, and resolved into plans.
//!
//! ```text
//! text -> document (a tree with places) -> respell -> ScenarioFile -> resolve -> estimate::plan::Scenario
//! ```
//! [`document`] reads YAML, [`whole`] lays it over what it extends, [`spelling`] puts what people type into the scenario's own words,
//! [`compose`] makes a file of several services into one of each, [`reader`] turns the tree into the typed [`mod@file`], and [`mod@resolve`] looks up devices, prices,
//! regions and models, names every default, and refuses what contradicts itself. The result holds
//! inputs with their basis; no type of the file goes further.

pub mod compose;
pub mod costs;
pub mod day;
pub mod environment;
pub mod file;
pub mod given;
pub mod memo;
mod models;
pub mod purchase;
pub mod reader;
pub mod resolve;
pub mod spelling;
pub mod traffic;
pub mod whole;

pub use flopcast_import::document;
pub use models::Models;
pub use resolve::{Files, Seen, resolve};
