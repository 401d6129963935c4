//! Operators at concrete shapes, with the formulas of their costs.
//!
//! Each gives its parameters, forward FLOPs, backward FLOPs (gradients of inputs and of weights
//! apart) and the elements that it reads and writes. A multiply-accumulate is 2 FLOP. Products of
//! matrices count as matmul, for the tensor cores; everything else counts as elementwise.
//!
//! Sources: Kaplan et al. 2020 (arXiv:2001.08361, table 1) and Hoffmann et al. 2022
//! (arXiv:2203.15556, appendix F) for transformers; Goodfellow et al., Deep Learning, 2016,
//! chapters 6, 9 and 10 for the rest. An operator with a source of its own names it.
//!
//! A backward pass costs twice the forward products of a layer with weights, so a step costs about
//! three times the forward pass: the 6 N D of Kaplan et al. with its 2 N D forward. Reads and
//! writes are those of fused kernels; weights are added by the [roofline](super::roofline).

mod attention;
mod convolution;
mod dense;
mod pointwise;
mod recurrent;
mod scan;

use super::cost::{Flops, Gradients, count};
use super::input::AttentionCount;
use crate::quantity::Data;

pub use attention::{Attention, Mask};
pub use convolution::{Axis, Convolution, Pool};
pub use dense::{Bulk, Dense, Embedding, Matmul};
pub use pointwise::{Function, Norm, NormKind, Pointwise};
pub use recurrent::{Cell, Recurrent};
pub use scan::{Scan, ScanKind};

/// One operator at a concrete shape; the shape stands in the operator's own type.
#[derive(Clone, Debug, PartialEq)]
pub enum Operator {
    /// Matrix of weights times activations.
    Dense(Dense),
    /// Convolution in 1 to 3 dimensions.
    Convolution(Convolution),
    /// The two products of attention, scores and values.
    Attention(Attention),
    /// Product of two activations.
    Matmul(Matmul),
    /// Table look-up.
    Embedding(Embedding),
    /// Normalisation.
    Norm(Norm),
    /// A function of each element: activation, softmax, rotary embedding, residual.
    Pointwise(Pointwise),
    /// Pooling over windows.
    Pool(Pool),
    /// RNN, LSTM or GRU.
    Recurrent(Recurrent),
    /// State-space model or linear attention.
    Scan(Scan),
    /// A learned tensor that no product uses: positions, class tokens, layer scales.
    Parameter(u64),
    /// A model known by its parameter count alone.
    Bulk(Bulk),
}

/// The elements that an operator moves between memory and chip in one forward pass; weights are
/// counted apart.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Moved {
    /// Activations read.
    pub(crate) read: f64,
    /// Activations written.
    pub(crate) written: f64,
}

impl Operator {
    /// The kind in a word, as tables print it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Dense(_) => "dense",
            Self::Convolution(it) if it.transposed => "conv_transposed",
            Self::Convolution(it) => ["conv1d", "conv2d", "conv3d"][it.axes.len().clamp(1, 3) - 1],
            Self::Attention(_) => "attention",
            Self::Matmul(_) => "matmul",
            Self::Embedding(_) => "embedding",
            Self::Norm(_) => "norm",
            Self::Pointwise(it) => it.function.kind(),
            Self::Pool(_) => "pool",
            Self::Recurrent(it) => it.cell.name(),
            Self::Scan(_) => "scan",
            Self::Parameter(_) => "parameter",
            Self::Bulk(_) => "parameters",
        }
    }

    /// Learned parameters, of all experts and groups; the count stops at `u64::MAX`.
    pub fn parameters(&self) -> u64 {
        match self {
            Self::Dense(it) => it.parameters(),
            Self::Convolution(it) => it.parameters(),
            Self::Embedding(it) => count(&[it.entries, it.dim]),
            Self::Norm(it) => it.parameters(),
            Self::Recurrent(it) => it.parameters(),
            Self::Parameter(elements) => *elements,
            Self::Bulk(it) => it.parameters,
            Self::Attention(_)
            | Self::Matmul(_)
            | Self::Pointwise(_)
            | Self::Pool(_)
            | Self::Scan(_) => 0,
        }
    }

    /// FLOPs of one forward pass; `attention` says whether masked pairs count. Look-ups and bare
    /// parameters have none.
    pub fn forward(&self, attention: AttentionCount) -> Flops {
        match self {
            Self::Dense(it) => it.forward(),
            Self::Convolution(it) => it.forward(),
            Self::Attention(it) => it.forward(attention),
            Self::Matmul(it) => it.forward(),
            Self::Norm(it) => it.forward(),
            Self::Pointwise(it) => it.forward(),
            Self::Pool(it) => it.forward(),
            Self::Recurrent(it) => it.forward(),
            Self::Scan(it) => it.forward(),
            Self::Bulk(it) => it.forward(),
            Self::Embedding(_) | Self::Parameter(_) => Flops::default(),
        }
    }

    /// FLOPs of the backward pass.
    ///
    /// A product's gradient with respect to either factor costs as much as the product does. A
    /// weight layer therefore has one forward's worth for its input and one for its weights, and a
    /// product of two activations has two for its inputs. Elementwise functions are taken to cost
    /// backward what they cost forward. With recomputation in attention kernels the hardware does
    /// more; that is not counted here.
    pub fn gradients(&self, attention: AttentionCount) -> Gradients {
        let forward = self.forward(attention);
        let products = Flops { elementwise: Flops::default().elementwise, ..forward };
        match self {
            Self::Dense(_) | Self::Convolution(_) | Self::Bulk(_) => {
                Gradients { input: products, weight: forward, ..Gradients::default() }
            }
            Self::Attention(_) | Self::Matmul(_) => {
                let functions = Flops { matmul: Flops::default().matmul, ..forward };
                Gradients { input: products * 2.0 + functions, ..Gradients::default() }
            }
            Self::Embedding(it) => Gradients { weight: it.scattered(), ..Gradients::default() },
            Self::Norm(it) => it.gradients(),
            Self::Pointwise(_) | Self::Pool(_) => {
                Gradients { input: forward, ..Gradients::default() }
            }
            Self::Recurrent(it) => it.gradients(),
            Self::Scan(it) => it.gradients(),
            Self::Parameter(_) => Gradients::default(),
        }
    }

    /// The activations read and written in one forward pass, at `element` bytes each. It is the
    /// traffic of a fused kernel, so attention scores stay on the chip (Dao et al. 2022,
    /// arXiv:2205.14135).
    pub fn activations(&self, element: Data) -> Data {
        let Moved { read, written } = self.moved();
        element * (read + written)
    }

    /// The operator's output, at `element` bytes each. Training keeps it for the backward pass
    /// unless it recomputes.
    pub fn output(&self, element: Data) -> Data {
        element * self.moved().written
    }

    /// Elements of activations read in one forward pass.
    pub(super) fn read(&self) -> f64 {
        self.moved().read
    }

    /// Elements of activations written in one forward pass.
    pub(super) fn written(&self) -> f64 {
        self.moved().written
    }

    /// Activations read and written; a bare parameter and a bare count move none.
    fn moved(&self) -> Moved {
        match self {
            Self::Dense(it) => it.moved(),
            Self::Convolution(it) => it.moved(),
            Self::Attention(it) => it.moved(),
            Self::Matmul(it) => it.moved(),
            Self::Embedding(it) => it.moved(),
            Self::Norm(it) => it.moved(),
            Self::Pointwise(it) => it.moved(),
            Self::Pool(it) => it.moved(),
            Self::Recurrent(it) => it.moved(),
            Self::Scan(it) => it.moved(),
            Self::Parameter(_) | Self::Bulk(_) => Moved::default(),
        }
    }
}
