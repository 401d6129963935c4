//! `flopcast import`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::{Input, spec};
use flopcast_import::{export, model_file};

use super::{Global, architecture, hub, output, print};

/// Options of `flopcast import`.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// The path of a Hugging Face config.json, an .onnx file, a .safetensors file or its index; or
    /// a preset, or hf:owner/name.
    spec: String,
    /// The model file to write; standard output when left out.
    #[arg(short, long, value_name = "MODEL.yaml")]
    output: Option<PathBuf>,
    /// Write over a file that exists.
    #[arg(long)]
    force: bool,
    /// Sizes of an ONNX graph's symbolic dimensions: N=1,S=128.
    #[arg(long, value_name = "SYMBOL=SIZE,...", default_value = "")]
    bind: String,
}

impl Options {
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

    fn text(&self, global: &Global) -> Result<String> {
        let found = hub::file(&self.spec, global)?;
        let mut path = found.unwrap_or_else(|| PathBuf::from(&self.spec));
        if path.is_dir() {
            path.push("config.json");
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
