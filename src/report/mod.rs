//! Documents for people and programs: one [`Report`], one exporter per file.

pub mod accuracy;
pub mod backtest;
pub mod csv;
pub mod json;
pub mod markdown;
pub mod model;
pub mod table;
pub mod tree;

use std::sync::Arc;

use crate::estimate::{Estimate, Figure};
use crate::provenance::{Basis, How, Step};
use crate::scenario::Scenario;

/// Everything that a document about one scenario may show.
#[derive(Clone, Debug)]
pub struct Report {
    /// The scenario's name.
    pub name: String,
    /// Newest price and grid dates that the figures rest on.
    pub dates: Vec<(String, String)>,
    /// Every figure, in the order of the JSON.
    pub figures: Vec<Figure>,
    /// Every input that a figure rests on, in the order of first use.
    pub inputs: Vec<Arc<Step>>,
    /// First and last day of the training, and the days left to its deadline.
    pub calendar: Vec<(&'static str, String)>,
    /// What was assumed about the model.
    pub model_assumptions: Vec<String>,
    /// What the user should know before trusting the figures.
    pub warnings: Vec<String>,
}

impl Report {
    /// The report of an estimate that was made with explanations.
    pub fn new(scenario: &Scenario, estimate: &Estimate) -> Self {
        let figures = estimate.figures();
        let mut inputs: Vec<Arc<Step>> = Vec::new();
        for step in figures.iter().filter_map(|figure| figure.step.as_ref()) {
            collect(step, &mut inputs);
        }
        let mut warnings = scenario.warnings.clone();
        warnings.extend(unknowns(&figures));
        let calendar =
            estimate.training.as_ref().and_then(|t| t.calendar).map_or_else(Vec::new, |c| {
                let mut days =
                    vec![("first day", c.start.to_string()), ("last day", c.end.to_string())];
                if let Some(margin) = c.margin_days {
                    if margin < 0 {
                        warnings.push(format!("the run ends {} days after its deadline", -margin));
                    }
                    days.push(("days left to the deadline", margin.to_string()));
                }
                days
            });
        Self {
            name: scenario.name.clone(),
            dates: scenario.dates.clone(),
            figures,
            inputs,
            calendar,
            model_assumptions: scenario.model_assumptions.clone(),
            warnings,
        }
    }

    /// The inputs that nobody gave: name, value and why.
    pub fn assumptions(&self) -> impl Iterator<Item = (&str, String, &str)> {
        self.inputs.iter().filter_map(|step| match &step.how {
            How::Leaf(Basis::Assumed { why }) => {
                Some((step.name.as_deref().unwrap_or_default(), step.shown(), why.as_str()))
            }
            _ => None,
        })
    }

    /// A figure by its path.
    pub fn figure(&self, path: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.path == path)
    }
}

/// One warning per cause, with the figures that it leaves unknown.
fn unknowns(figures: &[Figure]) -> Vec<String> {
    let mut causes: Vec<(&str, Vec<String>)> = Vec::new();
    for figure in figures {
        let Some(unknown) = &figure.unknown else { continue };
        let yearly = figure.path.strip_prefix("inference.years.").and_then(|p| p.split_once('.'));
        let path =
            yearly.map_or(figure.path.clone(), |(_, rest)| format!("inference.years.*.{rest}"));
        match causes.iter_mut().find(|(why, _)| *why == unknown.why) {
            Some((_, paths)) if paths.contains(&path) => {}
            Some((_, paths)) => paths.push(path),
            None => causes.push((&unknown.why, vec![path])),
        }
    }
    causes.into_iter().map(|(why, paths)| format!("{} unknown: {why}", paths.join(", "))).collect()
}

fn collect(step: &Arc<Step>, inputs: &mut Vec<Arc<Step>>) {
    if let How::Leaf(basis) = &step.how {
        let arithmetic = matches!(basis, Basis::Derived { formula } if formula == "calendar");
        let seen = inputs.iter().any(|other| other.name == step.name);
        if !arithmetic && !seen {
            inputs.push(Arc::clone(step));
        }
    }
    for input in step.inputs() {
        collect(input, inputs);
    }
}
