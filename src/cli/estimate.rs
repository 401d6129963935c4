//! `flopcast estimate`: the forecast of a scenario, or of a question in flags.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use flopcast_api::{Forecast, Ready, forecast};
use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::serving::capacity::Search;
use flopcast_report::{Report, json};
use flopcast_study::policy::Policy;
use flopcast_study::snapshot::Snapshot;

use super::ask::Asked;
use super::capacity::Runs;
use super::{Global, check, exit, load};

/// Options of `flopcast estimate`.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// Scenario files.
    #[arg(required_unless_present = "model", conflicts_with = "model", value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    ranges: Ranges,
    /// Simulate the service though it has no SLO: percentiles of latency, as `flopcast capacity`
    /// finds them. One that has an SLO is simulated anyhow.
    #[arg(long)]
    simulate: bool,
    #[command(flatten)]
    runs: Runs,
    /// How long the start may wait for a cleaner grid, such as 7d: the best start, and what it
    /// saves. The same as `--set placement.start_window=7d`.
    #[arg(long, value_name = "TIME")]
    window: Option<String>,
    /// Fail where an input is assumed: any, or with --policy those that it names under
    /// `not_assumed`.
    #[arg(long)]
    strict: bool,
    /// A policy, as `flopcast check` reads it.
    #[arg(long, value_name = "POLICY.yaml", requires = "strict")]
    policy: Option<PathBuf>,
}

/// How the ranges of the figures are sampled.
#[derive(Args, Debug)]
pub(super) struct Ranges {
    /// Samples for the ranges of the figures; 10,000 where an input is a range, else 256.
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
    /// Forecasts each scenario and prints the reports, with ranges where inputs have some.
    ///
    /// # Errors
    /// If a scenario cannot be read or forecast, or assumes what `--strict` wants given.
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode> {
        let (mut global, asked) = self.asked.scenario(self.runs.rate(), global)?;
        global.set.extend(self.window.iter().map(|time| format!("placement.start_window={time}")));
        let global = &global;
        let files: Vec<_> = self.files.iter().chain(asked.as_ref()).collect();
        let reports = load::each(&files, global, |path, catalog| {
            let search = self.runs.search();
            self.ranges.report((path, catalog), global, &search, self.simulate)
        })?;
        let (reports, kept): (Vec<Report>, Vec<bool>) = reports.into_iter().unzip();
        global.print(&reports)?;
        if self.strict {
            let policy = self.policy.as_deref().map_or(Ok(Policy::strict()), check::policy)?;
            reports.iter().try_for_each(|report| strictly(&policy, report))?;
        }
        // The forecast stands, and says that it does not fit, comes too late or too slowly.
        let kept = kept.into_iter().all(|kept| kept);
        let fits = kept && reports.iter().all(|report| report.fits && report.late_days.is_none());
        Ok(exit(fits))
    }
}

impl Ranges {
    /// The same as the library takes it.
    fn sampled(&self) -> flopcast_api::Ranges {
        let Self { samples, seed, no_model_error } = *self;
        flopcast_api::Ranges { samples, seed, model_error: !no_model_error }
    }

    /// The report of a scenario with ranges, where there are any or they are asked for; and whether a
    /// fleet keeps its SLO.
    pub(super) fn report(
        &self,
        (path, catalog): (&Path, &Catalog),
        global: &Global,
        search: &Search,
        always: bool,
    ) -> Result<(Report, bool)> {
        let asked = load::asked(path, global)?;
        load::About::new(path, catalog, global)?.ask(|session| {
            let of = |ready: &Ready| self.sampled().report(session, ready);
            let Forecast { report, kept, .. } = forecast(session, &asked, (search, always), &of)?;
            Ok((report, kept))
        })
    }
}

/// Refuses a forecast that assumes what the policy wants given.
fn strictly(policy: &Policy, report: &Report) -> Result<()> {
    let assumed = policy.assumed(&Snapshot::new(json::estimate(report))?);
    if assumed.is_empty() {
        return Ok(());
    }
    let message = format!("{} assumes {}", report.name, assumed.join(", "));
    Err(Error::limit(message).hint("give them in the scenario, or leave them out of the policy"))
}
