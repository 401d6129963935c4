//! Matrix products: with weights, of two activations, and look-ups in a table.

use super::Moved;
use crate::model::cost::{Flops, count, product};

/// A linear layer: `y[rows, outputs] = x[rows, inputs] W[inputs, outputs] + b[outputs]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dense {
    /// Vectors transformed: batch x positions.
    pub rows: u64,
    /// Features of a vector before.
    pub inputs: u64,
    /// Features of a vector after.
    pub outputs: u64,
    /// True if a bias is added.
    pub bias: bool,
}

impl Dense {
    /// Learned parameters: `inputs x outputs`, plus `outputs` with a bias.
    pub fn parameters(&self) -> u64 {
        count(&[self.inputs, self.outputs]).saturating_add(u64::from(self.bias) * self.outputs)
    }

    /// FLOPs: `2 x rows x inputs x outputs` in matmul, a multiplication and an addition per weight
    /// and row; the bias is 1 addition per output.
    pub fn forward(&self) -> Flops {
        let outputs = product(&[self.rows, self.outputs]);
        Flops::matmul(2.0 * outputs * self.inputs as f64)
            + Flops::elementwise(if self.bias { outputs } else { 0.0 })
    }

    /// Reads x and writes y; the weights are counted apart.
    pub(super) fn moved(&self) -> Moved {
        Moved {
            read: product(&[self.rows, self.inputs]),
            written: product(&[self.rows, self.outputs]),
        }
    }
}

/// `batch` products `[rows, inner] x [inner, columns]` of activations, without parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matmul {
    /// Independent products.
    pub batch: u64,
    /// Rows of the left factor.
    pub rows: u64,
    /// The extent summed over.
    pub inner: u64,
    /// Columns of the right factor.
    pub columns: u64,
}

impl Matmul {
    /// FLOPs: `2 x batch x rows x inner x columns`, all in matmul.
    pub fn forward(&self) -> Flops {
        Flops::matmul(2.0 * product(&[self.batch, self.rows, self.inner, self.columns]))
    }

    /// Reads both factors and writes the product.
    pub(super) fn moved(&self) -> Moved {
        let Self { batch, rows, columns, .. } = *self;
        Moved { read: self.operands().iter().sum(), written: product(&[batch, rows, columns]) }
    }

    /// Elements of both factors.
    pub(in crate::model) fn operands(&self) -> [f64; 2] {
        let Self { batch, rows, inner, columns } = *self;
        [product(&[batch, rows, inner]), product(&[batch, inner, columns])]
    }
}

/// A look-up of `rows` indices in a table `[entries, dim]`: no FLOPs forward, one addition per
/// element backward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Embedding {
    /// Rows of the table: the vocabulary, the positions.
    pub entries: u64,
    /// Features of a row.
    pub dim: u64,
    /// Indices looked up.
    pub rows: u64,
}

impl Embedding {
    /// The additions of the backward pass, which scatters `rows x dim` gradients into the table.
    pub(super) fn scattered(&self) -> Flops {
        Flops::elementwise(product(&[self.rows, self.dim]))
    }

    /// Reads and writes the rows that are looked up, not the table.
    pub(super) fn moved(&self) -> Moved {
        let rows = product(&[self.rows, self.dim]);
        Moved { read: rows, written: rows }
    }
}

/// A model of which only the parameter count is known: 2 FLOP per active parameter and row, the
/// matrix products of Kaplan et al. 2020 without attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bulk {
    /// All parameters.
    pub parameters: u64,
    /// Parameters that one row passes through.
    pub active: u64,
    /// Vectors transformed: batch x positions.
    pub rows: u64,
}

impl Bulk {
    /// FLOPs: `2 x rows x active`, all in matmul.
    pub fn forward(&self) -> Flops {
        Flops::matmul(2.0 * product(&[self.rows, self.active]))
    }
}
