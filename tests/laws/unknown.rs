//! Unknown is not zero: it is null, it says why, and so does every sum over it.

use crate::common::library::{Way, asked};

const FILE: &str = "scenarios/llama-65b.yaml";

#[test]
fn unknown_is_null_with_a_warning() {
    // No residual mix is known of Japan.
    let forecast = asked(Way::Estimate, FILE, &["placement={region: JPN}"]);
    assert!(forecast["training"]["co2e_kg"]["market"].is_null());
    assert!(forecast["training"]["co2e_kg"].as_object().expect("a map").contains_key("market"));
    let warnings = forecast["warnings"].to_string();
    assert!(warnings.contains("training.co2e_kg.market"), "{warnings}");
    // The embodied CO2e of an L4 is unknown, and so is every sum over it.
    let small = asked(Way::Estimate, FILE, &["training.hardware={accelerator: l4, count: 8}"]);
    assert!(small["tco"]["co2e_kg"]["embodied"].is_null());
    // A scenario without provider and price has no cost section.
    let unpriced = asked(Way::Estimate, FILE, &[]);
    assert!(unpriced["training"].get("cost_usd").is_none());
}

#[test]
fn what_is_left_out_is_announced() {
    let warnings = |set: &str| asked(Way::Estimate, FILE, &[set])["warnings"].to_string();
    let owned = warnings("placement={provider: owned, region: FRA}");
    assert!(owned.contains("no purchase price of a100-sxm-80gb"), "{owned}");
    let hostless = warnings("training.hardware={accelerator: xeon-8480, count: 8}");
    assert!(hostless.contains("host power of xeon-8480 is unknown"), "{hostless}");
}
