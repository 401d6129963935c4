//! Any text as a table of measured shapes of a model, and of scores of models.
#![no_main]

use flopcast::study::{metric::Metric, shapes::Table};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = Table::read("fuzzed.csv", text);
    let _ = Metric::read("fuzzed.csv", text);
});
