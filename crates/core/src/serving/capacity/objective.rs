//! The service-level objective: percentiles of latency.

use crate::quantity::{Time, text};
use crate::serving::simulator::{Bounds, Report};

/// Percentiles that must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Objective {
    /// Names of the classes of requests, in the order of the traffic; none where all are alike.
    pub classes: Vec<String>,
    /// The SLO of each of them, or of all together.
    pub slos: Vec<Slo>,
    /// Share of the requests that the admission control may refuse.
    pub refused: f64,
}

/// A percentile that must hold: 95 % of the requests have their first token within 500 ms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slo {
    /// The class of requests that it is made to; all of them together without.
    pub class: Option<u16>,
    /// The latency: TTFT, TPOT or E2E.
    pub latency: Limit,
    /// The percentile, 0 to 1.
    pub percentile: f64,
    /// The upper bound.
    pub bound: Time,
}

/// The bound that keeps a replica from a higher rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The bound of the time to first token.
    Ttft,
    /// The bound of the time per output token.
    Tpot,
    /// The bound of the whole answer.
    E2e,
    /// The queue grows without end.
    Throughput,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ttft, Self::Tpot, Self::E2e, Self::Throughput];

    /// The interval of the calibration that speaks of it.
    pub fn interval(self) -> &'static str {
        match self {
            Self::Ttft => "ttft",
            Self::Tpot | Self::E2e => "tpot",
            Self::Throughput => "output_tokens_per_s",
        }
    }

    /// Its name in keys.
    pub fn key(self) -> &'static str {
        match self {
            Self::Ttft => "ttft",
            Self::Tpot => "tpot",
            Self::E2e => "e2e",
            Self::Throughput => "throughput",
        }
    }

    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ttft => "TTFT",
            Self::Tpot => "TPOT",
            Self::E2e => "E2E",
            Self::Throughput => "throughput",
        }
    }
}

/// Bound / latency beyond which nobody asks how much it is.
const MOST_ROOM: f64 = 1e3;

/// How one percentile did: the mean over the runs with its standard error, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Check {
    pub slo: Slo,
    pub measured: f64,
    error: f64,
}

impl Check {
    /// True if the measured latency keeps the bound with a margin of so many standard errors.
    pub(super) fn holds(&self, margin: f64) -> bool {
        self.measured + margin * self.error <= self.slo.bound.value
    }

    /// Bound / (measured + margin x standard error).
    fn room(&self, margin: f64) -> f64 {
        self.slo.bound.value / (self.measured + margin * self.error)
    }

    /// Measured / bound.
    pub(super) fn ratio(&self) -> f64 {
        self.measured / self.slo.bound.value
    }
}

impl Objective {
    /// No bound at all: a replica's limit is then where its queue grows without end.
    pub fn is_empty(&self) -> bool {
        self.slos.is_empty()
    }

    /// An SLO in words: `chat: TTFT p95`.
    pub fn name(&self, slo: &Slo) -> String {
        let class = slo.class.and_then(|class| self.classes.get(usize::from(class)));
        let of = class.map_or(String::new(), |class| format!("{class}: "));
        format!("{of}{} p{:.0}", slo.latency.name(), 100.0 * slo.percentile)
    }

    /// The percentiles in words: what a forecast by means does not hold.
    pub fn words(&self) -> String {
        let of = |slo: &Slo| format!("{} of {}", self.name(slo), text::show(slo.bound));
        self.slos.iter().map(of).collect::<Vec<_>>().join(", ")
    }

    /// The bounds that a single request of each class must keep, for attainment.
    pub fn bounds(&self) -> Vec<Bounds> {
        let of = |class: usize| {
            let tightest = |latency: Limit| {
                let to = |it: &&Slo| {
                    it.latency == latency && it.class.is_none_or(|it| usize::from(it) == class)
                };
                let bounds = self.slos.iter().filter(to).map(|slo| slo.bound);
                bounds.min_by(|a, b| a.value.total_cmp(&b.value))
            };
            Bounds {
                ttft: tightest(Limit::Ttft),
                tpot: tightest(Limit::Tpot),
                e2e: tightest(Limit::E2e),
            }
        };
        (0..self.classes.len().max(1)).map(of).collect()
    }

    /// The objective with the bounds of each latency divided by a factor.
    #[must_use]
    pub fn tightened(&self, factor: impl Fn(Limit) -> f64) -> Self {
        let tighten = |it: &Slo| Slo { bound: it.bound / factor(it.latency), ..*it };
        let slos = self.slos.iter().map(tighten).collect();
        Self { slos, ..self.clone() }
    }

    /// Bound / latency, with a margin of so many standard errors, of the SLO that has the least to spare: at
    /// least 1 where all hold.
    pub(super) fn room(&self, reports: &[Report], margin: f64) -> f64 {
        let checks = self.checks(reports).into_iter();
        checks.map(|check| check.room(margin)).fold(MOST_ROOM, f64::min)
    }

    /// Every SLO beside its latency: the mean over the runs, and its standard error. A run without
    /// a request that has the latency (a rare class, answers of one token) does not count.
    pub(super) fn checks(&self, reports: &[Report]) -> Vec<Check> {
        let all: Vec<_> = reports.iter().map(Report::all).collect();
        let check = |slo: &Slo| {
            let measured: Vec<f64> = reports
                .iter()
                .zip(&all)
                .filter_map(|(report, all)| {
                    let class = match slo.class {
                        None => all,
                        Some(class) => &report.classes[usize::from(class)],
                    };
                    let histogram = match slo.latency {
                        Limit::Ttft => &class.ttft,
                        Limit::Tpot => &class.tpot,
                        _ => &class.e2e,
                    };
                    histogram.quantile(slo.percentile)
                })
                .collect();
            let (measured, error) = mean(&measured);
            Check { slo: *slo, measured, error }
        };
        self.slos.iter().map(check).collect()
    }
}

/// The mean of some values and its standard error, sqrt(sum (x - mean)^2 / (n (n - 1))); both are 0
/// of no value, the error of a single one too.
fn mean(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n.max(1.0);
    let spread = values.iter().map(|it| (it - mean).powi(2)).sum::<f64>();
    let error = if n > 1.0 { (spread / (n - 1.0) / n).sqrt() } else { 0.0 };
    (mean, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_a_mean_is_that_of_its_values() {
        let (value, error) = mean(&[1.0, 2.0, 3.0]);
        assert!((value - 2.0).abs() < 1e-12 && (error - (1.0 / 3.0_f64).sqrt()).abs() < 1e-12);
        assert_eq!([mean(&[4.0]), mean(&[])], [(4.0, 0.0), (0.0, 0.0)]);
    }
}
