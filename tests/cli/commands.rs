//! The command line as a user meets it.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::common::library::{Way, asked};
use crate::common::{
    SHORT, flopcast, holds, json, number, printed, refused, root, scenarios, scratch, stdout,
};

#[test]
fn init_writes_what_estimate_reads_and_overwrites_nothing() {
    let file = scratch("init").join("flopcast.yaml");
    let file = file.to_str().expect("a UTF-8 path");
    stdout(&["init", file]);
    assert!(stdout(&["estimate", file]).contains("My first forecast"));
    holds("again", &refused(&["init", file], 2), &["exists already"]);
    stdout(&["init", "--full", "--force", file]);
    assert!(stdout(&["validate", file]).contains("right"));
}

/// Every line of the first screen runs as it stands beside a job file of its name.
#[test]
fn the_first_screen_is_of_commands_that_run() {
    let screen = String::from_utf8(flopcast(&[]).stderr).expect("UTF-8");
    let folder = scratch("first");
    fs::copy(root().join("tests/data/jobs/slurm-short.sbatch"), folder.join("train.sbatch"))
        .expect("a job");
    let (mut ran, mut named) = (0, 0);
    for line in screen.lines().filter_map(|line| line.strip_prefix("  ")) {
        if let Some(command) = line.strip_prefix("flopcast ") {
            let words = command.split("  ").next().unwrap_or_default().split(' ');
            let output = Command::new(env!("CARGO_BIN_EXE_flopcast"))
                .args(words)
                .current_dir(&folder)
                .output()
                .expect("the binary runs");
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(
                !output.stdout.is_empty() && output.status.code() != Some(2),
                "{line}: {errors}"
            );
            ran += 1;
        } else {
            // Two commands with what they do stand on a line.
            let words = [0, 42].map(|at| line.get(at..).and_then(|it| it.split(' ').next()));
            for word in words.into_iter().flatten().filter(|word| !word.is_empty()) {
                assert!(flopcast(&[word, "--help"]).status.success(), "{word}: {line}");
                named += 1;
            }
        }
    }
    assert!(ran >= 4 && named >= 8, "{screen}");
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
    assert_eq!(forecast, printed(&asked(Way::Estimate, file, &[])), "the library says so too");
    let hours = number(&forecast, "training.device_hours");
    let csv = stdout(&["estimate", file, "--format", "csv"]);
    let row = csv.lines().find(|line| line.contains(",training.device_hours,")).expect("the row");
    assert_eq!(row.rsplit(',').next().expect("a cell"), hours.to_string());
    assert!(
        stdout(&["estimate", file, "--format", "markdown"]).contains("| device-hours | 1,022,362")
    );
    assert!(stdout(&["estimate", "--full", file]).contains("1,022,362"));
    let two = json(&["estimate", file, "scenarios/bloom-176b.yaml", "--format", "json"]);
    assert_eq!(two.as_array().map(Vec::len), Some(2));
}

#[test]
fn every_scenario_is_forecast() {
    let files: Vec<String> = scenarios().iter().map(|path| path.display().to_string()).collect();
    let arguments = ["estimate", "--format", "json"].into_iter().chain(SHORT);
    let arguments: Vec<&str> = arguments.chain(files.iter().map(String::as_str)).collect();
    let forecasts = json(&arguments);
    let forecasts = forecasts.as_array().expect("forecasts");
    assert!(forecasts.len() == files.len() && files.len() >= 9);
    for (file, forecast) in files.iter().zip(forecasts) {
        assert_eq!(forecast["schema"], "flopcast.estimate/1", "{file}");
        assert!(forecast["tco"]["horizon_years"].is_number(), "{file}");
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let once = || stdout(&["estimate", "scenarios/gpt3-175b.yaml", "--format", "json"]);
    assert_eq!(once(), once());
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
    let data = scratch("overlay");
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
    let message = refused(&["explain", "scenarios/llama-65b.yaml", "training.device_hour"], 2);
    holds("near", &message, &["`training.device_hours`"]);
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
    holds("service", &refused(&service, 1), &["does not fit"]);
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
        let set = format!("training.parallelism={layout}");
        let message = refused(&["estimate", file, "--set", &set], 2);
        holds(layout, &message, &[part, "llama-3.1-405b.yaml:"]);
    }
    // A context beyond the model's own is told, not refused.
    let longer = stdout(&["estimate", "--full", file, "--set", "training.sequence_length=262_144"]);
    holds("longer", &longer, &["than the 131072"]);
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
            // Paths are not cut; the branches of the tree are no words.
            let said = |word: &&str| word.chars().any(char::is_alphanumeric);
            let words = line.split(' ').filter(said).count();
            assert!(line.chars().count() <= 80 || words == 1, "{figure:?}: {line}");
        }
    }
}

#[test]
fn a_seed_gives_the_same_ranges() {
    let ranges = |seed| {
        let set = ["estimate", "scenarios/llama-65b.yaml", "--set", "placement.pue=1.05..1.3"];
        stdout(&[&set[..], &["--samples", "300", "--no-model-error", "--seed", seed]].concat())
    };
    assert_eq!(ranges("7"), ranges("7"));
    assert_ne!(ranges("7"), ranges("8"));
}

#[test]
fn a_window_is_a_key_of_the_scenario() {
    let file = ["estimate", "--full", "scenarios/carbon-london.yaml"];
    let option = stdout(&[&file[..], &["--window", "2 h"]].concat());
    let key = stdout(&[&file[..], &["--set", "placement.start_window=2 h"]].concat());
    assert_eq!(option, key);
    assert_ne!(option, stdout(&file));
}

/// The first screen of every shipped scenario fits 80 x 24 with the prompt below it, and `--full`
/// says the rest.
#[test]
fn the_first_screen_fits_a_terminal() {
    for path in scenarios() {
        let file = path.display().to_string();
        let screen = stdout(&["estimate", &file]);
        assert!(screen.lines().count() < 24, "{file}: {} lines", screen.lines().count());
        let widest = screen.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(80), "{file}: {widest:?} columns");
        holds(&file, &screen, &["--full: ", "inputs ("]);
        let full = stdout(&[&["estimate", "--full", &file][..], &SHORT].concat());
        assert!(full.lines().count() > screen.lines().count(), "{file}");
        holds(&file, &full, &["Inputs\n"]);
    }
}

/// Into a pipe only what `--color always` asks for is coloured: the title, and the word of a note.
#[test]
fn colours_are_for_terminals_and_for_who_asks() {
    let file = "scenarios/gpt3-175b.yaml";
    let said = |asked: &[&str]| {
        let mut args = vec!["estimate", file, "--set", "gpus=8192"];
        args.extend(asked);
        let output = flopcast(&args);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (text(output.stdout), text(output.stderr))
    };
    for asked in [&[][..], &["--color", "never"]] {
        let (out, notes) = said(asked);
        assert!(notes.contains("note:") && !(out + &notes).contains('\u{1b}'), "{asked:?}");
    }
    let (out, notes) = said(&["--color", "always"]);
    assert!(out.starts_with("\u{1b}[1m"), "{out}");
    assert!(notes.contains("\u{1b}[1mnote:\u{1b}[0m"), "{notes}");
    let (json, _) = said(&["--color", "always", "--format", "json"]);
    assert!(!json.contains('\u{1b}'), "a format for programs has no colours");
}
