//! One step of a derivation.

use std::sync::Arc;

use super::Basis;
use crate::quantity::Dimension;
use crate::quantity::text::show_stored;

/// A value with the way it came about: a node of the derivation of a figure.
#[derive(Clone, Debug)]
pub struct Step {
    /// The figure's or the input's name; steps in between have none.
    pub name: Option<String>,
    /// The value, in the stored unit of its dimension.
    pub value: f64,
    /// Its dimension.
    pub dimension: Dimension,
    /// How it came about.
    pub how: How,
}

/// How a step's value follows from others.
#[derive(Clone, Debug)]
pub enum How {
    /// It entered from outside.
    Leaf(Basis),
    /// The product of powers: factors with exponent 1 or -1.
    Product(Vec<(Arc<Step>, i8)>),
    /// The signed sum.
    Sum(Vec<(Arc<Step>, i8)>),
    /// Another function of the inputs.
    Function {
        /// The formula in words or symbols.
        formula: &'static str,
        /// The inputs, in the formula's order.
        inputs: Vec<Arc<Step>>,
        /// The formula itself, over stored values.
        evaluate: fn(&[f64]) -> f64,
    },
}

impl Step {
    pub(super) fn leaf(name: String, value: f64, dimension: Dimension, basis: Basis) -> Self {
        Self { name: Some(name), value, dimension, how: How::Leaf(basis) }
    }

    /// The steps that this one follows from.
    pub fn inputs(&self) -> Vec<&Arc<Step>> {
        match &self.how {
            How::Leaf(_) => Vec::new(),
            How::Product(parts) | How::Sum(parts) => parts.iter().map(|(step, _)| step).collect(),
            How::Function { inputs, .. } => inputs.iter().collect(),
        }
    }

    /// The value computed anew from the leaves: equals [`Step::value`] up to rounding.
    pub fn evaluate(&self) -> f64 {
        match &self.how {
            How::Leaf(_) => self.value,
            How::Product(parts) => {
                parts.iter().map(|(s, e)| s.evaluate().powi((*e).into())).product()
            }
            How::Sum(parts) => parts.iter().map(|(s, sign)| s.evaluate() * f64::from(*sign)).sum(),
            How::Function { inputs, evaluate, .. } => {
                evaluate(&inputs.iter().map(|s| s.evaluate()).collect::<Vec<_>>())
            }
        }
    }

    /// The value in the unit that suits it.
    pub fn shown(&self) -> String {
        show_stored(self.value, self.dimension)
    }

    /// The formula over the names of its inputs: `it energy x pue`.
    pub fn formula(&self) -> String {
        let name =
            |step: &Arc<Step>| step.name.clone().unwrap_or_else(|| format!("({})", step.formula()));
        let join = |parts: &[(Arc<Step>, i8)], plus: &str, minus: &str| {
            let mut text = String::new();
            for (i, (step, sign)) in parts.iter().enumerate() {
                if i > 0 || *sign < 0 {
                    text += if *sign > 0 { plus } else { minus };
                }
                text += &name(step);
            }
            text
        };
        match &self.how {
            How::Leaf(basis) => basis.to_string(),
            How::Product(parts) => {
                let text = join(parts, " x ", " / ");
                text.strip_prefix(" / ").map_or(text.clone(), |rest| format!("1 / {rest}"))
            }
            How::Sum(parts) => join(parts, " + ", " - ").trim_start().to_owned(),
            How::Function { formula, .. } => (*formula).to_owned(),
        }
    }
}
