//! Seeded random numbers that do not depend on the order in which streams are drawn.
//!
//! Every stream is the `SplitMix64` sequence (Steele, Lea and Flood, OOPSLA 2014) of its own seed.
//! Arrivals and lengths therefore stay the same while something else about a run changes: common
//! random numbers, with which two rates can be compared with little noise. The simulator draws its
//! traffic and `study::uncertainty` its inputs from here; the same seed gives the same bytes on
//! every machine.
//!
//! ```
//! use flopcast_core::random::Stream;
//! let (mut one, mut same) = (Stream::new(7, 1), Stream::new(7, 1));
//! assert_eq!(one.bits(), same.bits());
//! assert!((0.0..1.0).contains(&one.uniform()));
//! ```

/// One stream of random numbers.
#[derive(Clone, Debug)]
pub struct Stream {
    state: u64,
    spare: Option<f64>,
}

impl Stream {
    /// The stream called `name` of a run with this seed; equal seeds and names give equal streams.
    pub fn new(seed: u64, name: u64) -> Self {
        Self { state: mix(seed ^ mix(name.wrapping_add(0x9e37_79b9_7f4a_7c15))), spare: None }
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// Uniform in (0, 1): (k + 1/2) / 2^53 for the upper 53 of the next bits. It is never 0, so its
    /// logarithm is finite.
    pub fn uniform(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform over the whole numbers `low..=high`: low + floor(bits x width / 2^64). `low` is at
    /// most `high`.
    pub fn between(&mut self, low: u32, high: u32) -> u32 {
        let width = u64::from(high - low) + 1;
        low + ((u128::from(self.bits()) * u128::from(width)) >> 64) as u32
    }

    /// Exponential with mean 1, by inversion: -ln U.
    pub fn exponential(&mut self) -> f64 {
        -self.uniform().ln()
    }

    /// Normal with mean 0 and variance 1 (Marsaglia's polar method).
    pub fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let (x, y) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let square = x * x + y * y;
            if square < 1.0 && square > 0.0 {
                let scale = (-2.0 * square.ln() / square).sqrt();
                self.spare = Some(y * scale);
                return x * scale;
            }
        }
    }

    /// Gamma with mean 1 and this shape, so its variance is 1 / shape (Marsaglia and Tsang, ACM
    /// TOMS 26(3), 2000). A shape below 1 draws from shape + 1 and multiplies by U^(1 / shape).
    pub fn gamma(&mut self, shape: f64) -> f64 {
        let boosted = if shape < 1.0 { shape + 1.0 } else { shape };
        let d = boosted - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        let sample = loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && self.uniform().ln() < 0.5 * x * x + d * (1.0 - v + v.ln()) {
                break d * v;
            }
        };
        let boost = if shape < 1.0 { self.uniform().powf(1.0 / shape) } else { 1.0 };
        sample * boost / shape
    }
}

/// The output function of `SplitMix64`, which spreads each bit of the state over the whole word.
fn mix(state: u64) -> u64 {
    let mut z = state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Quantile of the standard normal distribution (Acklam's rational approximation, relative error
/// below 1.15e-9).
pub fn normal_quantile(p: f64) -> f64 {
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
    fn normal_quantiles_are_the_textbook_ones() {
        for (p, z) in
            [(0.5, 0.0), (0.95, 1.644_853_627), (0.001, -3.090_232_306), (0.99, 2.326_347_874)]
        {
            assert!((normal_quantile(p) - z).abs() < 1e-8, "{p}");
        }
    }

    fn check(name: &str, mean: f64, variance: f64, mut draw: impl FnMut(&mut Stream) -> f64) {
        let (mut stream, n) = (Stream::new(7, 1), 200_000);
        let (mut sum, mut square) = (0.0, 0.0);
        for _ in 0..n {
            let x = draw(&mut stream);
            sum += x;
            square += x * x;
        }
        let got = sum / f64::from(n);
        let spread = square / f64::from(n) - got * got;
        assert!((got - mean).abs() < 0.02, "{name}: mean {got}");
        assert!((spread - variance).abs() < 0.05 * variance.max(0.1), "{name}: variance {spread}");
    }

    #[test]
    fn moments_are_those_of_the_distribution() {
        check("uniform", 0.5, 1.0 / 12.0, Stream::uniform);
        check("exponential", 1.0, 1.0, Stream::exponential);
        check("normal", 0.0, 1.0, Stream::normal);
        check("gamma 4", 1.0, 0.25, |s| s.gamma(4.0));
        check("gamma 0.5", 1.0, 2.0, |s| s.gamma(0.5));
        check("dice", 3.5, 35.0 / 12.0, |s| f64::from(s.between(1, 6)));
    }

    #[test]
    fn streams_are_reproducible_and_distinct() {
        let draw = |seed, name| Stream::new(seed, name).bits();
        assert_eq!(draw(1, 1), draw(1, 1));
        assert_ne!(draw(1, 1), draw(1, 2));
        assert_ne!(draw(1, 1), draw(2, 1));
    }
}
