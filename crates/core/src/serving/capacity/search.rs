//! The highest rate of a replica, by bisection on the simulator.

use rayon::prelude::*;

use super::objective::{Check, Limit, Objective};
use crate::diagnostic::{Error, Result};
use crate::quantity::{Measure as _, RequestRate, Time, text};
use crate::serving::simulator::{Arrival, Report, Server};
use crate::serving::traffic::{Source, Traffic};

/// How a search goes about it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Search {
    /// Requests per simulated run, the warm-up of a tenth included.
    pub requests: u64,
    /// Runs per rate, each of another seed; the objective must hold in their mean by this many
    /// standard errors.
    pub seeds: u32,
    /// Standard errors of margin: 1.645 is 95 % confidence, one-sided.
    pub margin: f64,
    /// The search ends when the highest rate is known within this share.
    pub tolerance: f64,
}

/// Requests of a run / those that are there at once, at least: a tenth of them warms it up.
const FILLED: f64 = 20.0;
/// Requests of such a run / those of a usual one, at most.
const LONGEST: u64 = 20;
/// Sequences at once above which a replica takes longer to fill than a usual run is.
const WIDE: u64 = 4096;

impl Search {
    /// Runs that are long beside a batch of so many requests: its warm-up fills it. Longer runs vary
    /// less, so fewer of them are asked for.
    fn beside(&self, batch: u64, replicas: u64) -> Self {
        let wide = batch / replicas.max(1) > WIDE;
        let least = if wide { batch.saturating_mul(10) } else { 0 };
        let requests = self.requests.max(least);
        let seeds = u64::from(self.seeds) * self.requests / requests.max(1);
        Self { requests, seeds: (seeds as u32).clamp(1, self.seeds.max(1)), ..*self }
    }
}

impl Default for Search {
    /// 20,000 requests, 4 seeds, 95 % confidence, 1 %.
    fn default() -> Self {
        Self { requests: 20_000, seeds: 4, margin: 1.645, tolerance: 0.01 }
    }
}

/// The highest rate of a replica.
#[derive(Clone, Debug)]
pub struct HighestRate {
    /// Requests per second within every objective.
    pub rate: RequestRate,
    /// The lowest rate that was found to break one.
    pub breaks_at: RequestRate,
    /// The bound that breaks first.
    pub limit: Limit,
    /// The same in words, with what is used up.
    pub bottleneck: String,
    /// The run at the highest rate (first seed).
    pub report: Report,
    /// Requests simulated in all.
    pub simulated: u64,
}

/// Serves the traffic at one rate; a tenth of the requests warm it up.
pub fn at_rate<S: Server>(
    server: &S,
    traffic: &Traffic,
    rate: RequestRate,
    search: &Search,
    seed: u64,
) -> Report {
    let traffic = Traffic { rate, ..traffic.clone() };
    let requests = traffic.requests(seed).take(search.requests as usize);
    server.serve(requests, search.requests / 10)
}

/// The same by a run that is long beside what the server has at once: its warm-up fills the batch.
pub fn in_balance<S: Server>(
    server: &S,
    traffic: &Traffic,
    rate: RequestRate,
    search: &Search,
    seed: u64,
) -> Report {
    let most = search.requests.saturating_mul(LONGEST);
    let mut search = *search;
    loop {
        let report = at_rate(server, traffic, rate, &search, seed);
        let at_once = rate.value * report.all().e2e.mean().unwrap_or_default();
        let least = (FILLED * at_once) as u64;
        if report.overloaded || least <= search.requests || search.requests >= most {
            return report;
        }
        search.requests = (least + least / 4).min(most);
    }
}

/// The highest rate of one replica (or of the simulation's fleet) within the objective. Without one
/// it is what the replica answers while others wait (`Attempts::saturated`); else it is found by
/// bisection on the simulator: short runs find where to look, unless `near` says it, runs of full
/// length decide. Every rate sees the same requests and the same gaps, scaled: common random
/// numbers. The traffic's own rate and profile are not looked at. `progress` hears the share that is
/// done; its error ends the search.
///
/// # Errors
/// If a single request on an idle replica breaks the objective: which bound forbids it; and
/// where no request can be answered at all.
pub fn highest_rate<S: Server>(
    server: &S,
    traffic: &Traffic,
    objective: &Objective,
    search: &Search,
    near: Option<RequestRate>,
    progress: &dyn Fn(f64) -> Result<()>,
) -> Result<HighestRate> {
    let traffic = Traffic { profile: None, ..traffic.clone() };
    let batch = server.concurrency();
    let search = &search.beside(batch, server.replicas());
    let mean = floor(server, &traffic, objective)?;
    let mut attempts = Attempts::new(server, &traffic, objective, search);
    // The rate of replicas that are always busy with one request each is a start.
    let alone = server.replicas() as f64 / mean;
    if objective.is_empty() {
        return attempts.saturated(near.map_or(alone, |it| it.value), search, progress);
    }
    let (mut start, mut step, mut done) = near.map_or((alone, 2.0, 0.0), |it| (it.value, 1.1, 0.0));
    let short = Search { requests: search.requests / 16, tolerance: 0.1, ..*search };
    if near.is_none() && short.requests >= batch.max(500) {
        done = 0.3;
        let share = |share: f64| progress(done * share);
        // Where short runs find nothing, long ones begin at the start.
        if let Ok(found) = attempts.bisect(start, step, mean, &short, &share) {
            (start, step) = (found.low, 1.08);
        }
    }
    let share = |share: f64| progress(done + (1.0 - done) * share);
    let found = attempts.bisect(start, step, mean, search, &share)?;
    let report = found.report.ok_or_else(|| Error::limit("no rate keeps the objective"))?;
    let (limit, broken) = found.broken;
    let bottleneck = format!("{broken}; {}", resource(&report));
    Ok(HighestRate {
        rate: RequestRate::from_stored(found.low),
        breaks_at: RequestRate::from_stored(found.high),
        limit,
        bottleneck,
        report,
        simulated: attempts.simulated,
    })
}

/// Mean seconds of a request that is alone on a replica: the floor that no fleet gets below.
fn floor<S: Server>(server: &S, traffic: &Traffic, objective: &Objective) -> Result<f64> {
    let lone = traffic
        .requests(1)
        .take(2000)
        .zip(0_u32..)
        .map(|(request, i)| Arrival { at: Time::from_stored(f64::from(i) * 1e6), ..request });
    let floor = server.serve(lone, 0);
    if floor.answered == 0 {
        return Err(Error::limit("no request of this traffic fits a replica's KV cache")
            .hint("use more devices per replica, a narrower KV cache, or shorter requests"));
    }
    for check in objective.checks(std::slice::from_ref(&floor)) {
        if !check.holds(0.0) {
            return Err(Error::limit(format!(
                "{} of {} cannot be met at any load: a request alone on a replica needs {}",
                objective.name(&check.slo),
                text::show(check.slo.bound),
                text::show(Time::from_stored(check.measured)),
            ))
            .hint("use a faster device, more tensor parallelism, or a narrower precision"));
        }
    }
    Ok(floor.all().e2e.mean().unwrap_or(1.0).max(1e-6))
}

/// Why a rate is too high, for programs and for people.
type Verdict = (Limit, String);

/// Most requests that are kept for further rates, over all seeds: 16 MB.
const MOST_KEPT: u64 = 1 << 19;

/// Rates that were tried.
struct Attempts<'a, S> {
    server: &'a S,
    traffic: &'a Traffic,
    objective: &'a Objective,
    simulated: u64,
    /// The requests by seed, where they are the same at every rate and few enough.
    drawn: Option<Vec<Vec<(f64, Arrival)>>>,
}

/// The highest rate and its bracket.
struct Bracket {
    /// The highest rate that holds, with the run of its first seed; 0 without one.
    low: f64,
    report: Option<Report>,
    /// The lowest that does not, and why.
    high: f64,
    broken: Verdict,
}

impl Bracket {
    /// Why no rate is low enough, or none too high.
    fn hopeless(&self, traffic: &Traffic) -> Error {
        let (_, why) = &self.broken;
        if why.is_empty() {
            return Error::limit("no rate is too high: the traffic asks for next to nothing");
        }
        let error = Error::limit(format!("no rate keeps the objective: {why} however few come"));
        match traffic.source {
            Source::Recorded(_) => {
                error.hint("requests that a trace records at one moment stay together at any rate")
            }
            Source::Random { .. } => error,
        }
    }
}

/// Share of the requests that wait in the end, where they come faster than they are answered: enough
/// to keep the batch full, and aimed at in the middle.
const WAITING: std::ops::RangeInclusive<f64> = 0.1..=0.35;
const AIMED: f64 = 0.2;

impl<'a, S: Server> Attempts<'a, S> {
    /// No rate was tried yet; runs are those of a search, or shorter.
    fn new(server: &'a S, traffic: &'a Traffic, objective: &'a Objective, search: &Search) -> Self {
        let seeds = search.seeds.max(1);
        let drawn = |seed: u32| {
            let draws = std::iter::repeat_with(traffic.draws(seed.into()));
            draws.take(search.requests as usize).collect()
        };
        let few = search.requests.saturating_mul(seeds.into()) <= MOST_KEPT;
        let drawn = (few && traffic.is_scaled()).then(|| (1..=seeds).map(drawn).collect());
        Self { server, traffic, objective, simulated: 0, drawn }
    }

    /// The run at a rate, as [`at_rate`].
    fn run(&self, rate: RequestRate, search: &Search, seed: u32) -> Report {
        let drawn = self.drawn.as_ref().and_then(|drawn| drawn.get(seed as usize - 1));
        let Some(drawn) = drawn else {
            return at_rate(self.server, self.traffic, rate, search, seed.into());
        };
        let traffic = Traffic { rate, ..self.traffic.clone() };
        let requests = drawn.iter().copied().take(search.requests as usize);
        self.server.serve(traffic.timed(requests), search.requests / 10)
    }

    /// What is answered while requests wait: of runs at a rate r, where a share w of the requests that
    /// came after the warm-up waits in the end, r (1 - w). Runs are long beside the batch.
    fn saturated(
        &mut self,
        start: f64,
        search: &Search,
        progress: &dyn Fn(f64) -> Result<()>,
    ) -> Result<HighestRate> {
        // Conversations find in the cache what is there at the rate of the answers.
        let traffic = self.traffic.over(1.0 / (1.0 - AIMED));
        let most = search.requests.saturating_mul(LONGEST);
        // Short runs find where to look.
        let short = (search.requests / 16).clamp(500.min(search.requests), search.requests);
        let (mut rate, mut requests) = (start / (1.0 - AIMED), short);
        for tried in 0..100 {
            progress(f64::from(tried) / f64::from(tried + 6))?;
            let run = Search { requests, ..*search };
            let (waiting, report) = self.waiting(rate, &traffic, &run);
            let answered = (1.0 - waiting).max(0.01);
            let fits = WAITING.contains(&waiting);
            let least = (FILLED * f64::from(report.answering().batch.1)) as u64;
            let least = least.saturating_mul(self.server.replicas()).clamp(search.requests, most);
            if fits && requests >= least {
                return Ok(HighestRate {
                    rate: RequestRate::from_stored(rate * answered),
                    breaks_at: RequestRate::from_stored(rate * answered * (1.0 + search.tolerance)),
                    limit: Limit::Throughput,
                    bottleneck: format!("the queue grows without end; {}", resource(&report)),
                    report,
                    simulated: self.simulated,
                });
            }
            let none = waiting < 0.02;
            rate *= if none { 2.0 } else { answered / (1.0 - AIMED) };
            if !none {
                requests = least;
            }
        }
        Err(Error::limit("no rate is too high: the traffic asks for next to nothing"))
    }

    /// The share of the requests that wait in the end at a rate, in the mean of the seeds, and the run
    /// of the first of them.
    fn waiting(&mut self, rate: f64, traffic: &Traffic, search: &Search) -> (f64, Report) {
        let (server, asked) = (self.server, RequestRate::from_stored(rate));
        let run = |seed: u32| at_rate(server, traffic, asked, search, u64::from(seed));
        let further: Vec<Report> = (2..=search.seeds.max(1)).into_par_iter().map(run).collect();
        let first = run(1);
        let warm = search.requests / 10;
        // A run that is given up early has the warm-up in it.
        let share = |report: &Report| match report.arrived.checked_sub(warm) {
            Some(since) if since > 2 * warm => {
                (report.growth + report.refused) as f64 / since as f64
            }
            _ => report.backlog as f64 / report.arrived.max(1) as f64,
        };
        let all = || std::iter::once(&first).chain(&further);
        self.simulated += all().map(|report| report.arrived).sum::<u64>();
        (all().map(share).sum::<f64>() / all().count() as f64, first)
    }

    /// Widens a bracket around `start` by factors of `step` and more, then halves it. A request
    /// alone takes `mean` seconds.
    fn bisect(
        &mut self,
        start: f64,
        step: f64,
        mean: f64,
        search: &Search,
        progress: &dyn Fn(f64) -> Result<()>,
    ) -> Result<Bracket> {
        let (mut rate, mut step, mut tried) = (start, step, 0.0);
        let mut bracket = Bracket {
            low: 0.0,
            report: None,
            high: f64::INFINITY,
            broken: (Limit::Throughput, String::new()),
        };
        loop {
            match self.attempt(rate, search) {
                (None, report) => (bracket.low, bracket.report) = (rate, report),
                (Some(verdict), _) => (bracket.high, bracket.broken) = (rate, verdict),
            }
            let (low, high) = (bracket.low, bracket.high);
            tried += 1.0;
            let open = low <= 0.0 || high.is_infinite();
            let left = ((high - low) / (search.tolerance * high)).log2();
            progress(tried / (tried + if open { 8.0 } else { left.clamp(0.0, 8.0) }))?;
            if !open && high - low <= search.tolerance * high {
                return Ok(bracket);
            }
            if !(1e-6..1e9).contains(&(rate * mean)) {
                return Err(bracket.hopeless(self.traffic));
            }
            rate = match (low > 0.0, high.is_finite()) {
                (true, true) => f64::midpoint(low, high),
                (true, false) => low * step,
                (false, _) => high / step,
            };
            if open {
                step *= step.sqrt();
            }
        }
    }

    /// The bound that breaks at a rate, if any does, and the run of the first seed.
    fn attempt(&mut self, rate: f64, search: &Search) -> (Option<Verdict>, Option<Report>) {
        let rate = RequestRate::from_stored(rate);
        let seeds = (1..=search.seeds.max(1)).into_par_iter();
        let reports: Vec<Report> = seeds.map(|seed| self.run(rate, search, seed)).collect();
        self.simulated += reports.iter().map(|report| report.arrived).sum::<u64>();
        let batch = self.server.concurrency();
        let beyond = |report: &Report| report.overloaded || is_growing(report, batch);
        let verdict = if reports.iter().any(beyond) {
            Some((Limit::Throughput, "the queue grows without end".to_owned()))
        } else if let Some(refused) = self.refused(&reports) {
            Some((Limit::Throughput, refused))
        } else {
            let checks = self.objective.checks(&reports).into_iter();
            checks
                .filter(|check| !check.holds(search.margin))
                .max_by(|a, b| a.ratio().total_cmp(&b.ratio()))
                .map(|Check { slo, .. }| {
                    let (name, bound) = (self.objective.name(&slo), text::show(slo.bound));
                    (slo.latency, format!("{name} reaches {bound}"))
                })
        };
        (verdict, reports.into_iter().next())
    }

    /// The share of the requests that the admission control refuses, in words, where it is more than
    /// the objective allows.
    fn refused(&self, reports: &[Report]) -> Option<String> {
        let shares = reports.iter().map(Report::refused_share).sum::<f64>();
        let (share, most) = (shares / reports.len().max(1) as f64, self.objective.refused);
        (share > most)
            .then(|| format!("more than {:.1} % of the requests are refused", 100.0 * most))
    }
}

/// True if the queue grew over the run: more wait at its end than a batch and a twentieth of all, or
/// than when it was warm and a twentieth of what came since.
fn is_growing(report: &Report, batch: u64) -> bool {
    let since = report.arrived - report.arrived / 10;
    report.backlog > batch + report.arrived / 20 || report.growth > since / 20
}

/// The resource that is used up most at the highest rate, and the part that is left.
fn resource(report: &Report) -> String {
    let used = report.answering();
    let share = |part: f64| format!("{:.0} %", 100.0 * part);
    if report.decode.is_some() {
        format!(
            "prefill instances busy {} of the time, decode instances {}, their KV cache at most \
             {} used",
            share(report.fleet.busy),
            share(used.busy),
            share(used.kv.1)
        )
    } else if used.kv.1 <= 0.0 {
        format!("busy {} of the time, batches of {:.1} on average", share(used.busy), used.batch.0)
    } else if used.preemptions > 0 || used.kv.1 > 0.97 {
        format!("KV cache is full at times ({} on average)", share(used.kv.0))
    } else if used.busy > 0.97 {
        format!("steps follow each other without a gap, KV cache at most {} used", share(used.kv.1))
    } else {
        format!("busy {} of the time, KV cache at most {} used", share(used.busy), share(used.kv.1))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Slo, fleet};
    use super::*;
    use crate::quantity::Share;
    use crate::serving::simulator::{
        Admission, Bounds, Fleet as Pool, Limits, Router, Scheduler, Simulation, StepTime, Stepping,
    };
    use crate::serving::traffic::{Class, Lengths};

    struct Engine;

    impl StepTime for Engine {
        fn tokens(&self, decode: f64, prefill: f64, _: f64) -> Time {
            Time::from_stored(6e-3 + 3e-5 * (decode + prefill))
        }
        fn context(&self) -> Time {
            Time::from_stored(5e-8)
        }
    }

    fn simulation(blocks: u64) -> Simulation<'static, Engine> {
        let limits = Limits {
            sequences: 64,
            tokens: 2048,
            blocks,
            block: 16,
            shared: 0,
            sets_aside: false,
            scheduler: Scheduler::DecodeFirst,
            admission: Admission::ALL,
            stepping: Stepping::Leap,
        };
        Simulation {
            fleet: Pool { time: &Engine, limits, replicas: 1, router: Router::RoundRobin },
            transfer: None,
            api_server: Time::from_stored(0.01),
            slo: vec![Bounds::default()],
            warm_up: 0,
            queue_limit: 2000,
            records: false,
        }
    }

    fn traffic() -> Traffic {
        let class = Class {
            weight: 1.0,
            input: Lengths::lognormal(1000.0, 0.95, 3000.0, None).unwrap(),
            output: Lengths::Fixed(200),
            cached: 0.0,
            opening: 0,
            session: None,
        };
        Traffic {
            rate: RequestRate::from_stored(1.0),
            profile: None,
            source: Source::Random { burstiness: 1.0, classes: vec![class] },
        }
    }

    fn objective(ttft_ms: f64) -> Objective {
        let bound = Time::from_stored(ttft_ms * 1e-3);
        let slo = Slo { class: None, latency: Limit::Ttft, percentile: 0.95, bound };
        Objective { slos: vec![slo], ..Objective::default() }
    }

    const QUICK: Search = Search { requests: 3000, seeds: 2, margin: 1.645, tolerance: 0.02 };

    #[test]
    fn a_looser_objective_admits_more_and_no_objective_the_most() {
        let rate = |objective: &Objective| {
            let found =
                highest_rate(&simulation(40_000), &traffic(), objective, &QUICK, None, &|_| Ok(()))
                    .unwrap();
            assert!(found.rate < found.breaks_at && found.simulated > 3000);
            found.rate.value
        };
        let rates = [rate(&objective(250.0)), rate(&objective(500.0)), rate(&objective(2000.0))];
        assert!(rates[0] < rates[1] && rates[1] < rates[2], "{rates:?}");
        let most = rate(&Objective::default());
        assert!(most >= rates[2] * 0.95, "{most} {rates:?}");
        // 64 sequences of 200 tokens; prompts of 30 ms each share the replica.
        assert!(most < 1.0 / 0.03);
    }

    #[test]
    fn the_rate_found_holds_and_more_breaks() {
        let objective = objective(400.0);
        let found =
            highest_rate(&simulation(40_000), &traffic(), &objective, &QUICK, None, &|_| Ok(()))
                .unwrap();
        let p95 = |rate: f64| {
            let rate = RequestRate::from_stored(rate);
            let report = at_rate(&simulation(40_000), &traffic(), rate, &QUICK, 1);
            report.all().ttft.quantile(0.95).unwrap()
        };
        assert!(p95(found.rate.value) <= 0.4 * 1.001);
        assert!(p95(found.rate.value * 1.3) > 0.4);
        assert!(found.bottleneck.contains("TTFT p95 reaches"), "{}", found.bottleneck);
    }

    #[test]
    fn what_no_fleet_can_do_is_said() {
        let error =
            highest_rate(&simulation(40_000), &traffic(), &objective(20.0), &QUICK, None, &|_| {
                Ok(())
            });
        let error = error.unwrap_err();
        assert!(error.message().contains("TTFT p95 of 20 ms cannot be met"), "{error}");
        let error =
            highest_rate(&simulation(2), &traffic(), &objective(500.0), &QUICK, None, &|_| Ok(()));
        assert!(error.unwrap_err().message().contains("no request of this traffic fits"));
        let rate = RequestRate::from_stored;
        let most = Share::from_stored(0.9);
        assert!(fleet(rate(1e18), rate(1.0), most, 0, 1).is_err());
        assert!(fleet(rate(1.0), rate(0.0), most, 0, 1).is_err());
    }
}
