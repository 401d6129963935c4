//! Recorded runs of real engines, replayed: percentiles after calibrating on one measured TPOT.
//! The recordings are not part of the repository: `FLOPCAST_ORACLES` names their folder.
#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};

use flopcast::catalog::Catalog;
use flopcast::explore::backtest::score::quantile;
use flopcast::model::Input;
use flopcast::model::import::hf;
use flopcast::quantity::{Measure as _, Time, Tokens};
use flopcast::serving::calibration::Calibration;
use flopcast::serving::memory::KvCapacity;
use flopcast::serving::served::ServedModel;
use flopcast::serving::simulator::{Arrival, Bounds, Fleet, Report, Router, Simulation};
use flopcast::serving::step::{Deployment, Device, Roofline, Weights};

struct Recorded {
    arrivals: Vec<Arrival>,
    ttft: Vec<f64>,
    tpot: Vec<f64>,
}

fn recorded(path: &Path) -> Recorded {
    let text = std::fs::read_to_string(path).expect("a recording");
    let mut rows: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let number = |row: &serde_json::Value, key: &str| row[key].as_f64().expect("a number");
    rows.sort_by(|a, b| number(a, "queued_ts").total_cmp(&number(b, "queued_ts")));
    let first = number(&rows[0], "queued_ts");
    let mut recorded = Recorded { arrivals: Vec::new(), ttft: Vec::new(), tpot: Vec::new() };
    for row in &rows {
        let (queued, token) = (number(row, "queued_ts"), number(row, "first_token_ts"));
        let output = number(row, "output_toks");
        recorded.arrivals.push(Arrival {
            at: Time::from_stored(queued - first),
            input: number(row, "input_toks") as u32,
            output: output as u32,
            cached: 0,
            class: 0,
        });
        recorded.ttft.push(token - queued);
        recorded.tpot.push((number(row, "last_token_ts") - token) / (output - 1.0).max(1.0));
    }
    recorded
}

#[test]
#[ignore = "needs FLOPCAST_ORACLES"]
fn recorded_runs_are_replayed() {
    let Some(folder) = std::env::var_os("FLOPCAST_ORACLES").map(PathBuf::from) else {
        println!("left out: FLOPCAST_ORACLES names no folder");
        return;
    };
    let calibration = Calibration::shipped().expect("a calibration");
    let catalog = Catalog::embedded();
    // Run, config, accelerator, tensor, sequences, KV tokens if published.
    for (run, config, accelerator, tensor, sequences, kv) in [
        ("RTX4090_Llama-3.1-8B", "meta-llama-3.1-8b", "rtx-4090", 1, 256, true),
        ("RTXPRO6000_Qwen3-32B", "qwen3-32b", "rtx-pro-6000-se", 2, 128, false),
    ] {
        let path = folder.join("traces").join(format!("llmservingsim_vllm_{run}_requests.jsonl"));
        let real = recorded(&path);
        let text = folder.join("serving_configs").join(format!("{config}.json"));
        let text = std::fs::read_to_string(text).expect("a config");
        let model = hf::read(config, &text, &Input::default()).expect("a model");
        let served = ServedModel::of(&model).expect("a generative model");
        let device = Device::of(catalog.accelerator(accelerator).expect("known")).expect("figures");
        let deployment = Deployment {
            tensor,
            pipeline: 1,
            data: 1,
            expert_parallel: false,
            weights: Weights::Sixteen,
            kv_bytes: 2.0,
        };
        let engine = calibration.engine("vllm").expect("vllm");
        let constants = calibration.constants("vllm").expect("constants");
        let mut capacity =
            KvCapacity::of(&served, &device, &deployment, engine, 2000).expect("fits");
        let meta = folder.join("traces").join(format!("llmservingsim_vllm_{run}_meta.json"));
        let meta = std::fs::read_to_string(meta).expect("meta");
        if let Some(blocks) = meta.split("\"num_gpu_blocks\":").nth(1).filter(|_| kv) {
            let digits: String = blocks.trim().chars().take_while(char::is_ascii_digit).collect();
            capacity.tokens = Tokens::from_stored(16.0 * digits.parse::<f64>().expect("a count"));
        }
        let mut limits = capacity.limits(engine, &deployment, sequences);
        limits.tokens = 2048;
        let base = Roofline::new(&served, &device, &deployment, &constants);
        let replay = |factor: f64| -> Report {
            let time = base.clone().scaled(factor);
            let simulation = Simulation {
                fleet: Fleet { time: &time, limits, replicas: 1, router: Router::RoundRobin },
                handover: None,
                front_end: Time::from_stored(0.0),
                slo: vec![Bounds::default()],
                warm_up: 0,
                queue_limit: usize::MAX,
                records: false,
            };
            simulation.open(real.arrivals.iter().copied())
        };
        let measured = quantile(&real.tpot, 0.5).expect("rows");
        let (mut low, mut high) = (0.2, 5.0);
        for _ in 0..40 {
            let middle = 0.5 * (low + high);
            let tpot = replay(middle).all().tpot.quantile(0.5).expect("rows");
            if tpot < measured { low = middle } else { high = middle }
        }
        for (name, factor) in [("as shipped", 1.0), ("calibrated", low)] {
            let report = replay(factor);
            let all = report.all();
            println!(
                "{run} {name} factor {factor:.3} KV {:.0} preemptions {} kv {:?} batch {:?}",
                capacity.tokens.value,
                report.fleet.preemptions,
                report.fleet.kv,
                report.fleet.batch
            );
            for (what, real, ours) in
                [("TPOT", &real.tpot, &all.tpot), ("TTFT", &real.ttft, &all.ttft)]
            {
                for q in [0.5, 0.9, 0.95, 0.99] {
                    let (real, ours) =
                        (quantile(real, q).expect("rows"), ours.quantile(q).expect("rows"));
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
    }
}
