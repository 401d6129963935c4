//! Architectures and compressions under a budget: a space instead of a list.
//!
//! ```text
//! space.yaml -> Space -> points -> figures (model, devices, scenario) and quality -> front
//! ```
//! [`evolve`] judges every point of a small space and breeds in a large one; [`quality`] says what
//! a table of measured results tells of other points, by the process of [`gaussian`]; [`volume`]
//! measures fronts.

pub mod evolve;
pub mod gaussian;
pub mod quality;
pub mod volume;
