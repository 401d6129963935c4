//! `flopcast validate`.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use flopcast_core::diagnostic::Result;

use super::{Global, load, note, print};

/// Options of `flopcast validate`.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// Scenario files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Options {
    /// Checks every file before it fails, so that one run shows all mistakes.
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode> {
        let catalog = load::catalog(global)?;
        let mut worst = None;
        let mut good = String::new();
        for path in &self.files {
            match load::scenario(path, &catalog, global) {
                Ok(scenario) => {
                    let _ = writeln!(good, "{}: right ({})", path.display(), scenario.name);
                }
                Err(error) => {
                    if let Some(earlier) = worst.replace(error) {
                        note(&format!("error: {earlier}"));
                    }
                }
            }
        }
        match worst {
            Some(error) => Err(error),
            None => print(&good),
        }
    }
}
