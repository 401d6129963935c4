//! The two matrix products of attention, scores and values. The projections of queries, keys,
//! values and outputs are [`Dense`](super::Dense) layers of their own.
//!
//! Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.2, for the products. Grouped heads,
//! windows and latents change only the extents that are declared here.

use super::Moved;
use crate::model::cost::{Flops, product};
use crate::model::input::AttentionCount;

/// The mask says which keys a query sees.
///
/// Positions count from 1 and the queries are the last of the keys' positions, so that one mask
/// serves prefill (as many queries as keys) and decode (one query).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mask {
    /// A query sees all keys: encoders, cross-attention.
    #[default]
    Full,
    /// A query sees the keys up to its own position.
    Causal,
    /// A query sees the last `0` keys up to its own position: min(position, `0`) of them.
    Sliding(u64),
    /// A query sees the keys at most `0` positions away on either side.
    Band(u64),
    /// A query sees the keys up to its own position in its own chunk of `0` positions.
    Chunked(u64),
    /// A query sees at most `0` selected keys up to its own position (sparse attention):
    /// min(position, `0`) of them. The product that selects them is an operator of its own.
    Selected(u64),
}

impl Mask {
    /// The pairs of query and key that the mask lets through, exactly, for the last `queries` of
    /// `keys` positions:
    ///
    /// - full: queries x keys;
    /// - causal: n (n + 1) / 2 for n x n;
    /// - sliding and selected: the sum of min(position, limit) over the queries' positions;
    /// - band: twice the sliding sum of reach + 1, less the diagonal, which both sides count, and
    ///   less the right side that the missing queries would have had;
    /// - chunked: c (c + 1) / 2 for each whole chunk of c positions and r (r + 1) / 2 for a rest of
    ///   r.
    ///
    /// More queries than keys count as `keys` queries, except under the full mask.
    pub fn pairs(self, queries: u64, keys: u64) -> f64 {
        let (n, q) = (keys as f64, queries.min(keys) as f64);
        // The sum, over the last q of n positions, of min(position, limit).
        let limited = |limit: u64| {
            let w = (limit as f64).min(n);
            let growing = (w - (n - q)).max(0.0);
            let first = n - q + 1.0;
            growing * (first + (first + growing - 1.0)) / 2.0 + (q - growing) * w
        };
        match self {
            Self::Full => product(&[queries, keys]),
            Self::Causal => limited(keys),
            Self::Sliding(window) | Self::Selected(window) => limited(window),
            Self::Band(reach) => {
                2.0 * limited(reach.saturating_add(1)) - q - band_overhang(n, q, reach as f64)
            }
            Self::Chunked(chunk) => {
                let c = chunk.max(1) as f64;
                let whole = |n: f64| {
                    let rest = n % c;
                    (n - rest) / c * (c * (c + 1.0) / 2.0) + rest * (rest + 1.0) / 2.0
                };
                whole(n) - whole(n - q)
            }
        }
    }
}

/// The pairs by which a band's right side is shorter than its left: the two mirror each other only
/// when all queries are present, not for the last `q` of `n`.
fn band_overhang(n: f64, q: f64, reach: f64) -> f64 {
    let left = |n: f64, q: f64| {
        let w = reach.min(n - 1.0).max(0.0);
        let growing = (w - (n - q)).clamp(0.0, q);
        let first = n - q;
        growing * (2.0 * first + growing - 1.0) / 2.0 + (q - growing) * w
    };
    left(n, q) - left(q, q)
}

/// The scores `Q K^T` and the values `softmax(Q K^T / sqrt(qk_dim)) V`, over
/// `Q [batch, heads, queries, qk_dim]`, `K [batch, kv_heads, keys, qk_dim]` and
/// `V [batch, kv_heads, keys, v_dim]`.
///
/// It has no parameters. Fewer heads of keys and values (MQA: Shazeer 2019, arXiv:1911.02150; GQA:
/// Ainslie et al. 2023, arXiv:2305.13245) shrink the cache and the reads, not the FLOPs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attention {
    /// Independent sequences (or windows of an image).
    pub batch: u64,
    /// Query heads.
    pub heads: u64,
    /// Heads of keys and values: `heads` in MHA, fewer in GQA, 1 in MQA.
    pub kv_heads: u64,
    /// Queries per sequence.
    pub queries: u64,
    /// Keys per sequence.
    pub keys: u64,
    /// Features of a query and a key head.
    pub qk_dim: u64,
    /// Features of a value head.
    pub v_dim: u64,
    /// The keys that a query sees.
    pub mask: Mask,
    /// Elements cached per key, where not `kv_heads x (qk_dim + v_dim)`: the latent of MLA
    /// (DeepSeek-V2, arXiv:2405.04434), 0 where another layer's cache is used.
    pub cached: Option<u64>,
    /// True if the keys are those of another sequence (cross-attention): they are cached once per
    /// prompt and do not grow with the answer.
    pub cross: bool,
}

impl Attention {
    /// FLOPs: `2 x batch x heads x pairs x (qk_dim + v_dim)` in matmul, where pairs = queries x
    /// keys if `count` is full, and otherwise the pairs that the mask lets through. Elementwise:
    /// scale and softmax, 6 per pair.
    pub fn forward(&self, count: AttentionCount) -> Flops {
        let mask = if count == AttentionCount::Full { Mask::Full } else { self.mask };
        let pairs = product(&[self.batch, self.heads]) * mask.pairs(self.queries, self.keys);
        Flops::matmul(2.0 * pairs * (self.qk_dim as f64 + self.v_dim as f64))
            + Flops::elementwise(6.0 * pairs)
    }

    /// The elements that a KV cache holds per key and layer: `kv_heads x (qk_dim + v_dim)`, unless
    /// `cached` says otherwise.
    pub fn cached_per_key(&self) -> u64 {
        self.cached
            .unwrap_or_else(|| self.kv_heads.saturating_mul(self.qk_dim.saturating_add(self.v_dim)))
    }

    /// Reads Q, K and V and writes the result. The scores stay on the chip, and keys of fewer heads
    /// are read once.
    pub(super) fn moved(&self) -> Moved {
        let Self { batch, heads, queries, v_dim, .. } = *self;
        Moved {
            read: self.operands().iter().sum(),
            written: product(&[batch, heads, queries, v_dim]),
        }
    }

    /// Elements of Q, K and V.
    pub(in crate::model) fn operands(&self) -> [f64; 3] {
        let Self { batch, heads, kv_heads, queries, keys, qk_dim, v_dim, .. } = *self;
        let of_keys = product(&[batch, kv_heads, keys]);
        [product(&[batch, heads, queries, qk_dim]), of_keys * qk_dim as f64, of_keys * v_dim as f64]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brute(mask: Mask, queries: u64, keys: u64) -> u64 {
        let sees = |q: u64, k: u64| match mask {
            Mask::Full => true,
            Mask::Causal => k <= q,
            Mask::Sliding(w) | Mask::Selected(w) => k <= q && q - k < w,
            Mask::Band(r) => q.abs_diff(k) <= r,
            Mask::Chunked(c) => k <= q && k / c == q / c,
        };
        (keys - queries..keys).map(|q| (0..keys).filter(|&k| sees(q, k)).count() as u64).sum()
    }

    #[test]
    fn pairs_are_those_the_mask_lets_through() {
        let masks = [
            Mask::Full,
            Mask::Causal,
            Mask::Sliding(1),
            Mask::Sliding(5),
            Mask::Sliding(99),
            Mask::Band(0),
            Mask::Band(3),
            Mask::Band(40),
            Mask::Chunked(1),
            Mask::Chunked(4),
            Mask::Chunked(64),
            Mask::Selected(7),
        ];
        for mask in masks {
            for (queries, keys) in [(1, 1), (13, 13), (1, 13), (5, 13), (12, 12), (0, 4)] {
                let expected = brute(mask, queries, keys) as f64;
                let counted = mask.pairs(queries, keys);
                assert!(
                    (counted - expected).abs() < 1e-9,
                    "{mask:?} {queries} {keys}: {counted} {expected}"
                );
            }
        }
    }
}
