//! Any bytes as a scenario document.
#![no_main]

use flopcast::scenario::document;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let _ = document::parse("fuzzed.yaml", text);
});
