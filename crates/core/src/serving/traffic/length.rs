//! How long prompts and answers are.

use crate::diagnostic::{Error, Result};
use crate::random::{Stream, normal_quantile};

/// Distribution of a number of tokens; every draw is at least 1.
#[derive(Clone, Debug, PartialEq)]
pub enum Lengths {
    /// Always this many.
    Fixed(u32),
    /// Any whole number between the two, equally likely.
    Uniform(u32, u32),
    /// Lognormal with these parameters of the logarithm, cut off at `most`.
    Lognormal {
        /// Mean of the logarithm.
        mu: f64,
        /// Standard deviation of the logarithm.
        sigma: f64,
        /// Longer draws become this.
        most: u32,
    },
}

/// Longer than any context window; keeps sums of tokens far from overflow.
const MOST: u32 = 1 << 28;

impl Lengths {
    /// The lognormal with this mean and this percentile: `share` of the draws are at most `value`.
    ///
    /// With z the normal quantile of `share`, sigma is the smaller root of
    /// sigma^2/2 - z sigma + ln(value / mean) = 0 and mu = ln(mean) - sigma^2/2.
    ///
    /// # Errors
    /// If no lognormal has that mean and that percentile.
    pub fn lognormal(mean: f64, share: f64, value: f64, most: Option<u32>) -> Result<Self> {
        if !(mean >= 1.0 && value.is_finite() && mean.is_finite()) {
            return Err(Error::input(format!("a mean of {mean} tokens is not possible"))
                .hint("lengths are at least 1 token"));
        }
        if !(0.5..1.0).contains(&share) {
            return Err(Error::input(format!("a percentile of {share} does not fix a lognormal"))
                .hint("use one above the median, such as p95"));
        }
        let z = normal_quantile(share);
        let ratio = (value / mean).ln();
        let root = z * z - 2.0 * ratio;
        let sigma = z - root.sqrt();
        if !(root >= 0.0 && sigma >= 0.0) {
            let most = mean * (z * z / 2.0).exp();
            return Err(Error::input(format!(
                "no lognormal has a mean of {mean} and a p{:.0} of {value}",
                share * 100.0
            ))
            .hint(format!("with that mean the percentile lies between {mean:.0} and {most:.0}")));
        }
        let mu = mean.ln() - sigma * sigma / 2.0;
        Ok(Self::Lognormal { mu, sigma, most: most.unwrap_or(MOST).clamp(1, MOST) })
    }

    /// Mean and 95th percentile of the lognormal with the mean and the variance of these numbers,
    /// as far
    /// as one has both.
    pub fn like(numbers: impl Iterator<Item = f64>) -> (f64, f64) {
        let (count, sum, squares) = numbers
            .fold((0.0_f64, 0.0, 0.0), |(count, sum, squares), it| {
                (count + 1.0, sum + it, squares + it * it)
            });
        let mean = sum / count.max(1.0);
        (mean, Self::p95_of(mean, (squares / count.max(1.0) - mean * mean).max(0.0)))
    }

    /// 95th percentile of the lognormal with this mean and variance, as far as one has both.
    pub fn p95_of(mean: f64, variance: f64) -> f64 {
        let z = normal_quantile(0.95);
        let sigma = (1.0 + variance / (mean * mean).max(f64::MIN_POSITIVE)).ln().sqrt().min(z);
        mean * (z * sigma - sigma * sigma / 2.0).exp()
    }

    /// The variance of the lognormal of a mean and a 95th percentile, as far as one has both.
    pub fn variance_of(mean: f64, p95: f64) -> f64 {
        let z = normal_quantile(0.95);
        let sigma = z - (z * z - 2.0 * (p95 / mean).max(1.0).ln()).max(0.0).sqrt();
        mean * mean * (sigma * sigma).exp_m1()
    }

    /// The mean, the cut-off left out of account.
    pub fn mean(&self) -> f64 {
        match self {
            Self::Fixed(tokens) => f64::from(*tokens),
            Self::Uniform(low, high) => 0.5 * (f64::from(*low) + f64::from(*high)),
            Self::Lognormal { mu, sigma, .. } => (mu + sigma * sigma / 2.0).exp(),
        }
    }

    /// Prompt and output tokens of one request after the other, without end.
    pub fn pairs(input: Self, output: Self, seed: u64) -> impl Iterator<Item = (u32, u32)> {
        let mut stream = Stream::new(seed, 3);
        std::iter::repeat_with(move || (input.draw(&mut stream), output.draw(&mut stream)))
    }

    /// A length from this distribution, at least one token.
    pub(crate) fn draw(&self, stream: &mut Stream) -> u32 {
        match self {
            Self::Fixed(tokens) => (*tokens).max(1),
            Self::Uniform(low, high) => stream.between(*low.min(high), *high.max(low)).max(1),
            Self::Lognormal { mu, sigma, most } => {
                ((mu + sigma * stream.normal()).exp().round() as u32).clamp(1, *most)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lognormal_has_the_mean_and_percentile_asked_for() {
        let lengths = Lengths::lognormal(1155.0, 0.95, 4000.0, None).unwrap();
        let mut stream = Stream::new(1, 1);
        let mut draws: Vec<u32> = (0..200_000).map(|_| lengths.draw(&mut stream)).collect();
        draws.sort_unstable();
        let mean = draws.iter().map(|d| f64::from(*d)).sum::<f64>() / draws.len() as f64;
        let p95 = f64::from(draws[draws.len() * 95 / 100]);
        assert!((mean / 1155.0 - 1.0).abs() < 0.01, "{mean}");
        assert!((p95 / 4000.0 - 1.0).abs() < 0.02, "{p95}");
        assert!((lengths.mean() / 1155.0 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn recorded_lengths_become_a_lognormal_of_their_variance() {
        let lengths = Lengths::lognormal(1155.0, 0.95, 4000.0, None).unwrap();
        let mut stream = Stream::new(1, 1);
        let (mean, p95) = Lengths::like((0..400_000).map(|_| lengths.draw(&mut stream).into()));
        assert!((mean / 1155.0 - 1.0).abs() < 0.01, "{mean}");
        assert!((p95 / 4000.0 - 1.0).abs() < 0.03, "{p95}");
        assert_eq!(Lengths::like([7.0, 7.0].into_iter()), (7.0, 7.0));
    }

    #[test]
    fn impossible_lengths_are_refused() {
        for (mean, share, value) in [
            (1000.0, 0.95, 10_000.0),
            (1000.0, 0.95, 500.0),
            (0.0, 0.95, 10.0),
            (f64::NAN, 0.95, 10.0),
            (10.0, 0.3, 10.0),
            (10.0, 1.0, 20.0),
        ] {
            assert!(
                Lengths::lognormal(mean, share, value, None).is_err(),
                "{mean} {share} {value}"
            );
        }
        assert!(Lengths::lognormal(100.0, 0.95, 100.0, None).is_ok());
    }
}
