//! `flopcast backtest`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::input::read_bytes;
use super::{Format, Global, load, print};
use crate::diagnostic::{Error, Result};
use crate::explore::backtest::table::Table;
use crate::explore::backtest::{Backtest, Kind};
use crate::report::backtest::{csv, json, markdown, table};
use crate::training::calibration::Calibration;

/// Larger tables and calibrations are refused.
pub(super) const MAX_TABLE: u64 = 256 << 20;

/// Options of `flopcast backtest`.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// A table of published figures in the columns of docs/backtest.md; the one that flopcast
    /// ships when left out.
    #[arg(value_name = "FILE.csv")]
    file: Option<PathBuf>,
    /// What to score.
    #[arg(long, value_enum, default_value_t = What::TrainingThroughput)]
    kind: What,
    /// Write every scored figure: id, figure, measured, predicted, low, high.
    #[arg(long, value_name = "OUT.csv")]
    rows: Option<PathBuf>,
    /// Constants to use instead of the built-in ones: what `flopcast calibrate` wrote.
    #[arg(long, value_name = "FILE.yaml")]
    calibration: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// Tokens per second and memory of training steps.
    TrainingThroughput,
    /// FLOPs, device-hours, energy and carbon of whole runs.
    Runs,
}

impl Options {
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode> {
        let kind = match self.kind {
            What::TrainingThroughput => Kind::TrainingThroughput,
            What::Runs => Kind::Runs,
        };
        let catalog = load::catalog(global)?;
        let calibration = calibration(self.calibration.as_deref())?;
        let rows = match &self.file {
            Some(path) => Table::read(&text(path)?)?,
            None => kind.shipped()?,
        };
        let test = Backtest::run(kind, &rows, &catalog, &calibration)?;
        if let Some(path) = &self.rows {
            write(path, &csv(&test))?;
        }
        match global.format {
            Format::Table => print(&table(&test)),
            Format::Markdown => print(&markdown(&test)),
            Format::Csv => print(&csv(&test)),
            Format::Json => print(&format!("{:#}", json(&test))),
        }
    }
}

/// The constants of a file, or the built-in ones.
pub(super) fn calibration(path: Option<&Path>) -> Result<Calibration> {
    match path {
        Some(path) => Calibration::read(&text(path)?),
        None => Calibration::embedded(),
    }
}

/// The text of a table.
pub(super) fn text(path: &Path) -> Result<String> {
    String::from_utf8(read_bytes(path, MAX_TABLE)?)
        .map_err(|_| Error::input(format!("{} is not UTF-8 text", path.display())))
}

/// Writes a result file.
pub(super) fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text)
        .map_err(|error| Error::input(format!("cannot write {}: {error}", path.display())))
}
