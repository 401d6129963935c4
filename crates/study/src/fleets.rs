//! Which fleet: every combination of a space sized by simulation, but those that a closed-form
//! bound already excludes.
//!
//! A bound is the fleet at the rate that no engine exceeds ([`Replica::rate_bound`]). Combinations
//! are taken from the lowest forecast up, a few at a time, and one whose bound is behind the best fleet
//! so far in devices, in cost and in carbon is not simulated. The few are of a fixed number, so the
//! answer does not depend on how many cores share them.
//!
//! [`Replica::rate_bound`]: flopcast_core::serving::plan::Replica::rate_bound

use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::plan::Scenario;
use flopcast_core::estimate::{Engine, Estimate};
use flopcast_core::provenance::Traced;
use flopcast_core::quantity::text::{convert, number};
use flopcast_core::quantity::{Measure as _, Ratio, RequestRate};
use flopcast_core::serving::calibration::Calibration;
use flopcast_core::serving::capacity::Search;
use rayon::prelude::*;

use super::capacity::{Question, fleet_for, rate};
use super::space::Space;

/// The number of combinations that are simulated together. It is fixed, so that the answer does not
/// depend on the number of cores.
const TOGETHER: usize = 4;
/// The most combinations that are compared.
const MOST: u64 = 10_000;

/// The merits of a fleet in its first year.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Merits {
    /// Devices.
    pub devices: f64,
    /// Cost in USD; none where nothing is paid or a price is unknown.
    pub cost_usd: Option<f64>,
    /// Location-based CO2e in kg; none where it is unknown.
    pub co2e_kg: Option<f64>,
    /// Energy in kWh; none where it is unknown.
    pub energy_kwh: Option<f64>,
}

/// What is made least among the fleets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Objective {
    /// The cost of the first year.
    #[default]
    Cost,
    /// Its location-based CO2e.
    Co2e,
    /// Its energy.
    Energy,
    /// The devices.
    Devices,
}

impl Objective {
    /// Each with its name.
    const ALL: [(&str, Self); 4] = [
        ("cost", Self::Cost),
        ("co2e", Self::Co2e),
        ("energy", Self::Energy),
        ("devices", Self::Devices),
    ];

    /// The objective of a name.
    ///
    /// # Errors
    /// If no fleet is measured by it, with what one is measured by.
    pub fn named(name: &str) -> Result<Self> {
        let is = |(known, _): &&(&str, Self)| *known == name.trim().to_lowercase();
        let names = Self::ALL.map(|(name, _)| name);
        Self::ALL.iter().find(is).map(|(_, objective)| *objective).ok_or_else(|| {
            Error::input(format!("a fleet has no objective `{name}`"))
                .suggest(name, names)
                .hint(format!("of a service: {}", names.join(", ")))
        })
    }
}

/// A fleet that keeps the SLO.
#[derive(Clone, Debug)]
pub struct Sized {
    /// Its merits.
    pub merits: Merits,
    /// The highest rate of a replica.
    pub rate: RequestRate,
    /// The same between the rates that were simulated: of fleets that take the same it says which has
    /// the most to spare.
    pub within: Option<RequestRate>,
    /// Replicas, redundancy included.
    pub replicas: u64,
    /// Why a replica takes no more.
    pub bottleneck: String,
}

/// The result of a combination.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It was simulated.
    Sized(Sized),
    /// Another is better in every respect, even if this did as well as no engine can.
    Beaten(Merits),
    /// It cannot keep the SLO, or cannot be.
    Infeasible(String),
}

/// The most that a fleet may take in its first year.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// USD.
    pub cost_usd: Option<f64>,
    /// Kilograms of location-based CO2e.
    pub co2e_kg: Option<f64>,
    /// Devices.
    pub devices: Option<f64>,
}

impl Limits {
    fn all(&self) -> [(&'static str, Option<f64>); 3] {
        [("USD", self.cost_usd), ("kgCO2e", self.co2e_kg), ("devices", self.devices)]
    }

    /// Which limit a fleet passes, in words; what is unknown is within none.
    fn passed_by(&self, merits: &Merits) -> Option<String> {
        self.all().into_iter().zip(merits.all()).find_map(|((unit, most), merit)| {
            let most = most?;
            match merit {
                Some(merit) if merit <= most => None,
                Some(merit) => {
                    let [merit, most] = [merit, most].map(number);
                    Some(format!("{merit} {unit} in the first year, {most} at most"))
                }
                None => Some(format!("its {unit} are unknown")),
            }
        })
    }
}

/// What is looked for among the combinations: which of them it takes a simulation to leave out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wanted {
    /// The cheapest, the greenest and the smallest: not what is behind the best in every respect.
    Best,
    /// All within limits, which may be none: not what passes one at the least that it takes.
    Within(Limits),
    /// The cheapest below a price, see [`Merits::price`]: not what is dearer at the least that it takes.
    Below(f64),
}

impl From<Limits> for Wanted {
    fn from(limits: Limits) -> Self {
        if limits == Limits::default() { Self::Best } else { Self::Within(limits) }
    }
}

impl Wanted {
    /// Why a combination is no answer at the least that it takes, whatever others take.
    fn refuses(&self, bound: &Merits) -> Option<String> {
        match self {
            Self::Within(limits) => limits.passed_by(bound),
            _ => None,
        }
    }

    /// True if a combination that takes the least may be better than the best so far.
    fn may_win(&self, bound: &Merits, best: &[Option<f64>; 3], cheapest: f64) -> bool {
        match self {
            Self::Best => !is_beaten(bound, best),
            Self::Within(_) => true,
            Self::Below(price) => bound.price() <= price.min(cheapest),
        }
    }
}

/// The judged combinations.
#[derive(Clone, Debug)]
pub struct Choice {
    /// By number in the space.
    pub verdicts: Vec<Verdict>,
    /// The feasible one of the lowest cost, carbon and number of devices.
    pub cheapest: Option<u64>,
    /// See `cheapest`.
    pub greenest: Option<u64>,
    /// See `cheapest`.
    pub smallest: Option<u64>,
}

impl Choice {
    /// The combination of this number, where it was simulated.
    pub fn at(&self, number: u64) -> Option<&Sized> {
        match self.verdicts.get(number as usize)? {
            Verdict::Sized(sized) => Some(sized),
            _ => None,
        }
    }

    /// Those that were simulated and keep the SLO.
    pub fn sized(&self) -> impl Iterator<Item = (u64, &Sized)> {
        (0..self.verdicts.len() as u64).filter_map(|number| Some((number, self.at(number)?)))
    }

    /// The best of each `together` combinations that follow each other, the best first; of equals
    /// the cheaper, then the smaller. What is unknown comes last.
    pub fn best_of_each(&self, together: u64, objective: Objective) -> Vec<(u64, &Sized)> {
        let key = |Sized { merits, .. }: &Sized| {
            let known = |merit: Option<f64>| merit.unwrap_or(f64::INFINITY);
            [known(merits.of_objective(objective)), known(merits.cost_usd), merits.devices]
        };
        let before = |a: &Sized, b: &Sized| {
            let each = key(a).into_iter().zip(key(b)).map(|(a, b)| a.total_cmp(&b));
            each.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
        };
        let mut best: Vec<(u64, &Sized)> = Vec::new();
        for (number, sized) in self.sized() {
            match best.last_mut().filter(|(last, _)| last / together == number / together) {
                None => best.push((number, sized)),
                Some(last) if before(sized, last.1).is_lt() => *last = (number, sized),
                Some(_) => {}
            }
        }
        best.sort_by(|(_, a), (_, b)| before(a, b));
        best
    }
}

impl Sized {
    /// Requests per second of all replicas.
    fn most(&self) -> f64 {
        self.within.map_or(0.0, |rate| rate.value * self.replicas as f64)
    }
}

impl Merits {
    /// Cost, or the devices where it is unknown.
    pub fn price(&self) -> f64 {
        self.cost_usd.unwrap_or(self.devices)
    }

    /// What an objective makes least.
    pub fn of_objective(&self, objective: Objective) -> Option<f64> {
        match objective {
            Objective::Cost => self.cost_usd,
            Objective::Co2e => self.co2e_kg,
            Objective::Energy => self.energy_kwh,
            Objective::Devices => Some(self.devices),
        }
    }

    /// Cost, carbon and devices.
    fn all(&self) -> [Option<f64>; 3] {
        [self.cost_usd, self.co2e_kg, Some(self.devices)]
    }

    /// The merits of a forecast in its first year; `None` without a service.
    pub fn of(estimate: &Estimate) -> Option<Self> {
        let inference = estimate.inference.as_ref()?;
        let year = inference.years.first()?;
        let cost = inference.cost_of(year);
        let co2e = year.footprint.location.known();
        let energy = year.footprint.facility.known();
        Some(Self {
            devices: year.devices.value().stored(),
            cost_usd: cost.known().map(|cost| cost.value().stored()),
            co2e_kg: co2e.map(|mass| mass.value().stored()),
            energy_kwh: energy.map(|energy| convert(energy.value().stored(), "kWh")),
        })
    }

    /// The same of a part of the fleet.
    fn scaled(self, factor: f64) -> Self {
        let scale = |merit: Option<f64>| merit.map(|merit| factor * merit);
        Self {
            devices: factor * self.devices,
            cost_usd: scale(self.cost_usd),
            co2e_kg: scale(self.co2e_kg),
            energy_kwh: scale(self.energy_kwh),
        }
    }
}

/// Judges every combination, and simulates those that their bound does not exclude from what is `wanted`.
/// `progress` hears how many are done; its error ends the search.
///
/// # Errors
/// Too many combinations.
pub fn choose(
    space: &Space<'_>,
    catalog: &Catalog,
    calibration: &Calibration,
    search: &Search,
    wanted: Wanted,
    progress: &(dyn Fn(u64) -> Result<()> + Sync),
) -> Result<Choice> {
    if space.len() > MOST {
        return Err(Error::input(format!("{} fleets are too many to simulate", space.len()))
            .hint(format!("vary less: at most {MOST} combinations")));
    }
    let mut waiting = Vec::new();
    let mut verdicts = Vec::new();
    for number in 0..space.len() {
        let bounded = space.scenario(number).and_then(|scenario| {
            let scenario = Scenario { training: None, ..scenario };
            Ok((bound(&scenario, catalog)?, scenario))
        });
        match bounded {
            Ok((Bounded { forecast, bound, by_means }, scenario)) => {
                if let Some(why) = wanted.refuses(&bound) {
                    verdicts.push(Verdict::Infeasible(format!("at least {why}")));
                    continue;
                }
                verdicts.push(Verdict::Beaten(bound));
                waiting.push((number as usize, forecast, bound, (scenario, by_means)));
            }
            Err(error) => verdicts.push(Verdict::Infeasible(error.message().to_owned())),
        }
    }
    let order = |merits: &Merits| merits.cost_usd.unwrap_or(f64::INFINITY);
    waiting.sort_by(|(_, a, ..), (_, b, ..)| {
        order(a).total_cmp(&order(b)).then(a.devices.total_cmp(&b.devices))
    });
    let (mut best, mut cheapest) = ([None; 3], f64::INFINITY);
    let mut waiting = waiting.into_iter().peekable();
    while waiting.peek().is_some() {
        let next: Vec<_> = waiting
            .by_ref()
            .filter(|(_, _, bound, _)| wanted.may_win(bound, &best, cheapest))
            .take(TOGETHER)
            .collect();
        let done = space.len() - waiting.len() as u64 - next.len() as u64;
        let question =
            Question { calibration, search, records: false, progress: &|_, _| progress(done) };
        let sized: Vec<_> = next
            .into_par_iter()
            .map(|(number, _, _, (scenario, by_means))| {
                let simulated = || judge(&scenario, catalog, &question);
                (number, by_means.map_or_else(simulated, Verdict::Sized))
            })
            .collect();
        for (number, verdict) in sized {
            let passed = match &verdict {
                Verdict::Sized(sized) => wanted.refuses(&sized.merits),
                _ => None,
            };
            let verdict = passed.map_or(verdict, Verdict::Infeasible);
            if let Verdict::Sized(sized) = &verdict {
                for (best, merit) in best.iter_mut().zip(sized.merits.all()) {
                    *best = [*best, merit].into_iter().flatten().reduce(f64::min);
                }
                cheapest = cheapest.min(sized.merits.price());
            }
            verdicts[number] = verdict;
        }
        progress(space.len() - waiting.len() as u64)?;
    }
    let [cheapest, greenest, smallest] = [0, 1, 2].map(|merit| {
        let merits = verdicts.iter().zip(0_u64..).filter_map(|(verdict, number)| match verdict {
            Verdict::Sized(sized) => Some((sized.merits.all()[merit]?, sized, number)),
            _ => None,
        });
        // Of equals the smaller, then the one that takes more, then the earlier.
        merits
            .min_by(|(a, one, _), (b, other, _)| {
                let smaller = one.merits.devices.total_cmp(&other.merits.devices);
                a.total_cmp(b).then(smaller).then(other.most().total_cmp(&one.most()))
            })
            .map(|(.., number)| number)
    });
    Ok(Choice { verdicts, cheapest, greenest, smallest })
}

/// True if a bound is behind the best in every respect; an unknown merit wins nothing.
fn is_beaten(bound: &Merits, best: &[Option<f64>; 3]) -> bool {
    bound.all().iter().zip(best).all(|(bound, best)| match (bound, best) {
        (Some(bound), Some(best)) => bound > best,
        (bound, _) => bound.is_none(),
    })
}

/// What is known of a combination without a simulation.
struct Bounded {
    /// Its forecast by closed form.
    forecast: Merits,
    /// The least that it takes: the forecast for the part of its devices that are needed at the highest
    /// rate of any engine.
    bound: Merits,
    /// The fleet of a service without an SLO: throughput alone counts, of which the closed form knows as
    /// much as a simulation.
    by_means: Option<Sized>,
}

/// The closed forms of a combination.
fn bound(scenario: &Scenario, catalog: &Catalog) -> Result<Bounded> {
    let service = scenario.inference.as_ref().ok_or_else(|| {
        Error::input("the scenario has no `inference` section: there is no service to size")
    })?;
    let estimate = Engine::new(scenario, catalog)?.run()?;
    let below = || Error::input("finance.horizon is below one year");
    let forecast = Merits::of(&estimate).ok_or_else(below)?;
    let inference = estimate.inference.as_ref().ok_or_else(below)?;
    let year = inference.years.first().ok_or_else(below)?;
    let rate = service.replica.rate_bound(&service.demand, service.flops.value)?;
    let peak = service.rate.value * service.peak_to_mean.value;
    let least = fleet_for(service, peak, rate)?;
    let used = least.devices as f64 / forecast.devices;
    // Whole instances are paid for.
    let replicas = Traced::constant(Ratio::from_stored(least.replicas as f64));
    let paid = year.packing.as_ref().zip(service.pack("fleet", &replicas));
    let paid = paid.map_or(1.0, |(packing, least)| {
        least.instances.value().stored() / packing.instances.value().stored()
    });
    let by_means = service.demand.objective.is_empty().then(|| Sized {
        merits: forecast,
        rate: inference.limits.max_rate.value(),
        within: None,
        replicas: year.replicas.value().value as u64,
        bottleneck: "the highest rate by closed form".to_owned(),
    });
    Ok(Bounded { forecast, bound: forecast.scaled(used.min(paid).min(1.0)), by_means })
}

/// The verdict on one combination, simulated.
fn judge(scenario: &Scenario, catalog: &Catalog, question: &Question<'_>) -> Verdict {
    match rate(scenario, catalog, question).map(|it| (Merits::of(&it.2), it)) {
        Ok((Some(merits), (highest, fleet, _))) => Verdict::Sized(Sized {
            merits,
            rate: highest.rate,
            within: Some(highest.near.rate),
            replicas: fleet.replicas,
            bottleneck: highest.bottleneck,
        }),
        Ok((None, _)) => Verdict::Infeasible("nothing is served".to_owned()),
        Err(error) => Verdict::Infeasible(error.message().to_owned()),
    }
}
