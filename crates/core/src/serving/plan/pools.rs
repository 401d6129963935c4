//! Prefill instances beside decode instances.

use crate::provenance::{Input, inputs};
use crate::quantity::{DeviceBandwidth, Devices};

/// Disaggregated prefill and decode within one replica.
#[derive(Clone, Debug)]
pub struct Pools {
    /// Prefill instances.
    pub prefill: Input<f64>,
    /// Decode instances.
    pub decode: Input<f64>,
    /// Devices of a prefill instance.
    pub prefill_devices: Input<Devices>,
    /// Link of a device to other nodes, one direction.
    pub network: Input<DeviceBandwidth>,
}

inputs!(Pools { prefill, decode, prefill_devices, network });
