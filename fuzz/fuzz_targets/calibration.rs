//! Any text as a calibration, of training and of serving.
//! Seeds: hardware
#![no_main]

use flopcast::{serving, training};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = training::calibration::Calibration::read(text);
    let _ = serving::calibration::Calibration::read(text);
});
