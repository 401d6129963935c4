//! `flopcast compare`: two forecasts line by line, with the inputs that explain the difference.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use flopcast_api::questions::check::alone;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::Engine;
use flopcast_study::aim::Aim;
use flopcast_study::compare::{Comparison, compare};
use flopcast_study::snapshot::Snapshot;

use super::input::read_bytes;
use super::{Global, load, tell};

/// Larger snapshots are refused.
const MAX_SNAPSHOT: u64 = 64 << 20;

/// Options of `flopcast compare`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  flopcast estimate plan.yaml --format json > before.json
  flopcast compare before.json plan.yaml
  flopcast compare scenarios/gpt3-175b.yaml scenarios/bloom-176b.yaml

  flopcast compare plan.yaml --set placement.region=eu-north-1

+ came, - went, ~ changed. --set applies to the scenarios after the first; --set-before to the first.")]
pub(super) struct Options {
    /// Forecast to compare the others with: a scenario, or what `estimate --format json` saved.
    before: PathBuf,
    /// Scenarios or saved forecasts; the first one, as --set changes it, where none is named.
    after: Vec<PathBuf>,
    /// Figures to measure the effect of an input by: cost, days, co2e, energy, devices, or figures
    /// by their path.
    #[arg(long, value_name = "AIM,...", value_delimiter = ',', default_value = "cost,co2e")]
    by: Vec<String>,
    /// Override a key of the first scenario, which --set leaves alone; repeatable.
    #[arg(long, value_name = "PATH=VALUE")]
    set_before: Vec<String>,
}

impl Options {
    /// Reads both sides, each a scenario or a saved forecast, and prints what differs.
    ///
    /// # Errors
    /// If a side cannot be read, or their carbon intensities are of different bases.
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode> {
        let mut first = global.clone();
        first.set.clone_from(&self.set_before);
        let (before, _) = side(&self.before, &first)?;
        for (sets, whose) in [(&self.set_before, "first"), (&global.set, "second")] {
            if !sets.is_empty() {
                tell(&format!("{} applies to the {whose} side only", sets.join(", ")));
            }
        }
        let aims: Vec<Aim> = self.by.iter().map(|text| Aim::read(text)).collect();
        let mut all: Vec<Comparison> = Vec::new();
        let itself = std::slice::from_ref(&self.before);
        let changed = !global.set.is_empty() || !self.set_before.is_empty();
        let afters = match self.after.as_slice() {
            [] if changed => itself,
            [] => {
                return Err(Error::input("there is nothing to compare the scenario with")
                    .hint("name another one, or change this one: --set PATH=VALUE"));
            }
            named => named,
        };
        for path in afters {
            let (after, engines) = side(path, global)?;
            all.push(compare(&before, &after, alone(&engines), &aims)?);
        }
        global.print(&all)
    }
}

/// A saved forecast where the file is JSON, else a scenario's.
fn side(path: &Path, global: &Global) -> Result<(Snapshot, Vec<Engine>)> {
    if path.extension().is_some_and(|extension| extension == "json") {
        let mut saved = snapshots(path)?;
        return match (saved.pop(), saved.is_empty()) {
            (Some(snapshot), true) => Ok((snapshot, Vec::new())),
            _ => Err(Error::input(format!("{} does not hold one forecast", path.display()))),
        };
    }
    let catalog = load::catalog_of(path, global)?;
    load::snapshot(path, &catalog, global)
}

/// The forecasts that a file holds.
pub(super) fn snapshots(path: &Path) -> Result<Vec<Snapshot>> {
    let bytes = read_bytes(path, MAX_SNAPSHOT)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::input(format!("{} is not UTF-8 text", path.display())))?;
    Snapshot::read_all(&text).map_err(|error| error.within(&path.display().to_string()))
}
