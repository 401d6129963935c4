//! The time of a network, operator by operator.
//!
//! ```text
//! T(n) = sum over operators of  n FLOPs / (peak share) + passes n bytes / bandwidth
//!                              + weights / bandwidth + kernel
//! ```
//! The share of the peak is that of the kind: dense products and convolutions, grouped ones by the
//! channels of a group, depthwise ones on the vector units. Functions and norms are passes over
//! memory, fewer where a compiler fuses them. A sum, not a maximum: within a kernel arithmetic and
//! traffic of different tiles overlap little, and between kernels not at all. Training adds the
//! backward pass by operator and the update of the weights.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use super::calibration::{Calibration, General, Own, Runtime};
use super::{Device, UPDATE_BYTES};
use crate::calibration::Intervals;
use crate::catalog::Accelerator;
use crate::diagnostic::Result;
use crate::model::compress::{Compressed, Form, Format};
use crate::model::operator::{NormKind, Operator};
use crate::model::{AttentionCount, Layer, Model};
use crate::quantity::system::data::byte;
use crate::quantity::{Data, Measure as _, Precision, Time};

/// The task of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// A forward pass.
    Inference,
    /// Forward, backward, update of the weights.
    Training,
}

/// Constants resolved for a device and a runtime.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    general: General,
    own: Option<Own>,
    runtime: Runtime,
    /// The relation of this device to those that the constants were fitted to.
    pub known: Known,
}

/// The knowledge that the fit has of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Networks were measured on it.
    Measured,
    /// Networks were measured on others of its kind.
    Kin,
    /// On none of its kind.
    Foreign,
}

/// The work of a network on any device: its operators, summed by kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    task: Task,
    /// Samples that it is counted for.
    samples: f64,
    parts: BTreeMap<Kind, Part>,
    /// Parameters that the optimizer updates.
    updated: f64,
}

/// Sums over the operators of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Part {
    /// FLOPs of products, forward.
    forward: f64,
    /// The same backward; none in inference.
    backward: f64,
    /// Bytes of activations, read and written.
    activations: f64,
    /// Bytes of the weights of products.
    weights: f64,
    /// Operators run.
    count: f64,
}

impl Work {
    /// Counts a model, whose activations and weights take `element` each, for the samples that it
    /// is built for.
    pub fn of(model: &Model, element: Data, task: Task) -> Self {
        let samples = model.input.batch.max(1);
        let mut work = Self { task, samples: samples as f64, parts: BTreeMap::new(), updated: 0.0 };
        let training = task == Task::Training;
        for layer in model.layers.iter().filter(|layer| layer.count > 0) {
            let kind = Kind::of(layer, samples);
            if training && layer.trained {
                work.updated += layer.parameters() as f64;
            }
            if kind == Kind::Nothing {
                continue;
            }
            let part = work.parts.entry(kind).or_default();
            part.forward += layer.forward(AttentionCount::Causal).matmul.value;
            if training {
                part.backward += layer.backward(AttentionCount::Causal).matmul.value;
            }
            part.activations += layer.activation_data(element).value;
            if matches!(kind, Kind::Dense | Kind::Convolution | Kind::Grouped(_)) {
                part.weights += layer.weight_data(element).value;
            }
            part.count += layer.count as f64;
        }
        work
    }

    /// The same with other weights: products of `products` as many FLOPs, and bytes of weights
    /// `weights` times as many.
    #[must_use]
    pub fn with_weights(mut self, products: f64, weights: f64) -> Self {
        for part in self.parts.values_mut() {
            part.forward *= products;
            part.backward *= products;
            part.weights *= weights;
        }
        self
    }
}

/// The time of a network: linear in the samples of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Arithmetic of one sample.
    pub arithmetic: Time,
    /// Activations of one sample passing over memory.
    pub traffic: Time,
    /// Weights passing over memory, once a batch.
    pub weights: Time,
    /// Least times of the kernels, once a batch.
    pub kernels: Time,
    /// Operators run.
    pub count: f64,
}

impl Cost {
    /// Time of a batch of `samples`.
    pub fn time(&self, samples: f64) -> Time {
        (self.arithmetic + self.traffic) * samples + self.weights + self.kernels
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.arithmetic += other.arithmetic;
        self.traffic += other.traffic;
        self.weights += other.weights;
        self.kernels += other.kernels;
        self.count += other.count;
    }
}

/// What a device makes of products with weights in a form.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Run {
    /// The format in which the device multiplies.
    pub products: Precision,
    /// Part of the FLOPs that it runs.
    pub kept: f64,
    /// Bytes of a weight / those of a number of that format.
    pub weights: f64,
}

impl Run {
    /// Weights in a form, in a model whose plain format is `precision`: a device that skips zeros runs
    /// half of the products of the 2:4 pattern and stores `(w + 1/4) / 2` bytes per weight of `w`.
    ///
    /// # Errors
    /// The device has no peak of the format.
    pub fn of(form: Form, accelerator: &Accelerator, precision: Precision) -> Result<Self> {
        let products = form.format.and_then(Format::products).unwrap_or(precision);
        let products = accelerator.products(products)?;
        let dense = form.format.map_or(precision.size(), Format::weight);
        let skips = form.sparse && accelerator.sparsity == "2:4";
        let (kept, stored) =
            if skips { (0.5, (dense + Data::new::<byte>(0.25)) * 0.5) } else { (1.0, dense) };
        Ok(Self { products, kept, weights: stored.value / products.size().value })
    }
}

/// Keys up to which the sequences go that `attention` is fitted to.
const SHORT: f64 = 512.0;

impl Setup {
    /// The constants for a device and a runtime.
    ///
    /// # Errors
    /// The calibration lacks a constant.
    pub fn new(device: &Device, runtime: Runtime, calibration: &Calibration) -> Result<Self> {
        let family = calibration.family(&device.architecture)?;
        let measured = calibration.facts.measured.contains(&device.name);
        let known = match family {
            _ if measured => Known::Measured,
            Some((_, false)) => Known::Foreign,
            _ => Known::Kin,
        };
        // A compiler schedules whole programs of these devices.
        let compiled = runtime.compiled || family.is_some();
        Ok(Self {
            general: calibration.general()?,
            own: family.map(|(own, _)| own),
            runtime: Runtime { compiled, ..runtime },
            known,
        })
    }

    /// The runtime, as the device allows it.
    pub fn runtime(&self) -> Runtime {
        self.runtime
    }

    /// Times of a network's work on a device.
    pub fn cost(&self, work: &Work, device: &Device) -> Cost {
        let (samples, bandwidth) = (work.samples, device.bandwidth.value);
        let mut cost = Cost::default();
        for (kind, it) in &work.parts {
            let one = self.part(*kind, it, work.task, device);
            cost.arithmetic += one.arithmetic / samples;
            cost.traffic += one.traffic / samples;
            cost.weights += one.weights;
            cost.kernels += one.kernels;
            cost.count += one.count;
        }
        cost.weights += Time::from_stored(UPDATE_BYTES * work.updated / bandwidth);
        cost
    }

    /// Times of a forward pass of a model after compression: the layers of each form by the peak of
    /// its products, the bytes of its weights and of its activations.
    ///
    /// # Errors
    /// As [`Run::of`] and [`Device::of`].
    pub fn compressed(&self, model: &Compressed, accelerator: &Accelerator) -> Result<Cost> {
        let mut cost = Cost::default();
        let precision = model.precision;
        for (form, model) in model.by_form() {
            let run = Run::of(form, accelerator, precision)?;
            let device = Device::of(accelerator, run.products)?;
            let work = Work::of(&model, run.products.size(), Task::Inference);
            cost += self.cost(&work.with_weights(run.kept, run.weights), &device);
        }
        Ok(cost)
    }

    /// Time of the operators of one kind.
    fn part(&self, kind: Kind, it: &Part, task: Task, device: &Device) -> Cost {
        let (general, bandwidth) = (&self.general, device.bandwidth.value);
        let training = task == Task::Training;
        let (rate, backward) = self.rates(kind, device);
        // Backward, a product reads what it read and writes its gradients: two passes for one.
        let again = match kind {
            _ if !training => 0.0,
            Kind::Function | Kind::LayerNorm => general.backward_passes,
            _ => 2.0,
        };
        let own = self.own.map_or(general.kernel, |own| own.kernel);
        let times = if training { 3.0 } else { 1.0 };
        let passes = self.passes(kind) * (1.0 + again);
        Cost {
            arithmetic: Time::from_stored(it.forward / rate + it.backward / (rate * backward)),
            traffic: Time::from_stored(it.activations * passes / bandwidth),
            weights: Time::from_stored(it.weights * times / bandwidth),
            kernels: Time::from_stored(it.count * own * times),
            count: it.count,
        }
    }

    /// FLOP/s of a kind of product, and how many times that its backward pass reaches.
    fn rates(&self, kind: Kind, device: &Device) -> (f64, f64) {
        let general = &self.general;
        let peak = device.peak.value;
        let share = general.product_share
            * (device.width() / 2.0).powf(-general.width_exponent)
            * self.own.map_or(1.0, |own| own.share);
        let products = general.backward_products;
        match kind {
            Kind::Dense | Kind::Function | Kind::LayerNorm | Kind::Nothing => {
                (peak * share, products)
            }
            Kind::Convolution => (peak * share * general.convolution, products),
            Kind::Grouped(channels) => {
                let part = (channels as f64 / general.full_group).powf(general.group_exponent);
                let rate = peak * share * general.convolution * part.min(1.0);
                (rate, products * general.backward_groups)
            }
            Kind::Depthwise => {
                (device.vector.value * general.depthwise, general.backward_depthwise)
            }
            // Softmax and edges of tiles are what longer sequences hide.
            Kind::Attention { keys, .. } => {
                let shown = (SHORT / keys.max(1) as f64).min(1.0);
                (peak * share / (1.0 + (general.attention - 1.0) * shown), 1.0)
            }
        }
    }

    /// Passes over memory of an operator's activations, forward.
    fn passes(&self, kind: Kind) -> f64 {
        let general = &self.general;
        let Runtime { compiled, channels_last } = self.runtime;
        let layout = if compiled || channels_last { 0.0 } else { general.layout_passes };
        match kind {
            Kind::Nothing => 0.0,
            Kind::Dense | Kind::Depthwise => general.product_passes,
            Kind::Convolution | Kind::Grouped(_) => general.product_passes + layout,
            Kind::Attention { windowed: true, .. } => general.window_passes,
            Kind::Attention { windowed: false, .. } => 1.0,
            Kind::Function | Kind::LayerNorm if compiled => general.fused_passes,
            Kind::Function => general.passes,
            Kind::LayerNorm => general.passes * general.layer_norm,
        }
    }

    /// Loss of speed where several devices share a step.
    pub fn several_devices(&self) -> f64 {
        self.general.several_devices
    }
}

/// Half-width of the 80 % interval of ln(measured / predicted), with the reason where it is wider
/// than usual.
pub fn half_width(intervals: &Intervals, task: Task, known: Known) -> (f64, Option<&'static str>) {
    let name = match task {
        Task::Inference => "inference",
        Task::Training => "training",
    };
    let width = intervals.half_width(name);
    match known {
        Known::Measured => (width, None),
        Known::Kin => (
            width.hypot(intervals.half_width("device_new")),
            Some("networks were never measured on this device"),
        ),
        Known::Foreign => (
            width.hypot(intervals.half_width("family_new")),
            Some("networks were never measured on devices of this kind"),
        ),
    }
}

/// Operators that take their time alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Dense,
    Convolution,
    /// With the channels of a group.
    Grouped(u64),
    Depthwise,
    Attention {
        windowed: bool,
        keys: u64,
    },
    LayerNorm,
    Function,
    /// The work that no kernel computes.
    Nothing,
}

impl Kind {
    /// The kind of kernel that computes a layer on a number of samples.
    fn of(layer: &Layer, samples: u64) -> Self {
        match &layer.operator {
            Operator::Convolution(it) if it.groups > 1 => match it.in_channels / it.groups {
                0 | 1 => Self::Depthwise,
                channels => Self::Grouped(channels),
            },
            Operator::Convolution(_) => Self::Convolution,
            Operator::Dense(_)
            | Operator::Matmul(_)
            | Operator::Recurrent(_)
            | Operator::Scan(_)
            | Operator::Bulk(_) => Self::Dense,
            Operator::Attention(it) => {
                Self::Attention { windowed: it.batch > samples, keys: it.keys }
            }
            Operator::Norm(it) if it.kind == NormKind::Batch => Self::Function,
            Operator::Norm(_) => Self::LayerNorm,
            Operator::Pointwise(_) | Operator::Pool(_) | Operator::Embedding(_) => Self::Function,
            Operator::Parameter(_) => Self::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::model::operator::{Axis, Convolution};
    use crate::model::{Input, Role, spec};
    use crate::quantity::Precision;

    fn convolution(groups: u64) -> Layer {
        let operator = Operator::Convolution(Convolution {
            batch: 1,
            in_channels: 256,
            out_channels: 256,
            axes: vec![Axis::new(56, 3, 1, 2); 2],
            groups,
            transposed: false,
            bias: false,
        });
        Layer::new("c", Role::Conv, operator)
    }

    fn per_flop(groups: u64, runtime: Runtime, task: Task) -> f64 {
        let catalog = Catalog::embedded();
        let calibration = Calibration::shipped().unwrap();
        let device = Device::of(catalog.accelerator("rtx-4090").unwrap(), Precision::Fp16).unwrap();
        let setup = Setup::new(&device, runtime, calibration).unwrap();
        let model = Model {
            layers: vec![convolution(groups)],
            ..spec::from_preset("resnet18", &Input::default()).unwrap()
        };
        let flops = model.forward(AttentionCount::Causal).matmul.value;
        let work = Work::of(&model, Precision::Fp16.size(), task);
        setup.cost(&work, &device).time(1.0).value / flops
    }

    #[test]
    fn the_fewer_channels_meet_the_poorer_a_product_is() {
        let eager = Runtime { compiled: false, channels_last: true };
        let times = [1, 4, 32, 256].map(|groups| per_flop(groups, eager, Task::Inference));
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
        let first = per_flop(1, Runtime { channels_last: false, ..eager }, Task::Inference);
        assert!(first > times[0]);
        let training = per_flop(256, eager, Task::Training);
        assert!(training > 3.0 * times[3], "backward is the poorer half of a depthwise product");
    }
}
