//! How devices fill the instances that a provider sells.
//!
//! An engine sits within one instance, or spans whole ones: its devices are joined by the links of
//! an instance. With n engines of d devices and instances of m devices,
//! ```text
//! instances = n ceil(d / m)          where d >= m
//!           = ceil(n / floor(m / d)) where several engines share an instance
//! stranded  = instances x m - n d
//! ```
//! Training, the bill of a service and its sizing all pack here, so they agree on the number of
//! instances.

use std::fmt::Display;

use crate::ledger::energy::{Load, Phase};
use crate::provenance::Traced;
use crate::quantity::{DeviceTime, Devices, DevicesPerInstance, Instances, Measure as _, Ratio};

/// Engines that are alike, or devices that stand on their own: their number, and the devices of
/// each.
pub type Group = (Traced<f64>, Traced<Devices>);

/// The instances that hold a set of engines, and what is left over in them.
#[derive(Clone, Debug)]
pub struct Packing {
    /// The number of whole instances.
    pub instances: Traced<Instances>,
    /// Devices paid for but unused: paid - used.
    pub stranded: Traced<Devices>,
    /// Devices paid for: instances x devices of an instance.
    pub paid: Traced<Devices>,
    /// Devices paid for / devices used, at least 1: the factor from device-hours used to
    /// device-hours paid.
    pub paid_per_used: Traced<Ratio>,
}

impl Packing {
    /// Packs groups of engines into instances of `size` devices. Groups do not share an instance
    /// with each other; the figures are named `<stage>.instances` and `<stage>.stranded_devices`.
    ///
    /// ```
    /// use flopcast_core::ledger::packing::Packing;
    /// use flopcast_core::provenance::Traced;
    /// use flopcast_core::quantity::{Devices, DevicesPerInstance, Measure};
    /// // Fourteen engines of three devices in instances of eight: two engines to an instance.
    /// let engines = (Traced::constant(14.0), Traced::constant(Devices::from_stored(3.0)));
    /// let size = Traced::constant(DevicesPerInstance::from_stored(8.0));
    /// let packing = Packing::of("fleet", &[engines], &size);
    /// assert_eq!(packing.instances.value().stored(), 7.0);
    /// assert_eq!(packing.stranded.value().stored(), 14.0);
    /// ```
    pub fn of(stage: impl Display, groups: &[Group], size: &Traced<DevicesPerInstance>) -> Self {
        let devices = Traced::total(groups.iter().map(|(count, each)| count * each));
        let instances = Traced::total(groups.iter().map(|group| held(group, size)));
        let paid = &instances * size;
        let stranded = &paid - &devices;
        Self {
            instances: instances.named(format_args!("{stage}.instances")),
            stranded: stranded.named(format_args!("{stage}.stranded_devices")),
            paid_per_used: &paid / &devices,
            paid,
        }
    }

    /// What the devices that nobody uses do while the others are held so long: whoever rents an
    /// instance has all of it powered. None where all are used.
    pub fn unused(&self, held: &Traced<DeviceTime>) -> Option<Phase> {
        let more = &self.paid_per_used - Traced::constant(Ratio::from_stored(1.0));
        let time = (held * more).named("device-hours paid for but unused");
        let stranded = self.stranded.value().value > 0.0;
        stranded.then_some(Phase { name: "paid for but unused", time, load: Load::Waiting })
    }
}

/// Instances of one group: count x ceil(devices / size) where an engine spans instances, and
/// ceil(count / floor(size / devices)) where several sit in one. Single devices fill instances
/// exactly.
fn held((count, each): &Group, size: &Traced<DevicesPerInstance>) -> Traced<Instances> {
    let one = || Traced::constant(Instances::from_stored(1.0));
    let instance = size * one();
    if each.value().value <= 1.0 {
        return (count * each / size).ceil();
    }
    let spanning = (each / size).ceil() * count;
    let sharing = (count / (&instance / each).floor().number()).ceil() * one();
    instance.at_most(each).choose(&spanning, &sharing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_sit_within_an_instance_or_span_whole_ones() {
        // Fourteen engines of 1, 4, 3, 5 and 16 devices in instances of eight; one of each of two.
        for (groups, instances, stranded) in [
            (vec![(14.0, 1.0)], 2.0, 2.0),
            (vec![(14.0, 4.0)], 7.0, 0.0),
            (vec![(14.0, 3.0)], 7.0, 14.0),
            (vec![(14.0, 5.0)], 14.0, 42.0),
            (vec![(14.0, 16.0)], 28.0, 0.0),
            (vec![(14.0, 12.0)], 28.0, 56.0),
            (vec![(3.0, 2.0), (3.0, 8.0)], 4.0, 2.0),
        ] {
            let traced = |(count, each): &(f64, f64)| {
                (Traced::constant(*count), Traced::constant(Devices::from_stored(*each)))
            };
            let packed: Vec<_> = groups.iter().map(traced).collect();
            let size = Traced::constant(DevicesPerInstance::from_stored(8.0));
            let packing = Packing::of("fleet", &packed, &size);
            let packed = (packing.instances.value().value, packing.stranded.value().value);
            let off = (packed.0 - instances).abs() + (packed.1 - stranded).abs();
            assert!(off < 1e-9, "{groups:?}: {packed:?}");
        }
    }
}
