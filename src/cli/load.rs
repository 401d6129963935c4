//! From the command line's files to resolved scenarios.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use flopcast_api::{Asked, Session};
use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::Engine;
use flopcast_core::estimate::plan::Scenario;
use flopcast_live::{Snapshot as Fetched, Store};
use flopcast_scenario::document::Node;
use flopcast_scenario::{Files, Models};
use flopcast_study::snapshot::Snapshot;
use rayon::prelude::*;

use super::input::{document, names, read_bytes, read_head, read_part, read_text, size};
use super::progress::Progress;
use super::project::Project;
use super::{Global, hub, lock, tell};

/// Longer traces are refused.
const MAX_TRACE_BYTES: u64 = 128 << 20;

/// A variable of the environment.
#[expect(clippy::disallowed_methods, reason = "the command line may read the environment")]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The folder that a variable names.
pub(super) fn folder(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The folder in which flopcast keeps what it fetched.
pub(super) fn cache(global: &Global) -> PathBuf {
    let default = || {
        let caches = folder("XDG_CACHE_HOME").or_else(|| folder("LOCALAPPDATA"));
        let caches = caches.or_else(|| Some(folder("HOME")?.join(".cache")));
        caches.unwrap_or_else(std::env::temp_dir).join("flopcast")
    };
    global.cache_dir.clone().unwrap_or_else(default)
}

/// The snapshots of `catalog refresh`.
pub(super) fn store(global: &Global) -> Store {
    Store::new(cache(global)).on(now().date_naive())
}

/// Says that a snapshot is passed over.
pub(super) fn passed_over(why: &str) {
    tell(&format!("warning: {why}"));
}

/// The time by this machine's clock.
#[expect(clippy::disallowed_methods, reason = "the command line may read the clock")]
pub(super) fn now() -> chrono::DateTime<chrono::Utc> {
    std::time::SystemTime::now().into()
}

/// The embedded catalog under what was fetched and the user's data folder, as of the day asked
/// for.
pub(super) fn catalog(global: &Global) -> Result<Catalog> {
    let mut catalog = store(global).over(Catalog::embedded(), global.as_of, &mut passed_over)?;
    if let Some(folder) = &global.data_dir {
        catalog = overlay(catalog, folder)?;
    }
    Ok(match global.as_of {
        Some(date) => catalog.as_of(date),
        None => catalog,
    })
}

/// Does the same with several scenarios, side by side; the results and the first error are in the
/// order of the files. Scenarios without a lock share a catalog.
///
/// # Errors
/// As [`catalog_of`] and `of`.
pub(super) fn each<T: Send>(
    files: &[impl AsRef<Path> + Sync],
    global: &Global,
    of: impl Fn(&Path, &Catalog) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let shared = OnceLock::new();
    let one = |path: &Path| match binding(path, global)? {
        None => match shared.get_or_init(|| catalog(global)) {
            Ok(catalog) => of(path, catalog),
            Err(error) => Err(error.clone()),
        },
        Some(lock) => of(path, &locked(lock, global)?),
    };
    // One alone wakes no other thread.
    if let [file] = files {
        return Ok(vec![one(file.as_ref())?]);
    }
    let all: Vec<_> = files.par_iter().map(|path| one(path.as_ref())).collect();
    all.into_iter().collect()
}

/// The catalog that a scenario is read with: the rows that `flopcast.lock` beside it pins, or the
/// one of [`catalog`].
pub(super) fn catalog_of(scenario: &Path, global: &Global) -> Result<Catalog> {
    match binding(scenario, global)? {
        None => catalog(global),
        Some(lock) => locked(lock, global),
    }
}

/// The lock beside a scenario, where it binds it.
fn binding(scenario: &Path, global: &Global) -> Result<Option<lock::Found>> {
    let lock = lock::beside(scenario, global)?;
    Ok(lock.filter(|lock| !global.no_lock && lock.binds(scenario)))
}

/// The catalog that a lock pins.
fn locked(lock: lock::Found, global: &Global) -> Result<Catalog> {
    if global.as_of.is_some_and(|date| lock.lock.as_of != Some(date)) {
        return Err(Error::input(format!("{} pins the catalog", lock.path.display()))
            .hint("--as-of reads another one: --no-lock says so"));
    }
    let mut known = vec![catalog(global)?, Catalog::embedded()];
    if lock.lock.has_fetched() {
        let snapshots = store(global).all(&mut |_| {});
        let over = |snapshot: Fetched| snapshot.over(Catalog::embedded());
        known.extend(snapshots.into_iter().map(over).collect::<Result<Vec<_>>>()?);
    }
    Catalog::locked(lock.lock, &known)
        .map_err(|error| error.within(&lock.path.display().to_string()))
}

/// Largest table of a user's data folder.
const MAX_TABLE_BYTES: u64 = 16 << 20;

/// The catalog under the tables of a folder (`--data-dir`).
///
/// # Errors
/// If a table in it is faulty, or none of its files is a table.
fn overlay(catalog: Catalog, folder: &Path) -> Result<Catalog> {
    let mut texts = Vec::new();
    for table in Catalog::TABLES {
        let nested = folder.join(table);
        let flat = folder.join(Path::new(table).file_name().unwrap_or_default());
        for path in [nested, flat] {
            if path.is_file() {
                texts.push((*table, read_text(&path, MAX_TABLE_BYTES)?));
                break;
            }
        }
    }
    if texts.is_empty() {
        return Err(Error::input(format!("{} holds no table of the catalog", folder.display()))
            .hint(format!("it may hold {}", Catalog::TABLES.join(", "))));
    }
    let files: Vec<_> = texts.iter().map(|(name, text)| (*name, text.as_str())).collect();
    catalog.with_overlay(&files)
}

/// A session about a scenario: its files, and a bar of progress.
pub(super) struct About<'a> {
    catalog: &'a Catalog,
    files: Beside<'a>,
    bar: Progress,
}

impl<'a> About<'a> {
    /// The session of a scenario's file.
    pub(super) fn new(path: &'a Path, catalog: &'a Catalog, global: &'a Global) -> Result<Self> {
        Ok(Self { catalog, files: Beside::new(path, global)?, bar: Progress::new() })
    }

    /// Asks within the session; the bar is gone then.
    pub(super) fn ask<T>(&self, question: impl FnOnce(&Session<'_>) -> T) -> T {
        let Self { catalog, files, bar } = self;
        let watch = |what: &str, share: f64| {
            bar.bar(what, share);
            Ok(())
        };
        // However often the question reads the scenario, a model is built once.
        let files = &Models::new(files);
        let answer = question(&Session { catalog, files, today: None, watch: &watch });
        bar.show("");
        answer
    }
}

/// A scenario of a file, typed; all its faults are said, the last one as the command's own.
pub(super) fn asked(path: &Path, global: &Global) -> Result<Asked> {
    typed(document(path, global)?)
}

/// A document as a scenario; see [`asked`].
pub(super) fn typed(document: Node) -> Result<Asked> {
    Asked::read(document).map_err(|mut faults| {
        let last = faults.pop().unwrap_or_else(|| Error::input("this is no scenario"));
        for fault in &faults {
            tell(&format!("error: {fault}"));
        }
        last
    })
}

/// A scenario of a file, resolved.
pub(super) fn scenario(path: &Path, catalog: &Catalog, global: &Global) -> Result<Scenario> {
    let asked = asked(path, global)?;
    About::new(path, catalog, global)?.ask(|session| session.resolve(&asked.file))
}

/// A scenario made ready to be forecast.
pub(super) fn engine(scenario: &Scenario, catalog: &Catalog) -> Result<Engine> {
    Session::new(catalog).engine(scenario)
}

/// A scenario's forecast as a snapshot, with the engines that made it.
pub(super) fn snapshot(
    path: &Path,
    catalog: &Catalog,
    global: &Global,
) -> Result<(Snapshot, Vec<Engine>)> {
    let asked = asked(path, global)?;
    About::new(path, catalog, global)?.ask(|session| flopcast_api::snapshot(session, &asked))
}

/// Files that a scenario names.
pub(super) struct Beside<'a> {
    scenario: &'a Path,
    project: Project,
    global: &'a Global,
}

impl<'a> Beside<'a> {
    /// Those of the scenario's project.
    pub(super) fn new(scenario: &'a Path, global: &'a Global) -> Result<Self> {
        Ok(Self { scenario, project: Project::of(scenario, global)?, global })
    }

    /// The path of a file: in the Hub's cache, or in the project. What lies beside a model of the Hub
    /// is not asked for.
    fn place(&self, name: &str) -> Result<PathBuf> {
        match hub::file(name, self.global)? {
            Some(path) => Ok(path),
            None => self.project.find(self.scenario, name),
        }
    }
}

impl Files for Beside<'_> {
    fn read(&self, name: &str) -> Result<Vec<u8>> {
        read_bytes(&self.place(name)?, MAX_TRACE_BYTES)
    }

    fn head(&self, name: &str, most: u64) -> Result<Vec<u8>> {
        read_head(&self.place(name)?, most)
    }

    fn part(&self, name: &str, from: u64, most: u64) -> Result<Vec<u8>> {
        read_part(&self.place(name)?, from, most)
    }

    fn size(&self, name: &str) -> Option<u64> {
        size(&self.project.find(self.scenario, name).ok()?)
    }

    fn names(&self, name: &str) -> Option<Vec<String>> {
        names(&self.project.find(self.scenario, name).ok()?)
    }
}
