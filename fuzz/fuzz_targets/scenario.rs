//! Any bytes as a scenario, forecast where they are one.
//! Seeds: scenarios
#![no_main]

use flopcast::scenario::document;
use flopcast_fuzz::{CATALOG, forecast};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    if let Ok(document) = document::parse("fuzzed.yaml", text) {
        let _ = forecast(&document, &CATALOG);
    }
});
