//! `flopcast estimate`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{Format, Global, load, print};
use crate::diagnostic::{Error, Kind, Result};
use crate::report::{Report, csv, json, markdown, table};

/// Options of `flopcast estimate`.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// Scenario files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Options {
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode> {
        let catalog = load::catalog(global)?;
        let mut reports = Vec::new();
        for path in &self.files {
            let scenario = load::scenario(path, &catalog, global)?;
            reports.push(load::report(&scenario, &catalog)?);
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
}
