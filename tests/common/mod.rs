//! What the integration tests share.
#![allow(dead_code, unreachable_pub)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Runs the binary in the repository's root, free of the caller's environment.
pub fn flopcast(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flopcast"))
        .args(arguments)
        .current_dir(root())
        .env_remove("FLOPCAST_DATA")
        .output()
        .expect("the binary runs")
}

/// Its standard output, where it must succeed.
pub fn stdout(arguments: &[&str]) -> String {
    let output = flopcast(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "flopcast {}: {errors}", arguments.join(" "));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Its standard output as JSON.
pub fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&stdout(arguments)).expect("JSON")
}

/// The number at a dotted path.
pub fn number(value: &Value, path: &str) -> f64 {
    let found = path.split('.').fold(value, |value, key| match key.parse::<usize>() {
        Ok(index) if value.is_array() => &value[index],
        _ => &value[key],
    });
    found.as_f64().unwrap_or_else(|| panic!("{path} is {found}"))
}

/// Fails unless the values are within a relative tolerance.
pub fn close(what: &str, actual: f64, expected: f64, tolerance: f64) {
    let error = (actual - expected).abs() / expected.abs();
    assert!(error <= tolerance, "{what}: {actual} is {:.3} % off {expected}", 100.0 * error);
}
