//! `flopcast check`: forecasts against the limits of a policy, for a pull request.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use flopcast_api::questions::check::{baseline_of, checked};
use flopcast_core::diagnostic::{Error, Result};
use flopcast_report::subject::policy::Checked;
use flopcast_scenario::document;
use flopcast_study::policy::{Findings, Policy};
use flopcast_study::snapshot::Snapshot;

use super::compare::snapshots;
use super::input::read_bytes;
use super::{Global, exit, load};

/// Options of `flopcast check`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  flopcast check plan.yaml --policy policy.yaml
  flopcast check plan.yaml --policy policy.yaml --baseline before.json --format markdown

A policy:
  limits:
    - {figure: cost, max: 5M USD, at: p95, why: the budget of 2027}
    - {figure: co2e, max_increase: 10 %, level: warn}
    - {figure: training.mfu, min: 0.3}
  not_assumed: [placement.pue, \"training.*\"]

Exit codes: 0 every limit of level fail holds, 1 one is broken or cannot be told because the
figure is unknown, 2 the input is wrong.")]
pub(super) struct Options {
    /// Scenario files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The limits.
    #[arg(long, value_name = "POLICY.yaml")]
    policy: PathBuf,
    /// Earlier forecasts, as `estimate --format json` saved them; found by the scenario's name.
    #[arg(long, value_name = "BASE.json")]
    baseline: Option<PathBuf>,
}

impl Options {
    /// Forecasts the scenarios, judges them by the policy, and prints the verdicts. The exit code
    /// is 1 if a limit that fails is broken.
    ///
    /// # Errors
    /// If the policy or a scenario cannot be read, or a limit names no figure.
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode> {
        let policy = policy(&self.policy)?;
        let earlier = self.baseline.as_deref().map_or(Ok(Vec::new()), snapshots)?;
        let all = load::each(&self.files, global, |path, catalog| {
            let (forecast, engines) = load::snapshot(path, catalog, global)?;
            let baseline = baseline_of(&earlier, &forecast, self.files.len() == 1);
            let findings = policy.judge(&forecast, baseline)?;
            let given_by_lock = catalog.given_by_lock().to_vec();
            let kept_by_lock = if given_by_lock.is_empty() {
                Vec::new()
            } else {
                kept_by_lock(&findings, path, global, |known| policy.judge(known, baseline))
            };
            let checked = checked((&forecast, &engines), baseline, findings)?;
            Ok(Checked { given_by_lock, kept_by_lock, ..checked })
        })?;
        global.print(&all)?;
        let fails = all.iter().any(Checked::fails);
        Ok(exit(!fails))
    }
}

/// The figures whose limits hold by rows that the lock alone has: without the lock they do not.
/// Nobody can tell if the scenario cannot be forecast without it.
fn kept_by_lock(
    findings: &Findings,
    path: &Path,
    global: &Global,
    judge: impl Fn(&Snapshot) -> Result<Findings>,
) -> Vec<String> {
    let known = || {
        let catalog = load::catalog(global)?;
        judge(&load::snapshot(path, &catalog, global)?.0)
    };
    let known = known().map_or(Vec::new(), |known| known.verdicts);
    let pairs = findings.verdicts.iter().zip(known);
    let flips = pairs.filter(|(locked, known)| !locked.fails() && known.fails());
    flips.map(|(locked, _)| locked.figure.clone()).collect()
}

/// Reads a policy file.
pub(super) fn policy(path: &Path) -> Result<Policy> {
    let bytes = read_bytes(path, document::MAX_BYTES as u64)?;
    Policy::read(&path.display().to_string(), &bytes)
        .map_err(|error| if error.place().is_some() { error } else { within(error, path) })
}

/// The error with the file's name before it.
fn within(error: Error, path: &Path) -> Error {
    error.within(&path.display().to_string())
}
