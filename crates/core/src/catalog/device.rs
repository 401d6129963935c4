//! A device as a forecast of time uses it: peaks, memory, bandwidth, and the links to other
//! devices. Training, serving and the roofline read the same one.

use super::Accelerator;
use crate::diagnostic::{Error, Result};
use crate::quantity::{DeviceBandwidth, DeviceFlopRate, DeviceMemory, Measure as _, Precision};

/// The figures of one device on which a time depends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Device {
    /// Memory in bytes.
    pub memory: DeviceMemory,
    /// Memory bandwidth in B/s.
    pub bandwidth: DeviceBandwidth,
    /// Dense peak at 16 bits in FLOP/s: BF16, or FP16 if it has no BF16.
    pub peak16: DeviceFlopRate,
    /// The same where sums, too, are kept in 16 bits: half of the dense peak of 8-bit integers. Cards
    /// for games have half of it where sums are in 32 bits; others have the same.
    pub half_sums: DeviceFlopRate,
    /// Dense peak in the format of a model that is served in more than 16 bits.
    pub wide: Option<DeviceFlopRate>,
    /// Dense peak at 8 bits, if the device has one above that of 16.
    pub peak8: Option<DeviceFlopRate>,
    /// Dense peak at 4 bits, if the device has one.
    pub peak4: Option<DeviceFlopRate>,
    /// The links to other devices.
    pub links: Links,
}

/// The links between a device and others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Links {
    /// Bandwidth to the devices of the same scale-up domain in B/s, one direction: half of the
    /// table's figure. `None` if no source gives it.
    pub scale_up: Option<DeviceBandwidth>,
    /// True if that link is `PCIe`: collectives then lack the kernels that read a peer's memory
    /// directly.
    pub pcie: bool,
    /// True of a card in a slot, with or without a bridge to a second one.
    pub card: bool,
    /// Devices of a scale-up domain: a node, a rack, a pod.
    pub domain: u64,
    /// Bandwidth to other domains in B/s, one direction.
    pub scale_out: DeviceBandwidth,
    /// True if no source gives it. It is then taken to be a 100 Gbit/s network card, or in a pod
    /// the link within.
    pub scale_out_assumed: bool,
}

/// The largest rack. A domain above it is a pod, whose slices are joined by the links within.
const RACK: u64 = 72;

impl Device {
    /// The figures of an accelerator.
    ///
    /// # Errors
    /// If the catalog does not know its memory, its bandwidth or any peak. The 16-bit peak of a
    /// device without one is that of its narrowest format.
    pub fn of(accelerator: &Accelerator) -> Result<Self> {
        let missing = |what: &str| {
            Error::input(format!("the catalog does not know the {what} of {}", accelerator.id))
                .hint("add it in a table of your own (`--data-dir`)")
        };
        let peak = |precisions: &[Precision]| {
            precisions.iter().find_map(|p| accelerator.peak(*p).ok()).map(|peak| peak.value)
        };
        let peak16 = peak(&[Precision::Bf16, Precision::Fp16])
            .or_else(|| accelerator.peaks().last().map(|(_, peak)| peak.value))
            .ok_or_else(|| missing("peak"))?;
        let integers = peak(&[Precision::Int8]).map(|peak| peak.value / 2.0);
        let half_sums = DeviceFlopRate::from_stored(integers.unwrap_or(0.0).max(peak16.value));
        Ok(Self {
            memory: accelerator.memory.as_ref().ok_or_else(|| missing("memory"))?.value,
            bandwidth: accelerator
                .bandwidth
                .as_ref()
                .ok_or_else(|| missing("memory bandwidth"))?
                .value,
            peak16,
            half_sums,
            wide: None,
            peak8: peak(&[Precision::Fp8]).filter(|peak| *peak > peak16),
            peak4: peak(&[Precision::Fp4]),
            links: Links::of(accelerator),
        })
    }

    /// Dense peak of products in a number of bits; if the device lacks that format, the peak of the
    /// next wider one.
    pub fn peak(&self, bits: u32) -> DeviceFlopRate {
        match bits {
            4 => self.peak4.or(self.peak8).unwrap_or(self.peak16),
            8 => self.peak8.unwrap_or(self.peak16),
            32 => self.wide.unwrap_or(self.peak16),
            _ => self.peak16,
        }
    }
}

impl Links {
    /// The links of an accelerator. A domain is as large as the table says, or a node.
    pub fn of(accelerator: &Accelerator) -> Self {
        // The table has both directions together.
        let scale_up = accelerator.scale_up.as_ref().map(|both| both.value / 2.0);
        let domain = accelerator.scale_up_domain.unwrap_or(accelerator.devices_per_node).max(1);
        let scale_out = accelerator.scale_out.as_ref().map(|link| link.value);
        let pod = scale_up.filter(|_| domain > RACK);
        Self {
            scale_up,
            pcie: accelerator.scale_up_link.starts_with("PCIe"),
            card: ["PCIe", "NVLink bridge"]
                .iter()
                .any(|link| accelerator.scale_up_link.starts_with(link)),
            domain,
            scale_out: scale_out.or(pod).unwrap_or_else(Self::network_card),
            scale_out_assumed: scale_out.is_none(),
        }
    }

    /// The scale-up link of a device that works with others.
    ///
    /// # Errors
    /// If no source gives it.
    pub fn joined(&self, accelerator: &str) -> Result<DeviceBandwidth> {
        self.scale_up.ok_or_else(|| {
            Error::input(format!(
                "the catalog does not know the link between devices of {accelerator}"
            ))
            .hint("add its scale_up_gb_per_s in a table of your own (`--data-dir`)")
        })
    }

    /// The link to other nodes of a device whose sources name none: a 100 Gbit/s network card,
    /// 12.5e9 B/s in each direction.
    pub fn network_card() -> DeviceBandwidth {
        DeviceBandwidth::from_stored(12.5e9)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Catalog;
    use super::*;

    #[test]
    fn cards_for_games_sum_in_16_bits_at_twice_the_rate() {
        // NVIDIA's white papers of GA102 and AD102; a data centre's parts know no difference.
        for (id, sums32, sums16) in [
            ("rtx-3090", 71e12, 142e12),
            ("rtx-4090", 165.2e12, 330.3e12),
            ("rtx-a6000", 154.85e12, 154.85e12),
            ("h100-sxm", 989.4e12, 989.5e12),
            ("v100-sxm2-16gb", 125e12, 125e12),
        ] {
            let device = Device::of(Catalog::embedded().accelerator(id).unwrap()).unwrap();
            let close = |value: f64, expected: f64| (value / expected - 1.0).abs() < 1e-3;
            assert!(close(device.peak16.value, sums32), "{id} {:?}", device.peak16);
            assert!(close(device.half_sums.value, sums16), "{id} {:?}", device.half_sums);
        }
    }

    #[test]
    fn links_are_those_of_the_datasheets() {
        // NVLink4: 900 GB/s both directions in nodes of 8; NVL72; ICI of a v5p pod; PCIe 4.0 x16.
        for (id, scale_up, domain, scale_out, pcie) in [
            ("h100-sxm", Some(450e9), 8, 50e9, false),
            ("gb200", Some(900e9), 72, 50e9, false),
            ("tpu-v5p", Some(600e9), 8960, 600e9, false),
            ("l40s", Some(32e9), 8, 12.5e9, true),
            ("trainium2", Some(192e9), 16, 12.5e9, false),
            ("jetson-orin-nano-8gb", None, 1, 12.5e9, false),
        ] {
            let catalog = Catalog::embedded();
            let links = Links::of(catalog.accelerator(id).unwrap());
            assert_eq!(links.scale_up.map(|link| link.value), scale_up, "{id}");
            assert_eq!((links.domain, links.pcie), (domain, pcie), "{id}");
            assert!((links.scale_out.value / scale_out - 1.0).abs() < 1e-12, "{id}");
            assert_eq!(links.joined(id).is_err(), scale_up.is_none(), "{id}");
        }
    }
}
