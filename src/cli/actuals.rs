//! `flopcast actuals`: the logs, bills and meters of a run or a service beside its forecast.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::{Id, Place};
use flopcast_core::quantity::text::QuantityError;
use flopcast_core::quantity::{Time, text};
use flopcast_core::serving::traffic::Trace;
use flopcast_evidence::actuals::bench::{self, Bench};
use flopcast_evidence::actuals::requests;
use flopcast_evidence::actuals::{self, Expected};

use super::input::read_text;
use super::{Global, load};

/// Options of `flopcast actuals`.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// Logs of the run, one or several: `CodeCarbon`, Slurm's sacct, samples of power (nvidia-smi,
    /// DCGM, Prometheus), a bill (FOCUS, AWS CUR), exports of W&B, `MLflow` and Trackio, a line of
    /// hours, kWh and cost; of a service, its requests, with their latencies, as CSV or JSON, or the
    /// JSON of a load test (`vllm bench serve`, `SGLang`, guidellm, genai-perf, `AIPerf`, `LLMPerf`).
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// The scenario that forecast it.
    #[arg(long, value_name = "SCENARIO")]
    against: PathBuf,
    /// Scale every step of a log of requests such that the median time per output token is the one
    /// of the log, or the one given here.
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true,
          default_missing_value = "log", value_parser = Median::read)]
    calibrate_tpot: Option<Median>,
}

/// Whose median time per output token.
#[derive(Clone, Copy, Debug)]
enum Median {
    OfTheLog,
    Given(Time),
}

impl Median {
    /// Reads `log`, which asks for the median of the log, or a time per token.
    fn read(text: &str) -> Result<Self, QuantityError> {
        match text {
            "log" => Ok(Self::OfTheLog),
            time => text::parse(time).map(Self::Given),
        }
    }
}

/// Larger logs, all together, are refused.
const MAX_BYTES: u64 = 128 << 20;

impl Options {
    /// Reads the logs, compares them with the forecast, and prints the items with their reasons.
    ///
    /// # Errors
    /// If a log is of no form that is known, or the scenario has nothing to compare with it.
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode> {
        let (mut logs, mut left) = (Vec::new(), MAX_BYTES);
        for file in &self.files {
            let name = file.display().to_string();
            let text = read_text(file, left).map_err(|error| {
                if left < MAX_BYTES { error.hint("of all logs together") } else { error }
            })?;
            left -= text.len() as u64;
            logs.push((name, text));
        }
        let catalog = load::catalog_of(&self.against, global)?;
        let scenario = load::scenario(&self.against, &catalog, global)?;
        if let [(name, text)] = logs.as_slice()
            && let Some(runs) = Bench::read(text).map_err(|error| error.within(name))?
        {
            let calibrate = self.calibrate_tpot.is_some();
            return global.print(&bench::compare(&scenario, &runs, calibrate)?);
        }
        let of_requests = logs.iter().find(|(_, text)| Trace::looks_like(text));
        let comparison = if let Some((name, log)) = of_requests {
            if logs.len() > 1 {
                return Err(Error::input(format!("{name} is a log of requests: give it alone")));
            }
            let trace = Trace::read(log).map_err(|error| error.within(name))?;
            let tpot = match self.calibrate_tpot {
                Some(Median::Given(tpot)) => Some(tpot),
                Some(Median::OfTheLog) => Some(requests::median_tpot(&trace)?),
                None => None,
            };
            requests::compare(&scenario, &trace, tpot)?
        } else if self.calibrate_tpot.is_some() {
            let name = &logs[0].0;
            return Err(Error::input(format!("--calibrate-tpot: {name} is no log of requests")));
        } else {
            let estimate = load::engine(&scenario, &catalog)?.run()?;
            let devices = Id::TrainingDevices.at(Place::Training);
            let card = scenario.training.as_ref().map(|training| training.card.hardware());
            let expected = Expected {
                devices: estimate.value(&devices),
                hardware: card.as_deref().unwrap_or_default(),
                catalog: Some(&catalog),
            };
            let logs: Vec<_> = logs.iter().map(|(name, text)| (&**name, &**text)).collect();
            actuals::compare(&estimate, &actuals::read(&logs, &expected)?)?
        };
        global.print(&comparison)
    }
}
