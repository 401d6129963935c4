//! The dimension of a quantity as a value, for the parts that handle any quantity alike: text and
//! derivations.
//!
//! A [`Dimension`] is the twelve exponents of the base quantities of [`super::system`]. [`Measure`]
//! ties it to the types: a value can be read and written by its stored number and its dimension
//! alone, which is how text, ranges, derivations and figures treat all quantities by the same code.

use uom::typenum::Integer;

use super::spread::Scale;
use super::system::{Dimension as StaticDimension, Quantity, Units};

/// The exponents of the base quantities, in the order of [`BASES`]: `J/device/s` is 1 for J, -1 for
/// s and device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dimension(pub [i8; BASES.len()]);

/// Symbols of the base quantities' stored units. One device-hour is stored as 3,600 device-seconds,
/// one kWh as 3.6e6 J.
pub const BASES: [&str; 12] = [
    "s", "J", "USD", "kgCO2e", "FLOP", "B", "token", "sample", "request", "L", "device", "instance",
];

/// Seconds of a Julian year of 365.25 days.
const YEAR: f64 = 365.25 * 86_400.0;
/// The longest time of a run, a retention or a life, in seconds.
pub const CENTURY: f64 = 100.0 * YEAR;
/// The largest amount that may be given, in stored units. Below it, products of several amounts
/// stay finite.
const MOST: f64 = 1e24;

impl Dimension {
    /// The dimension of a plain number.
    pub const NONE: Self = Self([0; BASES.len()]);
    /// Positions of the base quantities that are merely counted (token, sample, request, device,
    /// instance). A text may leave these unsaid ("330 W" of a device), except in a price.
    const COUNTED: [usize; 5] = [6, 7, 8, 10, 11];
    /// Position of money.
    const MONEY: usize = 2;

    /// The dimension of one base quantity to a power; `index` is its position in [`BASES`].
    pub const fn base(index: usize, exponent: i8) -> Self {
        let mut exponents = [0; BASES.len()];
        exponents[index] = exponent;
        Self(exponents)
    }

    /// True if both are the same, at compile time too.
    pub const fn same(self, other: Self) -> bool {
        let mut i = 0;
        while i < BASES.len() {
            if self.0[i] != other.0[i] {
                return false;
            }
            i += 1;
        }
        true
    }

    /// The dimension of a product: the exponents add up. With `sign` -1 it is that of a quotient.
    #[must_use]
    pub fn times(self, other: Self, sign: i8) -> Self {
        let mut sum = self.0;
        for (mine, theirs) in sum.iter_mut().zip(other.0) {
            *mine += sign * theirs;
        }
        Self(sum)
    }

    /// True if a text of dimension `said` may stand for this one: it is the same, or leaves out
    /// counted quantities and this is no price.
    pub fn admits(self, said: Self) -> bool {
        self == said
            || self.0[Self::MONEY] == 0
                && (0..BASES.len())
                    .all(|i| self.0[i] == said.0[i] || said.0[i] == 0 && Self::COUNTED.contains(&i))
    }

    /// True for a price of devices or instances, per time: such a text must say which of them it
    /// counts.
    pub fn is_price_of_count(self) -> bool {
        self.0[Self::MONEY] == 1 && (self.0[10] != 0 || self.0[11] != 0)
    }

    /// True for money, or money for something.
    pub fn is_money(self) -> bool {
        self.0[Self::MONEY] == 1
    }

    /// Checks a given value of this dimension, in the stored unit: an amount is from 0 to 1e24, a
    /// time at most a century, and a yearly change above -100 % and at most +10,000 %.
    ///
    /// # Errors
    /// If it is outside: the reason, in words for the user.
    pub fn admits_value(self, stored: f64) -> Result<(), String> {
        let shown = || super::text::show_stored(stored, self);
        if self == Self::base(0, -1) {
            return match stored * YEAR {
                change if change <= -1.0 => {
                    Err(format!("what is there falls by less than 100 % a year, not {}", shown()))
                }
                change if change <= 100.0 => Ok(()),
                _ => Err(format!("{} is more than a hundredfold a year", shown())),
            };
        }
        if self == Self::base(0, 1) && stored > CENTURY {
            return Err(format!("{} is longer than 100 years", shown()));
        }
        match stored {
            amount if amount < 0.0 => Err(format!("{} cannot be negative", shown())),
            amount if amount <= MOST => Ok(()),
            _ => Err(format!("{} is more than there is of anything", shown())),
        }
    }

    /// The unit that values of this dimension are stored in, as text: `J/kgCO2e`.
    pub fn stored_unit(self) -> String {
        let part = |sign: i8| {
            let factors = BASES.iter().zip(self.0).filter(|(_, e)| e * sign > 0);
            factors
                .map(|(symbol, e)| match e.abs() {
                    1 => (*symbol).to_owned(),
                    power => format!("{symbol}^{power}"),
                })
                .collect::<Vec<_>>()
        };
        let (over, under) = (part(1).join("-"), part(-1));
        match (over.as_str(), under.len()) {
            (_, 0) => over,
            ("", _) => format!("1/{}", under.join("/")),
            _ => format!("{over}/{}", under.join("/")),
        }
    }
}

/// A value with a dimension known to the compiler.
pub trait Measure: Copy {
    /// The value's dimension.
    const DIMENSION: Dimension;
    /// The scale on which a range of it is normally distributed when quantiles are drawn.
    const SCALE: Scale = Scale::Log;
    /// The value in the stored unit (see [`Dimension::stored_unit`]).
    fn stored(self) -> f64;
    /// The quantity whose number of stored units is `value`.
    fn from_stored(value: f64) -> Self;

    /// Checks that a given value makes sense in its dimension: see [`Dimension::admits_value`].
    ///
    /// # Errors
    /// If it does not: the reason, in words for the user.
    fn check(self) -> Result<(), String> {
        Self::DIMENSION.admits_value(self.stored())
    }
}

impl<D: StaticDimension + ?Sized, U: Units<f64> + ?Sized> Measure for Quantity<D, U, f64> {
    const DIMENSION: Dimension = Dimension([
        D::Ti::I8,
        D::En::I8,
        D::Mo::I8,
        D::Co::I8,
        D::Fl::I8,
        D::By::I8,
        D::To::I8,
        D::Sa::I8,
        D::Re::I8,
        D::Wa::I8,
        D::De::I8,
        D::In::I8,
    ]);
    fn stored(self) -> f64 {
        self.value
    }
    fn from_stored(value: f64) -> Self {
        Self { dimension: std::marker::PhantomData, units: std::marker::PhantomData, value }
    }
}

impl Measure for f64 {
    const DIMENSION: Dimension = Dimension::NONE;
    fn stored(self) -> f64 {
        self
    }
    fn from_stored(value: f64) -> Self {
        value
    }
}
