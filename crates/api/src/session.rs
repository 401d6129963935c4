//! The surroundings of a question: the catalog, files, the day, and somebody who watches.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::Engine;
use flopcast_core::estimate::plan::Scenario;
use flopcast_core::model::{Bindings, Input, Model, Spec};
use flopcast_import::Source;
use flopcast_scenario::file::ScenarioFile;
use flopcast_scenario::{Files, Seen, resolve};

/// Hears what is being done and the share of it that is done, on any thread; its error ends the question.
pub type Watch<'a> = dyn Fn(&str, f64) -> Result<()> + Sync + 'a;

/// The surroundings of a question. The same session and question give the same answer.
#[derive(Clone, Copy)]
pub struct Session<'a> {
    /// Devices, prices, regions.
    pub catalog: &'a Catalog,
    /// The files that a scenario may name, by their path from it.
    pub files: &'a (dyn Files + Sync),
    /// The day from which the age of facts is counted; none says no age.
    pub today: Option<NaiveDate>,
    /// Hears of progress.
    pub watch: &'a Watch<'a>,
}

impl<'a> Session<'a> {
    /// A session without files, day and progress.
    pub fn new(catalog: &'a Catalog) -> Self {
        Self { catalog, files: &NoFiles, today: None, watch: &|_, _| Ok(()) }
    }

    /// A scenario, resolved.
    ///
    /// # Errors
    /// As [`resolve()`]; a lock that lacks a row.
    pub fn resolve(&self, file: &ScenarioFile) -> Result<Scenario> {
        let scenario = resolve(file, self.catalog, self.files);
        // What a lock lacks may be the reason why something was not found.
        self.catalog.check_lock()?;
        let mut scenario = scenario?;
        scenario.warnings.extend(by_lock(self.catalog));
        Ok(scenario)
    }

    /// A scenario made ready to be forecast.
    ///
    /// # Errors
    /// As [`Engine::new`]; a lock that lacks a row.
    pub fn engine(&self, scenario: &Scenario) -> Result<Engine> {
        let engine = Engine::new(scenario, self.catalog);
        self.catalog.check_lock()?;
        engine
    }

    /// A model by its name or size, or by the path of a file or folder of this session.
    ///
    /// # Errors
    /// A name that nobody knows; a file that is not there or not of its kind.
    pub fn model(&self, spec: &str, input: &Input, bindings: &str) -> Result<Model> {
        /// Endings of files that are read; a name with one is no preset.
        const ENDINGS: [&str; 6] = [".json", ".yaml", ".yml", ".onnx", ".safetensors", ".gguf"];
        let files = Seen(self.files);
        let there = |it: &Self| it.files.size(spec).is_some() || it.files.names(spec).is_some();
        if !ENDINGS.iter().any(|ending| spec.ends_with(ending)) && !there(self) {
            let unread =
                || Err(Error::input(format!("{spec} is no model that is read by its name")));
            return Spec::named(spec).build(input).unwrap_or_else(unread);
        }
        let bindings = bindings.parse::<Bindings>()?;
        Source::new(&files, input, &bindings).read(spec).map_err(|error| error.within(spec))
    }
}

/// Says how many rows of a lock are the lock's alone.
fn by_lock(catalog: &Catalog) -> Option<String> {
    let rows = catalog.given_by_lock();
    let first = rows.first()?;
    Some(format!(
        "given by the lock, and neither in this build's tables nor in a known snapshot: {} row(s), \
         `{first}` among them",
        rows.len()
    ))
}

/// No file at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>> {
        Err(Error::input(format!("there is no file {path}"))
            .hint("give its text beside the scenario: files: {NAME: TEXT}"))
    }
}

/// Files in memory, over those of a session.
pub struct Given<'a> {
    /// The contents by path from the scenario.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The scenario's folder among those beneath.
    pub folder: Option<String>,
    /// Those beneath.
    pub beneath: &'a (dyn Files + Sync),
}

impl Given<'_> {
    fn own(&self, path: &str) -> Option<&Vec<u8>> {
        self.files.get(plain(path))
    }

    /// A path as those beneath have it.
    fn below(&self, path: &str) -> String {
        match &self.folder {
            Some(folder) if !path.starts_with('/') => format!("{folder}/{path}"),
            _ => path.to_owned(),
        }
    }
}

/// A path without `./` before it.
pub(crate) fn plain(path: &str) -> &str {
    path.strip_prefix("./").unwrap_or(path)
}

impl Files for Given<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>> {
        match self.own(path) {
            Some(bytes) => Ok(bytes.clone()),
            None => self.beneath.read(&self.below(path)),
        }
    }

    fn head(&self, path: &str, most: u64) -> Result<Vec<u8>> {
        match self.own(path) {
            Some(bytes) => {
                let most = usize::try_from(most).unwrap_or(usize::MAX);
                Ok(bytes[..bytes.len().min(most)].to_vec())
            }
            None => self.beneath.head(&self.below(path), most),
        }
    }

    fn size(&self, path: &str) -> Option<u64> {
        let own = self.own(path).map(|bytes| bytes.len() as u64);
        own.or_else(|| self.beneath.size(&self.below(path)))
    }

    /// The names in a folder of the given files, else of those beneath.
    fn names(&self, path: &str) -> Option<Vec<String>> {
        let folder = format!("{}/", plain(path).trim_end_matches('/'));
        let folder = if folder == "./" || folder == "/" { "" } else { &folder };
        let inside = self.files.keys().filter_map(|name| name.strip_prefix(folder));
        let names = inside.filter_map(|name| name.split('/').next()).map(str::to_owned);
        let mut names: Vec<String> = names.collect();
        names.dedup();
        if names.is_empty() { self.beneath.names(&self.below(path)) } else { Some(names) }
    }
}
