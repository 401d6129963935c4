//! The fit of the declared constants: maximum a posteriori on a logarithmic scale.
//!
//! Minimised is the sum over rows of w ρ(ln(predicted / measured) / 0.1) and over constants of
//! (ln(value / prior) / spread)², with ρ(x) = 2 (√(1 + x²) - 1), which a few odd rows cannot pull
//! far, and w = n^-0.4 for the n rows of the same publisher, model, generation and format, which
//! repeat each other. Levenberg-Marquardt (Moré 1978) with differences for derivatives.

use std::collections::BTreeMap;

use super::case::Case;
use crate::diagnostic::{Error, Result};
use crate::quantity::Measure;
use crate::training::calibration::Calibration;
use crate::training::platform::Platform;
use crate::training::step_time::step;

/// Standard deviation of ln(predicted / measured) that a good row is expected to have.
const NOISE: f64 = 0.1;
const ITERATIONS: usize = 25;
/// Relative gain below which the fit is done.
const GAIN: f64 = 1e-5;

/// The calibration whose constants fit the cases best, starting from the priors.
///
/// # Errors
/// No case has a throughput, or one runs on hardware without constants.
pub fn fit(cases: &[&Case], calibration: &Calibration) -> Result<Calibration> {
    let problem = Problem::new(cases, calibration)?;
    let mut at = vec![0.0; problem.free.len()];
    let mut residuals = problem.residuals(&at)?;
    let mut damping = 1e-2;
    for _ in 0..ITERATIONS {
        let jacobian = problem.jacobian(&at, &residuals)?;
        let before = square(&residuals);
        let mut improved = false;
        while damping < 1e6 {
            let Some(change) = solve(&jacobian, &residuals, damping) else {
                damping *= 10.0;
                continue;
            };
            let next: Vec<f64> = at.iter().zip(&change).map(|(a, c)| a - c).collect();
            let tried = problem.residuals(&next)?;
            if square(&tried) < before {
                (at, residuals, damping, improved) = (next, tried, damping / 5.0, true);
                break;
            }
            damping *= 5.0;
        }
        if !improved || before - square(&residuals) < GAIN * before {
            break;
        }
    }
    problem.at(&at)
}

/// Rows and constants of a fit. A point is, per free constant, its distance from the prior in
/// spreads.
struct Problem<'a> {
    calibration: &'a Calibration,
    /// Indices of the constants that may move.
    free: Vec<usize>,
    rows: Vec<PreparedRow<'a>>,
}

struct PreparedRow<'a> {
    case: &'a Case,
    platform: Platform,
    measured: f64,
    weight: f64,
}

impl<'a> Problem<'a> {
    fn new(cases: &[&'a Case], calibration: &'a Calibration) -> Result<Self> {
        let key =
            |case: &Case| (case.family(), case.generation.clone(), case.format.precision().name());
        let mut alike: BTreeMap<_, usize> = BTreeMap::new();
        for case in cases {
            *alike.entry(key(case)).or_default() += 1;
        }
        let mut rows = Vec::new();
        for case in cases {
            if let Some(measured) = case.throughput {
                rows.push(PreparedRow {
                    case,
                    platform: case.platform(calibration)?,
                    measured: measured.stored().ln(),
                    weight: (alike[&key(case)] as f64).powf(-0.4),
                });
            }
        }
        if rows.is_empty() {
            return Err(Error::input("there is no row with a throughput to fit to"));
        }
        let free = (0..calibration.constants.len())
            .filter(|&i| calibration.constants[i].spread > 0.0)
            .collect();
        Ok(Self { calibration, free, rows })
    }

    /// The calibration at a point.
    fn at(&self, point: &[f64]) -> Result<Calibration> {
        let mut calibration = self.calibration.clone();
        for (&index, distance) in self.free.iter().zip(point) {
            let constant = &mut calibration.constants[index];
            constant.value = constant.prior * (distance * constant.spread).exp();
        }
        calibration.general()?;
        Ok(calibration)
    }

    /// Weighted residuals of the rows, then distances from the priors.
    fn residuals(&self, point: &[f64]) -> Result<Vec<f64>> {
        let calibration = self.at(point)?;
        let general = calibration.general()?;
        let mut rates = BTreeMap::new();
        let mut residuals = Vec::with_capacity(self.rows.len() + point.len());
        for row in &self.rows {
            let class = (row.case.generation.as_str(), row.case.format.precision().name());
            let rates = if let Some(rates) = rates.get(&class) {
                *rates
            } else {
                let found = calibration.rates(class.0, class.1)?;
                rates.insert(class, found);
                found
            };
            let platform = row.platform.with_constants(general, rates);
            let case = row.case;
            let predicted = step(&case.transformer, &case.layout, case.batch, &platform);
            let error = (predicted.throughput.stored().ln() - row.measured) / NOISE;
            let robust = (2.0 * ((1.0 + error * error).sqrt() - 1.0)).sqrt().copysign(error);
            residuals.push(robust * row.weight.sqrt());
        }
        residuals.extend(point);
        Ok(residuals)
    }

    /// Columns of derivatives of the residuals.
    fn jacobian(&self, point: &[f64], residuals: &[f64]) -> Result<Vec<Vec<f64>>> {
        const STEP: f64 = 1e-4;
        let column = |i: usize| {
            let mut moved = point.to_vec();
            moved[i] += STEP;
            let there = self.residuals(&moved)?;
            Ok(there.iter().zip(residuals).map(|(there, here)| (there - here) / STEP).collect())
        };
        (0..point.len()).map(column).collect()
    }
}

fn square(residuals: &[f64]) -> f64 {
    residuals.iter().map(|r| r * r).sum()
}

/// Solves the damped normal equations `(JᵀJ + damping diag JᵀJ) x = Jᵀr` by Cholesky's decomposition; `None` where that breaks
/// down.
fn solve(jacobian: &[Vec<f64>], residuals: &[f64], damping: f64) -> Option<Vec<f64>> {
    let n = jacobian.len();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut lower = vec![vec![0.0; n]; n];
    for i in 0..n {
        for j in 0..=i {
            let mut sum = dot(&jacobian[i], &jacobian[j]);
            if i == j {
                sum *= 1.0 + damping;
            }
            sum -= dot(&lower[i][..j], &lower[j][..j]);
            lower[i][j] = if i == j {
                if sum <= 0.0 {
                    return None;
                }
                sum.sqrt()
            } else {
                sum / lower[j][j]
            };
        }
    }
    let mut x: Vec<f64> = jacobian.iter().map(|column| dot(column, residuals)).collect();
    for i in 0..n {
        x[i] = (x[i] - dot(&lower[i][..i], &x[..i])) / lower[i][i];
    }
    for i in (0..n).rev() {
        let below: f64 = (i + 1..n).map(|k| lower[k][i] * x[k]).sum();
        x[i] = (x[i] - below) / lower[i][i];
    }
    Some(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solves_a_linear_least_squares_problem_at_once() {
        // y = 2a + b at a = 1, 2, 3 with residuals of the point (0, 0)
        let jacobian = vec![vec![1.0, 2.0, 3.0], vec![1.0, 1.0, 1.0]];
        let x = solve(&jacobian, &[3.0, 5.0, 7.0], 0.0).expect("regular");
        assert!((x[0] - 2.0).abs() < 1e-9 && (x[1] - 1.0).abs() < 1e-9, "{x:?}");
        assert_eq!(solve(&[vec![0.0]], &[1.0], 0.0), None);
    }
}
