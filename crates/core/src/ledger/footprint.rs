//! Energy, carbon and water of a stretch of device-time.
//! ```text
//! facility energy       = IT energy x PUE                                   ISO/IEC 30134-2
//! location-based CO2e   = facility energy x grid intensity                  GHG Protocol, Scope 2 Guidance
//! market-based CO2e     = facility energy x (1 - contracted part) x residual mix
//! marginal CO2e         = facility energy x what one more kWh causes
//! embodied CO2e         = (device + server / devices of a server) x device-time / (service life x utilisation)
//! water on site         = IT energy x WUE                                   The Green Grid, WP 35
//! water off site        = facility energy x water of a kWh generated
//! ```
//! IT energy is a sum of rows (see [`super::energy`]). The three kinds of operational CO2e are
//! views of one thing: their types differ ([`Co2e`]), so they cannot be added to each other.
//! Embodied CO2e is added to the location-based one in the software carbon intensity alone (ISO/IEC
//! 21031).
//!
//! A figure is unknown where one of its factors is, and absent where the scenario has no such
//! figure (a marginal intensity that no source gives).

use std::fmt::Arguments;
use std::marker::PhantomData;

use super::energy::{self, Phase, When};
use super::line::{Entry, Ledger, Resource};
use crate::catalog::GridBasis;
use crate::diagnostic::{Error, Result};
use crate::ledger::plan::{Contracts, Embodied, Scope, Site, Vintage, trace};
use crate::provenance::{Input, Traced, Value};
use crate::quantity::{
    Co2eMass, DeviceCo2e, DeviceTime, Energy, GridIntensity, Measure, Pue, Water,
};

/// The method that counts CO2e by the grid where the electricity is used.
#[derive(Clone, Copy, Debug)]
pub struct Location;
/// The method that counts CO2e by the contracts under which the electricity is bought.
#[derive(Clone, Copy, Debug)]
pub struct Market;

/// The method that counts the CO2e that one more kWh causes.
#[derive(Clone, Copy, Debug)]
pub struct Marginal;

/// CO2e by one accounting method; figures of different methods do not add up.
///
/// ```compile_fail,E0308
/// use flopcast_core::ledger::footprint::{Co2e, Location, Market};
/// fn total(location: Co2e<Location>, market: Co2e<Market>) -> Co2e<Location> {
///     location + market
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Co2e<Method>(Co2eMass, PhantomData<Method>);

impl<Method> Co2e<Method> {
    /// Marks a mass as counted by this method.
    pub fn new(mass: Co2eMass) -> Self {
        Self(mass, PhantomData)
    }

    /// The mass without its method, in kgCO2e.
    pub fn mass(self) -> Co2eMass {
        self.0
    }
}

impl<Method> std::ops::Add for Co2e<Method> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self::new(self.0 + other.0)
    }
}

impl<Method: Copy> Measure for Co2e<Method> {
    const DIMENSION: crate::quantity::Dimension = Co2eMass::DIMENSION;
    fn stored(self) -> f64 {
        self.0.stored()
    }
    fn from_stored(value: f64) -> Self {
        Self::new(Co2eMass::from_stored(value))
    }
}

/// Energy, CO2e and water of one stage: the run, or a year of service.
#[derive(Clone, Debug)]
pub struct Footprint {
    /// The rows of the IT energy, in joules.
    pub rows: Ledger<Energy>,
    /// IT energy, the accelerators and their share of the host: the sum of the rows.
    pub it: Value<Energy>,
    /// Facility energy, with cooling and losses: IT energy x PUE.
    pub facility: Value<Energy>,
    /// Location-based CO2e of the electricity: facility energy x grid intensity.
    pub location: Value<Co2e<Location>>,
    /// The basis of the emissions that `location` counts.
    pub basis: GridBasis,
    /// The years of the grid's figure; none where the scenario gives it.
    pub vintage: Option<Vintage>,
    /// CO2e of the upstream of fuels and plants; absent where `location` contains it, as it does on
    /// the life-cycle basis.
    pub upstream: Value<Co2eMass>,
    /// Market-based CO2e of the electricity: facility energy x residual mix x (1 - contracted
    /// part).
    pub market: Value<Co2e<Market>>,
    /// Marginal CO2e of the electricity; absent where no source has such an intensity for the grid.
    pub marginal: Value<Co2e<Marginal>>,
    /// Embodied CO2e by the low, the mid and the high estimate of what making a device emitted.
    pub embodied: [EmbodiedShare; 3],
    /// The scope of the electricity under the GHG Protocol; `None` where nobody says who owns the
    /// devices.
    pub scope: Option<Scope>,
    /// Water evaporated on site: IT energy x WUE (The Green Grid, WP 35).
    pub water: Value<Water>,
    /// Water that generating the electricity consumed: facility energy x water of a kWh (L/kWh).
    pub grid_water: Value<Water>,
    pue: Value<Pue>,
    grid: Value<GridIntensity>,
}

/// The part of the embodied CO2e that falls to a stretch of device-time, in kgCO2e.
#[derive(Clone, Debug)]
pub struct EmbodiedShare {
    /// The share of the devices: device x time / (service life x utilisation).
    pub devices: Value<Co2eMass>,
    /// The share of their servers: server / devices of a server x time / (service life x
    /// utilisation).
    pub servers: Value<Co2eMass>,
    /// The sum of both.
    pub total: Value<Co2eMass>,
}

/// One row of a footprint as the carbon report shows it; a column that does not apply is absent.
#[derive(Clone, Debug)]
pub struct Account {
    /// The name of the row, for people.
    pub item: String,
    /// Facility energy. The rows of devices and hosts hold IT energy; what cooling and losses add
    /// to it stands in a row of its own.
    pub energy: Value<Energy>,
    /// Location-based CO2e of that energy.
    pub location: Value<Co2eMass>,
    /// Embodied CO2e: low, mid, high.
    pub embodied: Option<[Value<Co2eMass>; 3]>,
}

impl Footprint {
    /// The footprint as rows: their energy adds up to the facility energy, their CO2e to the
    /// location-based and the embodied figures.
    ///
    /// After the rows of IT energy come "cooling and losses", IT x (PUE - 1), and the two rows of
    /// embodied CO2e, which have no energy.
    pub fn accounts(&self) -> Vec<Account> {
        let electricity = |item: String, energy: Value<Energy>| Account {
            location: &energy * &self.grid,
            energy,
            embodied: None,
            item,
        };
        let cooling = &self.it * &self.pue.clone().map(|pue| pue - 1.0);
        let lines = self.rows.lines().iter();
        let made = |item: &str, read: fn(&EmbodiedShare) -> &Value<Co2eMass>| Account {
            item: item.to_owned(),
            energy: Value::Absent,
            location: Value::Absent,
            embodied: Some(self.embodied.each_ref().map(|share| read(share).clone())),
        };
        lines
            .map(|line| electricity(line.entry.label(), line.amount.clone()))
            .chain([
                electricity("cooling and losses".to_owned(), cooling),
                made("making of devices", |share| &share.devices),
                made("making of servers", |share| &share.servers),
            ])
            .collect()
    }

    /// Facility energy of the rows that `meant` accepts: their sum x PUE; absent where there are
    /// none.
    pub fn facility_of(&self, meant: impl Fn(&Entry) -> bool) -> Value<Energy> {
        &self.rows.sum(meant) * &self.pue
    }

    /// Location-based CO2e of the rows that `meant` accepts: their facility energy x grid
    /// intensity; absent where there are none.
    pub fn location_of(&self, meant: impl Fn(&Entry) -> bool) -> Value<Co2eMass> {
        &self.facility_of(meant) * &self.grid
    }

    /// True if idle draw and work are told apart, which an average power does not allow.
    pub fn by_load(&self) -> bool {
        self.rows.lines().iter().any(|line| line.entry.resource == Resource::Idle)
    }
}

/// Refuses to compare CO2e of different bases: a life-cycle figure contains the upstream of fuels
/// and plants, a direct one does not, and a marginal one answers another question.
///
/// # Errors
/// If the bases differ: the error names both and tells how to get one that every region has.
pub fn comparable(one: GridBasis, other: GridBasis) -> Result<()> {
    if one == other {
        return Ok(());
    }
    let (one, other) = (one.name(), other.name());
    Err(Error::input(format!("CO2e on the {one} basis does not compare with {other} figures"))
        .hint("leave grid_basis out: every region has a life-cycle figure"))
}

impl Site {
    /// The footprint of the phases at this place. Figures are named under `path`, such as
    /// `training.energy_kwh.it`; device-time for embodied CO2e is that of all phases, idle ones
    /// included.
    pub fn footprint(&self, path: Arguments<'_>, when: When, phases: &[Phase]) -> Footprint {
        let rows = energy::rows(&self.power, when, phases);
        let it = rows.sum(|_| true).named(format_args!("{path}.energy_kwh.it"));
        let pue = trace(&self.pue);
        let facility = (&it * &pue).named(format_args!("{path}.energy_kwh.facility"));
        let emitted = |grid: &Value<GridIntensity>, figure: &str| -> Value<Co2eMass> {
            (&facility * grid).named(format_args!("{path}.{figure}"))
        };
        let grid = trace(&self.grid);
        let location = emitted(&grid, "co2e_kg.location").map(Traced::retype);
        let upstream = self.upstream.as_ref().map(trace).into();
        let upstream = emitted(&upstream, "co2e_kg.upstream");
        let marginal = self.marginal.as_ref().map(Input::trace).into();
        let marginal = emitted(&marginal, "co2e_kg.marginal").map(Traced::retype);
        let contracted = self.contracts.as_ref().map(Contracts::intensity);
        let contracted = contracted.map_err(Clone::clone).into();
        let market = emitted(&contracted, "co2e_kg.market").map(Traced::retype);
        let paid = phases.iter().map(|phase| phase.time.clone());
        let paid = paid.reduce(|sum, time| &sum + &time);
        let embodied = self.embodied.shares(paid.as_ref(), path);
        let water = (&it * &trace(&self.wue)).named(format_args!("{path}.water_l.on_site"));
        let grid_water = &facility * &trace(&self.grid_water);
        let grid_water = grid_water.named(format_args!("{path}.water_l.off_site"));
        Footprint {
            rows,
            it,
            facility,
            location,
            basis: self.basis,
            vintage: self.vintage,
            upstream,
            market,
            marginal,
            embodied,
            scope: self.scope,
            water,
            grid_water,
            pue,
            grid,
        }
    }
}

impl Contracts {
    /// Intensity of the electricity as it is contracted, in kgCO2e/J: residual mix x (1 - sum of
    /// the parts that contracts cover), at least zero.
    fn intensity(&self) -> Traced<GridIntensity> {
        let residual = self.residual.trace();
        if self.covered.is_empty() {
            return residual;
        }
        let shares = self.covered.iter().map(|share| share.trace().number());
        let open = shares.fold(Traced::constant(1.0), |open, share| open - share);
        residual * open.or_nothing()
    }
}

impl Embodied {
    /// The low, mid and high shares of `time`: (device + server / devices of a server) x time /
    /// (service life x utilisation). They are absent where no time is paid for.
    pub(crate) fn shares(
        &self,
        time: Option<&Traced<DeviceTime>>,
        path: Arguments<'_>,
    ) -> [EmbodiedShare; 3] {
        let together = self.together.trace();
        let in_use = &self.lifetime.trace() * &self.utilisation.trace();
        let time: Value<DeviceTime> = time.into();
        let share_of = |each: &Value<DeviceCo2e>| &(each * &time) / &in_use;
        std::array::from_fn(|level| {
            let devices = share_of(&trace(&self.device[level]));
            let servers = share_of(&(&trace(&self.server[level]) / &together));
            let name = ["low", "mid", "high"][level];
            let total = (&devices + &servers).named(format_args!("{path}.co2e_kg.embodied.{name}"));
            EmbodiedShare { devices, servers, total }
        })
    }
}
