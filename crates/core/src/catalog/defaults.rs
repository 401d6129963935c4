//! Figures that are not the property of one device, price or place: storage, colocation,
//! amortisation, the constants of published cost models. They are candidates for assumptions, and
//! an estimate that uses one lists it as such.
//!
//! A default has a value, a range of low and high, or only a note. Its text carries the unit
//! (`184.06 USD/kW-month`), and reading it as a quantity of another dimension is an error.

use std::sync::Arc;

use super::Catalog;
use super::source::{Citation, Sourced};
use super::table::{Cells, Row};
use crate::diagnostic::{Error, Result};
use crate::quantity::{Measure, parse};

/// A row of `pricing/defaults.csv`. Its figures are texts with units until a reader asks for them
/// as a quantity.
#[derive(Clone, Debug)]
pub struct DefaultFigure {
    /// Dotted name: `colocation.rent`.
    pub id: String,
    /// The figure; empty where only a range is known, or nothing.
    pub value: String,
    /// Lower end, where a range is known.
    pub low: String,
    /// Upper end.
    pub high: String,
    /// The meaning of the figure, and how far to trust it.
    pub note: String,
    /// The publications and date that it comes from.
    pub citation: Arc<Citation>,
}

impl Catalog {
    /// A default as a quantity, in the dimension of `Q`.
    ///
    /// # Errors
    /// If the id is unknown, has no figure, or has one of another dimension.
    pub fn default_value<Q: Measure>(&self, id: &str) -> Result<Sourced<Q>> {
        let default = self.default(id)?;
        if default.value.is_empty() {
            let error = Error::input(format!("the catalog has no figure for `{id}`"));
            return Err(error.hint(default.note.clone()));
        }
        default.read(&default.value)
    }

    /// The range of a default, low to high, where one is known.
    ///
    /// # Errors
    /// As [`Catalog::default_value`].
    pub fn default_range<Q: Measure>(&self, id: &str) -> Result<Option<[Sourced<Q>; 2]>> {
        let default = self.default(id)?;
        if default.low.is_empty() || default.high.is_empty() {
            return Ok(None);
        }
        Ok(Some([default.read(&default.low)?, default.read(&default.high)?]))
    }

    /// True if the table has a default of this id.
    pub fn has_default(&self, id: &str) -> bool {
        self.default_rows().has(id)
    }

    /// A default as its row has it.
    ///
    /// # Errors
    /// If the id is unknown, with the nearest that are known.
    pub fn default(&self, id: &str) -> Result<&DefaultFigure> {
        self.default_rows().of(id).next().ok_or_else(|| {
            let error = Error::input(format!("the catalog has no default `{id}`"));
            error.suggest(id, self.default_rows().keys())
        })
    }
}

/// Reads a figure of the row as a quantity.
impl DefaultFigure {
    /// A figure of the row as a quantity.
    ///
    /// # Errors
    /// If the text is no quantity of this dimension: the row and the units that would do.
    fn read<Q: Measure>(&self, text: &str) -> Result<Sourced<Q>> {
        let value = parse(text).map_err(|e| Error::input(format!("{}: {e}", self.citation.row)))?;
        Ok(Sourced { value, citation: Arc::clone(&self.citation) })
    }
}

impl Row for DefaultFigure {
    const TABLE: &'static flopcast_data::Csv = &flopcast_data::pricing::DEFAULTS;

    /// Reads a row; a figure may be missing, with a note that says why.
    fn read(cells: &Cells<'_>) -> Result<Self> {
        let id = cells.required("id")?.to_owned();
        Ok(Self {
            value: cells.text("value").to_owned(),
            low: cells.text("low").to_owned(),
            high: cells.text("high").to_owned(),
            note: cells.text("note").to_owned(),
            citation: cells.citation(&id, "source", cells.as_of("as_of")?)?,
            id,
        })
    }

    /// The dotted name.
    fn key(&self) -> String {
        self.id.clone()
    }
}
