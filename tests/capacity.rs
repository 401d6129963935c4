//! `flopcast capacity` as a user meets it. Few requests: the tests ask for structure, not for
//! the third digit.

mod common;

use common::{flopcast, json, number, stdout};

const FILE: &str = "scenarios/llama-3-70b-serving.yaml";
const QUICK: [&str; 4] = ["--requests", "600", "--seeds", "1"];

fn arguments<'a>(sets: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["capacity", FILE];
    all.extend(QUICK);
    all.extend(sets.iter().flat_map(|set| ["--set", set]));
    all.extend(more);
    all
}

fn sized(sets: &[&str]) -> serde_json::Value {
    json(&arguments(sets, &["--format", "json"]))
}

#[test]
fn a_service_is_sized_within_its_promises_and_priced() {
    let report = sized(&[]);
    assert_eq!(report["schema"], "flopcast.capacity/1");
    let at = |path: &str| number(&report, &format!("inference.{path}"));
    assert!(at("ttft_ms.p95") <= 1000.0 && at("tpot_ms.p95") <= 50.0);
    for latency in ["ttft_ms", "tpot_ms", "e2e_ms", "queueing_ms"] {
        let p = |name: &str| at(&format!("{latency}.{name}"));
        assert!(p("p50") <= p("p90") && p("p90") <= p("p95") && p("p95") <= p("p99"), "{latency}");
    }
    // Replicas for the peak at 80 % of the highest rate, one spare, in whole instances of 8.
    let needed = (at("fleet.peak_rate_per_s") / (0.8 * at("replica.max_rate_per_s"))).ceil();
    assert!((at("fleet.replicas") - needed - 1.0).abs() < 1e-9);
    let devices = at("fleet.replicas") * at("replica.devices");
    assert!((at("fleet.devices") - devices).abs() < 1e-9);
    assert!((8.0 * at("fleet.instances") - devices - at("fleet.stranded_devices")).abs() < 1e-9);
    let (low, high) = (
        report["intervals"]["inference.fleet.devices"]["p10"].as_f64().expect("a number"),
        report["intervals"]["inference.fleet.devices"]["p90"].as_f64().expect("a number"),
    );
    assert!(low <= devices && devices <= high && low < high, "{low} {devices} {high}");
    let year = &report["inference"]["years"][0];
    let rent = at("fleet.instances") * 55.04 * 8766.0;
    common::close("rent of a year", number(year, "cost_usd"), rent, 1e-6);
    assert!(number(year, "co2e_kg.location") > 0.0 && at("per_query.serving_usd") > 0.0);
    assert!(report["inference"]["replica"]["bottleneck"].is_string());
}

#[test]
fn the_same_input_gives_the_same_bytes_in_every_form() {
    for format in ["table", "json", "csv", "markdown"] {
        let once = || stdout(&arguments(&[], &["--format", format]));
        let text = once();
        assert_eq!(text, once());
        assert!(text.contains("P95") || text.contains("p95"), "{format}: {text}");
    }
}

#[test]
fn tighter_promises_and_cold_caches_take_more() {
    let rate = |sets: &[&str]| number(&sized(sets), "inference.replica.max_rate_per_s");
    let plain = rate(&[]);
    assert!(rate(&["inference.slo={tpot: {p95: 30 ms}}"]) < plain);
    assert!(rate(&["inference.prefix_cache_hit=60 %"]) > plain);
}

#[test]
fn what_cannot_be_is_said_with_its_reason() {
    for (set, code, part) in [
        ("inference.slo={tpot: {p95: 5 ms}}", 1, "below the physical floor: reading 70.55 GB"),
        ("inference.slo={ttft: {p95: 20 ms}}", 1, "the FLOPs of the mean prompt take"),
        ("inference.slo={ttft: {p95: 100 ms}}", 1, "cannot be met at any load"),
        ("inference.parallelism={tensor: 1}", 1, "use at least 2 such devices"),
        ("inference.traffic.requests=1e18/s", 1, "no fleet of a size"),
        ("inference.traffic.requests=0/s", 2, "no requests"),
        ("inference.engine=vlm", 2, "`vllm`"),
        ("inference.slo={ttft: {p96: 1 s}}", 2, "unknown key `p96`"),
        ("inference.precision=fp32", 2, "not calibrated"),
        ("inference.traffic.input_tokens={mean: 100, p95: 5000}", 2, "no lognormal"),
        ("inference.traffic.input_tokens={mean: 5M, p95: 6M}", 1, "does not fit"),
    ] {
        let output = flopcast(&arguments(&[set], &[]));
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{set}: {message}");
        assert!(message.contains(part), "{set}: {message}");
    }
    for (file, part) in [
        ("scenarios/bert-base-serving.yaml", "output_tokens"),
        ("scenarios/llama-65b.yaml", "no `inference` section"),
    ] {
        let output = flopcast(&["capacity", file]);
        assert_eq!(output.status.code(), Some(2), "{file}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(part), "{file}");
    }
}
