//! `flopcast sweep`: all combinations of some values, row by row, and what remains of them.

use std::io::{self, BufWriter, StdoutLock, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use flopcast_core::diagnostic::{Error, Kind, Result};
use flopcast_core::quantity::text::number;
use flopcast_report::subject::sweep::{
    Remains, csv_head, csv_row, json_head, json_row, json_tail, svg,
};
use flopcast_study::aim::Aim;
use flopcast_study::axis::Axis;
use flopcast_study::space::Space;
use flopcast_study::sweep;
use flopcast_study::sweep::{Question, Row, Summary};

use super::input::document;
use super::progress::Progress;
use super::{Format, Global, load, output};

/// Options of `flopcast sweep`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  flopcast sweep scenarios/llama-3.1-8b-stages.yaml \\
    --vary training.hardware.accelerator=a100-sxm-80gb,h100-sxm \\
    --vary training.hardware.count=64..1024*2 --pareto cost,days

The last axis varies fastest. Two aims or more are drawn, the first two of them. A combination
that cannot be done is a row with the reason.")]
pub(super) struct Options {
    /// The scenario file.
    file: PathBuf,
    /// A key and its values: a list `a,b,c`, or numbers `64..1024*2`, `10..50+20`; repeatable,
    /// all combinations are forecast.
    #[arg(long, required = true, value_name = "PATH=VALUES")]
    vary: Vec<String>,
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
        let catalog = load::catalog(global)?;
        let axes = self.vary.iter().map(|text| Axis::read(text)).collect::<Result<Vec<_>>>()?;
        let files = load::Beside::new(&self.file, global)?;
        let space = Space::new(document(&self.file, global)?, axes, &catalog, &files)?;
        let front: Vec<Aim> = self.pareto.iter().map(|text| Aim::read(text)).collect();
        let mut columns = front.clone();
        for aim in self.figures.iter().map(|text| Aim::read(text)) {
            if columns.iter().all(|known| known.key != aim.key) {
                columns.push(aim);
            }
        }
        let question = Question { columns, front };
        if let Some(path) = &self.svg {
            output::vacant(path, self.force)?;
        }
        let mut rows = Rows::new(&space, &question, global.format);
        let summary = match self.stream(&mut rows, global.format) {
            // Nobody reads on.
            Err(_) if rows.closed => return Ok(ExitCode::SUCCESS),
            result => result?,
        };
        if let Some(path) = &self.svg {
            let picture = svg(&space, &question, &summary)
                .ok_or_else(|| Error::limit("there are no two feasible rows and aims to draw"))?;
            output::write(path, &picture, self.force)?;
        }
        if !matches!(global.format, Format::Csv | Format::Json) {
            global.print(&Remains { space: &space, question: &question, summary: &summary })?;
        }
        let none = summary.feasible == 0;
        Ok(if none { ExitCode::from(Kind::Limit as u8) } else { ExitCode::SUCCESS })
    }

    /// Forecasts every combination; rows leave as they come where they are asked for.
    fn stream(&self, rows: &mut Rows<'_>, format: Format) -> Result<Summary> {
        let (space, question) = (rows.space, rows.question);
        let bar = Progress::new();
        let told = |done: u64| {
            let (done, all) = (done as f64, space.len() as f64);
            bar.show(&format!("{} of {} ({:.0} %)", number(done), number(all), 100.0 * done / all));
        };
        if !matches!(format, Format::Csv | Format::Json) {
            return sweep::run(space, question, &mut |_| Ok(()), &told);
        }
        rows.head()?;
        let mut each = |row: &Row| if self.front { Ok(()) } else { rows.row(row) };
        let summary = sweep::run(space, question, &mut each, &told)?;
        if self.front {
            summary.front.iter().try_for_each(|row| rows.row(row))?;
        }
        rows.tail(&summary)?;
        Ok(summary)
    }
}

/// Rows on their way out.
struct Rows<'a> {
    space: &'a Space<'a>,
    question: &'a Question,
    json: bool,
    out: BufWriter<StdoutLock<'static>>,
    written: u64,
    /// True once the reader has left.
    closed: bool,
}

impl<'a> Rows<'a> {
    /// A writer of rows in a form.
    fn new(space: &'a Space<'a>, question: &'a Question, format: Format) -> Self {
        let out = BufWriter::new(io::stdout().lock());
        Self { space, question, json: format == Format::Json, out, written: 0, closed: false }
    }

    /// Writes what stands before the first row.
    fn head(&mut self) -> Result<()> {
        let head =
            if self.json { json_head(self.space) } else { csv_head(self.space, self.question) };
        self.write(&head)
    }

    /// Writes a row.
    fn row(&mut self, row: &Row) -> Result<()> {
        let text = if self.json {
            let comma = if self.written > 0 { ",\n" } else { "" };
            format!("{comma}{}", json_row(self.space, self.question, row))
        } else {
            csv_row(self.space, row)
        };
        self.written += 1;
        self.write(&text)
    }

    /// Writes what stands after the last row.
    fn tail(&mut self, summary: &Summary) -> Result<()> {
        if self.json {
            self.write(&json_tail(summary))?;
        }
        let flushed = self.out.flush();
        self.settle(flushed)
    }

    /// Writes a text to stdout.
    fn write(&mut self, text: &str) -> Result<()> {
        let written = self.out.write_all(text.as_bytes());
        self.settle(written)
    }

    /// The result of writing; a closed pipe ends the rows without an error.
    fn settle(&mut self, written: io::Result<()>) -> Result<()> {
        written.map_err(|error| {
            self.closed = error.kind() == io::ErrorKind::BrokenPipe;
            Error::input(format!("the result could not be written: {error}"))
        })
    }
}
