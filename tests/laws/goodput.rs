//! What failures, checkpoints and restarts cost a run.

use serde_json::Value;

use crate::common::library::{Way, answer, resolved};
use crate::common::{close, number};

/// A run of this reliability on 1,024 devices, of so many tokens.
fn run(reliability: &str, tokens: &str) -> Value {
    let text = format!(
        "name: a\nmodel: llama-3.1-8b\ndata: {{tokens: {tokens}}}\ntraining:\n  sequence_length: \
         8192\n  global_batch: 4M tokens\n  hardware: {{accelerator: H100, count: 1024}}\n  \
         reliability: {{{reliability}}}\n"
    );
    let scenario = resolved(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    answer(Way::Estimate, &scenario).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Time and energy do not fall as failures, stalls or restarts rise.
#[test]
fn the_less_reliable_the_more_a_run_takes() {
    let base = [
        ("failures_per_1000_devices_day", "5"),
        ("checkpoint_stall", "40 s"),
        ("restart", "10 min"),
    ];
    let rising: [&[&str]; 3] = [
        &["0", "0.1", "0.5", "2", "10", "20"],
        &["0 s", "1 s", "10 s", "40 s", "2 min", "10 min", "1 h"],
        &["0 s", "10 min", "30 min", "1 h", "2 h", "4 h"],
    ];
    for (which, values) in rising.iter().enumerate() {
        for tokens in ["15T", "20B"] {
            let runs = values.iter().map(|value| {
                let of = |(i, (key, usual)): (usize, (&str, &str))| {
                    format!("{key}: {}", if i == which { value } else { usual })
                };
                run(&base.into_iter().enumerate().map(of).collect::<Vec<_>>().join(", "), tokens)
            });
            let runs: Vec<Value> = runs.collect();
            for path in ["training.device_hours", "training.energy_kwh.it"] {
                let all: Vec<f64> = runs.iter().map(|run| number(run, path)).collect();
                let rises = all.windows(2).all(|pair| pair[1] >= pair[0] * (1.0 - 1e-9));
                assert!(rises, "{path} of {tokens} tokens by {}: {all:?}", base[which].0);
            }
        }
    }
}

/// Nothing fails and checkpoints are free: nothing is lost beside what any run loses.
#[test]
fn an_ideal_run_loses_nothing() {
    let none = "evaluation: 0 %, setbacks: 0 %, warm_up: 0 s";
    let ideal = format!("failures_per_1000_devices_day: 0, checkpoint_stall: 0 s, {none}");
    close("goodput", number(&run(&ideal, "15T"), "training.goodput"), 1.0, 1e-12);
}

/// Checkpoints that are due after the end of a run leave it alone; in a long run that never gets from
/// one to the next, the error says how often they would have to be.
#[test]
fn rare_checkpoints_are_told() {
    let rare = "checkpoint_interval: 30 days";
    assert!(number(&run(rare, "100B"), "training.goodput") > 0.5);
    let text = "name: a\nmodel: llama-3.1-8b\ndata: {tokens: 150T}\ntraining:\n  hardware: \
                {accelerator: H100, count: 1024}\n  reliability: {checkpoint_interval: 30 days}\n";
    let error = resolved(text).and_then(|it| answer(Way::Estimate, &it)).expect_err("too rare");
    let said = error.to_string();
    assert!(said.contains("more often: about every 1") && said.contains("test.yaml:6"), "{said}");
}
