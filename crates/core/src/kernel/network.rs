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
//! backward pass by operator and the update of the weights; of tables, of the rows that were read.
//! Devices that share a step wait for each other and for what their links move ([`Setup::step`]).

use std::collections::BTreeMap;
use std::ops::AddAssign;

use super::calibration::{Calibration, General, Own, Runtime};
use super::collective::{Fabric, ring};
use super::{Device, UPDATE_BYTES};
use crate::calibration::Intervals;
use crate::catalog::{Accelerator, Links};
use crate::diagnostic::Result;
use crate::model::compress::{Compressed, Form, Format};
use crate::model::operator::{NormKind, Operator};
use crate::model::{AttentionCount, Layer, Model};
use crate::quantity::system::data::byte;
use crate::quantity::{Data, Devices, Measure as _, Precision, Time};

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
    /// Parameters that the optimizer updates in each step.
    updated: f64,
    /// Tables of which it updates the rows that were read.
    tables: Tables,
}

/// The tables of a network over look-ups, which its devices share out: each keeps a part of the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Tables {
    /// Parameters of all rows.
    parameters: f64,
    /// Those of the rows that the samples read, as often as they read them.
    read: f64,
    /// Bytes of the latter.
    bytes: f64,
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
        let mut work = Self {
            task,
            samples: samples as f64,
            parts: BTreeMap::new(),
            updated: 0.0,
            tables: Tables::default(),
        };
        let training = task == Task::Training;
        // A language model's table is one of its weights, with a gradient of its own.
        let shares = !model.extents.is_transformer();
        for layer in model.layers.iter().filter(|layer| layer.count > 0) {
            let kind = Kind::of(layer, samples);
            if training && layer.trained {
                match &layer.operator {
                    Operator::Embedding(table) if shares => {
                        let read = (layer.count * table.rows * table.dim) as f64;
                        work.tables.parameters += layer.parameters() as f64;
                        work.tables.read += read;
                        work.tables.bytes += read * element.value;
                    }
                    _ => work.updated += layer.parameters() as f64,
                }
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

/// The time of a network: linear in the samples of a batch, but for tables that are read whole.
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
    /// Update of the rows of tables that one sample reads, and of all rows: a batch takes the lesser.
    pub rows: [Time; 2],
    /// Operators run.
    pub count: f64,
}

impl Cost {
    /// Time of a batch of `samples`.
    pub fn time(&self, samples: f64) -> Time {
        let [read, all] = self.rows;
        let rows = read * samples;
        let rows = if rows < all { rows } else { all };
        (self.arithmetic + self.traffic) * samples + self.weights + self.kernels + rows
    }
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.arithmetic += other.arithmetic;
        self.traffic += other.traffic;
        self.weights += other.weights;
        self.kernels += other.kernels;
        self.rows = [0, 1].map(|which| self.rows[which] + other.rows[which]);
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
        let update = |numbers: f64| Time::from_stored(UPDATE_BYTES * numbers / bandwidth);
        cost.weights += update(work.updated);
        cost.rows = [update(work.tables.read / samples), update(work.tables.parameters)];
        cost
    }

    /// Time of a step of training in which each of some devices takes so many samples:
    ///
    /// ```text
    /// (operators / (1 - loss) + rows of tables, to and fro) + what outlasts the backward pass of
    ///     2 (n - 1)/n gradients / bandwidth
    /// ```
    pub fn step(&self, work: &Work, device: &Device, samples: f64, fleet: &Fleet) -> Step {
        let mut cost = self.cost(work, device);
        let n = fleet.devices;
        // Each device updates its part of the rows: what all samples read of it.
        cost.rows[1] /= n;
        let alone = cost.time(samples);
        if n <= 1.0 {
            return Step { total: alone, links: Time::from_stored(0.0) };
        }
        let gradients = 2.0 * ring(n) * GRADIENT * work.updated / fleet.all_cards();
        let hidden = alone * BACKWARD;
        let exposed = (gradients - hidden.value).max(0.0);
        let rows = 2.0 * work.tables.bytes / work.samples * samples;
        let links = Time::from_stored(exposed + rows * fleet.exchange());
        Step { total: alone / (1.0 - self.general.several_devices) + links, links }
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
            ..Cost::default()
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
}

/// A step of a network and where its time goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// All of it.
    pub total: Time,
    /// The part in which devices wait for their links.
    pub links: Time,
}

/// Bytes of a gradient that devices add up: automatic mixed precision keeps weights and gradients of
/// a network in fp32.
const GRADIENT: f64 = 4.0;
/// Part of a step that the backward pass takes, beside which gradients are added up: two products for
/// the forward pass's one.
const BACKWARD: f64 = 2.0 / 3.0;
/// Bandwidth of a collective / that of its links: nccl-tests reach 0.7 to 0.9 (recalled).
const BUS: f64 = 0.75;

/// The devices that share the steps of a network, each with samples of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fleet {
    devices: f64,
    fabric: Fabric,
}

impl Fleet {
    /// So many devices with these links.
    pub fn new(devices: Devices, links: &Links) -> Self {
        let out = BUS * links.scale_out.value;
        let up = links.scale_up.map_or(out, |up| BUS * up.value);
        Self { devices: devices.value, fabric: Fabric { up, out, domain: links.domain as f64 } }
    }

    /// Seconds for each byte that a device shares out over all: what goes to its own domain and what
    /// goes to others have their own links.
    fn exchange(&self) -> f64 {
        let Fabric { up, out, domain } = self.fabric;
        let (n, near) = (self.devices, self.devices.min(domain));
        ((near - 1.0) / n / up).max((n - near) / n / out)
    }

    /// Bandwidth of a ring over all: of several domains those of all their devices' network cards.
    fn all_cards(&self) -> f64 {
        let Fabric { up, out, domain } = self.fabric;
        if self.devices <= domain { up } else { up.min(out * domain) }
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

    fn step(model: &str, devices: f64, samples: f64, network: f64) -> Step {
        let catalog = Catalog::embedded();
        let accelerator = catalog.accelerator("a100-sxm-80gb").unwrap();
        let device = Device::of(accelerator, Precision::Bf16).unwrap();
        let eager = Runtime { compiled: false, channels_last: true };
        let setup = Setup::new(&device, eager, Calibration::shipped().unwrap()).unwrap();
        let model = spec::from_preset(model, &Input::default()).unwrap();
        let work = Work::of(&model, Precision::Bf16.size(), Task::Training);
        let scale_out = crate::quantity::DeviceBandwidth::from_stored(network);
        let links = Links { scale_out, ..Links::of(accelerator) };
        setup.step(&work, &device, samples, &Fleet::new(Devices::from_stored(devices), &links))
    }

    /// The optimizer writes the rows of tables that a batch reads, each device those of its own part:
    /// `MLPerf` Training v0.7 has DLRM on a DGX A100 in 3.3 minutes, at most an epoch of 4.2 billion
    /// samples in batches of 55,296.
    #[test]
    fn tables_are_updated_where_they_are_read() {
        let [one, eight, pod] = [1.0, 8.0, 64.0].map(|n| step("dlrm", n, 6912.0, 25e9).total.value);
        let minutes = eight * 4.2e9 / 55_296.0 / 60.0;
        assert!((1.6..6.6).contains(&minutes), "{minutes}");
        assert!(eight < 2.0 * one && pod < 4.0 * eight, "more devices help: {one} {eight} {pod}");
        // However large the batch, no more rows than there are.
        let per_sample = |samples| step("dlrm", 8.0, samples, 25e9).total.value / samples;
        assert!(per_sample(1e7) < per_sample(1e5));
    }

    /// Gradients are added up beside the backward pass: links that are slower than it are waited for.
    #[test]
    fn slow_links_are_waited_for() {
        let time = |devices, network| step("resnet50", devices, 64.0, network).total.value;
        assert!(
            time(8.0, 1e6) < time(8.0, 1e12) * (1.0 + 1e-12),
            "within a node there is no network"
        );
        assert!(time(8.0, 25e9) > time(1.0, 25e9));
        let slow = [1e12, 25e9, 1e9, 1e8, 1e7].map(|network| time(256.0, network));
        assert!(slow.is_sorted() && slow[4] > 3.0 * slow[0], "{slow:?}");
        assert!(slow[1] < 1.01 * slow[0], "{slow:?}");
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
