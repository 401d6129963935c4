//! Any text as a `config.json` of Hugging Face.
//! Seeds: tests/data/config
#![no_main]

use flopcast::model::{Input, config};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = config::read("fuzzed", text, &Input::default());
});
