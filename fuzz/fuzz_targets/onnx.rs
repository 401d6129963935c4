//! Any bytes as an ONNX file.
//! Seeds: tests/data/onnx
#![no_main]

use flopcast::import::onnx;
use flopcast::model::Bindings;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let bindings = ["N", "H", "W"];
    let bindings =
        bindings.into_iter().fold(Bindings::default(), |all, symbol| all.bind(symbol, 64));
    let _ = onnx::read(file.to_vec(), &bindings);
    let _ = onnx::read(file.to_vec(), &Bindings::default());
});
