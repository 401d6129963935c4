//! The house rules of ARCHITECTURE.md that the compiler does not hold, checked against the source
//! text.

use std::fs;
use std::path::{Path, PathBuf};

use flopcast::estimate::{Key, Place};

/// The rooms of `flopcast-core`, in the order of ARCHITECTURE.md: each imports only from those
/// before it. `training` and `serving` are siblings. Between crates, the compiler holds the order.
const ROOMS: &[&[&str]] = &[
    &["quantity"],
    &["random"],
    &["diagnostic"],
    &["provenance"],
    &["calibration"],
    &["catalog"],
    &["model"],
    &["kernel"],
    &["training", "serving"],
    &["ledger"],
    &["estimate"],
];

/// Folders of crates that print, read files, clock and environment, or dial.
const OUTSIDE: &[&str] = &["crates/live", "crates/serve", "src/cli"];

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
}

/// Every source file of the workspace by its path from the root, with its text.
fn modules() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    for entry in fs::read_dir(root.join("crates")).expect("crates") {
        sources(&entry.expect("an entry").path().join("src"), &mut files);
    }
    files.sort();
    let named = files.into_iter().map(|path| {
        let inside = path.strip_prefix(root).expect("inside").display().to_string();
        (inside, fs::read_to_string(&path).expect("UTF-8"))
    });
    named.collect()
}

/// The lines of code of a text, numbered from 1, without comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(i, line)| (i + 1, line.split("//").next().unwrap_or_default()))
}

fn rank(room: &str) -> Option<usize> {
    ROOMS.iter().position(|row| row.contains(&room))
}

#[test]
fn imports_within_the_core_go_one_way() {
    let mut upward = Vec::new();
    for (path, text) in modules() {
        let Some(inside) = path.strip_prefix("crates/core/src/") else { continue };
        let room = inside.split(['/', '.']).next().unwrap_or_default();
        if room == "lib" {
            continue;
        }
        assert!(rank(room).is_some(), "{path}: `{room}` is not in the table");
        for (number, line) in code(&text) {
            for (at, _) in line.match_indices("crate::") {
                let name: String = line[at + 7..]
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                if name != room && rank(&name).is_some() && rank(&name) >= rank(room) {
                    upward.push(format!("{path}:{number}: {}", line.trim()));
                }
            }
        }
    }
    assert!(upward.is_empty(), "imports that run upward:\n{}", upward.join("\n"));
}

#[test]
fn only_the_outside_prints_and_reads_clock_environment_and_network() {
    let forbidden = [
        "println!",
        "print!(",
        "eprintln!",
        "eprint!(",
        "dbg!(",
        "std::env",
        "env::var",
        "SystemTime::now",
        "Instant::now",
        "Utc::now",
        "Local::now",
        "std::fs",
        "std::net",
        "reqwest",
    ];
    let mut found = Vec::new();
    for (path, text) in modules() {
        if OUTSIDE.iter().any(|folder| path.starts_with(folder)) {
            continue;
        }
        for (number, line) in code(&text) {
            if forbidden.iter().any(|word| line.contains(word)) {
                found.push(format!("{path}:{number}: {}", line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "not allowed below the fronts and live:\n{}", found.join("\n"));
}

/// A server answers strangers: it opens no file and reads no variable, and what it asks has no way to.
#[test]
fn what_strangers_reach_opens_no_file() {
    for (path, text) in modules() {
        if !path.starts_with("crates/serve/src") {
            continue;
        }
        for word in ["std::fs", "std::env", "tokio::fs", "File::open", "std::process", "println!"] {
            assert!(!text.contains(word), "{path}: {word}");
        }
    }
    let manifest =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/api/Cargo.toml"));
    let manifest = manifest.expect("a manifest");
    for outside in ["clap", "tokio", "axum", "rmcp", "flopcast-live", "flopcast-serve"] {
        assert!(!manifest.contains(outside), "the questions depend on {outside}");
    }
}

/// Places that may spell the path of a figure, with what they may: all, or one text.
const SPELLS: &[(&str, &str)] = &[
    // The table is here, and what is computed bears the name of the figure in its derivation.
    ("crates/core/src/", ""),
    ("crates/study/src/capacity", ""),
    // Keys of the scenario, which share first words and one whole path with figures.
    ("crates/scenario/src/", ""),
    ("crates/evidence/src/actuals/hint.rs", "training.goodput"),
];

/// A figure's path stands in the table of `estimate` alone; who wants the figure says its `Id`.
#[test]
fn no_path_of_a_figure_stands_outside_of_the_table() {
    let mut found = Vec::new();
    for (path, text) in modules() {
        let code_only = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code(code_only) {
            for literal in line.split('"').skip(1).step_by(2) {
                let allowed = SPELLS.iter().any(|(file, only)| {
                    path.starts_with(file) && (only.is_empty() || *only == literal)
                });
                let place =
                    Place::stages().any(|stage| literal.starts_with(&format!("{stage}.{{")));
                if !allowed && (Key::parse(literal).is_some() || place) {
                    found.push(format!("{path}:{number}: {literal}"));
                }
            }
        }
    }
    assert!(found.is_empty(), "paths of figures outside of the table:\n{}", found.join("\n"));
}

/// A derivation bears the name of a figure, or of no figure at all: a name that looks like a path
/// is one.
#[test]
fn a_step_that_is_named_as_a_figure_is_one() {
    let mut found = Vec::new();
    for (path, text) in modules() {
        let named =
            ["crates/core/src/training", "crates/core/src/serving", "crates/core/src/estimate"];
        if !named.iter().any(|room| path.starts_with(room)) {
            continue;
        }
        for (number, line) in code(&text) {
            let Some((_, rest)) = line.split_once(".named(\"") else { continue };
            let name = rest.split('"').next().unwrap_or_default();
            let looks = Place::stages().any(|stage| name.starts_with(&format!("{stage}.")));
            if looks && Key::parse(name).is_none() {
                found.push(format!("{path}:{number}: {name}"));
            }
        }
    }
    assert!(found.is_empty(), "names of no figure:\n{}", found.join("\n"));
}

#[test]
fn main_is_thin_and_files_are_one_room_each() {
    let main = include_str!("../../src/main.rs");
    assert!(main.lines().count() <= 40);
    for (path, text) in modules() {
        assert!(text.lines().count() <= 800, "{path} is more than one room");
    }
}
