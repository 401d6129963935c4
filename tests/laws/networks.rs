//! Networks that answer in one pass: the closed form beside the simulator.

use serde_json::Value;

use crate::common::library::{WAYS, Way, answer, explained, shipped, simulated};
use crate::common::{close, holds, number};

/// A network's rate has much noise after few requests.
fn asked(way: Way, file: &str, sets: &[&str]) -> Value {
    after(way, file, sets, 4000)
}

fn after(way: Way, file: &str, sets: &[&str], requests: u64) -> Value {
    let answer = shipped(file, sets).and_then(|scenario| match way {
        Way::Estimate => answer(way, &scenario),
        Way::Capacity => simulated(&scenario, requests),
    });
    answer.unwrap_or_else(|error| panic!("{file} {sets:?}: {error}"))
}

const FILES: [&str; 2] = ["scenarios/bert-base-serving.yaml", "scenarios/resnet50-edge.yaml"];

#[test]
fn both_know_the_same_batches() {
    for file in FILES {
        let [closed, simulated] = WAYS.map(|it| asked(it, file, &[]));
        let most = |report: &Value| number(report, "inference.replica.max_concurrency");
        close(file, most(&closed), most(&simulated), 1e-9);
        let full = number(&simulated, "inference.replica.batch_ms.most");
        let rate = number(&closed, "inference.replica.max_rate_per_s");
        close(file, 1e3 * most(&closed) / rate, full, 1e-6);
    }
}

#[test]
fn without_an_slo_both_find_the_same_highest_rate() {
    for file in FILES {
        let rate = |way| {
            let report = after(way, file, &["inference.slo={}"], 20_000);
            number(&report, "inference.replica.max_rate_per_s")
        };
        let (closed, simulated) = (rate(Way::Estimate), rate(Way::Capacity));
        assert!((simulated / closed - 1.0).abs() < 0.05, "{file}: {simulated} {closed}");
    }
}

#[test]
fn a_request_takes_at_least_its_own_pass() {
    for file in FILES {
        let mean = number(&asked(Way::Estimate, file, &[]), "inference.e2e_ms.mean");
        let one = number(&asked(Way::Capacity, file, &[]), "inference.replica.batch_ms.one");
        assert!(mean >= one * (1.0 - 1e-9), "{file}: {mean} {one}");
    }
}

#[test]
fn memory_bound_layers_are_explained() {
    let text = explained(FILES[1], &[], "inference.replica.max_rate_per_s");
    let parts = ["least times of kernels", "passing over memory", "requests of a full batch"];
    holds("rate", &text, &parts);
}
