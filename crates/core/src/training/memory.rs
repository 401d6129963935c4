//! Memory of the fullest device: weights, gradients, optimizer state, activations, logits,
//! overheads.
//!
//! *Allocated* is what tensors occupy at the peak; *reserved* is what the process holds: the
//! allocator's fragments and the libraries' own buffers as well. Nothing here is fitted to runs.

use super::parallelism::{Batch, Parallelism, Recompute, Zero};
use super::platform::Platform;
use super::state::{Offload, State};
use super::step_time::FLASH;
use crate::model::{Extents, Model, Operator, kept};
use crate::provenance::Traced;
use crate::quantity::{DeviceMemory, Measure, real};

/// Memory of the fullest device at its peak.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory<T = DeviceMemory> {
    /// Weights, with the copies in narrow formats.
    pub weights: T,
    /// Gradients, with the transient one of the largest matrix.
    pub gradients: T,
    /// Optimizer state and master weights.
    pub optimizer: T,
    /// Activations kept for the backward pass, the logits and their loss among them.
    pub activations: T,
    /// Context of device and libraries.
    pub other: T,
    /// All of it: what tensors occupy.
    pub allocated: T,
    /// Memory that the process holds.
    pub reserved: T,
    /// Memory that the device has.
    pub capacity: T,
}

impl Memory {
    /// Memory of a process with these bytes of tensors.
    fn of(stage: Stage, layout: &Parallelism, capacity: DeviceMemory) -> Self {
        let bytes = DeviceMemory::from_stored;
        let allocated = stage.total() + WORKSPACE;
        Self {
            weights: bytes(stage.weights),
            gradients: bytes(stage.gradients),
            optimizer: bytes(stage.optimizer),
            activations: bytes(stage.activations),
            other: bytes(WORKSPACE),
            allocated: bytes(allocated),
            reserved: bytes(allocated * FRAGMENTS + outside(layout)),
            capacity,
        }
    }

    /// True if the device holds what the process reserves. Makers count gigabytes of 2^30 bytes: an
    /// A100 of 80 GB has 81,920 MiB.
    pub fn fits(&self) -> bool {
        self.reserved <= self.capacity * GIB
    }

    /// Bytes that the allocator of the framework holds: all but the device's context and the buffers
    /// of the links.
    pub fn of_allocator(&self) -> DeviceMemory {
        self.allocated * FRAGMENTS
    }

    /// The same with its derivation, recorded where `run` is: what tensors occupy by kind, their
    /// sum, and what the process holds beyond it.
    pub fn traced<Q: Measure>(
        &self,
        layout: &Parallelism,
        run: &Traced<Q>,
    ) -> Memory<Traced<DeviceMemory>> {
        let part = |name: &str, value: DeviceMemory, what: &str| {
            run.beside(value, || {
                let how = format!("memory model, on the fullest device: {what} ({layout})");
                (format!("{FIGURES}.{name}"), how)
            })
        };
        let weights = part("weights", self.weights, "weights, with copies in narrow formats");
        let largest = "gradients, beyond activations that they replace, with the largest";
        let gradients = part("gradients", self.gradients, largest);
        let optimizer = part("optimizer", self.optimizer, "optimizer state and master weights");
        let kept = "activations kept for the backward pass, logits and loss among them";
        let activations = part("activations", self.activations, kept);
        let other = part("other", self.other, "workspaces of matrix products");
        let tensors = [&weights, &gradients, &optimizer, &activations, &other];
        let allocated = Traced::total(tensors.into_iter().cloned());
        let allocated = allocated.named(format_args!("{FIGURES}.allocated"));
        let context = Traced::constant(DeviceMemory::from_stored(outside(layout)));
        let reserved = &allocated * FRAGMENTS + context;
        Memory {
            reserved: reserved.named(format_args!("{FIGURES}.reserved")),
            capacity: part("capacity", self.capacity, "memory of the device"),
            weights,
            gradients,
            optimizer,
            activations,
            other,
            allocated,
        }
    }
}

/// The path of its figures in the JSON.
const FIGURES: &str = "training.memory_gb";

/// Bytes per logit of Megatron's fused loss: the bf16 logits and the fp32 softmax.
const FUSED_LOSS: f64 = 6.0;
/// The same of `PyTorch`'s: bf16 logits, and three times fp32. Until it compiled the loss as well
/// (torchtitan, summer of 2025) or cut it into chunks.
const PLAIN_LOSS: f64 = 14.0;
/// When that changed.
const COMPILED_LOSS: f64 = 2025.5;
/// Buffers of the libraries inside the allocator: workspaces of matrix products.
const WORKSPACE: f64 = 0.4e9;
/// Reserved by the allocator / allocated: fragments.
const FRAGMENTS: f64 = 1.1;
/// Bytes of a maker's gigabyte of memory / 1e9.
const GIB: f64 = 1.073_741_824;
/// Memory outside the allocator: the device's context.
const CONTEXT: f64 = 0.6e9;
/// The same of communicators, where there are other devices.
const COMMUNICATORS: f64 = 2.4e9;
/// The same of one, where devices do no more together than add up gradients.
const COMMUNICATOR: f64 = 0.8e9;

/// A layout and what it keeps on each device, of a run that is not predicted as a whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Held {
    /// The layout.
    pub layout: Parallelism,
    /// Its memory.
    pub memory: Memory,
}

/// Bytes of one pipeline stage on one device.
#[derive(Clone, Copy)]
struct Stage {
    weights: f64,
    gradients: f64,
    optimizer: f64,
    activations: f64,
}

impl Stage {
    /// Bytes of all parts.
    fn total(&self) -> f64 {
        self.weights + self.gradients + self.optimizer + self.activations
    }
}

/// Bytes outside the allocator.
fn outside(layout: &Parallelism) -> f64 {
    let copies = layout.data == layout.devices() && layout.expert == 1 && layout.zero == Zero::Off;
    CONTEXT
        + match layout.devices() {
            1 => 0.0,
            _ if copies => COMMUNICATOR,
            _ => COMMUNICATORS,
        }
}

/// Memory of a run on the stage that needs most; `state` are the bytes per parameter
/// ([`ADAMW`](super::state::ADAMW)).
///
/// The first stage keeps the activations of up to `pipeline` micro-batches, the last one has the
/// head and its logits.
pub fn memory(
    model: &Extents,
    layout: &Parallelism,
    batch: Batch,
    platform: &Platform,
    state: State,
) -> Memory {
    let dense_share = 1.0 - model.expert_layers() as f64 / model.layers as f64;
    let kept = kept_per_token(model, layout, platform, dense_share, batch.length as f64);
    let of = |first| stage(model, layout, batch, platform, state, (dense_share, kept, first));
    let first = of(true);
    // A pipeline of one stage has one.
    let last = if layout.pipeline == 1 { first } else { of(false) };
    let fullest = if first.total() > last.total() { first } else { last };
    Memory::of(fullest, layout, platform.memory())
}

/// Bytes of the first or the last pipeline stage on one device; a token leaves so much in a block.
fn stage(
    model: &Extents,
    layout: &Parallelism,
    batch: Batch,
    platform: &Platform,
    state: State,
    (dense_share, per_token, first): (f64, f64, bool),
) -> Stage {
    let [tensor, pipeline, context, data, expert] =
        real([layout.tensor, layout.pipeline, layout.context, layout.data, layout.expert_shards()]);
    // Stages are as even as whole layers allow, as those that are timed.
    let most = (model.layers as f64 / pipeline).ceil();
    let layers =
        if first { most } else { (model.layers as f64 - most * (pipeline - 1.0)).max(0.0) };
    let only = layout.pipeline == 1;
    let (embedded, headed) = (first, only || !first);
    let sums = model.sums();
    // A head that has the weights of the table is a copy of them on a stage of its own.
    let copied = if only { sums.headed } else { sums.headed.max(sums.head) };
    let tables = if embedded { sums.tables } else { 0.0 } + if headed { copied } else { 0.0 };
    let all_layers = model.layers as f64;

    // Parameters of this device: those that all copies hold alike, and the experts. Towers are before
    // the first block.
    let beside = if embedded { sums.beside } else { 0.0 };
    let part = layers / all_layers;
    let common = (part * sums.blocks + tables + beside) / tensor;
    let experts = part * sums.experts / expert;
    let copies = data * context;
    // Copies of an expert: the devices of a stage that do not share them.
    let expert_copies = (tensor * copies / expert).max(1.0);

    // Products in narrow formats read a copy of a trained weight; a frozen one is stored so.
    let narrow = if platform.format == super::format::Format::Half { 0.0 } else { 1.0 };
    let held = common + experts;
    let spread = common / copies + experts / expert_copies;
    let gathered = sums.passed / all_layers / tensor + sums.experts / all_layers / expert;
    let (trained, frozen) = (state.trained, state.frozen);
    let shares = Shares { held, spread, gathered, kept_open: !only };
    let [mut weights, mut gradients, mut optimizer] =
        shares.bytes(state, layout.zero, (state.weights + narrow) * trained + frozen);
    // Tables and head of a quantized base keep 16 bits, as bitsandbytes leaves them.
    let wider = if frozen > 0.0 { (2.0 - frozen).max(0.0) } else { 0.0 };
    let wider = wider * tables / tensor;
    weights += match layout.zero {
        Zero::Weights => state.beside * spread + wider / copies,
        _ => state.beside * held + wider,
    };
    match state.offload {
        Offload::Nothing => {}
        Offload::Optimizer => optimizer = 0.0,
        Offload::Weights => {
            (optimizer, gradients) = (0.0, 0.0);
            let copy = (state.weights + narrow) * trained + frozen;
            weights = weights.min(2.0 * copy * gathered);
        }
    }
    if state.in_backward {
        gradients = 0.0;
    }
    let largest = if headed { sums.head } else { 0.0 }
        .max((model.mlp_matrices() - 1.0) * (model.hidden * model.ffn) as f64);
    let transient = if layout.zero == Zero::Weights { 2.0_f64 } else { 4.0 }
        .min(state.gradients * trained)
        * largest
        / tensor;

    // Activations.
    let tokens = (layout.micro_batch * batch.length) as f64 / context;
    let micro_batches = layout.micro_batches(batch);
    let in_flight = in_flight(layout, first).min(micro_batches);
    let residual = if layout.sequence { tensor } else { 1.0 };
    let input = 2.0 * model.hidden as f64 / residual;
    // A stage keeps what it sent on as well, which a layer kept whole has anyway.
    let whole = (layers.ceil() + if only { 0.0 } else { 1.0 }) * in_flight;
    let activations = tokens
        * match layout.recompute {
            Recompute::Full => input * whole + per_token,
            Recompute::Half | Recompute::Custom => 0.5 * (input + per_token) * layers * in_flight,
            Recompute::Products => {
                (input + products_per_token(model, layout, dense_share)) * layers * in_flight
            }
            Recompute::None | Recompute::Selective | Recompute::Unknown => {
                per_token * layers * in_flight
            }
        };
    let plain = layout.zero == Zero::Weights && platform.software.year < COMPILED_LOSS;
    let loss = if plain { PLAIN_LOSS } else { FUSED_LOSS };
    let outputs = sums.head / model.hidden as f64;
    let logits = if headed { loss * tokens * outputs / tensor } else { 0.0 };
    let activations = activations + logits;
    // Gradients that have no buffer come as activations go, unless they outlive a micro-batch.
    let accumulated = state.buffered || micro_batches > 1.5 || !only;
    if !accumulated {
        gradients = (gradients - activations).max(0.0);
    }
    Stage { weights, gradients: gradients + transient, optimizer, activations }
}

/// Parameters of a device, by what copies of a model share out.
struct Shares {
    /// Those that it computes with.
    held: f64,
    /// Its part of them, where they are shared out over all copies.
    spread: f64,
    /// Those of the largest layer, which is gathered.
    gathered: f64,
    /// True if gathered weights stay, as a pipeline's do.
    kept_open: bool,
}

impl Shares {
    /// Bytes of weights, gradients, and master copy with optimizer state; `copy` are those of a weight as
    /// the products read it.
    fn bytes(&self, state: State, zero: Zero, copy: f64) -> [f64; 3] {
        let Self { held, spread, gathered, kept_open } = *self;
        let (trained, frozen) = (state.trained, state.frozen);
        let [collected, kept] = [state.gradients, state.optimizer()].map(|bytes| bytes * trained);
        match zero {
            Zero::Off => [copy * held, collected * held, kept * held],
            Zero::Optimizer => [copy * held, collected * held, kept * spread],
            Zero::Gradients => [copy * held, collected * spread, kept * spread],
            // The master copy is the sharded weight, where there is one; two layers are gathered at a
            // time. A pipeline keeps the weights of its stage gathered, and their gradients in fp32.
            Zero::Weights => {
                let own = if state.master > 0.0 { 0.0 } else { state.weights * trained };
                let read = state.weights * trained + frozen;
                let (open, gradients) = if kept_open {
                    (read * held, collected * held)
                } else {
                    (2.0 * read * gathered, 0.0)
                };
                [open + (own + frozen) * spread, gradients + collected * spread, kept * spread]
            }
        }
    }
}

/// Bytes of a number of a table of embeddings: fp32, updated row by row, without gradients of its own.
const TABLE: f64 = 4.0;

/// Memory of a step of a network over samples, of which each device takes `layout.micro_batch` at once:
/// the parameters by the recipe, tables of which each device keeps its rows, what the backward pass
/// reads of the forward pass ([`kept`]) with products in elements of `element` bytes.
pub fn of_network(
    model: &Model,
    layout: &Parallelism,
    state: State,
    element: f64,
    capacity: DeviceMemory,
) -> Memory {
    let (mut learned, mut still, mut rows, mut largest) = (0.0, 0.0, 0.0, 0.0_f64);
    for layer in &model.layers {
        let parameters = layer.parameters() as f64;
        match layer.operator {
            Operator::Embedding(_) => rows += parameters,
            _ if layer.trained => {
                learned += parameters;
                largest = largest.max(parameters / layer.weight_copies.max(1) as f64);
            }
            _ => still += parameters,
        }
    }
    let copies = layout.data as f64;
    let shares =
        Shares { held: learned, spread: learned / copies, gathered: largest, kept_open: false };
    // What is trained in fp32 is its own master copy.
    let weights = if element < 4.0 || state.master == 0.0 { state.weights } else { 0.0 };
    let state = State { weights, ..state };
    let copy = weights * state.trained + state.frozen;
    let [weights, mut gradients, mut optimizer] = shares.bytes(state, layout.zero, copy);
    if state.offload != Offload::Nothing {
        optimizer = 0.0;
    }
    let samples = layout.micro_batch as f64 / model.input.batch.max(1) as f64;
    let activations = samples * kept(&model.layers).bytes(element);
    if state.in_backward {
        gradients = 0.0;
    } else if !state.buffered {
        gradients = (gradients - activations).max(0.0);
    }
    let weights = weights + element * still + TABLE * rows / copies;
    let stage = Stage { weights, gradients, optimizer, activations };
    Memory::of(stage, layout, capacity)
}

/// Micro-batches of which the first or the last stage keeps the activations. One forward one backward
/// keeps as many as there are stages on the first, one on the last; of `v` chunks a stage the first keeps
/// `p + (p - 1) / v`, 1 + (p - 1) / (p v) times as many (arXiv:2205.05198, sec. 4.2.3), and the last
/// `p - (p - 1) / v`: before its first backward pass it has all chunks but the last behind it.
fn in_flight(layout: &Parallelism, first: bool) -> f64 {
    let [p, v] = real([layout.pipeline, layout.chunks]);
    match (first, layout.chunks) {
        (true, 1) => p,
        (true, _) => p + (p - 1.0) / v,
        (false, _) => p - (p - 1.0) / v,
    }
}

/// Bytes that one token leaves behind in one block where every other matrix product is computed anew
/// (torchtitan's selective recomputation by operator): the results of the first, third... of queries,
/// keys, values, output, gate, up and down, and that of attention.
fn products_per_token(model: &Extents, layout: &Parallelism, dense_share: f64) -> f64 {
    let tensor = layout.tensor as f64;
    let residual = if layout.sequence { tensor } else { 1.0 };
    let [d, heads, kv] = real([model.hidden, model.heads, model.kv_heads]);
    let [key, value] = real([model.key_dim, model.value_dim]);
    let routed = model.experts.map_or(0.0, |e| ((e.top_k + e.shared) * e.ffn) as f64);
    let inner = dense_share * model.ffn as f64 + (1.0 - dense_share) * routed;
    let attention = model.mixing() * (heads * key + kv * value + heads * value);
    2.0 * ((attention + inner) / tensor + d / residual)
}

/// Bytes that one token leaves behind in one block with flash attention (arXiv:2205.05198, sec.
/// 4, without its 5as/h): inputs of the norms; queries, keys, values and the attention's output;
/// inputs of the matrix products in the format that these read; the MLP's inner activations.
fn kept_per_token(
    model: &Extents,
    layout: &Parallelism,
    platform: &Platform,
    dense_share: f64,
    length: f64,
) -> f64 {
    let tensor = layout.tensor as f64;
    let residual = if layout.sequence { tensor } else { 1.0 };
    let operand = if platform.format == super::format::Format::Half { 2.0 } else { 1.0 };
    // PyTorch keeps the inputs of products as gathered from the ranks of tensor parallelism; others
    // gather them again (arXiv:2205.05198, sec. 4.2.2).
    let gathered = if layout.zero == Zero::Weights { 1.0 } else { residual };
    let [d, heads, kv] = real([model.hidden, model.heads, model.kv_heads]);
    let [key, value] = real([model.key_dim, model.value_dim]);
    let attention = model.mixing() * (heads * key + kv * (key + value) + heads * value);
    let matrices = model.mlp_matrices() - 1.0;
    let inner = |width: f64| (2.0 * matrices + operand) * width;
    let mlp = dense_share * inner(model.ffn as f64) / tensor;
    let routed = model.experts.map_or(0.0, |e| {
        let [top_k, shared, ffn] = real([e.top_k, e.shared, e.ffn]);
        let dispatched = 2.0 * (2.0 * top_k * d);
        (1.0 - dense_share) * (inner((top_k + shared) * ffn) + dispatched) / tensor
    });
    // Without a flash kernel the scores, their softmax and dropout mask are kept as well, unless
    // the attention core is computed anew: 5as/h of the paper.
    let scores = if platform.software.year < FLASH && layout.recompute != Recompute::Selective {
        5.0 * heads * length / tensor
    } else {
        0.0
    };
    4.0 * d / residual
        + 2.0 * operand * d / gathered
        + 2.0 * attention / tensor
        + scores
        + mlp
        + routed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::model::Role;
    use crate::model::extents::tests::llama3_70b;
    use crate::training::calibration::Calibration;
    use crate::training::format::Format;
    use crate::training::platform::{Hardware, Software};
    use crate::training::state::ADAMW;

    /// arXiv:2205.05198, table 3 and sec. 4.2.3: 530B in 35 stages of 3 chunks keeps 1 + 34 / 105 times the
    /// layers of a whole pipeline; 175B in 8 stages of 3, 1 + 7 / 24.
    #[test]
    fn interleaved_stages_keep_what_the_schedule_leaves_open() {
        for (pipeline, chunks, first, last) in [
            (1, 1, 1.0, 1.0),
            (8, 1, 8.0, 1.0),
            (8, 3, 8.0 * (1.0 + 7.0 / 24.0), 17.0 / 3.0),
            (35, 3, 35.0 * (1.0 + 34.0 / 105.0), 71.0 / 3.0),
        ] {
            let layout = Parallelism { pipeline, chunks, ..Parallelism::SINGLE };
            let close = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-12, "{layout:?}: {a}");
            close(in_flight(&layout, true), first);
            close(in_flight(&layout, false), last);
        }
    }

    /// What the operators of a language model leave behind is what its extents say, but for kernels that
    /// fuse the gate with its product: both count the same tensors.
    #[test]
    fn operators_and_extents_keep_alike() {
        let (catalog, calibration) = (Catalog::embedded(), Calibration::shipped().unwrap());
        let hardware = Hardware::of(&catalog, "h100-sxm", Format::Half).unwrap();
        let software = Software::usual(2026.3);
        let platform = Platform::new(&hardware, Format::Half, software, calibration).unwrap();
        for name in ["llama-3.1-8b", "llama-2-7b", "gpt2-xl"] {
            let input = crate::model::Input { sequence: Some(1024), ..Default::default() };
            let model = crate::model::spec::from_preset(name, &input).unwrap();
            let extents = &model.extents;
            let one = kept_per_token(extents, &Parallelism::SINGLE, &platform, 1.0, 1024.0);
            let blocks = one * extents.layers as f64;
            let blocks_only: Vec<_> =
                model.layers.iter().filter(|it| it.role != Role::Head).cloned().collect();
            let counted = kept(&blocks_only);
            let each = 2.0 * (counted.plain + counted.wide) / 1024.0;
            assert!((0.95..1.3).contains(&(each / blocks)), "{name}: {each} {blocks}");
        }
    }

    /// Peak allocated memory of Llama 3 blocks on 8 B200 (MooreThreads/SimuMax, docs/b200, April
    /// 2026), in GB: 12 blocks of the 70B, 4 of the 405B.
    #[test]
    fn allocated_memory_is_that_of_measured_runs() {
        let (catalog, calibration) = (Catalog::embedded(), Calibration::shipped().unwrap());
        let hardware = Hardware::of(&catalog, "b200-sxm", Format::Half).unwrap();
        let software = Software { overlaps_gradients: false, ..Software::usual(2026.3) };
        let platform = Platform::new(&hardware, Format::Half, software, calibration).unwrap();
        let small = Extents { layers: 12, ..llama3_70b() };
        let large = Extents { layers: 4, hidden: 16384, heads: 128, ffn: 53248, ..llama3_70b() };
        let layout = |tensor, pipeline, context, data| Parallelism {
            tensor,
            pipeline,
            context,
            data,
            ..Parallelism::SINGLE
        };
        for (model, layout, sequences, length, measured) in [
            (&small, layout(1, 2, 1, 4), 16, 4096, 71.46),
            (&small, layout(4, 1, 1, 2), 8, 4096, 41.95),
            (&small, layout(2, 1, 4, 1), 4, 131_072, 120.98),
            (&large, layout(1, 2, 1, 4), 16, 4096, 93.50),
            (&large, layout(2, 1, 4, 1), 4, 32768, 93.45),
        ] {
            let found = memory(model, &layout, Batch { sequences, length }, &platform, ADAMW);
            let error = found.allocated.stored() / 1e9 / measured - 1.0;
            assert!(error.abs() < 0.05, "{layout:?}: {error}");
            assert!(found.fits() && found.reserved > found.allocated);
        }
    }
}
