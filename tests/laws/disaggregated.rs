//! Prefill and decode instances.

use serde_json::Value;

use crate::common::library::{WAYS, Way, asked, explained, refuses};
use crate::common::{close, holds, number};

const FILE: &str = "scenarios/llama-3-70b-serving.yaml";

fn pools(prefill: u32, decode: u32) -> String {
    format!("inference.disaggregated={{prefill: {prefill}, decode: {decode}}}")
}

fn rate(way: Way, set: &str) -> f64 {
    number(&asked(way, FILE, &[set]), "inference.replica.max_rate_per_s")
}

#[test]
fn the_fleet_holds_and_pays_for_both_pools() {
    for way in WAYS {
        let report = asked(way, FILE, &[&pools(1, 2)]);
        let at = |path: &str| number(&report, &format!("inference.{path}"));
        close("devices", at("replica.devices"), 6.0, 1e-12);
        close("for prompts", at("replica.prefill_devices"), 2.0, 1e-12);
        close("fleet", at("fleet.devices"), 6.0 * at("fleet.replicas"), 1e-12);
        let year = number(&report["inference"]["years"][0], "cost_usd");
        close("rent of a year", year, at("fleet.instances") * 55.04 * 8766.0, 1e-6);
        let engine = number(&asked(way, FILE, &[]), "inference.replica.kv_capacity_tokens");
        close("KV cache", at("replica.kv_capacity_tokens"), 2.0 * engine, 1e-9);
    }
}

#[test]
fn the_slower_pool_sets_the_rate() {
    for (way, tolerance) in [(Way::Estimate, 1e-9), (Way::Capacity, 0.25)] {
        let (one, two) = (rate(way, &pools(1, 1)), rate(way, &pools(2, 2)));
        // Two that share a queue wait less than one: the simulated rate more than doubles.
        assert!(two > 2.0 * one * (1.0 - tolerance), "{way:?}: {one} {two}");
        let (more, least) = (rate(way, &pools(1, 3)), rate(way, &pools(2, 1)));
        let slack = 1.0 + tolerance;
        assert!(one <= more * slack && one <= least * slack, "{way:?}: {one} {more} {least}");
    }
}

#[test]
fn answers_are_not_held_up_by_prompts() {
    let p95 = |sets: &[&str]| number(&asked(Way::Capacity, FILE, sets), "inference.tpot_ms.p95");
    let apart = pools(1, 1);
    // At the same load of a device.
    let load = "inference.slo={tpot: {p95: 40 ms}}";
    let report = asked(Way::Capacity, FILE, &[&apart, load]);
    assert!(number(&report, "inference.replica.prefill_busy") > 0.0);
    assert!(p95(&[&apart, load]) < p95(&[load]));
}

#[test]
fn wider_engines_for_prompts_answer_sooner() {
    let wide = "inference.disaggregated={prefill: 1, decode: 1, prefill_parallelism: {tensor: 4}}";
    let few = "inference.traffic.requests=20k/day";
    for way in WAYS {
        let report = asked(way, FILE, &[wide, few]);
        close("devices", number(&report, "inference.replica.devices"), 6.0, 1e-12);
        let ttft = |report: &Value| number(report, "inference.ttft_ms.mean");
        assert!(ttft(&report) < ttft(&asked(way, FILE, &[&pools(1, 1), few])), "{way:?}");
    }
}

#[test]
fn the_cache_of_a_prompt_passes_the_link() {
    let text = explained(FILE, &[&pools(1, 2)], "inference.e2e_ms.mean");
    holds("e2e", &text, &["KV transfer", "link of a device to other nodes"]);
}

#[test]
fn pools_that_cannot_be_are_refused() {
    let network = "scenarios/bert-base-serving.yaml";
    for (file, text, code, part) in [
        (FILE, "{prefill: 1.5, decode: 1}", 2, "a whole number of instances"),
        (FILE, "{prefill: 0, decode: 1}", 2, "a whole number of instances"),
        (FILE, "{prefill: 1, decode: 1..3}", 2, "a whole number of instances"),
        (FILE, "{prefill: 1}", 2, "decode"),
        (FILE, "{prefill: 1, decode: 1, prefill_parallelism: {tensor: 1}}", 1, "does not fit"),
        (network, "{prefill: 1, decode: 1}", 2, "nothing to decode"),
    ] {
        let set = format!("inference.disaggregated={text}");
        let way = if code == 1 { Way::Capacity } else { Way::Estimate };
        refuses(way, file, &[&set], code, part);
    }
}
