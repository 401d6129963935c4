//! A lock carries the rows that scenarios used, and nothing else is believed beside it.

use std::fs;
use std::path::PathBuf;

use crate::common::{flopcast, holds, refused, root};

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
        files.iter().map(|file| flopcast(&["estimate", file, "--format", "json"]).stdout).collect()
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
    // Without the folder, the rows are still there.
    assert_eq!(flopcast(&estimate[..4]).stdout, before);
}
