//! The extents of a model on which memory, step times, parallelism and serving depend. They are
//! read once from the operators, by kind and role, whatever names a family gives to its layers.

mod sums;

use std::collections::BTreeMap;

pub use self::sums::{Attending, Sums};
use super::layer::{Layer, Part, Role, Routing};
use super::operator::{Attention, Convolution, Dense, Function, Mask, Operator};
use crate::calibration::Intervals;
use crate::quantity::{Precision, real};

/// Extents of a model. An extent that a model does not have is 0 or `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extents {
    /// Blocks, one after the other: each mixes positions and has an MLP. Mixers that share an MLP
    /// are in one block; where most have none, each is a block.
    pub layers: u64,
    /// Width of the residual stream.
    pub hidden: u64,
    /// Query heads of the attention block that occurs most often.
    pub heads: u64,
    /// Key and value heads of that block; fewer than `heads` with grouped queries.
    pub kv_heads: u64,
    /// Features of a query and key head.
    pub key_dim: u64,
    /// Features of a value head.
    pub value_dim: u64,
    /// Inner width of the dense MLPs, the mean where they differ, or of an expert if there is no other
    /// MLP.
    pub ffn: u64,
    /// True if the MLP has a gate beside its up-projection (`SwiGLU` and kin, Shazeer 2020,
    /// arXiv:2002.05202).
    pub gated: bool,
    /// Entries of the vocabulary.
    pub vocabulary: u64,
    /// True if all its inputs are looked up in tables: tokens, no images or sound.
    pub tokens: bool,
    /// The longest sequence that the model was made for.
    pub max_sequence: Option<u64>,
    /// All parameters, those of experts and of unused towers included.
    pub parameters: u64,
    /// Low-rank queries, keys and values (multi-head latent attention, DeepSeek-V2,
    /// arXiv:2405.04434).
    pub latent: Option<Latent>,
    /// Routed experts.
    pub experts: Option<Experts>,
    /// Layers that look back over a window only, of a model whose operators are not known.
    pub windows: Option<Windows>,
    /// Kinds of layers that mix positions, with the elements that each keeps of a sequence during
    /// generation.
    pub mixers: Vec<Mixer>,
    /// Parameters by their part in the model.
    pub weights: Weights,
    /// The exact sums of its operators, where they are known.
    pub sums: Option<Sums>,
    /// Parameters that are in memory without being among `weights`: towers for images and sound,
    /// and what the input does not reach.
    pub beside: u64,
    /// True if nobody said the shape: it is the usual one of the model's size.
    pub assumed: bool,
}

/// Ranks of multi-head latent attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latent {
    /// Rank of the queries.
    pub query_rank: u64,
    /// Rank of keys and values.
    pub key_value_rank: u64,
    /// Features of the rotary key that all heads share.
    pub rotary: u64,
}

/// A mixture of experts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Experts {
    /// Routed experts of a layer.
    pub count: u64,
    /// Routed experts that each token visits.
    pub top_k: u64,
    /// Inner width of one expert.
    pub ffn: u64,
    /// Experts that every token visits, in widths of a routed expert.
    pub shared: u64,
    /// Blocks that have experts.
    pub layers: u64,
}

/// Sliding-window attention in a part of the layers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Windows {
    /// Part of the layers that look back over the window only.
    pub share: f64,
    /// Positions of the window.
    pub positions: u64,
}

/// Layers that mix positions in the same way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mixer {
    /// The number of such layers.
    pub layers: u64,
    /// True if they are blocks. An indexer that selects keys, or a second pass over kept keys, is a
    /// part of a block.
    pub block: bool,
    /// Query heads; 0 for a scan.
    pub heads: u64,
    /// Key and value heads.
    pub kv_heads: u64,
    /// Features of a query and key head.
    pub key_dim: u64,
    /// Features of a value head.
    pub value_dim: u64,
    /// Elements kept per position: keys and values, or the latent of MLA.
    pub kept: u64,
    /// The positions that are attended to.
    pub reach: Reach,
    /// Pairs of query and key that the mask lets through in one layer, over the model's input.
    pub pairs: u64,
    /// True if the kept positions are those of another sequence (cross-attention).
    pub cross: bool,
    /// Elements kept whatever the length: the state of a scan, or the last inputs of a causal
    /// convolution.
    pub state: u64,
    /// The format of that state, where there is one.
    pub stored: Option<Precision>,
}

/// The positions that a layer attends to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// All positions before it, or all.
    #[default]
    All,
    /// The positions of a window; no others are kept.
    Window(u64),
    /// The positions of its chunk of this length, from the first on.
    Chunk(u64),
    /// A number of positions that an indexer picks among all that are kept.
    Selected(u64),
}

/// Parameters by their part in the model, summed over layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weights {
    /// Tables that are looked up, not multiplied.
    pub embedding: u64,
    /// The LM head.
    pub head: u64,
    /// Attention projections and other token mixers.
    pub mixing: u64,
    /// One routed expert of each layer that has them.
    pub expert: u64,
    /// All others: dense MLPs, shared experts, routers, norms.
    pub dense: u64,
}

impl Mixer {
    /// True if a latent is kept instead of keys and values.
    pub fn latent(&self) -> bool {
        let plain = self.kv_heads.saturating_mul(self.key_dim.saturating_add(self.value_dim));
        self.kept > 0 && self.kept < plain
    }

    /// Elements kept of a sequence: layers x (kept x positions + state), where a window limits the
    /// positions.
    fn elements(&self, length: u64) -> u64 {
        let positions = if let Reach::Window(most) | Reach::Chunk(most) = self.reach {
            most.min(length)
        } else {
            length
        };
        let sequence = self.kept.saturating_mul(positions).saturating_add(self.state);
        self.layers.saturating_mul(sequence)
    }
}

impl Extents {
    /// Reads the extents from the layers.
    pub fn of(layers: &[Layer], max_sequence: Option<u64>) -> Self {
        // A tower that the input does not reach owns parameters, but does not run.
        let parameters = layers.iter().fold(0, |sum: u64, l| sum.saturating_add(l.parameters()));
        let runs = |layer: &&Layer| layer.count > 0 && layer.part == Part::Main;
        let beside = layers.iter().filter(|layer| !runs(layer));
        let beside = beside.fold(0, |sum: u64, layer| sum.saturating_add(layer.parameters()));
        let layers: Vec<&Layer> = layers.iter().filter(runs).collect();
        let mixers = mixers(&layers);
        let blocks = || mixers.iter().filter(|mixer| mixer.block);
        // The first kind wins if several occur equally often.
        let attention = blocks().filter(|block| block.heads > 0).rev();
        let most = attention.max_by_key(|block| block.layers).copied().unwrap_or_default();
        let mut extents = Self {
            hidden: residual(&layers),
            heads: most.heads,
            kv_heads: most.kv_heads,
            key_dim: most.key_dim,
            value_dim: most.value_dim,
            vocabulary: vocabulary(&layers),
            tokens: layers.iter().all(|layer| !layer.reads_data || looked_up(layer)),
            max_sequence,
            parameters,
            weights: weights(&layers),
            sums: Some(Sums::of(&layers, beside)),
            beside,
            mixers,
            ..Self::default()
        };
        extents.latent = extents.latent_ranks(&layers);
        extents.feed_forward(&layers);
        extents
    }

    /// True for a stack of attention blocks with MLPs over tokens, for which the step-time model of
    /// training is made.
    pub fn is_transformer(&self) -> bool {
        let extents = [self.heads, self.hidden, self.vocabulary, self.ffn];
        // Projections of another form have far fewer weights than these extents make up.
        let projections = self.layers as f64 * self.attention_weights();
        let plain = projections < 2.0 * self.weights.mixing as f64;
        self.tokens && plain && extents.iter().all(|extent| *extent > 0)
    }

    /// True if layers mix positions by scans or convolutions, not by attention.
    pub fn scans(&self) -> bool {
        self.mixers.iter().any(|mixer| mixer.heads == 0)
    }

    /// Elements kept of a sequence of `length` positions during generation: KV cache and states.
    /// Times the bytes of an element, this is the memory of one sequence.
    pub fn cached_elements(&self, length: u64) -> u64 {
        self.mixers.iter().fold(0, |sum: u64, mixer| sum.saturating_add(mixer.elements(length)))
    }

    /// Half-width of the 80 % interval of a forecast whose own is `width`: wider where the shape is
    /// the usual one of the model's size. Both are errors of their own, so their squares add.
    pub fn widened(&self, width: f64, intervals: &Intervals) -> f64 {
        match (self.assumed, self.experts.is_some()) {
            (false, _) => width,
            (true, false) => width.hypot(intervals.half_width("assumed_dense")),
            (true, true) => width.hypot(intervals.half_width("assumed_experts")),
        }
    }

    /// Matrices of one MLP: up and down, and the gate if there is one.
    pub fn mlp_matrices(&self) -> f64 {
        if self.gated { 3.0 } else { 2.0 }
    }

    /// Weights of one block's attention projections. With d = `hidden`:
    ///
    /// - plain: d (heads x key + `kv_heads` (key + value)) for queries, keys and values, and heads
    ///   x value x d for the output;
    /// - latent (DeepSeek-V2, arXiv:2405.04434): d (q + c + rope) down, q x heads x key and c x
    ///   heads (nope + value) up, and the same output, with query rank q, key-value rank c and nope
    ///   = key - rope.
    pub fn attention_weights(&self) -> f64 {
        let [d, heads, kv] = real([self.hidden, self.heads, self.kv_heads]);
        let [key, value] = real([self.key_dim, self.value_dim]);
        match self.latent {
            None => d * (heads * key + kv * (key + value)) + heads * value * d,
            Some(Latent { query_rank, key_value_rank, rotary }) => {
                let [q, c, rope] = real([query_rank, key_value_rank, rotary]);
                let nope = key - rope;
                d * (q + c + rope)
                    + q * heads * key
                    + c * heads * (nope + value)
                    + heads * value * d
            }
        }
    }

    /// Weights of one dense MLP: matrices x `hidden` x `ffn`.
    pub fn mlp_weights(&self) -> f64 {
        self.mlp_matrices() * self.hidden as f64 * self.ffn as f64
    }

    /// Weights of all routed experts of one block: matrices x `hidden` x width of an expert x
    /// experts.
    pub fn expert_weights(&self) -> f64 {
        self.experts.map_or(0.0, |experts| {
            self.mlp_matrices() * (self.hidden * experts.ffn) as f64 * experts.count as f64
        })
    }

    /// Weights of the embedding table (or of the head): `vocabulary` x `hidden`.
    pub fn embedding_weights(&self) -> f64 {
        self.vocabulary as f64 * self.hidden as f64
    }

    /// Blocks with routed experts, at most all blocks.
    pub fn expert_layers(&self) -> u64 {
        self.experts.map_or(0, |experts| experts.layers.min(self.layers))
    }

    /// Ranks of latent attention: those of the projections down to the kept elements, and up from
    /// them to keys and values. The kept elements are the latent and the rotary key beside it.
    fn latent_ranks(&self, layers: &[&Layer]) -> Option<Latent> {
        let mixer = self.mixers.iter().find(|mixer| mixer.block && mixer.latent())?;
        let projections =
            || layers.iter().filter(|layer| layer.role == Role::Attention).filter_map(|l| dense(l));
        projections().find(|d| d.inputs == self.hidden && d.outputs == mixer.kept)?;
        let rises = |d: &&Dense| {
            let rotary = mixer.kept.saturating_sub(d.inputs);
            let features = (mixer.key_dim + mixer.value_dim).saturating_sub(rotary);
            d.inputs <= mixer.kept && d.outputs == mixer.heads * features
        };
        let rank = projections().find(rises)?.inputs;
        let queries = projections().find(|d| d.outputs == mixer.heads * mixer.key_dim);
        Some(Latent {
            query_rank: queries.map_or(self.hidden, |queries| queries.inputs),
            key_value_rank: rank,
            rotary: mixer.kept - rank,
        })
    }

    /// Widths of the MLPs, and the number of blocks. MLPs beside the experts of each
    /// block are shared; the others are those of blocks without experts.
    fn feed_forward(&mut self, layers: &[&Layer]) {
        let is = |role: Role| move |layer: &&&Layer| layer.role == role;
        let feeds = |layer: &Layer| matches!(layer.role, Role::Mlp | Role::Experts);
        self.gated = layers.iter().any(|layer| {
            let multiplies = |f: Function| f == Function::Multiply;
            feeds(layer)
                && matches!(&layer.operator, Operator::Pointwise(p) if multiplies(p.function))
        });
        let dense = falling(layers.iter().filter(is(Role::Mlp)), self.hidden);
        self.experts = self.routed(layers.iter().filter(is(Role::Experts)));
        let mixers = |of: &dyn Fn(&&Mixer) -> bool| -> u64 {
            self.mixers.iter().filter(of).fold(0, |sum, it| sum.saturating_add(it.layers))
        };
        let [mixed, mixers] = [mixers(&|it| it.block), mixers(&|_| true)];
        let sparse = self.experts.map_or(0, |experts| experts.layers);
        let (mut shared, mut blocks, mut widths) = (0, 0_u64, 0.0);
        // The widest come first. If as many blocks have experts as have none, the widest are dense.
        for (width, count) in dense.into_iter().rev() {
            let taken = blocks > 0 || 2 * sparse != mixed;
            if count == sparse && taken {
                shared = shared.max(width);
            } else {
                blocks = blocks.saturating_add(count);
                widths += width as f64 * count as f64;
            }
        }
        self.ffn = if blocks > 0 { (widths / blocks as f64).round() as u64 } else { shared };
        if let Some(experts) = &mut self.experts {
            experts.shared = (shared + experts.ffn / 2) / experts.ffn;
            self.ffn = self.ffn.max(if blocks > 0 { 0 } else { experts.ffn });
        }
        // Where each mixer has a dense MLP already, the experts are beside some of these.
        let both = blocks.saturating_add(sparse);
        let fed = if both > mixers { blocks.max(sparse) } else { both };
        self.layers = if mixed > fed.saturating_mul(2) { mixed } else { fed };
    }

    /// Routed experts without the shared ones. Their width is that of matrices on the residual
    /// stream, even if they work on a projection of it: weights / (layers x matrices x `hidden`).
    fn routed<'a>(&self, layers: impl Iterator<Item = &'a &'a Layer>) -> Option<Experts> {
        let (mut counts, mut weights, mut routing) = (BTreeMap::new(), 0.0, None);
        for (layer, dense) in layers.filter_map(|layer| Some((layer, dense(layer)?))) {
            let Some(found) = layer.routing else { continue };
            routing.get_or_insert(found);
            *counts.entry(layer.name.as_str()).or_insert(0) += layer.count;
            weights += (dense.inputs * dense.outputs) as f64 * layer.count as f64;
        }
        let (routing, layers) = (routing?, counts.into_values().max()?);
        let ffn = weights / (layers as f64 * self.mlp_matrices() * self.hidden as f64);
        let Routing { experts: count, top_k } = routing;
        Some(Experts { count, top_k, ffn: (ffn.round() as u64).max(1), shared: 0, layers })
    }
}

/// The linear layer, if the layer is one.
fn dense(layer: &Layer) -> Option<&Dense> {
    if let Operator::Dense(dense) = &layer.operator { Some(dense) } else { None }
}

/// Inner widths of the MLPs, and how many have it, among those whose last product leads back to the
/// residual stream; narrow ones first.
fn falling<'a>(layers: impl Iterator<Item = &'a &'a Layer>, hidden: u64) -> Vec<(u64, u64)> {
    let mut counts: BTreeMap<(u64, &str), u64> = BTreeMap::new();
    for layer in layers {
        if let Some(dense) = dense(layer).filter(|dense| dense.outputs == hidden) {
            *counts.entry((dense.inputs, &layer.name)).or_default() += layer.count;
        }
    }
    let mut widths: Vec<(u64, u64)> = Vec::new();
    for ((width, _), count) in counts {
        match widths.last_mut() {
            // If the inner width is that of the stream, each product of an MLP looks like its last.
            Some((last, most)) if *last == width && width == hidden => *most = count.max(*most),
            _ => widths.push((width, count)),
        }
    }
    widths
}

/// Layers that mix positions, by kind, in the order of their first occurrence.
fn mixers(layers: &[&Layer]) -> Vec<Mixer> {
    // Beside layers that look back, those that see both ways belong to an encoder, of which
    // generation keeps nothing.
    let generates = layers.iter().any(|layer| match &layer.operator {
        Operator::Attention(it) => !matches!(it.mask, Mask::Full | Mask::Band(_)),
        _ => false,
    });
    let encodes =
        |it: &Attention| generates && !it.cross && matches!(it.mask, Mask::Full | Mask::Band(_));
    let mut mixers: Vec<Mixer> = Vec::new();
    for layer in layers {
        let mixer = match &layer.operator {
            Operator::Attention(it) => Mixer {
                // A pass over entries that were compressed, or kept by other layers, keeps less
                // than a head's values.
                block: layer.role != Role::Router && it.cached.is_none_or(|kept| kept >= it.v_dim),
                kept: if encodes(it) { 0 } else { it.cached_per_key() },
                ..attends(it)
            },
            Operator::Scan(it) => Mixer {
                block: true,
                state: it.state() as u64,
                stored: Some(it.stored),
                ..Mixer::default()
            },
            // The convolution before a scan, or in its place, keeps the inputs that its next window
            // covers, in the model's own format.
            Operator::Convolution(it) if layer.role == Role::Mixer => {
                Mixer { state: remembered(it), stored: Some(Precision::Bf16), ..Mixer::default() }
            }
            _ => continue,
        };
        match mixers.iter_mut().find(|known| Mixer { layers: 0, ..**known } == mixer) {
            Some(known) => known.layers = known.layers.saturating_add(layer.count),
            None => mixers.push(Mixer { layers: layer.count, ..mixer }),
        }
    }
    mixers
}

/// Inputs that a causal depthwise convolution over positions keeps: channels x (kernel - 1).
fn remembered(it: &Convolution) -> u64 {
    match &it.axes[..] {
        [axis] if it.groups == it.in_channels => {
            it.in_channels.saturating_mul(axis.kernel.saturating_sub(1))
        }
        _ => 0,
    }
}

/// The kind of mixer that an attention operator makes.
fn attends(it: &Attention) -> Mixer {
    Mixer {
        heads: it.heads,
        kv_heads: it.kv_heads,
        key_dim: it.qk_dim,
        value_dim: it.v_dim,
        kept: it.cached_per_key(),
        cross: it.cross,
        pairs: it.batch.saturating_mul(it.mask.pairs(it.queries, it.keys) as u64),
        reach: match it.mask {
            Mask::Sliding(window) => Reach::Window(window),
            Mask::Chunked(length) => Reach::Chunk(length),
            Mask::Selected(window) => Reach::Selected(window),
            Mask::Full | Mask::Causal | Mask::Band(_) => Reach::All,
        },
        ..Mixer::default()
    }
}

/// Entries of the largest embedding table.
fn vocabulary(layers: &[&Layer]) -> u64 {
    let tables = layers.iter().filter(|layer| layer.role == Role::Embedding);
    let entries = tables.filter_map(|layer| match &layer.operator {
        Operator::Embedding(it) => Some(it.entries),
        _ => None,
    });
    entries.max().unwrap_or(0)
}

/// Parameters of the layers by role. Embedding tables count once, other weights as often as they
/// run, so the weights of a tied head count for the head too.
fn weights(layers: &[&Layer]) -> Weights {
    let mut sums = Weights::default();
    for layer in layers {
        // Of a bare count, what a token passes is used.
        let used = match &layer.operator {
            Operator::Bulk(bulk) => bulk.active,
            operator => operator.parameters(),
        };
        let used = used.saturating_mul(layer.count);
        let (sum, more) = match layer.role {
            Role::Embedding => (&mut sums.embedding, layer.parameters()),
            Role::Head => (&mut sums.head, used),
            Role::Attention | Role::Mixer => (&mut sums.mixing, used),
            Role::Experts => (&mut sums.expert, used),
            _ => (&mut sums.dense, used),
        };
        *sum = sum.saturating_add(more);
    }
    sums
}

/// The width of the residual stream: it has a norm, and most products of blocks begin or end with
/// it.
fn residual(layers: &[&Layer]) -> u64 {
    // Products and norms by width.
    let mut widths: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for layer in layers {
        if let Operator::Norm(norm) = &layer.operator {
            let (_, norms) = widths.entry(norm.dim).or_default();
            *norms = norms.saturating_add(layer.count);
        }
    }
    for (layer, dense) in layers.iter().filter_map(|layer| Some((layer, dense(layer)?))) {
        for width in [dense.inputs, dense.outputs] {
            if let Some((products, _)) = widths.get_mut(&width) {
                *products = products.saturating_add(layer.count);
            }
        }
    }
    widths.iter().max_by_key(|(dim, uses)| (**uses, **dim)).map_or(0, |(dim, _)| *dim)
}

/// True for a look-up in a table.
fn looked_up(layer: &Layer) -> bool {
    matches!(layer.operator, Operator::Embedding(_))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::{Input, Model, spec};

    fn preset(name: &str) -> Model {
        spec::from_preset(name, &Input::default()).expect("a preset")
    }

    /// Llama 3 70B (arXiv:2407.21783, Table 3).
    pub(crate) fn llama3_70b() -> Extents {
        Extents {
            layers: 80,
            hidden: 8192,
            heads: 64,
            kv_heads: 8,
            key_dim: 128,
            value_dim: 128,
            ffn: 28672,
            gated: true,
            vocabulary: 128_256,
            parameters: 70_553_706_496,
            ..Extents::default()
        }
    }

    #[test]
    fn weights_of_the_parts_add_up_to_the_published_total() {
        let model = llama3_70b();
        let block = model.attention_weights() + model.mlp_weights() + 2.0 * 8192.0;
        let total = 80.0 * block + 2.0 * model.embedding_weights() + 8192.0;
        assert!((total - model.parameters as f64).abs() < 1.0, "{total}");
    }

    #[test]
    fn latent_attention_has_the_weights_of_deepseek_v3() {
        let latent = Some(Latent { query_rank: 1536, key_value_rank: 512, rotary: 64 });
        let model = Extents {
            hidden: 7168,
            heads: 128,
            kv_heads: 128,
            key_dim: 192,
            latent,
            ..llama3_70b()
        };
        // arXiv:2412.19437: q 1536 x (7168 + 24576), kv 7168 x 576 + 512 x 32768, o 16384 x 7168
        assert!((model.attention_weights() - 187_105_280.0).abs() < 1.0);
    }

    #[test]
    fn extents_make_up_the_parameters() {
        let check = |name: &str, expected: &dyn Fn(&Extents) -> bool| {
            let extents = preset(name).extents;
            assert!(extents.is_transformer() && expected(&extents), "{name}: {extents:?}");
            // Blocks and tables make up the parameters, norms and biases aside.
            let layers = extents.layers as f64;
            let sparse = extents.expert_layers() as f64;
            let shared = extents.experts.map_or(0.0, |e| e.shared as f64 * e.ffn as f64);
            let shared = extents.mlp_matrices() * extents.hidden as f64 * shared;
            let sum = layers * extents.attention_weights()
                + (layers - sparse) * extents.mlp_weights()
                + sparse * (extents.expert_weights() + shared)
                + 2.0 * extents.embedding_weights();
            let ratio = sum / extents.parameters as f64;
            assert!((0.98..1.02).contains(&ratio), "{name}: {ratio} of the parameters");
        };
        check("llama-3-8b", &|t| t.gated && t.ffn == 14_336 && t.kv_heads == 8);
        check("llama-3.1-405b", &|t| t.layers == 126 && t.ffn == 53_248);
        check("mixtral-8x7b", &|t| t.experts.is_some_and(|e| (e.count, e.top_k) == (8, 2)));
        // As many blocks have experts, one of them shared, as have a dense MLP.
        check("llama-4-maverick", &|t| {
            t.ffn == 16_384
                && t.experts.is_some_and(|e| (e.layers, e.shared, e.ffn) == (24, 1, 8192))
        });
        // An expert's width is that of the residual stream.
        check("gpt-oss-20b", &|t| t.experts.is_some_and(|e| e.ffn == t.hidden && e.layers == 24));
        let latent = Latent { query_rank: 1536, key_value_rank: 512, rotary: 64 };
        check("deepseek-v3", &|t| {
            t.latent == Some(latent)
                && t.experts.is_some_and(|e| (e.layers, e.shared, e.ffn) == (58, 1, 2048))
        });
    }

    #[test]
    fn what_reads_no_tokens_is_no_transformer() {
        for name in ["resnet50", "whisper-tiny"] {
            assert!(!preset(name).extents.is_transformer(), "{name}");
        }
    }

    #[test]
    fn passes_beside_a_block_are_no_blocks() {
        // An indexer, and a pass over compressed entries, in each of the 61 layers.
        for name in ["deepseek-v3.2", "deepseek-v4-pro"] {
            assert_eq!(preset(name).extents.layers, 61, "{name}");
        }
    }
}
