//! `flopcast calibrate`: the fit of a calibration's constants to measured figures, with the proof.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::training::calibration::Calibration;
use flopcast_core::training::whole_run;
use flopcast_evidence::backtest::calibrate::prove;
use flopcast_evidence::backtest::networks::{SPEED, networks};
use flopcast_evidence::backtest::runs::{DEVICE_HOURS, whole_runs};
use flopcast_evidence::backtest::serving::Reader;
use flopcast_evidence::backtest::table::Table;
use flopcast_evidence::backtest::{Backtest, Kind, cases};
use flopcast_evidence::calibration_file;
use flopcast_report::subject::accuracy::Accuracy;

use super::backtest::{calibration, configs, text};
use super::{Global, load, output, tell};

/// Options of `flopcast calibrate`.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// A table of measured throughputs, of whole runs or of serving figures in the columns of
    /// docs/backtest.md; the throughputs that flopcast ships when left out.
    #[arg(value_name = "FILE.csv")]
    file: Option<PathBuf>,
    /// File to write the fitted constants to.
    #[arg(long, short, value_name = "FILE.yaml")]
    output: Option<PathBuf>,
    /// Write over a file that exists.
    #[arg(long)]
    force: bool,
    /// Random splits to validate on, 30 % of the models (serving: of the pairs of
    /// model and accelerator) left out of each.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    cross_validate: u16,
    /// The folder of the models that a serving table names; `serving_configs` beside the table
    /// when left out.
    #[arg(long, value_name = "DIR")]
    configs: Option<PathBuf>,
    /// Constants to start from; the priors in it bind the fit.
    #[arg(long, value_name = "FILE.yaml")]
    calibration: Option<PathBuf>,
}

impl Options {
    /// Fits the constants, writes them where asked, and prints the proof. Without a table it prints
    /// the proof of the shipped constants: `docs/accuracy.md`.
    ///
    /// # Errors
    /// If the table cannot be read, no row can be predicted, or the output exists already.
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode> {
        if let Some(path) = &self.output {
            output::vacant(path, self.force)?;
        }
        let catalog = load::catalog(global)?;
        if let Some(path) = &self.file {
            let table = Table::read(&text(path)?)?;
            // Tables of serving figures name the figure of each row.
            if table.has("figure") {
                return self.serving(global, path, &table);
            }
            // Tables of whole runs name their device-hours.
            if table.has(DEVICE_HOURS) {
                return self.runs(global, &table, &path.display().to_string());
            }
            // Tables of networks name the speed in samples.
            if table.has(SPEED) {
                return self.networks(global, path, &table);
            }
        }
        let before = calibration(self.calibration.as_deref())?;
        let (table, name) = match &self.file {
            Some(path) => {
                (Kind::TrainingThroughput.table(&text(path)?)?, path.display().to_string())
            }
            None => {
                (Kind::TrainingThroughput.shipped()?, "hardware/backtest/throughput.csv".to_owned())
            }
        };
        let (cases, skipped) = cases(&table, &catalog, &before);
        for (id, why) in &skipped {
            tell(&format!("left out: {id}: {why}"));
        }
        let measured = cases.iter().filter(|case| case.throughput.is_some()).count();
        if measured == 0 {
            return Err(Error::input("no row of the table can be fitted to")
                .hint("`flopcast backtest FILE.csv` says why"));
        }
        let fitted = format!("{name}, {measured} rows");
        let proof = prove(&cases, &before, usize::from(self.cross_validate), &fitted)?;
        if let Some(path) = &self.output {
            output::write(path, &calibration_file::write(&proof.calibration)?, self.force)?;
        }
        if self.file.is_some() {
            return global.print(&proof);
        }
        let shipped = |kind: Kind| Backtest::run(kind, &kind.shipped()?, &catalog, &before);
        let tests = [shipped(Kind::TrainingThroughput)?, shipped(Kind::Runs)?];
        let (runs, _) = whole_runs(&Kind::Runs.shipped()?, &catalog, &before);
        let losses = whole_run::Calibration::shipped()?;
        let runs = prove(&runs, losses, 0, &losses.fitted)?;
        global.print(&Accuracy { proof: &proof, runs: &runs, tests: &tests })
    }

    fn runs(&self, global: &Global, table: &Table, name: &str) -> Result<ExitCode> {
        let catalog = load::catalog(global)?;
        let before = calibration(self.calibration.as_deref())?;
        let (rows, skipped) = whole_runs(table, &catalog, Calibration::shipped()?);
        for (id, why) in &skipped {
            tell(&format!("left out: {id}: {why}"));
        }
        let fitted = format!("{name}, {} runs", rows.len());
        let proof = prove(&rows, &before, usize::from(self.cross_validate), &fitted)?;
        if let Some(path) = &self.output {
            output::write(path, &calibration_file::write(&proof.calibration)?, self.force)?;
        }
        global.print(&proof)
    }

    /// Fits the constants of operators to speeds of networks.
    fn networks(&self, global: &Global, path: &Path, table: &Table) -> Result<ExitCode> {
        let catalog = load::catalog(global)?;
        let before = calibration(self.calibration.as_deref())?;
        let (rows, skipped) = networks(table, &catalog, &before);
        for (id, why) in &skipped {
            tell(&format!("left out: {id}: {why}"));
        }
        let name = path.file_name().unwrap_or_default().display();
        let fitted = format!("{name}, {} rows", rows.len());
        let proof = prove(&rows, &before, usize::from(self.cross_validate), &fitted)?;
        if let Some(path) = &self.output {
            output::write(path, &calibration_file::write(&proof.calibration)?, self.force)?;
        }
        global.print(&proof)
    }

    /// Fits the constants of engines to serving figures.
    fn serving(&self, global: &Global, path: &Path, table: &Table) -> Result<ExitCode> {
        let catalog = load::catalog(global)?;
        let before = calibration(self.calibration.as_deref())?;
        let model = configs(Some(path), self.configs.as_deref());
        let (runs, skipped) = Reader::new(&catalog, &before.facts, &model).runs(table);
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, why) in &skipped {
            *reasons.entry(why).or_default() += 1;
        }
        for (why, rows) in reasons {
            tell(&format!("left out: {rows} rows: {why}"));
        }
        let name = path.file_name().unwrap_or_default().display();
        let fitted = format!("{name}, {} runs", runs.len());
        let proof = prove(&runs, &before, usize::from(self.cross_validate), &fitted)?;
        if let Some(path) = &self.output {
            output::write(path, &calibration_file::write(&proof.calibration)?, self.force)?;
        }
        global.print(&proof)
    }
}
