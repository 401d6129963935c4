//! What the integration tests share: the process, files of a test's own, and numbers.
#![allow(dead_code, unreachable_pub, clippy::print_stdout)]

pub mod library;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A run whose device, number, place and price may be chosen.
pub const RUN: &str = "\
name: A run
model: {parameters: 7B}
data: {tokens: 100B}
training:
  precision: bf16
  sequence_length: 2048
  hardware: {accelerator: h100-sxm, count: 64}
  efficiency: {mfu: 0.4, convention: six_nd}
placement: {purchase: {price: 2 USD/device-h}, region: USA, start: 2027-01-01}
";

/// Options of simulated runs that are as short as may be, for what holds at any length.
pub const SHORT: [&str; 4] = ["--requests", "200", "--seeds", "1"];

/// The repository's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// The shipped scenarios, by name.
pub fn scenarios() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(root().join("scenarios")).expect("the scenarios");
    let mut paths: Vec<PathBuf> = folder.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
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

/// The JSON as one reads it back: the last digits of numbers may be lost.
pub fn printed(value: &Value) -> Value {
    serde_json::from_str(&value.to_string()).expect("JSON")
}

/// What it says where it must end with this exit code and print no answer.
pub fn refused(arguments: &[&str], code: i32) -> String {
    let output = flopcast(arguments);
    let message = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(code), "flopcast {}: {message}", arguments.join(" "));
    assert!(output.stdout.is_empty(), "flopcast {} prints on stdout", arguments.join(" "));
    message
}

/// Fails unless the text holds every part.
pub fn holds(what: &str, text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{what}: no `{part}` in:\n{text}");
    }
}

/// The number at a dotted path.
pub fn number(value: &Value, path: &str) -> f64 {
    let mut at = value;
    for key in path.split('.') {
        let inner = match key.parse::<usize>() {
            Ok(index) if at.is_array() => at.get(index),
            _ => at.get(key),
        };
        at = inner.unwrap_or_else(|| match at.as_object() {
            Some(map) => panic!("{path}: no `{key}` among {:?}", map.keys().collect::<Vec<_>>()),
            None => panic!("{path}: no `{key}` in {at}"),
        });
    }
    at.as_f64().unwrap_or_else(|| panic!("{path} is {at}"))
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

/// The path of a file of this text, in a folder that tests of one module share.
pub fn written(folder: &str, name: &str, text: impl AsRef<[u8]>) -> String {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder).join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder for the test");
    std::fs::write(&path, text).expect("a file");
    path.into_os_string().into_string().expect("UTF-8")
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

/// Runs a command and tells its output and, where the system says so, the most memory that it had
/// resident, in MiB.
pub fn peak(command: &mut Command) -> (Output, Option<u64>) {
    let piped = || std::process::Stdio::piped();
    let mut child = command.stdout(piped()).stderr(piped()).spawn().expect("the binary runs");
    let status = format!("/proc/{}/status", child.id());
    // Streams are read meanwhile, so that no pipe fills.
    let drain = |mut stream: Box<dyn std::io::Read + Send>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).expect("a stream");
            bytes
        })
    };
    let stdout = drain(Box::new(child.stdout.take().expect("a stream")));
    let stderr = drain(Box::new(child.stderr.take().expect("a stream")));
    let mut most = None;
    let status = loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        most = most.max(kib.map(|kib| kib >> 10));
        if let Some(status) = child.try_wait().expect("a state") {
            break status;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    };
    let [stdout, stderr] = [stdout, stderr].map(|stream| stream.join().expect("a stream"));
    (Output { status, stdout, stderr }, most)
}
