//! Rent: devices are packed into the instances that a provider sells, and paid by the hour.

use super::line::{Entry, Line};
use crate::provenance::{Input, Traced};
use crate::quantity::{DeviceTime, Devices, Flop, Instances, Measure, Money, Per, Ratio};
use crate::scenario::plan::Rent;

/// FLOP for a dollar.
pub type FlopPerMoney = Per<Flop, Money>;

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

    /// The row for `time` device-hours, stranded devices included, at the price as it has changed
    /// by then.
    pub fn line(
        &self,
        entry: Entry,
        time: &Traced<DeviceTime>,
        packing: Option<&Packing>,
        change: Option<&Traced<Ratio>>,
        explain: bool,
    ) -> Line<Money> {
        match self {
            Self::Device { price } => {
                Line::new(entry, &Ok(time.clone()), &Ok(changed(price, change, explain)))
            }
            Self::Instance { price, devices } => {
                let instance_time = time / &devices.traced(explain);
                let billed = match packing {
                    Some(packing) => &instance_time * &packing.paid_per_used,
                    None => instance_time,
                };
                let billed = billed.named("instance-hours paid for");
                Line::new(entry, &Ok(billed), &Ok(changed(price, change, explain)))
            }
        }
    }
}

fn changed<P: Measure + std::ops::Mul<Ratio, Output = P>>(
    price: &Input<P>,
    change: Option<&Traced<Ratio>>,
    explain: bool,
) -> Traced<P> {
    let price = price.traced(explain);
    change.map_or(price.clone(), |change| &price * change)
}
