use flopcast_import::document;

use super::*;

pub(super) fn check(text: &str, wanted: &str) {
    let mut node = document::parse("test.yaml", text.as_bytes()).expect("YAML");
    let notes = respell(&mut node);
    let mut expected = document::parse("test.yaml", wanted.as_bytes()).expect("YAML");
    let again = respell(&mut expected);
    assert!(again.is_empty(), "{wanted} is not in the scenario's words: {again:?}");
    assert_eq!(plain(&node), plain(&expected), "{text}: {notes:?}");
}

/// A tree without its places, keys sorted.
fn plain(node: &Node) -> String {
    match &node.value {
        Value::Map(entries) => {
            let mut all: Vec<String> = entries
                .iter()
                .map(|(key, node)| format!("{}: {}", key.name, plain(node)))
                .collect();
            all.sort();
            format!("{{{}}}", all.join(", "))
        }
        Value::Text(text) => text.clone(),
        other => format!("{other:?}"),
    }
}

#[test]
fn paths_that_may_be_spelled_otherwise() {
    let concerned = ["gpus", "train.hardware.count", "training", "training.precision", "data"];
    assert!(concerned.iter().all(|path| concerns(path)));
    let plain = ["training.hardware.count", "placement.pue", "data.tokens", "gpusx"];
    assert!(plain.iter().all(|path| !concerns(path)));
}

#[test]
fn keys_by_their_other_names() {
    check("tokens: 1T", "data: {tokens: 1T}");
    check("training: {tp: 1, parallelism: {tp: 8}}", "training: {tp: 1, parallelism: {tensor: 8}}");
    check("inference: {traffic: {rps: 40}}", "inference: {traffic: {requests: 40/s}}");
    check("placement: {price: 2 USD/device-h}", "placement: {purchase: {price: 2 USD/device-h}}");
    check("training: {mfu: 0.4}", "training: {efficiency: {mfu: 0.4}}");
    for price in ["$2.10/hr", "$2.10/hour", "$2.10 / h", "$2.10"] {
        check(
            &format!("placement: {{price: {price}}}"),
            "placement: {purchase: {price: $2.10/device-h}}",
        );
    }
    check(
        "inference: {region: eu-west-1, cloud: aws}",
        "inference: {placement: {region: eu-west-1, provider: aws}}",
    );
    check("inference: {zone: us-central1-a}", "inference: {placement: {region: us-central1}}");
    check("model: {total: 30B, activated: 3B}", "model: {parameters: 30B, active: 3B}");
    check(
        "placement: {owned: {price_per_gpu: 30000, depreciation: 5, electricity_price: 0.1}}",
        "placement: {owned: {chip: 30000 USD/device, amortisation: 5 years, \
         electricity: 0.1 USD/kWh}}",
    );
    check("finance: {horizon: 4}", "finance: {horizon: 4 years}");
    check("placement: {grid: 0.35}", "placement: {grid: 0.35 kgCO2e/kWh}");
    check("placement: {owned: {power: 1.3}}", "placement: {owned: {power: 1.3 kW}}");
    check(
        "placement: {purchase: 2 USD/device-h}",
        "placement: {purchase: {price: 2 USD/device-h}}",
    );
    check(
        "placement: {purchase: Reserved-1y, price: 2}",
        "placement: {purchase: {plan: reserved-1y, price: 2 USD/device-h}}",
    );
    check(
        "inference: {purchase: spot, price: $2/h}",
        "inference: {placement: {purchase: {plan: spot, price: $2/device-h}}}",
    );
    check("placement: {purchase: 1 year}", "placement: {purchase: reserved-1y}");
    check("placement: {purchase: 3y}", "placement: {purchase: reserved-3y}");
    check("finance: {years: 3, wacc: 8 %}", "finance: {horizon: 3 years, discount_rate: 8 %}");
    check(
        "inference: {speculative: {draft_model: a, k: 4, acceptance_rate: 0.7}, prefix_cache: 0.5}",
        "inference: {speculative: {draft: a, tokens: 4, acceptance: 0.7}, prefix_cache_hit: 0.5}",
    );
}

/// Where a file names no run, its words are those of its service.
#[test]
fn a_service_that_says_where_it_is_keeps_the_rest_of_the_place() {
    check(
        "{placement: {provider: aws, region: us-east-1}, inference: {region: eu-west-1}}",
        "{placement: {provider: aws, region: us-east-1}, \
         inference: {placement: {provider: aws, region: eu-west-1}}}",
    );
}

#[test]
fn assignments_set_keys_in_the_words_of_their_document() {
    let keys = |assignment: &str, text: &str| {
        let document = document::parse("test.yaml", text.as_bytes()).expect("YAML");
        set_by(assignment, &document)
    };
    let (service, run) = ("inference: {precision: fp8}", "training: {precision: fp8}");
    let device = "inference.hardware.accelerator";
    assert_eq!(keys("gpu=L40S", service), [device]);
    assert_eq!(keys("inference.gpus=L40S", service), [device]);
    assert_eq!(keys("inference.hardware=L40S", service), [device]);
    assert_eq!(keys("tp=4", service), ["inference.parallelism.tensor"]);
    assert_eq!(keys("gpus=64", run), ["training.hardware.count"]);
    let both = ["training.hardware.count", "training.hardware.accelerator"];
    assert_eq!(keys("gpus=64xH100", run), both);
    assert_eq!(keys("training.precision=bf16", run), ["training.precision"]);
}

#[test]
fn words_of_a_service_alone() {
    let traffic = "traffic: {requests: 5/s, input_tokens: {mean: 9}, output_tokens: {mean: 7}}";
    for (typed, wanted) in [
        ("gpus: 4x H100", "hardware: {count: 4, accelerator: H100}"),
        ("gpu: H100\ndevices: 4", "hardware: {accelerator: H100, count: 4}"),
        ("hardware: H100\ntp: 2", "hardware: {accelerator: H100}, parallelism: {tensor: 2}"),
        ("gpu: H100\nnodes: 2\ngpus_per_node: 8", "hardware: {accelerator: H100, count: 16}"),
        ("batch_size: 64\ndtype: FP8", "max_batch: 64, precision: fp8"),
        ("ttft: 500 ms\nengine: vLLM", "slo: {ttft: {p95: 500 ms}}, engine: vllm"),
    ] {
        for load in ["rps: 5\nisl: 9\nosl: 7", "serving: {qps: 5, input_tokens: 9, output: 7}"] {
            check(&format!("{load}\n{typed}"), &format!("inference: {{{traffic}, {wanted}}}"));
        }
    }
    // A run's words stay a run's.
    check(
        "gpus: 4x H100\ntokens: 1T\nserving: {rps: 1}",
        "training: {hardware: {count: 4, accelerator: H100}}\ndata: {tokens: 1T}\n\
         inference: {traffic: {requests: 1/s}}",
    );
}

#[test]
fn a_key_that_is_there_is_never_replaced() {
    let text = "tokens: 1T\ndata: {tokens: 2T}";
    check(text, text);
}

#[test]
fn values_for_sections() {
    check("training: {hardware: 64x H100}", "training: {hardware: {count: 64, accelerator: H100}}");
    check("inference: {hardware: H100}", "inference: {hardware: {accelerator: H100}}");
    check("inference: {slo: {ttft: 500 ms}}", "inference: {slo: {ttft: {p95: 500 ms}}}");
    check("data: 2T", "data: {tokens: 2T}");
    check("training: {efficiency: auto}", "training: {efficiency: auto}");
    check("training: {lora: 16}", "training: {lora: {rank: 16}}");
    check("placement: aws/us-east-1", "placement: {provider: aws, region: us-east-1}");
    check("training: {parallelism: tp8 pp4}", "training: {parallelism: {tensor: 8, pipeline: 4}}");
}

#[test]
fn devices_of_an_assignment() {
    for (assignment, wanted) in [
        ("training.hardware=64xH100", Some(64)),
        ("gpus=8", Some(8)),
        ("training.hardware={accelerator: h100-sxm, count: 16}", Some(16)),
        ("training.hardware=H100", None),
        ("training.precision=fp8", None),
        ("inference.hardware=H100", None),
    ] {
        assert_eq!(told(&[assignment.to_owned()]).devices, wanted, "{assignment}");
    }
    let all = ["training.hardware=64xH100", "placement.provider=aws"].map(str::to_owned);
    let wanted = Told { devices: Some(64), accelerator: Some("H100".to_owned()), placed: true };
    assert_eq!(told(&all), wanted);
}

#[test]
fn what_changes_no_figure_is_left_out() {
    check("training: {lr: 1e-4, optimizer: adamw}", "training: {optimizer: adamw}");
}

#[test]
fn percentiles_and_rates_as_they_are_typed() {
    check("inference: {slo: {TTFT_p95: 0.5s}}", "inference: {slo: {ttft: {p95: 0.5s}}}");
    check(
        "inference: {slo: {ttft_ms: 500, tpot_p99: 40 ms}}",
        "inference: {slo: {ttft: {p95: 500 ms}, tpot: {p99: 40 ms}}}",
    );
    check("inference: {rpm: 600}", "inference: {traffic: {requests: 600/min}}");
    check(
        "inference: {traffic: 1000 requests per minute}",
        "inference: {traffic: {requests: 1000/minute}}",
    );
    check("placement: {zone: us-central1-a}", "placement: {region: us-central1}");
    check("placement: {carbon_intensity: 50 gCO2/kWh}", "placement: {grid: 50 gCO2e/kWh}");
    check(
        "inference: {traffic: {requests: 600 requests per minute}}",
        "inference: {traffic: {requests: 600/minute}}",
    );
    check("training: {recompute: true}", "training: {parallelism: {recompute: full}}");
    check("placement: {region: us_east_1}", "placement: {region: us-east-1}");
    check("placement: {region: EU}", "placement: {region: OWID_EU27}");
    check("training: {deadline: in 30 days}", "training: {deadline: 30 days}");
    check("model: 8 billion", "model: 8B");
    check("inference: {kv_cache: fp8}", "inference: {kv_precision: fp8}");
    check("training: {strategy: FSDP}", "training: {parallelism: {zero: 3}}");
    check("model: {name: gpt2}", "model: gpt2");
}

#[test]
fn words_in_capitals_and_by_other_names() {
    check("placement: {provider: AWS}", "placement: {provider: aws}");
    check("training: {precision: bfloat16}", "training: {precision: bf16}");
    check("inference: {engine: vLLM}", "inference: {engine: vllm}");
    for place in ["{purchase: owned}", "{provider: on-prem, purchase: Owned}", "{provider: own}"] {
        check(&format!("placement: {place}"), "placement: {provider: owned}");
    }
}
