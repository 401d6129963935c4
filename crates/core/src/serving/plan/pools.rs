//! Engines that read prompts apart from those that write answers.

use super::Spread;
use crate::provenance::{Input, inputs};
use crate::quantity::{Data, DeviceBandwidth, Devices};

/// Disaggregated prefill and decode within one replica.
#[derive(Clone, Debug)]
pub struct Pools {
    /// Engines that read prompts.
    pub prefill: Input<f64>,
    /// Engines that write answers.
    pub decode: Input<f64>,
    /// Devices of an engine that reads prompts.
    pub prefill_devices: Input<Devices>,
    /// Weights on these devices.
    pub prefill_weights: Input<Data>,
    /// How they are spread.
    pub prefill_spread: Spread,
    /// Link of a device to other nodes, one direction.
    pub network: Input<DeviceBandwidth>,
}

inputs!(Pools {
    prefill, decode, prefill_devices, prefill_weights, network;
    but prefill_spread,
});
