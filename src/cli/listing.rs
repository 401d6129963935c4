//! A plain table of cells in every form of result.

use flopcast_core::quantity::text::number;
use serde_json::{Map, Number, Value};
use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Padding, Style};

use super::Format;

/// Rows under headings.
#[derive(Debug)]
pub(super) struct Listing {
    /// Column names: the keys of JSON and CSV, and in words the headings of a table.
    pub columns: &'static [&'static str],
    /// As many cells each as there are columns.
    pub rows: Vec<Vec<Cell>>,
}

/// What stands in a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    /// Words.
    Text(String),
    /// A number in the unit that the column's name says.
    Number(f64),
    /// A count.
    Count(u64),
    /// Nobody knows.
    Gap,
}

/// Widest table where the terminal does not say (`COLUMNS`), in characters.
const WIDTH: usize = 100;
/// Text columns are not made narrower than this.
const NARROWEST: usize = 10;
/// Characters between two columns.
const GAP: usize = 2;

impl Listing {
    /// Keeps the rows in which every word occurs.
    pub(super) fn filter(&mut self, words: &[String]) {
        let has = |row: &[Cell], word: &String| {
            let word = word.to_lowercase();
            row.iter().any(|cell| cell.plain().to_lowercase().contains(&word))
        };
        self.rows.retain(|row| words.iter().all(|word| has(row, word)));
    }

    /// The listing in the form asked for.
    pub(super) fn render(&self, format: Format) -> String {
        match format {
            Format::Table => self.table(),
            Format::Json => self.json(),
            Format::Csv => self.csv(),
            Format::Markdown => self.markdown(),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the command line may read the environment")]
    fn table(&self) -> String {
        let width = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
        let widths = self.widths(width.unwrap_or(WIDTH));
        let mut builder = Builder::default();
        builder.push_record(self.columns.iter().map(|name| stacked(&heading(name))));
        for row in &self.rows {
            let cells = row.iter().zip(&widths);
            builder.push_record(cells.map(|(cell, width)| shortened(&cell.shown(), *width)));
        }
        let mut table = builder.build();
        table.with(Style::empty()).with(Padding::new(0, GAP, 0, 0));
        for (i, _) in self.columns.iter().enumerate().filter(|(i, _)| self.is_numeric(*i)) {
            table.modify(Columns::one(i), Alignment::right());
        }
        let text = table.to_string();
        let lines: Vec<_> = text.lines().map(str::trim_end).collect();
        lines.join("\n") + "\n"
    }

    /// Widths of the columns: as wide as their cells, then the widest texts are cut until the
    /// table fits.
    fn widths(&self, fit: usize) -> Vec<usize> {
        let length = |text: &str| text.chars().count();
        let mut widths: Vec<usize> = (0..self.columns.len())
            .map(|i| self.rows.iter().map(|row| length(&row[i].shown())).max().unwrap_or(0))
            .collect();
        let head = |name: &str| stacked(&heading(name)).lines().map(length).max().unwrap_or(0);
        let heads: Vec<usize> = self.columns.iter().map(|name| head(name)).collect();
        let total = |widths: &[usize]| -> usize {
            widths.iter().zip(&heads).map(|(width, head)| width.max(head) + GAP).sum()
        };
        while total(&widths) > fit + GAP {
            let texts = (0..widths.len()).filter(|i| !self.is_numeric(*i));
            let least = |i: usize| heads[i].max(NARROWEST);
            let widest = texts.filter(|i| widths[*i] > least(*i)).max_by_key(|i| widths[*i]);
            let Some(widest) = widest else { break };
            widths[widest] -= 1;
        }
        widths
    }

    fn is_numeric(&self, column: usize) -> bool {
        self.rows.iter().any(|row| matches!(row[column], Cell::Number(_) | Cell::Count(_)))
    }

    fn json(&self) -> String {
        let rows = self.rows.iter().map(|row| {
            let keys = self.columns.iter().map(|name| (*name).to_owned());
            Value::Object(keys.zip(row.iter().map(Cell::json)).collect::<Map<_, _>>())
        });
        // Values of this program always serialise.
        serde_json::to_string_pretty(&Value::Array(rows.collect())).unwrap_or_default()
    }

    fn csv(&self) -> String {
        let mut out = csv::Writer::from_writer(Vec::new());
        // Writing into memory does not fail.
        let _ = out.write_record(self.columns);
        for row in &self.rows {
            let _ = out.write_record(row.iter().map(Cell::plain));
        }
        out.into_inner().map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default()
    }

    fn markdown(&self) -> String {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let rule = (0..self.columns.len()).map(|i| if self.is_numeric(i) { "---:" } else { "---" });
        let mut out = line(self.columns.iter().map(|name| heading(name)).collect());
        out += &line(rule.map(str::to_owned).collect());
        for row in &self.rows {
            out += &line(row.iter().map(|cell| cell.shown().replace('|', "\\|")).collect());
        }
        out
    }
}

impl Cell {
    /// A cell of a text, a gap if it is empty.
    pub(super) fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        if text.is_empty() { Self::Gap } else { Self::Text(text) }
    }

    /// A cell of a number that may be unknown.
    pub(super) fn number(value: Option<f64>) -> Self {
        value.map_or(Self::Gap, Self::Number)
    }

    /// For people: four significant digits, `-` for a gap.
    fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(value) => number(*value),
            Self::Count(count) => number(*count as f64),
            Self::Gap => "-".to_owned(),
        }
    }

    /// For programs: every digit, nothing for a gap.
    fn plain(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(value) => tidy(*value).to_string(),
            Self::Count(count) => count.to_string(),
            Self::Gap => String::new(),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Text(text) => Value::String(text.clone()),
            Self::Number(value) => {
                Number::from_f64(tidy(*value)).map_or(Value::Null, Value::Number)
            }
            Self::Count(count) => Value::from(*count),
            Self::Gap => Value::Null,
        }
    }
}

/// A number without the last digits' noise of a change of units.
fn tidy(value: f64) -> f64 {
    format!("{value:.12e}").parse().unwrap_or(value)
}

/// `on_demand_usd_per_h` as words: `on demand USD/h`.
fn heading(name: &str) -> String {
    let words = name.replace("_per_", "/").replace("device_h", "device-h").replace('_', " ");
    let unit = |word: &str| match word {
        "usd" => "USD".to_owned(),
        "tflops" => "TFLOP/s".to_owned(),
        "gb" => "GB".to_owned(),
        "w" => "W".to_owned(),
        _ => word.replace("usd/", "USD/").replace("gb/", "GB/").replace("/kwh", "/kWh"),
    };
    words.split(' ').map(unit).collect::<Vec<_>>().join(" ")
}

/// A long heading on two lines, its unit or last word below.
fn stacked(heading: &str) -> String {
    match heading.rsplit_once(' ') {
        Some((words, unit)) if heading.len() > NARROWEST => format!("{words}\n{unit}"),
        _ => heading.to_owned(),
    }
}

fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing() -> Listing {
        let row = |a: &str, b| vec![Cell::text(a), b];
        Listing {
            columns: &["sku", "price_usd_per_h"],
            rows: vec![row("p5.48xlarge", Cell::Number(55.04)), row("p5, spot", Cell::Gap)],
        }
    }

    #[test]
    fn every_form_keeps_gaps_apart_from_zero() {
        let check = |format, expected: &str| assert_eq!(listing().render(format), expected);
        let table =
            "sku          price\n             USD/h\np5.48xlarge  55.04\np5, spot         -\n";
        check(Format::Table, table);
        check(Format::Csv, "sku,price_usd_per_h\np5.48xlarge,55.04\n\"p5, spot\",\n");
        let markdown = "| sku | price USD/h |\n| --- | ---: |\n| p5.48xlarge | 55.04 |\n\
                        | p5, spot | - |\n";
        check(Format::Markdown, markdown);
        let json: Value = serde_json::from_str(&listing().render(Format::Json)).unwrap();
        assert_eq!(json[1]["price_usd_per_h"], Value::Null);
        assert_eq!(json[0]["price_usd_per_h"], 55.04);
    }

    #[test]
    fn words_filter_rows() {
        let mut listing = listing();
        listing.filter(&["P5".to_owned(), "spot".to_owned()]);
        assert_eq!(listing.rows.len(), 1);
    }
}
