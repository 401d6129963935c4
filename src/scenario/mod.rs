//! The scenario: the one file that says what to forecast.
pub mod document;
pub mod file;
pub mod given;
pub mod plan;
pub mod reader;
