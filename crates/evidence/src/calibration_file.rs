//! Calibrations as files: YAML that people read and version.

use flopcast_core::diagnostic::{Error, Result};
use serde::Serialize;
use serde_json::Value as Json;

/// The JSON that a calibration is read from, of a file.
///
/// # Errors
/// Text that is no YAML.
pub fn json(yaml: &str) -> Result<String> {
    serde_yaml::from_str(yaml)
        .map(|json: Json| json.to_string())
        .map_err(|error| Error::input(format!("this is no calibration file: {error}")))
}

/// Writes a calibration as it is read.
///
/// # Errors
/// None in practice: every calibration has a text form.
pub fn write<C: Serialize>(calibration: &C) -> Result<String> {
    serde_yaml::to_string(calibration).map_err(|error| Error::input(error.to_string()))
}
