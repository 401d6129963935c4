//! The time of one optimizer step from first principles: a roofline of matrix products that knows
//! their size, attention kernels, memory-bound operators, launches, communication, the pipeline's
//! slowest stage.
//!
//! Nothing is fitted per model. The constants are [`General`] and [`Rates`]; `docs/accuracy.md`
//! shows what they reach on published runs.
//!
//! [`General`]: super::calibration::General
//! [`Rates`]: super::calibration::Rates

use super::communication::{self as comm, Links};
use super::parallelism::{Batch, Parallelism};
use super::platform::{ExpertKernels, Platform};
use crate::kernel::UPDATE_BYTES;
use crate::kernel::attention::Attention;
use crate::kernel::corner::norm4;
use crate::kernel::product::Limits;
use crate::model::Extents;
use crate::model::extents::Attending;
use crate::quantity::{DeviceTokenRate, Measure, Time, real};

/// One optimizer step and where its time goes, on the slowest stage.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Step {
    /// All of it.
    pub total: Time,
    /// Tokens per second and device.
    pub throughput: DeviceTokenRate,
    /// Dense matrix products of the blocks.
    pub products: Time,
    /// Products of routed experts.
    pub experts: Time,
    /// Attention kernels.
    pub attention: Time,
    /// Memory-bound operators and conversions.
    pub elementwise: Time,
    /// The language-model head and its loss.
    pub head: Time,
    /// Exposed tensor-parallel communication.
    pub tensor: Time,
    /// Exposed communication of the experts.
    pub expert: Time,
    /// Exposed communication of the context-parallel ring.
    pub context: Time,
    /// Exposed communication of weights and gradients between the copies.
    pub data: Time,
    /// Exposed transfers between the stages.
    pub pipeline: Time,
    /// Waiting for other stages: the pipeline's bubble.
    pub bubble: Time,
    /// Waiting for the host, gaps between kernels.
    pub launch: Time,
    /// The optimizer's update.
    pub optimizer: Time,
    /// Everything fixed, and stragglers.
    pub overhead: Time,
}

impl Step {
    /// The parts that take any time, by name and by what they are; they add up to the total.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, &'static str, Time)> {
        let parts = [
            ("dense products", "matrix products of the blocks", self.products),
            ("expert products", "matrix products of routed experts", self.experts),
            ("attention", "attention kernels", self.attention),
            ("elementwise", "memory-bound operators and conversions", self.elementwise),
            ("head and loss", "the language-model head and its loss", self.head),
            ("tensor-parallel communication", "what products do not hide of it", self.tensor),
            ("expert-parallel communication", "what products do not hide of it", self.expert),
            ("context-parallel communication", "what attention does not hide of it", self.context),
            ("data-parallel communication", "exposed gathers and reductions", self.data),
            ("pipeline communication", "exposed transfers between stages", self.pipeline),
            ("pipeline bubble", "waiting for other stages", self.bubble),
            ("host", "waiting for the host, gaps between kernels", self.launch),
            ("optimizer", "the update of the weights", self.optimizer),
            ("fixed overhead", "what each step takes, and stragglers", self.overhead),
        ];
        parts.into_iter().filter(|(.., time)| time.stored() > 0.0)
    }
}

/// Forward + backward time of one layer and one micro-batch, by part; seconds.
#[derive(Clone, Copy, Default)]
struct Layer {
    products: f64,
    experts: f64,
    attention: f64,
    elementwise: f64,
    tensor: f64,
    expert: f64,
    context: f64,
    launch: f64,
}

impl Layer {
    /// Seconds of all parts.
    fn total(&self) -> f64 {
        self.products
            + self.experts
            + self.attention
            + self.elementwise
            + self.tensor
            + self.expert
            + self.context
            + self.launch
    }
}

/// Part of the GEMM efficiency that unfused attention products reach, by their inner extent.
const UNFUSED_PRODUCTS: f64 = 0.7;
/// Bytes per logit of the loss, forward + backward.
const LOSS_BYTES: f64 = 14.0;
/// Most domains that a token is sent to by routers that limit groups (DeepSeek-V3: 4 nodes).
const MOST_DOMAINS: f64 = 4.0;
/// First releases with flash kernels, and with their second generation, in the frameworks.
pub(super) const FLASH: f64 = 2022.9;
const SECOND_FLASH: f64 = 2024.25;

/// One run on one platform, with what its formulas share.
struct Job<'a> {
    model: &'a Extents,
    layout: &'a Parallelism,
    platform: &'a Platform,
    links: Links,
    /// Tokens of a micro-batch on one device.
    tokens: f64,
    length: f64,
    micro_batches: f64,
    /// Part of the forward pass's products that is repeated, and of its attention.
    repeated: f64,
    attention_repeated: f64,
    /// Part of the weights that is trained.
    trained: f64,
    /// Clock that the power budget allows.
    clock: f64,
    operand_traffic: f64,
    /// Speed of the kernels around routed experts / that of today's.
    expert_software: f64,
    flash: bool,
}

/// The time of one optimizer step.
///
/// The caller has checked the layout ([`Parallelism::check`]).
pub fn step(model: &Extents, layout: &Parallelism, batch: Batch, platform: &Platform) -> Step {
    step_of_part(model, layout, batch, platform, 1.0)
}

/// The same where a part of the weights is trained: frozen ones have no gradients to compute,
/// reduce and apply. 1 is all of them, adapters are near 0.
pub fn step_of_part(
    model: &Extents,
    layout: &Parallelism,
    batch: Batch,
    platform: &Platform,
    trained: f64,
) -> Step {
    Job { trained, ..Job::new(model, layout, batch, platform) }.step(batch)
}

/// Time in one step for widening frozen weights of `stored` bytes each to bf16, before every
/// forward and backward pass: read, written, read again by the product (arXiv:2305.14314, eq. 5).
pub fn widening(
    model: &Extents,
    layout: &Parallelism,
    batch: Batch,
    platform: &Platform,
    stored: f64,
) -> Time {
    let [experts, weights] = Job::new(model, layout, batch, platform).local_weights();
    let bytes = 2.0 * (stored + 2.0) * (experts + weights) * layout.micro_batches(batch);
    Time::from_stored(bytes / platform.bandwidth)
}

impl<'a> Job<'a> {
    /// A run of all weights, with the constants that its layout and its year take.
    fn new(
        model: &'a Extents,
        layout: &'a Parallelism,
        batch: Batch,
        platform: &'a Platform,
    ) -> Self {
        let general = &platform.general;
        let [repeated, attention_repeated] = layout.recompute.repeated(general);
        let year = platform.software.year;
        let length = batch.length as f64;
        Self {
            model,
            layout,
            platform,
            links: Links::new(layout, platform),
            tokens: layout.micro_batch as f64 * length / layout.context as f64,
            length,
            micro_batches: layout.micro_batches(batch),
            repeated,
            attention_repeated,
            trained: 1.0,
            clock: platform.power_share.powf(general.power_exponent),
            operand_traffic: general.operand_traffic
                * (platform.peak16 / 312e12).powf(general.width_exponent),
            expert_software: match platform.software.expert_kernels {
                ExpertKernels::Early => part_of_width(model, general.expert_early),
                ExpertKernels::Grouped => 1.0,
                ExpertKernels::Graphs => general.expert_recent,
            },
            flash: year >= FLASH,
        }
    }

    /// Forward + backward time of one product (m x k) (k x n) in the run's precision, seconds:
    ///
    /// t = (2 + trained + repeated) x (2mnk / (peak x efficiency) + traffic x operand bytes / bandwidth)
    fn product(&self, m: f64, n: f64, k: f64) -> f64 {
        self.products(m, n, k, 1.0, self.platform.rates.gemm, self.operand_traffic)
    }

    /// The same of `count` products at a part of the peak, with `passes` over the operands.
    fn products(&self, m: f64, n: f64, k: f64, count: f64, efficiency: f64, passes: f64) -> f64 {
        let platform = self.platform;
        let limits = Limits {
            rate: platform.peak * efficiency * self.clock,
            bandwidth: platform.bandwidth,
            passes,
            timed: platform.products[0],
        };
        let once = limits.time([m, n, k], platform.format.bytes());
        (2.0 + self.trained + self.repeated) * count * once
    }

    /// The attention kernels of the mean layer, QK', softmax, PV, and its scans; forward + backward.
    fn attention(&self) -> f64 {
        let attending = self.model.attending(self.length);
        attending.map(|it| it.share * self.attends(&it)).sum::<f64>() + self.scans()
    }

    /// The kernel of one layer that attends.
    fn attends(&self, it: &Attending) -> f64 {
        let platform = self.platform;
        let work = Attention {
            tokens: self.tokens,
            length: self.length,
            span: it.keys / self.length,
            heads: it.heads as f64 / self.layout.tensor as f64,
            key: it.key,
            value: it.value,
            repeated: self.attention_repeated,
        };
        if self.flash {
            let old = platform.software.year < SECOND_FLASH;
            let efficiency =
                if old { platform.rates.first_flash } else { platform.rates.attention };
            let doublings = (self.layout.context as f64).log2();
            let split = 1.0 + platform.general.context_overhead * doublings;
            split * work.fused(platform.peak16 * efficiency * self.clock)
        } else {
            let rate = platform.peak16 * platform.rates.gemm16 * UNFUSED_PRODUCTS;
            work.unfused(rate, platform.bandwidth)
        }
    }

    /// The scans of the mean layer: their products at the rate of attention kernels, which they have
    /// in common with chunked scans (arXiv:2405.21060, sec. 6), and what they read and write in bf16.
    fn scans(&self) -> f64 {
        let (sums, platform) = (self.model.sums(), self.platform);
        let passes = 3.0 + self.attention_repeated;
        let rate = platform.peak16 * platform.rates.attention * self.clock;
        let traffic = 2.0 * platform.general.elementwise_traffic / platform.bandwidth;
        let once = sums.scanned / rate + sums.moved * traffic;
        passes * once * self.tokens / (self.layout.tensor as f64 * self.model.layers as f64)
    }

    /// Parts that every layer has: projections, attention, memory-bound operators. `ffn` is the
    /// inner width that a token passes.
    fn common(&self, ffn: f64) -> Layer {
        let (model, platform, t) = (self.model, self.platform, self.tokens);
        let general = &platform.general;
        let tensor = self.layout.tensor as f64;
        let [d, heads, kv] = real([model.hidden, model.heads, model.kv_heads]);
        let [key, value] = real([model.key_dim, model.value_dim]);
        let projections = match model.latent {
            None => {
                self.product(t, (heads * key + kv * (key + value)) / tensor, d)
                    + self.product(t, d, heads * value / tensor)
            }
            Some(latent) => {
                let [q, c, rope] = real([latent.query_rank, latent.key_value_rank, latent.rotary]);
                self.product(t, q + c + rope, d)
                    + self.product(t, heads * key / tensor, q)
                    + self.product(t, heads * (key - rope + value) / tensor, c)
                    + self.product(t, d, heads * value / tensor)
            }
        };
        let matrices = model.mlp_matrices() - 1.0;
        let mixed = model.mixing() * heads * key;
        let residual = if self.layout.sequence { tensor } else { 1.0 };
        // Norms and residuals, rotary embedding, activation; read and written once per fused
        // kernel, forward + backward, in bf16.
        let bytes = t
            * (28.0 * d / residual
                + 8.0 * mixed / tensor
                + 10.0 * ffn * (matrices / 2.0 + 0.3) / tensor);
        // An adapter reads what its product reads, and adds to what that has written: forward once,
        // backward twice, on the projections of attention.
        let adapted = if self.trained < 1.0 {
            let results = (heads * key + kv * (key + value)) / tensor + d;
            6.0 * t * (2.0 * d + heads * value / tensor + 3.0 * results)
        } else {
            0.0
        };
        let narrow = if platform.host_launched { 1.0 } else { 0.5 };
        let converted = platform.format.conversion_bytes()
            * narrow
            * t
            * (3.0 * d + mixed + (1.0 + matrices) * ffn)
            / tensor;
        Layer {
            products: projections,
            attention: self.attention(),
            elementwise: (general.elementwise_traffic * bytes * (1.0 + self.repeated / 3.0)
                + general.conversion_traffic * converted
                + adapted)
                / platform.bandwidth,
            tensor: comm::tensor(self.layout, platform, &self.links, t * d, self.repeated),
            ..Layer::default()
        }
    }

    /// A block with a dense MLP.
    fn dense_layer(&self) -> Layer {
        let (model, t) = (self.model, self.tokens);
        let tensor = self.layout.tensor as f64;
        let [d, ffn] = real([model.hidden, model.ffn]);
        let matrices = model.mlp_matrices() - 1.0;
        let mut layer = self.common(ffn);
        layer.products +=
            self.product(t, matrices * ffn / tensor, d) + self.product(t, d, ffn / tensor);
        layer
    }

    /// A block with routed experts.
    fn expert_layer(&self, experts: &crate::model::extents::Experts) -> Layer {
        let (model, platform, t) = (self.model, self.platform, self.tokens);
        let general = &platform.general;
        let [tensor, ranks] = real([self.layout.tensor, self.layout.expert]);
        let [d, ffn, count, top_k, shared] =
            real([model.hidden, experts.ffn, experts.count, experts.top_k, experts.shared]);
        let matrices = model.mlp_matrices() - 1.0;
        let mut layer = self.common((top_k + shared) * ffn);
        let routed = t / tensor;
        let per_expert = (routed * ranks * top_k / count).max(1.0);
        let grouped = |n: f64, k: f64| {
            let efficiency = platform.rates.gemm
                * general.expert_gemm
                * part_of_width(model, general.expert_width);
            let traffic = general.expert_operand_traffic;
            self.products(per_expert, n, k, count / ranks, efficiency, traffic)
        };
        layer.experts = (grouped(matrices * ffn, d) + grouped(d, ffn)) / self.expert_software;
        if shared > 0.0 {
            layer.products += self.product(t, matrices * ffn * shared / tensor, d)
                + self.product(t, d, ffn * shared / tensor);
        }
        let permuted = routed * (24.0 * top_k * d + 16.0 * count);
        layer.elementwise +=
            general.permute_traffic * permuted / platform.bandwidth / self.expert_software;
        layer.expert =
            comm::expert(self.layout, platform, &self.links, routed * d, top_k, MOST_DOMAINS);
        layer
    }

    /// The mean layer of the model, with communication that outlasts its cover and launches.
    fn layer(&self) -> Layer {
        let model = self.model;
        let mut mean = match &model.experts {
            None => self.dense_layer(),
            Some(experts) => {
                let dense = model.layers.saturating_sub(model.expert_layers());
                let dense = dense as f64 / model.layers as f64;
                let routed = self.expert_layer(experts);
                if dense > 0.0 { mix(&self.dense_layer(), &routed, dense) } else { routed }
            }
        };
        // What is uneven in blocks, or no part of the usual one, takes the time of as many of its weights.
        mean.products *= model.sums().passed / model.usual_weights();
        if self.layout.context > 1 {
            let attending: f64 = model.attending(self.length).map(|it| it.share).sum();
            let kv = attending.min(1.0) * (model.kv_heads * model.key_dim) as f64
                / self.layout.tensor as f64;
            let ring = comm::context(self.layout, &self.links, self.tokens * kv);
            mean.context = (ring - mean.attention).max(0.0);
        }
        if self.platform.host_launched {
            let general = &self.platform.general;
            let routed = model.expert_layers() as f64 / model.layers as f64;
            let host = general.layer_launch + routed * general.expert_launch / self.expert_software;
            let busy = mean.total() + general.kernel_gaps * (1.0 + self.repeated / 3.0);
            // Device and host work side by side; the slower one mostly sets the pace.
            mean.launch = norm4(busy, host) - mean.total();
        }
        mean
    }

    /// The head's products and loss of one micro-batch, always in bf16.
    fn head(&self) -> f64 {
        let platform = self.platform;
        let hidden = self.model.hidden as f64;
        let vocabulary = self.model.sums().head / (hidden * self.layout.tensor as f64);
        if vocabulary <= 0.0 {
            return 0.0;
        }
        let limits = Limits {
            rate: platform.peak16 * platform.rates.gemm16 * self.clock,
            bandwidth: platform.bandwidth,
            passes: self.operand_traffic,
            timed: platform.products[1],
        };
        let products = (2.0 + self.trained) * limits.time([self.tokens, vocabulary, hidden], 2.0);
        let loss = LOSS_BYTES * platform.general.elementwise_traffic * self.tokens * vocabulary;
        products + loss / platform.bandwidth
    }

    /// The step: `m` micro-batches on the slowest stage, the bubble, exposed gradients, the update,
    /// and the overhead of a step.
    fn step(&self, batch: Batch) -> Step {
        let (model, layout, platform) = (self.model, self.layout, self.platform);
        let general = &platform.general;
        let [layers, stages, m] = [model.layers as f64, layout.pipeline as f64, self.micro_batches];
        let layer = self.layer();
        let head = self.head();

        // Stages are as even as whole layers allow; the last one has the head as well.
        let stage_layers = (layers / stages).ceil();
        let last_layers = (layers - stage_layers * (stages - 1.0)).max(0.0);
        let (full, last) = (stage_layers * layer.total(), last_layers * layer.total() + head);
        let (slowest, its_layers, its_head) =
            if full > last { (full, stage_layers, 0.0) } else { (last, last_layers, head) };
        let others = layers * layer.total() + head - slowest;
        let bubble = if layout.pipeline > 1 { others / layout.chunks as f64 } else { 0.0 };
        let busy = m * slowest + bubble;

        let [experts, weights] = self.local_weights();
        let local = [experts, weights];
        let sharded = comm::sharded_weights(layout, platform, &self.links, local, m, self.trained);
        let gathered = norm4(busy, sharded) - busy + general.exposed_weights * sharded;
        let reduced = self.trained * comm::gradients(layout, platform, &self.links, local);
        let between = comm::pipeline(
            layout,
            &self.links,
            self.tokens * model.hidden as f64 / layout.tensor as f64,
            m,
        );
        let copies = (layout.data * layout.context) as f64;
        let shards = if layout.zero == super::parallelism::Zero::Off { 1.0 } else { copies };
        let updated = self.trained * (experts + weights) / shards;
        let optimizer = UPDATE_BYTES * updated / platform.bandwidth;
        let fixed = match (platform.software.captured, platform.host_launched) {
            (true, _) => general.captured_overhead,
            (false, true) => general.step_overhead,
            (false, false) => 0.2 * general.step_overhead,
        };
        let sum = busy + gathered + reduced + between + optimizer + fixed;
        let doublings = (layout.devices() as f64 / 8.0).log2().max(0.0);
        // Whatever makes a framework slower makes every part of its step longer.
        let pace = 1.0 / platform.maturity;
        let total = pace * sum * (1.0 + general.straggler * doublings);

        let seconds = |part: f64| Time::from_stored(part * pace);
        let in_stage = |part: f64| seconds(part * its_layers * m);
        let tokens = batch.sequences as f64 * self.length;
        Step {
            total: Time::from_stored(total),
            throughput: DeviceTokenRate::from_stored(tokens / (layout.devices() as f64 * total)),
            products: in_stage(layer.products),
            experts: in_stage(layer.experts),
            attention: in_stage(layer.attention),
            elementwise: in_stage(layer.elementwise),
            tensor: in_stage(layer.tensor),
            expert: in_stage(layer.expert),
            context: in_stage(layer.context),
            launch: in_stage(layer.launch),
            head: seconds(its_head * m),
            data: seconds(gathered + reduced),
            pipeline: seconds(between),
            bubble: seconds(bubble),
            optimizer: seconds(optimizer),
            overhead: seconds(fixed) + Time::from_stored(total - pace * sum),
        }
    }

    /// Weights of one device: of experts, and the rest.
    fn local_weights(&self) -> [f64; 2] {
        let (model, layout) = (self.model, self.layout);
        let experts = model.expert_layers() as f64 * model.expert_weights();
        let rest = (model.parameters as f64 - experts).max(1.0);
        [
            experts / (layout.pipeline * layout.expert_shards()) as f64,
            rest / (layout.tensor * layout.pipeline) as f64,
        ]
    }
}

/// Width of an expert / (that + a width): what kernels that pay for each routed token leave of it.
fn part_of_width(model: &Extents, half: f64) -> f64 {
    let width = model.experts.map_or(f64::INFINITY, |experts| experts.ffn as f64);
    1.0 / (1.0 + half / width)
}

/// `share` of `a` and the rest of `b`.
fn mix(a: &Layer, b: &Layer, share: f64) -> Layer {
    let of = |a: f64, b: f64| share * a + (1.0 - share) * b;
    Layer {
        products: of(a.products, b.products),
        experts: of(a.experts, b.experts),
        attention: of(a.attention, b.attention),
        elementwise: of(a.elementwise, b.elementwise),
        tensor: of(a.tensor, b.tensor),
        expert: of(a.expert, b.expert),
        context: of(a.context, b.context),
        launch: of(a.launch, b.launch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::model::extents::tests::llama3_70b;
    use crate::training::calibration::Calibration;
    use crate::training::format::Format;
    use crate::training::parallelism::{Recompute, Zero};
    use crate::training::platform::Hardware;

    fn platform(accelerator: &str, format: Format) -> Platform {
        let (catalog, calibration) = (Catalog::embedded(), Calibration::shipped().unwrap());
        let hardware = Hardware::of(&catalog, accelerator, format).unwrap();
        let software = calibration.software(calibration.framework_named("nemo").unwrap(), 2025.4);
        Platform::new(&hardware, format, software, calibration).unwrap()
    }

    const LAYOUT: Parallelism = Parallelism {
        tensor: 4,
        sequence: true,
        pipeline: 4,
        chunks: 5,
        context: 2,
        data: 2,
        expert: 1,
        zero: Zero::Optimizer,
        micro_batch: 1,
        recompute: Recompute::None,
    };
    const BATCH: Batch = Batch { sequences: 128, length: 8192 };

    fn seconds(layout: Parallelism, batch: Batch) -> f64 {
        step(&llama3_70b(), &layout, batch, &platform("h100-sxm", Format::Half)).total.stored()
    }

    /// NVIDIA's recipe for Llama 3.1 70B on 64 H100 in bf16 (dgxc-benchmarking, June 2025): 1118
    /// tokens/s per device, and 1662 in fp8 with TP 4, PP 8, CP 1.
    #[test]
    fn predicts_a_published_recipe_within_a_tenth() {
        let fp8 = Parallelism { pipeline: 8, context: 1, ..LAYOUT };
        for (layout, format, published) in
            [(LAYOUT, Format::Half, 1118.0), (fp8, Format::Fp8, 1662.0)]
        {
            let found = step(&llama3_70b(), &layout, BATCH, &platform("h100-sxm", format));
            let error = found.throughput.stored() / published - 1.0;
            assert!(error.abs() < 0.1, "{format:?}: {error}");
        }
    }

    #[test]
    fn the_parts_add_up_to_the_step() {
        let step = step(&llama3_70b(), &LAYOUT, BATCH, &platform("h100-sxm", Format::Half));
        let parts = [
            step.products,
            step.experts,
            step.attention,
            step.elementwise,
            step.head,
            step.tensor,
            step.expert,
            step.context,
            step.data,
            step.pipeline,
            step.bubble,
            step.launch,
            step.optimizer,
            step.overhead,
        ];
        let sum: f64 = parts.iter().map(|part| part.stored()).sum();
        assert!((sum / step.total.stored() - 1.0).abs() < 1e-9, "{sum} of {:?}", step.total);
    }

    #[test]
    fn what_costs_time_costs_time() {
        let base = seconds(LAYOUT, BATCH);
        let slower = [
            ("recomputation", Parallelism { recompute: Recompute::Full, ..LAYOUT }),
            ("fewer chunks, more bubble", Parallelism { chunks: 1, ..LAYOUT }),
            ("tensor parallelism", Parallelism { tensor: 8, data: 1, ..LAYOUT }),
        ];
        for (name, layout) in slower {
            assert!(seconds(layout, BATCH) > base, "{name}");
        }
        let twice = seconds(LAYOUT, Batch { sequences: 256, ..BATCH });
        assert!(twice > 1.8 * base && twice < 2.0 * base, "the bubble does not grow: {twice}");
    }

    #[test]
    fn less_power_means_less_speed() {
        let time = |accelerator| {
            step(&llama3_70b(), &LAYOUT, BATCH, &platform(accelerator, Format::Half)).total.stored()
        };
        assert!(time("h100-sxm-96gb-500w") > 1.2 * time("h100-sxm"));
        assert!(time("h200-sxm") < 1.0 * time("h100-sxm"));
    }
}
