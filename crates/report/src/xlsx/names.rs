//! Names of a workbook's cells: letters, digits and underscores, each given once.

use std::collections::HashMap;

/// Names that a workbook may define, each once.
#[derive(Default)]
pub(super) struct Names(HashMap<String, u32>);

impl Names {
    /// `training.hardware.power` becomes `in_training_hardware_power`.
    pub(super) fn of(&mut self, name: &str) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let mut short: String = name.chars().map(plain).collect();
        while short.contains("__") {
            short = short.replace("__", "_");
        }
        let short = format!("in_{}", short.trim_matches('_'));
        let count = self.0.entry(short.to_ascii_lowercase()).or_default();
        *count += 1;
        if *count == 1 { short } else { format!("{short}_{count}") }
    }
}
