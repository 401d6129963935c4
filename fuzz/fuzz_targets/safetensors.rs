//! Any bytes as a `.safetensors` file, and as an index of several.
#![no_main]

use flopcast::import::safetensors::{self, Index};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    if let Ok(weights) = safetensors::read(file, Some(file.len() as u64)) {
        let _ = weights.model("fuzzed");
    }
    if let Ok(text) = std::str::from_utf8(file) {
        let _ = Index::read(text);
    }
});
