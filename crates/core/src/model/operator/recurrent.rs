//! Recurrent layers: the simple RNN, LSTM and GRU.
//!
//! Every gate is a function of `W x_t + U h_{t-1} + b` (Goodfellow et al., Deep Learning, 2016,
//! chapter 10).

use super::Moved;
use crate::model::cost::{Flops, Gradients, count, product};

/// The cell of a recurrent layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Elman 1990: h = tanh(W x + U h + b), one gate.
    Rnn,
    /// Hochreiter & Schmidhuber 1997: input, forget and output gate and the candidate, four
    /// matrices.
    Lstm,
    /// Cho et al. 2014 (arXiv:1406.1078): reset and update gate and the candidate, three matrices.
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

/// One recurrent layer over `[batch, length, inputs]` to `[batch, length, directions x hidden]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recurrent {
    /// The cell.
    pub cell: Cell,
    /// Independent sequences.
    pub batch: u64,
    /// Steps of a sequence.
    pub length: u64,
    /// Features of the input.
    pub inputs: u64,
    /// Features of the state.
    pub hidden: u64,
    /// 1, or 2 when it also runs backwards.
    pub directions: u64,
    /// Biases per gate: 0, 1, or 2 where input and state each have one (as in cuDNN).
    pub biases: u64,
}

impl Recurrent {
    /// Learned parameters: `directions x gates x hidden x (inputs + hidden + biases)`.
    pub fn parameters(&self) -> u64 {
        let columns = self.inputs.saturating_add(self.hidden).saturating_add(self.biases);
        count(&[self.directions, self.cell.gates(), self.hidden, columns])
    }

    /// FLOPs of the gates' products with a vector of `columns` features at each of `steps` steps.
    fn matmul(&self, columns: u64, steps: u64) -> Flops {
        let rows = product(&[self.directions, self.cell.gates(), self.hidden]);
        Flops::matmul(2.0 * rows * product(&[columns, self.batch, steps]))
    }

    /// FLOPs: `2 x batch x length x directions x gates x hidden x (inputs + hidden)` in matmul;
    /// elementwise 4 per gate and state element.
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

    /// Elements that the backward pass reads beside the input: gates and state of each step.
    pub(in crate::model) fn kept(&self) -> f64 {
        let steps = product(&[self.batch, self.length, self.directions, self.hidden]);
        steps * (self.cell.gates() as f64 + 1.0)
    }

    /// Reads the input and writes the states of all steps.
    pub(super) fn moved(&self) -> Moved {
        let steps = product(&[self.batch, self.length]);
        Moved {
            read: steps * self.inputs as f64,
            written: steps * product(&[self.directions, self.hidden]),
        }
    }
}
