//! `flopcast report`: the forecast as a document for other people, in the form that the file's
//! ending names.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_report::html;
use flopcast_report::render::{Format, Setting};

use super::capacity::Runs;
use super::input::read_text;
use super::{Global, browser, estimate, load, output, print, tell};

/// Options of `flopcast report`.
#[derive(Args, Debug)]
#[command(after_help = "Example: flopcast report scenarios/gpt3-175b.yaml -o gpt3.html")]
pub(super) struct Options {
    /// Scenario files; several stand side by side.
    #[arg(required_unless_present = "print_template", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The document, by its ending: .html .pdf .xlsx .md .csv .json, .focus.csv (charges),
    /// .card.md (model card), .sci.md (SCI statement), .eu.md (EU AI Act), .ghg.md (emissions by
    /// scope, ESRS E1), .spdx.json and .cdx.json (bills of materials), .boamps.json and
    /// .codecarbon.csv (energy reports), .tex and .bib (for a paper), .svg (what moves the answer).
    #[arg(short, long, value_name = "FILE", required_unless_present = "print_template")]
    output: Option<PathBuf>,
    /// Overwrite the document.
    #[arg(long)]
    force: bool,
    /// A page of your own around the report, with the places {{ title }}, {{ style }} and
    /// {{ content }}.
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// Print the built-in page, to start your own from.
    #[arg(long, exclusive = true)]
    print_template: bool,
    /// The browser that prints a .pdf; left out, Chromium, Chrome or Edge where installed.
    #[arg(long, value_name = "PROGRAM", env = "FLOPCAST_BROWSER")]
    browser: Option<PathBuf>,
    /// Simulate the service though it has no SLO: percentiles of latency, against the load too.
    /// One that has an SLO is simulated anyhow.
    #[arg(long)]
    simulate: bool,
    #[command(flatten)]
    runs: Runs,
    #[command(flatten)]
    ranges: estimate::Ranges,
}

/// Larger templates are refused.
const MAX_TEMPLATE_BYTES: u64 = 4 << 20;

impl Options {
    /// Forecasts the scenarios and writes the document, never over another file unless told to.
    ///
    /// # Errors
    /// If the ending is none that is known, the form does not carry several scenarios, or the file
    /// exists.
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode> {
        if self.print_template {
            return print(html::TEMPLATE);
        }
        let Some(path) = &self.output else {
            return Err(Error::input("`--output FILE` is missing"));
        };
        // A PDF is the page, printed: the library, which starts no program, has no such form.
        let printed = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("pdf"));
        let format = if printed { Format::Html } else { Format::of(path)? };
        output::vacant(path, self.force)?;
        let template = self.template.as_ref();
        let template = template.map(|path| read_text(path, MAX_TEMPLATE_BYTES)).transpose()?;
        let reports = load::each(&self.files, global, |file, catalog| {
            let search = self.runs.search();
            Ok(self.ranges.report((file, catalog), global, &search, self.simulate)?.0)
        })?;
        let setting = Setting { template: template.as_deref(), ..Setting::default() };
        let mut bytes = format.render(&reports, setting)?;
        if printed {
            bytes = browser::pdf(&bytes, self.browser.as_deref())?;
        }
        output::write(path, &bytes, self.force)?;
        tell(&format!("wrote {}", path.display()));
        Ok(ExitCode::SUCCESS)
    }
}
