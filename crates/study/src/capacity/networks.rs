//! Fleets of networks that answer in one pass: classifiers, encoders, embedding and vision models,
//! in the cloud or on an edge device.
//!
//! A replica waits for a batch up to `max_wait`, then answers it whole; the time of a batch is the
//! sum of its operators' times (`serving::network`). The error of that time is taken to be that of
//! an engine's pass over a prompt.

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::plan::Service;
use flopcast_core::quantity::{Measure as _, Time, text};
use flopcast_core::serving::calibration::Regime;
use flopcast_core::serving::capacity::Limit;
use flopcast_core::serving::network::Pass;
use flopcast_core::serving::plan::Router;
use flopcast_core::serving::simulator::Batching;
use flopcast_core::serving::traffic::{Class, Lengths, Source, Traffic};

use super::watched::ask;
use super::{Answer, Ask, Engaged, Question, Task, queue_limit};

/// Asks about replicas that answer batch by batch.
///
/// # Errors
/// If the service names an engine of language models or an SLO of generated tokens, or no load
/// keeps the SLO.
pub(super) fn solve<A: Ask>(
    service: &Service,
    question: &Question<'_>,
) -> Result<Answer<A::Found>> {
    let demand = &service.demand;
    if let Some(engine) = &demand.engine {
        return Err(Error::input("an engine of language models generates tokens")
            .at(Some(&engine.place))
            .hint("give inference.traffic.output_tokens, or leave the engine out"));
    }
    let objective = demand.objective.clone();
    if let Some(slo) = objective.slos.iter().find(|it| it.latency == Limit::Tpot) {
        return Err(Error::input(format!(
            "{} of {} is an SLO of generated tokens, but nothing is generated",
            objective.name(slo),
            text::show(slo.bound)
        ))
        .hint("give an SLO of e2e, the whole request"));
    }
    let search = question.search;
    let activation = demand.precision.value.size();
    let pass = Pass::of(&demand.model, activation, &service.replica)?;
    let times = pass.times()?;
    let most = times.len();

    let mut warnings = vec![
        "a compiled network is assumed; run operator by operator, it takes up to twice as long"
            .to_owned(),
    ];
    if (most as f64) < service.replica.max_batch.value.floor() {
        warnings.push(format!("no more than {most} requests fit beside the weights in one batch"));
    }
    if demand.router != Router::Random {
        warnings.push("inference.router is left aside: a replica stands for all".to_owned());
    }
    let server = Batching {
        times: &times,
        delay: demand.max_wait.as_ref().map_or(Time::from_stored(0.0), |wait| wait.value),
        slo: objective.bounds(),
        queue_limit: queue_limit(search, &objective),
        records: false,
    };
    let class = |share: f64| Class {
        weight: share,
        input: Lengths::Fixed(1),
        output: Lengths::Fixed(1),
        cached: 0.0,
        opening: 0,
        session: None,
    };
    let classes = demand.kinds.iter().map(|kind| class(kind.share.value.get())).collect();
    let burstiness = demand.burstiness.value;
    let traffic = Traffic {
        rate: service.rate.value,
        profile: None,
        source: Source::Random { burstiness, classes },
    };
    let regime = Regime::default();
    let task = Task { service, traffic: &traffic, objective: &objective, regime, question };
    let servers =
        |count: u64, records: bool| (count == 1).then(|| Batching { records, ..server.clone() });
    // One pass is what an engine does with a prompt.
    let found = ask::<A, _>(&task, &servers, |_| Limit::Ttft.interval(), &mut warnings)?;
    Ok(Answer { found, objective, engaged: Engaged::Network(times), warnings })
}
