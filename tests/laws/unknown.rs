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

/// Years, stages and services without a price are not free beside those that have one.
#[test]
fn what_has_no_price_is_not_free() {
    const SERVICE: &str = "scenarios/llama-3-70b-serving.yaml";
    let priced = "placement: {provider: aws, region: us-east-2}";
    let renewed =
        format!("inference.refresh={{year: 3, hardware: {{accelerator: b200}}, {priced}}}");
    let forecast = asked(Way::Estimate, SERVICE, &["inference.placement={region: DEU}", &renewed]);
    let service = &forecast["inference"];
    let year = |year: usize| &service["years"][year - 1]["cost_usd"];
    assert!(year(1).is_null() && year(3).is_number(), "{} {}", year(1), year(3));
    let [cost, request] = [&service["cost_usd"]["total"], &service["per_query"]["serving_usd"]];
    assert!(cost.is_null() && request.is_null(), "{cost} {request}");
    assert!(forecast["warnings"].to_string().contains("no price of h100-sxm is known"));
    // A run without a price before a service that has one.
    let both = "scenarios/llama-3-8b-ledger.yaml";
    let forecast = asked(Way::Estimate, both, &["placement={region: DEU}"]);
    assert!(forecast["inference"]["cost_usd"]["total"].is_number());
    assert!(forecast["training"]["cost_usd"]["total"].is_null());
    assert!(forecast["inference"]["per_query"]["loaded_usd"].is_null());
}

#[test]
fn what_is_left_out_is_announced() {
    let warnings = |set: &str| asked(Way::Estimate, FILE, &[set])["warnings"].to_string();
    let owned = warnings("placement={provider: owned, region: FRA}");
    assert!(owned.contains("no purchase price of a100-sxm-80gb"), "{owned}");
    let hostless = warnings("training.hardware={accelerator: xeon-8480, count: 8}");
    assert!(hostless.contains("host power of xeon-8480 is unknown"), "{hostless}");
}
