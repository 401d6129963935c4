//! Mean latencies of a forecast without an SLO: its closed form, corrected by one short run at the peak.

use flopcast_core::diagnostic::Result;
use flopcast_core::estimate::Engine;
use flopcast_core::estimate::plan::Service;
use flopcast_core::quantity::{Measure as _, RequestRate, text};
use flopcast_core::serving::Correction;
use flopcast_core::serving::capacity::{Search, in_balance};
use flopcast_core::serving::closed_form::Latency;
use flopcast_core::serving::instance::Instances;
use flopcast_core::serving::simulator::Simulation;

use super::watched::Watched;
use super::{MOST_TOGETHER, converse, latency, router, traffic};

/// An engine whose mean latencies are those of the simulator at the peak of the first year, by a run
/// like the one that [`super::size`] makes there; as it is, where nothing is generated, nobody asks or nothing can
/// be answered.
///
/// # Errors
/// As [`Engine::run`]; what `progress` refuses.
pub fn played(
    engine: Engine,
    search: &Search,
    progress: &(dyn Fn(&str, f64) -> Result<()> + Sync),
) -> Result<Engine> {
    let Some(service) = engine.scenario().inference.clone() else { return Ok(engine) };
    let Some(instances) = &service.demand.instances else { return Ok(engine) };
    // Latencies of a job are not told.
    if service.rate.value.value <= 0.0 || service.within.is_some() {
        return Ok(engine);
    }
    let Some(forecast) = engine.run()?.inference else { return Ok(engine) };
    let Some(year) = forecast.years.first() else { return Ok(engine) };
    let working = year.replicas.value().stored() - service.redundancy.value;
    let rate = year.peak_rate.value() / working.max(1.0);
    let told = || progress("latencies at the peak", 0.0);
    let goes_on = || told().is_ok();
    let simulated = at_peak(&service, instances, (rate, working as u64), search, &goes_on);
    // A run that was ended early is no result.
    told()?;
    let correction = simulated
        .and_then(|(simulated, how)| Correction::between(&forecast.latency, &simulated, &how));
    Ok(match correction {
        Some(correction) => engine.corrected(correction),
        None => engine,
    })
}

/// Mean latencies of a simulation of replicas at the rate of each, and how they were found.
fn at_peak(
    service: &Service,
    instances: &Instances,
    (rate, replicas): (RequestRate, u64),
    search: &Search,
    goes_on: &(dyn Fn() -> bool + Sync),
) -> Option<(Latency, String)> {
    let mut traffic = traffic(service).ok()?;
    let length = traffic.mean_lengths();
    let engines = instances.under(&service.replica, &service.demand, length).ok()?;
    converse(&mut traffic, &engines);
    let simulation = Simulation { slo: service.demand.objective.bounds(), ..engines.simulation() };
    let (count, simulation) = match router(service) {
        Some(router) if replicas > 1 => {
            let count = replicas.min(MOST_TOGETHER);
            (count, simulation.times(count as u32, router))
        }
        _ => (1, simulation),
    };
    let traffic = traffic.over(count as f64);
    let simulation = Watched { server: simulation, goes_on };
    let report = in_balance(&simulation, &traffic, rate * count as f64, search, 1);
    let how = format!("at the peak, over {} requests", text::count(report.answered as f64));
    Some((latency(&report).ok()?, how))
}
