//! `flopcast sweep`: all combinations of some values, row by row, and what remains of them.

use std::io::{self, BufWriter, StdoutLock, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use flopcast_api::questions::sweep::{Rows, question, stream};
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::quantity::text::number;
use flopcast_report::subject::sweep::{Remains, svg};
use flopcast_study::axis::Axis;
use flopcast_study::space::Space;

use super::input::document;
use super::table::{Table, elsewhere, is_elsewhere};
use super::{Format, Global, exit, load, output, tell};

/// Options of `flopcast sweep`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  flopcast sweep scenarios/llama-3.1-8b-stages.yaml \\
    --vary training.hardware.accelerator=a100-sxm-80gb,h100-sxm \\
    --vary training.hardware.count=64..1024*2 --pareto cost,days
  flopcast sweep plan.yaml --from what-ifs.csv -o forecasts.csv --keep id

The last axis varies fastest. Two aims or more are drawn, the first two of them. A combination
that cannot be done is a row with the reason.

The columns of a table are keys of the scenario (training.hardware.count), an empty cell leaves its
own value; rows stream through in order. The Python package does the same with Parquet.")]
pub(super) struct Options {
    /// The scenario file.
    file: PathBuf,
    /// A key and its values: a list `a,b,c`, or numbers `64..1024*2`, `10..50+20`; repeatable,
    /// all combinations are forecast.
    #[arg(long, required_unless_present = "from", value_name = "PATH=VALUES")]
    vary: Vec<String>,
    /// Forecast every row of this table instead, in CSV: its first line names keys of the scenario.
    #[arg(long, value_name = "TABLE.csv", conflicts_with_all = ["vary", "front", "svg"])]
    from: Option<PathBuf>,
    /// Columns of the table that are no keys and pass through.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', requires = "from")]
    keep: Vec<String>,
    /// Write the rows of the table into this file; without it, to standard output.
    #[arg(short, long, value_name = "OUT.csv", requires = "from")]
    out: Option<PathBuf>,
    /// Figures to measure the front by: cost, days, co2e, energy, devices, or figures by their
    /// path; less is better, `max:training.mfu` turns that round.
    #[arg(long, value_name = "AIM,...", value_delimiter = ',', default_value = "cost,days,co2e")]
    pareto: Vec<String>,
    /// The figures of each row beside those of the front.
    #[arg(long, value_name = "AIM,...", value_delimiter = ',', default_value = "devices")]
    figures: Vec<String>,
    /// Only the rows of the front, in CSV and JSON.
    #[arg(long)]
    front: bool,
    /// Draw the first two aims against each other into this file.
    #[arg(long, value_name = "OUT.svg")]
    svg: Option<PathBuf>,
    /// Write over a file that exists.
    #[arg(long)]
    force: bool,
}

impl Options {
    /// Forecasts every combination; rows are written as they come, and the summary follows.
    ///
    /// # Errors
    /// If an axis makes no sense, or a row cannot be written.
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode> {
        if let Some(from) = &self.from {
            return self.table(from, global);
        }
        let catalog = load::catalog(global)?;
        let document = document(&self.file, global)?;
        let read = |text: &String| Axis::read(text, &document);
        let axes = self.vary.iter().map(read).collect::<Result<Vec<_>>>()?;
        let question = question(&self.pareto, &self.figures);
        if let Some(path) = &self.svg {
            output::vacant(path, self.force)?;
        }
        let rows = match global.format {
            Format::Json => Rows::Json,
            Format::Csv => Rows::Csv,
            _ => Rows::None,
        };
        let mut out = Out { out: BufWriter::new(io::stdout().lock()), closed: false };
        let about = load::About::new(&self.file, &catalog, global)?;
        about.ask(|session| {
            let space = Space::new(document, axes, session.catalog, session.files)?;
            let summary = stream(session, (&space, &question), (rows, self.front), &mut |text| {
                out.write(text)
            })
            .and_then(|summary| out.end().map(|()| summary));
            let summary = match summary {
                // Nobody reads on.
                Err(_) if out.closed => return Ok(ExitCode::SUCCESS),
                result => result?,
            };
            if let Some(path) = &self.svg {
                let picture = svg(&space, &question, &summary).ok_or_else(|| {
                    Error::limit("there are no two feasible rows and aims to draw")
                })?;
                output::write(path, &picture, self.force)?;
            }
            if rows == Rows::None {
                global.show(&Remains { space: &space, question: &question, summary: &summary })?;
            }
            Ok(exit(summary.feasible > 0))
        })
    }
}

impl Options {
    /// Forecasts every row of a table.
    fn table(&self, from: &Path, global: &Global) -> Result<ExitCode> {
        if !matches!(global.format, Format::Table | Format::Csv) {
            return Err(
                Error::input("the rows of a table are written as CSV").hint("leave --format out")
            );
        }
        if let Some(path) = self.out.as_deref().filter(|path| is_elsewhere(path)) {
            return Err(elsewhere(path));
        }
        let catalog = load::catalog(global)?;
        let document = document(&self.file, global)?;
        let figures = question(&self.pareto, &self.figures).columns;
        let table = Table { from, keep: &self.keep, figures };
        let about = load::About::new(&self.file, &catalog, global)?;
        about.ask(|session| {
            let Some(path) = &self.out else {
                let mut out = Out { out: BufWriter::new(io::stdout().lock()), closed: false };
                let counted = table
                    .forecast(document, session, &mut |text| out.write(text))
                    .and_then(|counted| out.end().map(|()| counted));
                return match counted {
                    // Nobody reads on.
                    Err(_) if out.closed => Ok(ExitCode::SUCCESS),
                    counted => Ok(exit(counted?.1 > 0)),
                };
            };
            let mut file = output::Growing::new(path, self.force)?;
            let counted = table.forecast(document, session, &mut |text| file.add(text))?;
            file.finish()?;
            let (all, feasible) = (number(counted.0 as f64), number(counted.1 as f64));
            tell(&format!("{}: {all} rows, {feasible} can be done", path.display()));
            Ok(exit(counted.1 > 0))
        })
    }
}

/// Rows on their way out.
struct Out {
    out: BufWriter<StdoutLock<'static>>,
    /// True once the reader has left.
    closed: bool,
}

impl Out {
    /// Writes a text to stdout.
    fn write(&mut self, text: &str) -> Result<()> {
        let written = self.out.write_all(text.as_bytes());
        self.settle(written)
    }

    /// Writes what is left.
    fn end(&mut self) -> Result<()> {
        let flushed = self.out.flush();
        self.settle(flushed)
    }

    /// The result of writing; a closed pipe ends the rows without an error.
    fn settle(&mut self, written: io::Result<()>) -> Result<()> {
        written.map_err(|error| {
            self.closed = error.kind() == io::ErrorKind::BrokenPipe;
            Error::input(format!("the result could not be written: {error}"))
        })
    }
}
