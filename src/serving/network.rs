//! How long a batch takes in a network that answers in one pass.
//!
//! ```text
//! T(b) = sum over the layers with products of
//!        kernel + max(b FLOPs / rate, (weights + b activations) / bandwidth)
//! ```
//! with the rate and the bandwidth that a replica's devices reach. Weights are read once per batch.
//! Norms, activation functions and residual sums are taken to be fused with the product before
//! them, as compiled networks have them.

use crate::diagnostic::{Error, Result};
use crate::model::Model;
use crate::model::input::AttentionCount;
use crate::model::roofline::moved;
use crate::quantity::{Data, Measure as _, Time, text};
use crate::scenario::plan::Replica;

/// Products of a decoder layer (query, key, value, attention, output, gate, up, down): what the
/// fitted latency of a layer covers.
pub const PRODUCTS_OF_A_LAYER: f64 = 8.0;

/// How long batches of 1, 2, ... requests take on a replica, up to the largest that it may batch
/// and that its memory holds beside the weights. `model` is counted for one request or more, whose
/// activations take `activation` each; `kernel` is the latency of one product.
///
/// # Errors
/// Where weights and the largest activations of a single request exceed the memory.
pub fn batch_times(
    model: &Model,
    replica: &Replica,
    activation: Data,
    kernel: Time,
) -> Result<Vec<Time>> {
    let devices = replica.devices.value.value;
    let usable = replica.memory.value.value * replica.usable_memory.value.get() * devices;
    let bandwidth =
        replica.bandwidth.value.value * replica.bandwidth_efficiency.value.get() * devices;
    let rate = replica.peak.value.value * replica.compute_efficiency.value.get() * devices;
    let prefill = replica.prefill.value.value / rate;

    let requests = model.input.batch.max(1) as f64;
    let products = model.forward(AttentionCount::Causal).matmul.value;
    let weight = replica.weights.value / (model.parameters().total.max(1) as f64);
    let none = Data::from_stored(0.0);
    let mut layers = Vec::new();
    let mut kernels = 0.0;
    let mut largest = 0.0_f64;
    for layer in &model.layers {
        let flops = layer.forward(AttentionCount::Causal).matmul.value;
        if flops <= 0.0 {
            continue;
        }
        let activations = layer.activation_data(activation).value / requests;
        kernels += layer.count as f64;
        largest = largest.max(activations / layer.count as f64);
        layers.push((
            prefill * flops / products,
            moved(layer, weight, none).value / bandwidth,
            activations / bandwidth,
        ));
    }
    let fitting = (usable - replica.weights.value.value) / largest.max(1.0);
    if fitting < 1.0 {
        return Err(Error::limit(format!(
            "the model does not fit: weights of {} and {} of activations exceed the {} that {} offer",
            text::show(replica.weights.value),
            text::show(Data::from_stored(largest)),
            text::show(Data::from_stored(usable)),
            text::show(replica.devices.value),
        ))
        .hint("choose a narrower precision or a larger device"));
    }
    let most = replica.max_batch.value.min(fitting) as u32;
    let time = |batch: u32| {
        let batch = f64::from(batch);
        let each = |&(compute, weights, activations): &(f64, f64, f64)| {
            (batch * compute).max(weights + batch * activations)
        };
        Time::from_stored(kernels * kernel.value + layers.iter().map(each).sum::<f64>())
    };
    Ok((1..=most.max(1)).map(time).collect())
}
