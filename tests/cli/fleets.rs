//! `flopcast capacity --vary`: fleets side by side.

use serde_json::Value;

use crate::common::{flopcast, json, stdout};

const FILE: &str = "scenarios/llama-3-70b-serving.yaml";

fn arguments<'a>(vary: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["capacity", FILE, "--requests", "300", "--seeds", "1"];
    all.extend(vary.iter().flat_map(|vary| ["--vary", vary]));
    all.extend(more);
    all
}

const DEVICES: &str = "inference.hardware.accelerator=a100-sxm-80gb,h100-sxm";
const DEGREES: &str = "inference.parallelism.tensor=1,2,4";

#[test]
fn the_best_fleets_are_among_those_that_keep_the_slo() {
    let report = json(&arguments(&[DEVICES, DEGREES], &["--format", "json"]));
    let rows = report["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 6);
    let merit = |row: &Value, name: &str| row["first_year"][name].as_f64();
    for (best, name) in [("cheapest", "cost_usd"), ("greenest", "co2e_kg"), ("smallest", "devices")]
    {
        let at = report[best].as_u64().expect("a number") as usize;
        let least = merit(&rows[at], name).expect("known");
        assert!(rows.iter().filter_map(|row| merit(row, name)).all(|it| it >= least), "{best}");
        // What was not simulated cannot be better.
        let beaten = rows.iter().filter_map(|row| row["at_least"][name].as_f64());
        assert!(beaten.into_iter().all(|bound| bound > least), "{best}");
    }
    // 70 billion weights of a byte do not fit a device of 80 GB with a cache beside them.
    assert!(rows.iter().any(|row| row["infeasible"].is_string()));
}

#[test]
fn fleets_are_shown_within_80_columns_and_the_same_every_time() {
    let once = || stdout(&arguments(&[DEVICES, DEGREES], &[]));
    let text = once();
    assert_eq!(text, once());
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.contains("cheapest"), "{text}");
}

#[test]
fn what_cannot_be_compared_says_why() {
    for (vary, more, code, part) in [
        ("inference.slo={ttft: {p95: 1 ms}}", &[][..], 1, "none"),
        ("inference.max_batch=0", &[][..], 1, "from 1 to 65,536"),
    ] {
        let output = flopcast(&arguments(&[vary], more));
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert_eq!(output.status.code(), Some(code), "{vary}: {text}");
        assert!(text.contains(part), "{vary}: {text}");
    }
}

#[test]
fn the_best_ratio_of_engines_is_found() {
    let pools = [
        "--set",
        "inference.disaggregated={prefill: 1, decode: 1}",
        "--set",
        "inference.parallelism.tensor=2",
    ];
    let found = json(&arguments(
        &["inference.disaggregated.decode=1,2,4"],
        &[&pools[..], &["--format", "json"]].concat(),
    ));
    let rows = found["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 3);
    assert!(found["smallest"].is_number(), "{found}");
}
