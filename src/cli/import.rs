//! `flopcast import`: a foreign architecture as a model file, or a job file as a scenario.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::{Input, spec};
use flopcast_import::{export, job, model_file};

use super::project::Project;
use super::{Global, architecture, hub, input, output, print};

/// Options of `flopcast import`.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// The path of a Hugging Face config.json, an .onnx file, a .safetensors file or its index; a
    /// preset, or hf:owner/name; or a job file (a batch script, a launcher's or framework's
    /// configuration), which becomes a scenario.
    spec: String,
    /// The model file, or the scenario of a job, to write; standard output when left out.
    #[arg(short, long, value_name = "OUT.yaml")]
    output: Option<PathBuf>,
    /// Write over a file that exists.
    #[arg(long)]
    force: bool,
    /// Sizes of an ONNX graph's symbolic dimensions: N=1,S=128.
    #[arg(long, value_name = "SYMBOL=SIZE,...", default_value = "")]
    bind: String,
}

impl Options {
    /// Writes the model file or the scenario to stdout, or to a file that does not exist yet.
    ///
    /// # Errors
    /// If the file is of no kind that is read.
    pub(super) fn run(&self, global: &Global) -> Result<ExitCode> {
        let text = self.text(global)?;
        let Some(path) = &self.output else {
            return print(&text);
        };
        if !matches!(architecture::ending(path), "yaml" | "yml") {
            return Err(Error::input(format!("{} is no model file", path.display()))
                .hint("`flopcast model` knows one by its ending, .yaml"));
        }
        output::write(path, &text, self.force)?;
        Ok(ExitCode::SUCCESS)
    }

    /// The text of the model file or of the scenario.
    fn text(&self, global: &Global) -> Result<String> {
        let found = hub::file(&self.spec, global)?;
        let mut path = found.unwrap_or_else(|| PathBuf::from(&self.spec));
        if let Some(scenario) = scenario(&path, &self.spec)? {
            return Ok(scenario);
        }
        if path.is_dir() {
            path = Project::of_model(&path, global)?.find(&path.join(CONFIG), CONFIG)?;
        }
        let name = architecture::file_name(&path);
        let read = || architecture::named(&self.spec, &Input::default(), &self.bind, global);
        match architecture::ending(&path) {
            "yaml" | "yml" if path.is_file() => {
                Err(Error::input(format!("{} is a model file already", self.spec)))
            }
            "json" if !name.ends_with(".safetensors.index.json") => configuration(&path, name),
            "json" | "onnx" | "safetensors" => export::of_layers(&read()?),
            _ => match spec::preset_text(&self.spec) {
                Ok(text) => Ok(text.to_owned()),
                Err(_) => export::of_layers(&read()?),
            },
        }
    }
}

/// The configuration of a model's folder.
const CONFIG: &str = "config.json";

/// The scenario of a job file; none of a file that is no job.
fn scenario(path: &Path, name: &str) -> Result<Option<String>> {
    let small = path.metadata().is_ok_and(|it| it.is_file() && it.len() <= job::MAX_BYTES as u64);
    if !small || matches!(architecture::ending(path), "onnx" | "safetensors") {
        return Ok(None);
    }
    let Ok(text) = architecture::text(path) else { return Ok(None) };
    if !job::is_job(name, &text) {
        return Ok(None);
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    input::read_job(name, &text, path, &Project::below(folder)).map(Some)
}

/// A configuration by its family and keys; what does not count as it stands is refused first.
fn configuration(path: &Path, name: &str) -> Result<String> {
    let shown = path.display().to_string();
    let text = architecture::text(path)?;
    let build = || {
        flopcast_core::model::config::read(name, &text, &Input::default())?;
        let file = export::of_configuration(name, &text)?;
        model_file::read(name, &file, &Input::default())?;
        Ok(file)
    };
    build().map_err(|error: Error| error.within(&shown))
}
