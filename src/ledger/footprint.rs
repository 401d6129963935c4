//! Energy, carbon and water of a stretch of device-time.
//!
//! IT energy = device-hours x power; facility energy = IT x PUE. Location-based CO2e = facility
//! energy x grid intensity; market-based needs contracts; embodied CO2e is the devices' own,
//! spread over their service life. The three are never added.

use std::marker::PhantomData;

use crate::provenance::{Known, Traced, Unknown};
use crate::quantity::{Co2eMass, DevicePower, DeviceTime, Energy, Measure, Water};
use crate::scenario::plan::{PowerModel, Site, Stated};

/// Marks CO2e by the grid where the electricity is used.
#[derive(Clone, Copy, Debug)]
pub struct Location;
/// Marks CO2e by the contracts under which the electricity is bought.
#[derive(Clone, Copy, Debug)]
pub struct Market;

/// CO2e by one accounting method; figures of different methods do not add up.
///
/// ```compile_fail,E0308
/// use flopcast::ledger::footprint::{Co2e, Location, Market};
/// fn total(location: Co2e<Location>, market: Co2e<Market>) -> Co2e<Location> {
///     location + market
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Co2e<Method>(Co2eMass, PhantomData<Method>);

impl<Method> Co2e<Method> {
    /// A mass by this method.
    pub fn new(mass: Co2eMass) -> Self {
        Self(mass, PhantomData)
    }

    /// The mass.
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

/// Energy, carbon and water.
#[derive(Clone, Debug)]
pub struct Footprint {
    /// Accelerators and their share of the host.
    pub it: Known<Energy>,
    /// With cooling and losses: IT x PUE.
    pub facility: Known<Energy>,
    /// Location-based CO2e of the electricity.
    pub location: Known<Co2e<Location>>,
    /// Market-based CO2e of the electricity.
    pub market: Known<Co2e<Market>>,
    /// Embodied CO2e: low, mid, high.
    pub embodied: [Known<Co2eMass>; 3],
    /// Water evaporated on site.
    pub water: Known<Water>,
}

impl Site {
    /// The footprint of `time` device-hours here; figures are named under `stage`.
    pub fn footprint(&self, stage: &str, time: &Traced<DeviceTime>, explain: bool) -> Footprint {
        let name = |figure: &str| format!("{stage}.{figure}");
        let it = self
            .power
            .as_ref()
            .map_err(Clone::clone)
            .map(|model| (time * &power(model, explain)).named(&name("energy_kwh.it")));
        let facility = both(&it, &traced(&self.pue, explain))
            .map(|(it, pue)| (&it * &pue).named(&name("energy_kwh.facility")));
        let location = both(&facility, &traced(&self.grid, explain)).map(|(energy, grid)| {
            let mass: Traced<Co2eMass> = &energy * &grid;
            mass.retype::<Co2e<Location>>().named(&name("co2e_kg.location"))
        });
        let market = Err(Unknown {
            why: "market-based CO2e needs contracts or a residual mix, and the scenario names none"
                .to_owned(),
        });
        let lifetime = self.lifetime.traced(explain);
        let mut levels = ["low", "mid", "high"].into_iter();
        let embodied = self.embodied.each_ref().map(|level| {
            let figure = format!("co2e_kg.embodied.{}", levels.next().unwrap_or_default());
            traced(level, explain).map(|each| (&(&each * time) / &lifetime).named(&name(&figure)))
        });
        let water = both(&it, &traced(&self.wue, explain))
            .map(|(energy, wue)| (&energy * &wue).named(&name("water_l.on_site")));
        Footprint { it, facility, location, market, embodied, water }
    }
}

fn power(model: &PowerModel, explain: bool) -> Traced<DevicePower> {
    match model {
        PowerModel::Given(power) => power.traced(explain),
        PowerModel::Modelled { tdp, load, host } => {
            let device = &tdp.traced(explain) * &load.traced(explain);
            match host {
                Some(host) => &device + &host.traced(explain),
                None => device,
            }
            .named("power of a device with its host")
        }
    }
}

fn traced<Q: Measure>(input: &Stated<Q>, explain: bool) -> Known<Q> {
    input.as_ref().map(|input| input.traced(explain)).map_err(Clone::clone)
}

fn both<A: Measure, B: Measure>(
    a: &Known<A>,
    b: &Known<B>,
) -> Result<(Traced<A>, Traced<B>), Unknown> {
    Ok((a.clone()?, b.clone()?))
}
