//! The extents of a transformer that its step time and memory hang on.

/// A decoder-style transformer: identical blocks between an embedding and a language-model head.
#[derive(Clone, Debug, PartialEq)]
pub struct Transformer {
    /// Blocks.
    pub layers: u64,
    /// Width of the residual stream.
    pub hidden: u64,
    /// Query heads.
    pub heads: u64,
    /// Key and value heads; fewer than `heads` with grouped queries.
    pub kv_heads: u64,
    /// Features of a query and key head.
    pub key_dim: u64,
    /// Features of a value head.
    pub value_dim: u64,
    /// Inner width of the dense MLP.
    pub ffn: u64,
    /// Whether the MLP has a gate beside its up-projection (`SwiGLU` and kin).
    pub gated: bool,
    /// Entries of the vocabulary.
    pub vocabulary: u64,
    /// All parameters.
    pub parameters: u64,
    /// Low-rank queries, keys and values (multi-head latent attention, DeepSeek-V2).
    pub latent: Option<Latent>,
    /// Routed experts.
    pub experts: Option<Experts>,
    /// Layers that look back over a window only.
    pub windows: Option<Windows>,
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
    /// Experts that each token visits.
    pub top_k: u64,
    /// Inner width of one expert.
    pub ffn: u64,
    /// Experts that every token visits.
    pub shared: u64,
    /// Blocks with a dense MLP instead.
    pub dense_layers: u64,
}

/// Sliding-window attention in a part of the layers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Windows {
    /// Part of the layers that look back over the window only.
    pub share: f64,
    /// Positions of the window.
    pub positions: u64,
}

impl Transformer {
    /// Matrices of one MLP of inner width 1: up and down, with the gate 3.
    pub(super) fn mlp_matrices(&self) -> f64 {
        if self.gated { 3.0 } else { 2.0 }
    }

    /// Weights of one block's attention projections.
    pub fn attention_weights(&self) -> f64 {
        let [d, heads, kv] = [self.hidden, self.heads, self.kv_heads].map(|n| n as f64);
        let [key, value] = [self.key_dim, self.value_dim].map(|n| n as f64);
        match self.latent {
            None => d * (heads * key + kv * (key + value)) + heads * value * d,
            Some(Latent { query_rank, key_value_rank, rotary }) => {
                let [q, c, rope] = [query_rank, key_value_rank, rotary].map(|n| n as f64);
                let nope = key - rope;
                d * (q + c + rope)
                    + q * heads * key
                    + c * heads * (nope + value)
                    + heads * value * d
            }
        }
    }

    /// Weights of one dense MLP.
    pub fn mlp_weights(&self) -> f64 {
        self.mlp_matrices() * self.hidden as f64 * self.ffn as f64
    }

    /// Weights of all routed experts of one block.
    pub fn expert_weights(&self) -> f64 {
        self.experts.map_or(0.0, |experts| {
            self.mlp_matrices() * (self.hidden * experts.ffn) as f64 * experts.count as f64
        })
    }

    /// Weights of the embedding table (or of the head).
    pub fn embedding_weights(&self) -> f64 {
        self.vocabulary as f64 * self.hidden as f64
    }

    /// Blocks with routed experts.
    pub fn expert_layers(&self) -> u64 {
        self.experts.map_or(0, |experts| self.layers.saturating_sub(experts.dense_layers))
    }

    /// Keys that a query attends to on average over all layers, over the n/2 of a causal mask.
    pub fn attention_span(&self, sequence: u64) -> f64 {
        let n = sequence as f64;
        self.windows.map_or(1.0, |windows| {
            let w = (windows.positions as f64).min(n);
            let local = (w * n - w * w / 2.0) / (n * n / 2.0);
            1.0 - windows.share * (1.0 - local)
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Llama 3 70B (arXiv:2407.21783, Table 3).
    pub(crate) fn llama3_70b() -> Transformer {
        Transformer {
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
            latent: None,
            experts: None,
            windows: None,
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
        let model = Transformer {
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
    fn windows_shorten_the_span_of_their_layers_only() {
        let model =
            Transformer { windows: Some(Windows { share: 0.5, positions: 128 }), ..llama3_70b() };
        assert!((model.attention_span(4096) - (0.5 + 0.5 * 0.061_523_437_5)).abs() < 1e-9);
        assert!((model.attention_span(64) - 1.0).abs() < 1e-12);
    }
}
