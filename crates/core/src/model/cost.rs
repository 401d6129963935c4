//! The cost of computing an operator once, forward and backward.
//!
//! FLOPs come in two classes, because two kinds of units compute them at rates that differ by more
//! than an order of magnitude: matrix units the first, vector units the second. A roofline sets the
//! first against the dense peak; the second runs beside the memory traffic.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul};

use crate::quantity::Flop;
use crate::quantity::system::compute::flop;

/// FLOPs in their two classes; 1 multiply-accumulate is 2 FLOP.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Flops {
    /// FLOPs of matrix units: dense layers, convolutions, attention products, recurrent cells.
    pub matmul: Flop,
    /// FLOPs of vector units: norms, activations, softmax, pooling, rotary embeddings, residuals,
    /// scans.
    pub elementwise: Flop,
}

impl Flops {
    /// `count` FLOP in the matmul class.
    pub fn matmul(count: f64) -> Self {
        Self { matmul: Flop::new::<flop>(count), ..Self::default() }
    }

    /// `count` FLOP in the elementwise class.
    pub fn elementwise(count: f64) -> Self {
        Self { elementwise: Flop::new::<flop>(count), ..Self::default() }
    }

    /// FLOPs of both classes together.
    pub fn total(self) -> Flop {
        self.matmul + self.elementwise
    }
}

impl Add for Flops {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            matmul: self.matmul + other.matmul,
            elementwise: self.elementwise + other.elementwise,
        }
    }
}

impl AddAssign for Flops {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Mul<f64> for Flops {
    type Output = Self;
    fn mul(self, times: f64) -> Self {
        Self { matmul: self.matmul * times, elementwise: self.elementwise * times }
    }
}

impl Sum for Flops {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), Add::add)
    }
}

/// FLOPs of the backward pass of an operator, by the gradient that they compute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gradients {
    /// Gradient with respect to the operator's inputs: needed if a layer below is trained.
    pub input: Flops,
    /// Gradient with respect to its weights: needed if they are trained.
    pub weight: Flops,
    /// Gradient between the steps of a recurrence: needed as soon as one of the others is.
    pub state: Flops,
}

/// The product of extents as a real number (exact below 2^53).
pub(crate) fn product(extents: &[u64]) -> f64 {
    extents.iter().map(|&extent| extent as f64).product()
}

/// The product of extents, which stops at `u64::MAX`; [`Model::new`](super::Model::new) refuses
/// models anywhere near it.
pub(crate) fn count(extents: &[u64]) -> u64 {
    extents.iter().fold(1, |product: u64, &extent| product.saturating_mul(extent))
}
