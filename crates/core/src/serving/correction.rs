//! A short simulation's word on the closed form: how the mean latencies of both compare at one load.
//!
//! Queues fluctuate, and a closed form over means knows that by approximation alone. The ratio of both
//! changes little near the load that was simulated, so a forecast multiplies its closed form by it:
//! it agrees with the simulator at the peak, and still moves with its inputs.

use std::sync::Arc;

use super::closed_form::{Latency, TimePerRequest, TimePerToken};
use crate::provenance::Traced;
use crate::quantity::Measure as _;

/// Simulated / closed-form means of the latencies at one load.
#[derive(Clone, Debug, PartialEq)]
pub struct Correction {
    /// That of the time to the first token, and of the time from there to the last.
    first: f64,
    rest: f64,
    token: Option<f64>,
    how: Arc<str>,
}

impl Correction {
    /// The correction of a closed form's latencies by those that were simulated at the same load, in
    /// these words; none where the two cannot be compared.
    pub fn between(closed: &Latency, simulated: &Latency, how: &str) -> Option<Self> {
        let ratio = |closed: f64, simulated: f64| {
            let ratio = simulated / closed;
            (ratio.is_finite() && ratio > 0.0).then_some(ratio)
        };
        let first = |it: &Latency| it.ttft.value().stored();
        let rest = |it: &Latency| it.e2e.value().stored() - first(it);
        let token = |it: &Latency| it.tpot.as_ref().map(|it| it.value().stored());
        Some(Self {
            first: ratio(first(closed), first(simulated))?,
            // Of answers of one token nothing is left after the first.
            rest: ratio(rest(closed), rest(simulated)).unwrap_or(1.0),
            token: token(closed).zip(token(simulated)).and_then(|(a, b)| ratio(a, b)),
            how: how.into(),
        })
    }
}

impl Latency {
    /// The latencies of a closed form: time to the first token, time from there to the last, time of a
    /// token, if there are any after it; corrected, where a simulation was asked.
    pub(crate) fn of(
        first: Traced<TimePerRequest>,
        rest: Traced<TimePerRequest>,
        token: Option<Traced<TimePerToken>>,
        correction: Option<&Correction>,
    ) -> Self {
        let (first, rest, token) = match correction {
            None => (first, rest, token),
            Some(it) => {
                let factor = |value: f64| {
                    let told = || ("simulated / closed form".to_owned(), it.how.to_string());
                    first.beside::<f64>(value, told)
                };
                (
                    first.clone().named("time to first token by closed form") * factor(it.first),
                    rest.named("time of the other tokens by closed form") * factor(it.rest),
                    token.map(|token| {
                        let closed = token.named("time per token by closed form");
                        closed * factor(it.token.unwrap_or(1.0))
                    }),
                )
            }
        };
        let ttft = first.named("inference.ttft_ms.mean");
        let e2e = (&ttft + rest).named("inference.e2e_ms.mean");
        Self { ttft, tpot: token.map(|it| it.named("inference.tpot_ms.mean")), e2e }
    }
}
