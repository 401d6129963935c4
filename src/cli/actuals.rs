//! `flopcast actuals`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::input::read_bytes;
use super::{Format, Global, load, print};
use crate::diagnostic::{Error, Result};
use crate::explore::actuals;
use crate::report::actuals::{csv, json, markdown, table};

/// Options of `flopcast actuals`.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// A log of the run: the emissions.csv of `CodeCarbon`, `sacct --parsable2`, `nvidia-smi
    /// --format=csv`, or a bill in the columns of FOCUS.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The scenario that forecast it.
    #[arg(long, value_name = "SCENARIO")]
    against: PathBuf,
}

/// Larger logs are refused.
const MAX_BYTES: u64 = 256 << 20;

impl Options {
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode> {
        let name = self.file.display().to_string();
        let text = String::from_utf8(read_bytes(&self.file, MAX_BYTES)?)
            .map_err(|_| Error::input(format!("{name} is not UTF-8 text")))?;
        let measured = actuals::read(&text).map_err(|error| error.within(&name))?;
        let catalog = load::catalog_of(&self.against, global)?;
        let scenario = load::scenario(&self.against, &catalog, global)?;
        let estimate = load::engine(&scenario, &catalog)?.run(false)?;
        let comparison = actuals::compare(&estimate.figures(), measured)?;
        match global.format {
            Format::Table => print(&table(&comparison)),
            Format::Markdown => print(&markdown(&comparison)),
            Format::Csv => print(&csv(&comparison)),
            Format::Json => print(&format!("{:#}", json(&comparison))),
        }
    }
}
