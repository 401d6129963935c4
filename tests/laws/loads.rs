//! A service at any load: its latencies are times and its energy is known.

use serde_json::Value;

use crate::common::library::{Way, answer, resolved, shipped};
use crate::common::number;

/// The forecast of DeepSeek-V3 on so many data-parallel ranks of H200.
fn of(engine: &str, data: u32, inference: &str) -> Value {
    let text = format!(
        "{{name: t, model: deepseek-v3, inference: {{placement: {{provider: aws, region: us-east-2}}, \
         engine: {engine}, hardware: {{accelerator: h200-sxm}}, precision: fp8, \
         parallelism: {{data: {data}}}, {inference}}}}}"
    );
    resolved(&text)
        .and_then(|it| answer(Way::Estimate, &it))
        .unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn latencies_are_positive_and_energy_is_known() {
    let traffic =
        "traffic: {requests: 200M/day, input_tokens: {mean: 1000}, output_tokens: {mean: 200}}";
    for engine in ["vllm", "sglang", "lmdeploy"] {
        for data in [8, 144] {
            for batch in ["", ", max_batch: 2048"] {
                let mut last = 0.0;
                for load in [20, 80, 100] {
                    let inference = format!("{traffic}, target_utilisation: {load} %{batch}");
                    let report = of(engine, data, &inference);
                    let at = |path: &str| number(&report, &format!("inference.{path}"));
                    let (first, token, whole) =
                        (at("ttft_ms.mean"), at("tpot_ms.mean"), at("e2e_ms.mean"));
                    let what = format!("{engine} x {data}{batch} at {load} %");
                    assert!(first > 0.0 && token > 0.0 && whole > first, "{what}: {first} {token}");
                    assert!(at("per_query.energy_wh") > 0.0, "{what}");
                    assert!(first >= last * 0.98, "{what}: {first} after {last}");
                    last = first;
                }
            }
        }
    }
}

#[test]
fn longer_answers_take_more_energy() {
    for engine in ["vllm", "sglang", "trtllm", "llama.cpp"] {
        let mut last = 0.0;
        for output in [1, 2, 3, 10, 100] {
            let report = shipped(
                "scenarios/llama-3-70b-serving.yaml",
                &[
                    "inference.slo={}",
                    "inference.traffic.requests=200k/day",
                    &format!("inference.engine={engine}"),
                    &format!("inference.traffic.output_tokens={{mean: {output}}}"),
                ],
            );
            let report = report.and_then(|it| answer(Way::Estimate, &it));
            let report = report.unwrap_or_else(|error| panic!("{error}"));
            let token = &report["inference"]["tpot_ms"]["mean"];
            assert_eq!(token.is_null(), output == 1, "{engine}: {token} a token of {output}");
            let energy = number(&report, "inference.per_query.energy_wh");
            assert!(energy > last, "{engine}: {energy} Wh of {output} tokens, {last} of fewer");
            last = energy;
        }
    }
}
