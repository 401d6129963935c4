//! Fleets that keep their SLO: what moves them, and what cannot be.

use serde_json::Value;

use crate::common::library::{Way, asked, refuses, tried};
use crate::common::{close, number, written};

const FILE: &str = "scenarios/llama-3-70b-serving.yaml";

fn sized(file: &str, sets: &[&str]) -> Value {
    asked(Way::Capacity, file, sets)
}

#[test]
fn a_service_is_sized_within_its_slo_and_priced() {
    let report = sized(FILE, &[]);
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
    close("rent of a year", number(year, "cost_usd"), rent, 1e-6);
    assert!(number(year, "co2e_kg.location") > 0.0 && at("per_query.serving_usd") > 0.0);
    assert!(report["inference"]["replica"]["bottleneck"].is_string());
}

#[test]
fn tighter_slos_and_cold_caches_take_more() {
    let rate = |sets: &[&str]| number(&sized(FILE, sets), "inference.replica.max_rate_per_s");
    let plain = rate(&[]);
    assert!(rate(&["inference.slo={tpot: {p95: 30 ms}}"]) < plain);
    assert!(rate(&["inference.prefix_cache_hit=60 %"]) > plain);
    assert!(rate(&["inference.step_time=1.3"]) < plain);
    assert!(rate(&["inference.kv_cache=20_000 tokens"]) < plain);
}

#[test]
fn what_cannot_be_is_said_with_its_reason() {
    for (set, code, part) in [
        ("inference.slo={tpot: {p95: 5 ms}}", 1, "below the physical floor: reading 70.55 GB"),
        ("inference.slo={ttft: {p95: 20 ms}}", 1, "the FLOPs of the mean prompt take"),
        ("inference.slo={ttft: {p95: 100 ms}}", 1, "cannot be met at any load"),
        ("inference.parallelism={tensor: 1}", 1, "fits with inference.parallelism.tensor=2: 291"),
        ("inference.parallelism={tensor: 1}", 1, "fits with inference.precision=int4: "),
        ("inference.parallelism={tensor: 1}", 1, "fits on "),
        ("inference.traffic.input_tokens={mean: 5M, p95: 6M}", 1, "of at most "),
        ("inference.traffic.requests=1e18/s", 1, "no fleet of a size"),
        ("inference.traffic.requests=0/s", 2, "no requests"),
        ("inference.engine=vlm", 2, "`vllm`"),
        ("inference.step_time=0", 2, "inference.step_time is above zero"),
        ("inference.admission={timeout: 0 s}", 2, "a request may wait some time"),
        ("inference.target_utilisation=0 %", 2, "is not 1 % or more"),
        ("inference.max_batch_tokens=256", 1, "a request alone on a replica needs 1"),
        ("inference.kv_cache=100 tokens", 1, "does not fit into a KV cache of 100"),
        ("inference.slo={ttft: {p96: 1 s}}", 2, "unknown key `p96`"),
        ("inference.precision=fp32", 1, "a request alone on a replica needs 1"),
        ("inference.traffic.input_tokens={mean: 100, p95: 5000}", 2, "no lognormal"),
        ("inference.traffic.input_tokens={mean: 5M, p95: 6M}", 1, "does not fit"),
    ] {
        refuses(Way::Capacity, FILE, &[set], code, part);
    }
    refuses(Way::Capacity, "scenarios/llama-65b.yaml", &[], 2, "no `inference` section");
}

#[test]
fn what_an_admission_control_refuses_is_told() {
    let refused = |sets: &[&str]| sized(FILE, sets)["inference"]["refused"].as_f64();
    assert_eq!(refused(&[]), None);
    let share = refused(&["inference.admission={queue: 1, refused: 5 %}"]).expect("a share");
    assert!((0.0..=0.05).contains(&share), "{share}");
    let unlimited = refused(&["inference.admission={timeout: 1 h}"]).expect("a share");
    assert!(unlimited <= 0.0, "{unlimited}");
}

#[test]
fn a_fuller_fleet_is_a_smaller_one() {
    let devices = |sets: &[&str]| number(&sized(FILE, sets), "inference.fleet.devices");
    let full = devices(&["inference.target_utilisation=100 %"]);
    assert!(full < devices(&["inference.target_utilisation=50 %"]) && full <= devices(&[]));
}

const CLASSES: &str = "scenarios/two-classes-serving.yaml";

fn scratch(name: &str, text: &str) -> String {
    written("capacity", name, text)
}

#[test]
fn every_class_keeps_its_own_slo() {
    let report = sized(CLASSES, &[]);
    let p95 = |class: &str, latency: &str| {
        number(&report, &format!("inference.classes.{class}.{latency}.p95"))
    };
    assert!(p95("chat", "ttft_ms") <= 500.0 && p95("chat", "tpot_ms") <= 30.0);
    assert!(p95("summary", "ttft_ms") > p95("chat", "ttft_ms"));
    let stricter = "inference.traffic.classes.1.slo={ttft: {p95: 350 ms}}";
    if let Ok(strict) = tried(Way::Capacity, CLASSES, &[stricter]) {
        let rate = |it| number(it, "inference.replica.max_rate_per_s");
        assert!(rate(&strict) < rate(&report));
    }
    // The busiest hour of a working day / the mean hour of the week.
    let (hours, busiest) = (132.0 / 24.0, 10.0);
    let peak = 5e6 / 86_400.0 * busiest / hours * 7.0 / 6.0;
    close("peak", number(&report, "inference.fleet.peak_rate_per_s"), peak, 1e-6);
}

#[test]
fn a_router_that_looks_at_the_load_shortens_the_wait() {
    let wait = |router: &str| {
        let set = format!("inference.router={router}");
        let report = sized(CLASSES, &[&set]);
        number(&report, "inference.ttft_ms.p95")
    };
    assert!(wait("least-outstanding") < wait("random"));
    assert!(wait("round-robin") < wait("random"));
}

#[test]
fn recorded_requests_take_the_place_of_drawn_ones() {
    let line = |i: u32| {
        let (second, prompt, answer) = (i / 2, 200 + 37 * (i % 50), 20 + 13 * (i % 30));
        let stamp = format!("2023-11-16 18:{:02}:{:02}.5", 10 + second / 60, second % 60);
        format!("{stamp},{prompt},{answer}\n")
    };
    let lines: String = (0..200).map(line).collect();
    let trace = scratch("trace.csv", &format!("TIMESTAMP,ContextTokens,GeneratedTokens\n{lines}"));
    let plain = format!("inference.traffic={{trace: {trace}}}");
    let report = sized(FILE, &[&plain]);
    let at = |report: &Value, path: &str| number(report, path);
    // 200 requests in 99 seconds, and the assumed peak of twice the mean.
    let peak = at(&report, "inference.fleet.peak_rate_per_s");
    close("peak", peak, 2.0 * 199.0 / 99.0, 1e-9);
    let scaled = format!("inference.traffic={{trace: {trace}, requests: 40/s, peak_to_mean: 1}}");
    let more = sized(FILE, &[&scaled]);
    close("peak", at(&more, "inference.fleet.peak_rate_per_s"), 40.0, 1e-9);
    let rate = |report| at(report, "inference.replica.max_rate_per_s");
    // A router deals the same requests to more replicas.
    close("rate", rate(&more), rate(&report), 0.15);
}

#[test]
fn quantized_weights_are_those_of_a_narrow_precision() {
    let rate = |sets: &[&str]| {
        let report = sized(FILE, sets);
        number(&report, "inference.replica.max_rate_per_s")
    };
    let all = ["inference.parallelism.tensor=4", "inference.kv_precision=fp8"];
    let compressed = |compress: &str| {
        rate(&[all[0], all[1], "inference.precision=bf16", &format!("compress={compress}")])
    };
    let quantized = compressed("{quantization: fp8}");
    close("fp8", quantized, rate(&all), 0.03);
    let mlp = compressed("{quantization: {mlp: fp8}}");
    let plain = rate(&[all[0], all[1], "inference.precision=bf16"]);
    assert!(plain < mlp && mlp < quantized, "{plain} {mlp} {quantized}");
}

#[test]
fn a_fleet_that_follows_its_load_costs_less() {
    let report = sized(CLASSES, &[]);
    let always = sized(CLASSES, &["inference.autoscaling=null"]);
    let cost = |report: &Value| number(report, "tco.total_usd");
    let hours = report["inference"]["fleet"]["replicas_by_hour"].as_array().expect("hours");
    let replicas: Vec<f64> = hours.iter().map(|it| it.as_f64().expect("a number")).collect();
    let most = replicas.iter().copied().fold(0.0, f64::max);
    let mean = replicas.iter().sum::<f64>() / 168.0;
    assert!((most - number(&report, "inference.fleet.replicas")).abs() < 1e-9);
    let share = cost(&report) / cost(&always);
    // What starts ahead is paid for as well.
    assert!(
        share < 0.9 && share >= mean / most && share < 1.1 * mean / most,
        "{share} {mean} {most}"
    );
    let reserved = "inference.placement.purchase=reserved-1y";
    refuses(Way::Capacity, CLASSES, &[reserved], 2, "whether they run or not");
}

#[test]
fn odd_traffic_is_refused_with_its_reason() {
    let lengths = "input_tokens: {mean: 100}, output_tokens: {mean: 10}";
    let class = |name: &str, share: &str| format!("{{name: {name}, share: {share}, {lengths}}}");
    let head = "timestamp,input_tokens,output_tokens\n";
    let hole = scratch("hole.csv", &format!("{head}0,10,10\n1,,10\n"));
    let once = scratch("once.csv", &format!("{head}5,10,10\n5,20,20\n"));
    let million = scratch("million.csv", &format!("{head}0,4000000,10\n1,4000000,10\n"));
    let none = scratch("none.csv", &format!("{head}0,0,10\n"));
    for (traffic, code, part) in [
        ("{}".to_owned(), 2, "says no rate"),
        (format!("{{requests: 1/s, {lengths}, burstiness: 0}}"), 2, "between 0.05 and 20"),
        (format!("{{requests: 1/s, {lengths}, hours: [1, 2]}}"), 2, "hours has 2 numbers"),
        (format!("{{requests: 1/s, {lengths}, weekdays: [0, 0, 0, 0, 0, 0, 0]}}"), 2, "none above"),
        (
            format!("{{requests: 1/s, {lengths}, weekdays: [1,1,1,1,1,0,0], peak_to_mean: 2}}"),
            2,
            "say how high the peak is",
        ),
        (format!("{{requests: 1/s, {lengths}, trace: {once}}}"), 2, "has lengths of its own"),
        (format!("{{requests: 1/s, {lengths}, classes: [{}]}}", class("a", "100 %")), 2, "each of"),
        (format!("{{requests: 1/s, classes: [{}]}}", class("a", "90 %")), 2, "add up to 90.0 %"),
        (
            format!("{{requests: 1/s, classes: [{0}, {0}]}}", class("a", "50 %")),
            2,
            "two classes are called `a`",
        ),
        (format!("{{requests: 1/s, classes: [{}]}}", class("a.b", "100 %")), 2, "letters, digits"),
        (format!("{{trace: {hole}}}"), 2, "line 3: `input_tokens` is missing"),
        (format!("{{trace: {once}}}"), 2, "all requests of the trace came at once"),
        (format!("{{trace: {none}}}"), 2, "no request with tokens"),
        (format!("{{trace: {million}}}"), 1, "does not fit"),
        ("{trace: /nowhere/trace.csv}".to_owned(), 2, "/nowhere/trace.csv"),
    ] {
        let set = format!("inference.traffic={traffic}");
        refuses(Way::Capacity, FILE, &[&set], code, part);
    }
}

const EDGE: &str = "scenarios/resnet50-edge.yaml";

#[test]
fn a_network_without_tokens_is_sized_batch_by_batch() {
    let report = sized(EDGE, &[]);
    let at = |report: &Value, path: &str| number(report, &format!("inference.{path}"));
    assert!(at(&report, "e2e_ms.p95") <= 25.0 && at(&report, "replica.batch.most") <= 8.0);
    let (one, most) = (at(&report, "replica.batch_ms.one"), at(&report, "replica.batch_ms.most"));
    assert!(one < most && most < 8.0 * one, "weights are read once per batch: {one} {most}");
    // One request at a time and next to no load: a request takes what a batch of one does.
    let alone = ["inference.max_batch=1", "inference.traffic.requests=0.001/s"];
    let alone = sized(EDGE, &alone);
    close("alone", at(&alone, "e2e_ms.mean"), one, 1e-3);
    let rate = |sets: &[&str]| at(&sized(EDGE, sets), "replica.max_rate_per_s");
    assert!(rate(&["inference.max_batch=1"]) < rate(&[]));
    assert!(rate(&["inference.hardware.accelerator=jetson-agx-orin-64gb"]) > rate(&[]));
}

#[test]
fn slos_that_a_network_cannot_keep_are_refused() {
    for (file, set, code, part) in [
        (EDGE, "inference.slo={e2e: {p95: 1 ms}}", 1, "cannot be met at any load"),
        (EDGE, "inference.max_wait=1 h", 1, "cannot be met at any load"),
        (EDGE, "inference.slo={tpot: {p95: 50 ms}}", 2, "nothing is generated"),
        (EDGE, "inference.engine=vllm", 2, "generates tokens"),
        (FILE, "inference.max_wait=5 ms", 2, "does not wait for a batch"),
    ] {
        refuses(Way::Capacity, file, &[set], code, part);
    }
}
