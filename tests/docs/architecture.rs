//! The house rules of ARCHITECTURE.md, checked against the source text.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules in the order of ARCHITECTURE.md: each may import only from those before it. `training`
/// and `serving` are siblings.
const ORDER: &[&[&str]] = &[
    &["quantity"],
    &["diagnostic"],
    &["provenance"],
    &["catalog"],
    &["model"],
    &["scenario"],
    &["training", "serving"],
    &["ledger"],
    &["estimate"],
    &["explore"],
    &["report"],
    &["live"],
    &["cli"],
];

/// Modules that may print, read clock and environment, and dial.
const OUTSIDE: &[&str] = &["live", "cli"];

fn rank(module: &str) -> Option<usize> {
    ORDER.iter().position(|row| row.contains(&module))
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("src is readable") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

/// Every source file with its module and its text.
fn modules() -> Vec<(PathBuf, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    files.sort();
    files
        .into_iter()
        .filter_map(|path| {
            let inside = path.strip_prefix(&root).ok()?;
            let module = inside.components().next()?.as_os_str().to_str()?;
            let module = module.trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&path).ok()?;
            Some((inside.to_owned(), module, text)).filter(|(_, m, _)| m != "lib" && m != "main")
        })
        .collect()
}

#[test]
fn every_module_has_its_place() {
    for (path, module, _) in modules() {
        assert!(rank(&module).is_some(), "{}: `{module}` is not in the table", path.display());
    }
}

#[test]
fn imports_go_one_way() {
    let mut upward = Vec::new();
    for (path, module, text) in modules() {
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for (at, _) in code.match_indices("crate::") {
                let name: String = code[at + 7..]
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .collect();
                if name != module && rank(&name) >= rank(&module) && rank(&name).is_some() {
                    upward.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
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
    for (path, module, text) in modules() {
        if OUTSIDE.contains(&module.as_str()) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if forbidden.iter().any(|word| code.contains(word)) {
                found.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "not allowed below cli and live:\n{}", found.join("\n"));
}

#[test]
fn main_is_thin_and_files_are_one_room_each() {
    let main = include_str!("../../src/main.rs");
    assert!(main.lines().count() <= 40);
    for (path, _, text) in modules() {
        assert!(text.lines().count() <= 800, "{} is more than one room", path.display());
    }
}
