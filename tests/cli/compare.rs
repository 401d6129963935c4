//! Forecasts side by side.

use serde_json::Value;

use crate::common::{close, holds, json, number, refused, stdout, written};

const FILE: &str = "scenarios/llama-65b.yaml";

/// A saved forecast of a scenario with keys set.
fn saved(name: &str, set: &[&str]) -> String {
    let mut arguments = vec!["estimate", FILE, "--format", "json"];
    arguments.extend(set.iter().flat_map(|it| ["--set", *it]));
    written("compare", &format!("{name}.json"), stdout(&arguments))
}

fn compared(before: &str) -> Value {
    let it = json(&["compare", before, FILE, "--format", "json", "--by", "co2e,days"]);
    it["comparisons"][0].clone()
}

#[test]
fn nothing_differs_from_itself() {
    let it = compared(&saved("same", &[]));
    assert_eq!(it["lines"], Value::Array(Vec::new()));
    assert_eq!(it["inputs"], Value::Array(Vec::new()));
    assert!(stdout(&["compare", FILE, FILE]).contains("figures are the same"));
}

/// Energy is linear in power: the effect of the one input that differs is the whole difference.
#[test]
fn one_input_explains_it_all() {
    let it = compared(&saved("power", &["training.hardware.power=300 W"]));
    let inputs = it["inputs"].as_array().expect("inputs");
    assert_eq!(inputs.len(), 1, "{inputs:?}");
    assert_eq!(inputs[0]["after"]["name"], "training.hardware.power");
    let lines = it["lines"].as_array().expect("lines");
    let line = lines.iter().find(|line| line["figure"] == "training.co2e_kg.location");
    let difference = number(line.expect("the line"), "difference");
    close("effect", number(&inputs[0], "effects.co2e_kg"), difference, 1e-9);
    assert!(number(&inputs[0], "effects.days").abs() < 1e-12);
    let days = lines.iter().any(|line| line["figure"] == "training.wall_clock_days");
    assert!(!days, "power changes no time");
}

/// A scenario beside itself, as `--set` changes it.
#[test]
fn one_scenario_and_a_change() {
    let set = ["--set", "training.hardware.power=300 W"];
    let twice = stdout(&["compare", FILE, FILE, set[0], set[1]]);
    assert_eq!(stdout(&["compare", FILE, set[0], set[1]]), twice);
    let message = refused(&["compare", FILE], 2);
    holds("alone", &message, &["nothing to compare the scenario with", "--set"]);
}

/// What came and what went, what is unknown and what is absent.
#[test]
fn marks() {
    let priced = saved("priced", &["placement.purchase={price: 2 USD/device-h}"]);
    let lines = compared(&priced)["lines"].as_array().expect("lines").clone();
    let line = |path: &str| lines.iter().find(|line| line["figure"] == path).cloned();
    let cost = line("training.cost_usd.total").expect("the cost is gone");
    assert_eq!((cost["mark"].as_str(), cost.get("after")), (Some("-"), None));
    let total = line("tco.total_usd").expect("the total is unknown");
    assert_eq!((total["mark"].as_str(), &total["after"]), (Some("~"), &Value::Null));
    let table = stdout(&["compare", &priced, FILE]);
    assert!(table.contains("unknown"), "{table}");
}

/// Direct figures lack the upstream that life-cycle figures contain.
#[test]
fn carbon_of_different_bases_is_not_compared() {
    let direct = saved("direct", &["placement.grid_basis=direct"]);
    let errors = refused(&["compare", &direct, FILE], 2);
    holds("direct", &errors, &["direct basis does not compare with life-cycle"]);
}

#[test]
fn a_terminal_has_80_columns() {
    let table = stdout(&["diff", "scenarios/gpt3-175b.yaml", "scenarios/bloom-176b.yaml", FILE]);
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    assert!(table.contains("inference: ") && table.contains("placement.grid"), "{table}");
}

#[test]
fn what_is_no_forecast() {
    let cases = [
        ("{", "no JSON"),
        ("{}", "no `schema`"),
        (r#"{"schema": "flopcast.sweep/1"}"#, "not a forecast"),
        ("[]", "does not hold one forecast"),
    ];
    for (text, expected) in cases {
        let path = written("compare", "no-forecast.json", text);
        holds(text, &refused(&["compare", &path, FILE], 2), &[expected]);
    }
}
