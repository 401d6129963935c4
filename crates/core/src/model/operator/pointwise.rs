//! Functions of each element, and norms.
//!
//! An addition, multiplication, division, comparison or a call of a transcendental function counts
//! 1 FLOP, all of it elementwise.

use super::Moved;
use crate::model::cost::{Flops, Gradients, product};

macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident = $kind:literal, $flops:literal;)+) => {
        /// A function applied to every element.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Function { $($(#[$doc])* $name,)+ }

        impl Function {
            /// FLOP per element of the output.
            pub fn flops(self) -> f64 {
                match self { $(Self::$name => $flops,)+ }
            }

            /// The kind of operator, as tables print it.
            pub fn kind(self) -> &'static str {
                match self { $(Self::$name => $kind,)+ }
            }
        }
    };
}

functions! {
    /// max(x, 0) (Nair & Hinton 2010); also the clipped and the leaky form.
    Relu = "activation", 1.0;
    /// max(x, 0)² (So et al. 2021, arXiv:2109.08668).
    SquaredRelu = "activation", 2.0;
    /// 1 / (1 + exp(-x)).
    Sigmoid = "activation", 3.0;
    /// tanh x.
    Tanh = "activation", 1.0;
    /// x sigmoid(x), also called swish (Ramachandran et al. 2017, arXiv:1710.05941).
    Silu = "activation", 4.0;
    /// x Phi(x), exact or by tanh (Hendrycks & Gimpel 2016, arXiv:1606.08415).
    Gelu = "activation", 8.0;
    /// x min(max(x + 3, 0), 6) / 6 (Howard et al. 2019, arXiv:1905.02244).
    HardSwish = "activation", 5.0;
    /// min(max(x + 3, 0), 6) / 6.
    HardSigmoid = "activation", 4.0;
    /// exp x, ln x and their kin.
    Exponential = "activation", 1.0;
    /// ln(1 + exp x).
    Softplus = "activation", 3.0;
    /// exp(x - max) / sum of exp(x - max) along a row: maximum, difference, exponential, sum,
    /// quotient.
    Softmax = "softmax", 5.0;
    /// Rotation of pairs by position (Su et al. 2021, arXiv:2104.09864): 4 products and 2 sums per
    /// pair, so 3 per element.
    Rotary = "rotary", 3.0;
    /// Sum of two tensors: residuals, positions.
    Add = "residual", 1.0;
    /// Product of two tensors: gates.
    Multiply = "gate", 1.0;
    /// Sum, mean, maximum along an axis.
    Reduce = "reduction", 1.0;
    /// Interpolation of an image, two taps per axis.
    Interpolate = "interpolation", 7.0;
    /// One arithmetic operation of any other kind.
    Other = "elementwise", 1.0;
    /// Fourier transform of one element, per level of its butterflies: 5 n log2 n FLOP for n
    /// elements.
    Fourier = "fourier", 5.0;
}

impl Function {
    /// The activation that a configuration calls `name`, or none if the name is not known. Close
    /// kin share the cost of one: `mish` counts as GELU, `elu` as an exponential.
    pub fn activation(name: &str) -> Option<Self> {
        Some(match name {
            "relu" | "relu6" | "leaky_relu" | "leakyrelu" | "prelu" => Self::Relu,
            "relu2" | "squared_relu" | "relu_squared" => Self::SquaredRelu,
            "sigmoid" => Self::Sigmoid,
            "tanh" => Self::Tanh,
            "silu" | "swish" => Self::Silu,
            "gelu" | "gelu_new" | "gelu_fast" | "gelu_python" | "gelu_python_tanh"
            | "gelu_pytorch_tanh" | "gelu_accurate" | "gelu_10" | "quick_gelu" | "mish"
            | "laplace" => Self::Gelu,
            "hard_swish" | "hardswish" | "hswish" => Self::HardSwish,
            "hard_sigmoid" | "hardsigmoid" => Self::HardSigmoid,
            "exp" | "elu" | "selu" | "celu" => Self::Exponential,
            "softplus" | "xielu" => Self::Softplus,
            "softmax" => Self::Softmax,
            "rotary" => Self::Rotary,
            "add" => Self::Add,
            "multiply" => Self::Multiply,
            "reduce" => Self::Reduce,
            "interpolate" => Self::Interpolate,
            "fourier" => Self::Fourier,
            "linear" | "identity" | "other" => Self::Other,
            _ => return None,
        })
    }
}

/// A [`Function`] over `elements` outputs, without parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pointwise {
    /// The function computed.
    pub function: Function,
    /// Elements of the output.
    pub elements: u64,
    /// Tensors of that size read: 1, or 2 for sums and products.
    pub operands: u64,
}

impl Pointwise {
    /// FLOPs: FLOP per element x elements.
    pub fn forward(&self) -> Flops {
        Flops::elementwise(self.function.flops() * self.elements as f64)
    }

    /// Reads each operand and writes the output.
    pub(super) fn moved(&self) -> Moved {
        Moved { read: product(&[self.elements, self.operands]), written: self.elements as f64 }
    }
}

/// The statistics that a norm divides by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormKind {
    /// Mean and variance of a row (Ba et al. 2016, arXiv:1607.06450).
    Layer,
    /// Root mean square of a row (Zhang & Sennrich 2019, arXiv:1910.07467).
    Rms,
    /// Mean and variance of a channel over the batch (Ioffe & Szegedy 2015, arXiv:1502.03167).
    Batch,
    /// Mean and variance of a group of channels (Wu & He 2018, arXiv:1803.08494).
    Group,
}

/// Normalisation of `[rows, dim]`: `(x - mean) / sqrt(variance + eps) x scale + bias`, without the
/// mean for RMS norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Norm {
    /// The statistics that it divides by.
    pub kind: NormKind,
    /// Vectors normalised: batch x positions.
    pub rows: u64,
    /// Features of a vector, or channels.
    pub dim: u64,
    /// True if a learned scale follows.
    pub scale: bool,
    /// True if a learned shift follows.
    pub bias: bool,
}

impl Norm {
    /// Learned parameters: `dim` for the scale, `dim` for the shift.
    pub fn parameters(&self) -> u64 {
        (u64::from(self.scale) + u64::from(self.bias)).saturating_mul(self.dim)
    }

    /// The elements normalised: `rows x dim`.
    fn elements(&self) -> f64 {
        product(&[self.rows, self.dim])
    }

    /// FLOPs of scale and shift: 1 per element each, where they are learned.
    fn affine(&self) -> Flops {
        let per_element = f64::from(u8::from(self.scale) + u8::from(self.bias));
        Flops::elementwise(per_element * self.elements())
    }

    /// FLOPs per element: mean 1, difference 1, variance 2, quotient 1; for RMS norm root mean
    /// square 2, quotient 1; then 1 for the scale and 1 for the shift.
    pub fn forward(&self) -> Flops {
        let per_element = if self.kind == NormKind::Rms { 3.0 } else { 5.0 };
        Flops::elementwise(per_element * self.elements()) + self.affine()
    }

    /// The input's gradient costs as much as the forward pass; scale and shift each sum one product
    /// per element.
    pub(super) fn gradients(&self) -> Gradients {
        Gradients { input: self.forward(), weight: self.affine(), ..Gradients::default() }
    }

    /// Reads and writes each element once: the statistics stay on the chip.
    pub(super) fn moved(&self) -> Moved {
        Moved { read: self.elements(), written: self.elements() }
    }
}
