//! How long an engine's step takes: a roofline over weights, FLOPs, KV cache and links, and the
//! overheads that a roofline forgets.
//!
//! For a step over `n` tokens on one replica:
//! ```text
//! T = t_step + t_sequence * sequences of a rank + layers * (t_layer + moe share * t_moe)      overheads
//!   + norm3(dense weights / bandwidth, dense FLOPs / rate)                          projections, FFN, LM head
//!   + norm3(activated experts / bandwidth, expert FLOPs / rate)                     routed experts
//!   + tokens * activations written and read / bandwidth                             norms, rotary, gates
//!   + links: reductions, the exchange of tokens between experts, passes between pipeline stages
//!     (`super::exchange`)
//!   + context * max(KV bytes / bandwidth, attention FLOPs / rate)                   decode attention
//!   + pairs * attention FLOPs / rate                                                prompt attention
//! ```
//! A pipeline of `p` stages has `p` batches under way: each stage works on a `p`th of the tokens,
//! sequences and prompts of the step, and a token passes all stages before the step ends. Long
//! prompts are taken to be cut into enough chunks to fill the stages. An engine whose stages take
//! turns has one batch: a token waits for all of them, and the `m` chunks of a prompt take
//! `(p + m - 1) / (p m)` of the time of one device.
//!
//! T is no less than the exchange that runs beside products.
//!
//! `norm3(a, b) = (a^3 + b^3)^(1/3)` softens the corner of the roofline. Everything but the last
//! two terms depends on the number of tokens only, and those are linear in the context: the form
//! that lets the simulator leap.

use super::calibration::Constants;
use super::exchange::Exchange;
use super::plan::Adapters;
use super::served::ServedModel;
use super::simulator::StepTime;
use crate::catalog::Device;
use crate::kernel::corner::norm3;
use crate::quantity::{Data, Measure as _, Time};

/// How numbers are stored and multiplied.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Format {
    /// Bytes per number, scales included.
    pub bytes: f64,
    /// Bits that the multiplication runs in: 32, 16, 8 or 4.
    pub bits: u32,
}

/// How a model's weights are quantised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Weights {
    /// 16-bit floating point.
    Sixteen,
    /// 8 bits, activations too.
    Eight,
    /// NVFP4: 4 bits and a scale per 16 numbers, activations too where the device can.
    Nv4,
    /// MXFP4: 4 bits and a scale per 32 numbers; activations in 8 bits where the device can.
    Mx4,
    /// 4-bit integers; activations in 16 bits.
    Int4,
    /// 8-bit integers; activations in 16 bits.
    Int8,
    /// Formats of their own for routed experts and for everything else.
    Each {
        /// That of the experts; of a model without them, the same as `rest`.
        experts: Format,
        /// That of the rest.
        rest: Format,
    },
}

impl Weights {
    /// The format of routed experts, or of every product of a model without experts.
    fn of_experts(self, device: &Device) -> Format {
        let on = |has: bool, bits: u32| if has { bits } else { 16 };
        match self {
            Self::Sixteen => Format { bytes: 2.0, bits: 16 },
            Self::Eight => Format { bytes: 1.0, bits: on(device.peak8.is_some(), 8) },
            Self::Nv4 => Format { bytes: 0.5625, bits: on(device.peak4.is_some(), 4) },
            Self::Mx4 => Format { bytes: 0.53, bits: on(device.peak4.is_some(), 8) },
            Self::Int4 => Format { bytes: 0.53, bits: 16 },
            Self::Int8 => Format { bytes: 1.0, bits: 16 },
            Self::Each { experts, .. } => experts,
        }
    }

    /// True if runs in such formats entered the fit: those of current checkpoints on devices that
    /// multiply them.
    pub fn fitted(self, device: &Device) -> bool {
        match self {
            Self::Sixteen | Self::Nv4 | Self::Mx4 | Self::Int4 => true,
            Self::Eight => device.peak8.is_some(),
            Self::Int8 | Self::Each { .. } => false,
        }
    }

    /// The format of everything else: 4-bit checkpoints of models with experts leave it in 16 bits.
    fn of_rest(self, device: &Device, experts: bool) -> Format {
        match self {
            Self::Nv4 | Self::Mx4 | Self::Int4 if experts => Self::Sixteen.of_experts(device),
            Self::Each { rest, .. } => rest,
            _ => self.of_experts(device),
        }
    }
}

/// A model on devices.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Deployment {
    /// Tensor parallel degree, at least 1.
    pub tensor: u32,
    /// Pipeline stages, at least 1.
    pub pipeline: u32,
    /// Data-parallel attention ranks that share the experts, at least 1.
    pub data: u32,
    /// Experts are spread over the devices instead of each being split.
    pub expert_parallel: bool,
    /// How the weights are quantised.
    pub weights: Weights,
    /// Bytes per number in the KV cache.
    pub kv_bytes: f64,
}

impl Deployment {
    /// Devices of one replica.
    pub fn devices(&self) -> u32 {
        self.tensor * self.pipeline * self.data
    }

    /// Memory that the weights of a replica take: those of attention once per data-parallel rank;
    /// embedding, head and towers in 16 bits, a head that the embedding holds only once.
    pub fn weights(&self, model: &ServedModel, device: &Device) -> Data {
        let moe = model.experts > 0;
        let expert = self.weights.of_experts(device).bytes;
        let rest = self.weights.of_rest(device, moe).bytes;
        Data::from_stored(
            f64::from(self.data) * model.attention as f64 * rest
                + model.dense as f64 * rest
                + 2.0 * (model.head + model.embedding + model.beside) as f64
                + (model.expert * model.experts) as f64 * expert,
        )
    }
}

/// [`StepTime`] of a model on devices: the roofline at hand, everything in seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Roofline {
    constants: Constants,
    scale: f64,
    /// Share of a layer's work that one device does, and pipeline stages.
    stages: f64,
    /// Stages that take turns, and the tokens of a chunk that passes through them.
    turns: Option<(f64, f64)>,
    layers: f64,
    ranks: f64,
    dense_bytes: f64,
    dense_flops: f64,
    head_bytes: f64,
    head_flops: f64,
    expert_bytes: f64,
    expert_flops: f64,
    activations: f64,
    experts: f64,
    top_k: f64,
    state: f64,
    overhead: f64,
    launches: f64,
    exchange: Exchange,
    adapters: Adapting,
    /// Tokens of a decoding sequence that a step computes: more than one where draft tokens are verified.
    verified: f64,
    context: Reading,
    windowed: Option<(Reading, u32)>,
    pairs: (f64, f64),
    /// Towers for images and sound, per token of a prompt.
    tower: f64,
}

/// Adapters beside the weights: how many there are, seconds to read one, seconds of their kernels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Adapting {
    count: f64,
    read: f64,
    launched: f64,
}

/// Query heads that the kernels of sparse attention to prompts take at once, on devices without and
/// with 4-bit products; fewer on a device are padded to as many (`FlashMLA` on Hopper and Blackwell, as
/// vLLM's `flashmla_sparse.py` calls it).
const SPARSE_HEADS: [f64; 2] = [64.0, 128.0];

/// Seconds that the kernels of adapters add to a layer: 2 ms a token of Llama 2 7B, 32 layers, by
/// Punica (Chen et al. 2023, arXiv:2310.18547).
const ADAPTED_LAYER: f64 = 2e-3 / 32.0;

impl Adapting {
    /// Seconds that a step of so many sequences takes longer: each adapter that one of them is for is
    /// read once, n (1 - (1 - 1/n)^rows) of n.
    fn over(self, rows: f64) -> f64 {
        if self.count <= 0.0 {
            return 0.0;
        }
        let met = self.count * (1.0 - (1.0 - 1.0 / self.count).powf(rows.max(1.0)));
        met * self.read + self.launched
    }
}

/// Decode attention, per token of context: the cache is read once, the products are computed for each
/// token that looks at it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Reading {
    read: f64,
    compute: f64,
}

impl Reading {
    /// The time of a group of products: the longer of reading its weights and computing its tokens.
    fn over(self, tokens: f64) -> f64 {
        self.read.max(self.compute * tokens)
    }
}

/// A step by what takes the time, attention left out; in seconds.
struct Parts {
    host: f64,
    launched: f64,
    dense: f64,
    experts: f64,
    links: f64,
    moved: f64,
}

/// The rest of a rate where the kernels have a most of their own: 1 / (1 / rate + 1 / most).
fn beside(rate: f64, most: f64) -> f64 {
    rate * (most / (rate + most))
}

impl Roofline {
    /// The step time of a model so deployed.
    pub fn new(
        model: &ServedModel,
        device: &Device,
        deployment: &Deployment,
        constants: &Constants,
    ) -> Self {
        let c = constants;
        let (bandwidth, peak16) = (device.bandwidth.value, device.peak16.value);
        let (tensor, data) = (f64::from(deployment.tensor), f64::from(deployment.data));
        let stages = f64::from(deployment.pipeline);
        let all = tensor * data;
        let layers = model.layers as f64;
        let moe = model.moe_layers as f64;
        // Low precision reaches a smaller share of its peak.
        let rate = |bits: u32, exponent: f64| match device.peak(bits).value / peak16 {
            wider if wider < 1.0 => peak16 * wider,
            narrower => peak16 * narrower.powf(exponent),
        };

        // Kernels written for smaller devices leave a part of a large one idle.
        let read = |share: f64| beside(bandwidth * share, c.most_bandwidth);
        let computed = |rate: f64| beside(rate, c.most_flops);
        let weights = |parameters: u64, format: Format, split: f64| {
            parameters as f64 * format.bytes / split / read(c.weights)
        };
        let flops = |parameters: u64, format: Format, split: f64| {
            2.0 * parameters as f64 / split / computed(rate(format.bits, c.low_precision) * c.flops)
        };
        let head = Format { bytes: 2.0, bits: 16 };
        let expert = deployment.weights.of_experts(device);
        let rest = deployment.weights.of_rest(device, model.experts > 0);
        let latent = if model.latent { layers } else { 0.0 };
        let sparse = if model.sparse { layers } else { 0.0 };
        let unpacked = expert.bytes < 1.0 && expert.bits == 16;
        // Kernels that a layer launches one after the other, however little there is to do.
        let quantise = |format: Format| match (format.bits, format.bytes < 1.0) {
            (4, _) => c.quantise4,
            (8, false) => c.quantise8,
            _ => 0.0,
        };
        let experts = match (expert.bits, expert.bytes < 1.0) {
            _ if unpacked => c.expert_unpack,
            (8, false) => c.expert8,
            _ => 0.0,
        };
        let overhead = layers * (c.layer + quantise(rest))
            + moe * (c.moe_layer + experts)
            + latent * c.latent_layer
            + sparse * c.sparse_layer;
        // Experts split into slivers run slowly.
        let whole = deployment.expert_parallel || data > 1.0;
        let width = model.expert_width() / if whole { 1.0 } else { tensor };
        let sliver = (width + c.expert_width) / width.max(1.0);

        let exchange = Exchange::new(model, device, deployment, expert.bits, c);
        let kv_split = f64::from(deployment.tensor).min(model.kv_shards.max(1) as f64);
        let attend = |numbers: u64, flops: f64| {
            let read = numbers as f64 * deployment.kv_bytes / kv_split / read(c.kv);
            let compute = flops / tensor / (peak16 * c.attention);
            // Stages work side by side, each on its own layers' cache.
            Reading { read: read / data / stages, compute: compute / data / stages }
        };
        let windowed =
            model.window.map(|window| (attend(model.kv_windowed, model.context_flops.1), window));
        // Of a token, 16 bits each: the residual stream and its norm before and after both halves of
        // a layer, on every device; and what projections read or write beside it, which is split.
        let hidden_size = model.hidden.max(1) as f64;
        let projections = (model.attention + model.dense) as f64 / tensor
            + (model.top_k * model.expert) as f64 / tensor;
        let activations = (4.0 * layers * hidden_size + projections / hidden_size) / data;
        // The indexer of sparse attention, too, is whole on each device.
        let at_once = SPARSE_HEADS[usize::from(device.peak4.is_some())];
        let ways = model.selecting.map_or(tensor, |heads| tensor.min(heads / at_once));
        let pair = |flops: f64| flops / ways / data / stages / (peak16 * c.prompt_attention);
        Self {
            constants: *c,
            scale: 1.0,
            stages,
            turns: None,
            layers,
            ranks: data,
            dense_bytes: weights(model.attention, rest, tensor) + weights(model.dense, rest, all),
            dense_flops: flops(model.attention, rest, all) + flops(model.dense, rest, all),
            head_bytes: weights(model.head, head, tensor),
            head_flops: flops(model.head, head, all),
            expert_bytes: model.expert as f64 * expert.bytes / all / read(c.expert_weights)
                * (width + c.expert_width_weights)
                / width.max(1.0)
                / if unpacked { c.unpacking } else { 1.0 },
            expert_flops: 2.0 * model.expert as f64
                / all
                / computed(rate(expert.bits, c.expert_low_precision) * c.expert_flops)
                / if unpacked { c.unpacked_flops } else { 1.0 }
                * sliver
                * exchange.busiest,
            activations: 2.0 * c.moves * activations / (bandwidth * c.weights),
            experts: model.experts as f64,
            top_k: model.top_k as f64,
            state: 2.0 * model.state as f64 * 4.0 / tensor / data / (bandwidth * c.kv),
            overhead: c.engine * overhead,
            launches: layers * c.prompt_layer
                + moe * c.prompt_moe_layer
                + latent * c.prompt_latent_layer,
            exchange: Exchange { latency: c.engine * exchange.latency, ..exchange },
            adapters: Adapting::default(),
            verified: 1.0,
            context: attend(model.kv, model.context_flops.0),
            windowed,
            pairs: (pair(model.pair_flops.0), pair(model.pair_flops.1)),
            tower: 0.0,
        }
    }

    /// The same engine, where towers for images and sound take `time` on one device for each token of
    /// a prompt; they are split as the layers are.
    #[must_use]
    pub fn with_tower(mut self, time: Time, deployment: &Deployment) -> Self {
        self.tower = time.value / f64::from(deployment.tensor) / self.ranks;
        self
    }

    /// Time to move the KV cache of a prompt's token to an instance on another node.
    pub fn kv_transfer(
        model: &ServedModel,
        device: &Device,
        deployment: &Deployment,
        constants: &Constants,
    ) -> Time {
        let devices = f64::from(deployment.devices());
        let bandwidth = device.links.scale_out.value * devices * constants.link;
        let cache = (model.kv + model.kv_windowed) as f64 * deployment.kv_bytes;
        Time::from_stored(cache / bandwidth)
    }

    /// The same engine, every step taking `factor` times as long: what a measured latency says that
    /// the constants do not.
    #[must_use]
    pub fn scaled(mut self, factor: f64) -> Self {
        self.scale *= factor;
        self
    }

    /// The same engine, every decode step computing `tokens` tokens of each sequence: draft tokens to
    /// verify and the token after them.
    #[must_use]
    pub fn verifying(mut self, tokens: u32) -> Self {
        self.verified = f64::from(tokens);
        self
    }

    /// The same engine with adapters, which are read beside the weights: one of their two factors is
    /// whole on each device of a tensor-parallel group.
    #[must_use]
    pub fn with_adapters(mut self, adapters: Adapters, device: &Device, tensor: u32) -> Self {
        let part = f64::midpoint(1.0, 1.0 / f64::from(tensor));
        let bandwidth = device.bandwidth.value * self.constants.weights;
        self.adapters = Adapting {
            count: adapters.count,
            read: adapters.each.value * part / bandwidth / self.stages,
            launched: self.layers * ADAPTED_LAYER,
        };
        self
    }

    /// The same engine with stages of a pipeline that take turns, chunks of a prompt of so many tokens
    /// following each other.
    #[must_use]
    pub fn in_turn(mut self, chunk: u32) -> Self {
        self.turns = Some((self.stages, f64::from(chunk.max(1))));
        let longer = |it: Reading| Reading {
            read: it.read * self.stages,
            compute: it.compute * self.stages,
        };
        self.context = longer(self.context);
        self.windowed = self.windowed.map(|(reading, window)| (longer(reading), window));
        self.pairs = (self.pairs.0 * self.stages, self.pairs.1 * self.stages);
        self.stages = 1.0;
        self
    }

    /// The same engine without the host's time per step and sequence: a model that is run by
    /// another's step.
    #[must_use]
    pub fn within_a_step(mut self) -> Self {
        (self.constants.step, self.constants.sequence) = (0.0, 0.0);
        self
    }

    /// A decode step over so many sequences by what takes the time, their caches left out.
    pub fn parts(&self, sequences: f64) -> [(&'static str, Time); 6] {
        let Parts { host, launched, dense, experts, links, moved } = self.work(sequences, 0.0, 0.0);
        [
            ("host", host),
            ("kernel latencies of the layers", launched),
            ("dense weights and products", dense),
            ("experts", experts),
            ("links", links),
            ("activations and state", moved),
        ]
        .map(|(name, seconds)| (name, Time::from_stored(self.scale * seconds)))
    }

    /// The parts of a step with so many decoding sequences, prompt tokens and prompts.
    fn work(&self, decode: f64, prefill: f64, prompts: f64) -> Parts {
        let c = &self.constants;
        let beside = match self.turns {
            Some((stages, chunk)) => {
                let chunks = (prefill / chunk).ceil().max(1.0);
                stages * chunks / (stages + chunks - 1.0)
            }
            None => self.stages,
        };
        let (decode, prefill) = (decode / self.stages, prefill / beside);
        let verified = decode * self.verified;
        let tokens = verified + prefill;
        let rows = verified + prompts;
        // A prompt stays on one attention rank; the others wait for it.
        let uneven = verified + prefill * (self.ranks / prompts.max(1.0)).max(1.0);
        let dense = norm3(self.dense_bytes, self.dense_flops * uneven)
            + norm3(self.head_bytes, self.head_flops * rows);
        let experts = if self.experts > 0.0 {
            let draws = 1.0 + c.routing * (tokens - 1.0).max(0.0);
            let touched = self.experts * (1.0 - (1.0 - self.top_k / self.experts).powf(draws));
            norm3(self.expert_bytes * touched, self.expert_flops * self.top_k * tokens)
        } else {
            0.0
        };
        Parts {
            // Each data-parallel rank has a scheduler of its own, and they run side by side.
            host: c.step + c.sequence * (decode + prompts) * self.stages / self.ranks,
            launched: self.overhead + self.adapters.over(rows),
            dense,
            experts,
            links: self.exchange.latency + self.exchange.per_token * tokens,
            moved: self.activations * tokens + self.state * decode,
        }
    }

    /// The time of a step in seconds, without attention: the sum of its parts, or the host's
    /// launches where they take longer.
    fn seconds(&self, decode: f64, prefill: f64, prompts: f64) -> f64 {
        let Parts { host, launched, dense, experts, links, moved } =
            self.work(decode, prefill, prompts);
        let device = launched + dense + experts + links + moved;
        // Without a captured graph the host launches every kernel, and the device may wait for it.
        let launched = if prefill > 0.0 { norm3(device, self.launches) } else { device };
        host + launched + self.tower * prefill
    }
}

impl StepTime for Roofline {
    fn tokens(&self, decode: f64, prefill: f64, prompts: f64) -> Time {
        Time::from_stored(self.scale * self.seconds(decode, prefill, prompts))
    }
    fn beneath(&self, decode: f64, prefill: f64) -> Time {
        let tokens = (decode * self.verified + prefill) / self.stages;
        Time::from_stored(self.scale * self.exchange.beneath * tokens)
    }
    fn context(&self) -> Time {
        Time::from_stored(self.scale * self.context.over(self.verified))
    }
    fn windowed(&self) -> Option<(Time, u32)> {
        let time = |reading: Reading| Time::from_stored(self.scale * reading.over(self.verified));
        self.windowed.map(|(reading, window)| (time(reading), window))
    }
    fn pairs(&self) -> (Time, Time) {
        let (full, windowed) = self.pairs;
        (Time::from_stored(self.scale * full), Time::from_stored(self.scale * windowed))
    }
}
