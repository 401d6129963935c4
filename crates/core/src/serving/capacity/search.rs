//! The highest rate of a replica, on a grid of rates that the simulator tries.

use rayon::prelude::*;

use super::objective::{Check, Limit, Objective};
use crate::diagnostic::{Error, Result};
use crate::quantity::{Measure as _, RequestRate, Time, text};
use crate::serving::simulator::{Arrival, Report, Server};
use crate::serving::traffic::Traffic;

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
    /// The rate near which a like search begins.
    pub near: Near,
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

/// A rate near which a search begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Near {
    /// The rate.
    pub rate: RequestRate,
    /// How fast bound / latency falls there: per logarithm of the rate; below zero, where it is known.
    pub slope: Option<f64>,
}

impl Near {
    /// The same of so many servers together.
    #[must_use]
    pub fn over(self, count: u64) -> Self {
        Self { rate: self.rate * count as f64, ..self }
    }
}

/// The rate at which runs of rising rates would break an objective: between two of them, or beyond the
/// last of them; none where the first breaks it.
pub fn crossing(objective: &Objective, runs: &[(RequestRate, Report)]) -> Option<Near> {
    let points = runs.iter().map(|(rate, run)| Point {
        rate: rate.value,
        room: objective.room(std::slice::from_ref(run), 0.0),
    });
    let points: Vec<Point> = points.collect();
    let broken = points.iter().position(|it| it.room < 1.0).unwrap_or(points.len() - 1);
    let (low, high) = (points.get(broken.checked_sub(1)?)?, points.get(broken)?);
    let slope = low.slope_to(high)?;
    let rate = high.crossing(slope).clamp(low.rate, 2.0 * high.rate);
    Some(Near { rate: RequestRate::from_stored(rate), slope: Some(slope) })
}

/// The highest rate of one replica (or of the simulation's fleet) within the objective. Without one
/// it is what the replica answers while others wait (`Attempts::saturated`); else it is found on a
/// grid of rates, each of which the simulator tries (`Attempts::bracket`): short runs find where to
/// look, unless `near` says it, runs of full length decide. Every rate sees the same requests and the
/// same gaps, scaled: common random numbers. The traffic's own rate and profile are not looked at.
/// `progress` hears the share that is done; its error ends the search.
///
/// # Errors
/// If a single request on an idle replica breaks the objective: which bound forbids it; and
/// where no request can be answered at all.
pub fn highest_rate<S: Server>(
    server: &S,
    traffic: &Traffic,
    objective: &Objective,
    search: &Search,
    near: Option<Near>,
    progress: &dyn Fn(f64) -> Result<()>,
) -> Result<HighestRate> {
    let batch = server.concurrency();
    let search = &search.beside(batch, server.replicas());
    let traffic = Traffic { profile: None, ..traffic.clone() };
    let (mean, room) = floor(server, &traffic, objective)?;
    // The rate of replicas that are always busy with one request each is a start.
    let alone = server.replicas() as f64 / mean;
    if objective.is_empty() {
        let mut attempts = Attempts::new(server, &traffic, objective, mean, room);
        return attempts.saturated(near.map_or(alone, |it| it.rate.value), search, progress);
    }
    let traffic = traffic.kept(search.seeds.max(1), search.requests);
    let mut attempts = Attempts::new(server, &traffic, objective, mean, room);
    let (mut near, mut done) =
        (near.unwrap_or(Near { rate: RequestRate::from_stored(alone), slope: None }), 0.0);
    let requests = (search.requests / 16).max(batch).max(500);
    if near.slope.is_none() && requests.saturating_mul(4) <= search.requests {
        let short = Search { requests, tolerance: 0.1, ..*search };
        done = 0.3;
        let share = |share: f64| progress(done * share);
        // Where short runs find nothing, long ones begin at the start.
        if let Ok(found) = attempts.bracket(near, &short, &share) {
            near = found.middle();
        }
    }
    let share = |share: f64| progress(done + (1.0 - done) * share);
    let found = attempts.bracket(near, search, &share)?;
    let near = found.middle();
    let report = found.report.ok_or_else(|| Error::limit("no rate keeps the objective"))?;
    let (limit, broken) = found.broken;
    let bottleneck = format!("{broken}; {}", resource(&report));
    Ok(HighestRate {
        rate: RequestRate::from_stored(found.low.rate),
        breaks_at: RequestRate::from_stored(found.high.rate),
        near,
        limit,
        bottleneck,
        report,
        simulated: attempts.simulated,
    })
}

/// Mean seconds of a request that is alone on a replica, the floor that no fleet gets below; and bound
/// / latency of it.
fn floor<S: Server>(server: &S, traffic: &Traffic, objective: &Objective) -> Result<(f64, f64)> {
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
    let room = objective.room(std::slice::from_ref(&floor), 0.0);
    Ok((floor.all().e2e.mean().unwrap_or(1.0).max(1e-6), room))
}

/// Why a rate is too high, for programs and for people.
type Verdict = (Limit, String);

/// A rate that was tried, with bound / latency at it: below 1 it breaks the objective, and it is 0
/// where the queue grows without end.
#[derive(Clone, Copy, Debug)]
struct Point {
    rate: f64,
    room: f64,
}

impl Point {
    /// How fast bound / latency falls from here to there, per logarithm of the rate; none where it does
    /// not.
    fn slope_to(&self, other: &Self) -> Option<f64> {
        let slope = (other.room - self.room) / (other.rate / self.rate).ln();
        (slope < 0.0 && slope.is_finite()).then_some(slope)
    }

    /// The rate at which the objective breaks, if bound / latency falls so from here on.
    fn crossing(&self, slope: f64) -> f64 {
        self.rate * ((1.0 - self.room) / slope).exp()
    }
}

/// Rates in steps of a factor.
#[derive(Clone, Copy, Debug)]
struct Grid {
    /// The logarithm of the factor.
    step: f64,
}

impl Grid {
    /// Neighbours differ by this share of the higher one.
    fn of(share: f64) -> Self {
        Self { step: -(-share.clamp(1e-6, 0.5)).ln_1p() }
    }

    /// A rate of the grid.
    fn rate(self, number: i64) -> f64 {
        (self.step * number as f64).exp()
    }

    /// The highest of its rates that are not above a rate.
    fn below(self, rate: f64) -> i64 {
        (rate.max(f64::MIN_POSITIVE).ln() / self.step).floor() as i64
    }
}

/// Rates that are tried.
struct Attempts<'a, S> {
    server: &'a S,
    traffic: &'a Traffic,
    objective: &'a Objective,
    /// Seconds of a request that is alone, and bound / latency of it.
    mean: f64,
    room: f64,
    simulated: u64,
}

/// The highest rate and its bracket.
struct Bracket {
    /// The highest rate that holds, with the run of its first seed; 0 without one.
    low: Point,
    report: Option<Report>,
    /// The lowest that does not, and why.
    high: Point,
    broken: Verdict,
}

impl Bracket {
    /// The rate at which the line through its ends breaks the objective, each end with its weight.
    fn line(&self, [low, high]: [f64; 2]) -> f64 {
        let (above, below) = (low * (self.low.room - 1.0), high * (1.0 - self.high.room));
        let (start, end) = (self.low.rate, self.high.rate);
        start + (end - start) * (above / (above + below).max(f64::MIN_POSITIVE))
    }

    /// The rate in it at which the objective breaks, as far as its ends say.
    fn middle(&self) -> Near {
        let slope = self.low.slope_to(&self.high);
        let middle = slope.map_or(self.low.rate, |slope| self.low.crossing(slope));
        Near { rate: RequestRate::from_stored(middle), slope }
    }

    /// Why no rate is low enough, or none too high.
    fn hopeless(&self, traffic: &Traffic) -> Error {
        let (_, why) = &self.broken;
        if why.is_empty() {
            return Error::limit("no rate is too high: the traffic asks for next to nothing");
        }
        let error = Error::limit(format!("no rate keeps the objective: {why} however few come"));
        if traffic.is_recorded() {
            error.hint("requests that a trace records at one moment stay together at any rate")
        } else {
            error
        }
    }
}

/// Share of the requests that wait in the end, where they come faster than they are answered: enough
/// to keep the batch full, and aimed at in the middle.
const WAITING: std::ops::RangeInclusive<f64> = 0.1..=0.35;
const AIMED: f64 = 0.2;

impl<'a, S: Server> Attempts<'a, S> {
    /// No rate was tried yet.
    fn new(
        server: &'a S,
        traffic: &'a Traffic,
        objective: &'a Objective,
        mean: f64,
        room: f64,
    ) -> Self {
        Self { server, traffic, objective, mean, room, simulated: 0 }
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
                let near = Near { rate: RequestRate::from_stored(rate * answered), slope: None };
                return Ok(HighestRate {
                    near,
                    rate: near.rate,
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

    /// Two neighbours on the grid of rates of which the lower holds and the higher breaks: the answer
    /// is the same wherever the search begins. Latencies grow like 1 / (1 - rho), so bound / latency
    /// falls about linearly with the rate, and the next rate is where a line through two that were tried
    /// breaks the objective: the ends of the bracket (Illinois method), an end and what `near` says of
    /// the slope, or an end and a request alone.
    fn bracket(
        &mut self,
        near: Near,
        search: &Search,
        progress: &dyn Fn(f64) -> Result<()>,
    ) -> Result<Bracket> {
        let grid = Grid::of(search.tolerance);
        let mut bracket = Bracket {
            low: Point { rate: 0.0, room: self.room },
            report: None,
            high: Point { rate: f64::INFINITY, room: 0.0 },
            broken: (Limit::Throughput, String::new()),
        };
        let (mut low, mut high, mut next) = (None, None, grid.below(near.rate.value));
        let (mut slope, mut reach) = (near.slope, if near.slope.is_some() { 1.2 } else { 2.0 });
        let (mut weights, mut before, mut width, mut slow) = ([1.0; 2], None, i64::MAX, 0);
        for tried in 1_u32.. {
            let rate = grid.rate(next);
            let (verdict, room, report) = self.attempt(rate, search);
            let (point, holds) = (Point { rate, room }, verdict.is_none());
            if let Some(verdict) = verdict {
                (bracket.high, bracket.broken, high) = (point, verdict, Some(next));
            } else {
                (bracket.low, bracket.report, low) = (point, report, Some(next));
            }
            let left = low.zip(high).map(|(low, high)| high - low);
            let share = left.map_or(8.0, |cells| (cells as f64).log2());
            progress(f64::from(tried) / (f64::from(tried) + share))?;
            if left == Some(1) {
                return Ok(bracket);
            }
            if !(1e-6..1e9).contains(&(rate * self.mean)) {
                break;
            }
            // An end that stays twice is given less weight, so that it moves, too.
            let stays = before.is_some_and(|(_, held)| held == holds);
            weights[usize::from(!holds)] = 1.0;
            weights[usize::from(holds)] *= if stays { 0.5 } else { 1.0 };
            let last = before.replace((point, holds)).map(|(point, _)| point);
            slope = last.filter(|_| room > 0.0).and_then(|it| it.slope_to(&point)).or(slope);
            next = match (low, high) {
                (Some(low), Some(high)) => {
                    slow = if high - low > width / 2 { slow + 1 } else { 0 };
                    width = high - low;
                    let guess = grid.below(bracket.line(weights));
                    let guess = if slow > 2 { i64::midpoint(low, high) } else { guess };
                    guess.clamp(low + 1, high - 1)
                }
                (Some(low), None) => {
                    let guess = slope.map_or_else(|| self.beyond(point), |it| point.crossing(it));
                    grid.below(guess.clamp(rate, rate * reach)).max(low) + 1
                }
                (_, high) => {
                    let slope = slope.filter(|_| room > 0.0);
                    let alone = bracket.line([1.0; 2]);
                    let guess = slope.map_or(alone, |slope| point.crossing(slope));
                    grid.below(guess.clamp(rate / reach, rate)).min(high.unwrap_or(next) - 1)
                }
            };
            reach *= if left.is_none() { reach } else { 1.0 };
        }
        Err(bracket.hopeless(self.traffic))
    }

    /// Where the line from a request alone through a rate that holds breaks the objective.
    fn beyond(&self, point: Point) -> f64 {
        let fallen = self.room - point.room;
        if fallen > 0.0 { point.rate * ((self.room - 1.0) / fallen) } else { f64::INFINITY }
    }

    /// The bound that breaks at a rate, if any does, bound / latency, and the run of the first seed.
    fn attempt(&mut self, rate: f64, search: &Search) -> (Option<Verdict>, f64, Option<Report>) {
        let (server, traffic) = (self.server, self.traffic);
        let rate = RequestRate::from_stored(rate);
        let run = |seed: u32| at_rate(server, traffic, rate, search, seed.into());
        let reports: Vec<Report> = (1..=search.seeds.max(1)).into_par_iter().map(run).collect();
        self.simulated += reports.iter().map(|report| report.arrived).sum::<u64>();
        let batch = server.concurrency();
        let beyond = |report: &Report| report.overloaded || is_growing(report, batch);
        let hopeless = if reports.iter().any(beyond) {
            Some("the queue grows without end".to_owned())
        } else {
            self.refused(&reports)
        };
        if let Some(why) = hopeless {
            return (Some((Limit::Throughput, why)), 0.0, None);
        }
        let checks = self.objective.checks(&reports).into_iter();
        let broken = checks
            .filter(|check| !check.holds(search.margin))
            .max_by(|a, b| a.ratio().total_cmp(&b.ratio()))
            .map(|Check { slo, .. }| {
                let (name, bound) = (self.objective.name(&slo), text::show(slo.bound));
                (slo.latency, format!("{name} reaches {bound}"))
            });
        let room = self.objective.room(&reports, search.margin);
        (broken, room, reports.into_iter().next())
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
    use crate::serving::traffic::{Class, Lengths, Source};

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
