//! How a replica may be spread over devices.

use crate::common::library::{Way, asked, refuses};
use crate::common::{close, number};

const DENSE: &str = "scenarios/llama-3-70b-serving.yaml";

fn replica(model: &str, parallelism: &str, figure: &str) -> f64 {
    let model = format!("model={model}");
    let parallelism = format!("inference.parallelism={parallelism}");
    let sets = [&model, &parallelism, "inference.hardware.accelerator=h200-sxm"];
    number(&asked(Way::Estimate, DENSE, &sets), &format!("inference.{figure}"))
}

#[test]
fn degrees_multiply_and_a_pipeline_delays_tokens() {
    for (model, degrees, devices) in [
        ("llama-3-70b", "{tensor: 4}", 4.0),
        ("llama-3-70b", "{tensor: 2, pipeline: 2}", 4.0),
        ("deepseek-v3", "{tensor: 4, data: 4}", 16.0),
    ] {
        close(degrees, replica(model, degrees, "replica.devices"), devices, 1e-12);
    }
    // Of a replica with little to do the weights bound the step, and each stage reads its own.
    let tpot = |it| {
        let parallelism = format!("inference.parallelism={it}");
        let few = "inference.traffic.requests=1000/day";
        let sets = [&parallelism, few, "inference.hardware.accelerator=h200-sxm"];
        number(&asked(Way::Estimate, DENSE, &sets), "inference.tpot_ms.mean")
    };
    assert!(tpot("{tensor: 2, pipeline: 2}") > 1.3 * tpot("{tensor: 4}"));
}

#[test]
fn a_latent_cache_is_whole_on_every_tensor_parallel_rank() {
    // Data-parallel ranks hold the caches of their own sequences, and each the weights of attention.
    let room = |it| replica("deepseek-v3", it, "replica.kv_capacity_tokens");
    assert!(room("{tensor: 1, data: 16}") > 8.0 * room("{tensor: 16}"));
}

#[test]
fn degrees_that_cannot_be_are_refused_where_they_stand() {
    for (model, degrees, part) in [
        ("llama-3-70b", "{tensor: 0}", "from 1 to 4096"),
        ("llama-3-70b", "{tensor: 5000}", "from 1 to 4096"),
        ("llama-3-70b", "{tensor: 2, data: 2}", "each copy is a replica of its own"),
        ("llama-3-70b", "{tensor: 2, expert: 2}", "has no experts"),
        ("llama-3-70b", "{pipeline: 81}", "has 80 layers"),
        ("deepseek-v3", "{tensor: 8, expert: 4}", "over all tensor x data = 8"),
    ] {
        let sets = [format!("model={model}"), format!("inference.parallelism={degrees}")];
        refuses(Way::Estimate, DENSE, &sets.each_ref().map(String::as_str), 2, part);
    }
}
