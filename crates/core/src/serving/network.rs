//! How long a batch takes in a network that answers in one pass.
//!
//! ```text
//! T(b) = sum over the layers with products of
//!        kernel + max(b FLOPs / rate, (weights + b activations) / bandwidth)
//! ```
//! with the rate and the bandwidth that a replica's devices reach. Weights are read once per batch.
//! Norms, activation functions and residual sums are taken to be fused with the product before
//! them, as compiled networks have them.

use super::calibration::Calibration;
use super::closed_form::{Batches, Capability, DoesNotFit};
use crate::diagnostic::{Error, Result};
use crate::model::Model;
use crate::model::input::AttentionCount;
use crate::model::roofline::moved;
use crate::provenance::{Basis, Input, Traced, function};
use crate::quantity::{Data, DataPerRequest, Measure as _, Ratio, Requests, Time, text};
use crate::serving::plan::Replica;

/// Products of a decoder layer (query, key, value, attention, output, gate, up, down): what the
/// fitted latency of a layer covers.
const PRODUCTS_OF_A_LAYER: f64 = 8.0;

/// The latency of one product under a calibration.
///
/// # Errors
/// The calibration has no latency of a layer.
pub fn kernel(calibration: &Calibration) -> Result<Input<Time>> {
    let layer = calibration
        .constants
        .get("layer_us")
        .ok_or_else(|| Error::input("the serving calibration has no constant `layer_us`"))?;
    let why = "latency of a layer of language models / its 8 products".to_owned();
    let basis = Basis::Assumed { why, source: Some(calibration.fitted.clone()) };
    let seconds = 1e-6 * layer.value / PRODUCTS_OF_A_LAYER;
    Ok(Input::new("latency of a kernel", Time::from_stored(seconds), basis))
}

/// What one pass of a network asks of any devices.
#[derive(Clone, Debug)]
pub struct Pass<'a> {
    kernel: &'a Input<Time>,
    /// Products, for each of which a kernel is launched.
    kernels: f64,
    layers: Vec<Work>,
    /// The largest activations of a request between two products.
    largest: f64,
}

/// A layer's part of a pass.
#[derive(Clone, Copy, Debug)]
struct Work {
    /// Part of all FLOPs.
    flops: f64,
    /// Part of all weights.
    weights: f64,
    /// Bytes of activations of one request.
    activations: f64,
}

/// What a replica's devices reach, in stored units.
struct Reach {
    rate: f64,
    bandwidth: f64,
    usable: f64,
}

impl<'a> Pass<'a> {
    /// The layers with products of a model that is counted for one request or more, whose
    /// activations take `activation` each.
    pub fn of(model: &Model, activation: Data, kernel: &'a Input<Time>) -> Self {
        let requests = model.input.batch.max(1) as f64;
        let products = model.forward(AttentionCount::Causal).matmul.value;
        let weight = Data::from_stored(1.0 / model.parameters().total.max(1) as f64);
        let none = Data::from_stored(0.0);
        let (mut layers, mut kernels, mut largest) = (Vec::new(), 0.0, 0.0_f64);
        for layer in &model.layers {
            let flops = layer.forward(AttentionCount::Causal).matmul.value;
            if flops <= 0.0 {
                continue;
            }
            let activations = layer.activation_data(activation).value / requests;
            kernels += layer.count as f64;
            largest = largest.max(activations / layer.count as f64);
            layers.push(Work {
                flops: flops / products,
                weights: moved(layer, weight, none).value,
                activations,
            });
        }
        Self { kernel, kernels, layers, largest }
    }

    fn reach(replica: &Replica) -> Reach {
        let devices = replica.devices.value.value;
        Reach {
            rate: replica.peak.value.value * replica.compute_efficiency.value.get() * devices,
            bandwidth: replica.bandwidth.value.value
                * replica.bandwidth_efficiency.value.get()
                * devices,
            usable: replica.memory.value.value * replica.usable_memory.value.get() * devices,
        }
    }

    /// How long batches of 1, 2, ... requests take on a replica, up to the largest that it may
    /// batch and that its memory holds beside the weights.
    ///
    /// # Errors
    /// Where weights and the largest activations of a single request exceed the memory.
    pub fn times(&self, replica: &Replica) -> Result<Vec<Time>> {
        let Reach { rate, bandwidth, usable } = Self::reach(replica);
        let fitting = (usable - replica.weights.value.value) / self.largest.max(1.0);
        if fitting < 1.0 {
            return Err(Error::limit(format!(
                "the model does not fit: weights of {} and {} of activations exceed the {} that {} \
                 offer",
                text::show(replica.weights.value),
                text::show(Data::from_stored(self.largest)),
                text::show(Data::from_stored(usable)),
                text::show(replica.devices.value),
            ))
            .hint("choose a narrower precision or a larger device"));
        }
        let most = replica.max_batch.value.min(fitting) as u32;
        let (prefill, weights) = (replica.prefill.value.value, replica.weights.value.value);
        let time = |batch: u32| {
            let batch = f64::from(batch);
            let each = |it: &Work| {
                let compute = batch * prefill * it.flops / rate;
                compute.max((weights * it.weights + batch * it.activations) / bandwidth)
            };
            let layers = self.layers.iter().map(each).sum::<f64>();
            Time::from_stored(self.kernels * self.kernel.value.value + layers)
        };
        Ok((1..=most.max(1)).map(time).collect())
    }

    /// Capacity and highest rate of a replica: the largest batch / the time that it takes.
    ///
    /// # Errors
    /// [`DoesNotFit`] as [`Pass::times`].
    pub fn capability(&self, replica: &Replica, explain: bool) -> Result<Capability, DoesNotFit> {
        let counted = |name: &str, value: f64, how: &str| {
            Traced::<DataPerRequest>::counted(
                name,
                DataPerRequest::from_stored(value),
                how,
                explain,
            )
        };
        let largest = counted(
            "largest activations",
            self.largest.max(1.0),
            "of a request, between two products",
        );
        let usable: Traced<Data> = &(&replica.memory.traced(explain)
            * &replica.usable_memory.traced(explain))
            * &replica.devices.traced(explain);
        let usable = usable.named("usable memory");
        let weights = replica.weights.traced(explain);
        let limit = replica.max_batch.traced(explain);
        let most: Traced<Requests> = function(
            "min(largest batch, (usable memory - weights) / activations), whole",
            &[limit.part(), usable.part(), weights.part(), largest.part()],
            |v| v[0].min((v[1] - v[2]) / v[3]).floor(),
        );
        let most = most.named("requests of a full batch");
        if most.value().value < 1.0 {
            return Err(DoesNotFit {
                weights: weights.value(),
                usable: usable.value(),
                devices: replica.devices.value,
            });
        }
        let one = Traced::counted("one request", Requests::from_stored(1.0), "alone", explain);
        let full = self.time(replica, &most, explain).named("time of a full batch");
        let max_rate = (&most / &full).named("inference.replica.max_rate_per_s");
        let concurrency: Traced<Ratio> = most.map("requests of a full batch", |v| v[0]);
        Ok(Capability::in_one_pass(
            Batches {
                alone: self.time(replica, &one, explain).named("time of one request"),
                full,
                most,
            },
            concurrency.named("inference.replica.max_concurrency"),
            max_rate,
        ))
    }

    /// Time of a batch: the layers that products bound, those that memory bounds, the kernels.
    fn time(&self, replica: &Replica, batch: &Traced<Requests>, explain: bool) -> Traced<Time> {
        let Reach { rate, bandwidth, .. } = Self::reach(replica);
        let count = batch.value().value;
        let (prefill, weights) = (replica.prefill.value.value, replica.weights.value.value);
        let mut bound = Work { flops: 0.0, weights: 0.0, activations: 0.0 };
        for it in &self.layers {
            let compute = count * prefill * it.flops / rate;
            if compute >= (weights * it.weights + count * it.activations) / bandwidth {
                bound.flops += it.flops;
            } else {
                bound.weights += it.weights;
                bound.activations += it.activations;
            }
        }
        let part = |name: &str, value: f64| {
            let how = "counted over the layers, at this batch";
            Traced::<Ratio>::counted(name, Ratio::from_stored(value), how, explain)
        };
        let devices = replica.devices.traced(explain);
        let compute = &(&replica.peak.traced(explain)
            * &replica.compute_efficiency.traced(explain))
            * &devices;
        let reading = &(&replica.bandwidth.traced(explain)
            * &replica.bandwidth_efficiency.traced(explain))
            * &devices;
        let products = part("part of the FLOPs in layers bound by compute", bound.flops);
        let read = part("part of the weights in layers bound by memory", bound.weights);
        let activations: Traced<DataPerRequest> = Traced::counted(
            "activations in layers bound by memory",
            DataPerRequest::from_stored(bound.activations),
            "of a request, counted over the layers, at this batch",
            explain,
        );
        let computed = &(&(batch * &replica.prefill.traced(explain)) * &products) / &compute;
        let bytes = &(&replica.weights.traced(explain) * &read) + &(batch * &activations);
        let moved = &bytes / &reading;
        let launched = &self.kernel.traced(explain) * &part("kernels", self.kernels);
        &(&computed + &moved) + &launched
    }
}
