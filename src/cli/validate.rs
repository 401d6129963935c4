//! `flopcast validate`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use flopcast_core::catalog::Catalog;
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
            match name(path, &catalog, global) {
                Ok(name) => {
                    good.push(format!("{}: right ({name})", path.display()));
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

/// The name of a file's scenario, all of whose services can be resolved.
fn name(path: &Path, catalog: &Catalog, global: &Global) -> Result<String> {
    let asked = load::asked(path, global)?;
    load::About::new(path, catalog, global)?.ask(|session| {
        let services = asked.services()?;
        let each = services.iter().map(|(name, service)| {
            let resolved = session.resolve(&service.file);
            resolved.map_err(|error| name.map_or(error.clone(), |name| error.within(name)))
        });
        let scenarios = each.collect::<Result<Vec<_>>>()?;
        let whole = asked.whole.as_ref().map(|whole| whole.name.clone());
        let own = || scenarios.into_iter().next().map(|it| it.name);
        Ok(whole.or_else(own).unwrap_or_default())
    })
}
