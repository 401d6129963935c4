//! `flopcast capacity`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::progress::Progress;
use super::{Format, Global, load, print};
use crate::diagnostic::Result;
use crate::explore::capacity;
use crate::report::capacity::{json, markdown, report, table};
use crate::report::csv;
use crate::serving::calibration::Calibration;
use crate::serving::capacity::Search;

/// Options of `flopcast capacity`.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// A scenario file with an `inference` section.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Requests of each simulated run.
    #[arg(long, value_name = "N", default_value_t = Search::default().requests,
          value_parser = clap::value_parser!(u64).range(100..=100_000_000))]
    requests: u64,
    /// Runs per rate, each with other arrivals: a promise must hold in their mean with 95 %
    /// confidence.
    #[arg(long, value_name = "N", default_value_t = Search::default().seeds,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    seeds: u32,
}

impl Options {
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode> {
        let catalog = load::catalog(global)?;
        let scenario = load::scenario(&self.file, &catalog, global)?;
        let search = Search { requests: self.requests, seeds: self.seeds, ..Search::default() };
        let progress = Progress::new();
        let calibration = Calibration::shipped()?;
        let sized = capacity::size(&scenario, &catalog, &calibration, &search, &|what, share| {
            progress.bar(what, share);
        })?;
        drop(progress);
        let report = report(&scenario, &sized);
        match global.format {
            Format::Table => print(&table(&report, &sized)),
            Format::Markdown => print(&markdown(&report, &sized)),
            Format::Csv => print(&csv::estimates(&[report])),
            Format::Json => print(&format!("{:#}", json(&report, &sized))),
        }
    }
}
