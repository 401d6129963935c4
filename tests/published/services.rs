//! Services that were measured: fleets, rates, power.

use flopcast::estimate::Engine;
use flopcast::study::uncertainty;

use crate::common::library::{CATALOG, Way, answer, resolved};
use crate::common::number;

/// A service under a price and a grid that no figure here depends on.
fn service(model: &str, rest: &str) -> String {
    format!(
        "flopcast: 1\nname: measured\nmodel: {model}\ninference:\n  placement: {{purchase: {{price: 2 \
         USD/device-h}}, pue: 1.0, grid: 400 gCO2e/kWh}}\n{rest}finance: {{horizon: 1 year}}\n"
    )
}

fn traffic(rate: f64, input: f64, output: f64, fixed: bool) -> String {
    let length = |tokens: f64| {
        let p95 = if fixed { format!(", p95: {tokens}") } else { String::new() };
        format!("{{mean: {tokens}{p95}}}")
    };
    format!(
        "  traffic: {{requests: {rate}/s, input_tokens: {}, output_tokens: {}, peak_to_mean: 1}}\n",
        length(input),
        length(output)
    )
}

fn estimated(text: &str, path: &str) -> f64 {
    let scenario = resolved(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    number(&answer(Way::Estimate, &scenario).expect("a forecast"), path)
}

fn within(what: &str, found: f64, measured: f64, factor: f64) {
    let ratio = found / measured;
    assert!((1.0 / factor..factor).contains(&ratio), "{what}: {found}, measured {measured}");
}

#[test]
fn wide_expert_parallelism_is_within_half_of_what_was_published() {
    // DeepSeek's day 6 of the open-source week (deepseek-ai/open-infra-index): 226.75 nodes of 8 H800 on
    // average for 608B input tokens, 56.3 % of them cached, and 168B output tokens in a day.
    let day6 = traffic(1605.0, 4383.0, 1211.0, false)
        + "  hardware: {accelerator: h800-sxm}\n  precision: fp8\n  engine: sglang\n  \
           prefix_cache_hit: 56.3 %\n  max_batch: 20000\n  parallelism: {data: 144, expert: 144}\n  \
           disaggregated: {prefill: 4, decode: 1, prefill_parallelism: {data: 32, expert: 32}}\n";
    let devices = estimated(&service("deepseek-v3", &day6), "inference.fleet.devices");
    within("devices of DeepSeek's day 6", devices, 1814.0, 1.5);
    // The same fleet followed its load, 278 nodes at most: a fleet without a reserve is compared with
    // its mean.
    let full = service("deepseek-v3", &(day6 + "  target_utilisation: 100 %\n"));
    within("devices of a full fleet", estimated(&full, "inference.fleet.devices"), 1814.0, 1.25);
    // 14,800 output tokens/s on each of 18 nodes that decode, answers of 1,211 tokens.
    let rate = estimated(&full, "inference.replica.max_rate_per_s");
    within("answers of 144 H800", rate, 14_800.0 * 18.0 / 1211.0, 1.15);
    // SGLang's report on 96 H100 (lmsys.org, 2025-05-05): 22,282 output tokens/s on each of 9 nodes that
    // decode, prompts of 2,000 tokens: 200.5 answers of 1,000 tokens a second.
    let lmsys = traffic(100.0, 2000.0, 1000.0, true)
        + "  hardware: {accelerator: h100-sxm}\n  precision: fp8\n  engine: sglang\n  max_batch: \
           18432\n  parallelism: {data: 72, expert: 72}\n  disaggregated: {prefill: 3, decode: 1, \
           prefill_parallelism: {data: 32, expert: 32}}\n";
    let rate = estimated(&service("deepseek-v3", &lmsys), "inference.replica.max_rate_per_s");
    within("answers of 72 H100", rate, 200.5, 1.5);
}

/// vLLM 0.19 on H100 NVL, 512 tokens in and 256 out (pChitral/vllm-cost-meter, arXiv:2606.11690).
fn cost_meter(model: &str, rate: f64, rest: &str) -> String {
    let rest = format!(
        "{}  hardware: {{accelerator: h100-nvl}}\n  engine: vllm\n{rest}",
        traffic(rate, 512.0, 256.0, true)
    );
    service(model, &rest)
}

#[test]
fn the_highest_rate_is_the_measured_one() {
    let text = cost_meter(
        "mixtral-8x7b",
        20.0,
        "  precision: fp8\n  kv_precision: bf16\n  parallelism: {tensor: 2}\n",
    );
    // 29.4 requests/s, with vLLM's default of 1,024 sequences on such a device.
    within(
        "Mixtral on 2 H100 NVL",
        estimated(&text, "inference.replica.max_rate_per_s"),
        29.4,
        1.15,
    );
}

#[test]
fn an_engine_that_is_not_full_draws_most_of_its_power() {
    // 359 W by nvidia-smi at 5 requests/s, and the host beside it: about 510 W.
    let text = cost_meter("llama-3.1-8b", 5.0, "  precision: bf16\n  parallelism: {tensor: 1}\n");
    let scenario = resolved(&text).unwrap();
    let report = answer(Way::Estimate, &scenario).unwrap();
    let energy = number(&report["inference"]["years"][0], "energy_kwh.it");
    let watts = 1000.0 * energy / number(&report, "inference.fleet.device_hours");
    within("power of a device with its host", watts, 510.0, 1.15);
    // A request an hour leaves it idle.
    let idle = cost_meter("llama-3.1-8b", 1.0 / 3600.0, "  precision: bf16\n");
    let report = answer(Way::Estimate, &resolved(&idle).unwrap()).unwrap();
    let energy = number(&report["inference"]["years"][0], "energy_kwh.it");
    let waiting = 1000.0 * energy / number(&report, "inference.fleet.device_hours");
    assert!(waiting < 0.5 * watts, "{waiting} of {watts}");
}

#[test]
fn the_interval_of_a_service_is_that_of_its_regime() {
    let pooled = "  disaggregated: {prefill: 2, decode: 1}\n";
    let of = |accelerator: &str, rest: &str| {
        let text = traffic(1.6, 512.0, 64.0, true)
            + &format!(
                "  hardware: {{accelerator: {accelerator}}}\n  precision: bf16\n  engine: vllm\n"
            )
            + rest;
        let scenario = resolved(&service("llama-2-13b", &text)).unwrap();
        let engine = Engine::new(&scenario, &CATALOG).unwrap();
        uncertainty::predicted(&engine).expect("an interval").factor
    };
    let (plain, apart) = (of("a100-sxm-80gb", ""), of("a100-sxm-80gb", pooled));
    let unseen = of("h100-pcie", "");
    assert!(1.0 < plain && plain < unseen && unseen < apart, "{plain} {unseen} {apart}");
}

#[test]
fn engines_have_names_and_others_are_refused_with_the_list() {
    let with = |engine: &str| {
        let rest = traffic(1.0, 512.0, 64.0, true)
            + &format!(
                "  hardware: {{accelerator: l40s}}\n  precision: int8\n  engine: {engine}\n"
            );
        resolved(&service("llama-3.1-8b", &rest))
    };
    for engine in
        ["vllm", "sglang", "tensorrt-llm", "llama.cpp", "lmdeploy", "gpt-fast", "neuron", "max"]
    {
        with(engine).unwrap_or_else(|error| panic!("{engine}: {error}"));
    }
    let error = with("vlm").unwrap_err().to_string();
    assert!(error.contains("vllm, sglang, trtllm") && error.contains("llama.cpp"), "{error}");
}
