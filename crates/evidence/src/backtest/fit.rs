//! The fit of declared constants to rows of evidence: maximum a posteriori on a logarithmic scale.
//!
//! Minimised is the sum over rows of w ρ(ln(predicted / measured) / noise) and over constants of
//! (ln(value / prior) / spread)², with ρ of `robust` and w = n^-0.4 for the n rows that repeat each
//! other. What a row is, how it is predicted and what repeats it is the [`Evidence`]'s to say.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use flopcast_core::calibration::{Calibration, Facts};
use flopcast_core::diagnostic::{Error, Result};

use super::calibrate::side_by_side;
use super::least_squares::{Problem, minimise, robust};
use super::score::Scored;

/// A row that constants are fitted to: a training step, a serving run.
pub trait Evidence: Sync {
    /// The documented part of its calibration, beside constants.
    type Facts: Facts;
    /// All that its prediction depends on of a calibration: where it stays, the prediction does.
    type Setup: PartialEq + Send + Sync;
    /// How its constants are fitted.
    const METHOD: Method;

    /// True if it has a figure that can be predicted.
    fn usable(&self, calibration: &Calibration<Self::Facts>) -> bool;

    /// Rows of one family are no independent evidence: a split leaves all of them out or none.
    fn family(&self) -> String;

    /// The publisher, where constants are also tried on publishers that the fit has not seen.
    fn publisher(&self) -> Option<&str>;

    /// Rows that say this repeat each other.
    fn alike(&self) -> String;

    /// Figures that were published of it.
    fn figures(&self) -> usize;

    /// True if the constants are fitted to it; others are scored only.
    fn binds(&self) -> bool {
        true
    }

    /// The setups of some rows under a calibration.
    ///
    /// # Errors
    /// A row cannot be predicted.
    fn setups(rows: &[&Self], calibration: &Calibration<Self::Facts>) -> Result<Vec<Self::Setup>>;

    /// ln(predicted / measured) / noise of each figure, where the noise is the standard deviation
    /// that a good row is expected to have; 0 where there is no prediction.
    fn errors(&self, setup: &Self::Setup) -> Vec<f64>;

    /// Its figures beside their predictions.
    ///
    /// # Errors
    /// As `setups`.
    fn score(&self, calibration: &Calibration<Self::Facts>) -> Result<Vec<Scored>>;

    /// The figures of the rule of thumb that the model has to beat.
    fn rule_of_thumb(&self) -> Option<Scored>;

    /// The interval that a scored figure is a test of, if of any, where the fit had seen the
    /// publisher or not.
    fn tested(row: &Scored, seen: bool) -> Option<&str>;

    /// Kinds of groups that are left out to see how much wider intervals of strangers are: names of
    /// intervals that [`Evidence::half_width`] adds in squares.
    const APART: &'static [&'static str] = &[];

    /// The row's group of such a kind, where it has one.
    fn apart(&self, _kind: &str) -> Option<String> {
        None
    }

    /// The interval that widens for a row of such a group, given the rows that a fit without the
    /// group keeps.
    fn stranger(&self, kind: &'static str, _kept: &[&Self]) -> &'static str {
        kind
    }

    /// Half-width of the interval of a scored figure.
    fn half_width(calibration: &Calibration<Self::Facts>, row: &Scored, seen: bool) -> f64;
}

/// How constants are fitted.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// Step of the differences, in spreads: wide where predictions change in jumps.
    pub step: f64,
    /// Relative gain of an iteration below which a fit is done.
    pub gain: f64,
    /// The starting points of fits.
    pub start: Start,
    /// Families below which none is left out.
    pub families: usize,
}

/// The starting point of a fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The priors, every fit anew.
    Priors,
    /// The values in use, whose derivatives are computed once and then follow from the steps taken;
    /// fits to parts of the rows lie along the line through the fit to all of them: where every point
    /// costs minutes of simulation.
    Nearby,
}

/// Rows and constants of a fit. A point is, per free constant, its distance from the prior in
/// spreads.
pub(super) struct Fit<'a, E: Evidence> {
    calibration: &'a Calibration<E::Facts>,
    /// Places of the constants that may move.
    free: Vec<usize>,
    rows: Vec<&'a E>,
    /// Square roots of their weights.
    weights: Vec<f64>,
}

/// The result of a fit.
pub(super) struct Fitted<F> {
    pub(super) calibration: Calibration<F>,
    /// The line along which fits to parts of the rows lie.
    line: Option<Line>,
}

impl<'a, E: Evidence> Fit<'a, E> {
    /// # Errors
    /// There is no row.
    pub(super) fn new(rows: &[&'a E], calibration: &'a Calibration<E::Facts>) -> Result<Self> {
        if rows.is_empty() {
            return Err(Error::input("there is no row to fit to"));
        }
        let mut alike: BTreeMap<String, usize> = BTreeMap::new();
        for row in rows {
            *alike.entry(row.alike()).or_default() += 1;
        }
        let weight = |row: &&E| (alike[&row.alike()] as f64).powf(-0.4).sqrt();
        let constants = calibration.constants.iter().enumerate();
        Ok(Self {
            calibration,
            free: constants.filter(|(_, (_, c))| c.spread > 0.0).map(|(i, _)| i).collect(),
            weights: rows.iter().map(weight).collect(),
            rows: rows.to_vec(),
        })
    }

    /// Fits to all rows.
    ///
    /// # Errors
    /// A row cannot be predicted.
    pub(super) fn run(&self) -> Result<Fitted<E::Facts>> {
        let fitted = |point: &[f64], line| Fitted { calibration: self.at(point), line };
        if E::METHOD.start == Start::Priors {
            let point = minimise(self, vec![0.0; self.free.len()], E::METHOD.gain)?;
            return Ok(fitted(&point, None));
        }
        let secant = Secant { problem: self, line: RefCell::default() };
        let point = minimise(&secant, self.values(), E::METHOD.gain)?;
        let residuals = self.residuals(&point)?;
        let line = secant.line.into_inner().map(|line| line.through(&point, residuals));
        Ok(fitted(&point, line.transpose()?))
    }

    /// The point of the calibration's own values.
    fn values(&self) -> Vec<f64> {
        let constants = self.calibration.constants.iter().filter(|(_, c)| c.spread > 0.0);
        constants.map(|(_, c)| (c.value / c.prior).ln() / c.spread).collect()
    }

    /// The calibration at a point.
    fn at(&self, point: &[f64]) -> Calibration<E::Facts> {
        let mut calibration = self.calibration.clone();
        let mut distances = self.free.iter().zip(point).peekable();
        for (i, constant) in calibration.constants.values_mut().enumerate() {
            if let Some((_, distance)) = distances.next_if(|(free, _)| **free == i) {
                let value = constant.prior * (distance * constant.spread).exp();
                constant.value = value.min(constant.most.unwrap_or(f64::INFINITY));
            }
        }
        calibration
    }

    /// The predictions' set-ups at a point.
    fn setups(&self, point: &[f64]) -> Result<Vec<E::Setup>> {
        E::setups(&self.rows, &self.at(point))
    }

    /// Weighted residuals of one row.
    fn errors(&self, row: usize, setup: &E::Setup) -> Vec<f64> {
        if !self.rows[row].binds() {
            return vec![0.0; self.rows[row].figures()];
        }
        let errors = self.rows[row].errors(setup).into_iter();
        errors.map(|error| robust(error) * self.weights[row]).collect()
    }

    /// Fits to all rows but some.
    ///
    /// # Errors
    /// As [`Fit::new`] and [`Fit::run`].
    pub(super) fn without(
        &self,
        held_out: &[usize],
        whole: &Fitted<E::Facts>,
    ) -> Result<Calibration<E::Facts>> {
        let out: BTreeSet<usize> = held_out.iter().copied().collect();
        let places = 0..self.rows.len();
        let Some(line) = &whole.line else {
            let kept: Vec<&E> = places.filter(|i| !out.contains(i)).map(|i| self.rows[i]).collect();
            return Ok(Fit::new(&kept, self.calibration)?.run()?.calibration);
        };
        // Rows that repeat each other are of one family, so the weights of those kept stay.
        let of_rows =
            places.flat_map(|i| vec![!out.contains(&i); self.rows[i].figures()].into_iter());
        let keeps: Vec<bool> = of_rows.chain(self.free.iter().map(|_| true)).collect();
        let part = line.part(&keeps);
        Ok(self.at(&minimise(&part, part.origin.clone(), E::METHOD.gain)?))
    }
}

impl<E: Evidence> Problem for Fit<'_, E> {
    /// Weighted residuals of the rows, then distances from the priors.
    fn residuals(&self, point: &[f64]) -> Result<Vec<f64>> {
        let setups = self.setups(point)?;
        let mut residuals: Vec<f64> =
            setups.iter().enumerate().flat_map(|(row, setup)| self.errors(row, setup)).collect();
        residuals.extend(point);
        Ok(residuals)
    }

    fn jacobian(&self, point: &[f64], residuals: &[f64]) -> Result<Vec<Vec<f64>>> {
        let here = self.setups(point)?;
        let columns: Vec<usize> = (0..point.len()).collect();
        let step = E::METHOD.step;
        side_by_side(&columns, |&i| {
            let mut moved = point.to_vec();
            moved[i] += step;
            let mut column = Vec::with_capacity(residuals.len());
            for (row, (there, here)) in self.setups(&moved)?.iter().zip(&here).enumerate() {
                // Most constants concern few rows.
                if there == here || !self.rows[row].binds() {
                    column.resize(column.len() + self.rows[row].figures(), 0.0);
                    continue;
                }
                for there in self.errors(row, there) {
                    column.push((there - residuals[column.len()]) / step);
                }
            }
            column.extend((0..point.len()).map(|k| if k == i { 1.0 } else { 0.0 }));
            Ok(column)
        })
    }
}

/// A problem whose derivatives are computed at its first point alone.
struct Secant<'a, P> {
    problem: &'a P,
    line: RefCell<Option<Line>>,
}

impl<P: Problem> Problem for Secant<'_, P> {
    fn residuals(&self, point: &[f64]) -> Result<Vec<f64>> {
        self.problem.residuals(point)
    }

    fn jacobian(&self, point: &[f64], residuals: &[f64]) -> Result<Vec<Vec<f64>>> {
        let mut known = self.line.borrow_mut();
        let line = match known.take() {
            Some(line) => line.through(point, residuals.to_vec())?,
            None => Line {
                origin: point.to_vec(),
                residuals: residuals.to_vec(),
                jacobian: self.problem.jacobian(point, residuals)?,
            },
        };
        Ok(known.insert(line).jacobian.clone())
    }
}

/// Residuals as a linear function of the point.
struct Line {
    origin: Vec<f64>,
    residuals: Vec<f64>,
    jacobian: Vec<Vec<f64>>,
}

impl Line {
    /// The line from another point, its slopes changed by as little as explains the residuals there
    /// (Broyden 1965, Mathematics of Computation 19).
    ///
    /// # Errors
    /// None: a line has residuals everywhere.
    fn through(self, point: &[f64], residuals: Vec<f64>) -> Result<Self> {
        let expected = self.residuals(point)?;
        let step: Vec<f64> = point.iter().zip(&self.origin).map(|(to, from)| to - from).collect();
        let length: f64 = step.iter().map(|s| s * s).sum();
        let mut jacobian = self.jacobian;
        if length > 0.0 {
            for (column, s) in jacobian.iter_mut().zip(&step) {
                let told = residuals.iter().zip(&expected);
                for (slope, (is, expected)) in column.iter_mut().zip(told) {
                    *slope += (is - expected) * s / length;
                }
            }
        }
        Ok(Self { origin: point.to_vec(), residuals, jacobian })
    }

    /// That of the residuals to keep.
    fn part(&self, keeps: &[bool]) -> Self {
        let kept = |all: &Vec<f64>| -> Vec<f64> {
            all.iter().zip(keeps).filter(|(_, keep)| **keep).map(|(x, _)| *x).collect()
        };
        Self {
            origin: self.origin.clone(),
            residuals: kept(&self.residuals),
            jacobian: self.jacobian.iter().map(kept).collect(),
        }
    }
}

impl Problem for Line {
    fn residuals(&self, point: &[f64]) -> Result<Vec<f64>> {
        let mut residuals = self.residuals.clone();
        for ((column, at), origin) in self.jacobian.iter().zip(point).zip(&self.origin) {
            for (residual, slope) in residuals.iter_mut().zip(column) {
                *residual += slope * (at - origin);
            }
        }
        Ok(residuals)
    }

    fn jacobian(&self, _: &[f64], _: &[f64]) -> Result<Vec<Vec<f64>>> {
        Ok(self.jacobian.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// x² - 2, whose derivative is asked for once.
    struct Root;

    impl Problem for Root {
        fn residuals(&self, point: &[f64]) -> Result<Vec<f64>> {
            Ok(vec![point[0] * point[0] - 2.0])
        }

        fn jacobian(&self, point: &[f64], _: &[f64]) -> Result<Vec<Vec<f64>>> {
            assert!((point[0] - 1.0).abs() < 1e-12, "{point:?}");
            Ok(vec![vec![2.0]])
        }
    }

    #[test]
    fn derivatives_follow_from_the_steps_taken() {
        let secant = Secant { problem: &Root, line: RefCell::default() };
        let at = minimise(&secant, vec![1.0], 1e-9).expect("residuals");
        assert!((at[0] - 2_f64.sqrt()).abs() < 1e-6, "{at:?}");
    }

    #[test]
    fn a_part_of_the_rows_is_fitted_along_the_line() {
        // Rows that ask for a point of 1, 2 and 6, and a prior at 0: the mean of what is kept.
        let line = Line {
            origin: vec![2.0],
            residuals: vec![1.0, 0.0, -4.0, 2.0],
            jacobian: vec![vec![1.0; 4]],
        };
        for (keeps, expected) in
            [([true, true, true, true], 2.25), ([true, true, false, true], 1.0)]
        {
            let part = line.part(&keeps);
            let at = minimise(&part, part.origin.clone(), 1e-9).expect("residuals");
            assert!((at[0] - expected).abs() < 1e-3, "{at:?}");
        }
    }
}
