//! Networks that answer in one pass: the closed form beside the simulator.

use serde_json::Value;

use crate::common::{close, flopcast, json, number};

fn asked(command: &str, file: &str, sets: &[&str]) -> Value {
    let mut all = vec![command, file, "--format", "json"];
    if command == "capacity" {
        all.extend(["--requests", "4000", "--seeds", "1"]);
    }
    all.extend(sets.iter().flat_map(|set| ["--set", set]));
    json(&all)
}

const FILES: [&str; 2] = ["scenarios/bert-base-serving.yaml", "scenarios/resnet50-edge.yaml"];

#[test]
fn both_know_the_same_batches() {
    for file in FILES {
        let [closed, simulated] = ["estimate", "capacity"].map(|it| asked(it, file, &[]));
        let most = |report: &Value| number(report, "inference.replica.max_concurrency");
        close(file, most(&closed), most(&simulated), 1e-9);
        let full = number(&simulated, "inference.replica.batch_ms.most");
        let rate = number(&closed, "inference.replica.max_rate_per_s");
        close(file, 1e3 * most(&closed) / rate, full, 1e-6);
    }
}

#[test]
fn without_promises_both_find_the_same_highest_rate() {
    for file in FILES {
        let rate = |command| {
            let report = asked(command, file, &["inference.slo={}"]);
            number(&report, "inference.replica.max_rate_per_s")
        };
        let (closed, simulated) = (rate("estimate"), rate("capacity"));
        assert!((simulated / closed - 1.0).abs() < 0.1, "{file}: {simulated} {closed}");
    }
}

#[test]
fn a_request_takes_at_least_its_own_pass() {
    for file in FILES {
        let mean = number(&asked("estimate", file, &[]), "inference.ttft_ms.mean");
        let one = number(&asked("capacity", file, &[]), "inference.replica.batch_ms.one");
        assert!(mean >= one * (1.0 - 1e-9), "{file}: {mean} {one}");
    }
}

#[test]
fn memory_bound_layers_are_explained() {
    let output = flopcast(&["explain", FILES[1], "inference.replica.max_rate_per_s"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for part in ["latency of a kernel", "layers bound by memory", "requests of a full batch"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
