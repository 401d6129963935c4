//! The files that documents name: a scenario, lock, model or table opens nothing outside its
//! project.

use std::fs;
use std::path::{Component, Path, PathBuf};

use flopcast_core::diagnostic::{Error, Result};

use super::Global;

/// The folders whose files a document may name.
#[derive(Clone, Debug)]
pub(super) struct Project {
    /// With links resolved.
    root: PathBuf,
    /// Those of `--allow-path`, as typed and with links resolved.
    allowed: Vec<PathBuf>,
    /// The user typed the names themselves, which may lead anywhere.
    typed: bool,
}

impl Project {
    /// The project of a document that the user named: the nearest folder above it that holds
    /// `.git`, else its own folder; and the folders of `--allow-path`.
    ///
    /// # Errors
    /// A folder of `--allow-path` that is not there; a document by a relative path that is a link
    /// out of its project.
    pub(super) fn of(document: &Path, global: &Global) -> Result<Self> {
        let own = real(folder(document));
        let mut project = Self::of_folder(repository(&own).unwrap_or(&own), global)?;
        project.typed = global.asked.is_some();
        let target = fs::canonicalize(document).ok().filter(|target| target.is_file());
        if document.is_relative() && target.is_some_and(|target| !project.holds(&target)) {
            let message = format!("{} is a link out of its project", document.display());
            return Err(Error::input(message).hint("name the file itself, or --allow-path DIR"));
        }
        Ok(project)
    }

    /// The project of a model's folder: that of a document in it; in the Hub's cache, where a
    /// snapshot is links into the blobs beside, the folder of the repository.
    ///
    /// # Errors
    /// A folder of `--allow-path` that is not there.
    pub(super) fn of_model(folder: &Path, global: &Global) -> Result<Self> {
        let own = real(if folder == Path::new("") { Path::new(".") } else { folder });
        let snapshots = own.parent().filter(|above| above.ends_with("snapshots"));
        let cached = snapshots.and_then(Path::parent).filter(|it| it.join("blobs").is_dir());
        Self::of_folder(cached.or_else(|| repository(&own)).unwrap_or(&own), global)
    }

    fn of_folder(root: &Path, global: &Global) -> Result<Self> {
        let mut project = Self::below(root);
        for allowed in &global.allow_path {
            let found =
                fs::canonicalize(allowed).and_then(|it| Ok([std::path::absolute(allowed)?, it]));
            project.allowed.extend(found.map_err(|error| {
                Error::input(format!("--allow-path {}: {error}", allowed.display()))
            })?);
        }
        Ok(project)
    }

    /// A folder and what lies in it.
    pub(super) fn below(folder: &Path) -> Self {
        Self { root: real(folder), allowed: Vec::new(), typed: false }
    }

    /// The path of the file that `document` names; it need not exist. Of what lies outside,
    /// nothing is asked, so that no message says what is there.
    ///
    /// # Errors
    /// It leads out of the project, as written or by a link, or to what is no regular file.
    pub(super) fn find(&self, document: &Path, name: &str) -> Result<PathBuf> {
        if self.typed {
            return Ok(folder(document).join(name));
        }
        let written = plain(&real(folder(document)).join(name));
        let outside = || {
            let error =
                Error::input(format!("{name} is outside the project of {}", document.display()));
            let relative = "a document names files relative to itself";
            let error = if Path::new(name).is_absolute() { error.hint(relative) } else { error };
            error.hint("copy it there, or allow its folder: --allow-path DIR")
        };
        let is_own = written.starts_with(&self.root) && Path::new(name).is_relative();
        if !is_own && !self.allowed.iter().any(|folder| written.starts_with(folder)) {
            return Err(outside());
        }
        // The repository's own machinery keeps keys there.
        let machinery = |path: &Path| path.components().any(|part| part.as_os_str() == GIT);
        if machinery(&written) {
            return Err(Error::input(format!("{name} is inside {GIT}, where no document is")));
        }
        let path = folder(document).join(name);
        let Ok(target) = fs::canonicalize(&path) else { return Ok(path) };
        if !self.holds(&target) || machinery(&target) {
            return Err(outside());
        }
        if target.is_dir() || target.is_file() {
            return Ok(path);
        }
        Err(Error::input(format!("{name} is no regular file")))
    }

    /// True if a path without links is of the project.
    fn holds(&self, target: &Path) -> bool {
        self.allowed.iter().chain([&self.root]).any(|folder| target.starts_with(folder))
    }
}

const GIT: &str = ".git";

/// The nearest folder above that holds `.git`.
fn repository(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|above| above.join(GIT).exists())
}

/// The folder that a document's names start from.
fn folder(document: &Path) -> &Path {
    let parent = document.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// A folder with its links resolved; one that is not there stays as it is written.
fn real(folder: &Path) -> PathBuf {
    fs::canonicalize(folder)
        .or_else(|_| std::path::absolute(folder))
        .unwrap_or_else(|_| folder.to_owned())
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}
