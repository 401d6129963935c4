//! Prefill instances beside decode instances.

use crate::provenance::{Input, Uncertain};
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

impl Pools {
    pub(crate) fn for_each_input(&mut self, visit: &mut dyn FnMut(&mut dyn Uncertain)) {
        visit(&mut self.prefill);
        visit(&mut self.decode);
        visit(&mut self.prefill_devices);
        visit(&mut self.network);
    }
}
