//! How long a batch takes in a network that answers in one pass.
//!
//! ```text
//! T(b) = kernels x latency + b FLOPs / (peak x share)
//!      + (weights + b x passes x activations) / bandwidth
//! ```
//! The share of the peak and the passes are means over the operators of the network, timed by
//! [`crate::kernel::network`]. Weights are read once per batch, but those of tables, of which a request
//! reads some rows.

use super::closed_form::{Batches, Capability};
use super::plan::{Reached, Replica};
use crate::catalog::Accelerator;
use crate::diagnostic::{Error, Result};
use crate::kernel::Device;
use crate::kernel::calibration::Calibration;
use crate::kernel::network::{Setup, Task, Work, half_width};
use crate::model::compress::{Compressed, Target};
use crate::model::input::AttentionCount;
use crate::model::{Layer, Model, Operator, Part};
use crate::provenance::{Basis, Input, Traced};
use crate::quantity::{
    Data, DataPerRequest, Measure as _, Precision, Ratio, Requests, Share, Time, text,
};

/// The share of a device that a compiled network reaches after compression: that of the mean peak of
/// its formats, over the FLOPs that the target runs.
///
/// # Errors
/// The calibration lacks a constant, or the catalog a figure of the device.
pub fn reached(
    served: &Compressed,
    target: &Target,
    accelerator: &Accelerator,
    precision: Precision,
) -> Result<Reached> {
    let calibration = Calibration::shipped()?;
    let device = Device::of(accelerator, served.precision)?;
    let setup = Setup::new(&device, calibration.runtime("compiled"), calibration)?;
    let cost = setup.compressed(served, accelerator)?;
    let (model, element) = (&served.model, precision.size());
    let assumed = |why: &str| Basis::Assumed {
        why: why.to_owned(),
        source: Some(calibration.fitted.clone()),
    };
    let samples = model.input.batch.max(1) as f64;
    let (flops, peak) = served.run(AttentionCount::Causal, target);
    let flops = flops.value / samples;
    let activations: f64 =
        model.layers.iter().map(|layer| layer.activation_data(element).value).sum::<f64>()
            / samples;
    let share = flops / (peak.value * cost.arithmetic.value.max(f64::MIN_POSITIVE));
    let passes = cost.traffic.value * device.bandwidth.value / activations.max(1.0);
    Ok(Reached {
        compute: Input::new(
            "FLOP/s of a pass / peak",
            Share::from_stored(share.min(1.0)),
            assumed("mean over the operators of what their kinds reach"),
        ),
        read: Input::new(
            "weights that a pass reads / all",
            Share::from_stored(read(served, target)),
            Basis::Derived { formula: "all but embeddings that no product shares".to_owned() },
        ),
        passes: Input::new(
            "passes of activations over memory",
            passes,
            assumed("mean over the operators, functions and norms fused with each other"),
        ),
        kernel: Input::new(
            "latency of a kernel",
            Time::from_stored(cost.kernels.value / cost.count.max(1.0)),
            assumed("least time of a kernel"),
        ),
        half_width: half_width(&calibration.intervals, Task::Inference, setup.known).0,
    })
}

/// Weights that a pass reads / all: of a table it reads some rows, which are activations, unless a
/// product shares it (a tied head).
fn read(served: &Compressed, target: &Target) -> f64 {
    let layers = &served.model.layers;
    let table = |layer: &Layer| matches!(layer.operator, Operator::Embedding(_));
    let shared = |table: &Layer| {
        let parameters = table.operator.parameters();
        let tied = |it: &Layer| it.weight_copies == 0 && it.operator.parameters() == parameters;
        layers.iter().any(tied)
    };
    let takes = served.takes(AttentionCount::Causal, Some(target));
    let (mut tables, mut all) = (0.0, 0.0);
    for (layer, take) in layers.iter().zip(&takes) {
        all += take.weights.value;
        tables += if table(layer) && !shared(layer) { take.weights.value } else { 0.0 };
    }
    if all > 0.0 { 1.0 - tables / all } else { 1.0 }
}

/// Time of a model's towers for images and sound on one device, for one request, in the 16 bits that
/// their weights have; none where a request has neither.
///
/// # Errors
/// As [`reached`].
pub fn beside(model: &Model, accelerator: &Accelerator, precision: Precision) -> Result<Time> {
    let runs = |layer: &&Layer| layer.part == Part::Beside && layer.count > 0;
    let layers: Vec<Layer> = model.layers.iter().filter(runs).cloned().collect();
    if layers.is_empty() {
        return Ok(Time::default());
    }
    let sixteen = [Precision::Bf16, Precision::Fp16];
    let format = sixteen.into_iter().find(|it| accelerator.peak(*it).is_ok()).unwrap_or(precision);
    let calibration = Calibration::shipped()?;
    let device = Device::of(accelerator, format)?;
    let setup = Setup::new(&device, calibration.runtime("compiled"), calibration)?;
    let work = Work::of(&Model { layers, ..model.clone() }, format.size(), Task::Inference);
    Ok(setup.cost(&work, &device).time(1.0))
}

/// The work of one pass of a network on any devices.
#[derive(Clone, Debug)]
pub struct Pass<'a> {
    replica: &'a Replica,
    reached: &'a Reached,
    /// Operators, for each of which a kernel is launched.
    kernels: f64,
    /// Activations that all operators of a request read and write.
    activations: f64,
    /// The largest activations of a request in one operator.
    largest: f64,
}

impl<'a> Pass<'a> {
    /// The operators of a model that is counted for one request or more, whose activations take
    /// `activation` each, on a replica.
    ///
    /// # Errors
    /// The replica is one that generates tokens.
    pub fn of(model: &Model, activation: Data, replica: &'a Replica) -> Result<Self> {
        let reached = replica
            .reached
            .as_ref()
            .ok_or_else(|| Error::input("an engine that generates tokens has no single pass"))?;
        let requests = model.input.batch.max(1) as f64;
        let (mut activations, mut kernels, mut largest) = (0.0, 0.0, 0.0_f64);
        for layer in model.layers.iter().filter(|layer| layer.count > 0) {
            let moved = layer.activation_data(activation).value / requests;
            activations += moved;
            largest = largest.max(moved / layer.count as f64);
            kernels += if moved > 0.0 { layer.count as f64 } else { 0.0 };
        }
        Ok(Self { replica, reached, kernels, activations, largest })
    }

    /// Memory of all devices for weights and activations.
    fn usable(&self) -> f64 {
        let replica = self.replica;
        let memory = replica.memory.value.value * replica.memory_share.value.get();
        (memory - replica.reserve.value.value) * replica.devices.value.value
    }

    /// How long batches of 1, 2, ... requests take on a replica, up to the largest that it may
    /// batch and that its memory holds beside the weights.
    ///
    /// # Errors
    /// If weights and the largest activations of a single request exceed the memory.
    pub fn times(&self) -> Result<Vec<Time>> {
        let Self { replica, reached, .. } = self;
        let devices = replica.devices.value.value;
        let bandwidth = replica.bandwidth.value.value * devices;
        let rate = replica.peak.value.value * reached.compute.value.get() * devices;
        let each = replica.prefill.value.value / rate
            + reached.passes.value * self.activations / bandwidth;
        let read = replica.weights.value.value * reached.read.value.get();
        let once = self.kernels * reached.kernel.value.value + read / bandwidth;
        let most = replica.max_batch.value.min(self.fitting()?) as u32;
        Ok((1..=most.max(1)).map(|b| Time::from_stored(once + f64::from(b) * each)).collect())
    }

    /// Requests whose activations fit beside the weights.
    fn fitting(&self) -> Result<f64> {
        let (replica, usable) = (self.replica, self.usable());
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

    /// Time of a batch: its arithmetic, its traffic, its kernels.
    fn time(&self, batch: &Traced<Requests>) -> Traced<Time> {
        let Self { replica, reached, .. } = self;
        let weights = replica.weights.trace();
        let counted = || "counted over the operators".to_owned();
        let activations = weights.beside(DataPerRequest::from_stored(self.activations), || {
            ("activations of a request, in and out of every operator".to_owned(), counted())
        });
        let kernels = weights.beside::<f64>(self.kernels, || ("kernels".to_owned(), counted()));
        let devices = replica.devices.trace();
        let rate = replica.peak.trace() * reached.compute.trace() * &devices;
        let reading = replica.bandwidth.trace() * &devices;
        let computed = batch * replica.prefill.trace() / rate;
        let read = weights * reached.read.trace();
        let moved = (read + batch * (activations * reached.passes.trace())) / reading;
        let launched = reached.kernel.trace() * kernels;
        Traced::total([
            computed.named("arithmetic"),
            moved.named("weights and activations passing over memory"),
            launched.named("least times of kernels"),
        ])
    }
}
