//! Files of other tools: models, jobs, and flopcast's own model files; and the one reader of the
//! YAML that users write.
//!
//! | module | reads |
//! |---|---|
//! | [`source`] | a file or folder of any kind: it finds the reader |
//! | [`mod@onnx`] | graphs, walked node by node with shapes in place of data |
//! | [`safetensors`], [`gguf`] | headers of weight files: parameters and bytes, never the weights |
//! | [`adapter`], `params`, `megatron` | PEFT adapters, `params.json`, Megatron and `NeMo` files |
//! | [`model_file`], [`export`] | flopcast's own model files, in and out |
//! | [`job`] | batch scripts, launchers, configurations of frameworks, as scenarios |
//! | [`document`] | YAML with the place of every value |
//!
//! Files come from strangers, so every reader is bounded in time and memory and gives an error in
//! place of a panic (`fuzz/` holds targets for each). A key or an operator that is not understood
//! is named, never passed over.

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
/// If the file is not there or not of its kind: the error of that reader, with the file's name.
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
