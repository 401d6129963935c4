//! The command line as a user meets it.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::common::{flopcast, json, number, root, stdout};

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cli").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

#[test]
fn init_writes_what_estimate_reads_and_overwrites_nothing() {
    let file = folder("init").join("flopcast.yaml");
    let file = file.to_str().expect("a UTF-8 path");
    stdout(&["init", file]);
    assert!(stdout(&["estimate", file]).contains("My first forecast"));
    let again = flopcast(&["init", file]);
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stderr).contains("exists already"));
    stdout(&["init", "--full", "--force", file]);
    assert!(stdout(&["validate", file]).contains("right"));
}

/// Names of all properties of a JSON Schema.
fn properties(schema: &Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Object(own)) = map.get("properties") {
                names.extend(own.keys().cloned());
            }
            map.values().for_each(|value| properties(value, names));
        }
        Value::Array(items) => items.iter().for_each(|item| properties(item, names)),
        _ => {}
    }
}

#[test]
fn the_full_scenario_names_every_key_of_the_schema() {
    let full = stdout(&["init", "--full", "-"]);
    let mut names = BTreeSet::new();
    properties(&json(&["schema"]), &mut names);
    assert!(names.len() > 50, "{}", names.len());
    let missing: Vec<_> = names.iter().filter(|name| !full.contains(&format!("{name}:"))).collect();
    // Parts of any quantity, described once.
    let parts = ["low", "mode", "high", "value", "source"];
    let missing: Vec<_> = missing.iter().filter(|name| !parts.contains(&name.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn one_forecast_in_four_forms() {
    let file = "scenarios/llama-65b.yaml";
    let forecast = json(&["estimate", file, "--format", "json"]);
    let hours = number(&forecast, "training.device_hours");
    let csv = stdout(&["estimate", file, "--format", "csv"]);
    let row = csv.lines().find(|line| line.contains(",training.device_hours,")).expect("the row");
    assert_eq!(row.rsplit(',').next().expect("a cell"), hours.to_string());
    assert!(
        stdout(&["estimate", file, "--format", "markdown"]).contains("| device-hours | 1,022,362")
    );
    assert!(stdout(&["estimate", file]).contains("1,022,362"));
    let two = json(&["estimate", file, "scenarios/bloom-176b.yaml", "--format", "json"]);
    assert_eq!(two.as_array().map(Vec::len), Some(2));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let once = || stdout(&["estimate", "scenarios/gpt3-175b.yaml", "--format", "json"]);
    assert_eq!(once(), once());
}

#[test]
fn unknown_is_null_with_a_warning() {
    let forecast = json(&["estimate", "scenarios/gpt3-175b.yaml", "--format", "json"]);
    assert!(forecast["training"]["co2e_kg"]["market"].is_null());
    assert!(forecast["training"]["co2e_kg"].as_object().expect("a map").contains_key("market"));
    let warnings = forecast["warnings"].to_string();
    assert!(warnings.contains("training.co2e_kg.market"), "{warnings}");
    // The embodied CO2e of an L4 is unknown, and so is every sum over it.
    let small = ["--set", "training.hardware={accelerator: l4, count: 8}"];
    let file = "scenarios/llama-65b.yaml";
    let small = json(&[&["estimate", file, "--format", "json"][..], &small].concat());
    assert!(small["tco"]["co2e_kg"]["embodied"].is_null());
    // A scenario without provider and price has no cost section.
    let unpriced = json(&["estimate", "scenarios/llama-65b.yaml", "--format", "json"]);
    assert!(unpriced["training"].get("cost_usd").is_none());
}

#[test]
fn what_is_left_out_is_announced() {
    let warnings = |set: &str| {
        json(&["estimate", "scenarios/llama-65b.yaml", "--format", "json", "--set", set])["warnings"]
            .to_string()
    };
    let owned = warnings("placement={provider: owned, region: FRA}");
    assert!(owned.contains("no purchase price of a100-sxm-80gb"), "{owned}");
    let hostless = warnings("training.hardware={accelerator: xeon-8480, count: 8}");
    assert!(hostless.contains("host power of xeon-8480 is unknown"), "{hostless}");
}

#[test]
fn set_overrides_and_auto_reads_as_left_out() {
    let file = "scenarios/llama-3.1-405b.yaml";
    let set = |assignment: &str| json(&["estimate", file, "--format", "json", "--set", assignment]);
    let half = number(&set("placement.grid=188 gCO2e/kWh"), "training.co2e_kg.location");
    let whole = number(&set("placement.grid=376 gCO2e/kWh"), "training.co2e_kg.location");
    assert!((whole / half - 2.0).abs() < 1e-12);
    let predicted = set("training.efficiency=auto");
    assert!(predicted["training"]["parallelism"].is_string());
    // Published: 38 to 43 % (arXiv:2407.21783, table 4).
    let mfu = number(&predicted, "training.mfu");
    assert!((0.33..0.48).contains(&mfu), "{mfu}");
}

#[test]
fn own_prices_lie_over_the_catalog() {
    let data = folder("overlay");
    let header = "provider,region,sku,accelerator,devices,basis,on_demand_usd_per_h,as_of\n";
    let row = "azure,eastus,our-contract,v100-sxm2-32gb,8,instance,8.00,2026-11-01\n";
    fs::write(data.join("prices.csv"), format!("{header}{row}")).expect("a price book");
    let arguments = ["estimate", "scenarios/gpt3-175b.yaml", "--format", "json", "--data-dir"];
    let own = json(&[&arguments[..], &[data.to_str().expect("a UTF-8 path")]].concat());
    let rent = number(&own, "training.cost_usd.total") / number(&own, "training.device_hours");
    assert!((rent - 1.0).abs() < 1e-9, "{rent} USD per device-hour");
}

#[test]
fn explain_names_the_nearest_figure() {
    let output = flopcast(&["explain", "scenarios/llama-65b.yaml", "training.device_hour"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("`training.device_hours`"));
    assert!(output.stdout.is_empty());
}

#[test]
fn a_run_that_does_not_fit_exits_with_1() {
    let arguments =
        ["estimate", "scenarios/llama-3.1-405b.yaml", "--set", "training.parallelism={tensor: 8}"];
    let output = flopcast(&arguments);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("does not fit"));
    let service = [
        "estimate",
        "scenarios/llama-3-70b-serving.yaml",
        "--set",
        "inference.parallelism={tensor: 1}",
        "--set",
        "inference.precision=bf16",
    ];
    let output = flopcast(&service);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("does not fit"));
}

#[test]
fn contradictions_of_a_layout_name_both_lines() {
    let file = "scenarios/llama-3.1-405b.yaml";
    for (layout, part) in [
        ("{tensor: 8, pipeline: 16, data: 100}", "16384"),
        ("{pipeline: 256}", "layers"),
        ("{tensor: 0}", "0"),
        ("{zero: 7}", "ZeRO"),
    ] {
        let output =
            flopcast(&["estimate", file, "--set", &format!("training.parallelism={layout}")]);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{layout}: {message}");
        assert!(
            message.contains(part) && message.contains("llama-3.1-405b.yaml:"),
            "{layout}: {message}"
        );
    }
    let long = flopcast(&["estimate", file, "--set", "training.sequence_length=10_000_000"]);
    assert_eq!(long.status.code(), Some(2));
}

#[test]
fn shells_and_readers_are_served() {
    assert!(stdout(&["completions", "bash"]).contains("flopcast"));
    assert!(stdout(&["man"]).contains(".TH"));
    assert!(stdout(&["--help"]).contains("estimate"));
}

#[test]
fn a_closed_pipe_is_quiet() {
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_flopcast"))
        .args(["catalog", "list", "prices"])
        .current_dir(root())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success());
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Derivations as deep as that of the whole, and the list of all figures.
#[test]
fn explanations_keep_to_80_columns() {
    for figure in [None, Some("tco.total_usd"), Some("tco.co2e_kg.location")] {
        let arguments = ["explain", "scenarios/gpt3-175b.yaml"].into_iter().chain(figure);
        let text = stdout(&arguments.collect::<Vec<_>>());
        for line in text.lines() {
            // Paths are not cut.
            let words = line.split(' ').filter(|word| word.chars().count() > 1).count();
            assert!(line.chars().count() <= 80 || words == 1, "{figure:?}: {line}");
        }
    }
}
