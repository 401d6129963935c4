//! flopcast's own model files: YAML, as `flopcast import` writes it.

use flopcast_core::diagnostic::Result;
use flopcast_core::model::{Input, Model, spec};

use super::document;

/// The model of a model file on an input.
///
/// # Errors
/// If the text is no such file, or the model cannot be built.
pub fn read(name: &str, text: &str, input: &Input) -> Result<Model> {
    spec::from_file(name, document::json(name, text.as_bytes())?, input)
}
