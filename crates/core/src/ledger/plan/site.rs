//! Inputs of a place: the power of a device, and the emissions of its electricity and of its
//! making. `ledger::energy` and `ledger::footprint` compute with them.

use crate::catalog::{GridBasis, HourlyProfile};
use crate::ledger::plan::Stated;
use crate::provenance::{Input, Unknown, inputs};
use crate::quantity::{
    Co2eMass, DeviceCo2e, DevicePower, Devices, GridIntensity, Pue, Share, Time, WaterIntensity,
};

/// The power of one device with its share of the host, in W/device.
#[derive(Clone, Debug)]
pub enum PowerModel {
    /// One average over all the time that is paid for, as the scenario gives it.
    Average(Input<DevicePower>),
    /// A power that rises with the load: idle + (busy - idle) x load.
    ByLoad {
        /// Power at load 1.
        busy: Draw,
        /// Power at load 0: waiting for a checkpoint, a restart, a request.
        idle: Draw,
        /// The host of a device that waits, where `idle` is the device's alone.
        idle_host: Option<IdleHost>,
    },
}

/// The host of a device that waits: it draws no more than that of a busy one.
#[derive(Clone, Debug)]
pub struct IdleHost {
    /// The draw of a usual host, in W/device.
    pub usual: Input<DevicePower>,
    /// The busy device's own part of the busy power; the rest is its host's.
    pub device: Draw,
}

/// A power, as such or as a share of the thermal design power (TDP).
#[derive(Clone, Debug)]
pub enum Draw {
    /// The power in W/device.
    Watts(Input<DevicePower>),
    /// TDP x share, which is above 1 where the host is in it.
    OfTdp {
        /// Thermal design power.
        tdp: Input<DevicePower>,
        /// Power / TDP.
        share: Input<f64>,
    },
}

/// The scope of the electricity's emissions under the GHG Protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Scope 2: the devices are one's own, and the electricity is bought.
    Two,
    /// Scope 3: the devices are a provider's, whose scope 2 is the customer's scope 3.
    Three,
}

/// The contracts under which the electricity is bought, for market-based CO2e.
#[derive(Clone, Debug)]
pub struct Contracts {
    /// Parts of the electricity, 0 to 1 each, that are claimed as carbon-free.
    pub covered: Vec<Input<Share>>,
    /// Intensity of the rest, the residual mix, in gCO2e/kWh.
    pub residual: Input<GridIntensity>,
}

/// Embodied emissions of the devices and their servers.
#[derive(Clone, Debug)]
pub struct Embodied {
    /// Emissions of making one device in kgCO2e/device: low, mid, high.
    pub device: [Stated<DeviceCo2e>; 3],
    /// Emissions of making one server without its devices in kgCO2e: low, mid, high.
    pub server: [Stated<Co2eMass>; 3],
    /// Devices of a server, which share its emissions.
    pub together: Input<Devices>,
    /// Service life over which the emissions are spread.
    pub lifetime: Input<Time>,
    /// Part of the service life in use: the emissions fall to that part alone.
    pub utilisation: Input<Share>,
}

/// The starts of a run that are compared by how clean the grid is.
#[derive(Clone, Debug)]
pub struct StartWindow {
    /// The latest start that is considered, counted from the planned one.
    pub within: Time,
    /// The grid by month and hour, or why there is none.
    pub profile: Result<HourlyProfile, Unknown>,
}

/// The years of a grid's figure: the one that it is of, and the one that it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vintage {
    /// The year of the figure.
    pub of: i32,
    /// The year of the use, where the scenario names one.
    pub used: Option<i32>,
}

impl Vintage {
    /// The years in words: a figure is that of the year, or the nearest, and is never projected.
    pub fn words(self) -> String {
        match self {
            Self { of, used: Some(used) } if of == used => format!("{of}, the year of the start"),
            Self { of, used: Some(used) } => {
                format!("{of}, the nearest published to {used}; not projected")
            }
            Self { of, used: None } => format!("{of}, the newest; the scenario names no start"),
        }
    }
}

/// A place with the power of a device there: all that turns device-time into energy, CO2e and
/// water.
#[derive(Clone, Debug)]
pub struct Site {
    /// Power of one device with its share of the host.
    pub power: Result<PowerModel, Unknown>,
    /// Facility energy / IT energy, at least 1 (ISO/IEC 30134-2).
    pub pue: Stated<Pue>,
    /// Location-based carbon intensity in gCO2e/kWh, annual mean.
    pub grid: Stated<GridIntensity>,
    /// The basis of the emissions that `grid` counts.
    pub basis: GridBasis,
    /// The years of `grid`; none where the scenario gives it.
    pub vintage: Option<Vintage>,
    /// The upstream of fuels and plants; none where `grid` contains it.
    pub upstream: Option<Stated<GridIntensity>>,
    /// Marginal intensity, where it is known: another view, never part of a sum.
    pub marginal: Option<Input<GridIntensity>>,
    /// The contracts that market-based CO2e rests on.
    pub contracts: Result<Contracts, Unknown>,
    /// The scope of the electricity; unknown where nobody says who owns the devices.
    pub scope: Option<Scope>,
    /// Water evaporated on site per IT energy, in L/kWh (The Green Grid, WP 35).
    pub wue: Stated<WaterIntensity>,
    /// Water that generating the electricity consumes, in L/kWh.
    pub grid_water: Stated<WaterIntensity>,
    /// CO2e of making the devices.
    pub embodied: Embodied,
    /// When the run might start, where that is asked.
    pub start_window: Option<StartWindow>,
}

inputs!(Site {
    power, pue, grid, upstream, marginal, contracts, wue, grid_water, embodied;
    but basis, vintage, scope, start_window,
});
inputs!(enum PowerModel {
    Self::Average(power) => [power],
    Self::ByLoad { busy, idle, idle_host } => [busy, idle, idle_host],
});
inputs!(IdleHost { usual, device });
inputs!(enum Draw { Self::Watts(power) => [power], Self::OfTdp { tdp, share } => [tdp, share] });
inputs!(Contracts { covered, residual });
inputs!(Embodied { device, server, together, lifetime, utilisation });
