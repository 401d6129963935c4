//! Any text as a calibration, of training and of serving.
//! Seeds: hardware
#![no_main]

use flopcast::evidence::calibration_file;
use flopcast::{serving, training};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(json) = calibration_file::json("fuzzed.yaml", text) {
        let _ = training::calibration::Calibration::read(&json);
        let _ = serving::calibration::Calibration::read(&json);
    }
});
