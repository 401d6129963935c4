//! `flopcast sweep --from TABLE`: the rows of a table of what-ifs, each forecast. Rows stream through,
//! in order: memory does not grow with their number.

use std::cell::Cell as Left;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;

use csv::StringRecord;
use flopcast_api::Session;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_report::doc;
use flopcast_report::render::csv::{record, row};
use flopcast_scenario::document::Node;
use flopcast_study::aim::Aim;
use flopcast_study::rows::{Cell, Column, Forecasts, Piece, Rows};

/// Rows that are forecast together.
const TOGETHER: usize = 8192;
/// The most bytes of a row, and of rows that are forecast together.
const MOST_ROW: usize = 1 << 20;
const MOST_TOGETHER: usize = 16 * MOST_ROW;
/// The forms of tables that the Python package reads.
const ELSEWHERE: [&str; 4] = ["parquet", "arrow", "arrows", "feather"];

/// A table of what-ifs and what becomes of it.
pub(super) struct Table<'a> {
    /// The file, in CSV: its first line names keys of the scenario.
    pub(super) from: &'a Path,
    /// Columns that are no keys and pass through.
    pub(super) keep: &'a [String],
    /// The figures of each row.
    pub(super) figures: Vec<Aim>,
}

impl Table<'_> {
    /// Forecasts each row over a document; `write` gets the lines of the answer: the columns of the
    /// table, the figures, and why a row cannot be done. Gives how many rows there are, and how many
    /// of them can be done.
    ///
    /// # Errors
    /// A table that cannot be read; a column that is no key, a value that its key cannot have; what
    /// `write` refuses.
    pub(super) fn forecast(
        &self,
        document: Node,
        session: &Session<'_>,
        write: &mut dyn FnMut(&str) -> Result<()>,
    ) -> Result<(u64, u64)> {
        let shown = self.from.display().to_string();
        let left = Rc::new(Left::new(MOST_ROW));
        let mut reader = csv::Reader::from_reader(self.open(&left)?);
        let cannot = |error: csv::Error| Error::input(format!("cannot read {shown}: {error}"));
        let head = reader.headers().map_err(cannot)?.clone();
        if let Some(name) = self.keep.iter().find(|name| head.iter().all(|it| it != *name)) {
            return Err(Error::input(format!("{shown} has no column `{name}`"))
                .suggest(name, head.iter())
                .hint(format!("it has {}", head.iter().collect::<Vec<_>>().join(", "))));
        }
        let is_key = |at: &usize| self.keep.iter().all(|name| *name != head[*at]);
        let places: Vec<usize> = (0..head.len()).filter(is_key).collect();
        let keys: Vec<String> = places.iter().map(|at| head[*at].replace("__", ".")).collect();
        if keys.is_empty() {
            return Err(Error::input(format!("{shown} has no column that is a key"))
                .hint("its first line names keys of the scenario: training.hardware.count"));
        }
        let figures = self.figures.iter().map(|aim| aim.key.as_str());
        let mut heading = Some(record(head.iter().chain(figures).chain(["infeasible"])));

        let rows = Rows::new(document, self.figures.clone());
        let (mut all, mut feasible) = (0_u64, 0_u64);
        loop {
            let (mut records, mut bytes) = (Vec::new(), 0);
            while records.len() < TOGETHER && bytes < MOST_TOGETHER {
                left.set(MOST_ROW);
                let mut next = StringRecord::new();
                if !reader.read_record(&mut next).map_err(cannot)? {
                    break;
                }
                bytes += next.as_slice().len();
                records.push(next);
            }
            if records.is_empty() {
                heading.take().map_or(Ok(()), |heading| write(&heading))?;
                return Ok((all, feasible));
            }
            let columns: Vec<Texts<'_>> =
                places.iter().map(|at| Texts { records: &records, at: *at }).collect();
            let columns: Vec<&dyn Column> = columns.iter().map(|it| it as _).collect();
            let line = |row: usize| records[row].position().map_or(0, csv::Position::line);
            let name = |row: usize| format!("{shown}, line {}", line(row));
            let length = records.len();
            let piece = Piece { keys: &keys, columns: &columns, length, name: &name };
            let forecasts =
                rows.forecast(piece, session.catalog, session.files).map_err(|error| {
                    let unknown = error.message().contains("unknown key");
                    let kept =
                        "a column that is no key of the scenario passes through with --keep NAME";
                    if unknown { error.hint(kept) } else { error }
                })?;
            // What is refused has written nothing.
            heading.take().map_or(Ok(()), |heading| write(&heading))?;
            for (at, record) in records.iter().enumerate() {
                write(&line_of(record, &forecasts, at))?;
            }
            all += length as u64;
            feasible += forecasts.obstacles.iter().filter(|it| it.is_none()).count() as u64;
            (session.watch)(&format!("{all} rows"), 0.0)?;
        }
    }

    /// The file, as long as its rows are no longer than rows may be.
    fn open(&self, left: &Rc<Left<usize>>) -> Result<Bounded<File>> {
        let shown = self.from.display();
        let ending = self.from.extension().and_then(|it| it.to_str()).unwrap_or_default();
        if ELSEWHERE.contains(&ending) {
            return Err(elsewhere(self.from));
        }
        let file = File::open(self.from)
            .map_err(|error| Error::input(format!("cannot read {shown}: {error}")))?;
        Ok(Bounded { file, left: Rc::clone(left) })
    }
}

/// The refusal of a table that is no CSV.
pub(super) fn elsewhere(path: &Path) -> Error {
    Error::input(format!("{} is no table in CSV", path.display()))
        .hint("the Python package streams Parquet: python -m flopcast sweep SCENARIO --from IN.parquet -o OUT.parquet")
}

/// True if a path names a table that only the Python package reads and writes.
pub(super) fn is_elsewhere(path: &Path) -> bool {
    path.extension().and_then(|it| it.to_str()).is_some_and(|it| ELSEWHERE.contains(&it))
}

/// The line of a row: its own cells, its figures, its obstacle.
fn line_of(own: &StringRecord, forecasts: &Forecasts, at: usize) -> String {
    let own = own.iter().map(doc::Cell::from);
    let figures = forecasts.figures.iter().map(|column| doc::Cell::from(column[at]));
    let obstacle = doc::Cell::from(forecasts.obstacles[at].as_deref().unwrap_or_default());
    row(&own.chain(figures).chain([obstacle]).collect::<Vec<_>>())
}

/// A column of texts.
struct Texts<'a> {
    records: &'a [StringRecord],
    at: usize,
}

impl Column for Texts<'_> {
    fn len(&self) -> usize {
        self.records.len()
    }

    fn cell(&self, row: usize) -> Cell<'_> {
        match self.records[row].get(self.at).map(str::trim) {
            None | Some("") => Cell::Empty,
            Some(text) => Cell::Text(text),
        }
    }
}

/// A reader that ends where a row is too long: so many bytes are left of it.
struct Bounded<R> {
    file: R,
    left: Rc<Left<usize>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(bytes)?;
        let left = self.left.get().checked_sub(read);
        self.left.set(left.ok_or_else(|| io::Error::other("a row is longer than a megabyte"))?);
        Ok(read)
    }
}
