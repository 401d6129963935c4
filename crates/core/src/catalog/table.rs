//! Tables: comma-separated text into typed rows, strictly, with the place in every error.
//!
//! The rows that share their leading cells are a group (the prices of a provider, the years of a
//! zone), and a group is read when it is first asked for: an estimate needs few of them.
//!
//! A table is strict: an unknown column, a row of another length, an open quote, a second row of
//! one key, a number that is zero or negative where a quantity is above zero, a value without a
//! source and an unknown source are errors, with file and line. An empty cell is a gap. The unit of
//! a number is in its column's name, and the reader of the column multiplies by it once.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use flopcast_data::Csv;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::source::{AsOf, Citation, Source, Sourced};
use crate::diagnostic::{Error, Result};
use crate::quantity::Measure;

/// The publications by their short name.
pub(super) type Sources = Table<Arc<Source>>;

/// A row type: one table, embedded at build time, that an overlay may add to.
pub(super) trait Row: Sized {
    /// The embedded table; its header names every valid column.
    const TABLE: &'static Csv;
    /// Path inside the data folders.
    const FILE: &'static str = Self::TABLE.file;
    /// Reads one row.
    fn read(cells: &Cells<'_>) -> Result<Self>;
    /// The cells that identify the row: an overlay's row of the same key replaces it.
    fn key(&self) -> String;
    /// Every valid column, in the order of the embedded table.
    fn columns() -> Vec<&'static str> {
        Self::TABLE.header().split(',').collect()
    }
}

/// A row as text, with a cell for every valid column.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    /// The layer that it stands in.
    pub layer: Layer,
    /// Its cells.
    pub cells: Vec<String>,
}

/// Numbers of a table that are not zero: products of several of them stay finite.
const SENSIBLE: std::ops::RangeInclusive<f64> = 1e-18..=1e18;

impl Stored {
    /// The row as a line of a table.
    pub(super) fn text(&self) -> String {
        let cells = self.cells.iter().map(|cell| quoted(cell));
        cells.collect::<Vec<_>>().join(",")
    }
}

/// A cell as it stands in a table: quoted if it has a comma or a quote.
pub fn quoted(cell: &str) -> Cow<'_, str> {
    if cell.contains([',', '"']) {
        Cow::Owned(format!("\"{}\"", cell.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(cell)
    }
}

/// The layer that a row stands in; a later layer overrides an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Layer {
    /// The row is in the binary.
    Embedded,
    /// The row is in a list that was fetched.
    Fetched,
    /// The row is in the user's own tables.
    Own,
}

/// A table that lies over an embedded one.
#[derive(Clone, Debug)]
pub(super) struct Overlay {
    /// The path as the user named it.
    pub name: String,
    /// Its text.
    pub text: String,
    /// The layer that its rows stand in.
    pub layer: Layer,
    /// True if its rows are a lock's alone.
    pub by_lock: bool,
}

impl Overlay {
    /// True if this is the table of that path: `pricing/prices.csv`, or just `prices.csv`.
    pub(super) fn is(&self, file: &str) -> bool {
        let name = self.name.replace('\\', "/");
        let base = file.rsplit('/').next().unwrap_or(file);
        name == file || name.rsplit('/').next() == Some(base)
    }
}

/// A table, read group by group.
#[derive(Debug)]
pub(super) struct Table<T> {
    /// The embedded groups, unless there are none, and those of overlays.
    groups: Vec<Group<T>>,
    bare: bool,
    /// Groups that overlays added, by the cells that their rows share.
    added: BTreeMap<String, BTreeMap<String, usize>>,
}

/// Rows that share their leading cells.
#[derive(Debug)]
struct Group<T> {
    /// Where they are embedded.
    place: Option<flopcast_data::Group>,
    rows: OnceLock<Vec<T>>,
}

impl<T: Row> Table<T> {
    /// The embedded table, unless `bare`, with the overlays over it; only the overlays are read.
    ///
    /// # Errors
    /// If an overlay is faulty.
    pub(super) fn new(sources: Option<&Sources>, overlays: &[Overlay], bare: bool) -> Result<Self> {
        let embedded = if bare { &[] } else { T::TABLE.groups() };
        let group = |place: &flopcast_data::Group| Group::new(Some(*place));
        let groups = embedded.iter().map(group).collect();
        let mut table = Self { groups, bare, added: BTreeMap::new() };
        for overlay in overlays.iter().filter(|o| o.is(T::FILE)) {
            table.lay_over(sources, overlay)?;
        }
        Ok(table)
    }

    /// Reads the rows of an overlay: each replaces the row of its key, or is added to the group of
    /// its first cell.
    fn lay_over(&mut self, sources: Option<&Sources>, overlay: &Overlay) -> Result<()> {
        let mut keys = BTreeSet::new();
        // The places of the rows of each group that the overlay adds to.
        let mut known: BTreeMap<usize, HashMap<String, usize>> = BTreeMap::new();
        let mut read = |cells: &Cells<'_>| {
            let row = T::read(cells)?;
            let key = row.key();
            if !keys.insert(key.clone()) {
                return Err(cells.error(format!("a second row for `{key}`")));
            }
            let group = self.place(cells.text(cells.known[0]), cells.text(cells.known[1]));
            let rows = self.groups[group].read_mut(sources);
            let places =
                known.entry(group).or_insert_with(|| rows.iter().map(Row::key).zip(0..).collect());
            match places.entry(key) {
                Entry::Occupied(place) => rows[*place.get()] = row,
                Entry::Vacant(place) => {
                    place.insert(rows.len());
                    rows.push(row);
                }
            }
            Ok(())
        };
        each_row_of_overlay::<T>(overlay, sources, &mut read)
    }

    /// Every row as text, in the order of the tables, after overlays replaced theirs.
    ///
    /// # Errors
    /// If an overlay is faulty.
    pub(super) fn stored(
        sources: Option<&Sources>,
        overlays: &[Overlay],
        bare: bool,
    ) -> Result<Vec<Stored>> {
        let mut rows = IndexMap::new();
        let mut read = |cells: &Cells<'_>| {
            let stored = cells.known.iter().map(|column| cells.text(column).to_owned()).collect();
            let row = Stored { layer: cells.layer, cells: stored };
            rows.insert(T::read(cells)?.key(), row);
            Ok(())
        };
        if !bare {
            each_embedded_row::<T>((body(T::TABLE.text), 2), sources, &mut read)?;
        }
        for overlay in overlays.iter().filter(|o| o.is(T::FILE)) {
            each_row_of_overlay::<T>(overlay, sources, &mut read)?;
        }
        Ok(rows.into_values().collect())
    }

    /// The group of two cells, added where there is none.
    fn place(&mut self, first: &str, second: &str) -> usize {
        let second = if T::TABLE.is_by_two() { second } else { "" };
        let embedded = self.embedded(first).find(|at| self.second(*at) == second);
        embedded.unwrap_or_else(|| {
            let groups = &mut self.groups;
            let added = self.added.entry(first.to_owned()).or_default();
            *added.entry(second.to_owned()).or_insert_with(|| {
                groups.push(Group::new(None));
                groups.len() - 1
            })
        })
    }

    /// The places of the embedded groups of a first cell.
    fn embedded<'k>(&self, key: &'k str) -> impl Iterator<Item = usize> + use<'k, T> {
        (!self.bare).then(|| T::TABLE.of(key)).into_iter().flatten()
    }

    /// The second cell of an embedded group.
    fn second(&self, at: usize) -> &'static str {
        self.groups[at].place.map_or("", |place| T::TABLE.second(place))
    }

    /// The places of the groups of a first cell: the embedded ones in the order of the file.
    fn places<'t, 'k>(&'t self, key: &'k str) -> impl Iterator<Item = usize> + use<'t, 'k, T> {
        let added = self.added.get(key).into_iter().flat_map(BTreeMap::values).copied();
        self.embedded(key).chain(added)
    }

    /// True if a row has that first cell.
    pub(super) fn has(&self, key: &str) -> bool {
        self.places(key).next().is_some()
    }

    /// A first cell as the table has it.
    pub(super) fn known(&self, key: &str) -> Option<&str> {
        let embedded = self.embedded(key).next().and_then(|at| self.groups[at].place);
        let embedded = embedded.map(|place| T::TABLE.first(place));
        embedded.or_else(|| self.added.get_key_value(key).map(|(known, _)| known.as_str()))
    }

    /// The first cells of the rows, in alphabetical order.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        let embedded = (!self.bare).then(|| T::TABLE.firsts()).into_iter().flatten();
        let mut keys: Vec<&str> = embedded.collect();
        if !self.added.is_empty() {
            keys.extend(self.added.keys().map(String::as_str));
            keys.sort_unstable();
        }
        keys.dedup();
        keys.into_iter()
    }

    /// The rows that start with `key`; none if there are no such rows.
    pub(super) fn of<'t, 'k>(
        &'t self,
        sources: Option<&'t Sources>,
        key: &'k str,
    ) -> impl Iterator<Item = &'t T> + use<'t, 'k, T> {
        self.places(key).flat_map(move |at| self.groups[at].read(sources))
    }

    /// The rows that start with `key` and, where rows are grouped by two cells, `second`.
    pub(super) fn at<'t, 'k>(
        &'t self,
        sources: Option<&'t Sources>,
        key: &'k str,
        second: &'k str,
    ) -> impl Iterator<Item = &'t T> + use<'t, 'k, T> {
        let by_two = T::TABLE.is_by_two();
        let embedded = self.embedded(key).filter(move |at| !by_two || self.second(*at) == second);
        let added = self.added.get(key).and_then(|it| it.get(if by_two { second } else { "" }));
        embedded.chain(added.copied()).flat_map(move |at| self.groups[at].read(sources))
    }

    /// Every row.
    pub(super) fn iter<'a>(&'a self, sources: Option<&'a Sources>) -> impl Iterator<Item = &'a T> {
        self.groups.iter().flat_map(move |group| group.read(sources))
    }
}

impl<T: Row> Group<T> {
    /// A group that is not read yet.
    fn new(place: Option<flopcast_data::Group>) -> Self {
        Self { place, rows: OnceLock::new() }
    }

    /// The rows of the group, to change them.
    fn read_mut(&mut self, sources: Option<&Sources>) -> &mut Vec<T> {
        self.read(sources);
        self.rows.get_mut().expect("they were just read")
    }

    /// The rows of the group. They are read once; embedded rows are known to be right.
    fn read(&self, sources: Option<&Sources>) -> &[T] {
        self.rows.get_or_init(|| {
            let mut rows = Vec::new();
            if let Some(place) = self.place {
                let mut read = |cells: &Cells<'_>| T::read(cells).map(|row| rows.push(row));
                let text = (T::TABLE.rows(place), place.line());
                each_embedded_row::<T>(text, sources, &mut read)
                    .expect("a test reads every embedded row");
            }
            rows
        })
    }
}

/// The rows of a table below its header.
fn body(text: &str) -> &str {
    text.split_once('\n').map_or("", |(_, body)| body)
}

/// Reads the rows of an overlay, whose header may leave out columns.
fn each_row_of_overlay<T: Row>(
    overlay: &Overlay,
    sources: Option<&Sources>,
    read: &mut dyn FnMut(&Cells<'_>) -> Result<()>,
) -> Result<()> {
    let text = overlay.text.strip_prefix('\u{feff}').unwrap_or(&overlay.text);
    let header: Vec<&str> =
        text.lines().next().unwrap_or_default().split(',').map(str::trim).collect();
    let Overlay { name: file, layer, by_lock, .. } = overlay;
    let known = T::columns();
    if let Some(name) = header.iter().find(|name| !known.contains(name)) {
        let error = Error::input(format!("{file} has a column `{name}` that the table lacks"));
        return Err(error.suggest(name, known.iter().copied()));
    }
    let cells = Cells {
        file,
        columns: known.iter().map(|name| header.iter().position(|h| h == name)).collect(),
        known,
        layer: *layer,
        by_lock: *by_lock,
        own: (*layer == Layer::Own).then(|| Arc::new(own_source(file, *by_lock))),
        ..Cells::embedded(Vec::new(), sources)
    };
    each_row(cells, header.len(), (body(text), 2), read)
}

/// Reads embedded rows, the first of which is on line `text.1`.
fn each_embedded_row<T: Row>(
    text: (&str, usize),
    sources: Option<&Sources>,
    read: &mut dyn FnMut(&Cells<'_>) -> Result<()>,
) -> Result<()> {
    let known = T::columns();
    let count = known.len();
    let cells = Cells { file: T::FILE, ..Cells::embedded(known, sources) };
    each_row(cells, count, text, read)
}

/// Reads rows of so many cells, the first of which is on line `text.1`.
fn each_row<'a>(
    mut cells: Cells<'a>,
    expected: usize,
    text: (&'a str, usize),
    read: &mut dyn FnMut(&Cells<'_>) -> Result<()>,
) -> Result<()> {
    for (i, line) in text.0.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        cells.line = text.1 + i;
        cells.next.set(0);
        if !split(line, &mut cells.record) {
            return Err(cells.error("a quote is not closed on its line"));
        }
        let count = cells.record.len();
        if count != expected {
            return Err(cells.error(format!("{count} cells under {expected} columns")));
        }
        read(&cells)?;
    }
    Ok(())
}

/// Splits a line into its cells, some of which may be quoted (`"a, b"`, `"5"" disk"`). False if a
/// quote is left open.
fn split<'a>(line: &'a str, cells: &mut Vec<Cow<'a, str>>) -> bool {
    cells.clear();
    if !line.contains('"') {
        cells.extend(line.split(',').map(|cell| Cow::Borrowed(cell.trim())));
        return true;
    }
    let (mut start, mut quoted) = (0, false);
    for (i, byte) in line.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                cells.push(unquoted(&line[start..i]));
                start = i + 1;
            }
            _ => {}
        }
    }
    cells.push(unquoted(&line[start..]));
    !quoted
}

/// A cell without the quotes around it, and with doubled quotes as one.
fn unquoted(cell: &str) -> Cow<'_, str> {
    let cell = cell.trim();
    match cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"')) {
        Some(inner) if inner.contains('"') => Cow::Owned(inner.replace("\"\"", "\"")),
        Some(inner) => Cow::Borrowed(inner),
        None => Cow::Borrowed(cell),
    }
}

/// The source of the user's own rows that cite nothing.
fn own_source(file: &str, by_lock: bool) -> Source {
    Source {
        id: "own".to_owned(),
        title: format!("your own {file}"),
        licence: String::new(),
        reference: file.to_owned(),
        as_of: None,
        note: String::new(),
        by_lock,
    }
}

/// The cells of one row under the valid columns. A gap is an empty cell.
pub(super) struct Cells<'a> {
    file: &'a str,
    known: Vec<&'a str>,
    columns: Vec<Option<usize>>,
    sources: Option<&'a Sources>,
    layer: Layer,
    by_lock: bool,
    own: Option<Arc<Source>>,
    record: Vec<Cow<'a, str>>,
    line: usize,
    /// The column after the last look-up: columns are mostly read in order.
    next: Cell<usize>,
}

impl<'a> Cells<'a> {
    /// Cells of embedded rows with these columns, none read yet.
    fn embedded(known: Vec<&'a str>, sources: Option<&'a Sources>) -> Self {
        Self {
            file: "",
            columns: (0..known.len()).map(Some).collect(),
            known,
            sources,
            layer: Layer::Embedded,
            by_lock: false,
            own: None,
            record: Vec::new(),
            line: 0,
            next: Cell::new(0),
        }
    }

    /// The layer that the row stands in.
    pub(super) fn layer(&self) -> Layer {
        self.layer
    }

    /// True if the row is a lock's alone.
    pub(super) fn by_lock(&self) -> bool {
        self.by_lock
    }

    /// The text of a cell, empty for a gap.
    pub(super) fn text(&self, column: &str) -> &str {
        let (from, count) = (self.next.get(), self.known.len());
        let mut places = (from..count).chain(0..from.min(count));
        let place = places.find(|&place| self.known[place] == column);
        let Some(place) = place else { return "" };
        self.next.set(place + 1);
        self.columns[place].and_then(|i| self.record.get(i)).map_or("", AsRef::as_ref)
    }

    /// The text of a cell that must not be empty.
    ///
    /// # Errors
    /// If the cell is empty, or the column missing.
    pub(super) fn required(&self, column: &str) -> Result<&str> {
        match self.text(column) {
            "" => Err(self.empty(column)),
            text => Ok(text),
        }
    }

    /// The error of a cell that must not be empty.
    pub(super) fn empty(&self, column: &str) -> Error {
        self.error(format!("`{column}` is empty"))
    }

    /// A number that is not negative. (Zero is a value; a gap is an empty cell.)
    ///
    /// # Errors
    /// If the text is no finite number, or one below zero.
    pub(super) fn number(&self, column: &str) -> Result<Option<f64>> {
        let text = self.text(column);
        if text.is_empty() {
            return Ok(None);
        }
        match text.parse::<f64>() {
            Ok(value) if value == 0.0 || SENSIBLE.contains(&value) => Ok(Some(value)),
            Ok(value) if value.is_finite() && value > 0.0 => {
                Err(self.error(format!("`{column}` is {value:e}: no table has such a number")))
            }
            _ => Err(self.error(format!("`{text}` in `{column}` is not a number of 0 or more"))),
        }
    }

    /// A quantity above zero in the unit that the column's name says: cell x `unit`, the stored
    /// value of that unit.
    ///
    /// # Errors
    /// As [`Cells::number`], and if the number is zero.
    pub(super) fn quantity<Q: Measure>(&self, column: &str, unit: f64) -> Result<Option<Q>> {
        match self.number(column)? {
            Some(value) if value <= 0.0 => {
                let error = self.error(format!("`{column}` is zero"));
                Err(error.hint("leave the cell empty where the value is unknown"))
            }
            value => Ok(value.map(|value| Q::from_stored(value * unit))),
        }
    }

    /// [`Cells::quantity`] with its citation; a value without a source is an error.
    ///
    /// # Errors
    /// As [`Cells::quantity`], and if the row names no source for it.
    pub(super) fn sourced<Q: Measure>(
        &self,
        column: &str,
        unit: f64,
        citation: &Arc<Citation>,
    ) -> Result<Option<Sourced<Q>>> {
        let value = self.quantity(column, unit)?;
        if value.is_some() && citation.sources.is_empty() {
            return Err(self.error(format!("`{column}` has a value but no source")));
        }
        Ok(value.map(|value| Sourced { value, citation: Arc::clone(citation) }))
    }

    /// A whole number of 0 or more.
    ///
    /// # Errors
    /// If the text is no whole number of 64 bits.
    pub(super) fn count(&self, column: &str) -> Result<Option<u64>> {
        let text = self.text(column);
        if text.is_empty() {
            return Ok(None);
        }
        let count = text.parse().map(Some);
        count.map_err(|_| self.error(format!("`{text}` in `{column}` is not a whole number")))
    }

    /// The value of a name; the error lists the names.
    ///
    /// # Errors
    /// If the text is none of the names.
    pub(super) fn one_of<E: Copy>(&self, column: &str, names: &[(&str, E)]) -> Result<Option<E>> {
        let text = self.text(column);
        if text.is_empty() {
            return Ok(None);
        }
        if let Some((_, value)) = names.iter().find(|(name, _)| *name == text) {
            return Ok(Some(*value));
        }
        let names: Vec<_> = names.iter().map(|(name, _)| *name).collect();
        let error = self.error(format!("`{text}` is no `{column}`"));
        Err(error.hint(format!("it is one of {}", names.join(", "))))
    }

    /// A date, a month or a year; `None` for a gap.
    ///
    /// # Errors
    /// If the text is no such date.
    pub(super) fn as_of(&self, column: &str) -> Result<Option<AsOf>> {
        let text = self.text(column);
        if text.is_empty() {
            return Ok(None);
        }
        let date = AsOf::parse(text).map(Some);
        date.ok_or_else(|| {
            self.error(format!("`{text}` in `{column}` is not a date such as 2026-11-23"))
        })
    }

    /// A calendar year between 1900 and 2200.
    ///
    /// # Errors
    /// If the cell is empty or no such year.
    pub(super) fn year(&self, column: &str) -> Result<i32> {
        let text = self.required(column)?;
        let year = text.parse().ok().filter(|y| (1900..=2200).contains(y));
        year.ok_or_else(|| self.error(format!("`{text}` in `{column}` is not a year")))
    }

    /// The one publication that a row cites; the user's own rows may cite none.
    ///
    /// # Errors
    /// If the row names no source, or one that `sources.csv` lacks.
    pub(super) fn source(&self, column: &str) -> Result<Arc<Source>> {
        match (self.text(column), &self.own) {
            ("", None) => Err(self.empty(column)),
            ("", Some(own)) => Ok(Arc::clone(own)),
            (id, _) => self.find(id),
        }
    }

    /// The publication of a short name, or an error with the nearest that are known.
    fn find(&self, id: &str) -> Result<Arc<Source>> {
        let source = self.sources.into_iter().flat_map(|s| s.of(None, id)).next().cloned();
        let source = source.ok_or_else(|| {
            let error = self.error(format!("`{id}` is not a source in sources.csv"));
            error.suggest(id, self.sources.into_iter().flat_map(Table::keys))
        })?;
        if self.by_lock {
            return Ok(Arc::new(Source { by_lock: true, ..(*source).clone() }));
        }
        Ok(source)
    }

    /// The citation of this row's facts, from the short names in `column`. If `as_of` is `None`,
    /// the newest of the publications dates it.
    ///
    /// # Errors
    /// If a short name is not in `sources.csv`.
    pub(super) fn citation(
        &self,
        key: &str,
        column: &str,
        as_of: Option<AsOf>,
    ) -> Result<Arc<Citation>> {
        let mut sources = Vec::new();
        for id in self.text(column).split_whitespace() {
            sources.push(self.find(id)?);
        }
        if sources.is_empty() {
            sources.extend(self.own.clone());
        }
        let as_of = as_of.or_else(|| sources.iter().filter_map(|s| s.as_of).max());
        Ok(Arc::new(Citation { row: format!("{}:{key}", self.file), sources, as_of }))
    }

    /// An error in this row, with file and line before the message.
    pub(super) fn error(&self, message: impl std::fmt::Display) -> Error {
        Error::input(format!("{}:{}: {message}", self.file, self.line))
    }
}
