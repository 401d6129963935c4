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
use super::closed_form::{Batches, Capability};
use super::plan::{Reached, Replica};
use crate::diagnostic::{Error, Result};
use crate::model::Model;
use crate::model::input::AttentionCount;
use crate::model::roofline::moved;
use crate::provenance::{Basis, Input, Traced};
use crate::quantity::{
    Data, DataPerRequest, DeviceFlopRate, Measure as _, Ratio, Requests, Share, Time, text,
};

/// Products of a decoder layer (query, key, value, attention, output, gate, up, down): what the
/// fitted latency of a layer covers.
const PRODUCTS_OF_A_LAYER: f64 = 8.0;

/// What a network reaches of a device with this peak, and with that one at 16 bits: the shares that
/// the dense products of language models reach under a calibration.
///
/// # Errors
/// The calibration lacks a constant.
pub fn reached(
    calibration: &Calibration,
    peak: DeviceFlopRate,
    peak16: DeviceFlopRate,
) -> Result<Reached> {
    let constant = |name: &str| calibration.constants.value(name);
    let assumed = |why: &str| Basis::Assumed {
        why: why.to_owned(),
        source: Some(calibration.fitted.clone()),
    };
    // Lower precision reaches a smaller share of its peak, a wider one the same.
    let narrower = (peak.value / peak16.value).max(1.0).powf(constant("low_precision")? - 1.0);
    let share = |name: &str, value: f64, why: &str| {
        Input::new(name, Share::from_stored(value.min(1.0)), assumed(why))
    };
    Ok(Reached {
        compute: share(
            "FLOP/s of a pass / peak",
            constant("flops")? * narrower,
            "what dense products of language models reach",
        ),
        bandwidth: share(
            "bytes/s of a pass / bandwidth",
            constant("weights")?,
            "what reading the weights of language models reaches",
        ),
        kernel: Input::new(
            "latency of a kernel",
            Time::from_stored(1e-6 * constant("layer_us")? / PRODUCTS_OF_A_LAYER),
            assumed("latency of a layer of language models / its 8 products"),
        ),
    })
}

/// What one pass of a network asks of any devices.
#[derive(Clone, Debug)]
pub struct Pass<'a> {
    replica: &'a Replica,
    reached: &'a Reached,
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

/// What a replica's devices do, in stored units.
struct Reach {
    rate: f64,
    bandwidth: f64,
    usable: f64,
}

impl<'a> Pass<'a> {
    /// The layers with products of a model that is counted for one request or more, whose
    /// activations take `activation` each, on a replica.
    ///
    /// # Errors
    /// The replica is one that generates tokens.
    pub fn of(model: &Model, activation: Data, replica: &'a Replica) -> Result<Self> {
        let reached = replica
            .reached
            .as_ref()
            .ok_or_else(|| Error::input("an engine that generates tokens has no single pass"))?;
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
        Ok(Self { replica, reached, kernels, layers, largest })
    }

    fn reach(&self) -> Reach {
        let Self { replica, reached, .. } = self;
        let devices = replica.devices.value.value;
        let memory = replica.memory.value.value * replica.memory_share.value.get();
        Reach {
            rate: replica.peak.value.value * reached.compute.value.get() * devices,
            bandwidth: replica.bandwidth.value.value * reached.bandwidth.value.get() * devices,
            usable: (memory - replica.reserve.value.value) * devices,
        }
    }

    /// How long batches of 1, 2, ... requests take on a replica, up to the largest that it may
    /// batch and that its memory holds beside the weights.
    ///
    /// # Errors
    /// Where weights and the largest activations of a single request exceed the memory.
    pub fn times(&self) -> Result<Vec<Time>> {
        let Self { replica, reached, .. } = self;
        let Reach { rate, bandwidth, .. } = self.reach();
        let most = replica.max_batch.value.min(self.fitting()?) as u32;
        let (prefill, weights) = (replica.prefill.value.value, replica.weights.value.value);
        let time = |batch: u32| {
            let batch = f64::from(batch);
            let each = |it: &Work| {
                let compute = batch * prefill * it.flops / rate;
                compute.max((weights * it.weights + batch * it.activations) / bandwidth)
            };
            let layers = self.layers.iter().map(each).sum::<f64>();
            Time::from_stored(self.kernels * reached.kernel.value.value + layers)
        };
        Ok((1..=most.max(1)).map(time).collect())
    }

    /// Requests whose activations fit beside the weights.
    fn fitting(&self) -> Result<f64> {
        let (replica, usable) = (self.replica, self.reach().usable);
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
        Ok(fitting)
    }

    /// Capacity and highest rate of a replica: the largest batch / the time that it takes. A batch waits
    /// for more requests up to `max_wait`.
    ///
    /// # Errors
    /// As [`Pass::times`].
    pub fn capability(&self, max_wait: Option<&Input<Time>>) -> Result<Capability> {
        self.fitting()?;
        let replica = self.replica;
        let weights = replica.weights.trace();
        let largest = weights.beside(DataPerRequest::from_stored(self.largest.max(1.0)), || {
            ("largest activations".to_owned(), "of a request, between two products".to_owned())
        });
        let memory =
            replica.memory.trace() * replica.memory_share.trace() - replica.reserve.trace();
        let usable = (memory * replica.devices.trace()).named("usable memory");
        let request = || Traced::constant(Requests::from_stored(1.0));
        let limit = replica.max_batch.trace() * request();
        let most = ((usable - &weights) / largest).min(&limit).floor();
        let most = most.named("requests of a full batch");
        let full = self.time(&most).named("time of a full batch");
        let max_rate = (&most / &full).named("inference.replica.max_rate_per_s");
        let concurrency: Traced<Ratio> = &most / request();
        Ok(Capability::in_one_pass(
            Batches { alone: self.time(&request()).named("time of one request"), full, most },
            max_wait.map_or(Traced::constant(Time::from_stored(0.0)), Input::trace),
            concurrency.named("inference.replica.max_concurrency"),
            max_rate,
        ))
    }

    /// Time of a batch: the layers that products bound, those that memory bounds, the kernels.
    fn time(&self, batch: &Traced<Requests>) -> Traced<Time> {
        let Self { replica, reached, .. } = self;
        let Reach { rate, bandwidth, .. } = self.reach();
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
        let told = replica.weights.trace();
        let part = |name: &str, value: f64| {
            told.beside::<f64>(value, || {
                (name.to_owned(), "counted over the layers, at this batch".to_owned())
            })
        };
        let devices = replica.devices.trace();
        let compute = replica.peak.trace() * reached.compute.trace() * &devices;
        let reading = replica.bandwidth.trace() * reached.bandwidth.trace() * &devices;
        let activations = told.beside(DataPerRequest::from_stored(bound.activations), || {
            let how = "of a request, counted over the layers, at this batch";
            ("activations in layers bound by memory".to_owned(), how.to_owned())
        });
        let products = part("part of the FLOPs in layers bound by compute", bound.flops);
        let read = part("part of the weights in layers bound by memory", bound.weights);
        let computed = batch * replica.prefill.trace() * products / compute;
        let moved = (&told * read + batch * activations) / reading;
        let launched = reached.kernel.trace() * part("kernels", self.kernels);
        Traced::total([
            computed.named("layers bound by compute"),
            moved.named("layers bound by memory"),
            launched.named("launches of kernels"),
        ])
    }
}
