//! `flopcast validate`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use flopcast_core::diagnostic::Result;
use flopcast_report::doc::{Block, Doc};

use super::{Global, load, tell};

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
        let mut good = Vec::new();
        for path in &self.files {
            match load::scenario(path, &catalog, global) {
                Ok(scenario) => {
                    good.push(format!("{}: right ({})", path.display(), scenario.name));
                }
                Err(error) => {
                    if let Some(earlier) = worst.replace(error) {
                        tell(&format!("error: {earlier}"));
                    }
                }
            }
        }
        match worst {
            Some(error) => Err(error),
            None => global.print(&Doc { blocks: vec![Block::Lines(good)], ..Doc::default() }),
        }
    }
}
