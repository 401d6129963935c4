//! Distributions of uncertain quantities, with their quantiles.
//!
//! A range of two percentiles, the 5th and the 95th, is normal on a scale f (`Scale`), so its
//! median is f⁻¹((f(low) + f(high)) / 2): the geometric mean for a positive quantity. A triple of
//! extremes and mode is a PERT distribution (Malcolm et al. 1959). `study::uncertainty` draws
//! inputs by their quantiles; `kernel` and the calibrations state their errors as lognormal ones.
//!
//! ```
//! use flopcast_core::quantity::{Distribution, Scale};
//! let range = Distribution::range(1.0, 4.0, Scale::Log);
//! assert!((range.quantile(0.5) - 2.0).abs() < 1e-9);
//! assert!((range.quantile(0.95) - 4.0).abs() < 1e-6);
//! ```

use statrs::distribution::{Beta, ContinuousCDF};
use statrs::function::erf::{erf, erf_inv};

/// The scale on which a quantity known by a range is normally distributed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// f(x) = x, for a quantity that may be negative: the normal distribution.
    Linear,
    /// f(x) = ln x, for a positive quantity: the lognormal distribution.
    Log,
    /// f(x) = ln(x / (1 - x)), for a share: the logit-normal distribution.
    Logit,
    /// f(x) = ln(x - bound), for a quantity above a bound: the shifted lognormal distribution.
    LogAbove(f64),
}

/// The distribution of an uncertain quantity, over stored values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distribution {
    /// Normal on a scale, known by its 5th and 95th percentile.
    Range {
        /// The 5th percentile.
        low: f64,
        /// The 95th percentile.
        high: f64,
        /// The scale on which it is normal.
        scale: Scale,
    },
    /// PERT: a beta distribution on `[low, high]` with the parameters 1 + 4 (mode - low) / (high -
    /// low) and 1 + 4 (high - mode) / (high - low) (Malcolm et al. 1959).
    Pert {
        /// The least value.
        low: f64,
        /// The likeliest value.
        mode: f64,
        /// The greatest value.
        high: f64,
    },
}

/// The 95th percentile of the standard normal distribution.
const Z95: f64 = 1.644_853_626_951_472_2;
/// The quantile 0.9 of the standard normal distribution.
const Z90: f64 = 1.2816;

impl Scale {
    /// f: from a value to the scale.
    fn forward(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Log => value.ln(),
            Self::Logit => (value / (1.0 - value)).ln(),
            Self::LogAbove(bound) => (value - bound).ln(),
        }
    }

    /// f⁻¹: from the scale to a value.
    fn back(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Log => value.exp(),
            Self::Logit => 1.0 / (1.0 + (-value).exp()),
            Self::LogAbove(bound) => bound + value.exp(),
        }
    }
}

impl Distribution {
    /// A range between the 5th and the 95th percentile. A range that touches its scale's bound,
    /// where f is infinite, is distributed on the linear scale.
    pub fn range(low: f64, high: f64, scale: Scale) -> Self {
        let finite = scale.forward(low).is_finite() && scale.forward(high).is_finite();
        Self::Range { low, high, scale: if finite { scale } else { Scale::Linear } }
    }

    /// The lognormal distribution of a median and a standard deviation of its logarithm. Its range
    /// of 90 % is median x exp(-1.645 deviation) to median x exp(1.645 deviation).
    pub fn lognormal(median: f64, deviation: f64) -> Self {
        let factor = (Z95 * deviation).exp();
        Self::Range { low: median / factor, high: median * factor, scale: Scale::Log }
    }

    /// The lognormal distribution of a median, 80 % of which lies within median x exp(-half width) to
    /// median x exp(half width): the interval of a prediction.
    pub fn of_half_width(median: f64, half_width: f64) -> Self {
        Self::lognormal(median, half_width / Z90)
    }

    /// The lognormal distribution of a value that was known some years ago, or will be needed in some:
    /// ln(value then / median) has the standard deviation `yearly` x sqrt(years), that of a random
    /// walk. `None` where nothing can have changed.
    pub fn drift(median: f64, yearly: f64, years: f64) -> Option<Self> {
        let deviation = yearly * years.abs().sqrt();
        (median > 0.0 && deviation > 0.0 && deviation.is_finite())
            .then(|| Self::lognormal(median, deviation))
    }

    /// The distribution of a positive factor times the quantity; a scale with a bound moves with it.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        match self {
            Self::Range { low, high, scale } => {
                let scale = match scale {
                    Scale::LogAbove(bound) => Scale::LogAbove(bound * factor),
                    other => other,
                };
                Self::Range { low: low * factor, high: high * factor, scale }
            }
            Self::Pert { low, mode, high } => {
                Self::Pert { low: low * factor, mode: mode * factor, high: high * factor }
            }
        }
    }

    /// The value below which a part `share` of the distribution lies, 0 < `share` < 1.
    ///
    /// A range gives f⁻¹(m + z (f(high) - f(low)) / (2 x 1.645)), where m is the middle of f(low)
    /// and f(high), and z the standard normal quantile of `share`.
    pub fn quantile(&self, share: f64) -> f64 {
        match *self {
            Self::Range { low, high, scale } => {
                let (low, high) = (scale.forward(low), scale.forward(high));
                let z = std::f64::consts::SQRT_2 * erf_inv(2.0 * share - 1.0);
                scale.back(f64::midpoint(low, high) + (high - low) / 2.0 * z / Z95)
            }
            Self::Pert { low, mode, high } => {
                let width = high - low;
                let (a, b) = (1.0 + 4.0 * (mode - low) / width, 1.0 + 4.0 * (high - mode) / width);
                // The parameters of a PERT distribution lie between 1 and 5.
                Beta::new(a, b).map_or(mode, |beta| low + width * beta.inverse_cdf(share))
            }
        }
    }

    /// The part of the distribution that lies below a value, 0 to 1: the inverse of
    /// [`Self::quantile`].
    pub fn below(&self, value: f64) -> f64 {
        match *self {
            Self::Range { low, high, scale } => {
                let (low, high) = (scale.forward(low), scale.forward(high));
                let z =
                    (scale.forward(value) - f64::midpoint(low, high)) / (high - low) * 2.0 * Z95;
                f64::midpoint(1.0, erf(z / std::f64::consts::SQRT_2))
            }
            Self::Pert { low, mode, high } => {
                let width = high - low;
                let (a, b) = (1.0 + 4.0 * (mode - low) / width, 1.0 + 4.0 * (high - mode) / width);
                let at = (value - low) / width;
                Beta::new(a, b).map_or(f64::from(value > mode), |beta| beta.cdf(at))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_distribution() {
        let check = |d: Distribution, share: f64, expected: f64| {
            let value = d.quantile(share);
            assert!((value / expected - 1.0).abs() < 1e-6, "{d:?} at {share}: {value}");
            let below = d.below(value);
            assert!((below - share).abs() < 1e-6, "{d:?} below {value}: {below}");
        };
        let price = Distribution::range(2.0, 3.0, Scale::Log);
        check(price, 0.05, 2.0);
        check(price, 0.95, 3.0);
        check(price, 0.5, 6f64.sqrt());
        check(Distribution::range(1.1, 1.4, Scale::LogAbove(1.0)), 0.5, 1.2);
        check(Distribution::range(0.2, 0.8, Scale::Logit), 0.5, 0.5);
        check(Distribution::range(0.0, 2.0, Scale::Log), 0.5, 1.0);
        check(Distribution::Pert { low: 0.0, mode: 5.0, high: 10.0 }, 0.5, 5.0);
        check(Distribution::lognormal(10.0, 0.2), 0.841_344_746, 10.0 * 0.2f64.exp());
        let aged = |years| Distribution::drift(10.0, 0.1, years);
        check(aged(4.0).unwrap(), 0.841_344_746, 10.0 * 0.2f64.exp());
        assert_eq!((aged(0.0), aged(-1.0)), (None, aged(1.0)));
    }
}
