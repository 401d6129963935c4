//! Accelerators: a device's compute, memory, links, power and embodied carbon.
//!
//! One row of `hardware/accelerators.csv` is one device. A cell is in the unit that its column's
//! name says (TFLOP/s, GB, GB/s, W, kgCO2e; GB = 1e9 bytes), and is stored per device in the units
//! of [`system`](crate::quantity::system).
//!
//! Peaks are always dense. A vendor's headline is often that of 2:4 sparsity and twice as high: the
//! H100 SXM has 989.4 TFLOP/s in BF16, of which 1,979 is the sparse figure. A link within the node
//! is stated for both directions together (`NVLink` 4: 900 GB/s, so 450 GB/s each way), a network
//! card for one.

mod slice;

use std::sync::Arc;

use chrono::NaiveDate;

use super::source::{Citation, Sourced};
use super::table::{Cells, Row};
use crate::diagnostic::{Error, Result};
use crate::quantity::{
    DeviceBandwidth, DeviceCo2e, DeviceFlopRate, DeviceMemory, DevicePower, Measure, Power,
    Precision,
};

/// A device of `hardware/accelerators.csv`. A figure that no source gives is `None`.
#[derive(Clone, Debug)]
pub struct Accelerator {
    /// Name in scenarios: `h100-sxm`.
    pub id: String,
    /// Name as its vendor writes it.
    pub name: String,
    /// The company that makes it.
    pub vendor: String,
    /// The sort of device.
    pub kind: Kind,
    /// Generation, such as Hopper: it selects the calibration of the device's kernels and links.
    pub architecture: String,
    /// The day of its launch.
    pub launched: Option<NaiveDate>,
    peaks: [Option<DeviceFlopRate>; Precision::ALL.len()],
    peak_citation: Arc<Citation>,
    /// Dense FP64 rate of the matrix units in FLOP/s, where it differs from the plain one.
    pub fp64_tensor: Option<Sourced<DeviceFlopRate>>,
    /// The sparsity pattern that the vendor's headline figures assume: `2:4`, `none`, or empty
    /// where unknown. The peaks here are always dense.
    pub sparsity: String,
    /// Memory capacity in bytes, at 1e9 to the GB.
    pub memory: Option<Sourced<DeviceMemory>>,
    /// Peak memory bandwidth in B/s.
    pub bandwidth: Option<Sourced<DeviceBandwidth>>,
    /// Memory technology, such as HBM3.
    pub memory_type: String,
    /// Bandwidth to the devices of the same node in B/s, both directions together, as vendors state
    /// it; one direction has half.
    pub scale_up: Option<Sourced<DeviceBandwidth>>,
    /// Technology of the link within the node, such as `NVLink4`.
    pub scale_up_link: String,
    /// The number of devices that the link within the node joins, if it is not that of a node: a
    /// rack, a pod.
    pub scale_up_domain: Option<u64>,
    /// Bandwidth to other nodes in B/s per device, one direction, with the usual network card.
    pub scale_out: Option<Sourced<DeviceBandwidth>>,
    /// Thermal design power in W.
    pub tdp: Option<Sourced<DevicePower>>,
    /// Power in W when idle.
    pub idle: Option<Sourced<DevicePower>>,
    /// Devices in the usual server; at least 1.
    pub devices_per_node: u64,
    /// Typical power in W of a node's host in use: everything but its devices.
    pub node_host: Option<Sourced<Power>>,
    /// Nameplate power in W of a whole server, and the number of devices in that server.
    pub server_max: Option<(Sourced<Power>, u64)>,
    /// `CO2e` of making the device in kg: low, mid and high of the sources' figures.
    pub embodied: Embodied,
    /// Slices like it that fill its card, of a slice; none of a whole device.
    pub slices: Option<u64>,
    /// The agreement of the figures, where somebody judged it.
    pub confidence: Option<Confidence>,
    /// A warning to read before relying on the figures.
    pub note: String,
}

/// Sorts of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Graphics processor.
    Gpu,
    /// Google's tensor processor.
    Tpu,
    /// Another accelerator made for neural networks.
    Asic,
    /// A system on a chip with its graphics cores.
    Soc,
    /// A general processor.
    Cpu,
}

/// The degree to which the sources of a device agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confidence {
    /// The figures were read in good sources that agree.
    High,
    /// The figures are in part recalled or inferred.
    Medium,
    /// The figures are mostly recalled or computed.
    Low,
}

/// Embodied `CO2e` in kg per device, as far as it is known. Sources differ by a factor of four for
/// one card, so all three levels are kept.
#[derive(Clone, Debug)]
pub struct Embodied {
    /// The lowest figure.
    pub low: Option<Sourced<DeviceCo2e>>,
    /// The middle one.
    pub mid: Option<Sourced<DeviceCo2e>>,
    /// The highest.
    pub high: Option<Sourced<DeviceCo2e>>,
}

impl Accelerator {
    /// Dense peak rate at a precision in FLOP/s; operations per second for integer formats.
    ///
    /// # Errors
    /// If the sources give none: the error lists the precisions that they do give.
    pub fn peak(&self, precision: Precision) -> Result<Sourced<DeviceFlopRate>> {
        let peak = self.peaks().find(|(p, _)| *p == precision).map(|(_, peak)| peak);
        peak.ok_or_else(|| {
            let known: Vec<_> = self.peaks().map(|(p, _)| p.name()).collect();
            Error::input(format!("the catalog has no {precision} peak of {}", self.id))
                .hint(format!("it has {}", known.join(", ")))
        })
    }

    /// Formats that models are kept in, by preference where nobody names one.
    pub const FORMATS: [Precision; 5] =
        [Precision::Bf16, Precision::Fp16, Precision::Fp8, Precision::Int8, Precision::Fp32];

    /// The first of some formats that the device is known to compute in.
    pub fn first_of(&self, formats: &[Precision]) -> Option<Precision> {
        formats.iter().copied().find(|format| self.peak(*format).is_ok())
    }

    /// The format in which the device computes products of numbers stored in `precision`: that
    /// format, or where weights are narrower than what it multiplies 16 bits, or 32 on a processor.
    ///
    /// # Errors
    /// If none of these peaks is known.
    pub fn products(&self, precision: Precision) -> Result<Precision> {
        let own = self.peak(precision);
        if own.is_ok() || precision.size().value >= Precision::Fp16.size().value {
            return own.map(|_| precision);
        }
        let wider = self.first_of(&[Precision::Bf16, Precision::Fp16, Precision::Fp32]);
        wider.map_or_else(|| own.map(|_| precision), Ok)
    }

    /// Every dense peak that is known, from wide to narrow formats, with the citation that all of
    /// them share.
    pub fn peaks(&self) -> impl Iterator<Item = (Precision, Sourced<DeviceFlopRate>)> {
        let sourced = |value| Sourced { value, citation: Arc::clone(&self.peak_citation) };
        let peaks = Precision::ALL.into_iter().zip(self.peaks);
        peaks.filter_map(move |(precision, peak)| Some((precision, sourced(peak?))))
    }

    /// Typical host power per device: power of the node's host / devices per node.
    pub fn host_power(&self) -> Option<Sourced<DevicePower>> {
        let per_device = self.devices_per_node as f64;
        Some(self.node_host.as_ref()?.map(|p| DevicePower::from_stored(p.stored() / per_device)))
    }

    /// Nameplate power of the server / its devices, host included.
    pub fn server_power(&self) -> Option<Sourced<DevicePower>> {
        let (power, devices) = self.server_max.as_ref()?;
        Some(power.map(|p| DevicePower::from_stored(p.stored() / *devices as f64)))
    }
}

impl Kind {
    /// Names in the table.
    pub const NAMES: &'static [(&'static str, Self)] = &[
        ("gpu", Self::Gpu),
        ("tpu", Self::Tpu),
        ("asic", Self::Asic),
        ("soc", Self::Soc),
        ("cpu", Self::Cpu),
    ];

    /// Its name in the table.
    pub fn name(self) -> &'static str {
        super::name_of(Self::NAMES, self)
    }
}

impl Confidence {
    /// Names in the table.
    pub const NAMES: &'static [(&'static str, Self)] =
        &[("high", Self::High), ("medium", Self::Medium), ("low", Self::Low)];

    /// Its name in the table.
    pub fn name(self) -> &'static str {
        super::name_of(Self::NAMES, self)
    }
}

/// Columns of the dense peaks with the FLOP/s of their unit, in the order of [`Precision::ALL`].
/// The table has no column for INT4.
const PEAKS: [(&str, f64); Precision::ALL.len()] = [
    ("fp64_tflops", 1e12),
    ("fp32_tflops", 1e12),
    ("tf32_tflops", 1e12),
    ("fp16_tflops", 1e12),
    ("bf16_tflops", 1e12),
    ("fp8_tflops", 1e12),
    ("int8_tops", 1e12),
    ("fp4_tflops", 1e12),
    ("int4_tops", 1e12),
];

impl Row for Accelerator {
    const TABLE: &'static flopcast_data::Csv = &flopcast_data::hardware::ACCELERATORS;

    /// Reads a row. Peaks share one citation, the other columns of the data sheet another; host,
    /// idle and embodied figures have their own. `devices_per_node` is required.
    fn read(cells: &Cells<'_>) -> Result<Self> {
        let id = cells.required("id")?.to_owned();
        let cite = |column| cells.citation(&id, column, None);
        let (peak, spec) = (cite("peak_sources")?, cite("spec_sources")?);
        let mut peaks = [None; Precision::ALL.len()];
        for (slot, (column, unit)) in peaks.iter_mut().zip(PEAKS) {
            *slot = cells.sourced(column, unit, &peak)?.map(|peak| peak.value);
        }
        let server = cells.sourced("server_max_w", 1.0, &cite("server_sources")?)?;
        let launched = cells.as_of("launched")?;
        Ok(Self {
            peaks,
            fp64_tensor: cells.sourced("fp64_tensor_tflops", 1e12, &peak)?,
            name: cells.required("name")?.to_owned(),
            vendor: cells.text("vendor").to_owned(),
            kind: cells.one_of("kind", Kind::NAMES)?.ok_or_else(|| cells.empty("kind"))?,
            architecture: cells.text("architecture").to_owned(),
            launched: launched.map(|as_of| as_of.start),
            peak_citation: peak,
            sparsity: cells.text("sparsity").to_owned(),
            memory: cells.sourced("memory_gb", 1e9, &spec)?,
            bandwidth: cells.sourced("bandwidth_gb_per_s", 1e9, &spec)?,
            memory_type: cells.text("memory_type").to_owned(),
            scale_up: cells.sourced("scale_up_gb_per_s", 1e9, &spec)?,
            scale_up_link: cells.text("scale_up_link").to_owned(),
            scale_up_domain: cells.count("scale_up_domain")?.filter(|n| *n > 0),
            scale_out: cells.sourced("scale_out_gb_per_s", 1e9, &cite("scale_out_sources")?)?,
            tdp: cells.sourced("tdp_w", 1.0, &spec)?,
            idle: cells.sourced("idle_w", 1.0, &cite("idle_sources")?)?,
            devices_per_node: cells
                .count("devices_per_node")?
                .filter(|n| *n > 0)
                .ok_or_else(|| cells.empty("devices_per_node"))?,
            node_host: cells.sourced("node_host_w", 1.0, &cite("host_sources")?)?,
            server_max: server.zip(cells.count("server_devices")?.filter(|n| *n > 0)),
            embodied: Embodied {
                low: cells.sourced("embodied_low_kgco2e", 1.0, &cite("embodied_low_source")?)?,
                mid: cells.sourced("embodied_mid_kgco2e", 1.0, &cite("embodied_mid_source")?)?,
                high: cells.sourced("embodied_high_kgco2e", 1.0, &cite("embodied_high_source")?)?,
            },
            slices: None,
            confidence: cells.one_of("confidence", Confidence::NAMES)?,
            note: cells.text("note").to_owned(),
            id,
        })
    }

    /// The id: an overlay's row replaces the whole device.
    fn key(&self) -> String {
        self.id.clone()
    }
}

/// A device's name without its vendor, its kind of memory and what separates words:
/// `NVIDIA-H100-80GB-HBM3` is `h10080gb`.
pub(super) fn letters(name: &str) -> String {
    const UNSAID: [&str; 16] = [
        "nvidia", "tesla", "geforce", "quadro", "google", "amd", "instinct", "intel", "aws",
        "hbm2", "hbm2e", "hbm3", "hbm3e", "slice", "podslice", "gpu",
    ];
    let lower = name.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric());
    words.filter(|word| !UNSAID.contains(word)).collect()
}

/// The number of the model in a device's name: `200` of `H200 141GB`.
pub(super) fn model_number(name: &str) -> Option<String> {
    let lower = name.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric());
    let digits = |word: &str| word.find(|c: char| c.is_ascii_digit());
    let word = words.into_iter().find(|word| digits(word).is_some())?;
    let from = digits(word)?;
    let end = word[from..].find(|c: char| !c.is_ascii_digit()).map_or(word.len(), |it| from + it);
    Some(word[from..end].to_owned())
}

/// Another name of a device: a row of `hardware/aliases.csv`.
#[derive(Clone, Debug)]
pub(super) struct Alias {
    /// The other name, as a source writes it; capitals do not matter.
    pub alias: String,
    /// The id of the device that it means.
    pub accelerator: String,
}

impl Row for Alias {
    const TABLE: &'static flopcast_data::Csv = &flopcast_data::hardware::ALIASES;

    fn read(cells: &Cells<'_>) -> Result<Self> {
        Ok(Self {
            alias: cells.required("alias")?.to_owned(),
            accelerator: cells.required("accelerator")?.to_owned(),
        })
    }

    /// The other name.
    fn key(&self) -> String {
        self.alias.clone()
    }
}
