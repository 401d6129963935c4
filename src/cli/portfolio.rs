//! `flopcast portfolio`: a folder of scenarios as one budget, by tags and quarters.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_report::subject::portfolio::Portfolio;
use flopcast_study::portfolio::{Entry, tags};

use super::input::document;
use super::project::Project;
use super::{Global, load, tell};

/// Options of `flopcast portfolio`.
#[derive(Args, Debug)]
#[command(after_help = "Example:
  flopcast portfolio plans/ --by team,quarter

A scenario belongs to the tags that it names: tags: {team: research, quarter: 2027Q1}. Without
a tag `quarter` it is spread over quarters from placement.start on, as its costs arise. Files
without `model` are bases of others and passed over.")]
pub(super) struct Options {
    /// The folder of scenario files (*.yaml, *.yml).
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The tags to add up by; all that occur when left out.
    #[arg(long, value_name = "TAG,...", value_delimiter = ',')]
    by: Vec<String>,
}

impl Options {
    /// Forecasts every scenario of the folder and prints the sums.
    ///
    /// # Errors
    /// If the folder holds no scenario, or one cannot be forecast.
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode> {
        let mut entries = Vec::new();
        for path in self.files()? {
            // A link among them leads nowhere else.
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Project::of(&path, global)?.find(&path, &name)?;
            let document = document(&path, global)?;
            if document.get("model").is_none() {
                tell(&format!("{}: no `model`, passed over", path.display()));
                continue;
            }
            let catalog = load::catalog_of(&path, global)?;
            let file = load::typed(document)?.file;
            let (forecast, engine) = load::snapshot(&path, &catalog, global)?;
            let start = file.placement.as_ref().and_then(|placement| placement.start.as_ref());
            let start = start.map(|start| start.value);
            let name = path.strip_prefix(&self.folder).unwrap_or(&path).display().to_string();
            match Entry::new(name, file.tags.clone(), &forecast) {
                Some(entry) => entries.push(entry.from(start, &engine.run()?)),
                None => tell(&format!("{}: nothing is forecast, passed over", path.display())),
            }
        }
        if entries.is_empty() {
            let folder = self.folder.display();
            return Err(Error::input(format!("{folder} holds no scenario with a forecast")));
        }
        let known = tags(&entries);
        if let Some(tag) = self.by.iter().find(|tag| !known.contains(&tag.as_str())) {
            return Err(Error::input(format!("no scenario has the tag `{tag}`"))
                .suggest(tag, known.iter().copied()));
        }
        let asked: Vec<&str> = self.by.iter().map(String::as_str).collect();
        let tags = if asked.is_empty() { &known } else { &asked };
        global.print(&Portfolio { entries: &entries, tags })
    }

    /// The YAML files of the folder, in alphabetical order.
    fn files(&self) -> Result<Vec<PathBuf>> {
        let shown = self.folder.display();
        let cannot = |error: &std::io::Error| Error::input(format!("cannot read {shown}: {error}"));
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(|error| cannot(&error))? {
            let path = entry.map_err(|error| cannot(&error))?.path();
            if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }
}
