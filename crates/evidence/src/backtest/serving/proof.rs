//! The fit of the serving constants, with its proof: the errors on runs that it has not seen.
//!
//! As for training: robust residuals of ln(predicted / measured), a prior per constant, Levenberg
//! and Marquardt's method. Every run is simulated at every point.

use std::collections::{BTreeMap, BTreeSet};

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::serving::calibration::{Calibration, Constant};

use super::run::{Run, Setup};
use crate::backtest::calibrate::{Fold, FoldScore, random_splits, side_by_side};
use crate::backtest::least_squares::{Problem, minimise, robust};
use crate::backtest::score::{Scored, quantile};

/// Standard deviation of ln(predicted / measured) that a good row is expected to have, by the kind
/// of figure.
const NOISE: [(&str, f64); 3] = [("ttft", 0.15), ("tpot", 0.1), ("output_tokens_per_s", 0.1)];

/// Step of the differences, in spreads: wide, since a simulated schedule changes in jumps.
const STEP: f64 = 0.03;
/// Relative gain of an iteration below which a fit is done.
const GAIN: f64 = 1e-3;

/// A calibration with what it is worth.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The fitted constants, with ranges and intervals from the runs that were left out.
    pub calibration: Calibration,
    /// Every run with the constants before.
    pub before: Vec<Scored>,
    /// Every run with the fitted constants.
    pub after: Vec<Scored>,
    /// Random splits: runs of pairs of a model and an accelerator that the fit has not seen.
    pub splits: Vec<FoldScore>,
}

/// Fits the constants to all runs on up to 16 devices, and validates that on runs left out:
/// `splits` random ones by model and accelerator. `fitted` describes the runs in the calibration.
///
/// # Errors
/// No run can be simulated, or all are of too few models and accelerators to leave some out.
pub fn prove(
    runs: &[Run],
    calibration: &Calibration,
    splits: usize,
    fitted: &str,
) -> Result<Proof> {
    let runs: Vec<&Run> = runs.iter().filter(|run| run.setup(calibration).is_ok()).collect();
    let families: Vec<String> = runs.iter().map(|run| run.family()).collect();
    let folds = random_splits(&families, splits);
    if runs.is_empty() || folds.iter().any(|fold| fold.held_out.len() == runs.len()) {
        return Err(Error::input("there are too few runs to fit to and leave some out")
            .hint("rows of at least two models or accelerators are needed"));
    }
    let problem = Fit::new(&runs, calibration);
    let at = minimise(&problem, problem.here())?;
    let mut after = problem.at(&at);
    fitted.clone_into(&mut after.fitted);
    let jacobian = problem.jacobian(&at, &problem.residuals(&at)?)?;
    let parts = side_by_side(&folds, |fold| problem.without(fold, &at, &jacobian))?;
    for (i, constant) in after.all_mut().enumerate() {
        let values = parts.iter().filter_map(|(part, _)| part.named().nth(i)).map(|(_, c)| c.value);
        constant.range = values
            .fold([constant.value; 2], |[low, high], value| [low.min(value), high.max(value)]);
    }
    let mut held_out: Vec<FoldScore> = parts.into_iter().map(|(_, score)| score).collect();
    let mut errors: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for row in held_out.iter().flat_map(|fold| &fold.rows).filter(|row| few(row)) {
        let error = (row.predicted / row.measured).ln().abs();
        errors.entry(kind(row)).or_default().push(error);
    }
    for (kind, errors) in errors {
        let width = quantile(&errors, 0.8).unwrap_or(f64::INFINITY);
        after.intervals.insert(kind.to_owned(), width);
    }
    for row in held_out.iter_mut().flat_map(|fold| &mut fold.rows) {
        let width = after.width(kind(row));
        row.interval = (row.predicted / width, row.predicted * width);
    }
    let score = |with: &Calibration| -> Result<Vec<Scored>> {
        let scored = side_by_side(&runs, |run| run.score(with))?;
        Ok(scored.into_iter().flatten().collect())
    };
    Ok(Proof {
        before: score(calibration)?,
        after: score(&after)?,
        splits: held_out,
        calibration: after,
    })
}

fn kind(row: &Scored) -> &str {
    row.group("interval").unwrap_or_default()
}

/// Intervals are those of up to 16 devices.
fn few(row: &Scored) -> bool {
    row.group("devices") != Some("over 16")
}

/// Runs and constants of a fit. A point is, per free constant, its distance from the prior in
/// spreads.
struct Fit<'a> {
    calibration: &'a Calibration,
    /// Places of the constants that may move.
    free: Vec<usize>,
    runs: Vec<(&'a Run, f64)>,
}

impl<'a> Fit<'a> {
    /// Runs of the same model, accelerator, engine and load repeat each other: n of them weigh
    /// n^0.6.
    fn new(runs: &[&'a Run], calibration: &'a Calibration) -> Self {
        let key = |run: &Run| (run.family(), run.engine, run.group("load").map(str::to_owned));
        let mut alike: BTreeMap<_, usize> = BTreeMap::new();
        for run in runs {
            *alike.entry(key(run)).or_default() += 1;
        }
        let weighted = runs.iter().map(|run| (*run, (alike[&key(run)] as f64).powf(-0.2)));
        let constants = calibration.named().enumerate();
        Self {
            calibration,
            free: constants.filter(|(_, (_, c))| c.spread > 0.0).map(|(i, _)| i).collect(),
            runs: weighted.collect(),
        }
    }

    /// The point of the calibration's own values.
    fn here(&self) -> Vec<f64> {
        let constants = self.calibration.named().filter(|(_, c)| c.spread > 0.0);
        constants.map(|(_, c)| (c.value / c.prior).ln() / c.spread).collect()
    }

    /// The calibration at a point.
    fn at(&self, point: &[f64]) -> Calibration {
        let mut calibration = self.calibration.clone();
        let constants: Vec<&mut Constant> = calibration.all_mut().collect();
        let mut distances = self.free.iter().zip(point).peekable();
        for (i, constant) in constants.into_iter().enumerate() {
            if let Some((_, distance)) = distances.next_if(|(free, _)| **free == i) {
                let value = constant.prior * (distance * constant.spread).exp();
                constant.value = value.min(constant.most.unwrap_or(f64::INFINITY));
            }
        }
        calibration
    }

    fn of_run((run, weight): &(&Run, f64), setup: &Setup) -> Vec<f64> {
        if !run.fitted() {
            return vec![0.0; run.published.len()];
        }
        let rows = run.published.iter().zip(run.predict(setup));
        rows.map(|(published, predicted)| {
            let noise = NOISE.iter().find(|(kind, _)| *kind == published.figure.interval);
            let noise = noise.map_or(f64::INFINITY, |(_, noise)| *noise);
            predicted.map_or(0.0, |p| robust((p / published.measured).ln() / noise) * weight)
        })
        .collect()
    }

    fn setups(&self, point: &[f64]) -> Result<Vec<Setup>> {
        let calibration = self.at(point);
        self.runs.iter().map(|(run, _)| run.setup(&calibration)).collect()
    }

    /// Fits to what a fold leaves in and scores what it leaves out. The fit sets out from that of
    /// all runs, `at`, with the derivatives there: its own optimum is near, and finding it again
    /// from the priors would take minutes.
    fn without(
        &self,
        fold: &Fold,
        at: &[f64],
        jacobian: &[Vec<f64>],
    ) -> Result<(Calibration, FoldScore)> {
        let out: BTreeSet<usize> = fold.held_out.iter().copied().collect();
        let is_in = |i: &usize| !out.contains(i);
        let kept: Vec<&Run> = (0..self.runs.len()).filter(is_in).map(|i| self.runs[i].0).collect();
        let of_rows = self
            .runs
            .iter()
            .enumerate()
            .flat_map(|(i, (run, _))| run.published.iter().map(move |_| i));
        let keeps: Vec<bool> =
            of_rows.map(|i| is_in(&i)).chain(self.free.iter().map(|_| true)).collect();
        let column = |column: &Vec<f64>| -> Vec<f64> {
            column.iter().zip(&keeps).filter(|(_, keep)| **keep).map(|(x, _)| *x).collect()
        };
        let near = Near {
            fit: Fit::new(&kept, self.calibration),
            jacobian: jacobian.iter().map(column).collect(),
        };
        let calibration = near.fit.at(&minimise(&near, at.to_vec())?);
        let mut rows = Vec::new();
        for &i in &fold.held_out {
            rows.extend(self.runs[i].0.score(&calibration)?);
        }
        Ok((calibration, FoldScore { name: fold.name.clone(), rows }))
    }
}

impl Problem for Fit<'_> {
    const GAIN: f64 = GAIN;

    fn residuals(&self, point: &[f64]) -> Result<Vec<f64>> {
        let setups = self.setups(point)?;
        let runs = self.runs.iter().zip(&setups);
        let mut residuals: Vec<f64> =
            runs.flat_map(|(run, setup)| Self::of_run(run, setup)).collect();
        residuals.extend(point);
        Ok(residuals)
    }

    fn jacobian(&self, point: &[f64], residuals: &[f64]) -> Result<Vec<Vec<f64>>> {
        let here = self.setups(point)?;
        let columns: Vec<usize> = (0..point.len()).collect();
        side_by_side(&columns, |&i| {
            let mut moved = point.to_vec();
            moved[i] += STEP;
            let mut column = Vec::with_capacity(residuals.len());
            for ((run, there), here) in self.runs.iter().zip(self.setups(&moved)?).zip(&here) {
                // Most constants concern few runs.
                if there == *here || !run.0.fitted() {
                    column.extend(run.0.published.iter().map(|_| 0.0));
                    continue;
                }
                for there in Self::of_run(run, &there) {
                    column.push((there - residuals[column.len()]) / STEP);
                }
            }
            column.extend((0..point.len()).map(|k| if k == i { 1.0 } else { 0.0 }));
            Ok(column)
        })
    }
}

/// A fit with derivatives from nearby.
struct Near<'a> {
    fit: Fit<'a>,
    jacobian: Vec<Vec<f64>>,
}

impl Problem for Near<'_> {
    const GAIN: f64 = GAIN;

    fn residuals(&self, point: &[f64]) -> Result<Vec<f64>> {
        self.fit.residuals(point)
    }

    fn jacobian(&self, _: &[f64], _: &[f64]) -> Result<Vec<Vec<f64>>> {
        Ok(self.jacobian.clone())
    }
}
