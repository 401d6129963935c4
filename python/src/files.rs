//! Files that a scenario names, on disk: below the nearest folder with `.git` above it, else below its
//! own.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flopcast_core::diagnostic::{Error, Result};
use flopcast_scenario::Files;

/// Larger files are refused.
const MOST_BYTES: u64 = 128 << 20;
/// A folder of more files is none of a model.
const MOST_NAMES: usize = 100_000;

/// The files of the projects of some scenarios.
#[derive(Clone, Debug)]
pub(crate) struct Project {
    roots: Vec<PathBuf>,
    /// The files that the caller named, wherever they lead.
    typed: Vec<PathBuf>,
}

impl Project {
    /// Those of the files that the caller named, or of the working directory where there is none.
    pub(crate) fn of(typed: Vec<PathBuf>) -> Self {
        let root = |folder: &Path| {
            let folder = if folder == Path::new("") { Path::new(".") } else { folder };
            let own = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
            let root = own.ancestors().find(|above| above.join(".git").exists());
            root.unwrap_or(&own).to_owned()
        };
        let folder = |path: &PathBuf| path.parent().unwrap_or(Path::new("")).to_owned();
        let mut roots: Vec<_> = typed.iter().map(folder).map(|it| root(&it)).collect();
        if roots.is_empty() {
            roots.push(root(Path::new("")));
        }
        Self { roots, typed }
    }

    /// The path of a name; it need not exist.
    fn find(&self, name: &str) -> Result<PathBuf> {
        let path = PathBuf::from(name);
        if self.typed.contains(&path) {
            return Ok(path);
        }
        let outside = || {
            Error::input(format!("{name} is outside the project of the scenario"))
                .hint("copy it there; a document names files relative to itself")
        };
        // Of what lies outside, nothing is asked, so that no message says what is there.
        let written = plain(&std::path::absolute(&path).map_err(|_| outside())?);
        let folder = written.parent().and_then(|it| it.canonicalize().ok());
        let inside = |path: &Path| {
            self.roots.iter().any(|root| path.starts_with(root))
                && path.components().all(|part| part.as_os_str() != ".git")
        };
        if !inside(&written) && !folder.is_some_and(|folder| inside(&folder)) {
            return Err(outside());
        }
        match path.canonicalize() {
            Ok(target) if !inside(&target) => Err(outside()),
            _ => Ok(path),
        }
    }

    /// Up to `most` bytes of a file, at most [`MOST_BYTES`] in all.
    fn bytes(&self, name: &str, most: u64) -> Result<Vec<u8>> {
        let path = self.find(name)?;
        let cannot = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => Error::input(format!("there is no file {name}")),
            _ => Error::input(format!("cannot read {name}: {error}")),
        };
        let about = path.metadata().map_err(cannot)?;
        if !about.is_file() {
            return Err(Error::input(format!("{name} is no regular file")));
        }
        let mut bytes = Vec::new();
        let file = File::open(&path).map_err(cannot)?;
        file.take(most.min(MOST_BYTES + 1)).read_to_end(&mut bytes).map_err(cannot)?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(Error::input(format!("{name} is larger than {} MiB", MOST_BYTES >> 20)));
        }
        Ok(bytes)
    }
}

impl Files for Project {
    fn read(&self, path: &str) -> Result<Vec<u8>> {
        self.bytes(path, u64::MAX)
    }

    fn head(&self, path: &str, most: u64) -> Result<Vec<u8>> {
        self.bytes(path, most)
    }

    fn size(&self, path: &str) -> Option<u64> {
        let about = self.find(path).ok()?.metadata().ok()?;
        about.is_file().then_some(about.len())
    }

    fn names(&self, path: &str) -> Option<Vec<String>> {
        let entries = self.find(path).ok()?.read_dir().ok()?.take(MOST_NAMES);
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.collect();
        names.sort();
        Some(names)
    }
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    use std::path::Component::{CurDir, ParentDir};
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            CurDir => {}
            ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
        plain
    })
}
