//! The scenario file: read with every value's place, typed, and resolved into plans.

pub mod costs;
pub mod environment;
pub mod file;
pub mod given;
pub mod purchase;
pub mod reader;
pub mod resolve;
pub mod spelling;
pub mod traffic;

pub use flopcast_import::document;
pub use resolve::{Files, resolve};
