//! Architectures and compressions under a budget: a space instead of a list.
//!
//! ```text
//! space.yaml -> Plan -> Points: figures (model, devices, scenario) and quality -> Tally -> front
//! ```
//! [`plan`] reads the file; [`architecture`] is the model whose keys vary; [`point`] forecasts a
//! point by its [`figure`]s. [`evolve`] judges every point of a small space and breeds in a large
//! one. [`quality`] says what a table of measured results tells of other points, by the process of
//! [`gaussian`]; [`volume`] measures fronts, and [`propose`] names what to measure next; [`student`]
//! says what distilling into the best point takes.

pub mod architecture;
mod counted;
pub mod evolve;
pub mod figure;
pub mod gaussian;
pub mod plan;
pub mod point;
pub mod propose;
pub mod quality;
mod shared;
pub mod student;
pub mod volume;
