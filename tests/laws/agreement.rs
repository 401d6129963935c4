//! `estimate` and `capacity` agree on a service that both can answer: by means in closed form, and by
//! simulation.

use flopcast::diagnostic::Result;
use flopcast::estimate::plan::Scenario;
use flopcast::report::json;
use flopcast_core::random::Stream;
use serde_json::Value;

use crate::common::library::{report_after, resolved, shipped, simulated};

/// Figures that both have.
const FIGURES: [&str; 5] = [
    "fleet/devices",
    "replica/max_rate_per_s",
    "ttft_ms/mean",
    "tpot_ms/mean",
    "per_query/serving_usd",
];

/// Both answers to a scenario, figure by figure: closed form / simulation; none where nothing is
/// generated.
fn ratios(scenario: &Scenario, requests: u64) -> Result<[Option<f64>; 5]> {
    let closed = json::estimate(&report_after(scenario, requests)?);
    let simulated = simulated(scenario, requests)?;
    let of = |report: &Value, figure: &str| {
        report.pointer(&format!("/inference/{figure}")).and_then(Value::as_f64)
    };
    Ok(FIGURES.map(|figure| Some(of(&closed, figure)? / of(&simulated, figure)?)))
}

/// The figures that differ by more than 15 %.
fn apart(ratios: &[Option<f64>; 5]) -> Vec<String> {
    let each = FIGURES.iter().zip(ratios);
    each.filter(|(_, ratio)| ratio.is_some_and(|it| it.ln().abs() > 1.15_f64.ln()))
        .map(|(figure, ratio)| format!("{figure} {:.2}", ratio.unwrap_or_default()))
        .collect()
}

/// A service drawn at random, without an SLO.
fn service(seed: u64) -> String {
    let mut dice = Stream::new(seed, 16);
    let mut among = |low: f64, high: f64| low * (high / low).powf(dice.uniform());
    let (input, output, rate) = (among(50.0, 6000.0), among(8.0, 1500.0), among(0.5, 400.0));
    let (long, wide) = (input * among(1.2, 3.5), output * among(1.2, 3.0));
    let (turns, opening, hit) = (among(2.0, 8.0), among(100.0, 2000.0), among(20.0, 80.0));
    let mut one = |of: &[&str]| of[dice.between(0, of.len() as u32 - 1) as usize].to_owned();
    let model = one(&[
        "llama-3.1-8b {tensor: 1}",
        "llama-3.1-8b {tensor: 2}",
        "mistral-7b {tensor: 1}",
        "qwen2.5-32b {tensor: 2}",
        "llama-3.1-70b {tensor: 4}",
        "qwen3-30b-a3b {tensor: 1}",
        "mixtral-8x7b {tensor: 2}",
        "gpt-oss-20b {tensor: 1}",
    ]);
    let (model, degrees) = model.split_once(' ').expect("a model and its degrees");
    let device = one(&["h100-sxm fp8", "h200-sxm bf16", "b200 fp8", "a100-sxm-80gb bf16"]);
    let (device, precision) = device.split_once(' ').expect("a device and a format");
    let engine = one(&["vllm", "sglang", "trtllm"]);
    let more = one(&[
        "",
        "",
        "",
        &format!(", system_prompt: {opening:.0}"),
        &format!(", sessions: {{turns: {turns:.0}, think_time: 20 s}}"),
    ]);
    let own = if more.is_empty() {
        one(&[
            "",
            "",
            &format!("  prefix_cache_hit: {hit:.0} %\n"),
            "  disaggregated: {prefill: 1, decode: 1}\n",
            "  speculative: {tokens: 3, acceptance: 0.7}\n",
        ])
    } else {
        String::new()
    };
    format!(
        "flopcast: 1\nname: service {seed}\nmodel: {model}\ninference:\n  placement: {{purchase: \
         {{price: 2 USD/device-h}}, pue: 1.2, grid: 400 gCO2e/kWh}}\n  traffic: {{requests: \
         {rate:.2}/s, input_tokens: {{mean: {input:.0}, p95: {long:.0}}}, output_tokens: {{mean: \
         {output:.0}, p95: {wide:.0}}}, peak_to_mean: 1.5{more}}}\n  hardware: {{accelerator: \
         {device}}}\n  precision: {precision}\n  engine: {engine}\n  parallelism: {degrees}\n{own}\
         finance: {{horizon: 1 year}}\n"
    )
}

/// The classes of the shipped service, without their SLOs.
const CLASSES: &str = "inference.traffic.classes=[{name: chat, share: 80 %, input_tokens: {mean: 1155, p95: \
                       4000}, output_tokens: {mean: 211, p95: 450}}, {name: summary, share: 20 %, \
                       input_tokens: {mean: 6000, p95: 12000}, output_tokens: {mean: 150, p95: 300}}]";

/// How many random services both can answer, and those on which they are apart, in words.
fn compared(seeds: std::ops::Range<u64>, requests: u64) -> (usize, Vec<String>) {
    let (mut all, mut differing) = (0, Vec::new());
    for seed in seeds {
        let text = service(seed);
        let Ok(ratios) = resolved(&text).and_then(|it| ratios(&it, requests)) else { continue };
        let apart = apart(&ratios);
        all += 1;
        if !apart.is_empty() {
            differing.push(format!("service {seed}: {}", apart.join(", ")));
        }
    }
    (all, differing)
}

#[test]
fn on_the_shipped_services() {
    for file in ["llama-3-70b-serving", "two-classes-serving", "bert-base-serving", "resnet50-edge"]
    {
        let file = format!("scenarios/{file}.yaml");
        let mut sets = vec!["inference.slo={}"];
        if file.contains("classes") {
            sets.push(CLASSES);
        }
        let scenario = shipped(&file, &sets).unwrap();
        let apart = apart(&ratios(&scenario, 6000).unwrap());
        assert!(apart.is_empty(), "{file}: {}", apart.join(", "));
    }
}

#[test]
fn on_random_services() {
    let (all, apart) = compared(0..20, 2000);
    assert!(all >= 12 && 10 * apart.len() <= all, "{apart:#?} of {all}");
}

#[test]
#[ignore = "takes minutes"]
fn on_a_hundred_random_services() {
    let (all, apart) = compared(100..200, 20_000);
    assert!(all >= 70 && 10 * apart.len() <= all, "{apart:#?} of {all}");
}
