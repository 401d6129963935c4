//! The scenario: the one file that says what to forecast.
pub mod costs;
pub mod document;
pub mod environment;
pub mod file;
pub mod given;
mod inputs;
mod mixture;
pub mod plan;
pub mod purchase;
pub mod reader;
pub mod resolve;
pub mod site;
pub mod traffic;

pub use mixture::Mixture;
pub use resolve::{Files, resolve};

use std::sync::Arc;

use crate::provenance::Input;
use crate::quantity::Requests;

/// A scenario, resolved: what [`crate::estimate`] computes from.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it is, in one line.
    pub name: String,
    /// The training run.
    pub training: Option<Arc<plan::TrainingPlan>>,
    /// The service.
    pub inference: Option<Arc<plan::Service>>,
    /// How money over time is added up.
    pub finance: plan::Finance,
    /// The unit of the software carbon intensity.
    pub functional_unit: Option<Input<Requests>>,
    /// Dates of the catalog's data that it rests on.
    pub dates: Vec<(String, String)>,
    /// What was assumed about the model.
    pub model_assumptions: Vec<String>,
    /// What the user should know before trusting the figures.
    pub warnings: Vec<String>,
}
