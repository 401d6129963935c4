//! The rows that a scenario used, so that it gives the same answer wherever and whenever it runs.
//!
//! A catalog that records ([`Catalog::recording`]) notes every name that is looked up in a table,
//! found or not. [`Catalog::lock`] writes down the rows of these names; a catalog made of them
//! ([`Catalog::locked`]) holds nothing else, and tells which look-ups it has no answer to because
//! they were not made then ([`Catalog::check_lock`]).
//!
//! Each row carries the SHA-256 of its text, so that an edited lock is refused. The sources that
//! the rows cite are locked with them.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use chrono::NaiveDate;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Catalog;
use super::doctor::is_citation;
use super::source::Source;
use super::table::{Layer, Overlay, Row, Sources, Stored};
use crate::diagnostic::{Error, Result};

/// Rows of the catalog, carried beside the scenarios that used them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// `flopcast.lock/1`.
    pub schema: String,
    /// The version of flopcast that wrote it.
    pub flopcast: String,
    /// The files that it binds, relative to its own place.
    pub scenarios: BTreeSet<String>,
    /// The day as of which the catalog was read, where one was named.
    pub as_of: Option<NaiveDate>,
    /// Path of a table: its rows.
    tables: IndexMap<String, LockedTable>,
}

/// The rows of one table, with the look-ups that they answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LockedTable {
    columns: String,
    /// First cells that were looked up, found or not: one of a row, or two of it with a comma;
    /// an empty one stands for the whole table.
    names: BTreeSet<String>,
    rows: Vec<LockedRow>,
}

/// A row as a line of its table, with its layer and its SHA-256.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LockedRow {
    layer: Layer,
    row: String,
    sha256: String,
}

/// The look-ups so far: table and first cell.
pub(super) type LookUps = Mutex<BTreeSet<(&'static str, String)>>;

/// The form of the file.
const SCHEMA: &str = "flopcast.lock/1";

/// Reads a lock from the JSON text of its file.
impl Lock {
    /// Reads a lock.
    ///
    /// # Errors
    /// If the text is not a lock of this form.
    pub fn parse(text: &str) -> Result<Self> {
        let again = "write it anew: `flopcast lock FILE...`";
        let lock: Self = serde_json::from_str(text).map_err(|error| {
            Error::input(format!("the lock cannot be read: {error}")).hint(again)
        })?;
        if lock.schema != SCHEMA {
            let message = format!("the lock is of the form `{}`, not {SCHEMA}", lock.schema);
            return Err(Error::input(message).hint(again));
        }
        Ok(lock)
    }

    /// The text of the file: JSON, indented, with a newline at the end.
    pub fn text(&self) -> String {
        // Serialising this program's own values cannot fail.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// The number of rows that it carries.
    pub fn rows(&self) -> usize {
        self.tables.values().map(|table| table.rows.len()).sum()
    }

    /// True if some of them were fetched.
    pub fn has_fetched(&self) -> bool {
        let mut rows = self.tables.values().flat_map(|table| &table.rows);
        rows.any(|row| row.layer == Layer::Fetched)
    }

    /// True if the look-up was made when the lock was written, whether it found a row or not.
    fn covers(&self, table: &str, name: &str) -> bool {
        let names = self.tables.get(table).map(|table| &table.names);
        let first = name.split_once(',').map_or(name, |(first, _)| first);
        names.is_some_and(|names| ["", first, name].iter().any(|name| names.contains(*name)))
    }

    /// Its tables as layers over an empty catalog, each row checked against its SHA-256; rows that
    /// none of the `known` catalogs has are told apart.
    fn overlays(&self, known: &Known) -> Result<Vec<Overlay>> {
        let mut overlays = Vec::new();
        for (file, table) in &self.tables {
            let layers = [Layer::Embedded, Layer::Fetched, Layer::Own];
            for (layer, by_lock) in layers.into_iter().flat_map(|it| [(it, false), (it, true)]) {
                let mut text = format!("{}\n", table.columns);
                let mut empty = true;
                let is =
                    |row: &&LockedRow| row.layer == layer && by_lock != known.has(file, table, row);
                for row in table.rows.iter().filter(is) {
                    if hash(&row.row) != row.sha256 {
                        let start: String = row.row.chars().take(60).collect();
                        let message =
                            format!("the lock's row `{start}` of {file} does not match its hash");
                        return Err(Error::input(message)
                            .hint("the lock was edited; restore it, or lock the scenario again"));
                    }
                    text += &row.row;
                    text.push('\n');
                    empty = false;
                }
                if !empty {
                    overlays.push(Overlay { name: file.clone(), text, layer, by_lock });
                }
            }
        }
        Ok(overlays)
    }
}

impl Catalog {
    /// Makes the catalog note every look-up from here on.
    #[must_use]
    pub fn recording(mut self) -> Self {
        self.look_ups = Some(LookUps::default());
        self
    }

    /// The rows behind every look-up since [`Catalog::recording`], for the `scenarios` that made
    /// them; `version` is that of this program.
    ///
    /// # Errors
    /// If an overlay is faulty.
    pub fn lock(&self, scenarios: BTreeSet<String>, version: &str) -> Result<Lock> {
        let mut tables = IndexMap::new();
        let looked_up = self.looked_up();
        let mut cited = BTreeSet::new();
        for (file, columns, rows) in self.stored()? {
            let names = looked_up.iter().filter(|(table, _)| *table == file);
            let names: BTreeSet<String> = names.map(|(_, name)| name.clone()).collect();
            if names.is_empty() {
                continue;
            }
            let used = rows.into_iter().filter(|row| {
                names.contains("")
                    || names.contains(&row.cells[0])
                    || names.contains(&row.cells[..2].join(","))
            });
            let citations = columns.iter().map(|column| is_citation(column)).collect::<Vec<_>>();
            let rows = used
                .map(|row| {
                    let cells = row.cells.iter().zip(&citations).filter(|(_, cites)| **cites);
                    let ids = cells.flat_map(|(cell, _)| cell.split_whitespace());
                    cited.extend(ids.map(str::to_owned));
                    LockedRow::new(&row)
                })
                .collect();
            let columns = columns.join(",");
            tables.insert(file.to_owned(), LockedTable { columns, names, rows });
        }
        let sources = self.stored_sources()?.into_iter();
        let rows = sources
            .filter(|row| row.cells.first().is_some_and(|id| cited.contains(id)))
            .map(|row| LockedRow::new(&row))
            .collect();
        let file = <std::sync::Arc<Source> as Row>::FILE;
        let columns = <std::sync::Arc<Source> as Row>::columns().join(",");
        tables.insert(file.to_owned(), LockedTable { columns, names: cited, rows });
        let (schema, flopcast) = (SCHEMA.to_owned(), version.to_owned());
        Ok(Lock { schema, flopcast, scenarios, as_of: self.as_of, tables })
    }

    /// A catalog of the lock's rows alone. A hash beside a row cannot say who wrote the row, so what
    /// none of the `known` catalogs has is told apart as given by the lock.
    ///
    /// # Errors
    /// If a row is not as it was locked, or if this version cannot read it.
    pub fn locked(lock: Lock, known: &[Self]) -> Result<Self> {
        let known = Known::of(&lock, known)?;
        let overlays = lock.overlays(&known)?;
        let strange = lock.tables.iter().flat_map(|(file, table)| {
            let rows = table.rows.iter().filter(|row| !known.has(file, table, row));
            let key = |row: &LockedRow| row.row.split(',').take(3).collect::<Vec<_>>().join(",");
            rows.map(move |row| format!("{file}:{}", key(row)))
        });
        let by_lock = strange.collect();
        let catalog = Self { as_of: lock.as_of, lock: Some(lock), by_lock, ..Self::embedded() };
        catalog.recording().over(overlays)
    }

    /// The rows of the lock that no known catalog has, by table and first cells.
    pub fn given_by_lock(&self) -> &[String] {
        &self.by_lock
    }

    /// Checks that every look-up so far has its answer in the lock, if there is one. A row that the
    /// lock does not carry is unknown here, not absent.
    ///
    /// # Errors
    /// If a look-up was not made when the lock was written: the scenario has changed since.
    pub fn check_lock(&self) -> Result<()> {
        let Some(lock) = &self.lock else { return Ok(()) };
        let mut missing = self.looked_up();
        missing.retain(|(table, name)| !lock.covers(table, name));
        // A message about something not found looks through whole tables; the longest name is
        // what it is about.
        let longest = missing.iter().max_by_key(|(_, name)| name.len());
        let Some((table, name)) = longest else { return Ok(()) };
        Err(Error::input(format!("flopcast.lock does not carry `{name}` of {table}"))
            .hint("the scenario has changed since it was locked: `flopcast lock FILE`")
            .hint("or estimate it with today's catalog: --no-lock"))
    }

    /// The look-ups that were noted.
    fn looked_up(&self) -> BTreeSet<(&'static str, String)> {
        let look_ups = self.look_ups.as_ref();
        let look_ups = look_ups.map(|it| it.lock().unwrap_or_else(PoisonError::into_inner));
        look_ups.map(|it| it.clone()).unwrap_or_default()
    }

    /// The publications as rows of text.
    fn stored_sources(&self) -> Result<Vec<Stored>> {
        Sources::stored(None, &self.overlays, self.lock.is_some())
    }
}

/// The rows that catalogs have of the tables of a lock, with their layers, and the columns.
struct Known(BTreeSet<(&'static str, Layer, String)>, IndexMap<&'static str, String>);

impl Known {
    /// The rows that the catalogs have of the tables of a lock.
    ///
    /// # Errors
    /// If an overlay of a catalog is faulty.
    fn of(lock: &Lock, catalogs: &[Catalog]) -> Result<Self> {
        type Publication = std::sync::Arc<Source>;
        let (mut known, mut headers) = (BTreeSet::new(), IndexMap::new());
        for catalog in catalogs {
            let sources = (Publication::FILE, Publication::columns(), catalog.stored_sources()?);
            for (file, columns, rows) in catalog.stored()?.into_iter().chain([sources]) {
                if lock.tables.contains_key(file) {
                    headers.insert(file, columns.join(","));
                    known.extend(rows.iter().map(|row| (file, row.layer, row.text())));
                }
            }
        }
        Ok(Self(known, headers))
    }

    /// True if one of them has the row, column by column.
    fn has(&self, file: &str, table: &LockedTable, row: &LockedRow) -> bool {
        let file = Catalog::TABLES.iter().find(|known| **known == file);
        let Some(file) = file else { return false };
        // A row says something else under other columns.
        self.1.get(file).is_some_and(|columns| *columns == table.columns)
            && self.0.contains(&(*file, row.layer, row.row.clone()))
    }
}

impl LockedRow {
    /// A row with its hash.
    fn new(row: &Stored) -> Self {
        let text = row.text();
        Self { layer: row.layer, sha256: hash(&text), row: text }
    }
}

/// SHA-256 of a row in hexadecimal digits.
fn hash(row: &str) -> String {
    Sha256::digest(row).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
