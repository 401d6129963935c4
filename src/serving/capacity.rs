//! How much traffic a replica takes within its promises, and how many replicas that makes.

use super::simulator::{Arrival, Bounds, Report, Simulation, StepTime};
use super::traffic::{Profile, Traffic};
use crate::diagnostic::{Error, Result};
use crate::quantity::{Measure as _, RequestRate, Time, text};

/// Percentiles that must hold: `{ttft: {p95: 500 ms}}`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Objective {
    /// Time to first token: percentile (0 to 1) and bound.
    pub ttft: Vec<(f64, Time)>,
    /// Time per output token after the first.
    pub tpot: Vec<(f64, Time)>,
    /// The whole answer.
    pub e2e: Vec<(f64, Time)>,
}

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
    /// What breaks first.
    pub limit: Limit,
    /// The same in words, with what is used up.
    pub bottleneck: String,
    /// The run at the highest rate (first seed).
    pub report: Report,
    /// Requests simulated in all.
    pub simulated: u64,
}

/// What keeps a replica from a higher rate.
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

/// How one objective did: its name, the measured value and the bound.
#[derive(Clone, Debug, PartialEq)]
struct Check {
    limit: Limit,
    percentile: f64,
    measured: f64,
    error: f64,
    bound: f64,
}

impl Check {
    fn holds(&self, margin: f64) -> bool {
        self.measured + margin * self.error <= self.bound
    }
}

impl Objective {
    /// No bound at all: a replica's limit is then where its queue grows without end.
    pub fn is_empty(&self) -> bool {
        self.ttft.is_empty() && self.tpot.is_empty() && self.e2e.is_empty()
    }

    /// What a single request must keep, for attainment.
    pub fn bounds(&self) -> Bounds {
        let tightest = |list: &[(f64, Time)]| {
            list.iter().map(|(_, time)| *time).min_by(|a, b| a.value.total_cmp(&b.value))
        };
        Bounds { ttft: tightest(&self.ttft), tpot: tightest(&self.tpot), e2e: tightest(&self.e2e) }
    }

    /// The objective with the bounds of each latency divided by a factor.
    #[must_use]
    pub fn tightened(&self, factor: impl Fn(Limit) -> f64) -> Self {
        let divide = |list: &[(f64, Time)], limit: Limit| {
            list.iter().map(|(share, bound)| (*share, *bound / factor(limit))).collect()
        };
        Self {
            ttft: divide(&self.ttft, Limit::Ttft),
            tpot: divide(&self.tpot, Limit::Tpot),
            e2e: divide(&self.e2e, Limit::E2e),
        }
    }

    fn checks(&self, reports: &[Report]) -> Vec<Check> {
        let all: Vec<_> = reports.iter().map(Report::all).collect();
        let n = all.len() as f64;
        let mut checks = Vec::new();
        let lists = [(Limit::Ttft, &self.ttft), (Limit::Tpot, &self.tpot), (Limit::E2e, &self.e2e)];
        for (limit, list) in lists {
            for (percentile, bound) in list {
                let read = |class: &super::simulator::ClassReport| {
                    let histogram = match limit {
                        Limit::Ttft => &class.ttft,
                        Limit::Tpot => &class.tpot,
                        _ => &class.e2e,
                    };
                    histogram.quantile(*percentile).unwrap_or(0.0)
                };
                let mean = all.iter().map(read).sum::<f64>() / n;
                let spread = all.iter().map(|c| (read(c) - mean).powi(2)).sum::<f64>();
                let error = if n > 1.0 { (spread / (n - 1.0) / n).sqrt() } else { 0.0 };
                let (percentile, bound) = (*percentile, bound.value);
                checks.push(Check { limit, percentile, measured: mean, error, bound });
            }
        }
        checks
    }
}

/// Runs a simulation of the traffic at one rate.
pub fn at_rate<S: StepTime>(
    simulation: &Simulation<'_, S>,
    traffic: &Traffic,
    rate: RequestRate,
    search: &Search,
    seed: u64,
) -> Report {
    let traffic = Traffic { rate, ..traffic.clone() };
    let requests = traffic.requests(seed).take(search.requests as usize);
    Simulation { warm_up: search.requests / 10, records: false, ..simulation.clone() }
        .open(requests)
}

/// The highest rate of one replica (or of the simulation's fleet) within the objective, by
/// bisection on the simulator. Every rate sees the same requests and the same gaps, scaled: common
/// random numbers. The traffic's own rate and profile are not looked at.
///
/// # Errors
/// Where a single request on an idle replica breaks the objective: which bound forbids it; and
/// where no request can be answered at all.
pub fn highest_rate<S: StepTime>(
    simulation: &Simulation<'_, S>,
    traffic: &Traffic,
    objective: &Objective,
    search: &Search,
) -> Result<HighestRate> {
    let traffic = Traffic { profile: None, ..traffic.clone() };
    let mut simulated = 0;
    let fleet = &simulation.fleet;
    let batch = u64::from(fleet.limits.sequences) * u64::from(fleet.replicas);
    // One request after the other, each alone: the floor that no fleet gets below.
    let lone = traffic
        .requests(1)
        .take(2000)
        .zip(0_u32..)
        .map(|(request, i)| Arrival { at: Time::from_stored(f64::from(i) * 1e6), ..request });
    let floor = Simulation { warm_up: 0, records: false, ..simulation.clone() }.open(lone);
    if floor.answered == 0 {
        return Err(Error::limit("no request of this traffic fits a replica's KV cache")
            .hint("use more devices per replica, a narrower KV cache, or shorter requests"));
    }
    for check in objective.checks(std::slice::from_ref(&floor)) {
        if !check.holds(0.0) {
            return Err(Error::limit(format!(
                "{} p{:.0} of {} cannot be met at any load: a request alone on a replica needs {}",
                check.limit.name(),
                check.percentile * 100.0,
                text::show(Time::from_stored(check.bound)),
                text::show(Time::from_stored(check.measured)),
            ))
            .hint("use a faster device, more tensor parallelism, or a narrower precision"));
        }
    }
    let mut attempt = |rate: f64| {
        let reports: Vec<Report> = (0..search.seeds.max(1))
            .map(|seed| {
                at_rate(
                    simulation,
                    &traffic,
                    RequestRate::from_stored(rate),
                    search,
                    u64::from(seed) + 1,
                )
            })
            .collect();
        simulated += reports.iter().map(|report| report.arrived).sum::<u64>();
        let overloaded = reports.iter().any(|report| report.overloaded)
            || reports.iter().any(|report| is_growing(report, batch));
        let broken = objective
            .checks(&reports)
            .into_iter()
            .filter(|check| !check.holds(search.margin))
            .max_by(|a, b| (a.measured / a.bound).total_cmp(&(b.measured / b.bound)));
        let verdict = match (&broken, overloaded) {
            (None, false) => None,
            (Some(check), false) => Some((
                check.limit,
                format!(
                    "{} p{:.0} reaches {}",
                    check.limit.name(),
                    check.percentile * 100.0,
                    text::show(Time::from_stored(check.bound))
                ),
            )),
            (_, true) => Some((Limit::Throughput, "the queue grows without end".to_owned())),
        };
        (verdict, reports.into_iter().next())
    };
    // The rate of one replica that is always busy with one request is a start.
    let mean = floor.all().e2e.mean().unwrap_or(1.0).max(1e-6);
    let (mut low, mut high) = (0.0, 1.0 / mean);
    let (mut best, mut broken) = (None, (Limit::Throughput, String::new()));
    while high * mean < 1e7 {
        match attempt(high) {
            (None, report) => (low, high, best) = (high, 2.0 * high, report),
            (Some(verdict), _) => {
                broken = verdict;
                break;
            }
        }
    }
    while high - low > search.tolerance * high && high * mean > 1e-6 {
        let middle = 0.5 * (low + high);
        match attempt(middle) {
            (None, report) => (low, best) = (middle, report),
            (Some(verdict), _) => (high, broken) = (middle, verdict),
        }
    }
    let report = best.ok_or_else(|| Error::limit("no rate keeps the objective"))?;
    let (limit, broken) = broken;
    let bottleneck = format!("{broken}; {}", resource(&report));
    Ok(HighestRate {
        rate: RequestRate::from_stored(low),
        breaks_at: RequestRate::from_stored(high),
        limit,
        bottleneck,
        report,
        simulated,
    })
}

/// Whether the queue grew over the run: more wait at its end than a batch and a twentieth of all.
fn is_growing(report: &Report, batch: u64) -> bool {
    report.backlog > batch + report.arrived / 20
}

/// What is used up most at the highest rate, and what is left.
fn resource(report: &Report) -> String {
    let used = report.fleet;
    let share = |part: f64| format!("{:.0} %", 100.0 * part);
    if used.preemptions > 0 || used.kv.1 > 0.97 {
        format!("KV cache is full at times ({} on average)", share(used.kv.0))
    } else if used.busy > 0.97 {
        format!("steps follow each other without a gap, KV cache at most {} used", share(used.kv.1))
    } else {
        format!("busy {} of the time, KV cache at most {} used", share(used.busy), share(used.kv.1))
    }
}

/// A fleet and why it has that size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fleet {
    /// Replicas that the peak needs, headroom included.
    pub needed: u64,
    /// Replicas to pay for: redundancy included.
    pub replicas: u64,
    /// Devices of the replicas.
    pub devices: u64,
    /// Instances that hold them, and devices paid for but unused.
    pub instances: u64,
    /// See `instances`.
    pub stranded_devices: u64,
    /// Share of the fleet's highest rate that is unused at the peak.
    pub headroom: f64,
}

/// The smallest fleet for a peak rate: replicas = ceil(peak / (highest rate x (1 - headroom))) +
/// redundancy. A replica sits within one instance, or spans whole ones.
///
/// # Errors
/// Where the highest rate is zero or a count leaves the range of whole numbers.
pub fn fleet(
    peak: RequestRate,
    highest: RequestRate,
    headroom: f64,
    redundancy: u64,
    devices_per_replica: u64,
    devices_per_instance: u64,
) -> Result<Fleet> {
    let planned = highest.value * (1.0 - headroom);
    let needed = (peak.value / planned - 1e-9).ceil().max(1.0);
    if !(planned > 0.0 && needed < 1e9) {
        return Err(Error::limit("no fleet of a size that could be bought takes this rate")
            .hint("check the rate's unit: requests per second or per day"));
    }
    let needed = needed as u64;
    let replicas = needed + redundancy;
    let (replica, instance) = (devices_per_replica.max(1), devices_per_instance.max(1));
    let instances = if replica >= instance {
        replicas * replica.div_ceil(instance)
    } else {
        replicas.div_ceil(instance / replica)
    };
    let devices = replicas * replica;
    Ok(Fleet {
        needed,
        replicas,
        devices,
        instances,
        stranded_devices: instances * instance - devices,
        headroom: 1.0 - peak.value / (needed as f64 * highest.value),
    })
}

/// Replicas hour by hour over a week, for a fleet that follows its load.
#[derive(Clone, Debug, PartialEq)]
pub struct Autoscaling {
    /// Replicas of each hour, Monday 0 h first.
    pub replicas: Vec<u64>,
    /// Replica-hours of a week.
    pub replica_hours: f64,
    /// The same of a fleet that is always as large as the peak needs.
    pub fixed_replica_hours: f64,
    /// Share of the paid capacity that is unused on average.
    pub idle: f64,
}

/// A fleet that follows an hourly profile. A replica takes `start_up` to be ready, so it is started
/// that much ahead and paid for meanwhile: an hour's fleet is what the hours that it overlaps need.
pub fn autoscale(
    profile: &Profile,
    mean: RequestRate,
    highest: RequestRate,
    headroom: f64,
    redundancy: u64,
    start_up: Time,
) -> Autoscaling {
    let planned = (highest.value * (1.0 - headroom)).max(f64::MIN_POSITIVE);
    let need = |weight: f64| (mean.value * weight / planned - 1e-9).ceil().max(1.0) as u64;
    let weights = profile.weights();
    let base: Vec<u64> = weights.iter().map(|w| need(*w) + redundancy).collect();
    let ahead = start_up.value / 3600.0;
    let whole = ahead as usize;
    let mut hours = 0.0;
    let replicas: Vec<u64> = (0..base.len())
        .map(|hour| {
            let later = |more: usize| base[(hour + more) % base.len()];
            let now = (0..=whole).map(later).max().unwrap_or(1);
            let next = now.max(later(whole + 1));
            // For the last part of the hour the next hour's replicas are starting.
            hours += now as f64 + (next - now) as f64 * (ahead - whole as f64);
            now
        })
        .collect();
    let fixed = base.iter().copied().max().unwrap_or(1) as f64 * base.len() as f64;
    let load: f64 = weights.iter().map(|w| w * mean.value).sum();
    Autoscaling {
        replicas,
        replica_hours: hours,
        fixed_replica_hours: fixed,
        idle: 1.0 - load / (hours * highest.value),
    }
}

#[cfg(test)]
mod tests {
    use super::super::simulator::{Fleet as Pool, Limits, Router, Scheduler, Stepping};
    use super::super::traffic::{Class, Lengths};
    use super::*;

    struct Engine;

    impl StepTime for Engine {
        fn tokens(&self, decode: u32, prefill: u32, _: u32) -> Time {
            Time::from_stored(6e-3 + 3e-5 * f64::from(decode + prefill))
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
            scheduler: Scheduler::DecodeFirst,
            stepping: Stepping::Leap,
        };
        Simulation {
            fleet: Pool { time: &Engine, limits, replicas: 1, router: Router::RoundRobin },
            handover: None,
            front_end: Time::from_stored(0.01),
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
        };
        Traffic {
            rate: RequestRate::from_stored(1.0),
            burstiness: 1.0,
            profile: None,
            classes: vec![class],
        }
    }

    fn objective(ttft_ms: f64) -> Objective {
        let bound = Time::from_stored(ttft_ms * 1e-3);
        Objective { ttft: vec![(0.95, bound)], ..Objective::default() }
    }

    const QUICK: Search = Search { requests: 3000, seeds: 2, margin: 1.645, tolerance: 0.02 };

    #[test]
    fn a_looser_objective_admits_more_and_no_objective_the_most() {
        let rate = |objective: &Objective| {
            let found = highest_rate(&simulation(40_000), &traffic(), objective, &QUICK).unwrap();
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
        let found = highest_rate(&simulation(40_000), &traffic(), &objective, &QUICK).unwrap();
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
        let error = highest_rate(&simulation(40_000), &traffic(), &objective(20.0), &QUICK);
        let error = error.unwrap_err();
        assert!(error.message().contains("TTFT p95 of 20 ms cannot be met"), "{error}");
        let error = highest_rate(&simulation(2), &traffic(), &objective(500.0), &QUICK);
        assert!(error.unwrap_err().message().contains("no request of this traffic fits"));
        let rate = RequestRate::from_stored;
        assert!(fleet(rate(1e18), rate(1.0), 0.1, 0, 1, 8).is_err());
        assert!(fleet(rate(1.0), rate(0.0), 0.1, 0, 1, 8).is_err());
    }

    #[test]
    fn fleets_are_packed_into_whole_instances() {
        let rate = RequestRate::from_stored;
        let size = |replica, instance| {
            let fleet = fleet(rate(100.0), rate(9.0), 0.1, 1, replica, instance).unwrap();
            (fleet.needed, fleet.replicas, fleet.devices, fleet.instances, fleet.stranded_devices)
        };
        assert_eq!(size(1, 8), (13, 14, 14, 2, 2));
        assert_eq!(size(4, 8), (13, 14, 56, 7, 0));
        assert_eq!(size(3, 8), (13, 14, 42, 7, 14));
        assert_eq!(size(16, 8), (13, 14, 224, 28, 0));
    }

    #[test]
    fn a_fleet_that_follows_its_load_is_paid_for_less() {
        let profile = Profile::daily(2.0).unwrap();
        let rate = RequestRate::from_stored;
        let scale = |minutes: f64| {
            autoscale(&profile, rate(50.0), rate(10.0), 0.0, 0, Time::from_stored(60.0 * minutes))
        };
        let (fast, slow) = (scale(0.0), scale(30.0));
        assert_eq!(fast.replicas.iter().max(), Some(&10));
        assert!((fast.fixed_replica_hours - 1680.0).abs() < 1e-9);
        assert!(fast.replica_hours < slow.replica_hours);
        assert!(slow.replica_hours < fast.fixed_replica_hours);
        assert!(fast.idle > 0.0 && fast.idle < slow.idle);
    }
}
