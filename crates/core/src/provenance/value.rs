//! A figure's value: known, unknown, never reached, or absent.
//!
//! Arithmetic keeps the four apart. A product or a sum of known values is known; one with an
//! unknown side is unknown with that side's reason; one with an absent side is absent, since the
//! scenario has no such figure. [`Value::sum`] adds what there is and skips what is absent, for
//! totals over stages.
//! ```
//! use flopcast_core::provenance::{Traced, Unknown, Value};
//! use flopcast_core::quantity::{Measure, Money};
//! let paid = Value::Known(Traced::constant(Money::from_stored(2.0)));
//! let unknown: Value<Money> = Unknown::new("nobody says").into();
//! let sum = Value::sum([paid.clone(), Value::Absent]);
//! assert_eq!(sum.known().expect("known").value().stored(), 2.0);
//! assert!((&paid + &unknown).unknown().is_some());
//! ```

use std::fmt::Display;
use std::ops::{Add, Div, Mul, Sub};

use super::{Traced, Unknown};
use crate::quantity::{Dimension, Measure};

/// The value of a figure: known, unknown, never reached, or absent.
#[derive(Clone, Debug)]
pub enum Value<Q> {
    /// A known value, with its derivation where the run records.
    Known(Traced<Q>),
    /// The figure has a value that cannot be told; whatever is computed from it is unknown too.
    Unknown(Unknown),
    /// The figure is a moment or a volume that is never reached; the reason is a sentence for the
    /// user.
    Never(Unknown),
    /// The scenario has no such figure.
    Absent,
}

/// An amount of a dimension that is known at run time only.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Amount {
    /// The value in the stored unit of its dimension.
    pub stored: f64,
    /// The dimension.
    pub dimension: Dimension,
}

impl<Q> Value<Q> {
    /// A figure that is never reached, with the reason: one sentence for the user.
    pub fn never(why: String) -> Self {
        Self::Never(Unknown { why })
    }

    /// The known value; `None` in the other three cases.
    pub fn known(&self) -> Option<&Traced<Q>> {
        match self {
            Self::Known(figure) => Some(figure),
            _ => None,
        }
    }

    /// The reason why it is unknown; `None` in the other three cases.
    pub fn unknown(&self) -> Option<&Unknown> {
        match self {
            Self::Unknown(why) => Some(why),
            _ => None,
        }
    }

    /// The known value, or why there is none.
    ///
    /// # Errors
    /// It is unknown, never reached, or absent.
    pub fn told(self) -> Result<Traced<Q>, Unknown> {
        match self {
            Self::Known(figure) => Ok(figure),
            Self::Unknown(why) | Self::Never(why) => Err(why),
            Self::Absent => Err(Unknown::new("the scenario has no such figure")),
        }
    }

    /// The value, or another one where this one is absent.
    #[must_use]
    pub fn or_else(self, other: impl FnOnce() -> Self) -> Self {
        if self.is_absent() { other() } else { self }
    }

    /// True if the scenario has no such figure.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// The same with the known value changed; the other cases stay as they are.
    #[must_use]
    pub fn map<R>(self, change: impl FnOnce(Traced<Q>) -> Traced<R>) -> Value<R> {
        match self {
            Self::Known(figure) => Value::Known(change(figure)),
            Self::Unknown(why) => Value::Unknown(why),
            Self::Never(why) => Value::Never(why),
            Self::Absent => Value::Absent,
        }
    }
}

impl<Q: Measure> Value<Q> {
    /// Gives the figure its name, as in the JSON.
    #[must_use]
    pub fn named(self, name: impl Display) -> Self {
        self.map(|figure| figure.named(name))
    }

    /// The sum of the parts. Absent parts add nothing, and without any part the sum is absent; an
    /// unknown part makes it unknown.
    #[must_use]
    pub fn sum(parts: impl IntoIterator<Item = Self>) -> Self
    where
        Q: Add<Output = Q>,
    {
        let present = parts.into_iter().filter(|part| !part.is_absent());
        present.reduce(|sum, part| &sum + &part).unwrap_or(Self::Absent)
    }

    /// The value as an amount of a dimension that is known at run time only.
    #[must_use]
    pub fn amount(self) -> Value<Amount> {
        self.map(Traced::amount)
    }
}

/// The result of an operation whose sides are not both known: absent where one side is, else
/// unknown or never for the first reason.
fn lacking<A, B, R>(a: &Value<A>, b: &Value<B>) -> Value<R> {
    match (a, b) {
        (Value::Absent, _) | (_, Value::Absent) | (Value::Known(_), Value::Known(_)) => {
            Value::Absent
        }
        (Value::Unknown(why), _) | (_, Value::Unknown(why)) => Value::Unknown(why.clone()),
        (Value::Never(why), _) | (_, Value::Never(why)) => Value::Never(why.clone()),
    }
}

macro_rules! operator {
    ($trait:ident $method:ident) => {
        impl<A, B, R> $trait<&Value<B>> for &Value<A>
        where
            A: Measure + $trait<B, Output = R>,
            B: Measure,
            R: Measure,
        {
            type Output = Value<R>;
            fn $method(self, other: &Value<B>) -> Value<R> {
                match (self, other) {
                    (Value::Known(a), Value::Known(b)) => Value::Known(a.$method(b)),
                    (a, b) => lacking(a, b),
                }
            }
        }

        impl<A, B, R> $trait<&Traced<B>> for &Value<A>
        where
            A: Measure + $trait<B, Output = R>,
            B: Measure,
            R: Measure,
        {
            type Output = Value<R>;
            fn $method(self, other: &Traced<B>) -> Value<R> {
                self.clone().map(|figure| (&figure).$method(other))
            }
        }

        impl<A, B, R> $trait<&Value<B>> for &Traced<A>
        where
            A: Measure + $trait<B, Output = R>,
            B: Measure,
            R: Measure,
        {
            type Output = Value<R>;
            fn $method(self, other: &Value<B>) -> Value<R> {
                other.clone().map(|figure| self.$method(&figure))
            }
        }
    };
}

operator!(Mul mul);
operator!(Div div);
operator!(Add add);
operator!(Sub sub);

impl<Q> From<Traced<Q>> for Value<Q> {
    fn from(figure: Traced<Q>) -> Self {
        Self::Known(figure)
    }
}

impl<Q> From<Unknown> for Value<Q> {
    fn from(why: Unknown) -> Self {
        Self::Unknown(why)
    }
}

impl<Q> From<Result<Traced<Q>, Unknown>> for Value<Q> {
    fn from(figure: Result<Traced<Q>, Unknown>) -> Self {
        figure.map_or_else(Self::Unknown, Self::Known)
    }
}

impl<Q: Measure> From<Traced<Q>> for Value<Amount> {
    fn from(figure: Traced<Q>) -> Self {
        Self::Known(figure.amount())
    }
}

impl<Q: Measure> From<Result<Traced<Q>, Unknown>> for Value<Amount> {
    fn from(figure: Result<Traced<Q>, Unknown>) -> Self {
        Value::<Q>::from(figure).amount()
    }
}

impl<Q: Measure> From<Value<Q>> for Value<Amount> {
    fn from(figure: Value<Q>) -> Self {
        figure.amount()
    }
}

impl<Q, T> From<Option<T>> for Value<Q>
where
    Self: From<T>,
{
    fn from(figure: Option<T>) -> Self {
        figure.map_or(Self::Absent, Self::from)
    }
}

impl<Q: Clone, T: Clone> From<&T> for Value<Q>
where
    Self: From<T>,
{
    fn from(figure: &T) -> Self {
        Self::from(figure.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantity::{Energy, Money, Per};

    type Price = Per<Money, Energy>;

    fn known<Q: Measure>(stored: f64) -> Value<Q> {
        Value::Known(Traced::derived("it", Q::from_stored(stored), "test"))
    }

    fn why(text: &str) -> Unknown {
        Unknown { why: text.to_owned() }
    }

    #[test]
    fn what_is_not_known_stays_so() {
        let none = Value::<Energy>::Unknown(why("no meter"));
        let price = known::<Price>(2.0);
        let cost = |energy: &Value<Energy>| -> Value<Money> { &price * energy };
        assert_eq!(cost(&known(3.0)).known().map(|it| it.value().stored()), Some(6.0));
        assert_eq!(cost(&none).unknown(), Some(&why("no meter")));
        assert!(cost(&Value::Absent).is_absent());
        assert!(matches!(cost(&Value::Never(why("too dear"))), Value::Never(_)));
    }

    #[test]
    fn a_sum_skips_the_absent_and_is_poisoned_by_the_unknown() {
        let sum = |parts: Vec<Value<Money>>| Value::sum(parts);
        let known = |value| known::<Money>(value);
        assert!(sum(vec![]).is_absent());
        assert!(sum(vec![Value::Absent]).is_absent());
        let two = sum(vec![known(1.0), Value::Absent, known(2.0)]);
        assert_eq!(two.known().map(|it| it.value().stored()), Some(3.0));
        assert!(sum(vec![known(1.0), Value::Unknown(why("gap"))]).unknown().is_some());
    }
}
