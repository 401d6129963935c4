//! The shipped scenarios against the figures that their papers and cards print.

use flopcast::model::Input;
use flopcast::model::spec::from_preset;

use crate::common::library::{Way, asked};
use crate::common::{close, number};

/// Figures of a scenario: path, published value, tolerance, where it is printed.
fn check(scenario: &str, figures: &[(&str, f64, f64, &str)]) {
    let forecast = asked(Way::Estimate, &format!("scenarios/{scenario}.yaml"), &[]);
    for (path, published, tolerance, source) in figures {
        let what = format!("{scenario} {path} ({source})");
        close(&what, number(&forecast, path), *published, *tolerance);
    }
}

#[test]
fn gpt3() {
    check(
        "gpt3-175b",
        &[
            ("training.flops.six_nd", 6.0 * 174.6e9 * 300e9, 1e-3, "arXiv:2005.14165 D.1"),
            ("training.flops.model_full", 3.23e23, 3e-3, "D.1 and 12 L d s of attention"),
            ("training.flops.model", 3.19e23, 3e-3, "the causal half of it"),
            ("training.device_hours", 3.55e6, 0.01, "arXiv:2104.10350 table 4"),
            ("training.wall_clock_days", 14.8, 0.01, "arXiv:2104.10350 table 4"),
            ("training.energy_kwh.facility", 1.287e6, 0.01, "arXiv:2104.10350 table 4"),
            ("training.co2e_kg.location", 552.1e3, 0.01, "arXiv:2104.10350 table 4"),
        ],
    );
}

#[test]
fn bloom() {
    check(
        "bloom-176b",
        &[
            ("training.device_hours", 1_082_990.0, 1e-9, "arXiv:2211.02001"),
            ("training.energy_kwh.it", 433_196.0, 1e-3, "arXiv:2211.02001"),
            ("training.co2e_kg.location", 24_690.0, 3e-3, "arXiv:2211.02001"),
            ("training.flops.six_nd", 3.870e23, 1e-3, "6 x 176.247e9 x 366e9"),
        ],
    );
}

#[test]
fn llama_65b() {
    check(
        "llama-65b",
        &[
            ("training.energy_kwh.facility", 449e3, 0.01, "arXiv:2302.13971 table 15"),
            ("training.co2e_kg.location", 173e3, 0.01, "arXiv:2302.13971 table 15"),
            ("training.flops.six_nd", 5.48e23, 3e-3, "6 x 65.2e9 x 1.4e12"),
        ],
    );
}

#[test]
fn llama_405b() {
    check(
        "llama-3.1-405b",
        &[
            ("training.flops.six_nd", 3.8e25, 3e-3, "arXiv:2407.21783"),
            ("training.energy_kwh.it", 21_588e3, 1e-3, "30.84M h x 700 W, model card"),
            ("training.co2e_kg.location", 8_930e3, 3e-3, "model card"),
        ],
    );
}

#[test]
fn deepseek_v3() {
    check(
        "deepseek-v3",
        &[
            ("training.cost_usd.total", 5.576e6, 1e-9, "arXiv:2412.19437 table 1"),
            ("training.flops.six_nd", 6.0 * 37e9 * 14.8e12, 0.02, "37e9 active parameters"),
        ],
    );
}

/// Counted parameters of a preset: total and active.
fn parameters(preset: &str, total: f64, active: f64, tolerance: f64) {
    let counted = from_preset(preset, &Input::default()).expect("a preset").parameters();
    close(&format!("{preset}, total"), counted.total as f64, total, tolerance);
    close(&format!("{preset}, active"), counted.active as f64, active, tolerance);
}

#[test]
fn parameters_counted_from_the_shape() {
    parameters("gpt3-175b", 174.6e9, 174.6e9, 2e-3);
    parameters("llama-3.1-405b", 405_853_388_800.0, 405_853_388_800.0, 0.0);
    parameters("deepseek-v3", 671.0e9, 37e9, 0.02);
    parameters("bloom-176b", 176.247e9, 176.247e9, 1e-3);
    parameters("llama-65b", 65.2e9, 65.2e9, 2e-3);
}

#[test]
fn adapters_cost_less_than_all_weights() {
    let path = "scenarios/lora-llama-3-8b.yaml";
    let adapters = asked(Way::Estimate, path, &[]);
    let all = asked(Way::Estimate, path, &["training.recipe=finetune", "training.lora=null"]);
    let figure = "training.flops.model";
    let ratio = number(&adapters, figure) / number(&all, figure);
    // Forward and input gradients without weight gradients: a little over two thirds.
    assert!((0.66..0.70).contains(&ratio), "{ratio}");
}
