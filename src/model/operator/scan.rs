//! State-space models and linear attention: a state per head that every position updates.

use super::Moved;
use crate::model::cost::{Flops, Gradients, product};

/// How the state is updated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanKind {
    /// Mamba (Gu & Dao 2023, arXiv:2312.00752): discretise, decay, add.
    Selective,
    /// Mamba-2, linear and lightning attention: one decay per head (Dao & Gu 2024,
    /// arXiv:2405.21060).
    Decay,
    /// Gated delta rule: what the state already answers is taken off first (Yang et al. 2024,
    /// arXiv:2412.06464).
    Delta,
    /// RWKV's weighted average per channel (Peng et al. 2023, arXiv:2305.13048).
    Wkv,
}

/// The scan of a mixer over `[batch, length]`, state `[heads, key_dim, value_dim]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scan {
    /// How the state is updated.
    pub kind: ScanKind,
    /// Sequences.
    pub batch: u64,
    /// Positions.
    pub length: u64,
    /// Heads; 1 per channel for [`ScanKind::Selective`] and [`ScanKind::Wkv`].
    pub heads: u64,
    /// Rows of a head's state.
    pub key_dim: u64,
    /// Columns of a head's state.
    pub value_dim: u64,
}

impl Scan {
    /// Elements of the state of one sequence.
    pub fn state(&self) -> f64 {
        product(&[self.heads, self.key_dim, self.value_dim])
    }

    /// Per position and state element, as a recurrence: matmul 2 for the answer `q S` (delta: 4,
    /// with `k S`; RWKV's state is a scalar, 0); elementwise 3 for decay, outer product and sum
    /// (selective: 6, with its discretisation; RWKV: 12).
    pub fn forward(&self) -> Flops {
        let (products, functions) = match self.kind {
            ScanKind::Selective => (2.0, 6.0),
            ScanKind::Decay => (2.0, 3.0),
            ScanKind::Delta => (4.0, 3.0),
            ScanKind::Wkv => (0.0, 12.0),
        };
        let updates = self.state() * product(&[self.batch, self.length]);
        Flops::matmul(products * updates) + Flops::elementwise(functions * updates)
    }

    /// Both factors of each product need a gradient.
    pub(super) fn gradients(&self) -> Gradients {
        Gradients { input: self.forward() * 2.0, ..Gradients::default() }
    }

    pub(super) fn moved(&self) -> Moved {
        let positions = product(&[self.batch, self.length, self.heads]);
        Moved {
            read: positions * (2.0 * self.key_dim as f64 + self.value_dim as f64),
            written: positions * self.value_dim as f64,
        }
    }
}
