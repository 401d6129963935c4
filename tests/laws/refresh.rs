//! A fleet that is renewed within the horizon.

use serde_json::Value;

use crate::common::library::{Way, asked, refuses};
use crate::common::{close, holds, number, stdout};

const FILE: &str = "scenarios/llama-3-70b-serving.yaml";
const RENEWED: &str = "inference.refresh={year: 3, hardware: {accelerator: b200}}";

fn serving(sets: &[&str]) -> Value {
    asked(Way::Estimate, FILE, sets)
}

fn year(report: &Value, year: usize, path: &str) -> f64 {
    number(&report["inference"]["years"][year - 1], path)
}

const OTHER: &str = "inference.hardware={accelerator: b200}";

/// Before the renewal nothing changes; after it, all is as if it had been that fleet all along.
#[test]
fn each_year_is_that_of_its_fleet() {
    let [plain, later, other] = [&[][..], &[RENEWED], &[OTHER]].map(serving);
    for figure in ["replicas", "devices", "cost_usd", "energy_kwh.facility", "co2e_kg.location"] {
        for (at, like) in [(1, &plain), (2, &plain), (3, &other)] {
            close(figure, year(&later, at, figure), year(like, at, figure), 1e-9);
        }
    }
    let total = |report: &Value| number(report, "inference.cost_usd.total");
    let years: f64 = (1..=3).map(|at| year(&later, at, "cost_usd")).sum();
    close("total", total(&later), years, 1e-9);
    let rate = number(&later, "inference.refresh.max_rate_per_s");
    close("rate", rate, number(&other, "inference.replica.max_rate_per_s"), 1e-9);
}

#[test]
fn a_reservation_that_outlasts_its_fleet_is_paid_to_its_end() {
    let reserved = "inference.placement={provider: aws, region: us-east-2, purchase: reserved-3y}";
    let unused = |sets: &[&str]| {
        let report = serving(sets);
        report["inference"]["cost_usd"]["unused_commitment"].as_f64().unwrap_or(0.0)
    };
    let flat = "inference.traffic.growth=0 %/year";
    let close_to_nothing = unused(&[reserved, flat]);
    let left = unused(&[
        reserved,
        flat,
        "inference.refresh={year: 3, hardware: {accelerator: b200}, placement: {provider: aws, \
         region: us-east-2, purchase: on-demand}}",
    ]);
    assert!(left > close_to_nothing + 1.0, "{left} {close_to_nothing}");
}

#[test]
fn owned_hardware_is_bought_anew() {
    let owned = "inference.placement={provider: owned, region: FRA}";
    let capex = |sets: &[&str]| number(&serving(sets), "inference.capex_usd.total");
    let flat = "inference.traffic.growth=0 %/year";
    let renewed = "inference.refresh={year: 2, hardware: {accelerator: h200-sxm}}";
    let (once, twice) = (capex(&[owned, flat]), capex(&[owned, flat, renewed]));
    let other = capex(&[owned, flat, "inference.hardware={accelerator: h200-sxm}"]);
    close("both", twice, once + other, 1e-9);
}

#[test]
fn the_years_say_when_and_with_what() {
    let text = stdout(&["estimate", "--full", FILE, "--set", RENEWED]);
    holds("table", &text, &["renewed: from year 3 on b200-sxm, at"]);
}

#[test]
fn renewals_that_cannot_be_are_refused() {
    for (text, code, part) in [
        ("{year: 1, hardware: {accelerator: b200}}", 2, "from year 2 on"),
        ("{year: 4, hardware: {accelerator: b200}}", 2, "the horizon ends with year 3"),
        ("{year: 3, hardware: {accelerator: b2000}}", 2, "b200"),
        ("{year: 3}", 2, "hardware"),
        (
            "{year: 3, hardware: {accelerator: h100-sxm}, parallelism: {tensor: 1}}",
            1,
            "does not fit",
        ),
    ] {
        let set = format!("inference.refresh={text}");
        refuses(Way::Estimate, FILE, &[&set, "model=llama-3.1-405b"], code, part);
    }
}
