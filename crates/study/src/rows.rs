//! What-ifs by the table: columns are keys of a scenario, a row is one value of each, and every row
//! is forecast.
//!
//! Rows that agree in what bears upon a part of the forecast share it, across tables too: a table of
//! a million rows may come in as many pieces as its reader likes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_scenario::Files;
use flopcast_scenario::document::Node;

use super::aim::Aim;
use super::axis::{Axis, Choice, Setting};
use super::batch::Batch;
use super::space::{Parts, Point, Space};

/// More values of a key are not remembered from table to table.
const MOST_KNOWN: usize = 100_000;

/// A value of a key in one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// None, as an empty text is: the scenario's own value stands.
    Empty,
    /// True or false.
    Flag(bool),
    /// A number.
    Number(f64),
    /// A text, read as YAML, as `--set` reads it.
    Text(&'a str),
}

/// The values of a key, row by row.
pub trait Column: Sync {
    /// The number of rows.
    fn len(&self) -> usize;

    /// True if there are no rows.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value in a row below [`Column::len`].
    fn cell(&self, row: usize) -> Cell<'_>;
}

/// A scenario whose keys vary from row to row, and the figures of each row.
pub struct Rows {
    document: Node,
    figures: Vec<Aim>,
    known: Mutex<Known>,
}

/// Some rows of a table.
#[derive(Clone, Copy)]
pub struct Piece<'a> {
    /// The keys that vary.
    pub keys: &'a [String],
    /// Their values.
    pub columns: &'a [&'a dyn Column],
    /// The number of rows, of each column too.
    pub length: usize,
    /// What errors call each of these rows, the first being 0.
    pub name: &'a (dyn Fn(usize) -> String + Sync),
}

/// What earlier tables of the same keys made known: the values of each key, and parts of forecasts by
/// the places of these.
#[derive(Default)]
struct Known {
    axes: Vec<Axis>,
    places: Vec<HashMap<Box<str>, usize>>,
    parts: Parts,
}

/// The forecasts of a table.
#[derive(Clone, Debug, Default)]
pub struct Forecasts {
    /// The values of each figure, row by row; none is absent or unknown.
    pub figures: Vec<Vec<Option<f64>>>,
    /// Why a row cannot be done, where it cannot.
    pub obstacles: Vec<Option<String>>,
}

impl Rows {
    /// A scenario, and the figures of each row.
    pub fn new(document: Node, figures: Vec<Aim>) -> Self {
        Self { document, figures, known: Mutex::default() }
    }

    /// The figures of each row.
    pub fn figures(&self) -> &[Aim] {
        &self.figures
    }

    /// Forecasts some rows.
    ///
    /// # Errors
    /// Columns of different lengths, or two of one key; a key that no scenario has, a value that its key
    /// cannot have (a row that cannot be forecast is no error); a figure that no forecast has.
    pub fn forecast(
        &self,
        piece: Piece<'_>,
        catalog: &Catalog,
        files: &(dyn Files + Sync),
    ) -> Result<Forecasts> {
        let Piece { keys, columns, length, .. } = piece;
        if columns.len() != keys.len() || columns.iter().any(|it| it.len() != length) {
            return Err(Error::input("the columns are not of one length, one for each key"));
        }
        for (at, key) in keys.iter().enumerate() {
            if keys[..at].contains(key) {
                return Err(Error::input(format!("two columns are named `{key}`")));
            }
        }
        // Who asks at the same time begins anew.
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = std::mem::take(&mut *lock());
        if !known.axes.iter().map(|axis| &axis.name).eq(keys) {
            known = Known::of(keys);
        }
        let digits = known.digits(piece)?;
        let Known { axes, places, parts } = known;
        let space = Space::open(self.document.clone(), axes, parts, catalog, files);
        let forecasts = self.all(&space, &digits, piece);
        let (axes, parts) = space.close();
        if places.iter().all(|places| places.len() <= MOST_KNOWN) {
            *lock() = Known { axes, places, parts };
        }
        forecasts
    }

    /// The forecasts of rows that are given by their digits, key by key.
    fn all(
        &self,
        space: &Space<'_>,
        digits: &[Vec<usize>],
        Piece { name, length, .. }: Piece<'_>,
    ) -> Result<Forecasts> {
        let wrong = |row: usize, digits: &[usize], error: Error| {
            // A value that no scenario can have is a mistake of the question.
            let told = |error: Error| error.within(&name(row));
            space.file(digits).map_err(told)?;
            Ok(Point::impossible(&error))
        };
        let place = |row: usize, into: &mut [usize]| {
            into.iter_mut().zip(digits).for_each(|(digit, column)| *digit = column[row]);
        };
        let batch = Batch { count: length, digits: &place, columns: &self.figures };
        let mut figures = batch.run(space, &wrong, &mut |_| Ok(()))?;
        let columns = vec![Vec::with_capacity(length); self.figures.len()];
        let mut all = Forecasts { figures: columns, obstacles: Vec::with_capacity(length) };
        let mut values = Vec::new();
        for row in 0..length {
            all.obstacles.push(figures.read(row, &mut values));
            for (column, value) in all.figures.iter_mut().zip(&values) {
                column.push(*value);
            }
        }
        Ok(all)
    }
}

impl Known {
    /// Nothing yet of some keys.
    fn of(keys: &[String]) -> Self {
        let axis = |key: &String| Axis { name: key.clone(), choices: Vec::new() };
        let axes = keys.iter().map(axis).collect();
        Self { axes, places: vec![HashMap::new(); keys.len()], parts: Parts::default() }
    }

    /// Which value of its key each cell is, key by key; values that are met for the first time are
    /// learned.
    fn digits(&mut self, piece: Piece<'_>) -> Result<Vec<Vec<usize>>> {
        let axes = self.axes.iter_mut().zip(&mut self.places);
        axes.zip(piece.columns)
            .map(|((axis, places), column)| {
                let digit = |row| digit(axis, places, column.cell(row), &|| (piece.name)(row));
                (0..piece.length).map(digit).collect()
            })
            .collect()
    }
}

/// The place of a value among those of its key.
fn digit(
    axis: &mut Axis,
    places: &mut HashMap<Box<str>, usize>,
    cell: Cell<'_>,
    name: &dyn Fn() -> String,
) -> Result<usize> {
    let written;
    let shown = match cell {
        Cell::Empty => "",
        Cell::Text(text) => text,
        Cell::Flag(flag) => {
            if flag {
                "true"
            } else {
                "false"
            }
        }
        Cell::Number(number) => {
            written = number.to_string();
            &written
        }
    };
    if let Some(place) = places.get(shown) {
        return Ok(*place);
    }
    let sets = match cell {
        _ if shown.is_empty() => Vec::new(),
        _ => vec![Setting::new(&format!("{},", name()), &axis.name, shown)?],
    };
    axis.choices.push(Choice { shown: shown.to_owned(), sets });
    places.insert(shown.into(), axis.choices.len() - 1);
    Ok(axis.choices.len() - 1)
}
