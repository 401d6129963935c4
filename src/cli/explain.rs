//! `flopcast explain`: the derivation of one figure, or the formulas of all.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_report::subject::explain::{Derivation, Derivations};

use super::ask::Asked;
use super::capacity::{Ready, Runs};
use super::{Global, load};

/// Options of `flopcast explain`.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// The scenario file.
    #[arg(required_unless_present = "model")]
    file: Option<PathBuf>,
    /// A figure's path in the JSON, such as `training.co2e_kg.location`; without it, all are
    /// listed with their formula.
    figure: Option<String>,
    /// Simulate the service though it has no SLO, and explain what the forecast rests on then.
    #[arg(long)]
    simulate: bool,
    #[command(flatten)]
    runs: Runs,
    #[command(flatten)]
    asked: Asked,
}

impl Options {
    /// Prints the derivation of the figure that is asked for.
    ///
    /// # Errors
    /// If the forecast has no such figure, with the nearest ones.
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode> {
        let (global, asked) = self.asked.scenario(self.runs.rate(), global)?;
        let global = &global;
        // Without a file, the first word is the figure.
        let (file, figure) = match (&asked, &self.file) {
            (Some(asked), first) => {
                let first = first.as_ref().map(|it| it.display().to_string());
                (asked, first.or_else(|| self.figure.clone()))
            }
            (None, Some(file)) => (file, self.figure.clone()),
            (None, None) => return Err(Error::input("name a scenario file, or a --model")),
        };
        let catalog = load::catalog_of(file, global)?;
        let ready = Ready::of(file, &catalog, global, &self.runs.search(), self.simulate)?;
        let (_, report) = ready.report(&catalog)?;
        let Some(path) = &figure else {
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
