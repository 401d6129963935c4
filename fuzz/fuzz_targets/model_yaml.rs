//! Any text as a model file.
//! Seeds: models
#![no_main]

use flopcast::import::model_file;
use flopcast::model::Input;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = model_file::read("fuzzed", text, &Input::default());
});
