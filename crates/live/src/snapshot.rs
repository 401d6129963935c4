//! The rows of a source on a day, in a file of its own: whole or not at all.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use flopcast_core::catalog::{Catalog, quoted};
use flopcast_core::diagnostic::{Error, Result};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// The rows that a source gave, part by part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// `flopcast.snapshot/1`.
    pub schema: String,
    /// The source's name.
    pub source: String,
    /// The title of its publication.
    pub title: String,
    /// The address of its description.
    pub reference: String,
    /// Terms under which its figures may be used.
    pub licence: String,
    /// The day it was asked.
    pub date: NaiveDate,
    /// Name of a part, such as a region: its rows.
    pub parts: IndexMap<String, Part>,
    /// Rows of the source that are not kept, each with the reason; the file does not hold them.
    #[serde(skip)]
    pub held_back: Vec<String>,
}

/// The rows of one part of a source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The day its rows were read, or were still right.
    pub date: NaiveDate,
    /// The server's tag of this copy.
    pub etag: Option<String>,
    /// Path of a table of the catalog: columns, then rows.
    pub tables: IndexMap<String, Vec<String>>,
}

/// A folder of snapshots: `SOURCE/DATE.json`.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
    today: Option<NaiveDate>,
}

/// The form of the file.
pub(super) const SCHEMA: &str = "flopcast.snapshot/1";
/// A larger file is none of ours.
pub(super) const MAX_BYTES: u64 = 64 << 20;

impl Snapshot {
    /// The number of its rows.
    pub fn rows(&self) -> usize {
        let tables = self.parts.values().flat_map(|part| part.tables.values());
        tables.map(|lines| lines.len().saturating_sub(1)).sum()
    }

    /// The file's text.
    pub fn text(&self) -> String {
        // Values of this program always serialise.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Its tables, every row dated and sourced, ready for [`Catalog::with_fetched`].
    pub fn tables(&self) -> Vec<(String, String)> {
        let id = format!("live-{}", self.source);
        let about = [&id, &self.title, &self.licence, &self.reference, &self.date.to_string()];
        let about: Vec<_> = about.iter().map(|cell| quoted(cell)).collect();
        let source = format!("id,title,licence,reference,date\n{}\n", about.join(","));
        let mut tables = IndexMap::from([("sources.csv".to_owned(), source)]);
        for part in self.parts.values() {
            for (file, lines) in &part.tables {
                let Some((columns, rows)) = lines.split_first() else { continue };
                // A table of prices is dated by column, a series by what its rows are about.
                let dated = file.starts_with("pricing/");
                let date = if dated { format!("{},", part.date) } else { String::new() };
                let head = if dated { "as_of," } else { "" };
                let text = tables
                    .entry(file.clone())
                    .or_insert_with(|| format!("{columns},{head}source\n"));
                for row in rows {
                    text.extend([row, ",", &date, &id, "\n"]);
                }
            }
        }
        tables.into_iter().collect()
    }

    /// A catalog with this snapshot over it.
    ///
    /// # Errors
    /// Its rows are none that the catalog can hold.
    pub fn over(&self, catalog: Catalog) -> Result<Catalog> {
        let tables = self.tables();
        let tables: Vec<_> = tables.iter().map(|(f, text)| (f.as_str(), text.as_str())).collect();
        catalog.with_fetched(&tables)
    }
}

impl Store {
    /// Snapshots in a folder, which need not exist.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), today: None }
    }

    /// The same, read on this day: a snapshot of a later one was made by a clock that was wrong.
    #[must_use]
    pub fn on(self, today: NaiveDate) -> Self {
        Self { today: Some(today), ..self }
    }

    /// The path of a snapshot.
    pub fn path(&self, source: &str, date: NaiveDate) -> PathBuf {
        self.folder.join(source).join(format!("{date}.json"))
    }

    /// The newest usable snapshot of every source, by name; none later than `as_of`.
    /// A snapshot that is passed over is told.
    pub fn newest(&self, as_of: Option<NaiveDate>, say: &mut dyn FnMut(&str)) -> Vec<Snapshot> {
        let mut sources = names(&self.folder);
        sources.sort();
        sources.iter().filter_map(|source| self.newest_of(source, as_of, say)).collect()
    }

    /// The newest snapshot of a source that can be used; what is passed over is said.
    pub fn newest_of(
        &self,
        source: &str,
        as_of: Option<NaiveDate>,
        say: &mut dyn FnMut(&str),
    ) -> Option<Snapshot> {
        let dates = names(&self.folder.join(source)).into_iter();
        let dates = dates.filter_map(|name| name.strip_suffix(".json")?.parse::<NaiveDate>().ok());
        let mut dates: Vec<NaiveDate> =
            dates.filter(|date| as_of.is_none_or(|as_of| *date <= as_of)).collect();
        dates.sort();
        dates.into_iter().rev().find_map(|date| {
            let path = self.path(source, date);
            let snapshot = if self.today.is_some_and(|today| date > today) {
                Err(unusable(&path, "it is dated in the future"))
            } else {
                read(&path).and_then(|snapshot| snapshot.named(source, date, &path))
            };
            snapshot.map_err(|error| say(&error.to_string())).ok()
        })
    }

    /// Every snapshot that can be used, whatever its day; what is passed over is said.
    pub fn all(&self, say: &mut dyn FnMut(&str)) -> Vec<Snapshot> {
        let mut sources = names(&self.folder);
        sources.sort();
        let mut found = Vec::new();
        for source in sources {
            let mut before = None;
            while let Some(snapshot) = self.newest_of(&source, before, say) {
                before = snapshot.date.pred_opt();
                found.push(snapshot);
                if before.is_none() {
                    break;
                }
            }
        }
        found
    }

    /// The catalog with the newest snapshots over it; what is passed over is said.
    ///
    /// # Errors
    /// None in practice: each snapshot was tried by itself.
    pub fn over(
        &self,
        catalog: Catalog,
        as_of: Option<NaiveDate>,
        say: &mut dyn FnMut(&str),
    ) -> Result<Catalog> {
        let snapshots = self.newest(as_of, say);
        let tables: Vec<_> = snapshots.iter().flat_map(Snapshot::tables).collect();
        let tables: Vec<_> = tables.iter().map(|(f, text)| (f.as_str(), text.as_str())).collect();
        if tables.is_empty() { Ok(catalog) } else { catalog.with_fetched(&tables) }
    }
}

impl Snapshot {
    /// The snapshot, where it is what its path says and the catalog can hold its rows.
    fn named(self, source: &str, date: NaiveDate, path: &Path) -> Result<Self> {
        if self.source != source || self.date != date {
            return Err(unusable(path, "it is one of another source or day"));
        }
        match self.over(Catalog::embedded()) {
            Ok(_) => Ok(self),
            Err(error) => Err(unusable(path, error.message())),
        }
    }
}

/// Names in a folder; none if there is no folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

/// A snapshot of a file.
///
/// # Errors
/// If the file is missing, too large, or no snapshot.
fn read(path: &Path) -> Result<Snapshot> {
    let failed = |error: &dyn std::fmt::Display| unusable(path, &error.to_string());
    if !fs::metadata(path).map_err(|error| failed(&error))?.is_file() {
        return Err(unusable(path, "it is no regular file"));
    }
    let mut text = String::new();
    let file = fs::File::open(path).map_err(|error| failed(&error))?;
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(|error| failed(&error))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(unusable(path, "it is too large"));
    }
    let snapshot: Snapshot = serde_json::from_str(&text).map_err(|error| failed(&error))?;
    if snapshot.schema != SCHEMA {
        return Err(unusable(path, &format!("its form is `{}`, not {SCHEMA}", snapshot.schema)));
    }
    Ok(snapshot)
}

/// The error of a snapshot that is passed over, with what to do.
fn unusable(path: &Path, why: &str) -> Error {
    Error::input(format!("the snapshot {} is passed over: {why}", path.display()))
        .hint("delete it, or run `flopcast catalog refresh`")
}
