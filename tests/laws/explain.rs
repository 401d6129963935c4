//! A figure's derivation multiplies out to the figure, whatever the scenario.

use std::fmt::Write as _;

use flopcast::estimate::Engine;
use flopcast::ledger::line::{Line, Stage};
use flopcast::provenance::{Basis, Expr};
use flopcast::quantity::{Measure, Money};
use proptest::prelude::*;

use crate::common::library::{CATALOG, explained, forecast, leaves, shipped};
use crate::common::{holds, root};

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
            "provider: aws, region: us-east-2, purchase: reserved-3y, unused_commitment: 40 %",
            "provider: aws, region: us-east-2, discount: 7 %,
   purchase: {reserved-1y: 60 %, spot: 30 %, on-demand: 10 %}",
        ]),
        staff in prop::sample::select(vec![
            "{share_of_total: 30 %}", "{fte: 5, cost: 300k USD/year}",
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
  costs:
    storage: {{data: 40 TB, retention: 5 months, price: 0.02 USD/GB-month}}
    checkpoints: {{keep: 8, price: 0.02 USD/GB-month}}
    egress: {{data: 1 TB, price: 0.09 USD/GB}}
    staff: {staff}
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
  costs: {{egress: {{data: 4 KB/request, price: 0.09 USD/GB}}, staff: {staff}}}
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
            let Some(step) = figure.step() else { continue };
            let again = step.evaluate();
            let error = (again - step.value).abs();
            prop_assert!(error <= 1e-9 * step.value.abs(), "{}: {again} is not {}", figure.path, step.value);
        }
    }

    #[test]
    fn sums_reconcile(text in scenarios()) {
        let figures = forecast(&text).figures();
        let value = |path: &str| figures.iter().find(|f| f.path == path).and_then(flopcast::estimate::Figure::value);
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rows_sum_to_totals_and_months_to_rows(text in scenarios()) {
        let forecast = forecast(&text);
        let figures = forecast.figures();
        let value = |path: &str| figures.iter().find(|f| f.path == path).and_then(flopcast::estimate::Figure::value);
        let usd = |line: &Line<Money>| line.amount.known().expect("an amount").value().stored();
        let sum = |stage: Stage| -> f64 {
            forecast.money().filter(|line| line.entry.stage == stage).map(usd).sum()
        };
        // To the cent, or to the last digits of very large sums.
        let same = |a: f64, b: f64| (a - b).abs() <= 0.005 + 1e-12 * b.abs();
        let training = value("training.cost_usd.total").expect("a total");
        prop_assert!(same(sum(Stage::Training), training));
        for year in 1..=3 {
            let Some(cost) = value(&format!("inference.years.{year}.cost_usd")) else { continue };
            prop_assert!(same(sum(Stage::Serving(year)), cost), "year {year}");
        }
        let all: f64 = forecast.money().map(usd).sum();
        prop_assert!(same(all, value("tco.total_usd").expect("a total")));
        for line in forecast.money() {
            let months: f64 =
                line.by_month().iter().map(|(_, part)| part.expect("a part").stored()).sum();
            prop_assert!(same(months, usd(line)), "{}", line.entry.label());
            let [quantity, price] = [&line.quantity, &line.unit_price]
                .map(|step| step.as_ref().expect("explained").value);
            prop_assert!(same(quantity * price, usd(line)), "{}", line.entry.label());
        }
    }
}

#[test]
fn an_input_changes_only_what_depends_on_it() {
    let text = |pue: &str, storage: &str, list: &str| {
        format!(
            "
name: random
model: llama-3-8b
data: {{tokens: 1T}}
training:
  precision: bf16
  sequence_length: 4096
  hardware: {{accelerator: h100-sxm, count: 512}}
  efficiency: {{mfu: 0.4}}
  costs: {{storage: {{data: 40 TB, price: {storage}}}, egress: {{data: 1 TB}}}}
placement: {{provider: aws, region: us-east-2, pue: {pue}, discount: {list}}}
"
        )
    };
    let base = forecast(&text("1.1", "0.02 USD/GB-month", "0 %")).figures();
    for (changed, moved) in [
        (
            text("1.3", "0.02 USD/GB-month", "0 %"),
            &[
                "training.energy_kwh.facility",
                "training.energy_kwh.work",
                "training.energy_kwh.idle",
                "training.co2e_kg.location",
                "training.co2e_kg.market",
                "training.co2e_kg.work",
                "training.co2e_kg.idle",
                "training.co2e_kg.marginal",
                "training.water_l.off_site",
            ][..],
        ),
        (
            text("1.1", "0.03 USD/GB-month", "0 %"),
            &["training.cost_usd.storage", "training.cost_usd.total"],
        ),
        (
            text("1.1", "0.02 USD/GB-month", "5 %"),
            &["training.cost_usd.compute", "training.cost_usd.total"],
        ),
    ] {
        let figures = forecast(&changed).figures();
        for (before, after) in base.iter().zip(&figures) {
            assert_eq!(before.path, after.path);
            let sums = ["tco.", "sci.", "training.flops_per_usd"];
            let sums = sums.iter().any(|sum| before.path.starts_with(sum));
            let moves = before.value() != after.value();
            assert!(sums || moves == moved.contains(&before.path.as_str()), "{}", before.path);
        }
    }
}

/// With a record every figure has a derivation that evaluates to it; without one none has.
#[test]
fn every_shipped_figure_is_explained_where_the_run_records() {
    for entry in std::fs::read_dir(root().join("scenarios")).expect("scenarios") {
        let name = entry.expect("a file").file_name().into_string().expect("UTF-8");
        let scenario = shipped(&format!("scenarios/{name}"), &[]).expect("a scenario");
        let engine = Engine::new(&scenario, &CATALOG).expect("an engine");
        for figure in engine.recorded().run().expect("a forecast").figures() {
            let Some(value) = figure.value() else { continue };
            let step = figure.step().unwrap_or_else(|| panic!("{name}: {}", figure.path));
            let error = (step.evaluate() - step.value).abs();
            assert!(error <= 1e-9 * step.value.abs(), "{name} {}: {value}", figure.path);
        }
        let told = engine.run().expect("a forecast").figures();
        let recorded = told.iter().find(|figure| figure.step().is_some());
        assert!(recorded.is_none(), "{name}: {:?}", recorded.map(|figure| &figure.path));
    }
}

#[test]
fn a_predicted_run_goes_on_into_its_parts() {
    let file = "scenarios/llama-3.1-8b-stages.yaml";
    let parts = ["dense products", "attention", "data-parallel communication", "host", "optimizer"];
    let parts = parts.map(|part| format!("step: {part} = "));
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    holds(file, &explained(file, &[], "training.mfu"), &parts);
    let held = ["allocated x 1.1", "training.memory_gb.activations = ", "memory model"];
    holds(file, &explained(file, &[], "training.memory_gb.reserved"), &held);
}

#[test]
fn every_leaf_says_where_it_comes_from() {
    let text = std::fs::read_to_string(root().join("scenarios/gpt3-175b.yaml")).expect("a file");
    let forecast = forecast(&text);
    let figures = forecast.figures();
    let co2e = figures.iter().find(|f| f.path == "training.co2e_kg.location").expect("the figure");
    let step = co2e.step().expect("a derivation");
    let mut found = Vec::new();
    leaves(step, &mut found);
    let has = |check: fn(&Basis) -> bool| {
        found.iter().any(|leaf| matches!(&leaf.how, Expr::Leaf(basis) if check(basis)))
    };
    assert!(has(|basis| matches!(basis, Basis::Given { source: Some(_), .. })));
    assert!(has(|basis| matches!(basis, Basis::Catalog { date: Some(_), .. })));
    assert!(has(|basis| matches!(basis, Basis::Assumed { .. })));
    assert!(has(|basis| matches!(basis, Basis::Derived { .. })));
}
