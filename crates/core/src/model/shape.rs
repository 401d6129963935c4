//! The few extents of a model that memory, parallelism and serving need, read off its layers.

use super::layer::{Layer, Role};
use super::operator::{Mask, Operator};

/// What one kind of layer keeps of a sequence while it generates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cache {
    /// Layers of this kind.
    pub layers: u64,
    /// Elements per position kept: keys and values, or the latent of MLA.
    pub per_position: u64,
    /// The most positions that are kept, for windows and chunks.
    pub positions: Option<u64>,
    /// Elements kept whatever the length: the state of a scan.
    pub fixed: u64,
}

impl Cache {
    /// Elements kept of a sequence of `length` positions.
    pub fn elements(&self, length: u64) -> u64 {
        let positions = self.positions.map_or(length, |most| most.min(length));
        let sequence = self.per_position.saturating_mul(positions).saturating_add(self.fixed);
        self.layers.saturating_mul(sequence)
    }
}

/// Extents of a model. What a model does not have is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Blocks of attention or of a scan, one after the other.
    pub layers: u64,
    /// Features of a position between the blocks.
    pub hidden: u64,
    /// Query heads of an attention block.
    pub heads: u64,
    /// Key and value heads.
    pub kv_heads: u64,
    /// Features of a query and key head.
    pub head_dim: u64,
    /// Features of a value head.
    pub value_dim: u64,
    /// Entries of the vocabulary.
    pub vocabulary: u64,
    /// The longest sequence that the model was made for.
    pub max_sequence: Option<u64>,
    /// What is kept of a sequence while generating, by kind of layer.
    pub caches: Vec<Cache>,
}

impl Shape {
    /// Reads the extents off the layers: those of attention come from the attention block that
    /// occurs most often.
    pub fn of(layers: &[Layer], max_sequence: Option<u64>) -> Self {
        let mut shape = Self { max_sequence, ..Self::default() };
        let mut most = 0;
        for layer in layers.iter().filter(|layer| layer.count > 0) {
            match &layer.operator {
                Operator::Attention(it) => {
                    // An indexer that selects keys, or a second pass over kept ones, is no layer.
                    let own = layer.name.ends_with("attention")
                        && layer.role != Role::Router
                        && it.cached != Some(0);
                    if own {
                        shape.layers += layer.count;
                    }
                    if own && layer.count > most {
                        most = layer.count;
                        shape.heads = it.heads;
                        shape.kv_heads = it.kv_heads;
                        shape.head_dim = it.qk_dim;
                        shape.value_dim = it.v_dim;
                    }
                    let positions = match it.mask {
                        Mask::Sliding(window) | Mask::Chunked(window) => Some(window),
                        _ => None,
                    };
                    shape.keep(layer.count, it.cached_per_key(), positions, 0);
                }
                Operator::Scan(it) => {
                    shape.layers += layer.count;
                    shape.keep(layer.count, 0, None, it.state() as u64);
                }
                Operator::Embedding(it)
                    if layer.role == Role::Embedding && it.entries > shape.vocabulary =>
                {
                    shape.vocabulary = it.entries;
                }
                _ => {}
            }
        }
        shape.hidden = widest_norm(layers);
        shape
    }

    fn keep(&mut self, layers: u64, per_position: u64, positions: Option<u64>, fixed: u64) {
        if per_position == 0 && fixed == 0 {
            return;
        }
        let same = |cache: &&mut Cache| {
            (cache.per_position, cache.positions, cache.fixed) == (per_position, positions, fixed)
        };
        match self.caches.iter_mut().find(same) {
            Some(cache) => cache.layers += layers,
            None => self.caches.push(Cache { layers, per_position, positions, fixed }),
        }
    }

    /// Elements kept of a sequence of `length` positions while generating: the KV cache and states.
    pub fn cached_elements(&self, length: u64) -> u64 {
        self.caches.iter().fold(0, |sum: u64, cache| sum.saturating_add(cache.elements(length)))
    }
}

/// The residual stream is what most norms normalise.
fn widest_norm(layers: &[Layer]) -> u64 {
    let mut widths: Vec<(u64, u64)> = Vec::new();
    for layer in layers {
        if let Operator::Norm(norm) = &layer.operator {
            match widths.iter_mut().find(|(dim, _)| *dim == norm.dim) {
                Some((_, count)) => *count += layer.count,
                None => widths.push((norm.dim, layer.count)),
            }
        }
    }
    widths.iter().max_by_key(|(dim, count)| (*count, *dim)).map_or(0, |(dim, _)| *dim)
}
