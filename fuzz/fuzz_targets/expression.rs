//! Any text as an expression of a model file: how often a block repeats, and the size of its layer.
#![no_main]

use flopcast::model::{Input, spec};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|text: &str| {
    let layer = json!({"dense": {"in": text, "out": text}});
    let model = json!({"layers": [{"repeat": text, "layers": [layer]}]});
    let _ = spec::from_layers("fuzzed", &model, &Input::default());
});
