//! `flopcast estimate`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{Format, Global, load, print};
use crate::catalog::Catalog;
use crate::diagnostic::{Error, Kind, Result};
use crate::estimate::Engine;
use crate::explore::uncertainty::{self, Sampling};
use crate::report::{Report, csv, json, markdown, table};
use crate::scenario::Scenario;

/// Options of `flopcast estimate`.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// Scenario files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Samples for the ranges of the figures; 10,000 where an input is a range, else none.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(20..=10_000_000))]
    samples: Option<u32>,
    /// The same seed gives the same ranges.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Leave the error of predicted step times out of the ranges.
    #[arg(long)]
    no_model_error: bool,
}

impl Options {
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode> {
        let catalog = load::catalog(global)?;
        let mut reports = Vec::new();
        for path in &self.files {
            let scenario = load::scenario(path, &catalog, global)?;
            reports.push(self.report(&scenario, &catalog)?);
        }
        let each = |render: fn(&Report) -> String| {
            reports.iter().map(render).collect::<Vec<_>>().join("\n")
        };
        print(&match global.format {
            Format::Table => each(table::estimate),
            Format::Markdown => each(markdown::estimate),
            Format::Csv => csv::estimates(&reports),
            Format::Json => {
                let values: Vec<_> = reports.iter().map(json::estimate).collect();
                let text = match values.as_slice() {
                    [one] => serde_json::to_string_pretty(one),
                    many => serde_json::to_string_pretty(many),
                };
                text.map_err(|error| {
                    Error::input(format!("the JSON could not be written: {error}"))
                })?
            }
        })?;
        // The forecast stands, and says that it does not fit.
        let fits = reports.iter().all(Report::fits);
        Ok(if fits { ExitCode::SUCCESS } else { ExitCode::from(Kind::Limit as u8) })
    }

    /// The report with ranges, where there are any or they are asked for.
    fn report(&self, scenario: &Scenario, catalog: &Catalog) -> Result<Report> {
        let mut engine = Engine::new(scenario, catalog)?;
        let mut report = Report::new(scenario, &engine.run(true)?, engine.predicted());
        if scenario.inference.is_some() {
            report.warnings.push(
                "the fleet is what throughput alone needs, from means in closed form; \
                 `flopcast capacity` sizes it by percentiles of latency"
                    .to_owned(),
            );
        }
        if self.samples.is_some() || uncertainty::has_ranges(&mut engine) {
            let sampling = Sampling {
                samples: self.samples.unwrap_or(10_000) as usize,
                seed: self.seed,
                model_error: !self.no_model_error,
            };
            report.intervals = uncertainty::intervals(&engine, sampling)?;
        }
        Ok(report)
    }
}
