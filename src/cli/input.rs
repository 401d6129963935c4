//! Files that a command reads: scenarios and what they refer to.

use std::io::Read;
use std::path::Path;

use flopcast_core::diagnostic::{Error, Result};
use flopcast_scenario::document;
use flopcast_scenario::document::{Node, Value};

use super::project::Project;
use super::{Global, ask};

/// Reads a file of at most `limit` bytes.
///
/// # Errors
/// Missing, a directory, unreadable or larger than the limit.
pub(super) fn read_bytes(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let name = path.display();
    let cannot = |error: &std::io::Error| Error::input(format!("cannot read {name}: {error}"));
    let metadata = std::fs::metadata(path).map_err(|error| {
        let hint = nearest_files(path);
        let base = if error.kind() == std::io::ErrorKind::NotFound {
            Error::input(format!("there is no file {name}"))
        } else {
            cannot(&error)
        };
        hint.into_iter().fold(base, Error::hint)
    })?;
    if metadata.is_dir() {
        return Err(Error::input(format!("{name} is a directory, not a file"))
            .hint(format!("name a file in it: {name}/*.yaml")));
    }
    if metadata.len() > limit {
        let (size, most) = (metadata.len() as f64 / 1e6, limit as f64 / 1e6);
        return Err(Error::input(format!(
            "{name} is {size:.0} MB large; at most {most:.0} MB are read"
        )));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| cannot(&error))?;
    // A pipe or a growing file has no honest length: read no more than the limit all the same.
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| cannot(&error))?;
    if bytes.len() as u64 > limit {
        return Err(Error::input(format!("{name} holds more than {limit} bytes")));
    }
    Ok(bytes)
}

/// Reads a text file of at most `limit` bytes.
///
/// # Errors
/// As [`read_bytes`]; what is no UTF-8.
pub(super) fn read_text(path: &Path, limit: u64) -> Result<String> {
    String::from_utf8(read_bytes(path, limit)?)
        .map_err(|_| Error::input(format!("{} is not UTF-8 text", path.display())))
}

fn nearest_files(path: &Path) -> Option<String> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let names: Vec<String> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    let wanted = path.file_name()?.to_str()?;
    let near = flopcast_core::diagnostic::nearest(wanted, names.iter().map(String::as_str));
    near.first().map(|name| format!("did you mean {}?", folder.join(name).display()))
}

/// Reads a scenario's document: the file, what it extends, and `--set` over both.
pub(super) fn document(path: &Path, global: &Global) -> Result<Node> {
    let mut node = match &global.asked {
        Some(asked) => document::parse_in("", ask::NAME, asked.text.as_bytes())?,
        None => extended(&folder(path), path, &Project::of(path, global)?, 0)?,
    };
    for assignment in &global.set {
        node.set(assignment)?;
    }
    Ok(node)
}

/// Deeper chains of `extends` are a mistake, most likely a circle.
const MAX_EXTENDS: u32 = 8;

/// The folder of a scenario as it is written before the names of files in it.
fn folder(scenario: &Path) -> String {
    scenario.parent().unwrap_or(Path::new("")).join("").display().to_string()
}

fn extended(folder: &str, path: &Path, project: &Project, depth: u32) -> Result<Node> {
    let bytes = read_bytes(path, document::MAX_BYTES as u64)?;
    let name = path.display().to_string();
    let node = document::parse_in(folder, &name, &bytes).map_err(|error| {
        // A line of what a scenario names and is no YAML may be somebody's secret.
        let shown = depth == 0 || document::is_named_yaml(path);
        if shown { error } else { Error::input(format!("{name} is not a valid YAML document")) }
    })?;
    if depth > 0 && !matches!(node.value, Value::Map(_)) {
        return Err(Error::input(format!("{} holds no keys to extend", path.display())));
    }
    let Some(base) = node.get("extends") else { return Ok(node) };
    let Value::Text(name) = &base.value else {
        return Err(Error::input("`extends` names a file").at(Some(&base.place)));
    };
    if depth >= MAX_EXTENDS {
        return Err(Error::input("`extends` goes in a circle").at(Some(&base.place)));
    }
    let inherited = project
        .find(path, name)
        .and_then(|path| extended(folder, &path, project, depth + 1))
        .map_err(|error| error.at(Some(&base.place)))?;
    Ok(node.over(inherited))
}
