//! The lower bound that FLOPs set: the device-time that a year of requests would take at the dense
//! peak of the devices, every second of them used.
//! ```text
//! device-time = FLOP per request x requests / dense peak
//! share       = device-time / device-hours of the fleet
//! ```
//! A fleet takes more, because decoding waits for memory, load comes in peaks and devices stand by;
//! the share says how much more.

use super::Year;
use crate::estimate::plan::Service;
use crate::ledger::energy::{Load, Phase, When};
use crate::ledger::footprint::Footprint;
use crate::ledger::line::{Period, Stage};
use crate::provenance::Traced;
use crate::quantity::{DeviceTime, Flop, Ratio};

/// The first year at the dense peak.
#[derive(Clone, Debug)]
pub struct LowerBound {
    /// FLOPs of a request x requests of the year.
    pub flops: Traced<Flop>,
    /// FLOPs / dense peak of a device.
    pub device_time: Traced<DeviceTime>,
    /// This device-time / the device-hours of the fleet.
    pub share: Traced<Ratio>,
    /// Energy and carbon of this device-time, the devices being busy.
    pub footprint: Footprint,
}

impl LowerBound {
    /// The lower bound of the first year.
    pub(super) fn of(service: &Service, year: &Year) -> Self {
        let flops = (&service.flops.trace() * &year.requests).named("inference.lower_bound.flops");
        let device_time: Traced<DeviceTime> =
            (&flops / &service.replica.peak.trace()).named("inference.lower_bound.device_hours");
        let busy = Phase { name: "at peak", time: device_time.clone(), load: Load::Busy };
        let when = When { stage: Stage::Serving(year.year), period: Period::of_months(0, 12) };
        Self {
            share: (&device_time / &year.fleet_time).named("inference.lower_bound.share_of_fleet"),
            footprint: service.site.footprint(format_args!("inference.lower_bound"), when, &[busy]),
            device_time,
            flops,
        }
    }
}
