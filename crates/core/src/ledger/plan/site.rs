//! Power of a device, and the emissions of its electricity and its making, at a place.

use crate::catalog::{GridBasis, HourlyProfile};
use crate::ledger::plan::Stated;
use crate::provenance::{Input, Unknown, inputs};
use crate::quantity::{
    Co2eMass, DeviceCo2e, DevicePower, Devices, GridIntensity, Pue, Share, Time, WaterIntensity,
};

/// The power of one device with its share of the host.
#[derive(Clone, Debug)]
pub enum PowerModel {
    /// The average over all the time that is paid for, as given.
    Average(Input<DevicePower>),
    /// idle + (busy - idle) x load.
    ByLoad {
        /// At work.
        busy: Draw,
        /// Waiting: for a checkpoint, for a restart, for requests.
        idle: Draw,
        /// The host's draw while the device waits, where `idle` is the device's alone.
        idle_host: Option<Input<DevicePower>>,
    },
}

/// A power, as such or as a share of the thermal design power.
#[derive(Clone, Debug)]
pub enum Draw {
    /// As such.
    Watts(Input<DevicePower>),
    /// TDP x share, which is above 1 where the host is in it.
    OfTdp {
        /// Thermal design power.
        tdp: Input<DevicePower>,
        /// Power / TDP.
        share: Input<f64>,
    },
}

/// Whose emissions the electricity's are under the GHG Protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Own devices: the electricity is bought.
    Two,
    /// A rented cloud: the provider's scope 2 is the customer's scope 3.
    Three,
}

/// Under which contracts the electricity is bought.
#[derive(Clone, Debug)]
pub struct Contracts {
    /// Parts of the electricity that are claimed as carbon-free.
    pub covered: Vec<Input<Share>>,
    /// Intensity of the rest.
    pub residual: Input<GridIntensity>,
}

/// Embodied emissions of the devices and their servers.
#[derive(Clone, Debug)]
pub struct Embodied {
    /// Emissions of one device: low, mid, high.
    pub device: [Stated<DeviceCo2e>; 3],
    /// Emissions of one server without its devices: low, mid, high.
    pub server: [Stated<Co2eMass>; 3],
    /// Devices of a server.
    pub together: Input<Devices>,
    /// Service life.
    pub lifetime: Input<Time>,
    /// Part of the service life in use.
    pub utilisation: Input<Share>,
}

/// The hours in which the grid is cleanest, to choose the start of a run by.
#[derive(Clone, Debug)]
pub struct StartWindow {
    /// Starts up to this long after the planned one are considered.
    pub within: Time,
    /// The grid by month and hour.
    pub profile: Result<HourlyProfile, Unknown>,
}

/// The power of a device and its place.
#[derive(Clone, Debug)]
pub struct Site {
    /// Power of one device with its share of the host.
    pub power: Result<PowerModel, Unknown>,
    /// Facility energy / IT energy.
    pub pue: Stated<Pue>,
    /// Location-based carbon intensity.
    pub grid: Stated<GridIntensity>,
    /// The basis of the emissions that `grid` counts.
    pub basis: GridBasis,
    /// The upstream of fuels and plants; none where `grid` contains it.
    pub upstream: Option<Stated<GridIntensity>>,
    /// Marginal intensity, where it is known: another view, never part of a sum.
    pub marginal: Option<Input<GridIntensity>>,
    /// The contracts that market-based CO2e rests on.
    pub contracts: Result<Contracts, Unknown>,
    /// The scope of the electricity; unknown where nobody says who owns the devices.
    pub scope: Option<Scope>,
    /// Water evaporated on site per IT energy.
    pub wue: Stated<WaterIntensity>,
    /// Water that generating the electricity consumes.
    pub grid_water: Stated<WaterIntensity>,
    /// CO2e of making the devices.
    pub embodied: Embodied,
    /// When the run might start, where that is asked.
    pub start_window: Option<StartWindow>,
}

inputs!(Site {
    power, pue, grid, upstream, marginal, contracts, wue, grid_water, embodied;
    but basis, scope, start_window,
});
inputs!(enum PowerModel {
    Self::Average(power) => [power],
    Self::ByLoad { busy, idle, idle_host } => [busy, idle, idle_host],
});
inputs!(enum Draw { Self::Watts(power) => [power], Self::OfTdp { tdp, share } => [tdp, share] });
inputs!(Contracts { covered, residual });
inputs!(Embodied { device, server, together, lifetime, utilisation });
