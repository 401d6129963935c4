//! The simulator against an independent step-by-step one, and against queueing theory.

use proptest::prelude::*;

use super::*;
use crate::provenance::Traced;
use crate::quantity::{Measure as _, Ratio, RequestRate, Requests};
use crate::random::Stream;
use crate::serving::closed_form::{Batches, Capability};
use crate::serving::speculative::Speculative;

#[derive(Clone, Copy, Debug)]
struct Plain {
    step: f64,
    token: f64,
    context: f64,
    window: Option<(f64, u32)>,
    pair: f64,
    least: f64,
}

impl StepTime for Plain {
    fn tokens(&self, decode: f64, prefill: f64, _: f64) -> Time {
        Time::from_stored(self.step + self.token * (decode + prefill))
    }
    fn beneath(&self, decode: f64, prefill: f64) -> Time {
        Time::from_stored(self.least * (decode + prefill))
    }
    fn context(&self) -> Time {
        Time::from_stored(self.context)
    }
    fn windowed(&self) -> Option<(Time, u32)> {
        self.window.map(|(time, window)| (Time::from_stored(time), window))
    }
    fn pairs(&self) -> (Time, Time) {
        (Time::from_stored(self.pair), Time::from_stored(0.3 * self.pair))
    }
}

const LIMITS: Limits = Limits {
    sequences: 64,
    tokens: 2048,
    blocks: 10_000,
    block: 16,
    shared: 0,
    sets_aside: false,
    scheduler: Scheduler::DecodeFirst,
    admission: Admission::ALL,
    stepping: Stepping::Leap,
};

fn simulation<S: StepTime>(time: &S, limits: Limits) -> Simulation<'_, S> {
    Simulation {
        fleet: Fleet { time, limits, replicas: 1, router: Router::RoundRobin },
        transfer: None,
        api_server: Time::from_stored(0.0),
        slo: vec![Bounds::default()],
        warm_up: 0,
        queue_limit: usize::MAX,
        records: true,
    }
}

fn arrivals(seed: u64, count: u32, rate: f64, input: u32, output: u32) -> Vec<Arrival> {
    let (mut times, mut lengths) = (Stream::new(seed, 1), Stream::new(seed, 2));
    let mut now = 0.0;
    (0..count)
        .map(|_| {
            now += times.exponential() / rate;
            Arrival {
                at: Time::from_stored(now),
                input: lengths.between(1, input),
                output: lengths.between(1, output),
                cached: 0,
                class: 0,
            }
        })
        .collect()
}

/// The scheduler once more, token by token and request by request, with nothing clever in it.
fn naive(time: &Plain, limits: Limits, arrivals: &[Arrival]) -> Vec<(u64, f64, f64, f64, u32)> {
    #[derive(Clone)]
    struct Job {
        id: usize,
        computed: u32,
        target: u32,
        made: u32,
        blocks: u64,
        scheduled: Option<f64>,
        first: Option<f64>,
        preempted: u32,
    }
    // Whole blocks that all prompts begin with are there once.
    let block = |id: usize, tokens: u32| {
        let shared = limits.shared.min(arrivals[id].input / limits.block);
        u64::from(tokens.div_ceil(limits.block) - shared)
    };
    let (mut clock, mut free, mut next) = (0.0, limits.blocks, 0);
    let mut waiting: Vec<Job> = Vec::new();
    let mut running: Vec<Job> = Vec::new();
    let mut done = Vec::new();
    loop {
        if waiting.is_empty() && running.is_empty() {
            match arrivals.get(next) {
                None => return done,
                Some(arrival) => clock = f64::max(clock, arrival.at.value),
            }
        }
        while let Some(a) = arrivals.get(next).filter(|a| a.at.value <= clock) {
            if block(next, a.input + a.output - 1) <= limits.blocks {
                waiting.push(Job {
                    id: next,
                    computed: a.cached.min(a.input - 1),
                    target: a.input,
                    made: 0,
                    blocks: 0,
                    scheduled: None,
                    first: None,
                    preempted: 0,
                });
            }
            next += 1;
        }
        if waiting.is_empty() && running.is_empty() {
            continue;
        }
        // Decoding sequences grow by a token; the last admitted make room.
        let mut preempted = false;
        loop {
            let need: u64 = running
                .iter()
                .filter(|j| j.computed >= j.target)
                .map(|j| block(j.id, j.computed + 1) - j.blocks)
                .sum();
            if need <= free {
                break;
            }
            let mut job = running.pop().unwrap();
            free += job.blocks;
            job.target = arrivals[job.id].input + job.made;
            let kept = (limits.shared * limits.block).min(arrivals[job.id].cached);
            (job.computed, job.blocks) = (kept.min(job.target - 1), 0);
            job.preempted += 1;
            waiting.insert(0, job);
            preempted = true;
        }
        let alone = limits.scheduler == Scheduler::PrefillFirst;
        let decoding: Vec<usize> =
            (0..running.len()).filter(|&i| running[i].computed >= running[i].target).collect();
        let growth: u64 = decoding
            .iter()
            .map(|&i| block(running[i].id, running[i].computed + 1) - running[i].blocks)
            .sum();
        let mut budget =
            limits.tokens.saturating_sub(if alone { 0 } else { decoding.len() as u32 });
        let (mut prefill, mut cost) = (0, 0.0);
        let mut chunk = |job: &mut Job, budget: &mut u32| {
            for _ in 0..(job.target - job.computed).min(*budget) {
                job.computed += 1;
                *budget -= 1;
                prefill += 1;
                cost += time.pair * f64::from(job.computed);
                if let Some((_, window)) = time.window {
                    cost += 0.3 * time.pair * f64::from(job.computed.min(window));
                }
            }
        };
        let mut prompts = Vec::new();
        for (i, job) in running.iter_mut().enumerate() {
            if job.computed < job.target && budget > 0 {
                chunk(job, &mut budget);
                prompts.push(i);
            }
        }
        while !preempted && budget > 0 && !waiting.is_empty() {
            let need = block(waiting[0].id, waiting[0].target);
            if running.len() as u32 >= limits.sequences || need + growth > free {
                break;
            }
            let whole = |id: usize| block(id, arrivals[id].input + arrivals[id].output - 1);
            let promised: u64 = running.iter().map(|j| whole(j.id)).sum();
            if limits.sets_aside && promised + whole(waiting[0].id) > limits.blocks {
                break;
            }
            let mut job = waiting.remove(0);
            free -= need;
            job.blocks = need;
            job.scheduled = job.scheduled.or(Some(clock));
            chunk(&mut job, &mut budget);
            prompts.push(running.len());
            running.push(job);
        }
        let active = if alone && prefill > 0 { Vec::new() } else { decoding };
        let mut duration = time.tokens(active.len() as f64, prefill.into(), 0.0).value + cost;
        for &i in &active {
            let job = &mut running[i];
            job.computed += 1;
            duration += time.context * f64::from(job.computed);
            if let Some((cost, window)) = time.window {
                duration += cost * f64::from(job.computed.min(window));
            }
            let blocks = block(job.id, job.computed);
            free -= blocks - job.blocks;
            job.blocks = blocks;
            job.made += 1;
        }
        let least = time.beneath(active.len() as f64, prefill.into()).value;
        clock += duration.max(least);
        for i in prompts {
            let job = &mut running[i];
            if job.computed == job.target {
                job.made += 1;
                job.first = job.first.or(Some(clock));
            }
        }
        // A decoding sequence counts as one whose context lags its tokens by one.
        for job in running.iter_mut().filter(|j| j.made > 0 && j.computed >= j.target) {
            job.target = job.computed;
        }
        running.retain(|job| {
            let ended = job.made == arrivals[job.id].output;
            if ended {
                free += job.blocks;
                let (scheduled, first) = (job.scheduled.unwrap(), job.first.unwrap());
                done.push((job.id as u64, scheduled, first, clock, job.preempted));
            }
            !ended
        });
    }
}

fn records<S: StepTime>(
    simulation: &Simulation<'_, S>,
    arrivals: &[Arrival],
) -> Vec<(u64, f64, f64, f64, u32)> {
    told(&simulation.open(arrivals.iter().copied()))
}

/// The records of a report in plain numbers.
fn told(report: &Report) -> Vec<(u64, f64, f64, f64, u32)> {
    let row = |r: &Record| {
        (r.id, r.scheduled.value, r.first_token.value, r.finished.value, r.preemptions)
    };
    report.records.iter().map(row).collect()
}

fn assert_same(mut one: Vec<(u64, f64, f64, f64, u32)>, mut other: Vec<(u64, f64, f64, f64, u32)>) {
    one.sort_by_key(|r| r.0);
    other.sort_by_key(|r| r.0);
    assert_eq!(one.len(), other.len());
    for (a, b) in one.iter().zip(&other) {
        let near = |x: f64, y: f64| (x - y).abs() <= 1e-9 * x.abs().max(1.0);
        let same = a.0 == b.0 && a.4 == b.4 && near(a.1, b.1) && near(a.2, b.2) && near(a.3, b.3);
        assert!(same, "{a:?} is not {b:?}");
    }
}

prop_compose! {
    fn workload()(
        seed in any::<u64>(),
        count in 1_u32..60,
        rate in 0.5_f64..50.0,
        input in 1_u32..600,
        output in 1_u32..120,
        sequences in 1_u32..20,
        tokens in 1_u32..700,
        block in 1_u32..24,
        spare in 0_u64..60,
        alone in any::<bool>(),
        window in proptest::option::of((1e-6_f64..1e-5, 1_u32..200)),
        step in 1e-4_f64..2e-2,
        least in prop_oneof![Just(0.0), 1e-5_f64..2e-3],
        cached in any::<bool>(),
        sets_aside in any::<bool>(),
        shared in 0_u32..6,
    ) -> (Plain, Limits, Vec<Arrival>) {
        let time = Plain { step, token: 1.3e-5, context: 2.7e-6, window, pair: 1e-8, least };
        let scheduler = if alone { Scheduler::PrefillFirst } else { Scheduler::DecodeFirst };
        let blocks = u64::from((input + output).div_ceil(block)) + spare;
        let limits =
            Limits { sequences, tokens, blocks, block, shared, sets_aside, scheduler, ..LIMITS };
        let mut arrivals = arrivals(seed, count, rate, input, output);
        if cached {
            for arrival in &mut arrivals {
                arrival.cached = arrival.input / 2;
            }
        }
        (time, limits, arrivals)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn leaping_agrees_with_token_by_token((time, limits, arrivals) in workload()) {
        let leaping = records(&simulation(&time, limits), &arrivals);
        let stepping = Limits { stepping: Stepping::Token, ..limits };
        assert_same(leaping.clone(), records(&simulation(&time, stepping), &arrivals));
        assert_same(leaping, naive(&time, limits, &arrivals));
    }

    #[test]
    fn leaping_agrees_behind_a_router((time, limits, arrivals) in workload(), replicas in 2_u32..6) {
        let of = |limits| {
            let one = simulation(&time, limits);
            let fleet = Fleet { replicas, router: Router::LeastOutstanding, ..one.fleet };
            records(&Simulation { fleet, ..one.clone() }, &arrivals)
        };
        assert_same(of(limits), of(Limits { stepping: Stepping::Token, ..limits }));
    }

    #[test]
    fn leaping_agrees_where_tokens_are_guessed(
        (time, limits, arrivals) in workload(),
        drafted in 1_u32..9,
        accepted_length in 1.0_f64..5.0,
        window in proptest::option::of(1_u32..200),
    ) {
        let draft = Plain { step: 0.1 * time.step, window: window.map(|it| (1e-6, it)), ..time };
        let drafting =
            Speculative { verification: time, draft: Some(draft), drafted, accepted_length };
        let leaping = records(&simulation(&drafting, limits), &arrivals);
        let stepping = Limits { stepping: Stepping::Token, ..limits };
        assert_same(leaping, records(&simulation(&drafting, stepping), &arrivals));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn leaping_refuses_the_same_requests(
        (time, limits, arrivals) in workload(),
        queue in 0_u32..12,
        timeout in 0.0_f64..2.0,
        replicas in 1_u32..4,
    ) {
        let admission =
            Admission { queue: Some(queue), timeout: Some(Time::from_stored(timeout)) };
        let run = |stepping| {
            let limits = Limits { admission, stepping, ..limits };
            let mut simulation = simulation(&time, limits);
            simulation.fleet.replicas = replicas;
            simulation.fleet.router = Router::LeastOutstanding;
            let report = simulation.open(arrivals.clone());
            prop_assert_eq!(report.answered + report.refused + report.rejected, report.arrived);
            Ok((report.refused, told(&report)))
        };
        let (leaping, stepping) = (run(Stepping::Leap)?, run(Stepping::Token)?);
        prop_assert_eq!(leaping.0, stepping.0);
        assert_same(leaping.1, stepping.1);
    }
}

#[test]
fn what_waits_too_long_is_refused_and_the_rest_is_sooner() {
    let time = Plain { step: 1e-2, token: 1e-4, ..FREE };
    let limits = Limits { sequences: 4, ..LIMITS };
    let arrivals = arrivals(7, 400, 40.0, 200, 60);
    let run = |queue: Option<u32>, timeout: Option<f64>| {
        let admission = Admission { queue, timeout: timeout.map(Time::from_stored) };
        simulation(&time, Limits { admission, ..limits }).open(arrivals.clone())
    };
    let (all, patient, short) = (run(None, None), run(None, Some(0.5)), run(Some(3), None));
    assert_eq!(all.refused, 0);
    for bounded in [&patient, &short] {
        assert!(bounded.refused > 50 && bounded.refused_share() < 1.0, "{}", bounded.refused);
        let first = |report: &Report| report.all().ttft.quantile(0.9).unwrap();
        assert!(first(bounded) < 0.5 * first(&all));
    }
    assert!(patient.all().queueing.quantile(1.0).unwrap() <= 0.5 * 1.02);
}

#[test]
fn pressure_preempts_and_still_agrees() {
    let time = Plain {
        step: 1e-3,
        token: 1e-5,
        context: 1e-6,
        window: Some((1e-6, 64)),
        pair: 1e-8,
        ..FREE
    };
    let limits = Limits { blocks: 120, ..LIMITS };
    let arrivals = arrivals(5, 500, 40.0, 300, 400);
    let leaping = records(&simulation(&time, limits), &arrivals);
    assert!(leaping.iter().map(|r| r.4).sum::<u32>() > 50, "hardly any pre-emption");
    assert_same(leaping, naive(&time, limits, &arrivals));
}

const FREE: Plain =
    Plain { step: 0.0, token: 0.0, context: 0.0, window: None, pair: 0.0, least: 0.0 };

#[test]
fn deterministic_service_waits_as_queueing_theory_says() {
    // M/D/1: mean wait = rho / (2 (1 - rho)) service times (Pollaczek and Khinchine).
    let service = 0.01;
    for rho in [0.3, 0.6, 0.8] {
        let expected = rho * service / (2.0 * (1.0 - rho));
        let time = Plain { step: service, ..FREE };
        let one = Limits { sequences: 1, ..LIMITS };
        let load = arrivals(11, 400_000, rho / service, 1, 1);
        let run = Simulation { records: false, ..simulation(&time, one) };
        let report = run.open(load.iter().copied());
        let wait = report.classes[0].queueing.mean().unwrap();
        assert!((wait / expected - 1.0).abs() < 0.02, "engine at {rho}: {wait} {expected}");
        assert!((report.fleet.busy / rho - 1.0).abs() < 0.02);

        let report = batching(&[time.tokens(1.0, 0.0, 0.0)], 0.0).serve(load.iter().copied(), 0);
        let all = report.all();
        let wait = all.queueing.mean().unwrap();
        assert!((wait / expected - 1.0).abs() < 0.02, "batching at {rho}: {wait} {expected}");
        // The closed form of a replica without batches: p + r p^2 / (2 (1 - r p)).
        let rate = rho / service;
        let closed = service + rate * service * service / (2.0 * (1.0 - rho));
        assert!((all.e2e.mean().unwrap() / closed - 1.0).abs() < 0.01);
        assert!((report.fleet.busy / rho - 1.0).abs() < 0.02);
    }
}

#[test]
fn low_load_is_the_closed_form() {
    let time = Plain { step: 5e-3, token: 2e-5, context: 3e-7, window: None, pair: 2e-9, ..FREE };
    let lone =
        Arrival { at: Time::from_stored(1.0), input: 1000, output: 251, cached: 0, class: 0 };
    let report = simulation(&time, LIMITS).open([lone]);
    let prefill = 5e-3 + 1000.0 * 2e-5 + 2e-9 * 1000.0 * 1001.0 / 2.0;
    let decode = 250.0 * (5e-3 + 2e-5 + 3e-7 * (1000.0 + 251.0 / 2.0));
    let record = report.records[0];
    assert!((record.first_token.value - 1.0 - prefill).abs() < 1e-12);
    assert!((record.finished - record.first_token).value - decode < 1e-9);
    let tpot = report.classes[0].tpot.quantile(0.5).unwrap();
    assert!((tpot / (decode / 250.0) - 1.0).abs() < 2e-3);
    assert_eq!(report.fleet.steps, 251);
}

#[test]
fn a_closed_load_holds_its_concurrency() {
    let time = Plain { step: 1e-2, token: 0.0, ..FREE };
    let lengths = |n: usize| {
        std::iter::repeat_n(
            Arrival { at: Time::from_stored(0.0), input: 100, output: 50, cached: 0, class: 0 },
            n,
        )
    };
    let report = simulation(&time, LIMITS).closed(8, lengths(800));
    assert_eq!((report.answered, report.fleet.batch.1), (800, 8));
    // 100 rounds of 50 steps each, all clients in lockstep.
    assert!((report.span.value - 100.0 * 50.0 * 1e-2).abs() < 1e-6);
    assert!((report.output_rate().value - 800.0).abs() < 1e-6);
}

#[test]
fn replicas_share_the_load() {
    let time = Plain { step: 5e-3, token: 2e-5, context: 3e-7, window: None, pair: 2e-9, ..FREE };
    let load = arrivals(3, 4000, 60.0, 1000, 200);
    let mean = |replicas, router| {
        let fleet = Fleet { replicas, router, ..simulation(&time, LIMITS).fleet };
        let run = Simulation { fleet, ..simulation(&time, LIMITS) };
        let report = run.open(load.iter().copied());
        assert_eq!(report.answered, 4000);
        report.classes[0].e2e.mean().unwrap()
    };
    let (few, many) = (mean(3, Router::RoundRobin), mean(6, Router::RoundRobin));
    assert!(many < few);
    assert!(mean(3, Router::LeastOutstanding) <= few);
    assert!(mean(3, Router::Random(1)) >= mean(3, Router::LeastOutstanding));
}

#[test]
fn disaggregated_pools_hand_over() {
    let time = Plain { step: 5e-3, token: 2e-5, context: 3e-7, window: None, pair: 2e-9, ..FREE };
    let together = simulation(&time, LIMITS);
    let transfer = KvTransfer {
        decode: together.fleet,
        latency: Time::from_stored(1e-3),
        per_token: Time::from_stored(1e-6),
    };
    let apart = Simulation { transfer: Some(transfer), ..together.clone() };
    let lone = Arrival { at: Time::from_stored(0.0), input: 1000, output: 10, cached: 0, class: 0 };
    let (one, two) = (together.open([lone]), apart.open([lone]));
    let finished = |report: &Report| report.records[0].finished.value;
    assert!((finished(&two) - finished(&one) - 2e-3).abs() < 1e-12);
    // With load, decoding is no longer interrupted by prompts.
    let load = arrivals(3, 3000, 20.0, 1000, 200);
    let tpot = |run: &Simulation<'_, Plain>| {
        let report = run.open(load.iter().copied());
        assert_eq!(report.answered, 3000);
        report.classes[0].tpot.quantile(0.95).unwrap()
    };
    assert!(tpot(&apart) < tpot(&together));
}

#[test]
fn what_cannot_be_held_is_refused_and_overload_ends_early() {
    let time = Plain { step: 1.0, ..FREE };
    let huge = Arrival {
        at: Time::from_stored(0.0),
        input: 1 << 30,
        output: 1 << 30,
        cached: 0,
        class: 0,
    };
    let report = simulation(&time, LIMITS).open([huge]);
    assert_eq!((report.arrived, report.rejected, report.answered), (1, 1, 0));
    assert!(report.slo_attainment() < 1e-9);
    assert_eq!(report.all().ttft.quantile(0.95), None);
    let run = Simulation { queue_limit: 100, ..simulation(&time, LIMITS) };
    let report = run.open(arrivals(1, 100_000, 1000.0, 10, 10));
    assert!(report.overloaded && report.arrived < 1000);
}

#[test]
fn attainment_counts_by_class() {
    let time = Plain { step: 1e-2, ..FREE };
    let bound = |ms: f64| Bounds { e2e: Some(Time::from_stored(ms * 1e-3)), ..Bounds::default() };
    let run = Simulation { slo: vec![bound(105.0), bound(95.0)], ..simulation(&time, LIMITS) };
    let request = |i: u16| Arrival {
        at: Time::from_stored(f64::from(i)),
        input: 10,
        output: 10,
        cached: 0,
        class: i % 2,
    };
    let report = run.open((0..10).map(request));
    assert_eq!((report.classes[0].met, report.classes[1].met), (5, 0));
    assert!((report.slo_attainment() - 0.5).abs() < 1e-12);
    assert!((report.goodput().value - 5.0 / report.span.value).abs() < 1e-12);
}

fn batching(times: &[Time], delay: f64) -> Batching<'_> {
    let delay = Time::from_stored(delay);
    Batching { times, delay, slo: vec![Bounds::default()], queue_limit: 1000, records: false }
}

#[test]
fn batches_fill_or_time_out() {
    let run = |most: u32, delay: f64, at: &[f64]| {
        let times: Vec<_> = (1..=most).map(|n| Time::from_stored(0.1 * f64::from(n))).collect();
        let arrivals = at.iter().map(|at| Arrival {
            at: Time::from_stored(*at),
            input: 1,
            output: 1,
            cached: 0,
            class: 0,
        });
        let report = batching(&times, delay).serve(arrivals, 0);
        (report.all().e2e.mean().unwrap(), report.fleet.steps)
    };
    let near = |a: (f64, u64), b: (f64, u64)| (a.0 - b.0).abs() < 1e-9 && a.1 == b.1;
    assert!(near(run(2, 1e3, &[0.0, 1.0]), (0.7, 1)), "static: waits until full");
    assert!(near(run(2, 0.5, &[0.0, 1.0, 1.0]), (1.0 / 3.0, 2)), "dynamic: times out");
    assert!(near(run(4, 0.0, &[0.0, 0.01, 0.02]), (0.67 / 3.0, 2)), "takes what is there");
    assert!(near(run(8, 1e3, &[0.0, 1.0]), (0.7, 1)), "the last batch is not full");
}

#[test]
fn a_batched_network_beyond_its_rate_is_overloaded() {
    let times = [Time::from_stored(1.0)];
    let report = batching(&times, 0.0).serve(arrivals(1, 100_000, 2.0, 1, 1).into_iter(), 0);
    assert!(report.overloaded && report.arrived < 10_000 && report.backlog > 1000);
}

/// Batches from those that take as long as one request to those that gain nothing.
#[test]
fn batches_take_what_the_closed_form_says() {
    for (most, each) in [(1, 0.0), (2, 0.1), (2, 0.9), (4, 0.6), (8, 1.0), (32, 0.1), (64, 0.9)] {
        let times: Vec<Time> =
            (0..most).map(|b| Time::from_stored(0.01 * (1.0 + each * f64::from(b)))).collect();
        let full = times[times.len() - 1];
        let capability = Capability::in_one_pass(
            Batches {
                alone: Traced::constant(times[0]),
                full: Traced::constant(full),
                most: Traced::constant(Requests::from_stored(most.into())),
            },
            Traced::constant(Time::from_stored(0.0)),
            Traced::constant(Ratio::from_stored(most.into())),
            Traced::constant(RequestRate::from_stored(f64::from(most) / full.value)),
        );
        for load in [0.01, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9] {
            let rate = load * f64::from(most) / full.value;
            let arrivals = arrivals(3, 100_000, rate, 1, 1);
            let report = batching(&times, 0.0).serve(arrivals.into_iter(), 0);
            let simulated = report.all().e2e.mean().unwrap();
            let rate = Traced::constant(RequestRate::from_stored(rate));
            let closed = capability.latency(&rate, None).e2e.value().value;
            let (ratio, case) = (closed / simulated, format!("{most} x {each} at {load}"));
            assert!((0.93..1.33).contains(&ratio), "{case}: {closed} {simulated}");
        }
    }
}
