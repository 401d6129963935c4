//! Any bytes as a GGUF file.
#![no_main]

use flopcast::import::gguf;
use flopcast::model::Input;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let head = |most: u64| Ok(file[..file.len().min(most as usize)].to_vec());
    if let Ok(header) = gguf::read(head) {
        let _ = header.model("fuzzed", &Input::default());
    }
});
