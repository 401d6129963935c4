//! A lock carries the rows that scenarios used, and nothing else is believed beside it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::common::{SHORT, flopcast, holds, refused, root};

/// A folder with copies of the shipped scenarios.
fn folder(name: &str) -> PathBuf {
    let path = root().join("target/tmp").join(format!("lock-{name}"));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("a folder");
    for entry in fs::read_dir(root().join("scenarios")).expect("scenarios") {
        let from = entry.expect("an entry").path();
        if from.is_file() {
            fs::copy(&from, path.join(from.file_name().expect("a name"))).expect("a copy");
        }
    }
    path
}

fn scenarios(folder: &PathBuf) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path());
    let yaml = entries.filter(|path| path.extension().is_some_and(|e| e == "yaml"));
    let mut paths: Vec<_> = yaml.map(|path| path.to_str().expect("UTF-8").to_owned()).collect();
    paths.sort();
    paths
}

#[test]
fn locked_scenarios_give_the_same_bytes() {
    let folder = folder("same");
    let files = scenarios(&folder);
    let estimates = || -> Vec<_> {
        let asked = |file| [&["estimate", file, "--format", "json"][..], &SHORT].concat();
        files.iter().map(|file| flopcast(&asked(file)).stdout).collect()
    };
    let before = estimates();
    let mut arguments = vec!["lock"];
    arguments.extend(files.iter().map(String::as_str));
    let output = flopcast(&arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lock = fs::read_to_string(folder.join("flopcast.lock")).expect("a lock");
    assert_eq!(estimates(), before);
    // Locked again from the same catalog, it is the same.
    assert!(flopcast(&arguments).status.success());
    assert_eq!(fs::read_to_string(folder.join("flopcast.lock")).expect("a lock"), lock);
}

#[test]
fn what_the_lock_lacks_is_an_error_and_not_a_guess() {
    let folder = folder("lacks");
    let file = folder.join("gpt3-175b.yaml");
    let file = file.to_str().expect("UTF-8");
    let path = folder.join("flopcast.lock");
    assert!(flopcast(&["lock", file]).status.success());
    let check = |arguments: &[&str], expected: &str| {
        let message = refused(&[&["estimate", file], arguments].concat(), 2);
        holds(&arguments.join(" "), &message, &[expected]);
    };
    check(&["--set", "placement.region=westeurope"], "does not carry `azure");
    check(&["--set", "training.hardware.accelerator=a100-sxm-80gb"], "`a100-sxm-80gb`");
    check(&["--as-of", "2025-01-01"], "--no-lock");
    let output = flopcast(&["estimate", file, "--no-lock", "--as-of", "2026-06-01"]);
    assert!(output.status.success());
    // Other commands read the lock as well.
    for command in ["explain", "compare"] {
        let set = ["--set", "placement.region=westeurope"];
        let again = if command == "compare" { &[file][..] } else { &[] };
        let message = refused(&[&[command, file], again, &set].concat(), 2);
        holds(command, &message, &["does not carry `azure"]);
    }
    // Another scenario of the folder is not bound.
    let other = folder.join("llama-65b.yaml");
    assert!(flopcast(&["estimate", other.to_str().expect("UTF-8")]).status.success());
    let lock = fs::read_to_string(&path).expect("a lock");
    fs::write(&path, lock.replace("330", "331").replace(",300,35,", ",301,35,")).expect("written");
    check(&[], "does not match its hash");
    fs::write(&path, "{}").expect("written");
    check(&[], "cannot be read");
}

#[test]
fn the_users_own_rows_are_locked_too() {
    let folder = folder("own");
    let file = folder.join("gpt3-175b.yaml");
    let file = file.to_str().expect("UTF-8");
    let own = folder.join("own");
    fs::create_dir_all(&own).expect("a folder");
    let grid = "zone,year,gco2e_per_kwh,basis\nUS-VA,2027,77,life-cycle\nUSA,2027,77,life-cycle\n";
    fs::write(own.join("grid.csv"), grid).expect("written");
    let own = own.to_str().expect("UTF-8");
    let estimate = ["estimate", file, "--format", "json", "--data-dir", own];
    let before = flopcast(&estimate).stdout;
    assert!(flopcast(&["lock", file, "--data-dir", own]).status.success());
    // Without the folder the rows are still there, and are told apart.
    let figures = |bytes: &[u8]| -> Vec<Value> {
        let whole: Value = serde_json::from_slice(bytes).expect("JSON");
        ["training", "inference", "tco"].iter().map(|section| whole[section].clone()).collect()
    };
    let after = flopcast(&estimate[..4]).stdout;
    assert_eq!(figures(&after), figures(&before));
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains("given by the lock");
    assert_eq!((told(&before), told(&after)), (false, true));
}

/// Writes other prices into a lock, each row with the hash that it then has.
fn poison(path: &Path) {
    let text = fs::read_to_string(path).expect("a lock");
    let mut lock: Value = serde_json::from_str(&text).expect("JSON");
    let table = &mut lock["tables"]["pricing/prices.csv"];
    let columns = table["columns"].as_str().expect("columns").to_owned();
    let prices: Vec<usize> = columns
        .split(',')
        .enumerate()
        .filter(|(_, it)| it.ends_with("usd_per_h"))
        .map(|(at, _)| at)
        .collect();
    for row in table["rows"].as_array_mut().expect("rows") {
        let text = row["row"].as_str().expect("a row").to_owned();
        let cell = |(at, cell): (usize, &str)| {
            let price = prices.contains(&at) && !cell.is_empty();
            if price { "0.001".to_owned() } else { cell.to_owned() }
        };
        let text: Vec<String> = text.split(',').enumerate().map(cell).collect();
        let text = text.join(",");
        let hash = Sha256::digest(&text);
        let hex: Vec<String> = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        row["sha256"] = hex.concat().into();
        row["row"] = text.into();
    }
    fs::write(path, lock.to_string()).expect("a lock");
}

#[test]
fn rows_that_the_lock_alone_has_are_told_apart_and_keep_no_limit() {
    let folder = folder("poisoned");
    let file = folder.join("gpt3-175b.yaml");
    let file = file.to_str().expect("UTF-8");
    let policy = folder.join("policy.yaml");
    fs::write(&policy, "limits:\n  - {figure: cost, max: 1M USD}\n").expect("a policy");
    let check = ["check", file, "--policy", policy.to_str().expect("UTF-8"), "--no-lock"];
    let honest = flopcast(&check[..4]);
    assert_eq!(honest.status.code(), Some(1));
    assert!(!String::from_utf8_lossy(&honest.stdout).contains("by the lock"));
    assert!(flopcast(&["lock", file]).status.success());
    assert_eq!(flopcast(&check[..4]).stdout, honest.stdout, "an honest lock says nothing");
    poison(&folder.join("flopcast.lock"));
    let output = flopcast(&check[..4]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let parts =
        ["given by the lock", "BROKEN without the lock: tco.total_usd", "pricing/prices.csv:"];
    holds("check", &told, &parts);
    let json = flopcast(&[&check[..4], &["--format", "json"]].concat()).stdout;
    let json: Value = serde_json::from_slice(&json).expect("JSON");
    assert_eq!(json["scenarios"][0]["kept_by_lock"][0], "tco.total_usd");
    assert_eq!(flopcast(&check).stdout, honest.stdout, "without the lock");
    for arguments in [&["estimate", file][..], &["explain", file, "training.cost_usd.total"]] {
        let output = flopcast(arguments);
        assert!(output.status.success());
        holds(arguments[0], &String::from_utf8_lossy(&output.stdout), &["by the lock"]);
    }
}
