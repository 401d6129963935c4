//! The documentation: commands print what their pages show, links lead somewhere, generated pages
//! are current. With `UPDATE_DOCS=1` the pages are written anew.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::CommandFactory as _;
use flopcast::cli::Cli;
use serde_json::Value;

use crate::common::{flopcast, json, root, scratch};

/// The pages of the book, and the two that the repository shows first.
fn pages() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(root().join("docs")).expect("docs/");
    let mut pages: Vec<_> = folder.map(|entry| entry.expect("a page").path()).collect();
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    pages.extend([root().join("README.md"), root().join("ARCHITECTURE.md")]);
    pages.sort();
    pages
}

fn read(page: &Path) -> String {
    std::fs::read_to_string(page).unwrap_or_else(|error| panic!("{}: {error}", page.display()))
}

fn name(page: &Path) -> &str {
    page.file_name().and_then(OsStr::to_str).expect("a name")
}

/// Fails unless the page says this already; with `UPDATE_DOCS=1` it then does.
pub(crate) fn current(page: &Path, expected: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(page, expected).expect("the page can be written");
    } else {
        let actual = std::fs::read_to_string(page).unwrap_or_default();
        let line = actual.lines().zip(expected.lines()).find(|(old, new)| old != new);
        let hint = "run `UPDATE_DOCS=1 cargo test --test docs`";
        assert!(actual == expected, "{} is out of date; {hint}; {line:#?}", name(page));
    }
}

/// A page in pieces: prose under "", fenced blocks under their language, fences included.
fn pieces(text: &str) -> Vec<(String, String)> {
    let mut pieces = vec![(String::new(), String::new())];
    let mut inside = false;
    for line in text.split_inclusive('\n') {
        let fence = line.trim().strip_prefix("```");
        if let Some(language) = fence.filter(|_| !inside) {
            pieces.push((format!("{} ", language.trim()), String::new()));
        }
        pieces.last_mut().expect("a piece").1.push_str(line);
        if fence.is_some() {
            if inside {
                pieces.push((String::new(), String::new()));
            }
            inside = !inside;
        }
    }
    pieces
}

/// The blocks of a language, without their fences.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let inner = |block: &str| {
        let lines: Vec<&str> = block.split_inclusive('\n').collect();
        lines[1..lines.len() - 1].concat()
    };
    let pieces = pieces(text).into_iter();
    pieces.filter(|piece| piece.0.trim() == language).map(|piece| inner(&piece.1)).collect()
}

/// The commands of a console block, each with what is shown below it.
fn sessions(block: &str) -> Vec<(String, String)> {
    let mut sessions: Vec<(String, String)> = Vec::new();
    for line in block.split_inclusive('\n') {
        if line.starts_with("$ ") {
            sessions.push((line.to_owned(), String::new()));
        } else {
            let (command, shown) = sessions.last_mut().expect("a block begins with `$ `");
            let document = command.contains("<<'END'") && !command.ends_with("\nEND\n");
            let goes_on = shown.is_empty() && (document || command.ends_with("\\\n"));
            if goes_on { command } else { shown }.push_str(line);
        }
    }
    sessions
}

/// What a command prints in a terminal of 80 columns, and its exit code if it is not 0.
fn printed(command: &str, folder: &Path) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_flopcast")).parent().expect("a folder");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = format!("{}:{}", binary.display(), path.to_string_lossy());
    let command = command.trim_start_matches("$ ").replace("cargo run --release --", "flopcast");
    let output = Command::new("bash")
        .args(["-c", &format!("exec 2>&1\n{command}")])
        .current_dir(folder)
        .envs([("PATH", path.as_str()), ("COLUMNS", "80"), ("XDG_CACHE_HOME", "no-cache")])
        .env_remove("FLOPCAST_DATA")
        .env_remove("FLOPCAST_CACHE")
        .output()
        .expect("bash");
    let mut text = String::from_utf8(output.stdout).expect("UTF-8");
    if !output.status.success() {
        let _ = writeln!(text, "[exit code {}]", output.status.code().unwrap_or(-1));
    }
    text
}

/// Whether a page may show this for that: a line `...` stands for any lines.
fn shows(shown: &str, actual: &str) -> bool {
    let parts: Vec<&str> = shown.split("...\n").collect();
    let (first, last) = (parts[0], parts[parts.len() - 1]);
    let Some(mut rest) = actual.strip_prefix(first) else { return false };
    for part in &parts[1..] {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    parts.len() > 1 && actual.ends_with(last) || rest.is_empty()
}

/// The page with what its commands print. They run one after another in a folder with the
/// repository's scenarios and test data.
fn run(page: &Path, text: &str) -> String {
    let folder = scratch(&format!("docs-{}", name(page)));
    std::fs::create_dir(folder.join("scenarios")).expect("a folder");
    for scenario in std::fs::read_dir(root().join("scenarios")).expect("scenarios/") {
        let scenario = scenario.expect("a scenario").path();
        let copy = folder.join("scenarios").join(scenario.file_name().expect("a name"));
        std::fs::copy(&scenario, copy).expect("a copy");
    }
    std::os::unix::fs::symlink(root().join("tests"), folder.join("tests")).expect("a link");
    let mut page = String::new();
    for (language, piece) in pieces(text) {
        if language.trim() != "console" {
            page.push_str(&piece);
            continue;
        }
        page.push_str("```console\n");
        for (command, shown) in blocks(&piece, "console").iter().flat_map(|block| sessions(block)) {
            let actual = printed(&command, &folder);
            page.push_str(&command);
            page.push_str(if shows(&shown, &actual) { &shown } else { &actual });
        }
        page.push_str("```\n");
    }
    page
}

#[test]
fn commands_print_what_their_page_shows() {
    for page in pages() {
        let text = read(&page);
        if !blocks(&text, "console").is_empty() {
            current(&page, &run(&page, &text));
        }
    }
}

/// Commands of `sh` blocks need a network, another program or files of the reader's; their words
/// and options exist.
#[test]
fn commands_that_are_not_run_exist() {
    for page in pages() {
        for block in blocks(&read(&page), "sh") {
            let block = block.replace("\\\n", " ");
            for line in block.lines().filter_map(|line| line.trim().strip_prefix("flopcast ")) {
                let line = line.split([';', '|', '>', '#']).next().unwrap_or_default();
                let words: Vec<&str> = line.split_whitespace().collect();
                let depth = if words[0] == "catalog" { 2 } else { 1 };
                let help = flopcast(&[&words[..depth], &["--help"]].concat());
                let text = String::from_utf8_lossy(&help.stdout).into_owned();
                assert!(help.status.success(), "{}: flopcast {line}", name(&page));
                for option in words.iter().filter(|word| word.starts_with("--")) {
                    let option = option.split('=').next().unwrap_or_default();
                    assert!(text.contains(option), "{}: flopcast {line}: {option}", name(&page));
                }
            }
        }
    }
}

/// Where the prose of a page links to.
fn links(text: &str) -> Vec<String> {
    let prose = pieces(text).into_iter().filter(|piece| piece.0.is_empty());
    let prose: String = prose.map(|piece| piece.1).collect();
    let parts = prose.split("](").skip(1);
    parts.filter_map(|part| part.split_once(')')).map(|(link, _)| link.to_owned()).collect()
}

/// The anchors of a page's headings, as mdBook and GitHub name them.
fn anchors(text: &str) -> Vec<String> {
    let prose = pieces(text).into_iter().filter(|piece| piece.0.is_empty());
    let prose: String = prose.map(|piece| piece.1).collect();
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| line.trim_start_matches('#').trim().to_lowercase())
        .map(|heading| {
            let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
            heading.chars().filter(kept).collect::<String>().replace(' ', "-")
        })
        .collect()
}

#[test]
fn links_lead_somewhere() {
    for page in pages() {
        let links = links(&read(&page)).into_iter();
        for link in links.filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let folder = page.parent().expect("a folder");
            let target = if file.is_empty() { page.clone() } else { folder.join(file) };
            assert!(target.exists(), "{} links to {link}", name(&page));
            let found = anchor.is_empty() || anchors(&read(&target)).iter().any(|a| a == anchor);
            assert!(found, "{} links to {link}: no such heading", name(&page));
        }
    }
}

#[test]
fn the_summary_lists_every_page() {
    let summary = root().join("docs/SUMMARY.md");
    let mut listed = links(&read(&summary));
    listed.sort();
    let mut pages: Vec<String> = pages()
        .iter()
        .filter(|page| page.parent() == summary.parent() && **page != summary)
        .map(|page| name(page).to_owned())
        .collect();
    pages.sort();
    assert_eq!(listed, pages);
}

/// A row of a table.
fn row(out: &mut String, cells: [&str; 3]) {
    let cells = cells.map(|cell| cell.replace('|', "\\|").replace('\n', " "));
    let _ = writeln!(out, "| {} |", cells.join(" | "));
}

/// A command's section: what it does, its arguments, then its own commands.
fn command_section(out: &mut String, command: &clap::Command, path: &str) {
    let about = command.get_long_about().or(command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(out, "\n## {path}\n\n{}.", about.trim_end_matches('.'));
    let arguments: Vec<_> = command.get_arguments().filter(|a| !a.is_hide_set()).collect();
    if !arguments.is_empty() {
        out.push_str("\n| argument | meaning | values |\n|---|---|---|\n");
    }
    for argument in arguments {
        let value = argument.get_value_names().unwrap_or_default().join(" ");
        let flag = match (argument.get_short(), argument.get_long()) {
            (Some(short), Some(long)) => format!("-{short}, --{long} "),
            (None, Some(long)) => format!("--{long} "),
            _ => String::new(),
        };
        let value = if argument.get_action().takes_values() { value } else { String::new() };
        let help = argument.get_long_help().or(argument.get_help());
        let help = help.map(ToString::to_string).unwrap_or_default();
        let mut values: Vec<String> = Vec::new();
        if argument.get_action().takes_values() {
            let possible = argument.get_possible_values();
            values.extend(possible.iter().map(|value| format!("`{}`", value.get_name())));
        }
        let default = argument.get_default_values().iter().map(|value| value.to_string_lossy());
        let default = default.collect::<Vec<_>>().join(" ");
        if argument.get_action().takes_values() && !default.is_empty() {
            values.push(format!("(default `{default}`)"));
        }
        let flag = format!("`{}`", format!("{flag}{value}").trim());
        row(out, [&flag, &help, &values.join(" ")]);
    }
    for inner in command.get_subcommands() {
        command_section(out, inner, &format!("{path} {}", inner.get_name()));
    }
}

#[test]
fn the_command_reference_is_current() {
    let mut page = "# Commands\n\nWritten by `UPDATE_DOCS=1 cargo test --test docs` from the \
                    command line itself; `flopcast COMMAND --help` says the same.\n"
        .to_owned();
    command_section(&mut page, &Cli::command(), "flopcast");
    current(&root().join("docs/commands.md"), &page);
}

/// The sections of a scenario, each once.
struct Reference<'a> {
    definitions: &'a Value,
    seen: BTreeMap<String, String>,
    page: String,
}

impl<'a> Reference<'a> {
    /// The definition that a key refers to, with its name; or what the key says itself.
    fn target(&self, key: &'a Value) -> (String, &'a Value) {
        let parts = key["anyOf"].as_array().filter(|parts| parts.len() == 2);
        let some = parts.filter(|parts| parts[1]["type"] == "null").map(|parts| &parts[0]);
        let key = some.unwrap_or(key);
        let Some(reference) = key["$ref"].as_str() else { return (String::new(), key) };
        let name = reference.trim_start_matches("#/$defs/");
        let name = name.replace("%20", " ").replace("~1", "/").replace("%25", "%");
        let definition = &self.definitions[&name];
        assert!(!definition.is_null(), "{reference}");
        (name, definition)
    }

    /// What may be written there.
    fn kind(&self, key: &'a Value) -> String {
        let (name, key) = self.target(key);
        if let Some(unit) = name.strip_prefix("Quantity in ") {
            return if unit.is_empty() { "number or %".into() } else { format!("`{unit}`") };
        }
        if let Some(there) = self.seen.get(&name) {
            return format!("[{there}](#{})", there.replace('.', ""));
        }
        let listed = |list: &'a Value| list.as_array().into_iter().flatten();
        let words = listed(&key["oneOf"]).filter_map(|word| word["const"].as_str());
        let words: Vec<_> = words.chain(listed(&key["enum"]).filter_map(Value::as_str)).collect();
        if !words.is_empty() {
            return words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(" ");
        }
        if key["anyOf"].is_array() {
            let parts = listed(&key["anyOf"]).map(|part| self.kind(part));
            return parts.collect::<Vec<_>>().join(" or ");
        }
        if let Some(keys) = key["properties"].as_object() {
            let keys: Vec<_> = keys.keys().map(String::as_str).collect();
            return format!("`{{{}}}`", keys.join(", "));
        }
        let kinds = listed(&key["type"]).chain(Some(&key["type"])).filter_map(Value::as_str);
        match kinds.filter(|kind| *kind != "null").collect::<Vec<_>>()[..] {
            _ if key["format"] == "date" => "date".into(),
            ["array"] => format!("list of {}", self.kind(&key["items"])),
            ["object"] => "keys of your own".into(),
            ["integer"] => "whole number".into(),
            ["string"] => "text".into(),
            ["boolean"] => "`true` `false`".into(),
            [] => "see there".into(),
            ref kinds => kinds.join(" or "),
        }
    }

    /// A section's table, then those of the sections in it.
    fn section(&mut self, path: &str, schema: &'a Value) {
        let heading = if path.is_empty() { "Top level" } else { path };
        let text = schema["description"].as_str().unwrap_or_default();
        let _ = writeln!(self.page, "\n## {heading}\n\n{text}\n");
        self.page.push_str("| key | what may be written | meaning |\n|---|---|---|\n");
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let mut inner = Vec::new();
        for (key, value) in schema["properties"].as_object().into_iter().flatten() {
            let (mut name, mut target) = self.target(value);
            let dot = if path.is_empty() { "" } else { "." };
            let path = format!("{path}{dot}{key}");
            let list = target["items"].is_object();
            if list {
                (name, target) = self.target(&target["items"]);
            }
            let mut kind = self.kind(value);
            if target["properties"].is_object() && !name.is_empty() {
                let first = !self.seen.contains_key(&name);
                let there = self.seen.entry(name).or_insert_with(|| path.clone()).clone();
                let link = format!("[{there}](#{})", there.replace('.', ""));
                kind = if list { format!("list of {link}") } else { link };
                if first {
                    inner.push((path, target));
                }
            }
            let mut text = value["description"].as_str().unwrap_or_default().to_owned();
            if required.contains(&Value::from(key.as_str())) {
                text.insert_str(0, "**Required.** ");
            }
            row(&mut self.page, [&format!("`{key}`"), &kind, &text]);
        }
        for (path, target) in inner {
            self.section(&path, target);
        }
    }
}

const SCENARIO: &str = "\
# The scenario file

Written by `UPDATE_DOCS=1 cargo test --test docs` from the JSON Schema that `flopcast schema` prints.
`flopcast init --full` writes a file with every key. Unknown keys are errors, except those that
start with `x-`.

A quantity is a number with its unit (`700 W`, `15T tokens`, `2M/day`, `0.4`, `40 %`); any unit of
the same dimension will do. It may carry its reason, `{value: 1.2, source: \"our meter\"}`, or be a
range: `1.1..1.3` from the 5th to the 95th percentile, or `{low: 1.1, mode: 1.2, high: 1.5}`.
";

#[test]
fn the_scenario_reference_is_current() {
    let schema = json(&["schema"]);
    let (page, seen) = (SCENARIO.to_owned(), BTreeMap::new());
    let mut reference = Reference { definitions: &schema["$defs"], seen, page };
    reference.section("", &schema);
    current(&root().join("docs/scenario.md"), &reference.page);
}
