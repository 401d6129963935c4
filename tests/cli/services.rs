//! A file of several services, as a user meets it: the calls of a request, the regions that share the
//! requests.

use crate::common::{close, flopcast, holds, json, number, refused, stdout, written};

/// Two regions by means in closed form: their fleets need no simulation.
const REGIONS: &str = "\
name: Chat on two continents
model: llama-3.1-8b
inference:
  placement:
    - {share: 60 %, provider: aws, region: us-east-2, utc_offset: -5}
    - {share: 40 %, provider: aws, region: eu-north-1, utc_offset: 7}
  traffic:
    requests: 20M/day
    input_tokens: {mean: 1000, p95: 3000}
    output_tokens: {mean: 250, p95: 600}
    peak_to_mean: 2
  hardware: {accelerator: h100-sxm}
  parallelism: {tensor: 1}
  precision: fp8
finance: {horizon: 1 year}
";

/// A request that looks things up, then asks one model twice and another once.
const CALLS: &str = "\
name: An agent
model: llama-3.1-8b
services:
  embed: {model: bge-base-en-v1.5, inference: {hardware: {accelerator: t4}, precision: fp16}}
inference:
  placement: {provider: aws, region: us-east-2}
  traffic: {requests: 2M/day, peak_to_mean: 2}
  calls:
    - {name: embed, service: embed, input_tokens: {mean: 64}, parallel: 3}
    - {name: plan, input_tokens: {mean: 500}, output_tokens: {mean: 50}, times: 2}
    - {name: answer, input_tokens: {mean: 900}, output_tokens: {mean: 200}}
  slo: {e2e: {p95: 30 s}}
  hardware: {accelerator: h100-sxm}
  parallelism: {tensor: 1}
  precision: fp8
finance: {horizon: 1 year}
";

const FAST: [&str; 4] = ["--requests", "600", "--seeds", "1"];

#[test]
fn regions_add_up_and_each_is_what_its_own_file_says() {
    let file = written("services", "regions.yaml", REGIONS);
    let whole = json(&["estimate", &file, "--format", "json"]);
    let parts = &whole["parts"];
    for key in ["inference.fleet.devices", "tco.total_usd", "tco.energy_kwh"] {
        let sum = ["us-east-2", "eu-north-1"].map(|it| number(&parts[it], key));
        close(key, number(&whole, key), sum[0] + sum[1], 1e-9);
    }
    let own = REGIONS
        .replace("    - {share: 60 %, provider: aws, region: us-east-2, utc_offset: -5}\n", "")
        .replace("    - {share: 40 %, provider: aws, region: eu-north-1, utc_offset: 7}\n", "")
        .replace("placement:\n", "placement: {provider: aws, region: eu-north-1}\n")
        .replace("20M/day", "8M/day");
    let own = json(&["estimate", &written("services", "own.yaml", own), "--format", "json"]);
    for key in ["inference.fleet.devices", "tco.total_usd", "tco.co2e_kg.location"] {
        close(key, number(&parts["eu-north-1"], key), number(&own, key), 1e-9);
    }
    // A request costs what its share of each region costs.
    let each = |it: &str| number(&parts[it], "inference.per_query.serving_usd");
    let expected = 0.6 * each("us-east-2") + 0.4 * each("eu-north-1");
    close("a request", number(&whole, "inference.per_query.serving_usd"), expected, 1e-9);
    let why = stdout(&["explain", &file, "tco.total_usd"]);
    holds("explain", &why, &["parts.us-east-2.tco.total_usd", "+ parts.eu-north-1.tco.total_usd"]);
    let policy = "limits:\n  - {figure: parts.eu-north-1.tco.total_usd, max: 1 USD}\n";
    let policy = written("services", "policy.yaml", policy);
    let broken = flopcast(&["check", &file, "--policy", &policy]);
    assert_eq!(broken.status.code(), Some(1), "{}", String::from_utf8_lossy(&broken.stderr));
}

/// Tables of several places: no wider than a page, and a column for each year, not for each place.
#[test]
fn the_parts_stand_in_tables_that_can_be_read() {
    let places =
        REGIONS.replace("input_tokens: {mean: 1000, p95: 3000}", "input_tokens: {mean: 1000}");
    let file = written("services", "tables.yaml", places);
    let text = stdout(&["estimate", &file]);
    let table = text.lines().skip_while(|line| !line.starts_with("Services and regions")).take(6);
    let widest = table.map(|line| line.chars().count()).max().unwrap_or_default();
    assert!((60..80).contains(&widest), "{widest}\n{text}");
    let to = file.replace(".yaml", ".ghg.md");
    stdout(&["report", &file, "-o", &to, "--force"]);
    let statement = std::fs::read_to_string(&to).expect("a statement");
    let heads = statement.lines().filter(|line| line.contains("year 1"));
    let heads: Vec<_> = heads.map(|line| line.matches("year 1").count()).collect();
    assert_eq!(heads, [1, 1], "{statement}");
}

/// A region without a price is not free: what the whole costs is unknown, and keeps no limit.
#[test]
fn a_region_without_a_price_leaves_the_whole_unknown() {
    let text = REGIONS.replace("provider: aws, region: eu-north-1", "region: DEU");
    let file = written("services", "unpriced.yaml", text);
    let whole = json(&["estimate", &file, "--format", "json"]);
    for key in ["/tco/total_usd", "/inference/cost_usd/total", "/inference/per_query/serving_usd"] {
        let of = |root: &str| whole.pointer(&format!("{root}{key}")).cloned().unwrap_or_default();
        assert!(of("").is_null(), "{key}: {}", of(""));
        assert!(of("/parts/us-east-2").is_number() && of("/parts/DEU").is_null(), "{key}");
    }
    let policy = "limits:\n  - {figure: inference.per_query.serving_usd, max: 1 USD/request}\n";
    let policy = written("services", "unpriced-policy.yaml", policy);
    let kept = flopcast(&["check", &file, "--policy", &policy]);
    assert_ne!(kept.status.code(), Some(0), "{}", String::from_utf8_lossy(&kept.stdout));
}

#[test]
fn regions_that_answer_each_other_take_fewer_devices() {
    let devices = |more: &str| {
        let text =
            REGIONS.replace("    peak_to_mean: 2\n", &format!("    peak_to_mean: 2\n{more}"));
        let file = written("services", &format!("sun{}.yaml", more.len()), text);
        number(&json(&["estimate", &file, "--format", "json"]), "inference.fleet.devices")
    };
    let (apart, together) = (devices(""), devices("    follow_the_sun: true\n"));
    assert!(together < 0.7 * apart, "{together} {apart}");
}

#[test]
fn calls_make_fleets_and_the_time_of_a_request() {
    let file = written("services", "calls.yaml", CALLS);
    let arguments = [&["capacity", &*file, "--format", "json"][..], &FAST].concat();
    let whole = json(&arguments);
    let (embed, main) = (&whole["parts"]["embed"], &whole["parts"]["main"]);
    // 3 embeddings, 2 plans and an answer of each request.
    let peak = number(&whole, "inference.fleet.peak_rate_per_s");
    close("embeddings", number(embed, "inference.fleet.peak_rate_per_s"), 3.0 * peak, 1e-9);
    close("answers", number(main, "inference.fleet.peak_rate_per_s"), 3.0 * peak, 1e-9);
    let mean = |part: &serde_json::Value, key: &str| number(part, &format!("inference.{key}"));
    let row =
        2.0 * mean(main, "classes.plan.e2e_ms.mean") + mean(main, "classes.answer.e2e_ms.mean");
    let request = mean(&whole, "e2e_ms.mean");
    let embedded = mean(embed, "e2e_ms.mean");
    assert!(request > row + embedded && request < 1.1 * (row + 3.0 * embedded), "{request} {row}");
    assert!(mean(&whole, "e2e_ms.p95") > request);
    assert!(mean(&whole, "ttft_ms.mean") < request);
    let table = stdout(&[&["capacity", &*file][..], &FAST].concat());
    holds("table", &table, &["embed", "main", "together", "whole request"]);
    // Faster layouts than the one of the fewest devices are tried, if the file names none.
    let quick = CALLS.replace("30 s", "3 s").replace("  parallelism: {tensor: 1}\n", "");
    let quick = json(
        &[&["estimate", &*written("services", "quick.yaml", quick), "--format", "json"][..], &FAST]
            .concat(),
    );
    let [slowest, devices] =
        ["e2e_ms.p95", "fleet.devices"].map(|it| number(&quick, &format!("inference.{it}")));
    assert!(slowest <= 3000.0 && devices < 60.0, "{slowest} ms, {devices} devices");
    // A bound that no fleet keeps is said, with exit code 1.
    let tight = written("services", "tight.yaml", CALLS.replace("30 s", "50 ms"));
    let said = flopcast(&[&["estimate", &*tight][..], &FAST].concat());
    assert_eq!(said.status.code(), Some(1));
    holds(
        "tight",
        &String::from_utf8_lossy(&said.stdout),
        &["no fleet keeps the SLO of the whole"],
    );
}

#[test]
fn what_does_not_go_together_is_said_with_its_place() {
    let check = |name: &str, text: &str, (from, to): (&str, &str), parts: &[&str]| {
        assert!(text.contains(from), "{from}");
        let file = written("services", &format!("bad-{name}.yaml"), text.replacen(from, to, 1));
        holds(name, &refused(&["estimate", &file], 2), parts);
    };
    let calls =
        |name: &str, change: (&str, &str), parts: &[&str]| check(name, CALLS, change, parts);
    let regions =
        |name: &str, change: (&str, &str), parts: &[&str]| check(name, REGIONS, change, parts);
    calls(
        "circle",
        ("parallel: 3", "after: [answer]"),
        &["embed -> answer -> plan -> embed", ":9:"],
    );
    calls(
        "service",
        ("service: embed", "service: embde"),
        &["no call is of the service `embed`", ":4:"],
    );
    calls("after", ("times: 2", "after: [embde]"), &["no call `embde`", ":10:", "`embed`"]);
    calls("twice", ("name: answer", "name: plan"), &["two calls are named `plan`", ":11:"]);
    calls("none", ("times: 2", "times: 0"), &["0 is not from 1 to 1000", ":10:"]);
    calls(
        "classes",
        ("peak_to_mean: 2", "trace: x.csv"),
        &["`trace` does not go with calls", ":7:"],
    );
    calls(
        "tpot",
        ("e2e: {p95: 30 s}", "tpot: {p95: 30 ms}"),
        &["no time per output token", ":12:"],
    );
    calls("model", ("bge-base-en-v1.5", "bge-bse-en-v1.5"), &["no model `bge-bse-en-v1.5`", ":4:"]);
    calls("key", ("times: 2", "tiems: 2"), &["unknown key `tiems`", ":10:"]);
    calls(
        "train",
        ("services:", "training: {precision: bf16}\nservices:"),
        &["has no training", ":3:"],
    );
    regions("sum", ("60 %", "50 %"), &["90 % in all", ":5:"]);
    regions("share", ("share: 60 %, ", ""), &["says its share", ":5:", "share: 40 %"]);
    regions(
        "staff",
        ("inference:\n", "inference:\n  costs: {staff: {fte: 2..4, cost: 100k USD/year}}\n"),
        &["staff of several regions is one plain number", "fte: 5"],
    );
    regions("clock", ("utc_offset: -5", "utc_offset: 25"), &["25 hours ahead of UTC", ":5:"]);
    regions(
        "place",
        ("aws, region: eu-north", "awz, region: eu-north"),
        &["no provider `awz`", ":6:"],
    );
    let file = written("services", "sweep.yaml", REGIONS);
    let swept = ["sweep", &file, "--vary", "inference.precision=fp8,bf16"];
    holds("sweep", &refused(&swept, 2), &["the file has several", ":5:"]);
}
