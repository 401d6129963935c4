//! What the integration tests share.
#![allow(dead_code, unreachable_pub, clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use flopcast::catalog::Catalog;
use flopcast::diagnostic::{Error, Result};
use flopcast::estimate::plan::Scenario;
use flopcast::estimate::{Estimate, estimate};
use flopcast::scenario::{Files, document, reader, resolve};
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
        .env("FLOPCAST_CACHE", root().join("target/no-cache"))
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

/// An empty folder of a test's own.
pub fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    folder
}

/// The first of these programs that is installed. Without one the test is left out, and says so;
/// on CI, which installs them (`.ci/tools`), that is a failure.
pub fn tool(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let found = names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|program| program.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{} is not installed", names.join(" or "));
        println!("left out: {} is not installed; `.ci/tools` installs it", names.join(" or "));
    }
    found
}

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>> {
        Err(Error::input(format!("{path} is not read here")))
    }
}

/// One catalog for all cases: its tables are read once.
pub static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::embedded);

/// A scenario of this text.
pub fn resolved(text: &str) -> Result<Scenario> {
    let node = document::parse("random.yaml", text.as_bytes())?;
    resolve(&reader::read(&node)?, &CATALOG, &NoFiles)
}

/// What it takes, with derivations.
pub fn forecast(text: &str) -> Estimate {
    let scenario = resolved(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    estimate(&scenario, &CATALOG, true).unwrap_or_else(|error| panic!("{error}\n{text}"))
}
