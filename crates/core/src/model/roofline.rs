//! The roofline: the least time that an operator can take on a device.
//!
//! time >= max(matmul FLOPs / dense peak, bytes / memory bandwidth), where bytes are the weights
//! plus the activations read and written once (Williams et al. 2009, CACM 52(4)). Elementwise
//! FLOPs run beside the memory traffic that bounds them and are left out.
//!
//! The two terms are equal at the ridge, an intensity of peak / bandwidth: 989.4e12 / 3.35e12 = 295
//! FLOP/B for an H100 SXM in BF16. An operator of lower intensity is bound by memory. A linear
//! layer in decode has one FLOP per byte for each sequence of the batch (2 FLOP per weight of 2
//! bytes), so it is far below the ridge for small batches.

use super::input::AttentionCount;
use super::layer::Layer;
use crate::catalog::Accelerator;
use crate::diagnostic::{Error, Result};
use crate::quantity::{Data, DeviceBandwidth, DeviceFlopRate, Flop, Measure, Per, Precision, Time};

/// FLOP per byte moved.
pub type Intensity = Per<Flop, Data>;

/// A device as the roofline sees it.
#[derive(Clone, Copy, Debug)]
pub struct Device {
    /// Dense peak in the precision of the products, in FLOP/s.
    pub peak: DeviceFlopRate,
    /// Memory bandwidth in B/s.
    pub bandwidth: DeviceBandwidth,
}

impl Device {
    /// An accelerator in a precision.
    ///
    /// # Errors
    /// If its bandwidth or its peak is unknown.
    pub fn of(accelerator: &Accelerator, precision: Precision) -> Result<Self> {
        let bandwidth = accelerator.bandwidth.as_ref().ok_or_else(|| {
            Error::input(format!("the memory bandwidth of {} is unknown", accelerator.id))
        })?;
        Ok(Self {
            peak: accelerator.peak(accelerator.products(precision)?)?.value,
            bandwidth: bandwidth.value,
        })
    }
}

/// The part of the device that bounds an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The peak of the matrix units.
    Compute,
    /// The bandwidth of the memory.
    Memory,
}

/// The least time of a layer and the part of the device that bounds it.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// The least time.
    pub time: Time,
    /// The part of the device that bounds it.
    pub limit: Limit,
}

impl Limit {
    /// The word for tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Compute => "compute",
            Self::Memory => "memory",
        }
    }
}

/// Bytes that a forward pass of the layer moves: the weights it uses, at `weight` bytes each, and
/// its activations, at `activation` bytes each. All experts of a layer count as used.
pub fn moved(layer: &Layer, weight: Data, activation: Data) -> Data {
    let copies = if layer.weight_copies == 0 { layer.count } else { layer.weight_copies };
    let experts = layer.routing.map_or(1, |routing| routing.experts);
    let weights = layer.operator.parameters() as f64 * copies as f64 * experts as f64;
    // A table is read row by row, and the rows count as activations.
    let read_whole = !matches!(layer.operator, super::Operator::Embedding(_));
    let weights = if read_whole { weights } else { 0.0 };
    weight * weights + layer.activation_data(activation)
}

/// The roofline of one forward pass of a layer, with weights and activations of `element` bytes.
pub fn bound(layer: &Layer, attention: AttentionCount, element: Data, device: Device) -> Bound {
    least(layer.forward(attention).matmul, moved(layer, element, element), device)
}

/// The least time in which a device computes `flops` and moves `moved`: max(FLOPs / peak, bytes /
/// bandwidth). A tie counts as bound by compute.
pub fn least(flops: Flop, moved: Data, device: Device) -> Bound {
    let one = crate::quantity::Devices::from_stored(1.0);
    let compute = flops / (device.peak * one);
    let memory = moved / (device.bandwidth * one);
    if compute >= memory {
        Bound { time: compute, limit: Limit::Compute }
    } else {
        Bound { time: memory, limit: Limit::Memory }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::operator::{Dense, Operator};
    use crate::model::{Layer, Role};
    use crate::quantity::parse;

    fn dense(rows: u64) -> Layer {
        let operator = Operator::Dense(Dense { rows, inputs: 4096, outputs: 4096, bias: false });
        Layer::new("dense", Role::Mlp, operator)
    }

    #[test]
    fn a_thin_product_is_bound_by_memory_and_a_thick_one_by_compute() {
        let device = Device {
            peak: parse("989.4 TFLOP/s").expect("a rate"),
            bandwidth: parse("3350 GB/s").expect("a bandwidth"),
        };
        let two_bytes = parse("2 B").expect("bytes");
        let thin = bound(&dense(1), AttentionCount::Causal, two_bytes, device);
        let thick = bound(&dense(8192), AttentionCount::Causal, two_bytes, device);
        assert_eq!((thin.limit, thick.limit), (Limit::Memory, Limit::Compute));
        // 2 x 4096^2 bytes at 3.35 TB/s, activations being 0.05 % of them.
        assert!((thin.time.value / (2.0 * 4096.0 * 4096.0 / 3.35e12) - 1.0).abs() < 1e-3);
        assert!(
            (thick.time.value / (2.0 * 8192.0 * 4096.0 * 4096.0 / 989.4e12) - 1.0).abs() < 1e-9
        );
    }
}
