//! The platform of a run: devices, their links, and the software that drives them.

use chrono::{Datelike, NaiveDate};

use super::calibration::{Calibration, General, Generation, Rates};
use super::format::Format;
use crate::catalog::{Catalog, Device};
use crate::diagnostic::Result;
use crate::kernel::product::Product;
use crate::quantity::{DeviceFlopRate, DeviceMemory, DevicePower, Measure, Precision};

/// Published figures of a device and its links.
#[derive(Clone, Debug)]
pub struct Hardware {
    /// Architecture, as the accelerator table names it.
    pub architecture: String,
    /// Dense peak in the precision of the matrix products.
    pub peak: DeviceFlopRate,
    /// Thermal design power.
    pub power: Option<DevicePower>,
    /// Memory, bandwidth and links.
    pub device: Device,
    /// Its products as they were timed: in the precision of the run, and in bf16.
    pub products: [Option<Product>; 2],
}

impl Hardware {
    /// The published figures of an accelerator.
    ///
    /// # Errors
    /// The catalog does not know it, or lacks a figure that the model needs.
    pub fn of(catalog: &Catalog, name: &str, format: Format) -> Result<Self> {
        let accelerator = catalog.accelerator(name)?;
        let device = Device::of(accelerator)?;
        Ok(Self {
            architecture: accelerator.architecture.clone(),
            peak: match format {
                Format::Half => device.peak16,
                narrow => accelerator.peak(narrow.precision())?.value,
            },
            power: accelerator.tdp.as_ref().map(|fact| fact.value),
            products: [format.precision(), Precision::Bf16].map(|it| Product::of(accelerator, it)),
            device,
        })
    }
}

/// The facts that are known of the software.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Software {
    /// Date of the release, as a decimal year.
    pub year: f64,
    /// True if tensor-parallel communication overlaps with the products.
    pub overlaps_tensor: bool,
    /// True if gradients are reduced while the backward pass still runs.
    pub overlaps_gradients: bool,
    /// How far the kernels of routed experts have come.
    pub expert_kernels: ExpertKernels,
    /// True if whole steps are captured as graphs, so that the host does little between them.
    pub captured: bool,
    /// Place of the framework among those of the calibration.
    pub framework: Option<usize>,
}

impl Software {
    /// A framework that nothing is known of, of a year: a usual one.
    pub fn usual(year: f64) -> Self {
        Self {
            year,
            overlaps_tensor: false,
            overlaps_gradients: true,
            expert_kernels: ExpertKernels::Grouped,
            captured: false,
            framework: None,
        }
    }
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
    /// Speed of the framework / that of a usual one.
    pub(super) maturity: f64,
    /// Products as they were timed: in the precision of the run, and in bf16.
    pub(super) products: [Option<Product>; 2],
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
        let constants = (
            calibration.general()?,
            calibration.rates(name, format.precision().name())?,
            calibration.maturity(&software, name),
        );
        Ok(Self::with_constants(hardware, format, software, generation, constants))
    }

    /// The platform with constants that were looked up before.
    pub fn with_constants(
        hardware: &Hardware,
        format: Format,
        software: Software,
        generation: Option<&Generation>,
        (general, rates, maturity): (General, Rates, f64),
    ) -> Self {
        let device = &hardware.device;
        let peak16 = device.peak16.stored();
        let needed = generation.and_then(|g| g.watts_per_tflops).map(|w| w * peak16 / 1e12);
        let power_share = match (hardware.power, needed) {
            (Some(power), Some(needed)) => (power.stored() / needed).min(1.0),
            _ => 1.0,
        };
        Self {
            peak: hardware.peak.stored(),
            peak16,
            bandwidth: device.bandwidth.stored(),
            memory: device.memory.stored(),
            scale_up: device.links.scale_up.unwrap_or(device.links.scale_out).stored(),
            scale_out: device.links.scale_out.stored(),
            domain: device.links.domain.max(1) as f64,
            host_launched: generation.is_none_or(|g| g.host_launched),
            power_share,
            format,
            software,
            rates,
            general,
            maturity,
            products: hardware.products,
        }
    }

    /// True if the constants were measured on this generation and precision.
    pub fn calibrated(&self) -> bool {
        self.rates.own
    }

    /// Memory of one device.
    pub fn memory(&self) -> DeviceMemory {
        DeviceMemory::from_stored(self.memory)
    }
}
