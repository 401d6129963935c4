//! Any bytes as a policy, and a forecast judged by it.
#![no_main]

use std::sync::LazyLock;

use flopcast::study::policy::Policy;
use flopcast::study::snapshot::Snapshot;
use flopcast_fuzz::{SCENARIO, snapshot};
use libfuzzer_sys::fuzz_target;

static FORECAST: LazyLock<Snapshot> = LazyLock::new(|| snapshot(&SCENARIO).expect("a forecast"));

fuzz_target!(|text: &[u8]| {
    if let Ok(policy) = Policy::read("fuzzed.yaml", text) {
        let _ = policy.judge(&FORECAST, Some(&FORECAST));
    }
});
