//! Calibration with its proof: the fit, and the errors on rows that it has not seen.
//!
//! The constants are fitted to all rows, and once more without each publisher and without random
//! tenths of the families; what was left out is predicted by constants that never saw it. The
//! intervals of a calibration are those that hold 80 % of such rows.

use std::collections::{BTreeMap, BTreeSet};

use flopcast_core::calibration::{Calibration, Facts};
use flopcast_core::diagnostic::Result;
use rayon::prelude::*;

use super::fit::{Evidence, Fit};
use super::score::{Scored, Summary, quantile};

/// The rows that are left out of a fit, to be scored by it.
#[derive(Clone, Debug)]
pub struct Fold {
    /// Its name: the number of a split, a publisher.
    pub name: String,
    /// Positions of the rows that were left out.
    pub held_out: Vec<usize>,
}

/// A fold's rows, scored by a fit that has not seen them.
#[derive(Clone, Debug)]
pub struct FoldScore {
    /// The fold's name.
    pub name: String,
    /// Its rows.
    pub rows: Vec<Scored>,
    /// The interval that widens for its rows, where they are strangers.
    pub stranger: Option<&'static str>,
}

/// A calibration with what it is worth.
#[derive(Clone, Debug)]
pub struct Proof<F> {
    /// The fitted constants, with ranges and intervals from the rows that were left out.
    pub calibration: Calibration<F>,
    /// Every row with the constants before.
    pub before: Vec<Scored>,
    /// Every row with the fitted constants: what a fit says of its own rows.
    pub after: Vec<Scored>,
    /// Random splits: rows of families that the fit has not seen.
    pub splits: Vec<FoldScore>,
    /// Rows of publishers that the fit has not seen.
    pub publishers: Vec<FoldScore>,
    /// Rows of devices, generations and sizes that the fit has not seen, by the name of the interval
    /// that widens for them.
    pub apart: Vec<(&'static str, Vec<FoldScore>)>,
    /// Every row with the rule of thumb.
    pub baseline: Vec<Scored>,
}

/// The number of rows below which nothing is said of a quantile.
const HANDFUL: usize = 10;

/// The calibration fitted without each fold, and the score of what was held out.
type Refits<F> = (Vec<Calibration<F>>, Vec<FoldScore>);

/// Fits the constants to all rows, and validates that on rows left out: `splits` random ones, and
/// one publisher at a time. `fitted` describes the rows in the calibration. Where there are too few
/// families or publishers to leave one out, ranges and intervals stay what they were.
///
/// # Errors
/// No row can be predicted.
pub fn prove<E: Evidence>(
    rows: &[E],
    calibration: &Calibration<E::Facts>,
    splits: usize,
    fitted: &str,
) -> Result<Proof<E::Facts>> {
    let rows: Vec<&E> = rows.iter().filter(|row| row.usable(calibration)).collect();
    let fit = Fit::new(&rows, calibration)?;
    let whole = fit.run()?;
    let refit = |folds: Vec<Fold>| -> Result<Refits<E::Facts>> {
        let one = |fold: &Fold| {
            let part = fit.without(&fold.held_out, &whole)?;
            let held_out = fold.held_out.iter().map(|&i| rows[i].score(&part));
            let scored: Vec<Scored> =
                held_out.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
            Ok((part, FoldScore { name: fold.name.clone(), rows: scored, stranger: None }))
        };
        Ok(side_by_side(&folds, one)?.into_iter().unzip())
    };
    let families: Vec<String> = rows.iter().map(|row| row.family()).collect();
    let distinct = families.iter().collect::<BTreeSet<_>>().len();
    let enough = distinct >= E::METHOD.families;
    let (parts, mut known) = refit(random_splits(&families, if enough { splits } else { 0 }))?;
    let (_, mut new) = refit(one_out(&rows, |row| row.publisher().map(str::to_owned)))?;
    let of_kind = |kind: &&'static str| {
        let folds = one_out(&rows, |row| row.apart(kind));
        let strangers: Vec<&'static str> =
            folds.iter().map(|fold| stranger(&rows, fold, kind)).collect();
        let mut scored = refit(folds)?.1;
        for (fold, stranger) in scored.iter_mut().zip(strangers) {
            fold.stranger = Some(stranger);
        }
        Ok((*kind, scored))
    };
    let mut apart = E::APART.iter().map(of_kind).collect::<Result<Vec<_>>>()?;
    let mut after = whole.calibration.clone();
    fitted.clone_into(&mut after.fitted);
    ranges(&mut after, &parts);
    for (folds, seen) in [(&mut known, true), (&mut new, false)] {
        intervals::<E>(&mut after, folds, seen);
    }
    for (folds, seen) in [(&mut known, true), (&mut new, false)] {
        for row in folds.iter_mut().flat_map(|fold| &mut fold.rows) {
            let width = E::half_width(&after, row, seen).exp();
            row.interval = (row.predicted / width, row.predicted * width);
        }
    }
    for (kind, folds) in &mut apart {
        widen::<E>(&mut after, kind, folds);
    }
    let score = |with: &Calibration<E::Facts>| -> Result<Vec<Scored>> {
        Ok(side_by_side(&rows, |row| row.score(with))?.into_iter().flatten().collect())
    };
    Ok(Proof {
        before: score(calibration)?,
        after: score(&after)?,
        splits: known,
        publishers: new,
        apart,
        baseline: rows.iter().filter_map(|row| row.rule_of_thumb()).collect(),
        calibration: after,
    })
}

/// The least and the most that each constant took over refits on parts of the rows.
fn ranges<F: Facts>(calibration: &mut Calibration<F>, parts: &[Calibration<F>]) {
    if parts.is_empty() {
        return;
    }
    for (i, constant) in calibration.constants.values_mut().enumerate() {
        let values = parts.iter().filter_map(|part| part.constants.iter().nth(i));
        let range = values
            .fold([constant.value; 2], |[low, high], (_, c)| [low.min(c.value), high.max(c.value)]);
        constant.range = Some(range);
    }
}

/// Intervals that hold 80 % of the rows that the fits had not seen.
fn intervals<E: Evidence>(
    calibration: &mut Calibration<E::Facts>,
    folds: &[FoldScore],
    seen: bool,
) {
    let mut errors: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for row in folds.iter().flat_map(|fold| &fold.rows) {
        if let Some(interval) = E::tested(row, seen) {
            errors.entry(interval).or_default().push((row.predicted / row.measured).ln().abs());
        }
    }
    for (interval, errors) in errors.iter().filter(|(_, errors)| errors.len() >= HANDFUL) {
        calibration.intervals.set(interval, quantile(errors, 0.8).unwrap_or(f64::INFINITY));
    }
}

/// Least width beside the usual one: what lies outside is never as sure as what lies inside.
const LEAST: f64 = 0.1;

/// The interval that widens for the rows of a fold, given those that the fit keeps.
fn stranger<E: Evidence>(rows: &[&E], fold: &Fold, kind: &'static str) -> &'static str {
    let out: BTreeSet<usize> = fold.held_out.iter().copied().collect();
    let kept: Vec<&E> =
        rows.iter().enumerate().filter(|(i, _)| !out.contains(i)).map(|(_, row)| *row).collect();
    fold.held_out.first().map_or(kind, |&first| rows[first].stranger(kind, &kept))
}

/// The width beside the usual one with which intervals hold 80 % of the rows of strangers: errors of
/// their own add in squares.
fn widen<E: Evidence>(
    calibration: &mut Calibration<E::Facts>,
    kind: &str,
    folds: &mut [FoldScore],
) {
    let beside = |row: &Scored| {
        let usual = E::half_width(calibration, row, true);
        let error = (row.predicted / row.measured).ln();
        (error * error - usual * usual).max(0.0).sqrt()
    };
    // A stranger is a group and no row: each counts the same, however many rows it has.
    let each = |fold: &FoldScore| -> Vec<(f64, f64)> {
        fold.rows.iter().map(|row| (beside(row), 1.0 / fold.rows.len() as f64)).collect()
    };
    let usual: Vec<&FoldScore> =
        folds.iter().filter(|fold| fold.stranger.is_none_or(|name| name == kind)).collect();
    let mut widths: Vec<(f64, f64)> = usual.iter().flat_map(|fold| each(fold)).collect();
    if widths.len() >= HANDFUL {
        widths.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut held = 0.0;
        let enough = widths.iter().find(|(_, weight)| {
            held += weight;
            held >= 0.8 * usual.len() as f64
        });
        calibration.intervals.set(kind, enough.map_or(LEAST, |(width, _)| width.max(LEAST)));
    }
    for fold in folds {
        let more = calibration.intervals.half_width(fold.stranger.unwrap_or(kind));
        for row in &mut fold.rows {
            let width = E::half_width(calibration, row, true).hypot(more).exp();
            row.interval = (row.predicted / width, row.predicted * width);
        }
    }
}

/// One fold per group; none where there is but one, or where they are not told apart.
fn one_out<E: Evidence>(rows: &[&E], group: impl Fn(&E) -> Option<String>) -> Vec<Fold> {
    let groups: Vec<Option<String>> = rows.iter().map(|row| group(row)).collect();
    let names: BTreeSet<&String> = groups.iter().flatten().collect();
    if names.len() < 2 {
        return Vec::new();
    }
    let of =
        |name: &String| (0..rows.len()).filter(|&i| groups[i].as_ref() == Some(name)).collect();
    names.iter().map(|name| Fold { name: (*name).clone(), held_out: of(name) }).collect()
}

/// `one` of each item, in order, on all processors.
///
/// # Errors
/// The first of `one`.
pub(super) fn side_by_side<T: Sync, R: Send>(
    items: &[T],
    one: impl Fn(&T) -> Result<R> + Send + Sync,
) -> Result<Vec<R>> {
    // Collected before the errors are looked at, so that the same one is always the first.
    let results: Vec<Result<R>> = items.par_iter().map(one).collect();
    results.into_iter().collect()
}

/// The part of the families that a random split leaves out.
pub const HELD_OUT: f64 = 0.3;

/// `n` random splits by family, given that of each row: [`HELD_OUT`] of the families are left out
/// of each. The same rows give the same splits.
pub fn random_splits(families: &[String], n: usize) -> Vec<Fold> {
    let distinct: BTreeSet<&String> = families.iter().collect();
    let mut random = SplitMix(0);
    (0..n)
        .map(|split| {
            let mut shuffled: Vec<_> = distinct.iter().collect();
            for i in (1..shuffled.len()).rev() {
                shuffled.swap(i, (random.next() % (i as u64 + 1)) as usize);
            }
            let count = ((shuffled.len() as f64 * HELD_OUT).round() as usize).max(1);
            let out: BTreeSet<_> = shuffled.into_iter().take(count).collect();
            let held_out = (0..families.len()).filter(|&i| out.contains(&&families[i]));
            Fold { name: format!("split {}", split + 1), held_out: held_out.collect() }
        })
        .collect()
}

/// Mean over the folds of the median and the 90th percentile of the absolute errors of one kind
/// of model; `None` where no fold has any.
pub fn mean_of_folds(folds: &[FoldScore], kind: &str) -> Option<(f64, f64)> {
    let summaries: Vec<_> = folds
        .iter()
        .filter_map(|fold| Summary::of(fold.rows.iter().filter(|r| r.group("kind") == Some(kind))))
        .collect();
    let n = summaries.len() as f64;
    let mean = |of: fn(&Summary) -> f64| summaries.iter().map(of).sum::<f64>() / n;
    (n > 0.0).then(|| (mean(|s| s.median_abs_error), mean(|s| s.p90_abs_error)))
}

/// `SplitMix64` (Steele, Lea and Flood, OOPSLA 2014), which is enough to shuffle by.
struct SplitMix(u64);

impl SplitMix {
    /// The next 64 bits.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
