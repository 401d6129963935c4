//! Policies: limits, baselines, and the script of the GitHub Action in a repository of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::common::{flopcast, holds, json, refused, root, scratch, stdout};

const SCENARIO: &str = "scenarios/llama-65b.yaml";

fn folder(name: &str) -> PathBuf {
    scratch(&format!("check-{name}"))
}

fn file(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).expect("a file");
    path.to_str().expect("a UTF-8 path").to_owned()
}

fn outcomes(checked: &Value) -> Vec<String> {
    let verdicts = checked["scenarios"][0]["verdicts"].as_array().expect("verdicts");
    verdicts.iter().map(|it| it["outcome"].as_str().expect("a word").to_owned()).collect()
}

/// Llama 65B took 1,022,362 device-hours (arXiv:2302.13971, table 15).
#[test]
fn limits_hold_or_not() {
    let cases = [
        ("{figure: training.device_hours, max: 1.1M}", "kept", 0),
        ("{figure: training.device_hours, max: 1M device-h}", "broken", 1),
        ("{figure: training.device_hours, max: 1M, level: warn}", "broken", 0),
        ("{figure: training.mfu, min: 30 %}", "kept", 0),
        ("{figure: energy, max: 100 MWh}", "broken", 1),
        ("{figure: energy, max: 1 GWh}", "kept", 0),
        // No price is named: the cost is unknown, and nobody can tell.
        ("{figure: cost, max: 1T USD}", "unknown", 1),
        ("{figure: cost, max: 1T USD, level: warn}", "unknown", 0),
        // There is nothing to compare with, and no service.
        ("{figure: energy, max_increase: 1 %}", "no_baseline", 0),
        ("{figure: inference.fleet.devices, max: 8}", "not_computed", 0),
        // Without ranges, the value is its own percentile.
        ("{figure: energy, at: p95, max: 1 GWh}", "kept", 0),
    ];
    let folder = folder("limits");
    for (limit, outcome, code) in cases {
        let policy = file(&folder, "policy.yaml", &format!("limits:\n  - {limit}\n"));
        let output = flopcast(&["check", SCENARIO, "--policy", &policy, "--format", "json"]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{limit}: {errors}");
        let checked: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(outcomes(&checked), [outcome], "{limit}");
        assert_eq!(checked["fails"], Value::Bool(code == 1), "{limit}");
    }
}

#[test]
fn percentiles_and_baselines() {
    let folder = folder("baseline");
    let power = |watts: &str| format!("training.hardware.power={watts}");
    let base = stdout(&["estimate", SCENARIO, "--format", "json", "--set", &power("400 W")]);
    let base = file(&folder, "base.json", &base);
    let cases = [
        ("400 W", "{figure: energy, max_increase: 0 %}", "kept"),
        ("440 W", "{figure: energy, max_increase: 9 %}", "broken"),
        ("440 W", "{figure: energy, max_increase: 11 %}", "kept"),
        ("440 W", "{figure: energy, max_increase: 10 MWh}", "broken"),
        ("360 W", "{figure: energy, max_decrease: 5 %}", "broken"),
        ("300..500 W", "{figure: energy, at: p50, max_increase: 1 %}", "kept"),
        ("300..500 W", "{figure: energy, at: p95, max_increase: 1 %}", "broken"),
    ];
    for (watts, limit, outcome) in cases {
        let policy = file(&folder, "policy.yaml", &format!("limits: [{limit}]\n"));
        let set = power(watts);
        let arguments =
            ["check", SCENARIO, "--policy", &policy, "--baseline", &base, "--set", &set];
        let output = flopcast(&[&arguments[..], &["--format", "json"]].concat());
        let checked: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(outcomes(&checked), [outcome], "{watts}, {limit}");
    }
}

#[test]
fn what_nobody_may_assume() {
    let folder = folder("assumed");
    let strict = file(&folder, "strict.yaml", "not_assumed: [training.experiments, placement.*]\n");
    let output = flopcast(&["check", SCENARIO, "--policy", &strict]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("training.experiments"));
    let given = ["--set", "training.experiments=0"];
    let output = flopcast(&[&["check", SCENARIO, "--policy", &strict][..], &given].concat());
    assert_eq!(output.status.code(), Some(0));

    let estimate = ["estimate", SCENARIO, "--strict"];
    let output = flopcast(&[&estimate[..], &["--policy", &strict]].concat());
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("training.experiments"), "{errors}");
    let output = flopcast(&[&estimate[..], &["--policy", &strict], &given].concat());
    assert_eq!(output.status.code(), Some(0));
    // Without a policy nothing may be assumed.
    assert_eq!(flopcast(&estimate).status.code(), Some(1));
}

#[test]
fn policies_that_make_no_sense() {
    let folder = folder("bad");
    let cases = [
        ("limits: [{figure: cost}]", "no bound"),
        ("limits: [{figure: training.mfuu, max: 1}]", "did you mean `training.mfu`"),
        ("limits: [{figure: energy, max: 5 USD}]", "`USD` does not fit here"),
        ("limits: [{figure: energy, max: lots}]", "number"),
        ("limits: [{figure: energy, max: 1, at: p97}]", "p95"),
        ("limits: [{figure: energy, maximum: 1}]", "unknown key `maximum`"),
        ("limit: []", "unknown key `limit`"),
        ("", "is empty"),
    ];
    for (text, expected) in cases {
        let policy = file(&folder, "policy.yaml", text);
        let message = refused(&["check", SCENARIO, "--policy", &policy], 2);
        holds(text, &message, &[expected]);
    }
}

#[test]
fn a_terminal_has_80_columns() {
    let folder = folder("width");
    let text = "limits:\n  - {figure: energy, max: 100 MWh, why: what the grid connection gives}\n  \
                - {figure: training.tokens_per_second_per_device, min: 2}\n";
    let policy = file(&folder, "policy.yaml", text);
    let output = flopcast(&["check", SCENARIO, "--policy", &policy]);
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    assert!(table.contains("BROKEN") && table.contains("grid connection"), "{table}");
    assert!(json(&["estimate", SCENARIO, "--format", "json"])["inputs"].is_array());
}

/// A repository with a policy and a scenario, and the Action's script in it.
struct Repository(PathBuf);

impl Repository {
    const SCENARIO: &str = "\
name: A run
model: llama-3-8b
data: {tokens: 100B}
training:
  precision: bf16
  sequence_length: 8192
  hardware: {accelerator: h100-sxm, count: 64, power: 900 W}
  efficiency: {mfu: 0.4}
  goodput: 98 %
placement: {purchase: {price: 2 USD/device-h}, pue: 1.1, grid: 400 gCO2e/kWh}
";
    const POLICY: &str = "\
limits:
  - {figure: cost, max: 8000 USD, why: the budget of the quarter}
  - {figure: co2e, max_increase: 5 %, level: warn}
";

    fn new(name: &str) -> Self {
        let it = Self(folder(name));
        it.git(&["init", "--quiet", "--initial-branch=main"]);
        it.commit(Self::SCENARIO);
        it
    }

    fn git(&self, arguments: &[&str]) {
        let author = ["-c", "user.name=test", "-c", "user.email=test@localhost"];
        let status = Command::new("git")
            .current_dir(&self.0)
            .args(author)
            .args(arguments)
            .status()
            .expect("git runs");
        assert!(status.success(), "git {arguments:?}");
    }

    fn commit(&self, scenario: &str) {
        self.commit_files(&[("run.yaml", scenario), ("policy.yaml", Self::POLICY)]);
    }

    fn commit_files(&self, files: &[(&str, &str)]) {
        for (name, text) in files {
            file(&self.0, name, text);
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "a change"]);
    }

    /// The script on the last commit against the one before: its exit code and the comment.
    fn check(&self) -> (Option<i32>, String, Output) {
        self.check_files(&["run.yaml"])
    }

    fn check_files(&self, scenarios: &[&str]) -> (Option<i32>, String, Output) {
        let output = Command::new("bash")
            .arg(root().join(".ci/check-pull-request"))
            .args(["HEAD~1", "policy.yaml", "comment.md"])
            .args(scenarios)
            .current_dir(&self.0)
            .env("FLOPCAST", env!("CARGO_BIN_EXE_flopcast"))
            .output()
            .expect("bash runs");
        let comment = fs::read_to_string(self.0.join("comment.md")).unwrap_or_default();
        (output.status.code(), comment, output)
    }
}

#[test]
#[cfg(unix)]
fn the_action_comments_on_a_pull_request() {
    let cases = [
        // name, what the pull request changes, exit code, what the comment says
        ("better", ("mfu: 0.4", "mfu: 0.5"), 0, "passes 2 limits, cost -20.0 %, CO2e -20.0 %"),
        ("worse", ("grid: 400", "grid: 440"), 0, "passes 2 limits, 1 warning, CO2e +10.0 %"),
        ("over", ("mfu: 0.4", "mfu: 0.3"), 1, "breaks 1 of 2 limits"),
        ("unknown", ("purchase: {price: 2 USD/device-h}, ", ""), 1, "UNKNOWN"),
    ];
    for (name, (old, new), code, expected) in cases {
        let repository = Repository::new(name);
        repository.commit(&Repository::SCENARIO.replace(old, new));
        let (actual, comment, output) = repository.check();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(actual, Some(code), "{name}: {errors}\n{comment}");
        assert!(comment.starts_with("<!-- flopcast:check -->\n"), "{name}: {comment}");
        assert!(comment.contains(expected), "{name}: {comment}");
        assert!(comment.contains("<details>"), "{name}: {comment}");
    }
}

#[test]
#[cfg(unix)]
fn the_action_on_new_and_on_broken_files() {
    let repository = Repository::new("new");
    repository.git(&["rm", "--quiet", "run.yaml"]);
    repository.git(&["commit", "--quiet", "--message", "gone"]);
    repository.commit(Repository::SCENARIO);
    let (code, comment, _) = repository.check();
    assert_eq!(code, Some(0), "{comment}");
    assert!(comment.contains("no baseline"), "{comment}");
    repository.commit("name: broken\nmodle: llama-3-8b\n");
    assert_eq!(repository.check().0, Some(2));
    repository.commit(Repository::SCENARIO);
    let (code, comment, output) = repository.check();
    assert_eq!(code, Some(0), "{comment}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("nothing to compare with"));
}

/// The policy and the lock that decide are those of the base; what the change brings is only shown.
#[test]
#[cfg(unix)]
fn a_pull_request_does_not_write_its_own_verdict() {
    let check = |name: &str, before: &[(&str, &str)], after: &[(&str, &str)], said: &[&str]| {
        let repository = Repository::new(name);
        repository.commit_files(before);
        repository.commit_files(after);
        let (code, comment, output) = repository.check();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(code, Some(1), "{name}: {errors}\n{comment}");
        let mut rest = comment.as_str();
        for text in said {
            let found = rest.find(text).unwrap_or_else(|| panic!("{name}: {text}\n{comment}"));
            rest = &rest[found + text.len()..];
        }
    };
    let worse = Repository::SCENARIO.replace("mfu: 0.4", "mfu: 0.3");
    let lax = Repository::POLICY.replace("8000 USD", "1M USD");
    let own = "(decides nothing)";
    check(
        "raised",
        &[("policy.yaml", Repository::POLICY)],
        &[("run.yaml", &worse), ("policy.yaml", &lax)],
        &["changes the policy", "breaks 1 of 2 limits", own, "passes 2 limits"],
    );

    let rented = Repository::SCENARIO.replace(
        "purchase: {price: 2 USD/device-h}",
        "provider: aws, region: us-east-1, purchase: on-demand",
    );
    let (honest, forged) = locks(&rented);
    let kept = "keeps 1 limit only by rows that are given by the lock";
    let said = ["changes flopcast.lock", "breaks 1 of 2 limits", own, kept];
    let forgery = [("flopcast.lock", forged.as_str())];
    check("forged", &[("run.yaml", &rented), ("flopcast.lock", &honest)], &forgery, &said);
    check("smuggled", &[("run.yaml", &rented)], &forgery, &said);
    // The base's lock has no row of the other region: nobody's lock answers.
    let moved = rented.replace("us-east-1", "us-west-2");
    let (_, forged) = locks(&moved);
    let unlocked = ["lock lacks", "breaks 1 of 2 limits", own, kept];
    check(
        "moved",
        &[("run.yaml", &rented), ("flopcast.lock", &honest)],
        &[("run.yaml", &moved), ("flopcast.lock", &forged)],
        &unlocked,
    );
}

/// The lock of a scenario, and the same with prices of a tenth of a cent and hashes that fit.
#[cfg(unix)]
fn locks(scenario: &str) -> (String, String) {
    let folder = folder("locks");
    let path = file(&folder, "run.yaml", scenario);
    stdout(&["lock", &path]);
    let honest = fs::read_to_string(folder.join("flopcast.lock")).expect("a lock");
    let mut lock: Value = serde_json::from_str(&honest).expect("JSON");
    let table = &mut lock["tables"]["pricing/prices.csv"];
    let columns = table["columns"].as_str().expect("columns").to_owned();
    for row in table["rows"].as_array_mut().expect("rows") {
        let cells = row["row"].as_str().expect("a row").split(',');
        let cells = cells.zip(columns.split(','));
        let cheap = cells.map(|(cell, column)| match column {
            it if it.ends_with("usd_per_h") && !cell.is_empty() => "0.001",
            _ => cell,
        });
        let cheap = cheap.collect::<Vec<_>>().join(",");
        row["sha256"] = sha256(&cheap).into();
        row["row"] = cheap.into();
    }
    (honest, lock.to_string())
}

#[cfg(unix)]
fn sha256(text: &str) -> String {
    use sha2::{Digest, Sha256};
    use std::fmt::Write as _;
    Sha256::digest(text).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// No name of a file is taken for an option or a command, and no name of a scenario picks what it is
/// compared with.
#[test]
#[cfg(unix)]
fn the_action_on_hostile_names() {
    let names =
        ["--policy=lax.yaml", "-", "a b.yaml", "$(touch pwned).yaml", "`id`\n.yaml", "*.yaml"];
    for name in names {
        let repository = Repository::new("hostile");
        let before = [(name, Repository::SCENARIO), ("lax.yaml", "limits: []\n")];
        repository.commit_files(&before);
        repository.commit_files(&[(name, &Repository::SCENARIO.replace("mfu: 0.4", "mfu: 0.3"))]);
        let (code, comment, output) = repository.check_files(&[name]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(code, Some(1), "{name}: {errors}\n{comment}");
        assert!(comment.contains("cost +33.3 %"), "{name}: {comment}");
        assert!(!repository.0.join("pwned").exists(), "{name}");
    }

    let repository = Repository::new("renamed");
    let costly = Repository::SCENARIO.replace("A run", "Costly").replace("mfu: 0.4", "mfu: 0.2");
    repository.commit_files(&[("costly.yaml", &costly)]);
    let posing = Repository::SCENARIO.replace("A run", "Costly").replace("mfu: 0.4", "mfu: 0.38");
    repository.commit_files(&[("run.yaml", &posing)]);
    let (_, comment, _) = repository.check_files(&["run.yaml", "costly.yaml"]);
    assert!(comment.contains("cost +5.3 %"), "{comment}");
}

/// What the hosts of the Action and of the hook read before anything runs.
#[test]
fn the_action_and_the_hook_are_yaml_with_what_their_hosts_ask_for() {
    let read = |name: &str| -> Value {
        let text = fs::read_to_string(root().join(name)).expect("a file");
        serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let action = read("action.yml");
    assert_eq!(action["runs"]["using"], "composite");
    for step in action["runs"]["steps"].as_array().expect("steps") {
        assert!(step["run"].is_string() && step["shell"] == "bash", "{step}");
    }
    for hook in read(".pre-commit-hooks.yaml").as_array().expect("hooks") {
        for key in ["id", "name", "entry", "language"] {
            assert!(hook[key].is_string(), "{key}: {hook}");
        }
    }
}
