//! Recorded runs of real engines, replayed: percentiles after calibrating on one measured TPOT.

use std::sync::Arc;

use flopcast::catalog::Catalog;
use flopcast::catalog::Device;
use flopcast::evidence::backtest::score::quantile;
use flopcast::model::config;
use flopcast::model::spec::from_preset;
use flopcast::model::{Input, Model};
use flopcast::quantity::{Measure as _, RequestRate, Time};
use flopcast::serving::calibration::Calibration;
use flopcast::serving::capacity::{Limit, Objective, Search, Slo, highest_rate};
use flopcast::serving::memory::KvCapacity;
use flopcast::serving::served::ServedModel;
use flopcast::serving::simulator::{Arrival, Bounds, Fleet, Limits, Report, Router, Simulation};
use flopcast::serving::step::{Deployment, Roofline, Weights};
use flopcast::serving::traffic::{self, Trace};
use flopcast::serving::traffic::{Source, Traffic};

use crate::folder;

struct Recorded {
    trace: Trace,
    arrivals: Vec<Arrival>,
    ttft: Vec<f64>,
    tpot: Vec<f64>,
}

impl Recorded {
    fn of(text: &str) -> Self {
        let trace = Trace::read(text).expect("a trace");
        let arrival = |it: &traffic::Recorded| Arrival {
            at: it.at,
            input: it.input,
            output: it.output,
            cached: 0,
            class: 0,
        };
        let seconds = |of: fn(&traffic::Recorded) -> Option<Time>| {
            trace.requests.iter().filter_map(of).map(|time| time.value).collect()
        };
        Self {
            arrivals: trace.requests.iter().map(arrival).collect(),
            ttft: seconds(|it| Some(it.answered?.ttft)),
            tpot: seconds(traffic::Recorded::tpot),
            trace,
        }
    }
}

/// An engine as a recording had it.
struct Engine {
    base: Roofline,
    limits: Limits,
}

impl Engine {
    /// vLLM in 16 bits with steps of `tokens`.
    fn new(model: &Model, accelerator: &str, tensor: u32, sequences: u32, tokens: u32) -> Self {
        let calibration = Calibration::shipped().expect("a calibration");
        let catalog = Catalog::embedded();
        let served = ServedModel::of(model).expect("a generative model");
        let device = Device::of(catalog.accelerator(accelerator).expect("known")).expect("figures");
        let deployment = Deployment {
            tensor,
            pipeline: 1,
            data: 1,
            expert_parallel: false,
            weights: Weights::Sixteen,
            kv_bytes: 2.0,
        };
        let (_, engine) = calibration.engine("vllm").expect("vllm");
        let constants = calibration.constants("vllm").expect("constants");
        let capacity = KvCapacity::of(&served, &device, &deployment, engine, 2000).expect("fits");
        let limits = Limits { tokens, ..capacity.limits(engine, &deployment, sequences) };
        Self { base: Roofline::new(&served, &device, &deployment, &constants), limits }
    }

    fn simulation<'a>(&self, time: &'a Roofline) -> Simulation<'a, Roofline> {
        let (limits, router) = (self.limits, Router::RoundRobin);
        Simulation {
            fleet: Fleet { time, limits, replicas: 1, router },
            transfer: None,
            api_server: Time::from_stored(0.0),
            slo: vec![Bounds::default()],
            warm_up: 0,
            queue_limit: usize::MAX,
            records: false,
        }
    }

    fn replay(&self, factor: f64, arrivals: &[Arrival]) -> Report {
        let time = self.base.clone().scaled(factor);
        self.simulation(&time).open(arrivals.iter().copied())
    }

    /// The factor on every step with which the median TPOT is the measured one.
    fn calibrated(&self, real: &Recorded) -> f64 {
        let measured = quantile(&real.tpot, 0.5).expect("rows");
        let (mut low, mut high) = (0.2, 5.0);
        for _ in 0..40 {
            let middle = 0.5 * (low + high);
            let tpot = self.replay(middle, &real.arrivals).all().tpot.quantile(0.5);
            if tpot.expect("rows") < measured { low = middle } else { high = middle }
        }
        low
    }
}

fn compare(run: &str, name: &str, factor: f64, report: &Report, real: &Recorded) {
    let used = report.fleet;
    println!(
        "{run} {name} factor {factor:.3} preemptions {} kv {:?} batch {:?}",
        used.preemptions, used.kv, used.batch
    );
    let all = report.all();
    for (what, real, ours) in [("TPOT", &real.tpot, &all.tpot), ("TTFT", &real.ttft, &all.ttft)] {
        for q in [0.0, 0.5, 0.9, 0.95, 0.99] {
            let (real, ours) = (quantile(real, q).expect("rows"), ours.quantile(q).expect("rows"));
            println!(
                "  {what} p{:.0} real {:.1} ms ours {:.1} ms {:+.1} %",
                q * 100.0,
                real * 1e3,
                ours * 1e3,
                100.0 * (ours / real - 1.0)
            );
        }
    }
}

/// Run, its recording and its engine.
fn runs() -> Vec<(&'static str, Recorded, Engine)> {
    let folder = folder();
    // Run, config, accelerator, tensor, sequences, KV tokens if published.
    [
        ("RTX4090_Llama-3.1-8B", "meta-llama-3.1-8b", "rtx-4090", 1, 256, true),
        ("RTXPRO6000_Qwen3-32B", "qwen3-32b", "rtx-pro-6000-se", 2, 128, false),
    ]
    .map(|(run, config, accelerator, tensor, sequences, kv)| {
        let path = folder.join("traces").join(format!("llmservingsim_vllm_{run}_requests.jsonl"));
        let text = folder.join("serving_configs").join(format!("{config}.json"));
        let text = std::fs::read_to_string(text).expect("a config");
        let model = config::read(config, &text, &Input::default()).expect("a model");
        let mut engine = Engine::new(&model, accelerator, tensor, sequences, 2048);
        let meta = folder.join("traces").join(format!("llmservingsim_vllm_{run}_meta.json"));
        let meta = std::fs::read_to_string(meta).expect("meta");
        if let Some(blocks) = meta.split("\"num_gpu_blocks\":").nth(1).filter(|_| kv) {
            let digits: String = blocks.trim().chars().take_while(char::is_ascii_digit).collect();
            engine.limits.blocks = digits.parse().expect("a count");
        }
        (run, Recorded::of(&std::fs::read_to_string(path).expect("a recording")), engine)
    })
    .into()
}

#[test]
#[ignore = "needs FLOPCAST_ORACLES"]
fn recorded_runs_are_replayed() {
    for (run, real, engine) in runs() {
        for (name, factor) in [("as shipped", 1.0), ("calibrated", engine.calibrated(&real))] {
            compare(run, name, factor, &engine.replay(factor, &real.arrivals), &real);
        }
    }
}

/// What an engine gets through while requests wait, from the last arrival to the last first token:
/// answers per second by the tokens it generates, and by the prompts it reads. Those of the window
/// are not of the same requests, so a lasting rate lies between the two.
fn saturated(trace: &Trace) -> (f64, f64) {
    let answered: Vec<_> =
        trace.requests.iter().filter_map(|it| Some((it, it.answered?))).collect();
    let from = trace.requests.iter().map(|it| it.at.value).fold(0.0, f64::max);
    let first = |at: f64, ttft: Time| at + ttft.value;
    let to = answered.iter().map(|(it, done)| first(it.at.value, done.ttft)).fold(0.0, f64::max);
    let (mut generated, mut read) = (0.0, 0.0);
    for (request, done) in &answered {
        let (began, ended) =
            (first(request.at.value, done.ttft), request.at.value + done.e2e.value);
        let inside = (ended.min(to) - began.max(from)).max(0.0) / (ended - began).max(1e-9);
        generated += inside * f64::from(request.output);
        read += if began > from { f64::from(request.input) } else { 0.0 };
    }
    let (input, output, _) = trace.means();
    (generated / output / (to - from), read / input / (to - from))
}

/// Both runs were sent several times what the engine takes: that rate breaks any bound on TTFT, and
/// what the engine gets through while requests wait is the most that keeps one in the long run.
#[test]
#[ignore = "needs FLOPCAST_ORACLES"]
fn the_highest_rate_is_what_a_saturated_engine_gets_through() {
    for (run, real, engine) in runs() {
        let time = engine.base.clone().scaled(engine.calibrated(&real));
        let (generated, read) = saturated(&real.trace);
        let rate = RequestRate::from_stored(1.0);
        let source = Source::Recorded(Arc::new(real.trace));
        let traffic = Traffic { rate, profile: None, source };
        let search = Search { requests: 6000, seeds: 2, ..Search::default() };
        let simulation = Simulation { queue_limit: 3000, ..engine.simulation(&time) };
        let p95 = |latency, bound: f64| Slo {
            class: None,
            latency,
            percentile: 0.95,
            bound: Time::from_stored(bound),
        };
        let tpot = quantile(&real.tpot, 0.95).expect("rows");
        for (name, slos) in [
            ("a queue that does not grow", vec![]),
            ("P95 of TTFT within 10 s", vec![p95(Limit::Ttft, 10.0)]),
            ("P95 of TPOT as recorded", vec![p95(Limit::Tpot, tpot)]),
        ] {
            let objective = Objective { slos, ..Objective::default() };
            let found = highest_rate(&simulation, &traffic, &objective, &search, None, &|_| Ok(()));
            let found = found.expect("a rate").rate.value;
            println!(
                "{run}, {name}: {found:.3}/s, log {generated:.3}/s by tokens, {read:.3}/s by \
                 prompts: {:+.1} %",
                100.0 * (found / generated - 1.0)
            );
            assert!((found / generated - 1.0).abs() < 0.2, "{run}, {name}: {found} {generated}");
        }
    }
}

/// 1,000 requests of Vidur (Agrawal et al. 2024, arXiv:2405.05465); the table says neither model nor
/// device: its first latencies are those of two steps of 512 tokens of Llama 3 8B on an A100.
#[test]
#[ignore = "needs FLOPCAST_ORACLES"]
fn another_simulators_requests_are_replayed() {
    let path = folder().join("traces/vidur_warm_fixed_requests.csv");
    let text = std::fs::read_to_string(path).expect("a table");
    let theirs = Recorded::of(&text.replace("vidur_", ""));
    let model = from_preset("llama-3-8b", &Input::default()).expect("a model");
    let engine = Engine::new(&model, "a100-sxm-80gb", 1, 256, 512);
    for (name, factor) in [("as shipped", 1.0), ("calibrated", engine.calibrated(&theirs))] {
        compare("vidur", name, factor, &engine.replay(factor, &theirs.arrivals), &theirs);
    }
}
