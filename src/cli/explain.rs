//! `flopcast explain`.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_report::{Report, json, tree};

use super::{Format, Global, load, print};

/// Options of `flopcast explain`.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// The scenario file.
    file: PathBuf,
    /// A figure's path in the JSON, such as `training.co2e_kg.location`; without it, all are
    /// listed with their formula.
    figure: Option<String>,
}

impl Options {
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode> {
        let catalog = load::catalog_of(&self.file, global)?;
        let scenario = load::scenario(&self.file, &catalog, global)?;
        let report = load::report(&scenario, &catalog)?;
        let Some(path) = &self.figure else {
            return print(&list(&report));
        };
        let Some(figure) = report.figures.iter().find(|figure| figure.path == *path) else {
            let known = report.figures.iter().map(|figure| figure.path.as_str());
            return Err(Error::input(format!("this forecast has no figure `{path}`"))
                .suggest(path, known)
                .hint("`flopcast explain FILE` lists them all"));
        };
        match (figure.step(), figure.unknown()) {
            (Some(step), _) if global.format == Format::Json => {
                let text = serde_json::to_string_pretty(&json::derivation(step));
                print(&text.map_err(|error| Error::input(error.to_string()))?)
            }
            (Some(step), _) => print(&tree::derivation(step)),
            (None, Some(unknown)) => {
                let why = tree::wrap(&unknown.why, 76).join("\n  ");
                print(&format!("{path} is unknown\n  {why}\n"))
            }
            (None, None) => print(&format!("{path} = {}\n", figure.shown())),
        }
    }
}

fn list(report: &Report) -> String {
    let mut out = String::new();
    for figure in &report.figures {
        let how = match (figure.step(), figure.unknown()) {
            (Some(step), _) => step.formula(),
            (_, Some(unknown)) => unknown.why.clone(),
            _ => String::new(),
        };
        let _ = writeln!(out, "{} = {}", figure.path, figure.shown());
        if !how.is_empty() {
            let _ = writeln!(out, "    {}", tree::wrap(&how, 74).join("\n      "));
        }
    }
    out
}
