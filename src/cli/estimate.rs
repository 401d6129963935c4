//! `flopcast estimate`: the forecast of a scenario, or of a question in flags.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::{Error, Kind, Result};
use flopcast_report::{Report, json};
use flopcast_study::policy::Policy;
use flopcast_study::snapshot::Snapshot;
use flopcast_study::uncertainty::Sampling;
use flopcast_study::{commitment, uncertainty};

use super::ask::Asked;
use super::capacity::{Ready, Runs};
use super::{Global, check, load};

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
            let ready = Ready::of(path, catalog, global, &search, self.simulate)?;
            Ok((ready.is_kept(), self.ranges.report(&ready, catalog)?))
        })?;
        let (kept, reports): (Vec<bool>, Vec<Report>) = reports.into_iter().unzip();
        global.print(&reports)?;
        if self.strict {
            let policy = self.policy.as_deref().map_or(Ok(Policy::strict()), check::policy)?;
            reports.iter().try_for_each(|report| strictly(&policy, report))?;
        }
        // The forecast stands, and says that it does not fit, comes too late or too slowly.
        let kept = kept.into_iter().all(|kept| kept);
        let fits = kept && reports.iter().all(|report| report.fits && report.late_days.is_none());
        Ok(if fits { ExitCode::SUCCESS } else { ExitCode::from(Kind::Limit as u8) })
    }
}

impl Ranges {
    /// The report with ranges, where there are any or they are asked for.
    pub(super) fn report(&self, ready: &Ready, catalog: &Catalog) -> Result<Report> {
        let (mut engine, mut report) = ready.report(catalog)?;
        if let Some(service) = &ready.scenario.inference {
            report.commitments = commitment::of(service, catalog);
        }
        if self.samples.is_some() || uncertainty::has_ranges(&mut engine) {
            let sampling = Sampling {
                samples: self.samples.unwrap_or(10_000) as usize,
                seed: self.seed,
                model_error: !self.no_model_error,
            };
            report.intervals = uncertainty::intervals(&engine, sampling)?;
        }
        if ready.sized.is_none()
            && let Some(predicted) = uncertainty::predicted(&engine)
        {
            report.say_predicted(predicted);
        }
        Ok(report)
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
