//! `+ - * /` on traced quantities and plain numbers, by reference or by value.
//!
//! The type of the result is that of the operation on the plain quantities: energy x grid intensity
//! is CO2e, money + energy does not compile. A number may scale any quantity, and may be added to
//! or taken from plain numbers alone (`1.0 - share`).

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::traced::{Chain, Traced};
use crate::quantity::Measure;

/// Quantity with quantity: the types say what comes of it.
macro_rules! between {
    ($trait:ident $method:ident $sign:literal $chain:ident: $(($left:ty, $right:ty))+) => {$(
        impl<A, B, R> $trait<$right> for $left
        where
            A: Measure + $trait<B, Output = R>,
            B: Measure,
            R: Measure,
        {
            type Output = Traced<R>;
            fn $method(self, other: $right) -> Traced<R> {
                self.combine(&other, self.value().$method(other.value()), $sign, Chain::$chain)
            }
        }
    )+};
}

/// A multiple or a part of a quantity.
macro_rules! scaled {
    ($trait:ident $method:ident $sign:literal: $($left:ty)+) => {$(
        impl<Q: Measure> $trait<f64> for $left {
            type Output = Traced<Q>;
            fn $method(self, other: f64) -> Traced<Q> {
                let value = Q::from_stored(self.value().stored().$method(other));
                self.combine(&Traced::constant(other), value, $sign, Chain::Product)
            }
        }
    )+};
}

/// A number more or less than one, whatever its role.
macro_rules! shifted {
    ($trait:ident $method:ident $sign:literal: $($traced:ty)+) => {$(
        impl<Q: Measure> $trait<f64> for $traced {
            type Output = Traced<f64>;
            fn $method(self, other: f64) -> Traced<f64> {
                let number = self.number();
                number.combine(&Traced::constant(other), number.value().$method(other), $sign, Chain::Sum)
            }
        }

        impl<Q: Measure> $trait<$traced> for f64 {
            type Output = Traced<f64>;
            fn $method(self, other: $traced) -> Traced<f64> {
                let number = other.number();
                let value = self.$method(number.value());
                Traced::constant(self).combine(&number, value, $sign, Chain::Sum)
            }
        }
    )+};
}

/// A number with a quantity on its right.
macro_rules! from_number {
    ($($right:ty, $plain:ty;)+) => {$(
        impl<Q: Measure> Mul<$right> for f64 {
            type Output = Traced<Q>;
            fn mul(self, other: $right) -> Traced<Q> {
                let value = Q::from_stored(self * other.value().stored());
                Traced::constant(self).combine(&other, value, 1, Chain::Product)
            }
        }

        impl Div<$plain> for f64 {
            type Output = Traced<f64>;
            fn div(self, other: $plain) -> Traced<f64> {
                Traced::constant(self).combine(&other, self / other.value(), -1, Chain::Product)
            }
        }
    )+};
}

/// The opposite.
macro_rules! negative {
    ($($traced:ty)+) => {$(
        impl<Q: Measure + Neg<Output = Q>> Neg for $traced {
            type Output = Traced<Q>;
            fn neg(self) -> Traced<Q> {
                self.negated()
            }
        }
    )+};
}

macro_rules! operator {
    ($trait:ident $method:ident $sign:literal $chain:ident) => {
        between!($trait $method $sign $chain:
            (&Traced<A>, &Traced<B>)
            (&Traced<A>, Traced<B>)
            (Traced<A>, &Traced<B>)
            (Traced<A>, Traced<B>)
        );
    };
}

operator!(Mul mul 1 Product);
operator!(Div div -1 Product);
operator!(Add add 1 Sum);
operator!(Sub sub -1 Sum);
scaled!(Mul mul 1: &Traced<Q> Traced<Q>);
scaled!(Div div -1: &Traced<Q> Traced<Q>);
shifted!(Add add 1: &Traced<Q> Traced<Q>);
shifted!(Sub sub -1: &Traced<Q> Traced<Q>);
from_number!(&Traced<Q>, &Traced<f64>; Traced<Q>, Traced<f64>;);
negative!(&Traced<Q> Traced<Q>);
