//! Files that a command reads: scenarios and what they refer to.

use std::io::{Read, Seek};
use std::path::Path;

use flopcast_core::diagnostic::{Error, Result};
use flopcast_import::job;
use flopcast_scenario::document::Node;
use flopcast_scenario::{document, whole};

use super::project::Project;
use super::{Global, ask, tell};

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

/// Reads the first `most` bytes of a file, or all of a shorter one.
///
/// # Errors
/// Missing, a directory or unreadable.
pub(super) fn read_head(path: &Path, most: u64) -> Result<Vec<u8>> {
    // A pipe would keep us waiting, and what is not there has a better message.
    if path.is_file() { read_part(path, 0, most) } else { read_bytes(path, most) }
}

/// At most `most` bytes of a regular file from a place on.
pub(super) fn read_part(path: &Path, from: u64, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|mut file| {
            file.seek(std::io::SeekFrom::Start(from))?;
            file.take(most).read_to_end(&mut bytes)
        })
        .map_err(|error| Error::input(format!("cannot read {}: {error}", path.display())))?;
    Ok(bytes)
}

/// The size of a regular file.
pub(super) fn size(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|it| it.len())
}

/// The names in a folder, in alphabetical order.
pub(super) fn names(path: &Path) -> Option<Vec<String>> {
    let mut names: Vec<String> = std::fs::read_dir(path)
        .ok()?
        .take(MOST_NAMES)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    Some(names)
}

/// A folder of more files is none of a model.
const MOST_NAMES: usize = 100_000;

/// Reads a text file of at most `limit` bytes: UTF-8, or UTF-16 with its mark, which shells of
/// Windows write.
///
/// # Errors
/// As [`read_bytes`]; what is neither.
pub(super) fn read_text(path: &Path, limit: u64) -> Result<String> {
    let bytes = read_bytes(path, limit)?;
    let of_units = |unit: fn([u8; 2]) -> u16| {
        let units = bytes[2..].chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        char::decode_utf16(units).collect::<Result<String, _>>().ok()
    };
    let text = match bytes.get(..2) {
        Some([0xff, 0xfe]) => of_units(u16::from_le_bytes),
        Some([0xfe, 0xff]) => of_units(u16::from_be_bytes),
        _ => None,
    };
    text.map_or_else(|| String::from_utf8(bytes), Ok).map_err(|_| {
        Error::input(format!("{} is not UTF-8 text", path.display())).hint("save the file as UTF-8")
    })
}

/// The names in the folder of a missing file that are nearest to its own, as a hint.
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
    let (name, folder, bytes, project) = if let Some(asked) = &global.asked {
        (ask::NAME.to_owned(), String::new(), asked.text.clone().into(), None)
    } else {
        let project = Project::of(path, global)?;
        let bytes = read_bytes(path, document::MAX_BYTES as u64)?;
        (path.display().to_string(), folder(path), bytes, Some(project))
    };
    let open = |from: &str, name: &str| {
        let named = project.as_ref().map(|project| project.find(Path::new(from), name));
        let path = named.unwrap_or_else(|| Ok(name.into()))?;
        let bytes = read_bytes(&path, document::MAX_BYTES as u64)?;
        Ok((path.display().to_string(), bytes))
    };
    let text = whole::Text { folder: &folder, name: &name, bytes: &bytes };
    let (node, notes) = whole::read(text, &global.set, &open)?;
    for note in &notes {
        tell(note);
    }
    Ok(node)
}

/// The folder of a scenario as it is written before the names of files in it.
fn folder(scenario: &Path) -> String {
    scenario.parent().unwrap_or(Path::new("")).join("").display().to_string()
}

/// The text of the scenario that a job file makes; says what was assumed and not understood.
pub(super) fn read_job(name: &str, text: &str, path: &Path, project: &Project) -> Result<String> {
    let beside =
        |file: &str| read_bytes(&project.find(path, file).ok()?, job::MAX_BYTES as u64).ok();
    let job = job::read(name, text, &beside)?;
    for note in whole::told(name, &job) {
        tell(&note);
    }
    Ok(job.scenario)
}
