//! `flopcast lock`: the catalog's rows that scenarios use, pinned beside them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use flopcast_core::catalog::Lock;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_report::text::visible_lines;

use super::input::read_bytes;
use super::project::Project;
use super::{Global, load, output, print};

/// Options of `flopcast lock`.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// Scenario files of one folder. Scenarios that its lock binds already are locked anew.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// A lock in its place.
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) lock: Lock,
}

const NAME: &str = "flopcast.lock";
const MAX_BYTES: u64 = 64 << 20;

impl Options {
    /// Forecasts the scenarios, and writes the rows that they looked up to `flopcast.lock`.
    ///
    /// # Errors
    /// If a scenario cannot be forecast, or they lie in different folders.
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode> {
        let folder = folder(&self.files[0]);
        if let Some(other) = self.files.iter().find(|file| self::folder(file) != folder) {
            let message = format!("{} is in another folder", other.display());
            return Err(Error::input(message).hint("a lock lies beside the scenarios it binds"));
        }
        let mut names: BTreeSet<String> = self.files.iter().map(|file| name(file)).collect();
        if let Some(earlier) = beside(&self.files[0], global)? {
            for name in earlier.lock.scenarios {
                let path = Project::below(folder).find(&earlier.path, &name);
                let path =
                    path.map_err(|error| error.within(&earlier.path.display().to_string()))?;
                if path.is_file() {
                    names.insert(name);
                }
            }
        }
        let catalog = load::catalog(global)?.recording();
        for name in &names {
            let scenario = load::scenario(&folder.join(name), &catalog, global)?;
            load::engine(&scenario, &catalog)?.run()?;
        }
        let lock = catalog.lock(names, env!("CARGO_PKG_VERSION"))?;
        let path = folder.join(NAME);
        output::write(&path, &lock.text(), true)?;
        let (rows, count) = (lock.rows(), lock.scenarios.len());
        let text = format!("{}: {rows} rows for {count} scenario(s)\n", path.display());
        print(&visible_lines(&text))
    }
}

impl Found {
    /// True if the lock is one for this scenario.
    pub(super) fn binds(&self, scenario: &Path) -> bool {
        self.lock.scenarios.contains(&name(scenario))
    }
}

/// The lock beside a scenario, if there is one.
pub(super) fn beside(scenario: &Path, global: &Global) -> Result<Option<Found>> {
    if fs::symlink_metadata(folder(scenario).join(NAME)).is_err() {
        return Ok(None);
    }
    let path = Project::of(scenario, global)?.find(scenario, NAME)?;
    let text = String::from_utf8(read_bytes(&path, MAX_BYTES)?)
        .map_err(|_| Error::input(format!("{} is not UTF-8 text", path.display())))?;
    let lock = Lock::parse(&text).map_err(|error| error.within(&path.display().to_string()))?;
    Ok(Some(Found { path, lock }))
}

/// The folder of a file.
fn folder(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}

/// The name of a file without its folder.
fn name(file: &Path) -> String {
    file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
