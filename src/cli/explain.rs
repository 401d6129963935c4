//! `flopcast explain`: the derivation of one figure, or the formulas of all.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use flopcast_api::questions::explain;
use flopcast_api::{Ready, forecast};
use flopcast_core::diagnostic::{Error, Result};

use super::ask::Asked;
use super::capacity::Runs;
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
        let asked = load::asked(file, global)?;
        let search = self.runs.search();
        let about = load::About::new(file, &catalog, global)?;
        let answer = about.ask(|session| {
            let of = |ready: &Ready| ready.report(session);
            forecast(session, &asked, (&search, self.simulate), &of)
        })?;
        let report = answer.report;
        explain::show(&report, figure.as_deref(), &mut |subject| global.show(subject))?;
        Ok(ExitCode::SUCCESS)
    }
}
