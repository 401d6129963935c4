//! Calibrations as files: YAML that people read and version.

use flopcast_core::diagnostic::{Error, Result};
use flopcast_import::document;
use serde::Serialize;

/// The JSON that a calibration is read from, of a file.
///
/// # Errors
/// Text that is no YAML.
pub fn json(file: &str, yaml: &str) -> Result<String> {
    document::json(file, yaml.as_bytes()).map(|json| json.to_string())
}

/// Writes a calibration as it is read.
///
/// # Errors
/// None in practice: every calibration has a text form.
pub fn write<C: Serialize>(calibration: &C) -> Result<String> {
    serde_yaml::to_string(calibration).map_err(|error| Error::input(error.to_string()))
}
