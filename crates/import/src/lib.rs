//! Files of other tools: models (Hub configurations, ONNX, safetensors, GGUF, adapters, folders of
//! these), jobs (batch scripts, launchers, configurations of frameworks), and flopcast's own model
//! files. [`source`] finds the reader of a model's file or folder.

pub mod adapter;
pub mod document;
pub mod export;
pub mod gguf;
pub mod job;
mod joined;
mod mamba_ssm;
mod megatron;
pub mod model_file;
pub mod onnx;
mod open_clip;
mod params;
mod pattern;
mod pipeline;
pub mod safetensors;
pub mod source;
pub mod tensors;

pub use source::{Files, Source};

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::{Bindings, Input, Model, Spec};

/// The model that a scenario names, on an input; `files` holds the file or folder of
/// [`Spec::path`].
///
/// # Errors
/// If the file is not there or not of its kind: the error of that reader.
pub fn build(spec: &Spec, files: &dyn Files, input: &Input) -> Result<Model> {
    let none = Bindings::default();
    match spec {
        Spec::HfConfig(path) | Spec::File(path) => Source::new(files, input, &none).read(path),
        Spec::Onnx { path, bindings } => Source::new(files, input, bindings).read(path),
        _ => {
            spec.build(input).unwrap_or_else(|| Err(Error::input("the model's file was not read")))
        }
    }
}
