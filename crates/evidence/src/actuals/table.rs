//! Logs as tables: columns in any order, found by name; cells that cannot be read are unknown, and
//! noted with their line.

use std::collections::BTreeMap;

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::serving::traffic::records::Record;
use serde_json::Value;

/// A log with a header. All cells are parts of one text, so that it takes little more memory than
/// its file.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// The columns as the log names them, in order.
    names: Vec<String>,
    /// Their letters and digits in lower case, by which they are found: `line_item_usage_type` is
    /// `lineItem/UsageType`.
    columns: BTreeMap<String, usize>,
    /// Numbers are written `1.280,5`.
    decimal_comma: bool,
    text: String,
    /// End of each cell in the text; it begins where the one before ends.
    ends: Vec<u32>,
    /// The line of each row, and where its cells end.
    rows: Vec<(u32, u32)>,
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    table: &'a Table,
    line: u32,
    /// The place of its first cell among all, and how many it has.
    first: usize,
    count: usize,
}

/// Cells that could not be read. Each is taken as unknown.
#[derive(Debug, Default)]
pub(super) struct Odd {
    cells: Vec<String>,
    more: usize,
}

/// The longest line in bytes. A longer one is of no table, and its cells alone would take memory.
const LONGEST_LINE: usize = 1 << 20;
/// The most cells, which bounds the memory of a log of commas.
const MOST_CELLS: usize = 16_000_000;
/// Odd cells that are named one by one.
const NAMED: usize = 4;
/// Cells that say that nothing is known; Slurm's are those of its unset numbers.
const GAPS: &[&str] = &[
    "",
    "[N/A]",
    "N/A",
    "n/a",
    "NaN",
    "nan",
    "None",
    "null",
    "NULL",
    "Unknown",
    "[Not Supported]",
    "Not Supported",
    "[Unknown Error]",
    "[GPU is lost]",
    "ERR!",
    "[Insufficient Permissions]",
    "4294967294",
    "4294967295",
    "18446744073709551614",
    "18446744073709551615",
    "16E",
    "16.00E",
];

impl Table {
    /// Reads a log with a header; it must have rows. Cells stand between commas, bars, semicolons
    /// or tabs, or below the dashes of a table of fixed width. A line with other than the header's
    /// number of cells is read as far as it goes.
    ///
    /// # Errors
    /// If the text has no rows, or a line that is too long.
    pub(super) fn read(text: &str) -> Result<Self> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // Spreadsheets are told their delimiter so.
        let told = text.split_once('\n').filter(|(first, _)| first.trim_end().len() == 5);
        let text = told.filter(|(first, _)| first.starts_with("sep=")).map_or(text, |it| it.1);
        if text.lines().any(|line| line.len() > LONGEST_LINE) {
            return Err(Error::input("a line of the log is longer than 1 MiB")
                .hint("a log has a line for each sample, job or charge"));
        }
        let mut lines = text.lines();
        let (header, below) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        let dashes = below.contains("--") && below.chars().all(|c| c == '-' || c == ' ');
        let mut table = Self::default();
        let header =
            if dashes { table.fixed(text, below)? } else { table.delimited(text, header)? };
        if table.rows.is_empty() {
            return Err(Error::input("the log has no rows"));
        }
        for column in header {
            // The header `power.draw [W]` names a unit that the cells repeat.
            table.name(column.split(" [").next().unwrap_or_default().trim());
        }
        Ok(table)
    }

    /// Adds a column after the others, or finds it; its place.
    fn name(&mut self, name: &str) -> usize {
        let place = self.names.len();
        self.names.push(name.to_owned());
        *self.columns.entry(letters(name).collect()).or_insert(place)
    }

    /// Adds a row.
    ///
    /// # Errors
    /// If the table has more cells than fit into memory.
    fn push(&mut self, line: u64, cells: impl Iterator<Item = impl AsRef<str>>) -> Result<()> {
        for cell in cells {
            self.text.push_str(cell.as_ref());
            self.end_cell()?;
        }
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        self.rows.push((line, self.ends.len() as u32));
        Ok(())
    }

    /// Ends a cell at the end of the text so far.
    fn end_cell(&mut self) -> Result<()> {
        let end = u32::try_from(self.text.len()).ok().filter(|_| self.ends.len() < MOST_CELLS);
        self.ends.push(end.ok_or_else(|| {
            Error::input(format!("the log has more than {MOST_CELLS} cells"))
                .hint("leave out columns, or give a sample in ten or in sixty")
        })?);
        Ok(())
    }

    /// The objects of a JSON text as rows; objects in objects are columns `outer.inner`.
    ///
    /// # Errors
    /// If there is no object with a value.
    pub(super) fn of_objects(objects: &[Record<'_>]) -> Result<Self> {
        let mut table = Self::default();
        for (index, object) in objects.iter().enumerate() {
            for parts in rows_of(&object.value()?) {
                let mut row: BTreeMap<usize, String> = BTreeMap::new();
                for (name, cell) in parts {
                    let place = match table.place(&name) {
                        Some(place) => place,
                        None => table.name(&name),
                    };
                    row.entry(place).or_insert(cell);
                }
                let width = row.last_key_value().map_or(0, |(place, _)| place + 1);
                let cell = |place| row.get(&place).map_or("", String::as_str);
                table.push(index as u64 + 1, (0..width).map(cell))?;
            }
        }
        if table.columns.is_empty() {
            return Err(Error::input("the log has no rows"));
        }
        Ok(table)
    }

    /// True if the log has the column.
    pub(super) fn has(&self, column: &str) -> bool {
        self.place(column).is_some()
    }

    /// The place of a column, whatever its case and the marks between its words.
    fn place(&self, column: &str) -> Option<usize> {
        match self.columns.get(column) {
            Some(place) => Some(*place),
            None if letters(column).eq(column.chars()) => None,
            None => self.columns.get(&letters(column).collect::<String>()).copied(),
        }
    }

    /// The first of the columns that the log has.
    pub(super) fn first<'a>(&self, columns: &[&'a str]) -> Option<&'a str> {
        columns.iter().copied().find(|column| self.has(column))
    }

    /// The names of the columns.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The rows below the header.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        let mut first = 0;
        self.rows.iter().map(move |(line, end)| {
            let count = *end as usize - first;
            let row = Row { table: self, line: *line, first, count };
            first += count;
            row
        })
    }

    /// The text of a cell.
    fn cell(&self, index: usize) -> &str {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start as usize..self.ends[index] as usize]
    }
}

impl Table {
    /// Reads cells between delimiters; returns the header.
    fn delimited(&mut self, text: &str, header: &str) -> Result<Vec<String>> {
        let delimiter = ['|', ',', ';', '\t'].into_iter().max_by_key(|it| {
            let bar = *it == '|';
            // A bar delimits where there is any: the cells of sacct have commas.
            (bar && header.contains('|'), header.matches(*it).count())
        });
        let bars = header.contains('|');
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter.map_or(b',', |it| it as u8))
            .quoting(!bars)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let fault = |error: csv::Error| Error::input(format!("the log cannot be read: {error}"));
        let header: Vec<String> =
            reader.headers().map_err(fault)?.iter().map(str::to_owned).collect();
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record).map_err(fault)? {
            // Files that were joined repeat the header, and drawn tables have a rule below it.
            let rule = |cell: &str| cell.chars().all(|c| "-: ".contains(c));
            if !record.iter().eq(header.iter()) && !record.iter().all(rule) {
                self.push(record.position().map_or(0, csv::Position::line), record.iter())?;
            }
        }
        self.decimal_comma = delimiter == Some(';') && self.has_decimal_commas();
        Ok(header)
    }

    /// True if a cell is a number with a comma that groups nothing.
    fn has_decimal_commas(&self) -> bool {
        let is = |cell: &str| {
            let parts = cell.split_once(',');
            let digits = |it: &str| it.chars().all(|c| c.is_ascii_digit() || c == '.');
            parts.is_some_and(|(a, b)| !a.is_empty() && !b.is_empty() && digits(a) && digits(b))
        };
        (0..self.ends.len()).any(|index| is(self.cell(index)))
    }

    /// Reads a table of fixed width: each column is as wide as its dashes in the second line.
    /// Returns the header.
    fn fixed(&mut self, text: &str, dashes: &str) -> Result<Vec<String>> {
        let mut columns = Vec::new();
        let mut from = 0;
        for width in dashes.split(' ').map(str::len) {
            if width > 0 {
                columns.push(from..from + width);
            }
            from += width + 1;
        }
        let cells = |line: &str| {
            let letters: Vec<char> = line.chars().collect();
            let cell = |at: &std::ops::Range<usize>| {
                let at = at.start.min(letters.len())..at.end.min(letters.len());
                letters[at].iter().collect::<String>().trim().to_owned()
            };
            columns.iter().map(cell).collect::<Vec<_>>()
        };
        let rows = (1..).zip(text.lines()).skip(2).filter(|(_, line)| !line.trim().is_empty());
        for (line, text) in rows {
            self.push(line, cells(text).into_iter())?;
        }
        Ok(text.lines().next().map(cells).unwrap_or_default())
    }
}

/// The letters and digits of a name, in lower case.
fn letters(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_lowercase())
}

/// The values of an object, each by its path.
type Cells = Vec<(String, String)>;

/// The rows of an object: one, or one for each of its `gpus` beside what is of all of them, or one
/// for each name where an allocation of costs (`OpenCost`) is by name.
fn rows_of(value: &Value) -> Vec<Cells> {
    let cells = |value: &Value| {
        let mut cells = Vec::new();
        flatten("", value, &mut cells);
        cells
    };
    let Value::Object(fields) = value else { return vec![cells(value)] };
    if !fields.is_empty() && fields.values().all(|it| it.get("totalCost").is_some()) {
        return fields.values().map(cells).collect();
    }
    match fields.get("gpus").and_then(Value::as_array) {
        Some(gpus) if gpus.iter().any(Value::is_object) => {
            let whole = cells(value);
            let of_gpu = |gpu: &Value| cells(gpu).into_iter().chain(whole.clone()).collect();
            gpus.iter().map(of_gpu).collect()
        }
        _ => vec![cells(value)],
    }
}

/// The longest name of a column, in bytes; a file may hold longer keys, once for each value below.
const LONGEST_NAME: usize = 512;

/// Adds the values below a path, each by its path with dots.
fn flatten(path: &str, value: &Value, cells: &mut Vec<(String, String)>) {
    match value {
        _ if path.len() > LONGEST_NAME => {}
        // A number of Slurm that may be unset.
        Value::Object(fields) if fields.contains_key("number") && fields.contains_key("set") => {
            if fields["set"] == Value::Bool(true) {
                flatten(path, &fields["number"], cells);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, value, cells);
            }
        }
        // Parameters as MLflow lists them.
        Value::Array(items) if items.iter().any(|it| it.get("key").is_some()) => {
            for item in items {
                if let Some((key, value)) =
                    item.get("key").and_then(Value::as_str).zip(item.get("value"))
                {
                    flatten(&format!("{path}.{key}"), value, cells);
                }
            }
        }
        // Amounts, such as credits, are parts of one.
        Value::Array(items) if items.iter().any(|it| it.get("amount").is_some()) => {
            let amounts = items.iter().filter_map(|it| it.get("amount")?.as_f64());
            cells.push((format!("{path}.amount"), amounts.sum::<f64>().to_string()));
        }
        // The steps of a job of Slurm.
        Value::Array(items) if items.iter().any(|it| it.get("statistics").is_some()) => {
            if let Some(joules) = of_steps(items) {
                cells.push((format!("{path}.energy"), joules.to_string()));
            }
        }
        Value::Array(items) => {
            let parts: Vec<String> = items.iter().filter_map(counted).collect();
            if !path.is_empty() && !parts.is_empty() {
                cells.push((path.to_owned(), parts.join(",")));
            }
        }
        Value::Null => {}
        _ if path.is_empty() => {}
        Value::String(text) => cells.push((path.to_owned(), text.clone())),
        other => cells.push((path.to_owned(), other.to_string())),
    }
}

/// The joules of a job: those of its steps, or of its batch or outer step, which last as long as
/// the job and meter the same machine, where that is more.
fn of_steps(steps: &[Value]) -> Option<f64> {
    let (mut inner, mut whole) = (0.0_f64, 0.0_f64);
    for step in steps {
        let consumed = step.pointer("/statistics/energy/consumed");
        let number = |it: &Value| it.get("number").unwrap_or(it).as_f64();
        let joules = consumed.and_then(number).filter(|joules| *joules < 1e17).unwrap_or(0.0);
        match step.pointer("/step/name").and_then(Value::as_str) {
            Some("batch" | "extern") => whole = whole.max(joules),
            _ => inner += joules,
        }
    }
    Some(inner.max(whole)).filter(|joules| *joules > 0.0)
}

/// A word of a list, or a counted resource of Slurm as it writes it in tables: `gres/gpu=8`.
fn counted(item: &Value) -> Option<String> {
    let word = |key: &str| item.get(key).and_then(Value::as_str).filter(|it| !it.is_empty());
    let count = item.get("count").and_then(Value::as_i64);
    match (item, word("type"), count) {
        (Value::String(text), ..) => Some(text.clone()),
        (_, Some(kind), Some(count)) => {
            let name = word("name").map(|name| format!("/{name}")).unwrap_or_default();
            Some(format!("{kind}{name}={count}"))
        }
        _ => None,
    }
}

impl<'a> Row<'a> {
    /// The text of a cell; `None` if the log has no such column or marks the cell as unknown.
    pub(super) fn text(self, column: &str) -> Option<&'a str> {
        let place = self.place(column).filter(|place| *place < self.count)?;
        let text = self.table.cell(self.first + place);
        (!GAPS.contains(&text)).then_some(text)
    }

    /// The text of the first of some columns that says something.
    pub(super) fn any(self, columns: &[&str]) -> Option<&'a str> {
        columns.iter().find_map(|column| self.text(column))
    }

    /// Its line in the file.
    pub(super) fn line(self) -> u64 {
        u64::from(self.line)
    }

    /// Cells that it has, and that the header has.
    pub(super) fn width(self) -> (usize, usize) {
        (self.count, self.table.names.len())
    }

    /// The row as far as its first `cells` cells.
    pub(super) fn until(self, cells: usize) -> Self {
        Self { count: cells.min(self.count), ..self }
    }

    /// The place of a column.
    pub(super) fn place(self, column: &str) -> Option<usize> {
        self.table.place(column)
    }

    /// The number of a cell's text as the table writes numbers.
    pub(super) fn number(self, text: &str) -> Option<f64> {
        if self.table.decimal_comma {
            return number(&text.replace('.', "").replace(',', "."));
        }
        number(text)
    }
}

impl Odd {
    /// A number that is not below zero, with or without its unit: `312.45 W`.
    pub(super) fn number(&mut self, row: Row<'_>, column: &str) -> Option<f64> {
        let value = self.signed(row, column)?;
        if value < 0.0 {
            self.note(row, column, "is below zero");
            return None;
        }
        Some(value)
    }

    /// A number that may be below zero, such as a credit.
    pub(super) fn signed(&mut self, row: Row<'_>, column: &str) -> Option<f64> {
        let text = row.text(column)?;
        let number = row.number(text);
        if number.is_none() {
            self.note(row, column, "is not a number");
        }
        number
    }

    /// Notes a cell that is taken as unknown.
    pub(super) fn note(&mut self, row: Row<'_>, column: &str, what: &str) {
        if self.cells.len() >= NAMED {
            self.more += 1;
            return;
        }
        let text: String = row.text(column).unwrap_or_default().chars().take(60).collect();
        let line = row.line();
        self.cells.push(format!("line {line}: `{text}` in `{column}` {what}: taken as unknown"));
    }

    /// The remarks about all of them.
    pub(super) fn notes(self) -> impl Iterator<Item = String> {
        let more = (self.more > 0).then(|| format!("{} more cells cannot be read", self.more));
        self.cells.into_iter().chain(more)
    }
}

/// A finite number, with or without a unit after it.
pub(super) fn number(text: &str) -> Option<f64> {
    let text = text.split_whitespace().next().unwrap_or_default().trim_start_matches('$');
    let number = text.parse::<f64>().or_else(|error| match text.split_once(',') {
        // `55,040.00`: groups of three digits.
        Some((_, rest))
            if rest.split(',').all(|it| it.split('.').next().unwrap_or(it).len() == 3) =>
        {
            text.replace(',', "").parse()
        }
        _ => Err(error),
    });
    let number = number.ok();
    number.filter(|value| value.is_finite() && value.abs() < 1e18)
}

/// A sum that is unknown as soon as one part is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sum(Option<f64>);

impl Sum {
    /// The sum of nothing, which is 0.
    pub(super) fn new() -> Self {
        Self(Some(0.0))
    }

    /// Adds a part; an unknown part makes the sum unknown for good.
    pub(super) fn add(&mut self, part: Option<f64>) {
        self.0 = self.0.zip(part).map(|(sum, part)| sum + part);
    }

    /// The sum, if it is known and above zero.
    pub(super) fn positive(self) -> Option<f64> {
        self.0.filter(|sum| *sum > 0.0)
    }
}
