//! `flopcast explain`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_report::subject::capacity as sized;
use flopcast_report::subject::explain::{Derivation, Derivations};

use super::capacity::{self, Runs};
use super::{Global, load};

/// Options of `flopcast explain`.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// The scenario file.
    file: PathBuf,
    /// A figure's path in the JSON, such as `training.co2e_kg.location`; without it, all are
    /// listed with their formula.
    figure: Option<String>,
    /// Simulate the service and explain what the forecast rests on then.
    #[arg(long)]
    simulate: bool,
    #[command(flatten)]
    runs: Runs,
}

impl Options {
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode> {
        let catalog = load::catalog_of(&self.file, global)?;
        let scenario = load::scenario(&self.file, &catalog, global)?;
        let report = if self.simulate && scenario.inference.is_some() {
            let search = self.runs.search();
            sized::report(&scenario, &capacity::simulated(&scenario, &catalog, &search, false)?)
        } else {
            load::report(&scenario, &catalog)?
        };
        let Some(path) = &self.figure else {
            return global.print(&Derivations(&report));
        };
        let Some(figure) = report.figures.iter().find(|figure| figure.path == *path) else {
            let known = report.figures.iter().map(|figure| figure.path.as_str());
            return Err(Error::input(format!("this forecast has no figure `{path}`"))
                .suggest(path, known)
                .hint("`flopcast explain FILE` lists them all"));
        };
        global.print(&Derivation(figure))
    }
}
