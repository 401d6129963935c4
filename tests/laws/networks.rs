//! Networks that answer in one pass: the closed form beside the simulator.

use serde_json::Value;

use crate::common::library::{WAYS, Way, answer, explained, resolved, shipped, simulated};
use crate::common::{close, holds, number};

/// A network's rate has much noise after few requests, of which a full batch takes 256.
fn asked(way: Way, file: &str, sets: &[&str]) -> Value {
    let answer = shipped(file, sets).and_then(|scenario| match way {
        Way::Estimate => answer(way, &scenario),
        Way::Capacity => simulated(&scenario, 20_000),
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
            let report = asked(way, file, &["inference.slo={}"]);
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

/// Training of a network on so many devices, with more said of them.
fn trained(model: &str, count: u32, batch: u32, more: &str) -> Value {
    let text = format!(
        "name: a\nmodel: {model}\ndata: {{samples: 100M}}\ntraining:\n  global_batch: {batch}\n  \
         goodput: 1\n  hardware: {{accelerator: a100-sxm-80gb, count: {count}{more}}}\n"
    );
    let scenario = resolved(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    answer(Way::Estimate, &scenario).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Devices of a network wait for their links where these are slow, and lose speed by being several.
#[test]
fn several_devices_share_the_steps_of_a_network() {
    let hours = |count: u32, more: &str| {
        number(&trained("vit-h-14", count, 16 * count, more), "training.device_hours")
    };
    let [one, node, wide] = [1, 8, 256].map(|count| hours(count, ""));
    assert!(node > 1.01 * one && wide >= node * (1.0 - 1e-9), "{one} {node} {wide}");
    let slow = hours(256, ", network: 0.1 GB/s/device");
    assert!(slow > 1.5 * wide, "{slow} {wide}");
}

/// Tables are shared out: more devices update more rows at once.
#[test]
fn more_devices_train_tables_faster() {
    let days = [2, 4, 8, 64]
        .map(|count| number(&trained("dlrm", count, 55_296, ""), "training.wall_clock_days"));
    assert!(days.windows(2).all(|pair| pair[1] < pair[0]), "{days:?}");
}

/// Estimated / simulated mean time of a request, where batches gain much, little and nothing.
#[test]
fn requests_wait_as_they_do_in_a_simulation() {
    for (model, device) in [("sdxl", "l40s"), ("resnet50", "t4"), ("bert-base", "l4")] {
        for load in ["30 %", "80 %"] {
            let text = format!(
                "{{name: x, model: {model}, inference: {{placement: {{provider: aws, region: \
                 us-east-2}}, traffic: {{requests: 2000/s}}, precision: fp16, hardware: \
                 {{accelerator: {device}}}, target_utilisation: {load}}}}}"
            );
            let scenario = resolved(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
            let closed = mean(&answer(Way::Estimate, &scenario));
            let simulated = mean(&simulated(&scenario, 20_000));
            let ratio = closed / simulated;
            assert!((0.9..1.33).contains(&ratio), "{model} at {load}: {closed} {simulated}");
        }
    }
}

fn mean(report: &flopcast::diagnostic::Result<Value>) -> f64 {
    number(report.as_ref().expect("a forecast"), "inference.e2e_ms.mean")
}

/// A recommender reads some rows of its tables, whose size then matters to memory alone.
#[test]
fn tables_are_not_read_whole() {
    let text = "{name: x, model: dlrm, inference: {placement: {provider: aws, region: us-east-2}, \
                traffic: {requests: 1000/s}, hardware: {accelerator: a100-80gb}}}";
    let scenario = resolved(text).unwrap_or_else(|error| panic!("{error}"));
    let report = answer(Way::Estimate, &scenario).unwrap_or_else(|error| panic!("{error}"));
    let at = |path: &str| number(&report, &format!("inference.replica.{path}"));
    let service = scenario.inference.as_deref().expect("a service");
    let weights = service.replica.weights.value / service.replica.bandwidth.value;
    let reading = weights.value / service.replica.devices.value.value;
    let batch = at("max_concurrency") / at("max_rate_per_s");
    assert!(batch < 0.1 * reading, "a batch takes {batch} s, all weights {reading} s");
}

#[test]
fn memory_bound_layers_are_explained() {
    let text = explained(FILES[1], &[], "inference.replica.max_rate_per_s");
    let parts = ["least times of kernels", "passing over memory", "requests of a full batch"];
    holds("rate", &text, &parts);
}
