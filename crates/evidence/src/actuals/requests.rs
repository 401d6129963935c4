//! A log of requests: their latencies beside those of one replica of the scenario's service under
//! the same load.
//!
//! The replay uses the simulator of `flopcast capacity` with the recorded arrivals and lengths, so
//! that a difference in latency is one of the step times, not of the load. One measured TPOT gives
//! the factor on all steps; the percentiles of TTFT and end-to-end latency then check it.

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::plan::Scenario;
use flopcast_core::quantity::text::number;
use flopcast_core::quantity::{Measure as _, Time, text};
use flopcast_core::serving::instance::Engines;
use flopcast_core::serving::simulator::{Arrival, Histogram, Report, Simulation};
use flopcast_core::serving::traffic::{Recorded, Trace};

use super::{Comparison, Form, Hint, Item};
use crate::backtest::score::quantile;

/// Percentiles that are compared.
const PERCENTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)];
/// The bounds of the factor on the steps that the search tries.
const FACTORS: (f64, f64) = (0.1, 10.0);
/// The relative width at which the search for the factor ends.
const TOLERANCE: f64 = 1e-4;

/// The median of the recorded times per output token (TPOT).
///
/// # Errors
/// If the log has no latencies.
pub fn median_tpot(trace: &Trace) -> Result<Time> {
    let tpot = recorded(trace, Recorded::tpot);
    quantile(&tpot, 0.5).map(Time::from_stored).ok_or_else(|| {
        Error::input("the log does not say how long its answers took")
            .hint("it needs first_token_ts and last_token_ts, or ttft_s and e2e_s")
            .hint("or give the median that was measured: --calibrate-tpot=30ms")
    })
}

/// Replays the requests of a log on one replica of the scenario's service, whatever traffic the
/// scenario expects.
///
/// With `tpot`, every step is scaled by one factor such that the median time per output token is
/// that one, which a single measurement on the user's own hardware gives. Latencies are those of
/// the engine, without the API server's overhead, if the log was taken at the engine.
///
/// # Errors
/// If the scenario has no engine that generates tokens, the model does not fit, or no factor from
/// 0.1 to 10 gives the median.
pub fn compare(scenario: &Scenario, trace: &Trace, tpot: Option<Time>) -> Result<Comparison> {
    let (input, output, _) = trace.means();
    let mut notes = trace.notes.clone();
    let (engines, given) = engines_of(scenario, (input, output))?;
    notes
        .insert(0, format!("{} requests on one replica", text::count(trace.requests.len() as f64)));

    let factor = match tpot {
        Some(tpot) => {
            let factor = factor_for(tpot, &engines, trace)?;
            notes.push(format!(
                "every step takes {} times what the scenario says, for a median TPOT of {}",
                number(factor),
                text::show(tpot)
            ));
            factor
        }
        None => 1.0,
    };
    let report = replay(&engines, factor, trace);
    if report.rejected > 0 {
        notes.push(format!("{} are longer than the KV cache and refused", report.rejected));
    }
    let wanted = tpot.or_else(|| median_tpot(trace).ok());
    let step_time = wanted.and_then(|it| factor_for(it, &engines, trace).ok()).map(|it| it * given);
    let hint = step_time.map(|value| Hint {
        path: "inference.step_time",
        value: number(value),
        why: "measured / forecast time of a step, from the median TPOT".to_owned(),
    });
    Ok(Comparison {
        forms: vec![Form::Requests],
        items: items(&report, trace),
        hints: hint.into_iter().collect(),
        notes,
    })
}

/// The engines of a replica of the scenario's service under requests of these mean lengths, and
/// what it says of their steps.
pub(super) fn engines_of(scenario: &Scenario, lengths: (f64, f64)) -> Result<(Engines, f64)> {
    let service = scenario.inference.as_ref();
    let instances = service.and_then(|service| service.demand.instances.as_ref());
    let (service, instances) = service.zip(instances).ok_or_else(|| {
        Error::input("the scenario has no service that generates tokens to compare with")
    })?;
    let engines = instances
        .under(&service.replica, &service.demand, lengths)
        .map_err(|unfit| Error::from(*unfit))?;
    Ok((engines, service.demand.step_time.as_ref().map_or(1.0, |factor| factor.value)))
}

/// Serves the requests at their recorded times, by engines whose steps take `factor` times as long.
fn replay(engines: &Engines, factor: f64, trace: &Trace) -> Report {
    let engines = engines.clone().scaled(factor);
    let whole = engines.simulation();
    let api_server = if trace.at_engine { Time::from_stored(0.0) } else { whole.api_server };
    Simulation { api_server, ..whole }.open(trace.requests.iter().map(|it| Arrival {
        at: it.at,
        input: it.input,
        output: it.output,
        cached: it.cached,
        class: 0,
    }))
}

/// The factor on every step that gives a median TPOT, by bisection on a logarithmic scale.
fn factor_for(tpot: Time, engines: &Engines, trace: &Trace) -> Result<f64> {
    factor_that(tpot, |factor| replay(engines, factor, trace).all().tpot.quantile(0.5))
}

/// The factor that gives a time per output token, `of` being that of a factor, in seconds.
pub(super) fn factor_that(tpot: Time, of: impl Fn(f64) -> Option<f64>) -> Result<f64> {
    let slower = |factor: f64| of(factor).is_some_and(|it| it > tpot.value);
    let (mut low, mut high) = FACTORS;
    if slower(low) || !slower(high) {
        return Err(Error::limit(format!(
            "no factor from {low} to {high} on the steps gives a median TPOT of {}",
            text::show(tpot)
        ))
        .hint("are model, accelerator, precision and parallelism those of the log?"));
    }
    while high / low > 1.0 + TOLERANCE {
        let middle = (low * high).sqrt();
        if slower(middle) { high = middle } else { low = middle }
    }
    Ok(low)
}

/// Percentiles of TTFT, TPOT and end-to-end latency in milliseconds, and the output tokens per
/// second of the whole log: tokens / time until the last answer ends.
fn items(report: &Report, trace: &Trace) -> Vec<Item> {
    let all = report.all();
    let latencies: [(&str, &Histogram, Vec<f64>); 3] = [
        ("ttft_ms", &all.ttft, recorded(trace, |it| Some(it.answered?.ttft))),
        ("tpot_ms", &all.tpot, recorded(trace, Recorded::tpot)),
        ("e2e_ms", &all.e2e, recorded(trace, |it| Some(it.answered?.e2e))),
    ];
    let mut items = Vec::new();
    for (name, forecast, actual) in latencies {
        for (percentile, share) in PERCENTILES {
            items.push(Item {
                path: format!("{name}.{percentile}"),
                forecast: forecast.quantile(share).map(|seconds| 1e3 * seconds),
                actual: quantile(&actual, share).map(|seconds| 1e3 * seconds),
                factors: Vec::new(),
            });
        }
    }
    let ends = recorded(trace, |it| Some(it.at + it.answered?.e2e));
    // If one request has no answer, the end of the log is unknown.
    let span = ends.iter().copied().reduce(f64::max).filter(|_| ends.len() == trace.requests.len());
    let tokens: f64 = trace.requests.iter().map(|it| f64::from(it.output)).sum();
    items.push(Item {
        path: "output_tokens_per_s".to_owned(),
        forecast: Some(report.output_rate().value),
        actual: span.map(|span| tokens / span),
        factors: Vec::new(),
    });
    items
}

/// A time of each request that has it, in seconds.
fn recorded(trace: &Trace, of: impl Fn(&Recorded) -> Option<Time>) -> Vec<f64> {
    trace.requests.iter().filter_map(of).map(|time| time.value).collect()
}
