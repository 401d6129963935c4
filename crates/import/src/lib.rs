//! Files of other tools: models (Hub configurations, ONNX, safetensors), jobs (batch scripts,
//! launchers, configurations of frameworks), and flopcast's own model files.

pub mod document;
pub mod export;
pub mod job;
pub mod model_file;
pub mod onnx;
mod pattern;
pub mod safetensors;

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::{Input, Model, Spec, config};

/// The model that a scenario names, on an input; `file` holds the bytes of [`Spec::path`].
///
/// # Errors
/// If the file is not given or not of its kind: the error of that reader.
pub fn build(spec: &Spec, file: Option<&[u8]>, input: &Input) -> Result<Model> {
    let bytes = || file.ok_or_else(|| Error::input("the model's file was not read"));
    let text = || {
        std::str::from_utf8(bytes()?)
            .map_err(|_| Error::input("the model's file is not UTF-8 text"))
    };
    match spec {
        Spec::HfConfig(path) => config::read(path, text()?, input),
        Spec::File(path) => model_file::read(path, text()?, input),
        Spec::Onnx { bindings, .. } => onnx::read(bytes()?.to_vec(), bindings),
        _ => {
            spec.build(input).unwrap_or_else(|| Err(Error::input("the model's file was not read")))
        }
    }
}
