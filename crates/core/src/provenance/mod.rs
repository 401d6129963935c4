//! The basis of a value, and the computation of a figure from others.
//!
//! An [`Input`] enters an estimate from outside with its [`Basis`]: given by the user, taken from
//! the catalog, assumed, or derived. A [`Traced`] quantity carries, beside its value, the [`Step`]
//! that made it. The arithmetic operators on traced quantities record their own steps, so the
//! explanation of a figure is a by-product of computing it and cannot say anything else.
//!
//! An operator records as soon as one of its sides has a step; the other is a constant then. The
//! inputs of a run that someone will ask about have steps ([`Uncertain::record`]); in one of many
//! runs they have none, and a traced quantity costs a null pointer.
//!
//! ```
//! use flopcast_core::provenance::{Basis, Input, Uncertain as _};
//! use flopcast_core::quantity::{Energy, Measure, Pue};
//! let basis = || Basis::Assumed { why: "for the example".to_owned(), source: None };
//! let mut it = Input::new("IT energy", Energy::from_stored(3.6e6), basis());
//! let mut pue = Input::new("PUE", Pue::from_stored(1.2), basis());
//! it.record();
//! pue.record();
//! let facility = (&it.trace() * &pue.trace()).named("facility energy");
//! let step = facility.step().expect("recorded");
//! assert_eq!(step.formula(), "IT energy x PUE");
//! assert_eq!(step.evaluate(), facility.value().stored());
//! ```

mod expression;
mod inputs;
mod notation;
mod operator;
#[cfg(test)]
mod tests;
mod traced;
mod value;

use std::fmt;
use std::sync::Arc;

use chrono::NaiveDate;

use crate::quantity::{Distribution, Measure};

pub use expression::{Expr, Function, Relation, SLACK, Step};
pub use inputs::Inputs;
pub(crate) use inputs::inputs;
pub use notation::{Notation, SPREADSHEET, TEXT};
pub use traced::{Comparison, Traced, Unknown};
pub use value::{Amount, Value};

/// The reason why a value is what it is. Reports list the assumed ones; `--strict` refuses them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The user's scenario says so.
    Given {
        /// `file:line`.
        place: String,
        /// The user's stated reason, if any.
        source: Option<String>,
    },
    /// A row of the catalog says so.
    Catalog {
        /// The table and its row: `hardware/accelerators.csv:h100-sxm`.
        row: String,
        /// The publication it is from.
        source: String,
        /// When it was so.
        date: Option<NaiveDate>,
    },
    /// A row of a lock says so, which neither this build's tables nor a known snapshot have.
    Locked {
        /// The table and its row.
        row: String,
        /// The publication that the lock names for it.
        source: String,
    },
    /// It is a default, because nobody said.
    Assumed {
        /// Why this value is a sensible one.
        why: String,
        /// The publication that it rests on, if it rests on one.
        source: Option<String>,
    },
    /// It was counted or computed outside the traced arithmetic.
    Derived {
        /// The formula, in words.
        formula: String,
    },
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given { place, source: None } => write!(f, "given, {place}"),
            Self::Given { place, source: Some(source) } => write!(f, "given, {place}: {source}"),
            Self::Catalog { row, source, date: None } => write!(f, "catalog, {row}: {source}"),
            Self::Catalog { row, source, date: Some(date) } => {
                write!(f, "catalog, {row}: {source}, {date}")
            }
            Self::Locked { row, source } => write!(f, "given by the lock, {row}: {source}"),
            Self::Assumed { why, source: None } => write!(f, "assumed: {why}"),
            Self::Assumed { why, source: Some(source) } => write!(f, "assumed: {why} ({source})"),
            Self::Derived { formula } => write!(f, "derived: {formula}"),
        }
    }
}

/// A value that enters an estimate from outside, with its basis and, where it is uncertain, its
/// distribution.
#[derive(Clone, Debug)]
pub struct Input<Q> {
    /// The value.
    pub value: Q,
    leaf: Arc<Step>,
    spread: Option<Distribution>,
    ranged: bool,
    records: bool,
}

/// An input of any quantity, so that all inputs of a plan can be drawn or recorded alike.
pub trait Uncertain {
    /// Its name, in the scenario's or the field's words.
    fn name(&self) -> &str;
    /// Its distribution over stored values; `None` where it is certain.
    fn distribution(&self) -> Option<Distribution>;
    /// True if the user gave it as a range; a usual spread and the error of a model are none.
    fn is_range(&self) -> bool;
    /// Gives it another value, in the stored unit.
    fn set(&mut self, stored: f64);
    /// Lets all that is computed from it record its derivation.
    fn record(&mut self);
    /// The step that derivations start from: its value as it was found, and its basis.
    fn leaf(&self) -> &Arc<Step>;
}

impl<Q: Measure> Uncertain for Input<Q> {
    fn name(&self) -> &str {
        self.leaf.name.as_deref().unwrap_or_default()
    }
    fn distribution(&self) -> Option<Distribution> {
        self.spread
    }
    fn is_range(&self) -> bool {
        self.spread.is_some() && self.ranged
    }
    fn set(&mut self, stored: f64) {
        self.value = Q::from_stored(stored);
    }
    fn record(&mut self) {
        self.records = true;
    }
    fn leaf(&self) -> &Arc<Step> {
        &self.leaf
    }
}

impl<Q: Measure> Input<Q> {
    /// An input, named in the scenario's or the field's words.
    pub fn new(name: impl Into<String>, value: Q, basis: Basis) -> Self {
        let leaf = Step::leaf(name.into(), value.stored(), Q::DIMENSION, basis);
        Self { value, leaf: Arc::new(leaf), spread: None, ranged: false, records: false }
    }

    /// An input whose value was computed, with the derivation of that value.
    pub fn computed(name: &str, value: Q, derivation: &Traced<Q>) -> Self {
        let derivation = derivation.clone().named(name);
        let constant = || Arc::new(Step::constant(value.stored(), Q::DIMENSION));
        let leaf = derivation.step().cloned().unwrap_or_else(constant);
        Self { value, leaf, spread: None, ranged: false, records: false }
    }

    /// The same input with the distribution that the user gave; `None` where it is certain.
    #[must_use]
    pub fn ranged(mut self, distribution: Option<Distribution>) -> Self {
        self.spread = distribution;
        self.ranged = distribution.is_some();
        self
    }

    /// The same input with a usual spread or the error of a model, where the user gave no range.
    #[must_use]
    pub fn spread(mut self, distribution: Option<Distribution>) -> Self {
        self.spread = self.spread.or(distribution);
        self
    }

    /// Name, value and basis, as the leaf of a derivation.
    pub fn leaf(&self) -> &Step {
        &self.leaf
    }

    /// The input as the start of a computation, with its step where the run records.
    pub fn trace(&self) -> Traced<Q> {
        Traced::new(self.value, self.records.then(|| Arc::clone(&self.leaf)))
    }
}
