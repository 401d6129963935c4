//! Which document a file name asks for.

use std::path::Path;

use flopcast_core::diagnostic::{Error, Result};

use super::{Report, chart, csv, focus, html, json, markdown, statement, xlsx};

/// A document for other people or programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// One page for a browser or the printer.
    Html,
    /// A picture of what moves the answer most.
    Svg,
    /// A workbook with live formulas.
    Xlsx,
    /// The ledger as forecast charges in FOCUS, for planning beside real ones.
    Focus,
    /// The carbon of a model card.
    ModelCard,
    /// The statement of a software carbon intensity.
    Sci,
    /// Tables for a wiki or a pull request.
    Markdown,
    /// One row per figure and row of the ledger.
    Csv,
    /// The snapshot that `compare` and `check` read again.
    Json,
}

/// Endings of file names, the longer before those that they end in.
const ENDINGS: &[(&str, Document)] = &[
    (".html", Document::Html),
    (".htm", Document::Html),
    (".svg", Document::Svg),
    (".xlsx", Document::Xlsx),
    (".focus.csv", Document::Focus),
    (".card.md", Document::ModelCard),
    (".sci.md", Document::Sci),
    (".md", Document::Markdown),
    (".csv", Document::Csv),
    (".json", Document::Json),
];

impl Document {
    /// The document that the file is to be, by its ending.
    ///
    /// # Errors
    /// An ending that is none of those known.
    pub fn of(path: &Path) -> Result<Self> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = name.to_ascii_lowercase();
        let known = ENDINGS.iter().find(|(ending, _)| name.ends_with(ending));
        known.map(|(_, document)| *document).ok_or_else(|| {
            let endings: Vec<_> = ENDINGS.iter().map(|(ending, _)| *ending).collect();
            Error::input(format!("`{}` does not say which document it is to be", path.display()))
                .hint(format!("its name may end in {}", endings.join(", ")))
        })
    }

    /// The document's bytes; the same reports give the same bytes.
    ///
    /// # Errors
    /// A template without a place for the content; a picture of several scenarios, or of one
    /// without ranges.
    pub fn render(self, reports: &[Report], template: Option<&str>) -> Result<Vec<u8>> {
        let text = match self {
            Self::Xlsx => return xlsx::workbook(reports),
            Self::Focus => focus::charges(reports),
            Self::Html => html::page(reports, template.unwrap_or(html::TEMPLATE))?,
            Self::Svg => tornado(reports)?,
            Self::ModelCard => statement::model_card(reports)?,
            Self::Sci => statement::sci(reports)?,
            Self::Markdown => reports.iter().map(markdown::estimate).collect::<Vec<_>>().join("\n"),
            Self::Csv => csv::estimates(reports),
            Self::Json => json::estimates(reports),
        };
        Ok(text.into_bytes())
    }
}

fn tornado(reports: &[Report]) -> Result<String> {
    let [report] = reports else {
        return Err(
            Error::input("a picture shows one scenario").hint("an .html page shows several")
        );
    };
    let range = report.widest().ok_or_else(|| {
        Error::input("no input is a range, so nothing moves the answer")
            .hint("write an input as a range, `price: 2.0..3.0 USD/device-h`, or predict the speed")
    })?;
    Ok(chart::standalone(&html::sensitivity(range)))
}
