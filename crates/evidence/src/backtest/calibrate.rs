//! Calibration with its proof: the fit, and the errors on rows that it has not seen.

use std::collections::BTreeSet;

use flopcast_core::diagnostic::Result;
use flopcast_core::training::calibration::{Calibration, Familiarity, Intervals};

use super::case::Case;
use super::fit::fit;
use super::score::{Scored, Summary, quantile};
use super::throughput::{constant_mfu, score_throughput};

/// What is left out of a fit, to be scored by it.
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
}

/// A calibration with what it is worth.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The fitted constants, with intervals from the rows that were left out.
    pub calibration: Calibration,
    /// Every row with the constants before.
    pub before: Vec<Scored>,
    /// Every row with the fitted constants: what a fit says of its own rows.
    pub after: Vec<Scored>,
    /// Random splits: rows of models that the fit has not seen.
    pub splits: Vec<FoldScore>,
    /// Rows of publishers that the fit has not seen.
    pub publishers: Vec<FoldScore>,
    /// Every row with the rule of thumb.
    pub baseline: Vec<Scored>,
}

/// Fits the constants to all cases, and validates that on rows left out: `splits` random ones,
/// and one publisher at a time. `fitted` describes the rows in the calibration.
///
/// # Errors
/// No case has a throughput; too few models or publishers to leave one out.
pub fn prove(
    cases: &[Case],
    calibration: &Calibration,
    splits: usize,
    fitted: &str,
) -> Result<Proof> {
    let cases: Vec<&Case> = cases.iter().filter(|case| case.throughput.is_some()).collect();
    let mut after = fit(&cases, calibration)?;
    fitted.clone_into(&mut after.fitted);
    let families: Vec<String> = cases.iter().map(|case| case.family()).collect();
    let distinct = families.iter().collect::<BTreeSet<_>>().len();
    // With one model or one publisher there is nothing to learn from about the others: the
    // intervals then stay what they were.
    let known = if distinct < 4 { Vec::new() } else { random_splits(&families, splits) };
    let mut new = leave_one_publisher_out(&cases);
    if new.len() < 2 {
        new.clear();
    }
    let known = cross_validate(&cases, &known, calibration, true)?;
    let new = cross_validate(&cases, &new, calibration, false)?;
    after.intervals = intervals(&known, &new, calibration.intervals);
    let score = |with: &Calibration| -> Result<Vec<Scored>> {
        cases.iter().filter_map(|case| score_throughput(case, with, None).transpose()).collect()
    };
    let widths = |folds: Vec<FoldScore>, seen: bool| -> Vec<FoldScore> {
        folds.into_iter().map(|fold| with_intervals(fold, &after.intervals, seen)).collect()
    };
    Ok(Proof {
        before: score(calibration)?,
        after: score(&after)?,
        splits: widths(known, true),
        publishers: widths(new, false),
        baseline: cases.iter().filter_map(|case| constant_mfu(case)).collect(),
        calibration: after,
    })
}

/// The same scores with the intervals of another calibration.
fn with_intervals(mut fold: FoldScore, intervals: &Intervals, seen: bool) -> FoldScore {
    for row in &mut fold.rows {
        let known = Familiarity {
            framework: seen,
            accelerator: row.group("constants") == Some("own"),
            experts: row.group("kind") == Some("moe"),
        };
        let width = intervals.half_width(known).exp();
        row.interval = (row.predicted / width, row.predicted * width);
    }
    fold
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

/// One fold per publisher.
pub fn leave_one_publisher_out(cases: &[&Case]) -> Vec<Fold> {
    let publishers: BTreeSet<&str> = cases.iter().map(|case| case.publisher()).collect();
    let of =
        |publisher: &str| (0..cases.len()).filter(|&i| cases[i].publisher() == publisher).collect();
    publishers.iter().map(|p| Fold { name: (*p).to_owned(), held_out: of(p) }).collect()
}

/// Fits to what each fold leaves in and scores what it leaves out; `seen` says whether the
/// folds' frameworks count as known. Folds run side by side.
///
/// # Errors
/// As [`fit`].
pub fn cross_validate(
    cases: &[&Case],
    folds: &[Fold],
    calibration: &Calibration,
    seen: bool,
) -> Result<Vec<FoldScore>> {
    let one = |fold: &Fold| -> Result<FoldScore> {
        let out: BTreeSet<_> = fold.held_out.iter().copied().collect();
        let kept: Vec<&Case> =
            (0..cases.len()).filter(|i| !out.contains(i)).map(|i| cases[i]).collect();
        let fitted = fit(&kept, calibration)?;
        let rows = fold
            .held_out
            .iter()
            .filter_map(|&i| score_throughput(cases[i], &fitted, Some(seen)).transpose());
        Ok(FoldScore { name: fold.name.clone(), rows: rows.collect::<Result<_>>()? })
    };
    side_by_side(folds, one)
}

/// `one` of each item, in order, on all processors.
///
/// # Errors
/// The first of `one`.
pub(super) fn side_by_side<T: Sync, R: Send>(
    items: &[T],
    one: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let (one, chunk) = (&one, items.len().div_ceil(workers).max(1));
    std::thread::scope(|scope| {
        let handles: Vec<_> = items
            .chunks(chunk)
            .map(|chunk| scope.spawn(move || chunk.iter().map(one).collect::<Result<Vec<_>>>()))
            .collect();
        let mut results = Vec::with_capacity(items.len());
        for handle in handles {
            match handle.join() {
                Ok(chunk) => results.extend(chunk?),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        Ok(results)
    })
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

/// Intervals that hold 80 % of the rows that the fits had not seen: `known` from splits that
/// leave models out, `new` from folds that leave publishers out.
pub fn intervals(known: &[FoldScore], new: &[FoldScore], before: Intervals) -> Intervals {
    let width = |folds: &[FoldScore], kind: &str, otherwise: f64| {
        let rows = folds.iter().flat_map(|fold| &fold.rows);
        let errors: Vec<f64> = rows
            .filter(|row| row.group("kind") == Some(kind) && row.group("constants") == Some("own"))
            .map(|row| (row.predicted / row.measured).ln().abs())
            .collect();
        // A handful of rows says nothing about a quantile.
        if errors.len() < 10 { otherwise } else { quantile(&errors, 0.8).unwrap_or(otherwise) }
    };
    Intervals {
        dense_known: width(known, "dense", before.dense_known),
        experts_known: width(known, "moe", before.experts_known),
        dense_new: width(new, "dense", before.dense_new),
        experts_new: width(new, "moe", before.experts_new),
        ..before
    }
}

/// Steele, Lea and Flood's generator (2014): enough to shuffle by.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
