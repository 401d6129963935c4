//! Recurrent layers.

use super::Moved;
use crate::model::cost::{Flops, Gradients, count, product};

/// The cell of a recurrent layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Elman's, one gate.
    Rnn,
    /// Hochreiter & Schmidhuber 1997, four gates.
    Lstm,
    /// Cho et al. 2014 (arXiv:1406.1078), three gates.
    Gru,
}

impl Cell {
    /// Matrices per input: the gates and the candidate.
    pub fn gates(self) -> u64 {
        match self {
            Self::Rnn => 1,
            Self::Lstm => 4,
            Self::Gru => 3,
        }
    }

    /// The name in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rnn => "rnn",
            Self::Lstm => "lstm",
            Self::Gru => "gru",
        }
    }
}

/// One recurrent layer over `[batch, length, inputs]`, in one or both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recurrent {
    /// The cell.
    pub cell: Cell,
    /// Sequences.
    pub batch: u64,
    /// Steps.
    pub length: u64,
    /// Features in.
    pub inputs: u64,
    /// Features of the state.
    pub hidden: u64,
    /// 1, or 2 when it also runs backwards.
    pub directions: u64,
    /// Biases per gate: 0, 1, or 2 where input and state each have one (as in cuDNN).
    pub biases: u64,
}

impl Recurrent {
    /// `directions x gates x hidden x (inputs + hidden + biases)`.
    pub fn parameters(&self) -> u64 {
        let columns = self.inputs.saturating_add(self.hidden).saturating_add(self.biases);
        count(&[self.directions, self.cell.gates(), self.hidden, columns])
    }

    fn matmul(&self, columns: u64, steps: u64) -> Flops {
        let rows = product(&[self.directions, self.cell.gates(), self.hidden]);
        Flops::matmul(2.0 * rows * product(&[columns, self.batch, steps]))
    }

    /// `2 x batch x length x directions x gates x hidden x (inputs + hidden)`; elementwise 4 per
    /// gate and state element.
    pub fn forward(&self) -> Flops {
        let states = product(&[self.directions, self.hidden, self.batch, self.length]);
        self.matmul(self.inputs, self.length)
            + self.matmul(self.hidden, self.length)
            + Flops::elementwise(4.0 * self.cell.gates() as f64 * states)
    }

    /// The state's gradient runs through all steps but the first, whose state is the constant 0.
    pub(super) fn gradients(&self) -> Gradients {
        Gradients {
            input: self.matmul(self.inputs, self.length),
            weight: self.forward(),
            state: self.matmul(self.hidden, self.length.saturating_sub(1)),
        }
    }

    pub(super) fn moved(&self) -> Moved {
        let steps = product(&[self.batch, self.length]);
        Moved {
            read: steps * self.inputs as f64,
            written: steps * product(&[self.directions, self.hidden]),
        }
    }
}
