//! State-space models and linear attention: a state per head that every position updates.

use super::Moved;
use crate::model::cost::{Flops, Gradients, product};
use crate::quantity::Precision;

/// The rule by which a position updates the state `S`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanKind {
    /// Mamba (Gu & Dao 2023, arXiv:2312.00752): S = exp(dt A) S + dt B x, discretised at each
    /// position.
    Selective,
    /// Mamba-2 (Dao & Gu 2024, arXiv:2405.21060): one decay per head.
    Decay,
    /// Lightning attention: a constant decay per head (Qin et al. 2024, arXiv:2401.04658).
    Lightning,
    /// Gated delta rule (Yang et al. 2024, arXiv:2412.06464): the value that the state already
    /// gives for this key is subtracted before the new one is added.
    Delta,
    /// The delta rule with a decay per channel of the key (Kimi Team 2025, arXiv:2510.26692).
    ChannelDelta,
    /// Gated linear recurrence, a scalar per channel (De et al. 2024, arXiv:2402.19427).
    Gated,
    /// RWKV's weighted average per channel (Peng et al. 2023, arXiv:2305.13048).
    Wkv,
}

/// The scan of a mixer over `[batch, length]`, with a state `[heads, key_dim, value_dim]` per
/// sequence. The projections around it are [`Dense`](super::Dense) layers, so it has no parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    /// The rule by which a position updates the state.
    pub kind: ScanKind,
    /// Sequences.
    pub batch: u64,
    /// Positions.
    pub length: u64,
    /// Heads; 1 per channel for [`ScanKind::Selective`], [`ScanKind::Gated`] and [`ScanKind::Wkv`].
    pub heads: u64,
    /// Rows of a head's state.
    pub key_dim: u64,
    /// Columns of a head's state.
    pub value_dim: u64,
    /// Positions of a chunk, within which products of matrices stand in for the recurrence; without
    /// it, the recurrence is counted.
    pub chunk: Option<u64>,
    /// Format in which an engine stores the state between two tokens.
    pub stored: Precision,
}

impl Scan {
    /// The elements of the state of one sequence: `heads x key_dim x value_dim`, whatever the
    /// length.
    pub fn state(&self) -> f64 {
        product(&[self.heads, self.key_dim, self.value_dim])
    }

    /// Multiplications of one head over one sequence. As a recurrence, `q S` at each position (delta:
    /// `k S` too; scalar states: none). In chunks of `q` positions, `c` of them, with state `n x p`:
    ///
    /// - decay (SSD, arXiv:2405.21060, section 6): scores `q q n`, their values `q q p`, the state
    ///   that a chunk adds and what it reads `q n p` each; states pass on through a
    ///   `c + 1` square matrix;
    /// - lightning: the same within a chunk, the last one short; states pass on by decay alone;
    /// - delta (arXiv:2412.06464, section 3.3): scores of keys and of queries `q q n` each, values
    ///   `q q p`, and three products `q n p` with the state; the triangular system is solved, not
    ///   multiplied;
    /// - channel delta: scores are elementwise, the inverse is applied to keys and values.
    ///
    /// A single position is a chunk of its own length, whose state has none to pass through: it costs
    /// what the recurrence does. Longer ones fill whole chunks, as libraries pad them.
    fn products(&self) -> f64 {
        let (n, p, length) = (self.key_dim as f64, self.value_dim as f64, self.length as f64);
        let recurrent = match self.kind {
            ScanKind::Selective | ScanKind::Decay | ScanKind::Lightning => length * n * p,
            ScanKind::Delta | ScanKind::ChannelDelta => 2.0 * length * n * p,
            ScanKind::Gated | ScanKind::Wkv => 0.0,
        };
        let Some(chunk) = self.chunk.filter(|&chunk| chunk > 0) else {
            return recurrent;
        };
        let short = self.length == 1;
        let (q, chunks) =
            if short { (length, 1.0) } else { (chunk as f64, self.length.div_ceil(chunk) as f64) };
        match self.kind {
            ScanKind::Decay => {
                let passed = if short { 1.0 } else { (chunks + 1.0).powi(2) };
                chunks * (q * q * (n + p) + 2.0 * q * n * p) + passed * n * p
            }
            ScanKind::Lightning => {
                let (full, rest) = ((self.length / chunk) as f64, (self.length % chunk) as f64);
                (full * q * q + rest * rest) * (n + p) + 2.0 * length * n * p
            }
            ScanKind::Delta => chunks * (q * q * (2.0 * n + p) + 3.0 * q * n * p),
            ScanKind::ChannelDelta => chunks * (q * q * (n + 2.0 * p) + 3.0 * q * n * p),
            ScanKind::Selective | ScanKind::Gated | ScanKind::Wkv => recurrent,
        }
    }

    /// FLOPs. Matmul: 2 per multiplication of the products (recurrent, or in chunks: `products`),
    /// for each sequence and head. Elementwise per position and state element: 3 for decay, outer
    /// product and sum (selective: 6, with its discretisation; gated: 8, RWKV: 12, with their
    /// gates).
    pub fn forward(&self) -> Flops {
        let functions = match self.kind {
            ScanKind::Selective => 6.0,
            ScanKind::Gated => 8.0,
            ScanKind::Wkv => 12.0,
            _ => 3.0,
        };
        let updates = self.state() * product(&[self.batch, self.length]);
        let products = product(&[self.batch, self.heads]) * self.products();
        Flops::matmul(2.0 * products) + Flops::elementwise(functions * updates)
    }

    /// Both factors of each product need a gradient.
    pub(super) fn gradients(&self) -> Gradients {
        Gradients { input: self.forward() * 2.0, ..Gradients::default() }
    }

    /// Reads keys, queries and values and writes the values; the state stays on the chip.
    pub(in crate::model) fn moved(&self) -> Moved {
        let positions = product(&[self.batch, self.length, self.heads]);
        Moved {
            read: positions * (2.0 * self.key_dim as f64 + self.value_dim as f64),
            written: positions * self.value_dim as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantity::system::compute::flop;

    #[test]
    fn chunks_cost_what_their_products_do() {
        use ScanKind::{ChannelDelta, Decay, Delta, Gated, Lightning, Selective, Wkv};
        let check = |kind, chunk, macs: f64| {
            let stored = Precision::Bf16;
            let scan = Scan {
                kind,
                batch: 2,
                length: 10,
                heads: 3,
                key_dim: 5,
                value_dim: 7,
                chunk,
                stored,
            };
            let counted = scan.forward().matmul.get::<flop>();
            assert!((counted - 2.0 * 6.0 * macs).abs() < 1e-9, "{kind:?} {chunk:?}: {counted}");
        };
        check(Selective, None, 350.0);
        check(Selective, Some(4), 350.0);
        check(Decay, None, 350.0);
        check(Delta, None, 700.0);
        check(Gated, None, 0.0);
        check(Wkv, None, 0.0);
        check(Decay, Some(4), 3.0 * (16.0 * 12.0 + 8.0 * 35.0) + 16.0 * 35.0);
        check(Lightning, Some(4), (16.0 + 16.0 + 4.0) * 12.0 + 20.0 * 35.0);
        check(Delta, Some(4), 3.0 * (16.0 * 17.0 + 12.0 * 35.0));
        check(ChannelDelta, Some(4), 3.0 * (16.0 * 19.0 + 12.0 * 35.0));
    }

    #[test]
    fn a_single_position_is_no_whole_chunk() {
        use ScanKind::{ChannelDelta, Decay, Delta};
        let stored = Precision::Bf16;
        for (kind, macs) in [
            (Decay, 12.0 + 2.0 * 35.0 + 35.0),
            (Delta, 17.0 + 3.0 * 35.0),
            (ChannelDelta, 19.0 + 3.0 * 35.0),
        ] {
            let (key_dim, value_dim, chunk) = (5, 7, Some(128));
            let scan =
                Scan { kind, batch: 2, length: 1, heads: 3, key_dim, value_dim, chunk, stored };
            let counted = scan.forward().matmul.get::<flop>();
            assert!((counted - 2.0 * 6.0 * macs).abs() < 1e-9, "{kind:?}: {counted}");
        }
    }
}
