//! What a run runs on: devices, their links, and the software that drives them.

use chrono::{Datelike, NaiveDate};

use super::calibration::{Calibration, General, Generation, Rates};
use super::format::Format;
use crate::catalog::{Catalog, Sourced};
use crate::diagnostic::{Error, Result};
use crate::quantity::{
    DeviceBandwidth, DeviceFlopRate, DeviceMemory, DevicePower, Measure, Precision,
};

/// Published figures of a device and its links.
#[derive(Clone, Debug)]
pub struct Hardware {
    /// Architecture, as the accelerator table names it.
    pub architecture: String,
    /// Dense peak in the precision of the matrix products.
    pub peak: DeviceFlopRate,
    /// Dense peak in bf16 (or fp16).
    pub peak16: DeviceFlopRate,
    /// Memory bandwidth.
    pub bandwidth: DeviceBandwidth,
    /// Memory capacity.
    pub memory: DeviceMemory,
    /// Thermal design power.
    pub power: Option<DevicePower>,
    /// Bandwidth of one device to the others of its scale-up domain, one direction.
    pub scale_up: DeviceBandwidth,
    /// Bandwidth of one device to other domains, one direction.
    pub scale_out: DeviceBandwidth,
    /// Devices of a scale-up domain: a node, a rack, a pod.
    pub domain: u64,
}

impl Hardware {
    /// The published figures of an accelerator.
    ///
    /// # Errors
    /// The catalog does not know it, or lacks a figure that the model needs.
    pub fn of(
        catalog: &Catalog,
        calibration: &Calibration,
        name: &str,
        format: Format,
    ) -> Result<Self> {
        let accelerator = catalog.accelerator(name)?;
        let missing = |what: &str| {
            Error::input(format!("the catalog has no {what} of {}", accelerator.id))
                .hint("add it in a table of your own (`--data-dir`)")
        };
        let peak16 =
            accelerator.peak(Precision::Bf16).or_else(|_| accelerator.peak(Precision::Fp16))?.value;
        let value = |fact: &Option<Sourced<DeviceBandwidth>>| fact.as_ref().map(|f| f.value);
        let scale_up = value(&accelerator.scale_up).map(|both| both / 2.0);
        let scale_up = scale_up.or_else(|| {
            let (_, generation) = calibration.generation(&accelerator.architecture)?;
            Some(DeviceBandwidth::from_stored(generation.scale_up_gb_per_s? * 1e9))
        });
        let scale_up = scale_up.ok_or_else(|| missing("scale-up bandwidth"))?;
        let domain = calibration.facts.domains.get(&accelerator.architecture).copied();
        let pod = domain.is_some_and(|devices| devices > 72);
        Ok(Self {
            architecture: accelerator.architecture.clone(),
            peak: match format {
                Format::Half => peak16,
                narrow => accelerator.peak(narrow.precision())?.value,
            },
            peak16,
            bandwidth: value(&accelerator.bandwidth).ok_or_else(|| missing("memory bandwidth"))?,
            memory: accelerator.memory.as_ref().ok_or_else(|| missing("memory"))?.value,
            power: accelerator.tdp.as_ref().map(|fact| fact.value),
            scale_up,
            // Pods beyond a slice and cards without a usual network: one 100 Gb/s port each.
            scale_out: value(&accelerator.scale_out).unwrap_or(if pod {
                scale_up
            } else {
                DeviceBandwidth::from_stored(12.5e9)
            }),
            domain: domain.unwrap_or(accelerator.devices_per_node),
        })
    }
}

/// What is known of the software.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Software {
    /// Date of the release, as a decimal year.
    pub year: f64,
    /// Whether tensor-parallel communication overlaps with the products.
    pub overlaps_tensor: bool,
    /// Whether gradients are reduced while the backward pass still runs.
    pub overlaps_gradients: bool,
    /// How far the kernels of routed experts have come.
    pub expert_kernels: ExpertKernels,
}

/// Stages in which a framework rewrote its kernels and dispatch of routed experts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExpertKernels {
    /// Before the rewrite.
    Early,
    /// Grouped products and fused permutations.
    #[default]
    Grouped,
    /// Without the host: whole iterations as one graph.
    Graphs,
}

/// The decimal year of a date: 2024-07-01 is about 2024.5.
pub fn decimal_year(date: NaiveDate) -> f64 {
    f64::from(date.year()) + f64::from(date.ordinal0()) / 365.25
}

/// Hardware, software and the constants that fit them, resolved: [`super::step_time`] and
/// [`super::memory`] compute from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Platform {
    pub(super) peak: f64,
    pub(super) peak16: f64,
    pub(super) bandwidth: f64,
    pub(super) memory: f64,
    pub(super) scale_up: f64,
    pub(super) scale_out: f64,
    pub(super) domain: f64,
    pub(super) host_launched: bool,
    /// Part of the full clock that the power budget allows, before the exponent.
    pub(super) power_share: f64,
    pub(super) format: Format,
    pub(super) software: Software,
    pub(super) rates: Rates,
    pub(super) general: General,
}

impl Platform {
    /// Looks up the constants of the hardware's generation.
    ///
    /// # Errors
    /// Nothing was measured on the architecture or its relatives.
    pub fn new(
        hardware: &Hardware,
        format: Format,
        software: Software,
        calibration: &Calibration,
    ) -> Result<Self> {
        let (name, generation) = match calibration.generation(&hardware.architecture) {
            Some((name, generation)) => (name, Some(generation)),
            None => (hardware.architecture.as_str(), None),
        };
        let constants =
            (calibration.general()?, calibration.rates(name, format.precision().name())?);
        Ok(Self::with_constants(hardware, format, software, generation, constants))
    }

    /// The platform with constants that were looked up before.
    pub fn with_constants(
        hardware: &Hardware,
        format: Format,
        software: Software,
        generation: Option<&Generation>,
        (general, rates): (General, Rates),
    ) -> Self {
        let peak16 = hardware.peak16.stored();
        let needed = generation.and_then(|g| g.watts_per_tflops).map(|w| w * peak16 / 1e12);
        let power_share = match (hardware.power, needed) {
            (Some(power), Some(needed)) => (power.stored() / needed).min(1.0),
            _ => 1.0,
        };
        Self {
            peak: hardware.peak.stored(),
            peak16,
            bandwidth: hardware.bandwidth.stored(),
            memory: hardware.memory.stored(),
            scale_up: hardware.scale_up.stored(),
            scale_out: hardware.scale_out.stored(),
            domain: hardware.domain.max(1) as f64,
            host_launched: generation.is_none_or(|g| g.host_launched),
            power_share,
            format,
            software,
            rates,
            general,
        }
    }

    /// Whether the constants were measured on this generation and precision.
    pub fn calibrated(&self) -> bool {
        self.rates.own
    }

    /// Memory of one device.
    pub fn memory(&self) -> DeviceMemory {
        DeviceMemory::from_stored(self.memory)
    }
}
