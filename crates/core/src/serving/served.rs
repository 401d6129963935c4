//! A model as an engine serves it.

use crate::diagnostic::{Error, Result};
use crate::model::extents::{Mixer, Reach};
use crate::model::{Layer, Model, Role};
use crate::quantity::{Data, Measure as _};

/// Parameters, FLOPs and KV cache of a generative model, summed over layers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServedModel {
    /// Layers, and those of them with routed experts.
    pub layers: u64,
    /// See `layers`.
    pub moe_layers: u64,
    /// Width of the residual stream.
    pub hidden: u64,
    /// Parameters of all attention projections and other token mixers.
    pub attention: u64,
    /// Parameters of all dense feed-forward blocks, shared experts and routers.
    pub dense: u64,
    /// Parameters of one routed expert, summed over the layers that have them.
    pub expert: u64,
    /// Routed experts of a layer.
    pub experts: u64,
    /// How many of them a token visits.
    pub top_k: u64,
    /// Parameters of the LM head.
    pub head: u64,
    /// Parameters of tables that are looked up, not multiplied.
    pub embedding: u64,
    /// Numbers that a token leaves in the KV cache of all layers with full attention.
    pub kv: u64,
    /// The same of the layers that see a window only.
    pub kv_windowed: u64,
    /// That window in tokens.
    pub window: Option<u32>,
    /// The window is picked by an indexer (sparse attention).
    pub sparse: bool,
    /// The cache holds a latent (multi-head latent attention).
    pub latent: bool,
    /// How many ways tensor parallelism can split the KV cache: its heads, 1 for a latent.
    pub kv_shards: u64,
    /// FLOPs per pair of a token and one that it attends to in a prompt: full, windowed layers. Where
    /// each token has a selection of its own, keys and values are not expanded for it: the latent is
    /// attended to as it is.
    pub pair_flops: (f64, f64),
    /// Query heads of such a selection.
    pub selecting: Option<f64>,
    /// The same while decoding: more where a latent is attended to as it is.
    pub context_flops: (f64, f64),
    /// Numbers of recurrent state that each sequence keeps.
    pub state: u64,
    /// Bytes of that state, in formats of its own.
    pub state_data: Data,
    /// Parameters that are loaded beside: towers for images and sound.
    pub beside: u64,
}

impl ServedModel {
    /// Reads a model's extents.
    ///
    /// # Errors
    /// If the model does not generate: it has no attention or scan, or no head.
    pub fn of(model: &Model) -> Result<Self> {
        let extents = &model.extents;
        let weights = extents.weights;
        if extents.layers == 0 || weights.head == 0 || model.input.sequence.is_none() {
            return Err(Error::input(format!("{} does not generate tokens", model.name))
                .hint("leave output tokens out of its traffic: it answers batch by batch"));
        }
        // A tied head and its table are one matrix in memory.
        let tied = |layer: &&Layer| layer.role == Role::Head && layer.weight_copies == 0;
        let shared = if model.layers.iter().any(|layer| tied(&layer)) { weights.head } else { 0 };
        let mut served = Self {
            layers: extents.layers,
            moe_layers: extents.experts.map_or(0, |experts| experts.layers),
            hidden: extents.hidden,
            attention: weights.mixing,
            dense: weights.dense,
            expert: weights.expert,
            experts: extents.experts.map_or(0, |experts| experts.count),
            top_k: extents.experts.map_or(0, |experts| experts.top_k),
            head: weights.head,
            embedding: weights.embedding.saturating_sub(shared),
            kv_shards: extents.kv_heads.max(1),
            beside: extents.beside,
            ..Self::default()
        };
        for mixer in &extents.mixers {
            served.add(mixer);
        }
        // An encoder-decoder keeps a prompt's tokens for cross-attention and an answer's for the
        // decoder's own: a token is in one of both.
        let crossed = extents.mixers.iter().filter(|mixer| mixer.cross);
        served.kv = served.kv.max(crossed.map(|mixer| mixer.kept * mixer.layers).sum());
        if served.latent {
            served.kv_shards = 1;
        }
        Ok(served)
    }

    /// Adds layers that mix positions.
    fn add(&mut self, mixer: &Mixer) {
        self.state += mixer.state * mixer.layers;
        if let Some(format) = mixer.stored {
            self.state_data += format.size() * (mixer.state * mixer.layers) as f64;
        }
        if mixer.cross {
            return;
        }
        let kept = mixer.kept * mixer.layers;
        let pair = 2.0 * (mixer.heads * (mixer.key_dim + mixer.value_dim) * mixer.layers) as f64;
        // Scores and values both run over what is kept for them; an indexer keeps its keys whole.
        let both = mixer.latent() && mixer.kept < mixer.kv_heads * mixer.key_dim;
        let context = if both { 4.0 * (mixer.heads * kept) as f64 } else { pair };
        self.latent |= mixer.latent();
        self.sparse |= matches!(mixer.reach, Reach::Selected(_));
        if let Reach::Window(window) | Reach::Chunk(window) | Reach::Selected(window) = mixer.reach
        {
            let window = u32::try_from(window).unwrap_or(u32::MAX);
            self.window = self.window.max(Some(window));
            self.kv_windowed += kept;
            if matches!(mixer.reach, Reach::Selected(_)) {
                self.pair_flops.1 += context;
                self.selecting = Some(mixer.heads as f64);
            } else {
                self.pair_flops.1 += pair;
            }
            self.context_flops.1 += context;
        } else {
            self.kv += kept;
            self.pair_flops.0 += pair;
            self.context_flops.0 += if mixer.kept > 0 { context } else { 0.0 };
        }
    }

    /// Width of a routed expert: its three matrices are hidden x width; 0 without experts.
    pub fn expert_width(&self) -> f64 {
        let layers = (self.moe_layers * 3 * self.hidden) as f64;
        if layers > 0.0 { self.expert as f64 / layers } else { 0.0 }
    }

    /// FLOPs of a token's matrix products: twice the weights that it visits.
    pub fn flops(&self) -> f64 {
        2.0 * (self.attention + self.dense + self.expert * self.top_k + self.head) as f64
    }

    /// Cache of a sequence of this length over all devices: its tokens at `kv_bytes` a number, as
    /// often as `copies` says, and the recurrent state in its own formats. The state splits by heads,
    /// of which there are more than devices.
    pub fn cached(&self, tokens: f64, kv_bytes: f64, copies: f64) -> Data {
        let seen = self.window.map_or(0.0, |window| tokens.min(f64::from(window)));
        // A sparse layer keeps everything and reads a part.
        let kept = if self.sparse { tokens } else { seen };
        let numbers = self.kv as f64 * tokens + self.kv_windowed as f64 * kept;
        Data::from_stored(numbers * kv_bytes * copies) + self.state_data
    }
}
