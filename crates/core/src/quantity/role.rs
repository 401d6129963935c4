//! Dimensionless quantities by the role they play, each with the bounds that make sense of it.
//!
//! A role multiplies and divides any quantity and leaves its dimension as it is: a peak x an MFU is
//! a rate of useful FLOPs. Its bounds catch a share given in percent or a PUE below 1 where it is
//! read, and its scale says how a range of it is distributed (see [`super::spread`]).
//!
//! ```
//! use flopcast_core::quantity::{Pue, Share};
//! assert!(Share::new(0.4).is_ok());
//! assert_eq!(Pue::new(0.9).unwrap_err().to_string(), "PUE 0.9 is not between 1 and 5");
//! ```

use std::ops::{Div, Mul};

use super::dimension::{Dimension, Measure};
use super::spread::Scale;
use super::system::{Dimension as StaticDimension, Quantity, Units};

/// A number outside the bounds of a role; the message names the role and its bounds.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{name} {value} is not between {low} and {high}")]
pub struct OutOfRange {
    name: &'static str,
    value: f64,
    low: f64,
    high: f64,
}

macro_rules! roles {
    ($($(#[$doc:meta])* $name:ident = $text:literal in $low:literal ..= $high:literal, $scale:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
        pub struct $name(f64);

        impl $name {
            /// The role's value, if `value` lies within its bounds.
            ///
            /// # Errors
            /// [`OutOfRange`] if the number makes no sense in this role, NaN included.
            pub fn new(value: f64) -> Result<Self, OutOfRange> {
                if ($low..=$high).contains(&value) {
                    Ok(Self(value))
                } else {
                    Err(OutOfRange { name: $text, value, low: $low, high: $high })
                }
            }

            /// The plain number.
            pub fn get(self) -> f64 {
                self.0
            }
        }

        impl<D, U> Mul<$name> for Quantity<D, U, f64>
        where
            D: StaticDimension + ?Sized,
            U: Units<f64> + ?Sized,
        {
            type Output = Self;
            fn mul(self, factor: $name) -> Self {
                Self::from_stored(self.value * factor.0)
            }
        }

        impl<D, U> Div<$name> for Quantity<D, U, f64>
        where
            D: StaticDimension + ?Sized,
            U: Units<f64> + ?Sized,
        {
            type Output = Self;
            fn div(self, divisor: $name) -> Self {
                Self::from_stored(self.value / divisor.0)
            }
        }

        impl Measure for $name {
            const DIMENSION: Dimension = Dimension::NONE;
            const SCALE: Scale = $scale;
            fn stored(self) -> f64 {
                self.0
            }
            fn from_stored(value: f64) -> Self {
                Self(value)
            }
            fn check(self) -> Result<(), String> {
                Self::new(self.0).map(drop).map_err(|error| error.to_string())
            }
        }
    )+};
}

roles! {
    /// Model FLOPs utilisation: useful FLOPs / (time x dense peak), without those of recomputation
    /// (Chowdhery et al. 2022, arXiv:2204.02311, appendix B).
    Mfu = "MFU" in 1e-6 ..= 1.0, Scale::Logit;
    /// Power usage effectiveness: facility energy / IT energy, at least 1 (ISO/IEC 30134-2).
    Pue = "PUE" in 1.0 ..= 5.0, Scale::LogAbove(1.0);
    /// A part of a whole, 0 to 1.
    Share = "share" in 0.0 ..= 1.0, Scale::Logit;
}
