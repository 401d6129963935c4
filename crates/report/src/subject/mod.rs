//! The subjects of documents: one file each, which builds a [`crate::doc::Doc`].
//!
//! A subject has a table for people, rows for programs and, where programs rely on it, a JSON with
//! a schema of its own (`flopcast.sweep/1`). It knows no form.

pub mod accuracy;
pub mod actuals;
pub mod advice;
pub mod backtest;
pub mod capacity;
pub mod catalog;
pub mod compare;
pub mod compression;
pub mod estimate;
pub mod explain;
mod first_screen;
pub mod fleets;
pub mod model;
pub mod optimize;
pub mod policy;
pub mod portfolio;
pub mod requests;
pub mod scatter;
pub mod search;
pub mod shapes;
pub mod sizing;
pub mod sweep;
pub mod timeline;
