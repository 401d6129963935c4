//! `flopcast schema`.

use flopcast_scenario::file::ScenarioFile;

/// The JSON Schema of a scenario file.
pub(super) fn text() -> String {
    let schema = schemars::schema_for!(ScenarioFile);
    // A schema of this crate's own types always serialises.
    serde_json::to_string_pretty(&schema).unwrap_or_default()
}
