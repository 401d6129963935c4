//! An exact Gaussian process: what measured points say about others, and how sure that is.
//!
//! ```text
//! k(a, b) = s M(r) + l a.b + 1        M(r) = (1 + u + u^2 / 3) e^-u,  u = sqrt(5) r
//! r^2     = sum over features of (a_i - b_i)^2 / length_i^2
//! mean    = k* K^-1 y                  variance = k** - k* K^-1 k*     K = k(X, X) + noise
//! ```
//! (Rasmussen and Williams 2006, eq. 2.25, 4.17). Lengths, signal, slope and noise are those of the
//! greatest marginal likelihood (eq. 5.8) under wide priors that keep few points from being
//! explained by many lengths. What a left-out point would have been is a closed form of the same factor,
//! eq. 5.12, by constants that were fitted without it: those of all points have seen it.
//!
//! It needs no more than a factor of a few hundred rows, which is written out here: a crate for
//! linear algebra would cost the first build more than this file has lines.

/// A process fitted to points.
#[derive(Clone, Debug)]
pub struct Gaussian {
    points: Vec<Vec<f64>>,
    /// The lower factor of K, row by row.
    factor: Vec<Vec<f64>>,
    /// K^-1 y.
    weights: Vec<f64>,
    constants: Constants,
    /// Mean and spread of the values, which the process sees as 0 and 1.
    mean: f64,
    spread: f64,
    /// What every point would have been, had it been left out.
    left_out: Vec<LeftOut>,
}

/// What a point would have been, had it been left out.
#[derive(Clone, Copy, Debug)]
pub struct LeftOut {
    /// The mean, by constants that were fitted to the other half of the points.
    pub mean: f64,
    /// The standard deviation that the process itself states.
    pub deviation: f64,
}

/// The constants of the kernel, as logarithms: a length per feature, then signal, slope, noise.
#[derive(Clone, Debug)]
struct Constants(Vec<f64>);

/// Centres and widths of the priors of the logarithms.
const LENGTH: (f64, f64) = (0.7, 1.2);
const SIGNAL: (f64, f64) = (-1.0, 1.5);
const SLOPE: (f64, f64) = (-2.0, 1.5);
const NOISE: (f64, f64) = (-4.0, 1.5);

/// Points that the constants are fitted to; more add little, and time with their cube.
const MOST_FITTED: usize = 256;
/// Steps of the fit that are tried at most.
const MOST_STEPS: usize = 400;
/// The least step of a logarithm.
const LEAST_STEP: f64 = 0.1;

impl Constants {
    fn new(features: usize) -> Self {
        let mut start = vec![LENGTH.0; features];
        start.extend([SIGNAL.0, SLOPE.0, NOISE.0]);
        Self(start)
    }

    fn features(&self) -> usize {
        self.0.len() - 3
    }

    fn prior(&self, at: usize) -> (f64, f64) {
        match at.checked_sub(self.features()) {
            None => LENGTH,
            Some(0) => SIGNAL,
            Some(1) => SLOPE,
            Some(_) => NOISE,
        }
    }

    /// ln of the prior, up to a constant.
    fn likely(&self) -> f64 {
        let each = self.0.iter().enumerate().map(|(at, value)| {
            let (centre, width) = self.prior(at);
            -0.5 * ((value - centre) / width).powi(2)
        });
        each.sum()
    }

    fn noise(&self) -> f64 {
        self.0[self.features() + 2].exp() + 1e-9
    }

    fn kernel(&self, a: &[f64], b: &[f64]) -> f64 {
        let (mut square, mut product) = (0.0, 0.0);
        for ((a, b), length) in a.iter().zip(b).zip(&self.0) {
            square += ((a - b) * (-length).exp()).powi(2);
            product += a * b;
        }
        let u = (5.0 * square).sqrt();
        let features = self.features();
        let (signal, slope) = (self.0[features].exp(), self.0[features + 1].exp());
        signal * (1.0 + u + u * u / 3.0) * (-u).exp() + slope * product + 1.0
    }

    /// The lower factor of K; none where rounding leaves it without one.
    fn factor(&self, points: &[Vec<f64>]) -> Option<Vec<Vec<f64>>> {
        let mut rows: Vec<Vec<f64>> = Vec::with_capacity(points.len());
        for (at, point) in points.iter().enumerate() {
            let mut row: Vec<f64> =
                points[..=at].iter().map(|other| self.kernel(point, other)).collect();
            row[at] += self.noise();
            for column in 0..=at {
                let (known, rest) = row.split_at(column);
                let other = if column == at { known } else { &rows[column][..column] };
                let sum: f64 = known.iter().zip(other).map(|(a, b)| a * b).sum();
                let value = rest[0] - sum;
                row[column] = if column == at {
                    if value <= 0.0 {
                        return None;
                    }
                    value.sqrt()
                } else {
                    value / rows[column][column]
                };
            }
            rows.push(row);
        }
        Some(rows)
    }

    /// ln of the marginal likelihood and the prior, up to a constant.
    fn evidence(&self, points: &[Vec<f64>], values: &[f64]) -> f64 {
        let Some(factor) = self.factor(points) else { return f64::NEG_INFINITY };
        let whitened = forward(&factor, values);
        let fit: f64 = whitened.iter().map(|it| it * it).sum();
        let size: f64 = factor.iter().enumerate().map(|(at, row)| row[at].ln()).sum();
        self.likely() - 0.5 * fit - size
    }

    /// The constants of the greatest evidence, by steps along one logarithm after the other.
    fn fitted(features: usize, points: &[Vec<f64>], values: &[f64]) -> Self {
        let mut best = Self::new(features);
        let mut evidence = best.evidence(points, values);
        let (mut step, mut tried) = (1.6, 0);
        while step > LEAST_STEP && tried < MOST_STEPS {
            let mut better = false;
            for at in 0..best.0.len() {
                for side in [step, -step] {
                    let mut other = best.clone();
                    other.0[at] += side;
                    let found = other.evidence(points, values);
                    tried += 1;
                    if found > evidence {
                        (best, evidence, better) = (other, found, true);
                        break;
                    }
                }
            }
            if !better {
                step /= 2.0;
            }
        }
        best
    }
}

/// L^-1 b.
fn forward(factor: &[Vec<f64>], b: &[f64]) -> Vec<f64> {
    let mut x: Vec<f64> = Vec::with_capacity(b.len());
    for (row, b) in factor.iter().zip(b) {
        let sum: f64 = row.iter().zip(&x).map(|(a, x)| a * x).sum();
        x.push((b - sum) / row[x.len()]);
    }
    x
}

/// L^-T b.
fn backward(factor: &[Vec<f64>], mut b: Vec<f64>) -> Vec<f64> {
    for at in (0..b.len()).rev() {
        b[at] /= factor[at][at];
        let value = b[at];
        for (other, a) in b[..at].iter_mut().zip(&factor[at]) {
            *other -= a * value;
        }
    }
    b
}

/// The diagonal of K^-1 at a point: what is left of its variance is the inverse.
fn precision(factor: &[Vec<f64>], at: usize) -> f64 {
    let mut unit = vec![0.0; factor.len()];
    unit[at] = 1.0;
    forward(factor, &unit).iter().map(|it| it * it).sum()
}

impl Gaussian {
    /// Fits a process to points of equally many features, each of spread about 1, and their values.
    /// None for fewer than two points, or values that are all the same.
    pub fn fit(points: Vec<Vec<f64>>, values: &[f64]) -> Option<Self> {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let spread = (values.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / count).sqrt();
        if values.len() < 2 || spread <= 0.0 || !spread.is_finite() {
            return None;
        }
        let scaled: Vec<f64> = values.iter().map(|it| (it - mean) / spread).collect();
        let fitted = |kept: &dyn Fn(usize) -> bool| {
            let kept: Vec<usize> = (0..points.len()).filter(|at| kept(*at)).collect();
            // Evenly picked points stand for all.
            let some = || kept.iter().step_by(kept.len().div_ceil(MOST_FITTED));
            let of_some: Vec<f64> = some().map(|at| scaled[*at]).collect();
            let some: Vec<Vec<f64>> = some().map(|at| points[*at].clone()).collect();
            let constants = Constants::fitted(points[0].len(), &some, &of_some);
            let factor = constants.factor(&points)?;
            let weights = backward(&factor, forward(&factor, &scaled));
            Some((constants, factor, weights))
        };
        let (constants, factor, weights) = fitted(&|_| true)?;
        let halves = [fitted(&|at| at % 2 == 1)?, fitted(&|at| at % 2 == 0)?];
        let left_out = (0..points.len()).map(|at| {
            let (_, without, weighed) = &halves[at % 2];
            let value = scaled[at] - weighed[at] / precision(without, at);
            let deviation = precision(&factor, at).recip().sqrt();
            LeftOut { mean: mean + spread * value, deviation: spread * deviation }
        });
        let left_out = left_out.collect();
        Some(Self { points, factor, weights, constants, mean, spread, left_out })
    }

    /// Mean and standard deviation of a measurement at a point.
    pub fn predict(&self, point: &[f64]) -> (f64, f64) {
        let near: Vec<f64> =
            self.points.iter().map(|other| self.constants.kernel(point, other)).collect();
        let value: f64 = near.iter().zip(&self.weights).map(|(k, w)| k * w).sum();
        let known: f64 = forward(&self.factor, &near).iter().map(|it| it * it).sum();
        let own = self.constants.kernel(point, point) + self.constants.noise();
        let variance = (own - known).max(self.constants.noise());
        (self.mean + self.spread * value, self.spread * variance.sqrt())
    }

    /// What each point would have been, had it been left out.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }
}

#[cfg(test)]
mod tests {
    use flopcast_core::random::Stream;

    use super::*;

    fn sample(count: usize, noise: f64) -> (Vec<Vec<f64>>, Vec<f64>) {
        let mut random = Stream::new(3, 0);
        let point = |random: &mut Stream| vec![4.0 * random.uniform() - 2.0, random.normal()];
        let points: Vec<_> = (0..count).map(|_| point(&mut random)).collect();
        let value = |it: &Vec<f64>| 70.0 + 3.0 * it[0].sin() + it[1];
        let values = points.iter().map(|it| value(it) + noise * random.normal()).collect();
        (points, values)
    }

    #[test]
    fn a_smooth_law_is_learnt_and_its_noise_is_known() {
        let (points, values) = sample(40, 0.1);
        let process = Gaussian::fit(points, &values).unwrap();
        for at in [[0.5, 0.0], [-1.0, 0.7], [1.5, -0.4]] {
            let (mean, deviation) = process.predict(&at);
            let truth = 70.0 + 3.0 * at[0].sin() + at[1];
            assert!((mean - truth).abs() < 0.3, "{at:?}: {mean}, not {truth}");
            assert!((0.05..0.4).contains(&deviation), "{at:?}: {deviation}");
        }
        // Far from every point nobody knows.
        assert!(process.predict(&[40.0, 0.0]).1 > 1.0);
    }

    /// The closed form of a left-out point is a fit without it: its deviation by the same constants,
    /// its mean by constants that have not seen it.
    #[test]
    fn a_left_out_point_is_what_the_others_say() {
        let (points, values) = sample(12, 0.2);
        let whole = Gaussian::fit(points.clone(), &values).unwrap();
        let scaled: Vec<f64> = values.iter().map(|it| (it - whole.mean) / whole.spread).collect();
        for out in [0, 5, 11] {
            let kept = |at: &usize| *at != out;
            let rest: Vec<f64> = (0..12).filter(kept).map(|at| scaled[at]).collect();
            let others: Vec<_> = (0..12).filter(kept).map(|at| points[at].clone()).collect();
            let without = |constants: &Constants| {
                let mut process = whole.clone();
                process.points.clone_from(&others);
                process.constants = constants.clone();
                process.factor = constants.factor(&others).unwrap();
                process.weights = backward(&process.factor, forward(&process.factor, &rest));
                process.predict(&points[out])
            };
            let half = || (0..12).filter(|at| at % 2 != out % 2);
            let values: Vec<f64> = half().map(|at| scaled[at]).collect();
            let half: Vec<_> = half().map(|at| points[at].clone()).collect();
            let (mean, _) = without(&Constants::fitted(2, &half, &values));
            let (_, deviation) = without(&whole.constants);
            assert!((mean - whole.left_out[out].mean).abs() < 1e-6, "{out}");
            assert!((deviation - whole.left_out[out].deviation).abs() < 1e-6, "{out}");
        }
    }

    #[test]
    fn values_that_say_nothing_are_refused() {
        assert!(Gaussian::fit(vec![vec![0.0]], &[1.0]).is_none());
        assert!(Gaussian::fit(vec![vec![0.0], vec![1.0]], &[1.0, 1.0]).is_none());
    }
}
