//! Any line as what stands behind an option: a quantity, `--vary`, `--compress`, `--bind`.
#![no_main]

use flopcast::model::Bindings;
use flopcast::model::compress::Compression;
use flopcast::quantity::{self, text::parse_in};
use flopcast::study::aim::Aim;
use flopcast::study::axis::Axis;
use flopcast::study::shapes::{Limit, Take};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = quantity::parse::<flopcast::quantity::Time>(text);
    for unit in ["USD", "W", "gCO2e/kWh", "tokens", "/year", "FLOP/s", ""] {
        let _ = parse_in(text, unit);
    }
    let _ = text.parse::<Bindings>();
    let _ = Compression::from_settings(text.lines());
    let _ = Limit::read(Take::ALL[0], text);
    let _ = Aim::read(text).check(&[]);
    let mut document = flopcast_fuzz::SCENARIO.clone();
    if let Ok(axis) = Axis::read(text, &document) {
        for choice in axis.choices.iter().take(8) {
            for set in &choice.sets {
                let _ = set.put(&mut document);
            }
        }
    }
});
