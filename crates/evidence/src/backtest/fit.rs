//! The fit of declared constants to rows of evidence: maximum a posteriori on a logarithmic scale.
//!
//! Minimised is the sum over rows of w ρ(ln(predicted / measured) / noise) and over constants of
//! (ln(value / prior) / spread)², with ρ of `robust` and w = n^-0.4 for the n rows that repeat each
//! other. What a row is, how it is predicted and what repeats it is the [`Evidence`]'s to say.

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
    /// The values in use, and fits to parts of the rows from the fit to all of them with the
    /// derivatives there: where every point costs minutes of simulation.
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
    point: Vec<f64>,
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
        let point = minimise(self, self.start(), E::METHOD.gain)?;
        Ok(Fitted { calibration: self.at(&point), point })
    }

    /// The point from which the search starts: the calibration's values, or the priors.
    fn start(&self) -> Vec<f64> {
        if E::METHOD.start == Start::Priors {
            return vec![0.0; self.free.len()];
        }
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

    /// The derivatives at the fit to all rows, for fits to parts of them that set out from there.
    ///
    /// # Errors
    /// As [`Fit::run`].
    pub(super) fn derivatives(&self, fitted: &Fitted<E::Facts>) -> Result<Option<Vec<Vec<f64>>>> {
        if E::METHOD.start == Start::Priors {
            return Ok(None);
        }
        self.jacobian(&fitted.point, &self.residuals(&fitted.point)?).map(Some)
    }

    /// Fits to all rows but some.
    ///
    /// # Errors
    /// As [`Fit::new`] and [`Fit::run`].
    pub(super) fn without(
        &self,
        held_out: &[usize],
        whole: &Fitted<E::Facts>,
        derivatives: Option<&[Vec<f64>]>,
    ) -> Result<Calibration<E::Facts>> {
        let out: BTreeSet<usize> = held_out.iter().copied().collect();
        let places = 0..self.rows.len();
        let kept: Vec<&E> =
            places.clone().filter(|i| !out.contains(i)).map(|i| self.rows[i]).collect();
        let fit = Fit::new(&kept, self.calibration)?;
        let Some(derivatives) = derivatives else { return Ok(fit.run()?.calibration) };
        let of_rows =
            places.flat_map(|i| vec![!out.contains(&i); self.rows[i].figures()].into_iter());
        let keeps: Vec<bool> = of_rows.chain(self.free.iter().map(|_| true)).collect();
        let column = |column: &Vec<f64>| -> Vec<f64> {
            column.iter().zip(&keeps).filter(|(_, keep)| **keep).map(|(x, _)| *x).collect()
        };
        let near = Near { fit, jacobian: derivatives.iter().map(column).collect() };
        let point = minimise(&near, whole.point.clone(), E::METHOD.gain)?;
        Ok(near.fit.at(&point))
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

/// A fit that takes its derivatives from another one nearby.
struct Near<'a, E: Evidence> {
    fit: Fit<'a, E>,
    jacobian: Vec<Vec<f64>>,
}

impl<E: Evidence> Problem for Near<'_, E> {
    fn residuals(&self, point: &[f64]) -> Result<Vec<f64>> {
        self.fit.residuals(point)
    }

    fn jacobian(&self, _: &[f64], _: &[f64]) -> Result<Vec<Vec<f64>>> {
        Ok(self.jacobian.clone())
    }
}
