//! Prices per token, and what FLOPs alone would take.

use crate::common::library::{WAYS, Way, asked};
use crate::common::{close, number};

const FILE: &str = "scenarios/llama-3-70b-serving.yaml";

#[test]
fn input_and_output_add_up_to_the_cost_of_a_request() {
    for way in WAYS {
        let report = asked(way, FILE, &[]);
        let at = |path: &str| number(&report, &format!("inference.{path}"));
        let million = |figure: &str| at(&format!("per_million_tokens.{figure}")) / 1e6;
        let request = 1155.0 * million("input_usd") + 211.0 * million("output_usd");
        close("cost of a request", request, at("per_query.serving_usd"), 1e-9);
        // A token of an answer takes its own step.
        assert!(million("output_usd") > million("input_usd"));
        let joules = 3600.0 * at("per_query.energy_wh") / 211.0;
        close("J per output token", at("per_output_token.energy_j"), joules, 1e-9);
        let grams = at("per_query.co2e_g.location") / 211.0;
        close("g per output token", at("per_output_token.co2e_g.location"), grams, 1e-9);
    }
}

#[test]
fn flops_are_a_lower_bound() {
    let report = asked(Way::Estimate, FILE, &[]);
    let at = |path: &str| number(&report, &format!("inference.{path}"));
    let flops = at("per_query.flops") * 2e6 * 365.25;
    close("FLOPs of a year", at("lower_bound.flops"), flops, 1e-6);
    // The dense fp8 peak of an H100 is 1,979 TFLOP/s.
    close("device-hours", at("lower_bound.device_hours"), flops / 1979e12 / 3600.0, 1e-6);
    let share = at("lower_bound.device_hours") / at("fleet.device_hours");
    close("share", at("lower_bound.share_of_fleet"), share, 1e-9);
    assert!(share < 1.0);
}

#[test]
fn a_service_without_tokens_has_no_price_of_one() {
    let report = asked(Way::Estimate, "scenarios/bert-base-serving.yaml", &[]);
    assert!(report["inference"].get("per_million_tokens").is_none());
    assert!(number(&report, "inference.lower_bound.share_of_fleet") > 0.0);
}
