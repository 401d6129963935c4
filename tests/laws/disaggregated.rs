//! Prompts and answers on engines of their own.

use serde_json::Value;

use crate::common::{close, flopcast, json, number};

const FILE: &str = "scenarios/llama-3-70b-serving.yaml";
const QUICK: [&str; 4] = ["--requests", "600", "--seeds", "1"];

fn asked(command: &str, sets: &[&str]) -> Value {
    let mut all = vec![command, FILE, "--format", "json"];
    if command == "capacity" {
        all.extend(QUICK);
    }
    all.extend(sets.iter().flat_map(|set| ["--set", set]));
    json(&all)
}

fn pools(prefill: u32, decode: u32) -> String {
    format!("inference.disaggregated={{prefill: {prefill}, decode: {decode}}}")
}

fn rate(command: &str, set: &str) -> f64 {
    number(&asked(command, &[set]), "inference.replica.max_rate_per_s")
}

#[test]
fn the_fleet_holds_and_pays_for_both_pools() {
    for command in ["estimate", "capacity"] {
        let report = asked(command, &[&pools(1, 2)]);
        let at = |path: &str| number(&report, &format!("inference.{path}"));
        close("devices", at("replica.devices"), 6.0, 1e-12);
        close("for prompts", at("replica.prefill_devices"), 2.0, 1e-12);
        close("fleet", at("fleet.devices"), 6.0 * at("fleet.replicas"), 1e-12);
        let year = number(&report["inference"]["years"][0], "cost_usd");
        close("rent of a year", year, at("fleet.instances") * 55.04 * 8766.0, 1e-6);
        let engine = number(&asked(command, &[]), "inference.replica.kv_capacity_tokens");
        close("KV cache", at("replica.kv_capacity_tokens"), 2.0 * engine, 1e-9);
    }
}

#[test]
fn the_slower_pool_sets_the_rate() {
    for (command, tolerance) in [("estimate", 1e-9), ("capacity", 0.25)] {
        let (one, two) = (rate(command, &pools(1, 1)), rate(command, &pools(2, 2)));
        // Two that share a queue wait less than one: the simulated rate more than doubles.
        assert!(two > 2.0 * one * (1.0 - tolerance), "{command}: {one} {two}");
        let (more, least) = (rate(command, &pools(1, 3)), rate(command, &pools(2, 1)));
        let slack = 1.0 + tolerance;
        assert!(one <= more * slack && one <= least * slack, "{command}: {one} {more} {least}");
    }
}

#[test]
fn answers_are_not_held_up_by_prompts() {
    let p95 = |sets: &[&str]| number(&asked("capacity", sets), "inference.tpot_ms.p95");
    let apart = pools(1, 1);
    // At the same load of a device.
    let load = "inference.slo={tpot: {p95: 40 ms}}";
    let report = asked("capacity", &[&apart, load]);
    assert!(number(&report, "inference.replica.prefill_busy") > 0.0);
    assert!(p95(&[&apart, load]) < p95(&[load]));
}

#[test]
fn wider_engines_for_prompts_answer_sooner() {
    let wide = "inference.disaggregated={prefill: 1, decode: 1, prefill_parallelism: {tensor: 4}}";
    let few = "inference.traffic.requests=20k/day";
    for command in ["estimate", "capacity"] {
        let report = asked(command, &[wide, few]);
        close("devices", number(&report, "inference.replica.devices"), 6.0, 1e-12);
        let ttft = |report: &Value| number(report, "inference.ttft_ms.mean");
        assert!(ttft(&report) < ttft(&asked(command, &[&pools(1, 1), few])), "{command}");
    }
}

#[test]
fn the_cache_of_a_prompt_passes_the_link() {
    let output = flopcast(&["explain", FILE, "inference.e2e_ms.mean", "--set", &pools(1, 2)]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("time to hand the KV cache over"), "{text}");
    assert!(text.contains("link of a device to other nodes"), "{text}");
}

#[test]
fn pools_that_cannot_be_are_refused() {
    let network = "scenarios/bert-base-serving.yaml";
    for (file, text, code, part) in [
        (FILE, "{prefill: 1.5, decode: 1}", 2, "a whole number of engines"),
        (FILE, "{prefill: 0, decode: 1}", 2, "a whole number of engines"),
        (FILE, "{prefill: 1, decode: 1..3}", 2, "a whole number of engines"),
        (FILE, "{prefill: 1}", 2, "decode"),
        (FILE, "{prefill: 1, decode: 1, prefill_parallelism: {tensor: 1}}", 1, "does not fit"),
        (network, "{prefill: 1, decode: 1}", 2, "nothing to decode"),
    ] {
        let set = format!("inference.disaggregated={text}");
        let command = if code == 1 { "capacity" } else { "estimate" };
        let output = flopcast(&[command, file, "--set", &set]);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{set}: {message}");
        assert!(message.contains(part), "{set}: {message}");
    }
}

#[test]
fn the_best_ratio_is_found_by_comparing_fleets() {
    let vary = "inference.disaggregated.decode=1,2,4";
    let mut all = vec!["capacity", FILE, "--format", "json", "--vary", vary];
    all.extend(QUICK);
    let one = pools(1, 1);
    all.extend(["--set", one.as_str()]);
    let found = json(&all);
    let rows = found["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 3);
    assert!(found["smallest"].is_number(), "{found}");
}
