//! Quantities that record how they were computed.
//!
//! A [`Traced`] quantity behaves like its quantity under `+ - * /`, `min`, `max`, `ceil`, `floor`,
//! `pow`, `ln`, `exp` and choices by comparison. The compiler checks the dimensions. Where one side
//! has a [`Step`], the result has one too, and a side without is written as a constant.

use std::fmt;
use std::ops::{Add, Neg};
use std::sync::Arc;

use super::expression::{Expr, Function, Relation, Step};
use super::{Amount, Basis};
use crate::quantity::{Dimension, Measure};

/// A quantity and, where someone will ask why, the step that made it.
#[derive(Clone, Debug)]
pub struct Traced<Q> {
    value: Q,
    step: Option<Arc<Step>>,
}

/// A figure that cannot be told, with the reason; whatever is computed from it is unknown too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// The reason, one sentence for the user.
    pub why: String,
}

impl Unknown {
    /// An unknown figure with the reason: one sentence for the user.
    pub fn new(why: impl Into<String>) -> Self {
        Self { why: why.into() }
    }
}

impl<Q: Copy> Traced<Q> {
    /// The quantity itself.
    pub fn value(&self) -> Q {
        self.value
    }

    /// The step that made it; `None` where the run does not record.
    pub fn step(&self) -> Option<&Arc<Step>> {
        self.step.as_ref()
    }

    /// Gives the figure its name, as in the JSON: `training.energy_kwh.it`. A step that has a name
    /// already is kept below as a step of its own.
    #[must_use]
    pub fn named(mut self, name: impl fmt::Display) -> Self {
        if let Some(step) = &mut self.step {
            if step.name.is_some() {
                let how = Expr::Product(vec![(Arc::clone(step), 1)]);
                *step = Arc::new(Step { name: None, how, ..**step });
            }
            Arc::make_mut(step).name = Some(name.to_string());
        }
        self
    }

    /// Gives the figure a name where it has none.
    #[must_use]
    pub fn or_named(self, name: impl fmt::Display) -> Self {
        let nameless = self.step.as_ref().is_some_and(|step| step.name.is_none());
        if nameless { self.named(name) } else { self }
    }
}

impl<Q: Measure> Traced<Q> {
    /// A quantity with its step, where the run records.
    pub(super) fn new(value: Q, step: Option<Arc<Step>>) -> Self {
        Self { value, step }
    }

    /// A constant of a formula: a year, a count from the calendar. It has no step of its own.
    pub fn constant(value: Q) -> Self {
        Self { value, step: None }
    }

    /// A value that was counted or computed outside the traced arithmetic, such as a statistic of a
    /// simulation; `how` is its formula in words.
    pub fn derived(name: impl Into<String>, value: Q, how: impl Into<String>) -> Self {
        let basis = Basis::Derived { formula: how.into() };
        let step = Step::leaf(name.into(), value.stored(), Q::DIMENSION, basis);
        Self { value, step: Some(Arc::new(step)) }
    }

    /// A statistic of a simulation, which has no name but the figure's.
    pub fn seen(value: Q, how: impl Into<String>) -> Self {
        let basis = Basis::Derived { formula: how.into() };
        let (value, dimension) = (value, Q::DIMENSION);
        let how = Expr::Leaf(basis);
        Self {
            step: Some(Arc::new(Step { name: None, value: value.stored(), dimension, how })),
            value,
        }
    }

    /// A value that was counted outside the traced arithmetic. It records where `self` does; `told`
    /// is its name and how it was counted, and is asked only then.
    pub fn beside<R: Measure>(
        &self,
        value: R,
        told: impl FnOnce() -> (String, String),
    ) -> Traced<R> {
        if self.step.is_some() {
            let (name, how) = told();
            Traced::derived(name, value, how)
        } else {
            Traced::constant(value)
        }
    }

    /// The value alone, without its derivation.
    #[must_use]
    pub fn silent(&self) -> Self {
        Self { value: self.value, step: None }
    }

    /// The same value as another type of the same dimension, to say what it means. A type of
    /// another dimension does not compile.
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

    /// A product or a sum of two sides, whose value was computed already; `sign` is -1 for a quotient
    /// or a difference.
    pub(super) fn combine<B: Measure, R: Measure>(
        &self,
        other: &Traced<B>,
        value: R,
        sign: i8,
        chain: Chain,
    ) -> Traced<R> {
        let sides = [self.operand(), other.operand()];
        let operation = Operation::Join { sides, sign, chain };
        let step = operation.recorded(R::DIMENSION, value.stored());
        Traced { value, step }
    }

    /// The quantity with the other sign: a sum of one term with sign -1.
    pub(super) fn negated(&self) -> Self
    where
        Q: Neg<Output = Q>,
    {
        let value = -self.value;
        let operation = Operation::Negate([self.operand()]);
        let step = operation.recorded(Q::DIMENSION, value.stored());
        Self { value, step }
    }

    /// The quantity as a side of an operation.
    fn operand(&self) -> Operand<'_> {
        Operand { value: self.value.stored(), dimension: Q::DIMENSION, step: self.step.as_ref() }
    }
}

impl Traced<Amount> {
    /// The sum of amounts of one dimension, each times a number: `a x n + b x m`. A number of 1 is left
    /// out; the sum of nothing is `None`.
    pub fn weighted(terms: impl IntoIterator<Item = (Self, Traced<f64>)>) -> Option<Self> {
        let product = |(amount, weight): (Self, Traced<f64>)| {
            if weight.step.is_none() && weight.value.total_cmp(&1.0).is_eq() {
                return amount;
            }
            let Amount { stored, dimension } = amount.value;
            let value = Amount { stored: stored * weight.value, dimension };
            let sides = [amount.operand(), weight.operand()];
            let operation = Operation::Join { sides, sign: 1, chain: Chain::Product };
            Self { step: operation.recorded(dimension, value.stored), value }
        };
        terms.into_iter().map(product).reduce(|left, right| {
            let Amount { stored, dimension } = left.value;
            let value = Amount { stored: stored + right.value.stored, dimension };
            let sides = [left.operand(), right.operand()];
            let operation = Operation::Join { sides, sign: 1, chain: Chain::Sum };
            Self { step: operation.recorded(dimension, value.stored), value }
        })
    }

    /// The amount as a side of an operation.
    fn operand(&self) -> Operand<'_> {
        let Amount { stored, dimension } = self.value;
        Operand { value: stored, dimension, step: self.step.as_ref() }
    }
}

/// The chain that an operation adds to: factors, or terms.
#[derive(Clone, Copy)]
pub(super) enum Chain {
    /// `x` and `/`.
    Product,
    /// `+` and `-`.
    Sum,
}

/// A side of an operation: its value, and its step where it has one.
#[derive(Clone, Copy)]
struct Operand<'a> {
    value: f64,
    dimension: Dimension,
    step: Option<&'a Arc<Step>>,
}

impl Operand<'_> {
    /// Its step; that of a constant where it has none.
    fn step(self) -> Arc<Step> {
        match self.step {
            Some(step) => Arc::clone(step),
            None => Arc::new(Step::constant(self.value, self.dimension)),
        }
    }
}

/// An operation with its sides.
#[derive(Clone, Copy)]
enum Operation<'a> {
    /// A product or a sum; `sign` is that of the right side, as a power or as a summand.
    Join { sides: [Operand<'a>; 2], sign: i8, chain: Chain },
    /// The side with the other sign.
    Negate([Operand<'a>; 1]),
    /// A function of its arguments.
    Call(Function, &'a [Operand<'a>]),
    /// The sides compared, then the two to choose from.
    Choose(Relation, [Operand<'a>; 4]),
}

impl Operation<'_> {
    /// The step of its result, if one of its sides has a step.
    #[inline]
    fn recorded(self, dimension: Dimension, value: f64) -> Option<Arc<Step>> {
        let sides = match &self {
            Self::Join { sides, .. } => &sides[..],
            Self::Negate(sides) => sides,
            Self::Call(_, sides) => sides,
            Self::Choose(_, sides) => sides,
        };
        let any = sides.iter().any(|side| side.step.is_some());
        any.then(|| Arc::new(Step { name: None, value, dimension, how: self.expression() }))
    }

    /// How the result comes from its sides, apart from the quantities' types so that it is compiled
    /// once.
    #[cold]
    fn expression(self) -> Expr {
        match self {
            Self::Join { sides: [left, right], sign, chain } => {
                joined(&left.step(), &right.step(), sign, chain)
            }
            Self::Negate([side]) => Expr::Sum(vec![(side.step(), -1)]),
            Self::Call(function, sides) => {
                Expr::Call(function, sides.iter().map(|side| side.step()).collect())
            }
            Self::Choose(relation, [left, right, then, otherwise]) => Expr::If {
                left: left.step(),
                relation,
                right: right.step(),
                then: then.step(),
                otherwise: otherwise.step(),
            },
        }
    }
}

/// The product or the sum of two steps; unnamed ones of the same kind are taken in.
fn joined(left: &Arc<Step>, right: &Arc<Step>, sign: i8, chain: Chain) -> Expr {
    let mut parts = Vec::new();
    for (step, sign) in [(left, 1), (right, sign)] {
        match (&step.how, chain) {
            (Expr::Product(inner), Chain::Product) | (Expr::Sum(inner), Chain::Sum)
                if step.name.is_none() =>
            {
                parts.extend(inner.iter().map(|(s, e)| (Arc::clone(s), e * sign)));
            }
            _ => parts.push((Arc::clone(step), sign)),
        }
    }
    match chain {
        Chain::Product => Expr::Product(parts),
        Chain::Sum => Expr::Sum(parts),
    }
}

/// Functions that keep the dimension.
impl<Q: Measure> Traced<Q> {
    /// The function of arguments of one dimension, which the result has too.
    fn call<const N: usize>(function: Function, arguments: [&Self; N]) -> Self {
        let value = function.apply(&arguments.map(|it| it.value.stored()));
        let sides = arguments.map(Self::operand);
        let step = Operation::Call(function, &sides).recorded(Q::DIMENSION, value);
        Self { value: Q::from_stored(value), step }
    }

    /// The lesser of two: `min(a, b)`.
    #[must_use]
    pub fn min(&self, other: &Self) -> Self {
        Self::call(Function::Min, [self, other])
    }

    /// The greater of two: `max(a, b)`.
    #[must_use]
    pub fn max(&self, other: &Self) -> Self {
        Self::call(Function::Max, [self, other])
    }

    /// This value, at least nothing: `max(this, 0)`.
    #[must_use]
    pub fn or_nothing(&self) -> Self {
        self.max(&Self::constant(Q::from_stored(0.0)))
    }

    /// The least whole number at or above; an excess of [`super::SLACK`] is rounding.
    #[must_use]
    pub fn ceil(&self) -> Self {
        Self::call(Function::Ceil, [self])
    }

    /// The greatest whole number at or below.
    #[must_use]
    pub fn floor(&self) -> Self {
        Self::call(Function::Floor, [self])
    }

    /// The least of several; infinite where there are none.
    pub fn least(values: &[Self]) -> Self {
        let stored: Vec<f64> = values.iter().map(|it| it.value.stored()).collect();
        let value = Function::Min.apply(&stored);
        let sides: Vec<Operand> = values.iter().map(Self::operand).collect();
        let step = Operation::Call(Function::Min, &sides).recorded(Q::DIMENSION, value);
        Self { value: Q::from_stored(value), step }
    }

    /// The sum of named terms, so that a total shows its parts; nothing where there are none.
    pub fn total(terms: impl IntoIterator<Item = Self>) -> Self
    where
        Q: Add<Output = Q>,
    {
        let sum = terms.into_iter().reduce(|sum, term| &sum + &term);
        sum.unwrap_or_else(|| Self::constant(Q::from_stored(0.0)))
    }

    /// `this < other`
    pub fn below(&self, other: &Self) -> Comparison {
        Comparison::new(self, Relation::Below, other)
    }

    /// `this <= other`
    pub fn at_most(&self, other: &Self) -> Comparison {
        Comparison::new(self, Relation::AtMost, other)
    }

    /// `this = other`
    pub fn equals(&self, other: &Self) -> Comparison {
        Comparison::new(self, Relation::Equal, other)
    }
}

/// Functions of plain numbers, whatever their role.
impl<Q: Measure> Traced<Q> {
    /// The same value as a plain number. It must have no dimension; another one does not compile.
    pub fn number(&self) -> Traced<f64> {
        self.clone().retype()
    }

    /// This number to a power; both must be plain numbers.
    pub fn pow<E: Measure>(&self, exponent: &Traced<E>) -> Traced<f64> {
        Traced::call(Function::Pow, [&self.number(), &exponent.number()])
    }

    /// Its natural logarithm; it must be a plain number.
    pub fn ln(&self) -> Traced<f64> {
        Traced::call(Function::Ln, [&self.number()])
    }

    /// e to its power; it must be a plain number.
    pub fn exp(&self) -> Traced<f64> {
        Traced::call(Function::Exp, [&self.number()])
    }
}

/// A comparison of two quantities, by which a formula chooses between two values.
#[derive(Clone, Debug)]
pub struct Comparison {
    relation: Relation,
    sides: [f64; 2],
    steps: [Option<Arc<Step>>; 2],
    dimension: Dimension,
}

impl Comparison {
    /// The comparison of two quantities of one dimension.
    fn new<Q: Measure>(left: &Traced<Q>, relation: Relation, right: &Traced<Q>) -> Self {
        Self {
            relation,
            sides: [left, right].map(|it| it.value.stored()),
            steps: [left, right].map(|it| it.step.clone()),
            dimension: Q::DIMENSION,
        }
    }

    /// `then` where the comparison holds, `otherwise` where it does not. The step keeps both
    /// branches, so that a workbook follows when the comparison turns.
    pub fn choose<Q: Measure>(&self, then: &Traced<Q>, otherwise: &Traced<Q>) -> Traced<Q> {
        let [left, right] = self.sides;
        let chosen = if self.relation.holds(left, right) { then } else { otherwise };
        let side = |at: usize| Operand {
            value: self.sides[at],
            dimension: self.dimension,
            step: self.steps[at].as_ref(),
        };
        let sides = [side(0), side(1), then.operand(), otherwise.operand()];
        let operation = Operation::Choose(self.relation, sides);
        let step = operation.recorded(Q::DIMENSION, chosen.value.stored());
        Traced { value: chosen.value, step }
    }
}
