//! The scenario file: read with every value's place, typed, and resolved into plans.

pub mod costs;
pub mod document;
pub mod environment;
pub mod file;
pub mod given;
pub mod purchase;
pub mod reader;
pub mod resolve;
pub mod traffic;

pub use resolve::{Files, resolve};
