//! flopcast's own model files: YAML, as `flopcast import` writes it.

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::{Input, Model, spec};

/// The model of a model file on an input.
///
/// # Errors
/// If the text is no such file, or the model cannot be built.
pub fn read(name: &str, text: &str, input: &Input) -> Result<Model> {
    let json = serde_yaml::from_str(text)
        .map_err(|error: serde_yaml::Error| Error::input(error.to_string()).within(name))?;
    spec::from_file(name, json, input)
}
