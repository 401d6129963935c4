//! How long one operator takes on one device in one format.
//!
//! The time of an operator is a sum of what occupies its device (see [`network`]): arithmetic at a
//! share of the peak that its kind reaches, passes of its activations over memory, the least time
//! of a kernel. Dense products are those of kernels that were timed, where any were
//! ([`product`]). `training` and `serving` compose these times: products, fused and unfused
//! attention, what collectives move over which link, and how times add up that occupy a
//! device at once. The constants are those of `hardware/kernel-calibration.yaml`; `flopcast calibrate
//! --kind networks` fits them to measured networks.

pub(crate) mod attention;
pub mod calibration;
pub(crate) mod collective;
pub(crate) mod corner;
pub mod network;
pub mod product;
mod timed;

use crate::catalog::Accelerator;
use crate::diagnostic::{Error, Result};
use crate::quantity::{DeviceBandwidth, DeviceFlopRate, Measure as _, Precision};

/// One device in one format.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// Name in the catalog.
    pub name: String,
    /// Architecture, as the accelerator table names it.
    pub architecture: String,
    /// Dense peak of the matrix units, in FLOP/s.
    pub peak: DeviceFlopRate,
    /// Peak of the vector units in FP32: what depthwise products and functions run on.
    pub vector: DeviceFlopRate,
    /// Memory bandwidth in B/s.
    pub bandwidth: DeviceBandwidth,
}

/// Bytes per parameter of the optimizer's update, in and out.
pub(crate) const UPDATE_BYTES: f64 = 24.0;

/// Peak of the matrix units / that of the vector units, where the latter is not published: the
/// median of data-centre devices.
const USUAL_RATIO: f64 = 8.0;

impl Device {
    /// An accelerator in a precision.
    ///
    /// # Errors
    /// Its bandwidth or its peak is unknown.
    pub fn of(accelerator: &Accelerator, precision: Precision) -> Result<Self> {
        let bandwidth = accelerator.bandwidth.as_ref().ok_or_else(|| {
            Error::input(format!("the memory bandwidth of {} is unknown", accelerator.id))
        })?;
        let peak = accelerator.peak(precision)?.value;
        Ok(Self {
            name: accelerator.id.clone(),
            architecture: accelerator.architecture.clone(),
            vector: accelerator.peak(Precision::Fp32).map_or_else(
                |_| DeviceFlopRate::from_stored(peak.value / USUAL_RATIO),
                |peak| peak.value,
            ),
            peak,
            bandwidth: bandwidth.value,
        })
    }

    /// How many times as fast the matrix units are as the vector units, at least once.
    fn width(&self) -> f64 {
        (self.peak.value / self.vector.value).max(1.0)
    }
}
