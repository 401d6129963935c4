//! Any text as saved forecasts, compared with each other.
#![no_main]

use flopcast::study::aim::Aim;
use flopcast::study::compare::compare;
use flopcast::study::snapshot::Snapshot;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(all) = Snapshot::read_all(text) else { return };
    let aims = ["cost", "co2e"].map(Aim::read);
    for pair in all.windows(2) {
        let _ = compare(&pair[0], &pair[1], None, &aims);
    }
    if let Some(one) = all.first() {
        let _ = compare(one, one, None, &aims);
    }
});
