//! Any text as a log of a run or of requests: CodeCarbon, Slurm, nvidia-smi, FOCUS, latencies.
#![no_main]

use flopcast::evidence::actuals::{self, Expected};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = actuals::read(&[("log", text)], &Expected::default());
});
