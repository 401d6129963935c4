//! `flopcast actuals`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::quantity::text::QuantityError;
use flopcast_core::quantity::{Time, text};
use flopcast_core::serving::traffic::Trace;
use flopcast_evidence::actuals;
use flopcast_evidence::actuals::requests;

use super::input::read_bytes;
use super::{Global, load};

/// Options of `flopcast actuals`.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// A log of the run: the emissions.csv of `CodeCarbon`, `sacct --parsable2`, `nvidia-smi
    /// --format=csv`, or a bill in the columns of FOCUS; of a service, its requests, with their
    /// latencies, as CSV or JSON lines.
    #[arg(value_name = "FILE")]
    file: PathBuf,
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
    fn read(text: &str) -> Result<Self, QuantityError> {
        match text {
            "log" => Ok(Self::OfTheLog),
            time => text::parse(time).map(Self::Given),
        }
    }
}

/// Larger logs are refused.
const MAX_BYTES: u64 = 256 << 20;

impl Options {
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode> {
        let name = self.file.display().to_string();
        let log = String::from_utf8(read_bytes(&self.file, MAX_BYTES)?)
            .map_err(|_| Error::input(format!("{name} is not UTF-8 text")))?;
        let catalog = load::catalog_of(&self.against, global)?;
        let scenario = load::scenario(&self.against, &catalog, global)?;
        let comparison = if Trace::looks_like(&log) {
            let trace = Trace::read(&log).map_err(|error| error.within(&name))?;
            let tpot = match self.calibrate_tpot {
                Some(Median::Given(tpot)) => Some(tpot),
                Some(Median::OfTheLog) => Some(requests::median_tpot(&trace)?),
                None => None,
            };
            requests::compare(&scenario, &trace, tpot)?
        } else if self.calibrate_tpot.is_some() {
            return Err(Error::input(format!("--calibrate-tpot: {name} is no log of requests")));
        } else {
            let measured = actuals::read(&log).map_err(|error| error.within(&name))?;
            let estimate = load::engine(&scenario, &catalog)?.run()?;
            actuals::compare(&estimate, measured)?
        };
        global.print(&comparison)
    }
}
