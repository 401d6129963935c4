//! Attention kernels in training, forward and backward.
//!
//! ```text
//! FLOPs     = 2 tokens x length x (key + value) x heads x span
//! fused     = FLOPs (3.5 + repeated) / rate
//! unfused   = FLOPs / span (3 + repeated) / rate + (1 + repeated / 3) 20 B x scores / bandwidth
//! ```
//! The span is the part of the square of scores that the mask leaves. A fused kernel leaves out what
//! is masked and computes the scores again backward: 2.5 times the forward pass (Dao 2023,
//! arXiv:2307.08691). Without it every score is computed, and softmax, mask and dropout pass over
//! memory.

/// Bytes per score of the unfused softmax, mask and dropout, forward and backward.
const SCORE_BYTES: f64 = 20.0;
/// Narrow heads reach this part of the usual rate (benchmarks of FlashAttention-2 and 3 at a head
/// size of 64 against 128).
const NARROW_HEADS: f64 = 0.8;
/// Widest head that counts as narrow.
const NARROW: u64 = 64;

/// The work of one attention operator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Attention {
    /// Queries of all sequences.
    pub tokens: f64,
    /// Keys that a query could see.
    pub length: f64,
    /// The part of them that it does see.
    pub span: f64,
    /// Heads on this device.
    pub heads: f64,
    /// Numbers of a head's key.
    pub key: u64,
    /// Numbers of a head's value.
    pub value: u64,
    /// Forward passes that recomputation adds.
    pub repeated: f64,
}

impl Attention {
    fn flops(&self) -> f64 {
        let features = (self.key + self.value) as f64;
        2.0 * self.tokens * self.length * features * self.heads * self.span
    }

    /// Seconds of a fused kernel at a rate in FLOP/s that heads of usual width reach.
    pub(crate) fn fused(&self, rate: f64) -> f64 {
        let narrow = if self.key <= NARROW { NARROW_HEADS } else { 1.0 };
        self.flops() * (3.5 + self.repeated) / (rate * narrow)
    }

    /// Seconds of separate products, softmax, mask and dropout, at a rate of products in FLOP/s and
    /// a bandwidth in B/s.
    pub(crate) fn unfused(&self, rate: f64, bandwidth: f64) -> f64 {
        let scores = self.tokens * self.length * self.heads;
        let all = Self { span: 1.0, ..*self };
        all.flops() * (3.0 + self.repeated) / rate
            + (1.0 + self.repeated / 3.0) * SCORE_BYTES * scores / bandwidth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAUSAL: Attention = Attention {
        tokens: 8192.0,
        length: 8192.0,
        span: 0.5,
        heads: 32.0,
        key: 128,
        value: 128,
        repeated: 0.0,
    };

    /// Dao 2023 (section 4.1) counts 4 x length^2 x head size x heads forward, half of it under a
    /// causal mask, and 2.5 times the forward pass backward.
    #[test]
    fn counts_what_the_papers_benchmark_counts() {
        let two_sequences = Attention { tokens: 16384.0, heads: 16.0, ..CAUSAL };
        let forward = 2.0 * 4.0 * 8192.0 * 8192.0 * 128.0 * 16.0 / 2.0;
        assert!((two_sequences.fused(1e12) / (3.5 * forward / 1e12) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_costs_time_costs_time() {
        let base = CAUSAL.fused(400e12);
        assert!(Attention { repeated: 1.0, ..CAUSAL }.fused(400e12) > base);
        assert!(Attention { span: 0.25, ..CAUSAL }.fused(400e12) < base);
        assert!(CAUSAL.unfused(400e12, 2e12) > 2.0 * base);
        let narrow = Attention { key: 64, value: 64, heads: 64.0, ..CAUSAL };
        assert!(narrow.fused(400e12) > base);
    }
}
