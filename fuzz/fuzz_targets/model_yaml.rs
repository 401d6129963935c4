//! Any text as a model file.
//! Seeds: models
#![no_main]

use flopcast::model::{Input, spec};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = spec::from_yaml("fuzzed", text, &Input::default());
});
