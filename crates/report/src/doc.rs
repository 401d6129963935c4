//! A document as data: what a subject says, apart from the form in which it is read.
//!
//! A [`Doc`] is a title and blocks: headings, sentences, tables, facts, warnings, pictures,
//! details. Every renderer of [`crate::render`] writes any of them. Texts in a document are plain:
//! a renderer escapes them for its form. A [`Cell`] keeps a number beside its text, so that
//! programs read all digits where people read four, and keeps "unknown" apart from zero and from
//! nothing.
//!
//! ```
//! use flopcast_report::doc::{Block, Cell, Column, Doc, Grid};
//! use flopcast_report::render::{csv, markdown};
//! let mut grid = Grid::new([Column::words("figure"), Column::quantities("value")]);
//! grid.push([Cell::text("cost"), Cell::shown(1234.5, "1,235 USD")]);
//! grid.push([Cell::text("energy"), Cell::Unknown]);
//! let doc = Doc { blocks: vec![Block::Grid(grid)], ..Doc::titled("A run") };
//! assert!(markdown::text(&doc).contains("| cost | 1,235 USD |"));
//! assert!(csv::text(&doc).contains("cost,1234.5") && csv::text(&doc).contains("energy,\n"));
//! ```

use std::borrow::Cow;

use flopcast_core::quantity::text::{count, number};
use flopcast_core::quantity::{Measure, show};
use serde_json::Value;

use crate::Report;

/// The content of a document, as its subject says it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Doc {
    /// The title; `None` for an answer that needs none.
    pub title: Option<String>,
    /// The blocks that people read, from top to bottom.
    pub blocks: Vec<Block>,
    /// The rows that programs read, one per figure. Without them, they read the grids among the
    /// blocks.
    pub rows: Option<Grid>,
}

/// A part of a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// The beginning of another document, where several stand in one.
    Next,
    /// The title of one of several documents that stand in one.
    Title(String),
    /// A heading over what follows.
    Section(String),
    /// A heading below a section's.
    Subsection(String),
    /// A line that introduces the grid or list right below it.
    Caption(String),
    /// A paragraph.
    Text(String),
    /// A name in bold, and the sentence about it.
    Lead {
        /// The name of the subject.
        name: String,
        /// The sentence.
        text: String,
    },
    /// Remarks, one a line.
    List(Vec<String>),
    /// Labels, each with its text.
    Facts(Vec<(String, String)>),
    /// Warnings to read before trusting the figures.
    Warnings(Vec<String>),
    /// A table.
    Grid(Grid),
    /// The meaning of the marks of a terminal's brief cells; other forms have no such marks.
    Legend(String),
    /// Lines whose shape matters, such as a tree; they are neither wrapped nor joined.
    Lines(Vec<String>),
    /// A picture, drawn twice.
    Picture {
        /// With characters, for a terminal.
        lines: Vec<String>,
        /// As SVG, for a page.
        svg: String,
    },
    /// Details that a reader unfolds. A terminal cannot fold, and leaves them out.
    Details {
        /// The line that stands there folded.
        summary: String,
        /// The blocks that are unfolded.
        blocks: Vec<Block>,
    },
    /// A mark by which a program finds the document again; only Markdown can hide one.
    Tag(&'static str),
}

/// Rows under columns: a table for people, records for programs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grid {
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows; each has as many cells as there are columns.
    pub rows: Vec<Vec<Cell>>,
    /// Spaces before the first column in a terminal.
    pub indent: usize,
}

/// A column of a [`Grid`].
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name for programs: a JSON key, a CSV heading.
    pub key: String,
    /// Its heading for people. A terminal shows none where all are empty; Markdown, which must
    /// have some, shows the keys.
    pub heading: String,
    /// The kind of its cells.
    pub kind: Kind,
    /// The most characters that a terminal shows of a cell.
    pub most: usize,
}

/// The kind of a column's cells, which says how they are aligned and cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Words, from the left; cut where a terminal has no room.
    Words,
    /// Words that go on in the next line where a terminal has no room.
    Prose,
    /// Numbers, from the right.
    Numbers,
    /// Numbers with units, the units below each other.
    Quantities,
}

/// The content of a cell. Programs read nothing for the first three.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// The cell has nothing to say, as a rate in a row of words.
    Blank,
    /// No source gives the figure.
    Gap,
    /// The figure cannot be known here.
    Unknown,
    /// Words.
    Text(String),
    /// Words, and fewer of them for a terminal.
    Said {
        /// On a terminal.
        brief: String,
        /// Elsewhere.
        text: String,
    },
    /// A count.
    Count(u64),
    /// A yes or no.
    Flag(bool),
    /// A number.
    Number {
        /// For programs: in the unit that the column's key or the row's path says.
        value: f64,
        /// For people: the number.
        shown: String,
        /// For people: the unit of what is shown; nothing for a plain number.
        unit: Cow<'static, str>,
    },
}

/// Something that documents show.
pub trait Subject {
    /// The document, for every form.
    fn doc(&self) -> Doc;

    /// What a terminal shows first, in 24 lines or about; `None` where the document is short.
    fn first_screen(&self) -> Option<Doc> {
        None
    }

    /// The subject's stable JSON; `None` where the rows of its document serve as JSON.
    fn json(&self) -> Option<Value> {
        None
    }

    /// The forecasts that it consists of, for the forms that carry forecasts alone; `None` for
    /// other subjects.
    fn forecasts(&self) -> Option<&[Report]> {
        None
    }
}

impl Subject for Doc {
    fn doc(&self) -> Doc {
        self.clone()
    }
}

impl Doc {
    /// A document with this title and no blocks.
    pub fn titled(title: impl Into<String>) -> Self {
        Self { title: Some(title.into()), ..Self::default() }
    }

    /// Adds a block at the end.
    pub fn push(&mut self, block: Block) {
        self.blocks.push(block);
    }

    /// Adds a block unless it would be empty.
    pub fn push_some(&mut self, block: Block) {
        let empty = match &block {
            Block::Grid(grid) => grid.rows.is_empty(),
            Block::List(items) | Block::Warnings(items) | Block::Lines(items) => items.is_empty(),
            Block::Facts(facts) => facts.is_empty(),
            Block::Text(text) => text.is_empty(),
            Block::Details { blocks, .. } => blocks.is_empty(),
            _ => false,
        };
        if !empty {
            self.blocks.push(block);
        }
    }

    /// Adds a heading with a grid; nothing if the grid has no rows.
    pub fn section(&mut self, title: impl Into<String>, grid: Grid) {
        if !grid.rows.is_empty() {
            self.blocks.extend([Block::Section(title.into()), Block::Grid(grid)]);
        }
    }

    /// Several documents one after the other. Their rows, which have the same columns, are one
    /// table.
    pub fn joined(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut parts = parts.into_iter();
        let mut whole = parts.next().unwrap_or_default();
        let mut titled = false;
        for part in parts {
            // The first keeps its place as the title of the whole where it stands alone.
            if !titled {
                whole.blocks.splice(0..0, whole.title.take().map(Block::Title));
                titled = true;
            }
            whole.push(Block::Next);
            whole.blocks.extend(part.title.map(Block::Title));
            whole.blocks.extend(part.blocks);
            if let (Some(rows), Some(more)) = (&mut whole.rows, part.rows) {
                rows.rows.extend(more.rows);
            }
        }
        whole
    }
}

impl Grid {
    /// A grid without rows, which a terminal indents by two spaces.
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Self { columns: columns.into_iter().collect(), rows: Vec::new(), indent: 2 }
    }

    /// The same grid from the left edge of a terminal.
    #[must_use]
    pub fn flush(self) -> Self {
        Self { indent: 0, ..self }
    }

    /// Adds a row.
    pub fn push(&mut self, row: impl IntoIterator<Item = Cell>) {
        self.rows.push(row.into_iter().collect());
    }

    /// True if it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Keeps the rows in which every word occurs; capitals do not matter.
    pub fn filter(&mut self, words: &[String]) {
        let has = |row: &[Cell], word: &String| {
            row.iter().any(|cell| cell.plain().to_lowercase().contains(&word.to_lowercase()))
        };
        self.rows.retain(|row| words.iter().all(|word| has(row, word)));
    }
}

impl Column {
    /// A column whose key is its heading.
    fn new(heading: impl Into<String>, kind: Kind) -> Self {
        let heading = heading.into();
        Self { key: heading.clone(), heading, kind, most: usize::MAX }
    }

    /// A column of words, which a terminal may cut.
    pub fn words(heading: impl Into<String>) -> Self {
        Self::new(heading, Kind::Words)
    }

    /// A column of words that a terminal wraps and does not cut.
    pub fn prose(heading: impl Into<String>) -> Self {
        Self::new(heading, Kind::Prose)
    }

    /// A column of numbers, aligned on the right.
    pub fn numbers(heading: impl Into<String>) -> Self {
        Self::new(heading, Kind::Numbers)
    }

    /// A column of numbers with units, the units aligned among themselves.
    pub fn quantities(heading: impl Into<String>) -> Self {
        Self::new(heading, Kind::Quantities)
    }

    /// The same column under another heading for people; the key stays.
    #[must_use]
    pub fn headed(self, heading: impl Into<String>) -> Self {
        Self { heading: heading.into(), ..self }
    }

    /// The same column, of whose cells a terminal shows at most so many characters.
    #[must_use]
    pub fn at_most(self, most: usize) -> Self {
        Self { most, ..self }
    }
}

impl Cell {
    /// Words; blank if there are none.
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() { Self::Blank } else { Self::Text(text) }
    }

    /// A number, with four significant digits for people.
    pub fn number(value: f64) -> Self {
        Self::shown(value, number(value))
    }

    /// A number, millions and above in short (`1.28M`).
    pub fn short(value: f64) -> Self {
        Self::shown(value, short(value))
    }

    /// A number with its sign, millions and above in short.
    pub fn signed(value: f64) -> Self {
        Self::shown(value, signed(value))
    }

    /// A count of many, in short: `70B`.
    pub fn counted(value: f64) -> Self {
        Self::shown(value, count(value))
    }

    /// A quantity in the unit that suits its size; programs read it in the stored unit.
    pub fn quantity<Q: Measure>(quantity: Q) -> Self {
        Self::shown(quantity.stored(), show(quantity))
    }

    /// A number with its text for people: the number and, after a space, its unit. A value that is
    /// not finite is unknown.
    pub fn shown(value: f64, shown: impl Into<String>) -> Self {
        if !value.is_finite() {
            return Self::Unknown;
        }
        let shown: String = shown.into();
        match shown.split_once(' ') {
            Some((shown, unit)) => {
                Self::Number { value, shown: shown.to_owned(), unit: unit.to_owned().into() }
            }
            None => Self::Number { value, shown, unit: "".into() },
        }
    }

    /// A share of one, in percent for people: 0.4 is `40.0%`.
    pub fn percent(share: f64) -> Self {
        Self::shown(share, format!("{:.1}%", 100.0 * share))
    }

    /// A value as `show` makes a cell of it, or unknown.
    pub fn known(value: Option<f64>, show: fn(f64) -> Self) -> Self {
        value.map_or(Self::Unknown, show)
    }

    /// A value as `show` makes a cell of it, or nothing.
    pub fn maybe(value: Option<f64>, show: fn(f64) -> Self) -> Self {
        value.map_or(Self::Blank, show)
    }

    /// The text for people: `-` for a gap, `unknown` for what cannot be known.
    pub fn people(&self) -> String {
        match self {
            Self::Blank => String::new(),
            Self::Gap => "-".to_owned(),
            Self::Unknown => "unknown".to_owned(),
            Self::Text(text) | Self::Said { text, .. } => text.clone(),
            Self::Count(count) => number(*count as f64),
            Self::Flag(true) => "yes".to_owned(),
            Self::Flag(false) => "no".to_owned(),
            Self::Number { shown, unit, .. } if unit.is_empty() => shown.clone(),
            Self::Number { shown, unit, .. } => format!("{shown} {unit}"),
        }
    }

    /// The text for programs: every digit, and nothing for what is not known.
    pub fn plain(&self) -> String {
        match self {
            Self::Blank | Self::Gap | Self::Unknown => String::new(),
            Self::Text(text) | Self::Said { text, .. } => text.clone(),
            Self::Count(count) => count.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::Number { value, .. } => value.to_string(),
        }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<Option<f64>> for Cell {
    /// A number, or unknown.
    fn from(value: Option<f64>) -> Self {
        Self::known(value, Self::number)
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Self::number(value)
    }
}

/// A number for a narrow column: millions to trillions in short, others with four digits.
pub(crate) fn short(value: f64) -> String {
    if (1e6..1e15).contains(&value.abs()) { count(value) } else { number(value) }
}

/// A change with its sign.
pub(crate) fn signed(value: f64) -> String {
    if value > 0.0 { format!("+{}", short(value)) } else { short(value) }
}
