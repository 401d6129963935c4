//! The fleet that keeps a service's SLO: the simulator finds what a replica takes, the ledger what
//! the fleet costs.
//!
//! The highest rate of a replica is found on a grid of simulated rates (`serving::capacity`);
//! the fleet is ceil(peak / (rate x target utilisation)) + redundancy. The interval of both comes
//! from the back-test: a latency that is off by a factor is one whose bound is off by it, so the
//! search is repeated with bounds that are tighter and looser by the 80 % interval of the latency
//! that limits the rate. For a queue that grows without end the rate itself is divided and
//! multiplied by the factor.

mod datasheet;
mod fit;
mod group;
mod networks;
mod played;
mod watched;

use std::sync::Arc;

use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::plan::{Scenario, Service};
use flopcast_core::estimate::{Engine, Estimate, Observed, ReplicaLimits, Simulated};
use flopcast_core::provenance::Traced;
use flopcast_core::quantity::{Measure, Ratio, RequestRate, Time, text};
use flopcast_core::serving::calibration::{Calibration, Regime};
use flopcast_core::serving::capacity::{
    Fleet, HighestRate, Limit, Near, Objective, Search, Slo, crossing, fleet, highest_rate,
    in_balance,
};
use flopcast_core::serving::closed_form::Latency;
use flopcast_core::serving::instance::{Engines, Instances};
use flopcast_core::serving::memory::KvCapacity;
use flopcast_core::serving::plan::{Length, Router as GivenRouter};
use flopcast_core::serving::simulator::{
    Arrival, ClassReport, Histogram, Replicas, Report, Router, Server, Simulation, StepTime,
};
use flopcast_core::serving::traffic::{Class, Lengths, Session, Source, Traffic};
use rayon::prelude::*;

use self::group::{Group, MOST_TOGETHER};

pub use played::played;

/// A sized service: the fleet, the simulation that it rests on, and its forecast.
#[derive(Clone, Debug)]
pub struct Capacity {
    /// The scenario with the simulated replica in it, and its forecast.
    pub forecast: Engine,
    /// The forecast of that engine, with derivations.
    pub estimate: Estimate,
    /// A description of a replica.
    pub engaged: Engaged,
    /// The fleet and what it is sized from.
    pub found: Found,
    /// The SLO.
    pub objective: Objective,
    /// Warnings to read before trusting the figures.
    pub warnings: Vec<String>,
}

/// A description of a replica.
#[derive(Clone, Debug)]
pub enum Engaged {
    /// An engine that generates tokens, whose constants apply; and what fits.
    Engine(String, KvCapacity),
    /// A network that answers in one pass, and how long batches of 1, 2, ... requests take.
    Network(Vec<Time>),
}

/// A fleet and what it is sized from.
#[derive(Clone, Debug)]
pub struct Found {
    /// The highest rate of one replica within its SLO.
    pub highest: HighestRate,
    /// A replica at the peak, the load being spread over those that it needs; of a job, while it runs.
    pub planned: Report,
    /// The rate of that replica.
    pub planned_rate: RequestRate,
    /// The fleet of the first year.
    pub fleet: Fleet,
    /// Latencies of a replica from a tenth of its highest rate up to it.
    pub load: Vec<(RequestRate, ClassReport)>,
    /// The 80 % interval of the rate and of the fleet.
    pub interval: Interval,
}

/// The effect of the model's error, as the back-test found it, on the fleet.
#[derive(Clone, Debug)]
pub struct Interval {
    /// The factor by which the limiting time is off, either way.
    pub factor: f64,
    /// The highest rate of a replica where latencies are longer and where they are shorter; none
    /// where longer ones break an SLO at any load.
    pub rate: (Option<RequestRate>, RequestRate),
    /// The fleets for these rates.
    pub fleet: (Option<Fleet>, Fleet),
    /// The answer where longer latencies break an SLO at any load: what can be promised all the
    /// same.
    pub within_error: Option<WithinError>,
    /// The reason why the interval is wider than usual, in words; `None` where it is the usual one.
    pub regime: Option<&'static str>,
}

/// An SLO so near to what a request alone on a replica takes that the error of the model decides.
#[derive(Clone, Debug)]
pub struct WithinError {
    /// The SLO in words.
    pub slo: String,
    /// The fleet that keeps it with a probability of 80 %; none where no fleet does.
    pub p80: Option<Fleet>,
    /// The bound that a lightly loaded replica keeps with a probability of 80 %.
    pub promise: Time,
}

/// The standard normal quantile of 80 % / that of 90 %, since half-widths are those of two-sided 80
/// % intervals.
const ONE_SIDED: f64 = 0.8416 / 1.2816;

/// The settings of a search for a fleet.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// The serving calibration.
    pub calibration: &'a Calibration,
    /// The length of the simulated runs and the width at which the search ends.
    pub search: &'a Search,
    /// True if every request at the peak is kept.
    pub records: bool,
    /// Hears what is being simulated and the share that is done; its error ends the search.
    pub progress: &'a (dyn Fn(&str, f64) -> Result<()> + Sync),
}

/// Sizes the fleet of a scenario's service for the peak of its first year: of engines that generate
/// tokens, or of replicas that answer batch by batch. Ranges enter with their central value.
///
/// # Errors
/// If the scenario has no service, the model does not fit (with what would make it fit), or no load
/// keeps the SLO (with the bound that forbids it).
pub fn size(scenario: &Scenario, catalog: &Catalog, question: &Question<'_>) -> Result<Capacity> {
    let (service, answer) = solve::<Whole>(scenario, catalog, question)?;
    let Answer { found, objective, engaged, mut warnings } = answer;
    let planned = &found.planned;
    if planned.rejected > 0 {
        let share = 100.0 * planned.rejected as f64 / planned.arrived.max(1) as f64;
        warnings.push(format!(
            "{share:.2} % of the requests are longer than the KV cache of a replica and are refused"
        ));
    }
    let inputs = service.demand.leaves();
    let observed = Observed { inputs, ..observed(&found, &objective, &engaged) };
    let at_peak = latency(&found.planned)?;
    let forecast = forecast(scenario, service, catalog, &found.highest, (at_peak, observed))?;
    let estimate = forecast.recorded().run()?;
    Ok(Capacity { forecast, estimate, engaged, found, objective, warnings })
}

/// The highest rate of a replica, the fleet for the peak of the first year and its forecast: all
/// that a comparison of many fleets looks at. Latencies at the peak and the interval, which take
/// as long again, are left out; those of the forecast are of the highest rate.
///
/// # Errors
/// As [`size`].
pub fn rate(
    scenario: &Scenario,
    catalog: &Catalog,
    question: &Question<'_>,
) -> Result<(HighestRate, Fleet, Estimate)> {
    let (service, answer) = solve::<Rate>(scenario, catalog, question)?;
    let highest = answer.found;
    let fleet = fleet_for(service, peak(service), highest.rate)?;
    let beside = (latency(&highest.report)?, Observed::default());
    let estimate = forecast(scenario, service, catalog, &highest, beside)?.run()?;
    Ok((highest, fleet, estimate))
}

/// What is asked of simulated replicas.
trait Ask {
    /// What is found.
    type Found;

    /// Simulates; `servers` makes so many replicas behind the router, none where one stands for all.
    ///
    /// # Errors
    /// As [`size`].
    fn of<S: Server>(
        task: &Task<'_>,
        servers: &impl Fn(u64, bool) -> Option<S>,
        error_of: fn(Limit) -> &'static str,
        warnings: &mut Vec<String>,
    ) -> Result<Self::Found>;
}

/// All that is found about a fleet.
struct Whole;

impl Ask for Whole {
    type Found = Found;

    fn of<S: Server>(
        task: &Task<'_>,
        servers: &impl Fn(u64, bool) -> Option<S>,
        error_of: fn(Limit) -> &'static str,
        warnings: &mut Vec<String>,
    ) -> Result<Found> {
        task.solve(servers, error_of, warnings)
    }
}

/// The highest rate of a replica alone.
struct Rate;

impl Ask for Rate {
    type Found = HighestRate;

    fn of<S: Server>(
        task: &Task<'_>,
        servers: &impl Fn(u64, bool) -> Option<S>,
        _: fn(Limit) -> &'static str,
        _: &mut Vec<String>,
    ) -> Result<HighestRate> {
        let progress = |share| (task.question.progress)("the highest rate of a replica", share);
        Ok(task.group(servers, &progress)?.highest)
    }
}

/// What is found, and about which replica and SLO.
struct Answer<F> {
    found: F,
    objective: Objective,
    engaged: Engaged,
    warnings: Vec<String>,
}

/// Asks about the service of a scenario.
///
/// # Errors
/// As [`size`].
fn solve<'a, A: Ask>(
    scenario: &'a Scenario,
    catalog: &Catalog,
    question: &Question<'_>,
) -> Result<(&'a Service, Answer<A::Found>)> {
    let service = scenario.inference.as_ref().ok_or_else(|| {
        Error::input("the scenario has no `inference` section: there is no service to size")
    })?;
    if service.rate.value.value <= 0.0 {
        return Err(Error::input("the service gets no requests: there is nothing to size"));
    }
    let answer = match &service.demand.instances {
        Some(instances) => generative::<A>(service, instances, catalog, question)?,
        None => networks::solve::<A>(service, question)?,
    };
    Ok((service, answer))
}

/// Asks about engines that generate tokens.
///
/// # Errors
/// As [`size`].
fn generative<A: Ask>(
    service: &Service,
    instances: &Instances,
    catalog: &Catalog,
    question: &Question<'_>,
) -> Result<Answer<A::Found>> {
    let Question { search, .. } = *question;
    let mut warnings = Vec::new();
    let mut traffic = traffic(service)?;
    let length = traffic.mean_lengths();
    let engines = instances
        .under(&service.replica, &service.demand, length)
        .map_err(|unfit| fit::explained(*unfit, service, instances, catalog, length))?;
    let objective = service.demand.objective.clone();
    datasheet::allows(service, instances.dense(), &objective)?;
    let simulation = Simulation {
        slo: objective.bounds(),
        queue_limit: queue_limit(search, &objective) as usize,
        ..engines.simulation()
    };
    converse(&mut traffic, &engines);
    let traffic = traffic.kept(search.seeds, search.requests);
    let regime = instances.regime();
    let task = Task { service, traffic: &traffic, objective: &objective, regime, question };
    let servers = |count: u64, records: bool| {
        let kept = Simulation { records, ..simulation.clone() };
        match router(service) {
            _ if count == 1 => Some(kept),
            Some(router) => Some(kept.times(count as u32, router)),
            None => None,
        }
    };
    let held = engines.decode.memory.sequences.min(service.replica.max_batch.value).floor();
    let found =
        watched::ask::<A, _>(&task, &servers, Limit::interval, &mut warnings).map_err(|error| {
            error.hint(format!("the memory holds {} requests at once", text::count(held)))
        })?;
    let engaged = Engaged::Engine(instances.engine.clone(), engines.decode.memory);
    Ok(Answer { found, objective, engaged, warnings })
}

/// Tells conversations what the caches of a replica hold, and how long an answer takes.
fn converse(traffic: &mut Traffic, engines: &Engines) {
    let length = traffic.mean_lengths();
    let Source::Random { classes, .. } = &mut traffic.source else { return };
    if classes.iter().all(|class| class.session.is_none()) {
        return;
    }
    let alone = alone(&engines.simulation(), length);
    for session in classes.iter_mut().filter_map(|class| class.session.as_mut()) {
        session.held = engines.decode.memory.tokens.value * f64::from(engines.decode.count);
        session.answer = alone;
    }
}

/// Time of an answer of mean lengths that is alone on a replica.
fn alone<S: StepTime>(simulation: &Simulation<'_, S>, (input, output): (f64, f64)) -> Time {
    let tokens = |mean: f64| mean.round().max(1.0) as u32;
    let request = Arrival {
        at: Time::default(),
        input: tokens(input),
        output: tokens(output),
        cached: 0,
        class: 0,
    };
    let answered = simulation.open([request]).all().e2e.mean();
    Time::from_stored(answered.unwrap_or_default())
}

/// The forecast of a fleet of replicas of this highest rate, with these latencies and statistics.
///
/// # Errors
/// As [`Engine::new`], and if a replica does not hold the model.
fn forecast(
    scenario: &Scenario,
    service: &Service,
    catalog: &Catalog,
    highest: &HighestRate,
    (latency, observed): (Latency, Observed),
) -> Result<Engine> {
    let closed = ReplicaLimits::of(&service.recorded())?;
    let by_means = closed.max_rate.value();
    let limits = ReplicaLimits { max_rate: max_rate(highest), ..closed };
    let simulated = Simulated { limits, latency, closed: by_means, observed: Arc::new(observed) };
    Ok(Engine::new(scenario, catalog)?.simulated(simulated))
}

/// The statistics of the run at the peak, beside those that the forecast rests on.
fn observed(found: &Found, objective: &Objective, engaged: &Engaged) -> Observed {
    let planned = &found.planned;
    let used = planned.answering();
    let share = |value: f64| Ratio::from_stored(value);
    let has_slo = !objective.is_empty();
    let bounded = planned.refused > 0 || objective.refused > 0.0;
    let named = objective.classes.iter().map(|name| Arc::from(name.as_str()));
    let general = Observed {
        all: planned.all(),
        classes: named.zip(planned.classes.iter().cloned()).collect(),
        slo_attainment: has_slo.then(|| share(planned.slo_attainment())),
        goodput: has_slo.then(|| planned.goodput()),
        refused: bounded.then(|| share(planned.refused_share())),
        planned_rate: Some(found.planned_rate),
        prefill_busy: planned.decode.as_ref().map(|_| share(planned.fleet.busy)),
        busy: Some(share(used.busy)),
        batch: Some([used.batch.0, f64::from(used.batch.1)].map(share)),
        headroom: Some(share(found.fleet.headroom)),
        ..Observed::default()
    };
    match engaged {
        Engaged::Engine(_, memory) => Observed {
            weights: Some(memory.weights),
            kv_cache: Some(memory.cache),
            kv_used: Some([used.kv.0, used.kv.1].map(share)),
            preemptions: Some(share(used.preemptions as f64)),
            ..general
        },
        Engaged::Network(times) => {
            let ends = times.first().copied().zip(times.last().copied());
            // Nothing is generated: the answer has no first token.
            let whole = |it: ClassReport| ClassReport { ttft: Histogram::default(), ..it };
            let classes = general.classes.iter().cloned().map(|(name, it)| (name, whole(it)));
            Observed {
                batch_times: ends.map(|(one, most)| [one, most]),
                all: whole(general.all.clone()),
                classes: classes.collect(),
                ..general
            }
        }
    }
}

/// The number of waiting requests at which a load is given up as too high; none where it is asked what
/// is answered while others wait.
fn queue_limit(search: &Search, objective: &Objective) -> u64 {
    if objective.is_empty() { u64::MAX } else { (search.requests / 2).max(1000) }
}

/// A fleet to find: the service, its traffic and SLO, and the settings of the search.
struct Task<'a> {
    service: &'a Service,
    traffic: &'a Traffic,
    objective: &'a Objective,
    regime: Regime,
    question: &'a Question<'a>,
}

/// How the next request finds its replica; none where it makes no difference: any replica gets it, and
/// requests are drawn one by one, so that those of each are drawn like those of all.
fn router(service: &Service) -> Option<Router> {
    let demand = &service.demand;
    let poisson = demand.trace.is_none() && (demand.burstiness.value - 1.0).abs() < 1e-9;
    match demand.router {
        GivenRouter::Random if poisson => None,
        GivenRouter::Random => Some(Router::Random(1)),
        GivenRouter::RoundRobin => Some(Router::RoundRobin),
        GivenRouter::LeastOutstanding => Some(Router::LeastOutstanding),
    }
}

impl Task<'_> {
    /// The highest rate of a replica, the fleet for the peak, and the error of both: the interval
    /// of the calibration that `error_of` names for the latency that limits the rate.
    ///
    /// # Errors
    /// If no load keeps the SLO, or the calibration lacks an interval.
    fn solve<S: Server>(
        &self,
        servers: &impl Fn(u64, bool) -> Option<S>,
        error_of: impl Fn(Limit) -> &'static str,
        warnings: &mut Vec<String>,
    ) -> Result<Found> {
        let Self { service, objective, regime, question, .. } = *self;
        let Question { calibration, progress, records, .. } = *question;
        if objective.is_empty() {
            warnings.push(
                "no inference.slo is given: a replica is loaded until its queue grows without end"
                    .to_owned(),
            );
        }
        let Group { server, search, highest } =
            self.group(servers, &|share| progress("the highest rate of a replica", 0.6 * share))?;
        let count = server.count;
        let traffic = &self.traffic.over(count as f64).kept(search.seeds, search.requests);
        // Runs of a given rate are as long as their requests at once ask for.
        let usual = question.search;
        let load = (1..=10).into_par_iter().map(|tenth| {
            let rate = highest.rate * (f64::from(tenth) / 10.0);
            (rate, in_balance(&server, traffic, rate * count as f64, usual, 1))
        });
        let runs: Vec<(RequestRate, Report)> = load.collect();
        let peak = peak(service);
        let size = |rate: RequestRate| fleet_for(service, peak, rate);
        let fleet = size(highest.rate)?;
        progress("latencies at the peak", 0.6)?;
        // A job may queue: its replicas are at work at their highest rate until it is over.
        let planned_rate = match &service.within {
            Some(_) => highest.rate,
            None => peak / fleet.needed as f64,
        };
        let alike = servers(2, false).is_none();
        let shown = if alike { 1 } else { fleet.needed.min(MOST_TOGETHER) };
        let shown = servers(shown, records).map(|server| Replicas { server, count: shown });
        let shown = shown.ok_or_else(|| Error::limit("there is no replica"))?;
        let of_shown = self.traffic.over(shown.count as f64);
        let planned = in_balance(&shown, &of_shown, planned_rate * shown.count as f64, usual, 1);

        // A latency that is off by a factor is one whose bound is off by it; a queue that grows
        // without end says that the throughput is.
        let widths = &calibration.intervals;
        if let Some(key) = Limit::ALL.map(&error_of).iter().find(|it| widths.get(it).is_none()) {
            return Err(Error::input(format!("the serving calibration has no interval of {key}")));
        }
        let extents = &service.demand.model.extents;
        let factor = |limit: Limit| {
            extents.widened(calibration.half_width(error_of(limit), regime), widths).exp()
        };
        let limiting = factor(highest.limit);
        let rough = Search { seeds: search.seeds.min(2), tolerance: 0.02, ..search };
        let with = |objective: &Objective, words: &str, done: f64| {
            let progress = |share: f64| progress(words, done + 0.2 * share);
            let near = crossing(objective, &runs);
            let near = near.unwrap_or(Near { rate: highest.rate, slope: None }).over(count);
            highest_rate(&server, traffic, objective, &rough, Some(near), &progress)
                .map(|found| found.rate / count as f64)
        };
        let throughput = highest.limit == Limit::Throughput;
        let mut slow = with(&objective.tightened(factor), "the same with tighter bounds", 0.6).ok();
        if throughput {
            let at_most = highest.rate / limiting;
            slow = slow.map(|rate| if rate < at_most { rate } else { at_most });
        }
        let fast = if throughput {
            highest.rate * limiting
        } else {
            let looser = objective.tightened(|limit| 1.0 / factor(limit));
            with(&looser, "the same with looser bounds", 0.8)?
        };
        let load: Vec<_> = runs.iter().map(|(rate, run)| (*rate, run.all())).collect();
        let mut within_error = None;
        if slow.is_none() {
            let eased = |limit: Limit| factor(limit).powf(ONE_SIDED);
            let p80 =
                with(&objective.tightened(eased), "the same for the 80th percentile", 0.7).ok();
            within_error = nearest(objective, &load, eased).map(|(slo, promise)| WithinError {
                slo: objective.name(&slo),
                p80: p80.and_then(|rate| size(rate).ok()),
                promise,
            });
        }
        // The rougher search must not end beyond the finer one.
        let slow = slow.map(|rate| if rate < highest.rate { rate } else { highest.rate });
        let fast = if fast > highest.rate { fast } else { highest.rate };
        let interval = Interval {
            factor: limiting,
            rate: (slow, fast),
            fleet: (slow.map(size).transpose()?, size(fast)?),
            within_error,
            regime: regime.words(),
        };
        warnings.extend(interval.within_error.as_ref().map(|it| it.words(&fleet)));
        Ok(Found { highest, planned, planned_rate, fleet, load, interval })
    }
}

/// The SLO that a lightly loaded replica keeps with the least to spare, and the bound that it keeps
/// where latencies are longer by these factors.
fn nearest(
    objective: &Objective,
    load: &[(RequestRate, ClassReport)],
    longer: impl Fn(Limit) -> f64,
) -> Option<(Slo, Time)> {
    let (_, light) = load.first()?;
    let spare = |slo: &Slo| {
        let histogram = match slo.latency {
            Limit::Ttft => &light.ttft,
            Limit::Tpot => &light.tpot,
            _ => &light.e2e,
        };
        let promise = histogram.quantile(slo.percentile)? * longer(slo.latency);
        Some((*slo, Time::from_stored(promise)))
    };
    let near = objective.slos.iter().filter_map(spare);
    let left = |(slo, promise): &(Slo, Time)| (slo.bound / *promise).stored();
    near.min_by(|a, b| left(a).total_cmp(&left(b)))
}

impl WithinError {
    /// The warning about an SLO within the error of the model.
    fn words(&self, fleet: &Fleet) -> String {
        let Self { slo, p80, promise } = self;
        let fleets = match p80 {
            Some(p80) => format!(
                "{} devices keep it with a probability of 50 %, {} of 80 %",
                fleet.devices, p80.devices
            ),
            None => format!(
                "{} devices keep it with a probability of 50 %, none however many of 80 %",
                fleet.devices
            ),
        };
        format!(
            "{slo} is within the error of the model: {fleets}; what can be promised with 80 % is {}",
            text::show(*promise)
        )
    }
}

/// The peak that the fleet is for.
fn peak(service: &Service) -> RequestRate {
    service.rate.value * service.peak_to_mean.value
}

/// The fleet of a service for a peak, given the highest rate of a replica.
///
/// # Errors
/// If the fleet is beyond any size.
pub(super) fn fleet_for(service: &Service, peak: RequestRate, rate: RequestRate) -> Result<Fleet> {
    let replica = service.replica.all_devices().value().value as u64;
    let redundancy = service.redundancy.value as u64;
    fleet(peak, rate, service.target_utilisation.value, redundancy, replica)
}

/// The requests as they were recorded, or drawn: gamma distributed gaps, lognormal lengths.
fn traffic(service: &Service) -> Result<Traffic> {
    let demand = &service.demand;
    let rate = service.rate.value;
    if let Some(trace) = &demand.trace {
        return Ok(Traffic { rate, profile: None, source: Source::Recorded(Arc::clone(trace)) });
    }
    let most =
        demand.model.extents.max_sequence.map(|most| u32::try_from(most).unwrap_or(u32::MAX));
    let lengths = |length: Option<&Length>, key: &str| -> Result<Lengths> {
        let length = length.ok_or_else(|| {
            Error::input(format!("the service has no inference.traffic.{key}")).hint(
                "capacity simulates engines that generate tokens; `flopcast estimate` has the \
                       closed forms for others",
            )
        })?;
        Lengths::lognormal(length.mean.value.value, 0.95, length.p95.value.value, most)
            .map_err(|error| error.at(Some(&length.place)))
    };
    let mut classes = Vec::new();
    for kind in &demand.kinds {
        let own = kind.own.as_ref().or(kind.input.as_ref());
        classes.push(Class {
            weight: kind.share.value.get(),
            input: lengths(own, "input_tokens")?,
            output: match (&kind.class, &kind.output) {
                // A class without answers among others is over with its prompt.
                (Some(_), None) => Lengths::Fixed(1),
                (_, output) => lengths(output.as_ref(), "output_tokens")?,
            },
            cached: if demand.opening > 0 { 0.0 } else { kind.cached.value.get() },
            opening: demand.opening,
            session: kind.session.as_ref().map(|session| Session {
                turns: session.turns,
                think: session.think.value,
                answer: Time::default(),
                most: most.unwrap_or(u32::MAX),
                held: f64::INFINITY,
            }),
        });
    }
    let burstiness = demand.burstiness.value;
    Ok(Traffic { rate, profile: None, source: Source::Random { burstiness, classes } })
}

/// The highest rate as the forecast takes it.
fn max_rate(highest: &HighestRate) -> Traced<RequestRate> {
    let how = format!(
        "simulated: the highest rate within the objective; {} breaks it ({}), as {} requests say",
        text::show(highest.breaks_at),
        highest.bottleneck,
        text::count(highest.simulated as f64)
    );
    Traced::derived("inference.replica.max_rate_per_s", highest.rate, how)
}

/// The latencies as the forecast takes them: means over the requests of the run at the peak, and
/// the parts that they are sums of.
fn latency(planned: &Report) -> Result<Latency> {
    let all = planned.all();
    let mean = |histogram: &Histogram| {
        histogram.mean().ok_or_else(|| Error::limit("no request was answered at the planned load"))
    };
    let how = |histogram: &Histogram| {
        let requests = text::count(histogram.count() as f64);
        format!("simulated at the peak: mean over {requests} requests")
    };
    let (queueing, first, whole) = (mean(&all.queueing)?, mean(&all.ttft)?, mean(&all.e2e)?);
    let part = |name: &str, seconds: f64| Traced::derived(name, per(seconds), how(&all.ttft));
    let waited = part("time in the queue", queueing);
    let read = part("from the queue to the first token", first - queueing);
    let ttft = (&waited + read).named("inference.ttft_ms.mean");
    let tpot = all.tpot.mean();
    // What is answered in one pass has no first token.
    let e2e = match tpot {
        Some(_) => &ttft + part("from the first token to the last", whole - first),
        None => waited + part("the pass that answers", whole - queueing),
    };
    let tpot =
        tpot.map(|mean| Traced::derived("inference.tpot_ms.mean", per(mean), how(&all.tpot)));
    Ok(Latency { e2e: e2e.named("inference.e2e_ms.mean"), ttft, tpot })
}

/// A time in seconds as a quantity per request or per token.
fn per<Q: Measure>(seconds: f64) -> Q {
    Q::from_stored(seconds)
}
