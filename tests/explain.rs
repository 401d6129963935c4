//! A figure's derivation multiplies out to the figure, whatever the scenario.

mod common;

use std::fmt::Write as _;
use std::sync::LazyLock;

use flopcast::catalog::Catalog;
use flopcast::diagnostic::{Error, Result};
use flopcast::estimate::{Estimate, estimate};
use flopcast::provenance::{Basis, How, Step};
use flopcast::scenario::{Files, document, reader, resolve};
use proptest::prelude::*;

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>> {
        Err(Error::input(format!("{path} is not read here")))
    }
}

/// One catalog for all cases: its tables are read once.
static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::embedded);

fn forecast(text: &str) -> Estimate {
    let node = document::parse("random.yaml", text.as_bytes()).expect("a document");
    let file = reader::read(&node).expect("a scenario");
    let scenario = resolve(&file, &CATALOG, &NoFiles).expect("a resolved scenario");
    estimate(&scenario, &CATALOG, true).expect("an estimate")
}

fn leaves<'a>(step: &'a Step, found: &mut Vec<&'a Step>) {
    if matches!(step.how, How::Leaf(_)) {
        found.push(step);
    }
    for input in step.inputs() {
        leaves(input, found);
    }
}

prop_compose! {
    /// Scenarios over every way to say how fast a run is, with and without serving.
    fn scenarios()(
        tokens in 1e8..1e13f64,
        count in 1u32..20_000,
        speed in prop::sample::select(vec![
            "{mfu: 0.41}", "{mfu: 0.3, convention: six_nd}", "{hfu: 0.5, }",
            "{tokens_per_second_per_device: 9000}", "{device_hours: 123_456}", "{step_time: 12 s}",
        ]),
        goodput in 0.3..1.0f64,
        spares in 0.0..0.2f64,
        experiments in 0.0..3.0f64,
        pue in 1.0..2.0f64,
        grid in 10.0..900.0f64,
        tenure in prop::sample::select(vec![
            "provider: aws, region: us-east-2, purchase: on-demand",
            "provider: aws, region: us-east-2, purchase: spot",
            "region: US-OH, purchase: {price: 2.5 USD/device-h}",
            "region: US-OH, purchase: {price: 21 USD/instance-h}",
            "region: US-OH, provider: owned",
            "region: US-OH, owned: {residual: 10 %, utilisation: 70 %, instead_of: {provider: lambda}}",
            "region: US-OH, start: 2026-10-01, owned: {bought: 2025-02-01, price_change: -20 %/year}",
        ]),
        serve in any::<bool>(),
        rate in 1_000.0..1e8f64,
        growth in -0.5..2.0f64,
    ) -> String {
        let mut text = format!("
name: random
model: llama-3-8b
data: {{tokens: {tokens:e}}}
training:
  precision: bf16
  sequence_length: 4096
  global_batch: 4M
  hardware: {{accelerator: h100-sxm, count: {count}}}
  efficiency: {speed}
  goodput: {goodput}
  spares: {spares}
  experiments: {experiments}
placement: {{{tenure}, pue: {pue}, grid: {grid}}}
");
        if serve {
            let _ = write!(text, "
inference:
  traffic:
    requests: {rate}/day
    input_tokens: {{mean: 900}}
    output_tokens: {{mean: 200}}
    growth: {:.3} %/year
  hardware: {{accelerator: h100-sxm}}
  precision: bf16
functional_unit: 1000 requests
", growth * 100.0);
        }
        text
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_tree_evaluates_to_its_figure(text in scenarios()) {
        for figure in forecast(&text).figures() {
            let Some(step) = &figure.step else { continue };
            let again = step.evaluate();
            let error = (again - step.value).abs();
            prop_assert!(error <= 1e-9 * step.value.abs(), "{}: {again} is not {}", figure.path, step.value);
        }
    }

    #[test]
    fn sums_reconcile(text in scenarios()) {
        let figures = forecast(&text).figures();
        let value = |path: &str| figures.iter().find(|f| f.path == path).and_then(|f| f.value);
        let pue = |e: f64, f: f64| f / e;
        if let (Some(it), Some(facility)) = (value("training.energy_kwh.it"), value("training.energy_kwh.facility")) {
            prop_assert!(pue(it, facility) >= 1.0);
        }
        let years: f64 = (1..=3).filter_map(|y| value(&format!("inference.years.{y}.cost_usd"))).sum();
        let total = value("tco.total_usd").expect("a total");
        let training = value("training.cost_usd.total").expect("a training cost");
        prop_assert!((training + years - total).abs() <= 1e-9 * total);
        prop_assert!(value("tco.present_value_usd").expect("a present value") <= total * (1.0 + 1e-12));
    }
}

#[test]
fn every_leaf_says_where_it_comes_from() {
    let text =
        std::fs::read_to_string(common::root().join("scenarios/gpt3-175b.yaml")).expect("a file");
    let forecast = forecast(&text);
    let figures = forecast.figures();
    let co2e = figures.iter().find(|f| f.path == "training.co2e_kg.location").expect("the figure");
    let step = co2e.step.as_ref().expect("a derivation");
    let mut found = Vec::new();
    leaves(step, &mut found);
    let has = |check: fn(&Basis) -> bool| {
        found.iter().any(|leaf| matches!(&leaf.how, How::Leaf(basis) if check(basis)))
    };
    assert!(has(|basis| matches!(basis, Basis::Given { source: Some(_), .. })));
    assert!(has(|basis| matches!(basis, Basis::Catalog { date: Some(_), .. })));
    assert!(has(|basis| matches!(basis, Basis::Assumed { .. })));
    assert!(has(|basis| matches!(basis, Basis::Derived { .. })));
}
