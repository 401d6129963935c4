//! The next configurations worth measuring: those whose measurement is expected to add most to the
//! hypervolume of the front (Emmerich et al. 2006, IEEE TEC 10(4)).

use super::evolve::{Digits, Judged, Tally};
use super::figure::Figure;
use super::point::{Facts, Points, Source};
use super::shared::Shared;
use super::volume::{hypervolume, reference};
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::random::normal_quantile;

/// Quantiles of a score that the expectation is the mean over: the middles of equal parts.
const QUANTILES: usize = 16;
/// Candidates that are weighed at most.
const MOST_CANDIDATES: usize = 1000;

/// A configuration to measure.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// The point.
    pub facts: Facts,
    /// The hypervolume that it is expected to add, as a share of the front's.
    pub gain: f64,
}

/// The `count` best next measurements, each as if those before it had come out as predicted.
///
/// # Errors
/// No table of results, quality that is no objective, or no candidate.
pub fn propose(points: &Points<'_>, tally: &Tally, count: usize) -> Result<Vec<Proposal>> {
    let Some(Source::Table(surrogate, _)) = &points.source else {
        return Err(Error::input("proposals need a table of results")
            .hint("quality: {table: results.csv, score: top1}"));
    };
    let objectives = &points.plan.objectives;
    let quality = objectives.iter().position(|it| it.figure == Figure::Quality);
    let quality = quality.ok_or_else(|| {
        Error::input("proposals need quality among the objectives")
            .hint("objectives: [quality, latency@l4]")
    })?;
    let table = &surrogate.table;
    // What was measured is where it was measured.
    let mut front: Vec<Vec<f64>> = Vec::new();
    let mut measured: Vec<Digits> = Vec::new();
    for (cells, score) in &table.rows {
        let Some(digits) = points.plan.find(&table.columns, cells) else { continue };
        let judged = super::evolve::Problem::judge(points, &mut Shared::default(), &digits);
        if let super::evolve::Verdict::In(judged) = judged
            && judged.excess() <= 0.0
        {
            let mut ranks = judged.ranks;
            ranks[quality] = objectives[quality].rank(*score);
            front.push(ranks);
        }
        measured.push(digits);
    }
    let stride = tally.sample.len().div_ceil(MOST_CANDIDATES).max(1);
    let some = tally.sample.iter().step_by(stride).chain(&tally.front);
    let mut candidates: Vec<&(Digits, Judged)> =
        some.filter(|(digits, _)| !measured.contains(digits)).collect();
    candidates.sort_by(|a, b| a.0.cmp(&b.0));
    candidates.dedup_by(|a, b| a.0 == b.0);
    let all = candidates.iter().map(|(_, judged)| judged.ranks.as_slice());
    let end = reference(all.chain(front.iter().map(Vec::as_slice)));
    let deviation = |digits: &Digits| -> Option<f64> {
        Some(points.facts(digits, false).ok()?.quality?.deviation())
    };
    let deviations: Vec<f64> =
        candidates.iter().map(|(digits, _)| deviation(digits).unwrap_or(0.0)).collect();
    let steps = quantiles();
    let mut proposals = Vec::new();
    let mut taken = vec![false; candidates.len()];
    while proposals.len() < count {
        let base = hypervolume(&front, &end);
        let mut best: Option<(f64, usize)> = None;
        for (at, (_, judged)) in candidates.iter().enumerate().filter(|(at, _)| !taken[*at]) {
            let gain: f64 = steps
                .iter()
                .map(|step| {
                    let mut ranks = judged.ranks.clone();
                    ranks[quality] += step * deviations[at];
                    let mut with = front.clone();
                    with.push(ranks);
                    hypervolume(&with, &end) - base
                })
                .sum::<f64>()
                / steps.len() as f64;
            if best.is_none_or(|(most, _)| gain > most) {
                best = Some((gain, at));
            }
        }
        let Some((gain, at)) = best else { break };
        taken[at] = true;
        front.push(candidates[at].1.ranks.clone());
        let facts = points.facts(&candidates[at].0, false)?;
        let whole = hypervolume(&front, &end).max(f64::MIN_POSITIVE);
        proposals.push(Proposal { facts, gain: gain / whole });
    }
    if proposals.is_empty() {
        return Err(Error::limit("there is nothing left to measure within the limits"));
    }
    Ok(proposals)
}

/// The middles of equal parts of the normal distribution.
fn quantiles() -> Vec<f64> {
    (0..QUANTILES).map(|at| normal_quantile((at as f64 + 0.5) / QUANTILES as f64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_even_about_nothing() {
        let steps = quantiles();
        assert!(steps.iter().sum::<f64>().abs() < 1e-6 && steps.is_sorted());
    }
}
