//! Quantities that record how they were computed.

use std::ops::{Add, Div, Mul, Sub};
use std::sync::Arc;

use super::step::{How, Step};
use super::{Amount, Basis};
use crate::quantity::Measure;

/// A quantity and, where someone will ask why, the step that made it.
#[derive(Clone, Debug)]
pub struct Traced<Q> {
    value: Q,
    step: Option<Arc<Step>>,
}

/// A figure that cannot be told, with the reason; whatever is computed from it is unknown too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// Why, in one sentence for the user.
    pub why: String,
}

/// A figure, unless it is unknown.
pub type Known<Q> = Result<Traced<Q>, Unknown>;

impl<Q: Copy> Traced<Q> {
    /// The quantity itself.
    pub fn value(&self) -> Q {
        self.value
    }

    /// The step that made it, if recorded.
    pub fn step(&self) -> Option<&Arc<Step>> {
        self.step.as_ref()
    }
}

impl<Q: Measure> Traced<Q> {
    pub(super) fn new(value: Q, step: Option<Arc<Step>>) -> Self {
        Self { value, step }
    }

    /// A number that the arithmetic or the calendar supplies.
    pub fn counted(name: &str, value: Q, formula: &str, explain: bool) -> Self {
        let step = explain.then(|| {
            let basis = Basis::Derived { formula: formula.to_owned() };
            Arc::new(Step::leaf(name.to_owned(), value.stored(), Q::DIMENSION, basis))
        });
        Self { value, step }
    }

    /// Gives the figure its name, as in the JSON: `training.energy_kwh.it`.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        if let Some(step) = &mut self.step {
            if step.name.is_some() {
                let how = How::Product(vec![(Arc::clone(step), 1)]);
                *step = Arc::new(Step { name: None, how, ..**step });
            }
            Arc::make_mut(step).name = Some(name.to_owned());
        }
        self
    }

    /// The same value as another type of the same dimension, to say what it means.
    #[must_use]
    pub fn retype<R: Measure>(self) -> Traced<R> {
        const { assert!(Q::DIMENSION.same(R::DIMENSION), "a retyped quantity keeps its dimension") };
        Traced { value: R::from_stored(self.value.stored()), step: self.step }
    }

    /// The same value as an amount of a dimension that is known at run time only.
    #[must_use]
    pub fn amount(self) -> Traced<Amount> {
        let amount = Amount { stored: self.value.stored(), dimension: Q::DIMENSION };
        Traced { value: amount, step: self.step }
    }

    /// A function of this value that is neither product nor sum, by its formula.
    #[must_use]
    pub fn map<R: Measure>(&self, formula: &'static str, evaluate: fn(&[f64]) -> f64) -> Traced<R> {
        function(formula, &[self.part()], evaluate)
    }

    /// A function of this value and another, by its formula.
    pub fn map2<B: Measure, R: Measure>(
        &self,
        other: &Traced<B>,
        formula: &'static str,
        evaluate: fn(&[f64]) -> f64,
    ) -> Traced<R> {
        function(formula, &[self.part(), other.part()], evaluate)
    }

    /// The stored value and the step, for [`function`].
    pub fn part(&self) -> Part<'_> {
        Part { value: self.value.stored(), step: self.step.as_ref() }
    }

    fn combine<B: Measure, R: Measure>(
        &self,
        other: &Traced<B>,
        value: R,
        sign: i8,
        product: bool,
    ) -> Traced<R> {
        let (Some(left), Some(right)) = (&self.step, &other.step) else {
            return Traced { value, step: None };
        };
        let how = joined(left, right, sign, product);
        let step = Step { name: None, value: value.stored(), dimension: R::DIMENSION, how };
        Traced { value, step: Some(Arc::new(step)) }
    }
}

/// The product or the sum of two steps; unnamed ones of the same kind are taken in. Apart from the
/// quantities' types, so that it is compiled once.
fn joined(left: &Arc<Step>, right: &Arc<Step>, sign: i8, product: bool) -> How {
    let mut parts = Vec::new();
    for (step, sign) in [(left, 1), (right, sign)] {
        match &step.how {
            How::Product(inner) if product && step.name.is_none() => {
                parts.extend(inner.iter().map(|(s, e)| (Arc::clone(s), e * sign)));
            }
            How::Sum(inner) if !product && step.name.is_none() => {
                parts.extend(inner.iter().map(|(s, e)| (Arc::clone(s), e * sign)));
            }
            _ => parts.push((Arc::clone(step), sign)),
        }
    }
    if product { How::Product(parts) } else { How::Sum(parts) }
}

/// One argument of a [`function`].
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    value: f64,
    step: Option<&'a Arc<Step>>,
}

/// A function of any traced values, by its formula over their stored values.
pub fn function<R: Measure>(
    formula: &'static str,
    parts: &[Part<'_>],
    evaluate: fn(&[f64]) -> f64,
) -> Traced<R> {
    let mut values = [0.0; 8];
    let values = &mut values[..parts.len()];
    for (value, part) in values.iter_mut().zip(parts) {
        *value = part.value;
    }
    let value = R::from_stored(evaluate(values));
    let steps: Option<Vec<_>> = parts.iter().map(|part| part.step.cloned()).collect();
    let step = steps.map(|inputs| {
        let how = How::Function { formula, inputs, evaluate };
        Arc::new(Step { name: None, value: value.stored(), dimension: R::DIMENSION, how })
    });
    Traced { value, step }
}

macro_rules! operator {
    ($trait:ident $method:ident sign $sign:literal product $product:literal) => {
        impl<A, B, R> $trait<&Traced<B>> for &Traced<A>
        where
            A: Measure + $trait<B, Output = R>,
            B: Measure,
            R: Measure,
        {
            type Output = Traced<R>;
            fn $method(self, other: &Traced<B>) -> Traced<R> {
                self.combine(other, self.value.$method(other.value), $sign, $product)
            }
        }

        impl<A, B, R> $trait<&Traced<B>> for Traced<A>
        where
            A: Measure + $trait<B, Output = R>,
            B: Measure,
            R: Measure,
        {
            type Output = Traced<R>;
            fn $method(self, other: &Traced<B>) -> Traced<R> {
                (&self).$method(other)
            }
        }
    };
}

operator!(Mul mul sign 1 product true);
operator!(Div div sign -1 product true);
operator!(Add add sign 1 product false);
operator!(Sub sub sign -1 product false);
