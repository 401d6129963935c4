//! The fit of the declared constants: maximum a posteriori on a logarithmic scale.
//!
//! Minimised is the sum over rows of w ρ(ln(predicted / measured) / 0.1) and over constants of
//! (ln(value / prior) / spread)², with ρ of `robust` and w = n^-0.4
//! for the n rows of the same publisher, model, generation and format, which repeat each other.

use std::collections::BTreeMap;

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::quantity::Measure;
use flopcast_core::training::calibration::Calibration;
use flopcast_core::training::platform::Platform;
use flopcast_core::training::step_time::step;

use super::case::Case;
use super::least_squares::{Problem, minimise, robust};

/// Standard deviation of ln(predicted / measured) that a good row is expected to have.
const NOISE: f64 = 0.1;

/// The calibration whose constants fit the cases best, starting from the priors.
///
/// # Errors
/// No case has a throughput, or one runs on hardware without constants.
pub fn fit(cases: &[&Case], calibration: &Calibration) -> Result<Calibration> {
    let problem = RowsAndPriors::new(cases, calibration)?;
    let at = minimise(&problem, vec![0.0; problem.free.len()])?;
    problem.at(&at)
}

/// Rows and constants of a fit. A point is, per free constant, its distance from the prior in
/// spreads.
struct RowsAndPriors<'a> {
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

impl<'a> RowsAndPriors<'a> {
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
}

impl Problem for RowsAndPriors<'_> {
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
            residuals.push(robust(error) * row.weight.sqrt());
        }
        residuals.extend(point);
        Ok(residuals)
    }
}
