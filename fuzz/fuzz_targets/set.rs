//! Any line as `--set PATH=VALUE`, over a scenario that is then forecast.
#![no_main]

use flopcast_fuzz::{CATALOG, SCENARIO, forecast};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut document = SCENARIO.clone();
    if text.lines().all(|line| document.set(line).is_ok()) {
        let _ = forecast(&document, &CATALOG);
    }
});
