//! How long prompts and answers are.

use crate::diagnostic::{Error, Result};
use crate::random::Stream;

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

/// Quantile of the standard normal distribution (Acklam's rational approximation, relative error
/// below 1.15e-9).
pub(crate) fn normal_quantile(p: f64) -> f64 {
    const A: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const B: [f64; 6] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
        1.0,
    ];
    const C: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const D: [f64; 5] = [
        7.784_695_709_041_462e-3,
        3.224_671_290_700_398e-1,
        2.445_134_137_142_996,
        3.754_408_661_907_416,
        1.0,
    ];
    let horner = |c: &[f64], x: f64| c.iter().fold(0.0, |sum, k| sum * x + k);
    if p > 0.5 {
        return -normal_quantile(1.0 - p);
    }
    if p < 0.02425 {
        let q = (-2.0 * p.ln()).sqrt();
        return horner(&C, q) / horner(&D, q);
    }
    let q = p - 0.5;
    horner(&A, q * q) * q / horner(&B, q * q)
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

    #[test]
    fn normal_quantiles_are_the_textbook_ones() {
        for (p, z) in
            [(0.5, 0.0), (0.95, 1.644_853_627), (0.001, -3.090_232_306), (0.99, 2.326_347_874)]
        {
            assert!((normal_quantile(p) - z).abs() < 1e-8, "{p}");
        }
    }
}
