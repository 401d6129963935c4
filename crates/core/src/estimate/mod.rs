//! The forecast: runs the stages over a resolved scenario.
//!
//! An [`Engine`] is a scenario made ready. [`Engine::new`] settles what takes long (the choice of a
//! layout, the prediction of a step); [`Engine::run`] then takes microseconds: training, then
//! serving year by year, then the totals of both. The result, an [`Estimate`], holds typed
//! quantities, and [`figure`] reads every figure off it by one table.
//!
//! | module | stage |
//! |---|---|
//! | `training` | time, device-hours, footprint and money of the run |
//! | `inference` | limits of a replica, latency, the fleet of each year and what it takes |
//! | `money`, `owned` | the rows that the ledger enters for either |
//! | `lending` | terms that the run reserved and the service uses |
//! | [`cash`] | when each row is paid |
//! | `tokens`, `api`, `bound` | per token; against a hosted model; against the FLOPs alone |
//! | `observed` | statistics of a simulated replica |
//! | [`plan`] | the resolved scenario that all of them compute from |
//!
//! Studies run an engine many times with other inputs; reports run it once, recording
//! ([`Engine::recorded`]).

mod api;
mod bound;
pub mod cash;
pub mod figure;
mod inference;
mod lending;
mod money;
mod observed;
mod owned;
pub mod plan;
pub mod rollout;
mod tokens;
mod training;

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::diagnostic::Result;
use crate::estimate::plan::{Scenario, TrainingPlan};
use crate::ledger::footprint::{Co2e, Location};
use crate::ledger::line::Line;
use crate::ledger::years;
use crate::provenance::{Inputs as _, Traced, Unknown, Value, inputs};
use crate::quantity::{Co2eMass, Energy, Money, RequestRate};
use crate::serving::Correction;
use crate::serving::closed_form::{Latency, Rounds};
use crate::training::memory::Held;
use crate::training::predict;
use crate::training::predict::Predicted;
use crate::training::run::Settled;

pub use api::AgainstApi;
pub use bound::LowerBound;
pub use figure::{Figure, Id, Key, Mark, Place, Section, Share, whole};
pub use inference::{HardwareRefresh, InferenceForecast, ReplicaLimits, Year};
pub use observed::Observed;
pub use owned::Ownership;
pub use tokens::{PerToken, Prices};
pub use training::{Calendar, TrainingForecast};

/// The forecast of a scenario. A stage that the scenario does not have is `None`.
#[derive(Clone, Debug)]
pub struct Estimate {
    /// The training run: time, device-hours, footprint, money.
    pub training: Option<TrainingForecast>,
    /// The service over its horizon.
    pub inference: Option<InferenceForecast>,
    /// Both together, over the years; `None` for a scenario without either.
    pub tco: Option<Tco>,
}

/// Total cost of ownership: training once, serving year by year, with the carbon of both.
#[derive(Clone, Debug)]
pub struct Tco {
    /// Years of service; 0 without one.
    pub horizon_years: Traced<f64>,
    /// The sum of all payments: cost of training + cost of each year of serving, in nominal USD.
    pub total: Value<Money>,
    /// The cost discounted to the start, as it is expensed: training now, each year at its end.
    pub present_value: Value<Money>,
    /// Facility energy of training and of every year: IT energy x PUE.
    pub energy: Value<Energy>,
    /// Location-based CO2e of the electricity: facility energy x grid intensity (GHG Protocol,
    /// Scope 2 Guidance).
    pub location: Value<Co2e<Location>>,
    /// Embodied CO2e of training and of every year, middle estimate, in kgCO2e.
    pub embodied: Value<Co2eMass>,
    /// Software carbon intensity: (energy x intensity + embodied) of one functional unit of
    /// serving (ISO/IEC 21031), where the scenario names one.
    pub sci: Value<Co2eMass>,
}

impl Estimate {
    /// The rows of money, those of training first.
    pub fn money(&self) -> impl Iterator<Item = &Line<Money>> {
        let training = self.training.iter().flat_map(|training| training.money.lines());
        training.chain(self.inference.iter().flat_map(|inference| inference.money.lines()))
    }

    /// The hardware that is owned, with the stage that it is bought for.
    pub fn ownerships(&self) -> impl Iterator<Item = (Place, &Ownership)> {
        let training = self.training.iter().map(|it| (Place::Training, it.ownership.as_ref()));
        let service = self.inference.iter().map(|it| (Place::Service, it.ownership.as_ref()));
        training.chain(service).filter_map(|(stage, owned)| Some((stage, owned?)))
    }
}

/// A scenario made ready to be forecast, once or many times.
#[derive(Clone, Debug)]
pub struct Engine {
    scenario: Scenario,
    settled: Option<Arc<Settled>>,
    simulated: Option<Simulated>,
    correction: Option<Correction>,
    records: bool,
}

/// The result of simulating a service's replica, which takes the place of the closed forms.
#[derive(Clone, Debug)]
pub struct Simulated {
    /// The limits of one replica at the SLO.
    pub limits: ReplicaLimits,
    /// Mean latencies at the peak of the first year.
    pub latency: Latency,
    /// The highest rate of a replica by closed form, from the same inputs.
    pub closed: RequestRate,
    /// Statistics that the closed forms do not have: percentiles, batches, preemptions.
    pub observed: Arc<Observed>,
}

impl Simulated {
    /// The same values without their derivations.
    fn silent(&self) -> Self {
        let ReplicaLimits { kv_capacity, max_concurrency, max_rate, prompt_share, speculation } =
            &self.limits;
        let Latency { ttft, tpot, e2e } = &self.latency;
        Self {
            limits: ReplicaLimits {
                kv_capacity: kv_capacity.as_ref().map(Traced::silent),
                max_concurrency: max_concurrency.silent(),
                max_rate: max_rate.silent(),
                prompt_share: prompt_share.as_ref().map(Traced::silent),
                speculation: speculation.as_ref().map(|it| Rounds {
                    acceptance: it.acceptance.silent(),
                    tokens: it.tokens.silent(),
                    draft_share: it.draft_share.as_ref().map(Traced::silent),
                }),
            },
            latency: Latency {
                ttft: ttft.silent(),
                tpot: tpot.as_ref().map(Traced::silent),
                e2e: e2e.silent(),
            },
            closed: self.closed,
            observed: Arc::clone(&self.observed),
        }
    }
}

inputs!(Engine { scenario, settled; but simulated, correction, records });

impl Engine {
    /// The scenario that it forecasts.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// Chooses the layout of the run, predicts its step, settles its efficiency.
    ///
    /// # Errors
    /// If the run cannot be predicted although nobody said how fast it is, if its layout
    /// contradicts itself, or if no layout fits the devices.
    pub fn new(scenario: &Scenario, catalog: &Catalog) -> Result<Self> {
        let settle = |plan: &Arc<TrainingPlan>| {
            let (given, prediction) = (plan.efficiency.as_ref(), plan.prediction.as_ref());
            let writing = plan.rollout.as_ref().map(|rollout| rollout.time(catalog)).transpose()?;
            predict::settle(given, prediction, writing.as_ref(), catalog).map(Arc::new)
        };
        let settled = scenario.training.as_ref().map(settle).transpose()?;
        let scenario = scenario.clone();
        Ok(Self { scenario, settled, simulated: None, correction: None, records: false })
    }

    /// The engine of another scenario that changes nothing of the model, the data and the training
    /// but what is paid, drawn and emitted: the layout and the efficiency that were settled stand.
    #[must_use]
    pub fn moved(&self, scenario: Scenario) -> Self {
        let moved = Self { scenario, records: false, ..self.clone() };
        if self.records { moved.recorded() } else { moved }
    }

    /// The step-time model's prediction of the run; `None` where the scenario says how fast it is.
    pub fn predicted(&self) -> Option<&Predicted> {
        self.settled.as_ref()?.predicted.as_ref()
    }

    /// The layout of the run and the memory of a device, predicted or counted.
    pub fn held(&self) -> Option<Held> {
        let predicted = self.predicted().map(|it| it.candidate.held());
        predicted.or_else(|| self.scenario.training.as_ref()?.held)
    }

    /// The findings of a simulation of its service; `None` where none ran.
    pub fn simulation(&self) -> Option<&Simulated> {
        self.simulated.as_ref()
    }

    /// The engine with the figures of a simulated replica. They stay as they are where inputs are
    /// varied, so a range says nothing of their spread.
    #[must_use]
    pub fn simulated(self, simulated: Simulated) -> Self {
        Self { simulated: Some(simulated), ..self }
    }

    /// The engine whose closed form of latencies is corrected by a simulation at the peak.
    #[must_use]
    pub fn corrected(self, correction: Correction) -> Self {
        Self { correction: Some(correction), ..self }
    }

    /// The same engine with inputs that record: every figure of its forecast carries its
    /// derivation. One of many forecasts goes without, and allocates nothing for it.
    #[must_use]
    pub fn recorded(&self) -> Self {
        let mut recorded = Self { records: true, ..self.clone() };
        recorded.for_each_input(&mut |input| input.record());
        recorded
    }

    /// Forecasts the scenario with its inputs as they are now.
    ///
    /// # Errors
    /// If the model does not fit the devices that are to serve it, if a job fails all the time, if
    /// a run takes more than a century, or if the horizon is below a year.
    pub fn run(&self) -> Result<Estimate> {
        let scenario = &self.scenario;
        let mut training = match scenario.training.as_ref().zip(self.settled.as_ref()) {
            Some((plan, settled)) => Some(training::forecast(plan, settled, &scenario.finance)?),
            None => None,
        };
        let inference = match &scenario.inference {
            Some(plan) => {
                let finance = &scenario.finance;
                let training = scenario.training.as_deref().zip(training.as_mut());
                let closed = inference::capability(plan)?;
                Some(match &self.simulated {
                    None => {
                        let correction = self.correction.as_ref();
                        inference::forecast(plan, finance, training, &closed, correction)?
                    }
                    Some(simulated) => {
                        let simulated =
                            if self.records { simulated.clone() } else { simulated.silent() };
                        let Simulated { mut limits, latency, closed: then, observed } = simulated;
                        if !self.records {
                            let moved = closed.max_rate.value().value;
                            let factor = Traced::constant(moved / then.value);
                            limits.max_rate = limits.max_rate * factor;
                        }
                        let latency = |_: &Year| latency;
                        let limits = (&closed, limits);
                        let served = inference::serve(plan, finance, training, limits, latency)?;
                        InferenceForecast { observed: Some(observed), ..served }
                    }
                })
            }
            None => None,
        };
        let tco = tco(scenario, training.as_ref(), inference.as_ref());
        Ok(Estimate { training, inference, tco })
    }
}

/// Forecasts a scenario once.
///
/// # Errors
/// As [`Engine::new`] and [`Engine::run`].
pub fn estimate(scenario: &Scenario, catalog: &Catalog) -> Result<Estimate> {
    Engine::new(scenario, catalog)?.run()
}

/// The totals of both stages. A stage without a price makes the total unknown, never cheaper.
/// ```text
/// total          = training + sum of the years
/// present value  = training + sum of year / (1 + rate)^year
/// SCI of serving = (location-based + embodied CO2e of a request) x requests of the functional unit
/// ```
fn tco(
    scenario: &Scenario,
    training: Option<&TrainingForecast>,
    inference: Option<&InferenceForecast>,
) -> Option<Tco> {
    let rate = scenario.finance.discount_rate.trace();
    let empty = Vec::new();
    let by_year = inference.map_or(&empty, |i| &i.years);
    if training.is_none() && by_year.is_empty() {
        return None;
    }
    let priced = |cost: Value<Money>, stage: &str| {
        cost.or_else(|| {
            let why = "has no price: name a provider that sells its devices, or give a price";
            Unknown::new(format!("the {stage} {why}")).into()
        })
    };
    let once = training.map(|training| priced(training.cost.clone(), "training"));
    let yearly: Vec<Value<Money>> = inference.map_or_else(Vec::new, |inference| {
        by_year.iter().map(|year| priced(inference.cost_of(year), "service")).collect()
    });
    let total = Value::sum(once.iter().chain(&yearly).cloned());
    let discounted = by_year
        .iter()
        .zip(&yearly)
        .map(|(year, cost)| cost.clone().map(|cost| years::discounted(&cost, &rate, year.year)));
    let present_value = Value::sum(once.iter().cloned().chain(discounted));
    let footprints = || {
        let training = training.iter().map(|training| &training.footprint);
        training.chain(by_year.iter().map(|year| &year.footprint))
    };
    let energy = Value::sum(footprints().map(|it| it.facility.clone()));
    let location = Value::sum(footprints().map(|it| it.location.clone()));
    let embodied = Value::sum(footprints().map(|it| it.embodied[1].total.clone()));
    let sci = scenario.functional_unit.as_ref().zip(inference).map(|(unit, inference)| {
        (&(&inference.location + &inference.embodied) * &unit.trace()).named("sci.co2e_g")
    });
    Some(Tco {
        sci: sci.into(),
        horizon_years: rate.beside(by_year.len() as f64, || {
            ("years of service".to_owned(), "calendar".to_owned())
        }),
        total: total.named("tco.total_usd"),
        present_value: present_value.named("tco.present_value_usd"),
        energy: energy.named("tco.energy_kwh"),
        location: location.named("tco.co2e_kg.location"),
        embodied: embodied.named("tco.co2e_kg.embodied"),
    })
}
