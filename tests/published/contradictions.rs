//! The contradictions of published runs that docs/backtest.md explains, each with its arithmetic.
#![allow(clippy::unwrap_used)]

use flopcast::catalog::Catalog;
use flopcast::evidence::backtest::runs::score_run;
use flopcast::evidence::backtest::table::Table;
use flopcast::quantity::{Measure, Precision};
use flopcast::training::calibration::Calibration;
use flopcast::training::whole_run;

#[track_caller]
fn near(found: f64, expected: f64, tolerance: f64) {
    assert!((found / expected - 1.0).abs() < tolerance, "{found} is not {expected}");
}

/// FLOPs that flopcast makes of a row of the runs table.
fn flops(cells: &str) -> f64 {
    let text = format!(
        "id,kind,total_params,training_tokens_or_samples,published_training_flops,\
         flops_convention\n{cells}\n"
    );
    let table = Table::read(&text).unwrap();
    let row = table.rows().next().unwrap();
    let calibration = Calibration::shipped().unwrap();
    let losses = whole_run::Calibration::shipped().unwrap();
    let (scored, skipped) = score_run(row, &Catalog::embedded(), calibration, losses).unwrap();
    assert!(skipped.is_empty(), "{skipped:?}");
    scored[0].predicted
}

/// arXiv:2205.01068: ~4.30E+23 FLOPs, up to 147 TFLOP/s.
#[test]
fn opt_counts_its_recomputation() {
    let useful = flops("opt,dense,175e9,300e9,4.30e23,6ND");
    let hardware = flops("opt,dense,175e9,300e9,4.30e23,~8ND: includes activation recomputation");
    near(useful, 3.15e23, 1e-9);
    near(hardware, 4.20e23, 1e-9);
    // 12 x 96 layers x 12288 x 2048 per token beside 6 x 175e9: 2.8 %
    near(hardware * (1.0 + 12.0 * 96.0 * 12288.0 * 2048.0 / (6.0 * 175e9)), 4.30e23, 0.01);
    let device_seconds = 1024.0 * 33.0 * 86400.0;
    near(4.30e23 / device_seconds, 147e12, 0.01);
    near(useful / device_seconds / 312e12, 0.346, 0.01);
}

/// bigscience chronicles: 105.22 s per iteration; formula of arXiv:2104.04473 with recomputation.
#[test]
fn bloom_s_150_teraflops_are_hardware_flops() {
    let (layers, hidden, length, vocabulary) = (70.0, 14336.0, 2048.0, 250_880.0);
    let tokens_per_second = 2048.0 * 2048.0 / 105.22 / 384.0;
    let per_token = 96.0
        * layers
        * hidden
        * hidden
        * (1.0 + length / (6.0 * hidden) + vocabulary / (16.0 * layers * hidden));
    near(per_token * tokens_per_second, 149.0e12, 0.001);
    near(6.0 * 176.247e9 * tokens_per_second / 312e12, 0.352, 0.01);
    near(100.0 * 6.0 * 176.247e9 * 366e9 / (1_082_990.0 * 3600.0) / 312e12, 31.8, 0.01);
}

/// Model card of Llama 2: hours and tCO2e of 7B, 13B, 70B and their total.
#[test]
fn llama_2_s_total_holds_the_34b() {
    let listed: f64 = [184_320.0, 368_640.0, 1_720_320.0].iter().sum();
    let missing = 3_311_616.0 - listed;
    near(missing, 1_038_336.0, 1e-9);
    let carbon = 539.00 - (31.22 + 62.44 + 291.42);
    let at = |watts: f64| missing * watts / 1e6 * 1.1 * 0.385;
    near(carbon, at(350.0), 0.001);
    assert!((carbon / at(400.0) - 1.0).abs() > 0.1);
}

/// arXiv:2412.19437 Table 1: 2.664 M H800 hours of pre-training.
#[test]
fn deepseek_v3_has_two_utilisations() {
    let flops = flops("v3,dense,37e9,14.8e12,3.3e24,6ND");
    let rate = flops / (2.664e6 * 3600.0);
    let catalog = Catalog::embedded();
    let peak = |precision| catalog.accelerator("h800").unwrap().peak(precision).unwrap().value;
    near(rate / peak(Precision::Bf16).stored(), 0.346, 0.005);
    near(rate / peak(Precision::Fp8).stored(), 0.173, 0.005);
}
