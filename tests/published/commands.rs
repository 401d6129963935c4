//! Commands on files as people have them: `tests/data/files/commands.csv`, one figure a line with its
//! source.

use serde_json::Value;

use crate::common::{close, number, root};

/// The JSON that a command prints where it runs beside the files.
fn answer(command: &str) -> Value {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_flopcast"))
        .args(command.split(' '))
        .args(["--format", "json"])
        .current_dir(root().join("tests/data/files"))
        .env_remove("FLOPCAST_DATA")
        .output()
        .expect("the binary runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "flopcast {command}: {errors}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn commands_print_the_published_figures() {
    let text = include_str!("../data/files/commands.csv");
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let mut checked = 0;
    for row in rows.records() {
        let row = row.expect("a row");
        let number_of = |column: usize| -> f64 { row[column].parse().expect("a number") };
        close(&row[0], number(&answer(&row[0]), &row[1]), number_of(2), number_of(3));
        checked += 1;
    }
    assert!(checked >= 19, "{checked}");
}

/// A hint can be followed: int4 serves where int4 has no peak of its own.
#[test]
fn a_hint_leads_to_an_answer() {
    let narrow = ["--set", "inference.parallelism.tensor=1", "--set", "inference.precision=int4"];
    let command = [&["capacity", "scenarios/llama-3-70b-serving.yaml"][..], &narrow].concat();
    let error = crate::common::refused(&command, 1);
    assert!(error.contains("127 requests at once"), "{error}");
    assert!(!error.contains("has no int4 peak"), "{error}");
    // With the time that it asks for, the fleet is found.
    let relaxed = [&command[..], &["--full", "--set", "inference.slo.ttft.p95=2 s"]].concat();
    let answer = crate::common::stdout(&relaxed);
    assert!(answer.contains("127"), "{answer}");
}
