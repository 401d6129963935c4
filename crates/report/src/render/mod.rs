//! Forms in which a document is read: one registry for `--format` and for the endings of files, and
//! one renderer per form.
//!
//! A form is a row of [`FORMS`]: its name, its endings, what it can carry. Some forms carry
//! forecasts alone (a workbook, FOCUS); all others carry every document.

pub mod csv;
pub mod html;
pub mod json;
pub mod markdown;
pub mod svg;
pub mod terminal;

use std::path::Path;

use flopcast_core::diagnostic::{Error, Result};

use crate::doc::Subject;
use crate::{Report, focus, html as page, launch, statement, xlsx};

/// A form of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Aligned text for a terminal.
    Table,
    /// The snapshot that programs read, and `compare` and `check` read again.
    Json,
    /// One row per figure.
    Csv,
    /// Tables for a wiki or a pull request.
    Markdown,
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
    /// The fields of the EU AI Act on compute, time and energy, with verdicts.
    EuAiAct,
    /// The emissions by the scopes of the GHG Protocol and the tables of ESRS E1.
    Ghg,
    /// A bill of materials in SPDX with the model's energy.
    Spdx,
    /// A bill of materials in `CycloneDX` with the model's energy and carbon.
    CycloneDx,
    /// A report of `BoAmps` on the energy of the task.
    BoAmps,
    /// The run as a row of `CodeCarbon`'s file.
    CodeCarbon,
    /// A sentence for a paper.
    Latex,
    /// What the sentence cites.
    Bibtex,
    /// The plan as a batch script of Slurm.
    Slurm,
    /// The plan as a task of `SkyPilot`.
    SkyPilot,
    /// A replica of the service as a command line of vLLM.
    Vllm,
}

/// The content that a form can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carries {
    /// Every document.
    Anything,
    /// Forecasts alone.
    Forecasts,
}

/// A form of a document with its names and the content that it can carry.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// The form.
    pub format: Format,
    /// Its name on the command line.
    pub name: &'static str,
    /// A description in a sentence of help.
    pub says: &'static str,
    /// Endings of the names of its files.
    pub endings: &'static [&'static str],
    /// The content that it can carry.
    pub carries: Carries,
}

/// A row of the registry.
const fn form(
    format: Format,
    name: &'static str,
    endings: &'static [&'static str],
    carries: Carries,
    says: &'static str,
) -> Form {
    Form { format, name, says, endings, carries }
}

/// Every form. An ending stands before those that it ends in.
pub const FORMS: &[Form] = &[
    form(Format::Table, "table", &[".txt"], Carries::Anything, "Aligned text for a terminal"),
    form(
        Format::Spdx,
        "spdx",
        &[".spdx.json"],
        Carries::Forecasts,
        "SPDX 3.0.1 with the energy of its AI profile",
    ),
    form(
        Format::CycloneDx,
        "cyclonedx",
        &[".cdx.json"],
        Carries::Forecasts,
        "CycloneDX 1.7 with environmental considerations",
    ),
    form(
        Format::BoAmps,
        "boamps",
        &[".boamps.json"],
        Carries::Forecasts,
        "BoAmps, the energy of the task",
    ),
    form(Format::Json, "json", &[".json"], Carries::Anything, "The stable snapshot"),
    form(
        Format::Focus,
        "focus",
        &[".focus.csv"],
        Carries::Forecasts,
        "Forecast charges in the columns of FOCUS",
    ),
    form(
        Format::CodeCarbon,
        "codecarbon",
        &[".codecarbon.csv"],
        Carries::Forecasts,
        "The run as a row of CodeCarbon's emissions.csv",
    ),
    form(Format::Csv, "csv", &[".csv"], Carries::Anything, "One row per figure"),
    form(
        Format::ModelCard,
        "card",
        &[".card.md"],
        Carries::Forecasts,
        "The carbon of a model card",
    ),
    form(Format::Sci, "sci", &[".sci.md"], Carries::Forecasts, "The statement of an SCI"),
    form(
        Format::EuAiAct,
        "eu-ai-act",
        &[".eu.md"],
        Carries::Forecasts,
        "The EU AI Act's fields on compute, time and energy, with verdicts",
    ),
    form(
        Format::Ghg,
        "ghg",
        &[".ghg.md", ".esrs.md"],
        Carries::Forecasts,
        "Emissions by scope: GHG Protocol and ESRS E1",
    ),
    form(
        Format::Markdown,
        "markdown",
        &[".md"],
        Carries::Anything,
        "Tables for a pull request or a wiki",
    ),
    form(
        Format::Html,
        "html",
        &[".html", ".htm"],
        Carries::Anything,
        "One page for a browser or the printer",
    ),
    form(Format::Latex, "latex", &[".tex"], Carries::Forecasts, "A sentence for a paper"),
    form(Format::Bibtex, "bibtex", &[".bib"], Carries::Forecasts, "What the sentence cites"),
    form(Format::Svg, "svg", &[".svg"], Carries::Forecasts, "What moves the answer most"),
    form(Format::Xlsx, "xlsx", &[".xlsx"], Carries::Forecasts, "A workbook with live formulas"),
    form(Format::Slurm, "slurm", &[".sbatch"], Carries::Forecasts, "The plan as a Slurm script"),
    form(
        Format::SkyPilot,
        "skypilot",
        &[".sky.yaml"],
        Carries::Forecasts,
        "The plan as a task of SkyPilot",
    ),
    form(
        Format::Vllm,
        "vllm",
        &[".vllm.sh"],
        Carries::Forecasts,
        "A replica as a command line of vLLM",
    ),
];

/// The settings of a rendering.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// Columns of a terminal.
    pub width: usize,
    /// True for all of a document on a terminal, false for the first screen of those that have one.
    pub full: bool,
    /// The page around the content of HTML; the built-in one when left out.
    pub template: Option<&'a str>,
}

impl Default for Setting<'_> {
    /// All of it, on a terminal of 80 columns or the built-in page.
    fn default() -> Self {
        Self { width: terminal::WIDTH, full: true, template: None }
    }
}

impl Format {
    /// The form that a file is to have, by its ending.
    ///
    /// # Errors
    /// An ending that is none of those known.
    pub fn of(path: &Path) -> Result<Self> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = name.to_ascii_lowercase();
        let has = |form: &&Form| form.endings.iter().any(|ending| name.ends_with(ending));
        FORMS.iter().find(has).map(|form| form.format).ok_or_else(|| {
            let endings: Vec<_> = FORMS.iter().flat_map(|form| form.endings).copied().collect();
            Error::input(format!("`{}` does not say which document it is to be", path.display()))
                .hint(format!("its name may end in {}", endings.join(", ")))
        })
    }

    /// The document's bytes; the same subject gives the same bytes.
    ///
    /// # Errors
    /// A form that carries forecasts alone and a subject that is none; a template without a place
    /// for the content; a picture of several scenarios, or of one without ranges.
    pub fn render(self, subject: &dyn Subject, setting: Setting<'_>) -> Result<Vec<u8>> {
        let forecasts = || {
            subject.forecasts().ok_or_else(|| {
                let form = FORMS.iter().find(|form| form.format == self);
                let name = form.map_or("it", |form| form.name);
                Error::input(format!("{name} carries forecasts alone"))
                    .hint("use table, json, csv, markdown or html")
            })
        };
        let text = match self {
            Self::Table => {
                let first = if setting.full { None } else { subject.first_screen() };
                terminal::text(&first.unwrap_or_else(|| subject.doc()), setting.width)
            }
            Self::Json => json::text(subject),
            Self::Csv => csv::text(&subject.doc()),
            Self::Markdown => markdown::text(&subject.doc()),
            Self::Html => {
                let template = setting.template.unwrap_or(page::TEMPLATE);
                match subject.forecasts() {
                    Some(reports) => page::page(reports, template)?,
                    None => html::page(&subject.doc(), template)?,
                }
            }
            Self::Svg => tornado(forecasts()?)?,
            Self::Xlsx => return xlsx::workbook(forecasts()?),
            Self::Focus => focus::charges(forecasts()?)?,
            Self::ModelCard => statement::card::card(forecasts()?)?,
            Self::Sci => statement::sci::statement(forecasts()?)?,
            Self::EuAiAct => statement::eu::form(forecasts()?)?,
            Self::Ghg => statement::ghg::statement(forecasts()?)?,
            Self::Spdx => statement::spdx::document(forecasts()?)?,
            Self::CycloneDx => statement::cyclonedx::document(forecasts()?)?,
            Self::BoAmps => statement::boamps::report(forecasts()?)?,
            Self::CodeCarbon => statement::codecarbon::emissions(forecasts()?)?,
            Self::Latex => statement::paper::sentence(forecasts()?)?,
            Self::Bibtex => statement::paper::bibliography(forecasts()?)?,
            Self::Slurm => launch::slurm(forecasts()?)?,
            Self::SkyPilot => launch::skypilot(forecasts()?)?,
            Self::Vllm => launch::vllm(forecasts()?)?,
        };
        Ok(text.into_bytes())
    }
}

/// The picture of what moves the widest range of one scenario.
///
/// # Errors
/// If there are several scenarios, or the scenario has no ranges.
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
    Ok(crate::chart::standalone(&page::sensitivity(range)))
}
