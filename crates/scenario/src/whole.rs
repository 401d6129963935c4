//! A scenario's whole document: its text, or the job file that it is made from, over what it
//! extends, under the keys that are set.

use std::path::Path;

use flopcast_core::diagnostic::{Error, Result};
use flopcast_import::document::{self, Node, Value};
use flopcast_import::job::{self, Job};

use crate::spelling;

/// A text and the name by which errors call it. Documents call it by what follows `folder` in that
/// name.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// The folder of the scenario, with its last separator; may be empty.
    pub folder: &'a str,
    /// The name.
    pub name: &'a str,
    /// The text.
    pub bytes: &'a [u8],
}

/// Opens the file that another one names: `(from, name)` becomes its own name and bytes.
pub type Open<'a> = dyn Fn(&str, &str) -> Result<(String, Vec<u8>)> + 'a;

/// Deeper chains of `extends` are a mistake, most likely a circle.
const MAX_EXTENDS: u32 = 8;

/// Reads a scenario's document, and what there is to tell about it: how a job file was understood,
/// which spellings were read as others.
///
/// # Errors
/// If a text is no document, a file that it extends cannot be opened, or a key cannot be set.
pub fn read(text: Text<'_>, set: &[String], open: &Open<'_>) -> Result<(Node, Vec<String>)> {
    let mut notes = Vec::new();
    let mut node = match job(text, set, open, &mut notes)? {
        Some(node) => node,
        None => extended(text, open, 0)?,
    };
    let mut respelt = spelling::respell_keys(&mut node);
    let path = |assignment: &str| assignment.split('=').next().unwrap_or_default().to_owned();
    let mut set: Vec<&String> = set.iter().collect();
    // A section before what is set in it, which it would take away.
    set.sort_by_cached_key(|assignment| {
        let typed = path(assignment);
        spelling::meaning(&typed, &node).unwrap_or(&typed).split('.').count()
    });
    for assignment in set {
        // What is set takes the place of what stands under the keys that it means.
        let path = path(assignment);
        for key in spelling::set_by(assignment, &node).iter().filter(|key| **key != path) {
            node.take(key);
        }
        node.set(assignment)?;
        respelt.extend(spelling::respell_keys(&mut node));
    }
    respelt.extend(spelling::respell(&mut node));
    respelt.extend(spelling::said(&node));
    if !respelt.is_empty() {
        notes.push(format!("note: read {}", respelt.join(", ")));
    }
    Ok((node, notes))
}

/// What there is to tell about a job file: the frameworks that it is read as, what was not
/// understood, what was assumed.
pub fn told(name: &str, job: &Job) -> Vec<String> {
    let mut told = vec![format!("{name} is read as {}", job.spoken.join(", "))];
    if !job.strange.is_empty() {
        told.push(format!("not understood: {}", job.strange.join(", ")));
    }
    told.extend(job.notes.iter().map(|note| format!("note: {note}")));
    told
}

/// The document of a job file of another tool; none where the text is a scenario.
fn job(
    text: Text<'_>,
    set: &[String],
    open: &Open<'_>,
    notes: &mut Vec<String>,
) -> Result<Option<Node>> {
    let name = text.name;
    let Ok(written) = std::str::from_utf8(text.bytes) else { return Ok(None) };
    if text.bytes.len() > document::MAX_BYTES || !job::is_job(name, written) {
        return Ok(None);
    }
    let beside = |file: &str| Some(open(name, file).ok()?.1);
    let job = job::read_on(name, written, &beside, &spelling::told(set))?;
    notes.extend(told(name, &job));
    document::parse(&format!("{name} as a scenario"), job.scenario.as_bytes()).map(Some)
}

/// The document over what it extends, with what that one extends in turn.
fn extended(text: Text<'_>, open: &Open<'_>, depth: u32) -> Result<Node> {
    let node = document::parse_in(text.folder, text.name, text.bytes).map_err(|error| {
        // A line of what a scenario names and is no YAML may be somebody's secret.
        let shown = depth == 0 || document::is_named_yaml(Path::new(text.name));
        let hidden = || Error::input(format!("{} is not a valid YAML document", text.name));
        if shown { error } else { hidden() }
    })?;
    if depth > 0 && !matches!(node.value, Value::Map(_)) {
        return Err(Error::input(format!("{} holds no keys to extend", text.name)));
    }
    let Some(base) = node.get("extends") else { return Ok(node) };
    let Value::Text(name) = &base.value else {
        return Err(Error::input("`extends` names a file").at(Some(&base.place)));
    };
    if depth >= MAX_EXTENDS {
        return Err(Error::input("`extends` goes in a circle").at(Some(&base.place)));
    }
    let inherited = open(text.name, name)
        .and_then(|(name, bytes)| {
            extended(Text { name: &name, bytes: &bytes, ..text }, open, depth + 1)
        })
        .map_err(|error| error.at(Some(&base.place)))?;
    Ok(node.over(inherited))
}
