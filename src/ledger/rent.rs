//! Rent: devices are packed into the instances that a provider sells, and paid by the hour.

use crate::provenance::Traced;
use crate::quantity::{DeviceTime, Devices, Flop, Instances, Money, Per, Ratio};
use crate::scenario::plan::Rent;

/// FLOP for a dollar.
pub type FlopPerMoney = Per<Flop, Money>;

/// What a stretch of device-time costs.
#[derive(Clone, Debug)]
pub struct Bill {
    /// Rent of the accelerators with their host.
    pub compute: Traced<Money>,
    /// The sum of the lines.
    pub total: Traced<Money>,
}

/// How many instances hold the devices, and what is left over in them.
#[derive(Clone, Debug)]
pub struct Packing {
    /// Whole instances.
    pub instances: Traced<Instances>,
    /// Devices paid for but unused.
    pub stranded: Traced<Devices>,
    /// Devices paid for / devices used.
    paid_per_used: Traced<Ratio>,
}

impl Rent {
    /// Packs devices into whole instances; `None` where devices are sold singly.
    pub fn pack(&self, stage: &str, devices: &Traced<Devices>, explain: bool) -> Option<Packing> {
        let Self::Instance { devices: size, .. } = self else { return None };
        let size = size.traced(explain);
        let instances: Traced<Instances> =
            devices.map2(&size, "devices / devices per instance, rounded up", |v| {
                // A hair of rounding error must not rent a machine.
                (v[0] / v[1] - 1e-9).ceil()
            });
        let paid = &instances * &size;
        let stranded = &paid - devices;
        Some(Packing {
            instances: instances.named(&format!("{stage}.instances")),
            stranded: stranded.named(&format!("{stage}.stranded_devices")),
            paid_per_used: &paid / devices,
        })
    }

    /// The bill for `time` device-hours, stranded devices included.
    pub fn bill(
        &self,
        stage: &str,
        time: &Traced<DeviceTime>,
        packing: Option<&Packing>,
        explain: bool,
    ) -> Bill {
        let compute = match self {
            Self::Device { price } => time * &price.traced(explain),
            Self::Instance { price, devices } => {
                let instance_time = time / &devices.traced(explain);
                let billed = match packing {
                    Some(packing) => &instance_time * &packing.paid_per_used,
                    None => instance_time,
                };
                &billed * &price.traced(explain)
            }
        };
        let compute = compute.named(&format!("{stage}.cost_usd.compute"));
        Bill { total: compute.clone().named(&format!("{stage}.cost_usd.total")), compute }
    }
}
