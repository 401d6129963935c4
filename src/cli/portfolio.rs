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
        let entries = load::each(&self.files()?, global, |path, catalog| {
            // A link among them leads nowhere else.
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Project::of(path, global)?.find(path, &name)?;
            let document = document(path, global)?;
            if document.get("model").is_none() {
                return Ok(Err(format!("{}: no `model`, passed over", path.display())));
            }
            let file = load::typed(document)?.file;
            let (forecast, engines) = load::snapshot(path, catalog, global)?;
            let start = engines.iter().find_map(|it| it.scenario().start);
            let made = engines.iter().map(|it| Ok((it.scenario(), it.run()?)));
            let made = made.collect::<Result<Vec<_>>>()?;
            let name = path.strip_prefix(&self.folder).unwrap_or(path).display().to_string();
            Ok(match Entry::new(name, file.tags.clone(), &forecast) {
                Some(entry) => Ok(entry.from(start, &made)),
                None => Err(format!("{}: nothing is forecast, passed over", path.display())),
            })
        })?;
        let read = entries.into_iter().filter_map(|it| it.map_err(|why| tell(&why)).ok());
        let entries: Vec<_> = read.collect();
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
