//! Ranges of inputs against what their distributions say of the figures.

use flopcast::estimate::Engine;
use flopcast::report::{Report, json};
use flopcast::study::uncertainty::{Sampling, intervals};
use serde_json::Value;

use crate::common::library::{CATALOG, shipped};
use crate::common::{close, number};

const FILE: &str = "scenarios/llama-65b.yaml";

fn sampled(sets: &[&str], sampling: Sampling) -> Value {
    let scenario = shipped(FILE, sets).expect("a scenario");
    let engine = Engine::new(&scenario, &CATALOG).expect("an engine");
    let estimate = engine.recorded().run().expect("an estimate");
    let mut report = Report::new(&scenario, &estimate, engine.predicted());
    report.intervals = intervals(&engine, sampling, &|_| Ok(())).expect("ranges");
    json::estimate(&report)
}

fn ranges(sets: &[&str], samples: usize) -> Value {
    sampled(sets, Sampling { samples, seed: 1, model_error: false })
}

#[test]
fn lognormal_factors_multiply_as_the_formula_says() {
    // ln cost and ln energy are normal: P5, P50 and P95 follow from those of price and power.
    let forecast = ranges(
        &[
            "placement.purchase={price: 2.0..3.0 USD/device-h}",
            "training.hardware.power=500..700 W",
        ],
        100_000,
    );
    let cost = |p: &str| number(&forecast["intervals"]["training.cost_usd.total"], p);
    close("cost P5", cost("p5"), 1_022_362.0 * 2.0, 0.01);
    close("cost P50", cost("p50"), 1_022_362.0 * 6f64.sqrt(), 0.01);
    close("cost P95", cost("p95"), 1_022_362.0 * 3.0, 0.01);
    let hours = 1_022_362.0;
    let energy = |watts: f64| hours * watts * 1.1 / 1000.0;
    let at = |p: &str| number(&forecast["intervals"]["training.energy_kwh.facility"], p);
    close("P5", at("p5"), energy(500.0), 0.01);
    close("P50", at("p50"), energy((500.0f64 * 700.0).sqrt()), 0.01);
    close("P95", at("p95"), energy(700.0), 0.01);
}

#[test]
fn two_lognormal_factors_add_their_variances() {
    let forecast = ranges(
        &[
            "placement.pue=1.1",
            "training.hardware.power=500..700 W",
            "placement.grid=300..500 gCO2e/kWh",
        ],
        100_000,
    );
    let (power, grid) = ((700.0f64 / 500.0).ln(), (500.0f64 / 300.0).ln());
    let median = 1_022_362.0 * 1.1 * (500.0f64 * 700.0).sqrt() * (300.0f64 * 500.0).sqrt() / 1e6;
    let half = (power.powi(2) + grid.powi(2)).sqrt() / 2.0;
    let at = |p: &str| number(&forecast["intervals"]["training.co2e_kg.location"], p);
    close("P5", at("p5"), median * (-half).exp(), 0.01);
    close("P50", at("p50"), median, 0.01);
    close("P95", at("p95"), median * half.exp(), 0.01);
    let swings = &forecast["intervals"]["training.co2e_kg.location"]["sensitivity"];
    assert_eq!(swings[0]["factor"], "placement.grid", "the wider factor moves it more");
}

#[test]
fn every_kind_of_range_enters() {
    // A range anywhere must be a factor: one that is dropped in silence would promise certainty.
    let by_tokens = ["training.efficiency={mfu: 0.4}", "data.tokens=1.2T..1.6T"];
    let forecast = ranges(&by_tokens, 200);
    let interval = &forecast["intervals"]["training.co2e_kg.location"];
    assert!(number(interval, "p5") < number(interval, "p95"), "tokens");
    for set in [
        "training.efficiency={mfu: 0.3..0.5}",
        "training.efficiency={hfu: 0.3..0.5}",
        "training.efficiency={tokens_per_second_per_device: 300..450}",
        "training.efficiency={step_time: 4 s..6 s}",
        "training.efficiency={device_hours: {low: 0.9M, mode: 1M, high: 1.3M}}",
        "training.spares=1 %..5 %",
        "training.experiments=0.5..2",
        "training.hardware.power=350..450 W",
        "placement.pue=1.05..1.3",
        "placement.pue={low: 1.05, mode: 1.1, high: 1.4}",
        "placement.grid=300..500 gCO2e/kWh",
    ] {
        let forecast = ranges(&[set], 200);
        let interval = &forecast["intervals"]["training.co2e_kg.location"];
        assert!(number(interval, "p5") < number(interval, "p95"), "{set}");
    }
}

#[test]
fn the_error_of_a_prediction_is_a_factor() {
    let sampling = Sampling { samples: 500, seed: 1, model_error: true };
    let predicted = sampled(&["training.efficiency=auto"], sampling);
    let swings = &predicted["intervals"]["training.device_hours"]["sensitivity"];
    let factors: Vec<_> =
        swings.as_array().unwrap().iter().map(|it| it["factor"].as_str().unwrap()).collect();
    assert!(factors.contains(&"predicted throughput"), "{factors:?}");
}

/// The P90 / P10 of a figure.
fn width(forecast: &Value, path: &str) -> Option<f64> {
    let interval = forecast["intervals"].get(path)?;
    Some(number(interval, "p90") / number(interval, "p10"))
}

#[test]
fn a_listed_price_spreads_by_its_age() {
    let cost = |placement: &str| {
        let forecast = ranges(&[&format!("placement={placement}")], 2_000);
        width(&forecast, "training.cost_usd.total")
    };
    let listed = |start: &str| {
        cost(&format!("{{provider: aws, region: us-east-1, start: {start}}}")).unwrap_or(1.0)
    };
    // The list is of 2025-07-01, and ln(price then / listed) walks with 0.148 a year.
    for (start, years) in [("2025-07-01", 0.0), ("2026-07-01", 1.0), ("2029-07-01", 4.0)] {
        let expected = (2.0 * 1.2816 * 0.148 * f64::sqrt(years)).exp();
        close(start, listed(start), expected, 0.01);
    }
    assert_eq!(cost("{purchase: {price: 2.0 USD/device-h}, region: FRA}"), None);
}

#[test]
fn demand_is_uncertain_where_no_range_is_given() {
    let service = |sets: &[&str]| {
        let scenario = shipped("scenarios/gpt3-175b.yaml", sets).expect("a scenario");
        let engine = Engine::new(&scenario, &CATALOG).expect("an engine");
        let sampling = Sampling { samples: 300, ..Sampling::default() };
        let all = intervals(&engine, sampling, &|_| Ok(()));
        let all = all.expect("ranges");
        let total = all.into_iter().find(|it| it.path() == "tco.total_usd").expect("a total");
        let swing = |factor: &str| {
            let swing = total.swings.iter().find(|swing| swing.factor == factor);
            swing.map(|swing| swing.high - swing.low)
        };
        [swing("inference.traffic.requests"), swing("inference.traffic.growth")]
    };
    let [rate, growth] = service(&[]).map(|swing| swing.expect("a swing"));
    assert!(rate > 0.0 && growth > 0.0, "{rate} {growth}");
    let [narrow, _] = service(&["inference.traffic.requests=1.9M/day..2.1M/day"]);
    assert!(narrow.expect("a swing") < 0.5 * rate, "a range of the user's takes its place");
}

#[test]
fn the_pause_between_the_turns_of_a_conversation_moves_its_service() {
    let set = "inference.traffic.sessions={turns: 8, think_time: 10 s..10 h}";
    let scenario = shipped("scenarios/gpt3-175b.yaml", &[set]).expect("a scenario");
    let engine = Engine::new(&scenario, &CATALOG).expect("an engine");
    let sampling = Sampling { samples: 50, ..Sampling::default() };
    let all = intervals(&engine, sampling, &|_| Ok(())).expect("ranges");
    // A fleet goes by whole instances, the energy of a request does not.
    let energy = all.iter().find(|it| it.path() == "inference.per_query.energy_wh");
    let swings = &energy.expect("the energy").swings;
    let pause = swings.iter().find(|it| it.factor.ends_with("think_time"));
    // The longer it is, the less of the conversation is still in the cache.
    assert!(pause.is_some_and(|it| it.high > it.low), "{swings:?}");
}
