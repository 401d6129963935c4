//! Any text as a recorded trace of requests: CSV or JSON lines.
#![no_main]

use flopcast::serving::traffic::Trace;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = Trace::read(text);
});
