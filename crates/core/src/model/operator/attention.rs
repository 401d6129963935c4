//! The products of attention; its projections are [`Dense`](super::Dense) layers.

use super::Moved;
use crate::model::cost::{Flops, product};
use crate::model::input::AttentionCount;

/// Which keys a query sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mask {
    /// All of them: encoders, cross-attention.
    #[default]
    Full,
    /// Those up to its own position.
    Causal,
    /// The last `0` keys up to its own position.
    Sliding(u64),
    /// Keys at most `0` positions away on either side.
    Band(u64),
    /// Those up to its own position in its own chunk of `0` positions.
    Chunked(u64),
    /// At most `0` selected keys up to its own position (sparse attention).
    Selected(u64),
}

impl Mask {
    /// Pairs of query and key that the mask lets through. Queries are the last of the keys'
    /// positions. Exact: n (n + 1) / 2 for a causal n x n.
    pub fn pairs(self, queries: u64, keys: u64) -> f64 {
        let (n, q) = (keys as f64, queries.min(keys) as f64);
        // sum over the last q of n positions of min(position, limit)
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

/// A band's right side mirrors its left only when all queries are present; for the last `q` of
/// `n` the right side is shorter.
fn band_overhang(n: f64, q: f64, reach: f64) -> f64 {
    let left = |n: f64, q: f64| {
        let w = reach.min(n - 1.0).max(0.0);
        let growing = (w - (n - q)).clamp(0.0, q);
        let first = n - q;
        growing * (2.0 * first + growing - 1.0) / 2.0 + (q - growing) * w
    };
    left(n, q) - left(q, q)
}

/// Scores `Q K^T` and values `softmax(...) V`.
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
    /// Which keys a query sees.
    pub mask: Mask,
    /// Elements cached per key, where not `kv_heads x (qk_dim + v_dim)`: the latent of MLA
    /// (DeepSeek-V2, arXiv:2405.04434), 0 where another layer's cache is used.
    pub cached: Option<u64>,
}

impl Attention {
    /// `2 x batch x heads x pairs x (qk_dim + v_dim)` in matmul, where pairs = queries x keys
    /// counted in full, or what the mask lets through. Elementwise: scale and softmax, 6 per pair.
    pub fn forward(&self, count: AttentionCount) -> Flops {
        let mask = if count == AttentionCount::Full { Mask::Full } else { self.mask };
        let pairs = product(&[self.batch, self.heads]) * mask.pairs(self.queries, self.keys);
        Flops::matmul(2.0 * pairs * (self.qk_dim as f64 + self.v_dim as f64))
            + Flops::elementwise(6.0 * pairs)
    }

    /// Elements that a KV cache holds per key.
    pub fn cached_per_key(&self) -> u64 {
        self.cached
            .unwrap_or_else(|| self.kv_heads.saturating_mul(self.qk_dim.saturating_add(self.v_dim)))
    }

    pub(super) fn moved(&self) -> Moved {
        let Self { batch, heads, kv_heads, queries, keys, qk_dim, v_dim, .. } = *self;
        Moved {
            read: product(&[batch, heads, queries, qk_dim])
                + product(&[batch, kv_heads, keys]) * (qk_dim as f64 + v_dim as f64),
            written: product(&[batch, heads, queries, v_dim]),
        }
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
