//! What a request takes for granted of its model and its engine.

use std::sync::Arc;

use flopcast::estimate::plan::Service;
use flopcast::quantity::Precision;

use crate::common::holds;
use crate::common::library::resolved;

/// A service of a model on H200, and what is warned of.
fn tried(model: &str, traffic: &str, more: &str) -> Result<(Arc<Service>, String), String> {
    let text = format!(
        "{{name: t, model: {model}, inference: {{placement: {{region: FRA}}, \
         hardware: {{accelerator: h200-sxm}}, traffic: {{requests: 1k/day, {traffic}}}, {more}}}}}"
    );
    let scenario = resolved(&text).map_err(|error| error.to_string())?;
    Ok((scenario.inference.expect("a service"), scenario.warnings.join("\n")))
}

fn service(model: &str, traffic: &str, more: &str) -> (Arc<Service>, String) {
    tried(model, traffic, more)
        .unwrap_or_else(|error| panic!("{model}, {traffic}, {more}: {error}"))
}

const CHAT: &str = "input_tokens: {mean: 1000}, output_tokens: {mean: 200}";

#[test]
fn each_rank_of_an_engine_has_its_own_largest_batch() {
    for (engine, each) in [("vllm", 1024.0), ("sglang", 2048.0), ("lmdeploy", 512.0)] {
        for data in [1, 8, 144] {
            let more = format!("engine: {engine}, parallelism: {{tensor: 8, data: {data}}}");
            let (service, _) = service("deepseek-v3", CHAT, &format!("precision: fp8, {more}"));
            let most = service.replica.max_batch.value;
            assert!((most - each * f64::from(data)).abs() < 0.5, "{engine} x {data}: {most}");
        }
    }
}

#[test]
fn the_cache_has_the_format_of_the_engine() {
    use Precision::{Bf16, Fp8, Fp16, Int8};
    for (engine, weights, cache) in [
        ("vllm", "fp16", Fp16),
        ("vllm", "fp8", Bf16),
        ("vllm", "int4", Bf16),
        ("sglang", "int8", Bf16),
        ("trtllm", "bf16", Bf16),
        ("trtllm", "int8", Int8),
        ("trtllm", "int4", Fp8),
    ] {
        let more = format!("engine: {engine}, precision: {weights}");
        let (service, _) = service("llama-3.1-8b", CHAT, &more);
        assert_eq!(service.demand.kv_precision, cache, "{more}");
    }
    let (service, _) = service("llama-3.1-8b", CHAT, "precision: int4, kv_precision: fp8");
    assert_eq!(service.demand.kv_precision, Fp8, "as said");
}

#[test]
fn a_denoiser_runs_as_often_as_is_asked() {
    for (model, passes) in [("qwen-image", 2.0), ("cogvideox-5b", 2.0), ("flux.2-dev", 1.0)] {
        let flops = |traffic: &str| {
            let (service, warnings) = service(model, traffic, "");
            (service.flops.value.value, warnings.contains("one pass of the denoiser"))
        };
        let (once, warned) = flops("");
        assert!(warned, "{model}");
        for (traffic, times) in [("steps: 50", 50.0), ("steps: 50, guidance: 4", 50.0 * passes)] {
            let (all, warned) = flops(traffic);
            assert!((all / once / times - 1.0).abs() < 1e-9 && !warned, "{model}, {traffic}");
        }
    }
    let (_, warnings) = service("sdxl-turbo", "", "");
    assert!(!warnings.contains("one pass of"), "a pipeline says its steps: {warnings}");
}

#[test]
fn what_a_model_is_not_made_for_is_said() {
    for (model, traffic, part) in [
        (
            "gpt2",
            "input_tokens: {mean: 16000}, output_tokens: {mean: 10}",
            "16,010 tokens on average are longer",
        ),
        ("bert-base", "input_tokens: {mean: 8192}", "longer than the 512 that"),
        ("whisper-large-v3", "audio: 30 s", "nothing is generated"),
    ] {
        holds(model, &service(model, traffic, "").1, &[part]);
    }
    for (model, traffic) in [
        ("gpt2", "input_tokens: {mean: 500}, output_tokens: {mean: 100}"),
        ("bert-base", "input_tokens: {mean: 512}"),
        ("whisper-large-v3", "audio: 30 s, input_tokens: {mean: 4}, output_tokens: {mean: 100}"),
        ("dinov2-base", ""),
    ] {
        let (_, warnings) = service(model, traffic, "");
        assert!(!warnings.contains("longer than") && !warnings.contains("one pass"), "{warnings}");
    }
    let refused =
        tried("dinov2-base", "input_tokens: {mean: 1000}", "").map(|_| ()).expect_err("no tokens");
    holds("dinov2", &refused, &["has no use for input tokens"]);
}
