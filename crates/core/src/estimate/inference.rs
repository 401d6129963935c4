//! The forecast of a service: latency, the fleet of each year, and what each year takes.
//!
//! A replica's highest rate and its latencies come from the engine's closed form or from a
//! simulation. From there on both go the same way:
//! ```text
//! peak rate = mean rate x (1 + growth)^(year - 1) x peak / mean
//! replicas  = max(1, ceil(peak rate / (highest rate x target utilisation))) + redundancy
//! devices   = replicas x devices of a replica          device-hours = devices x 1 year
//! ```
//! A fleet that follows its load pays the hours of `serving::capacity::autoscale` in place of the
//! whole year. Hardware that is refreshed has another highest rate from its year on.

use std::fmt;
use std::sync::Arc;

use super::bound::LowerBound;
use super::tokens::PerToken;
use super::{AgainstApi, Observed, Ownership, TrainingForecast, lending, money, owned};
use crate::diagnostic::{Error, Result};
use crate::estimate::plan::{Finance, Refresh, Service, TrainingPlan};
use crate::ledger::energy::{Load, Phase, When};
use crate::ledger::footprint::Footprint;
use crate::ledger::line::{Ledger, Period, Stage};
use crate::ledger::packing::Packing;
use crate::ledger::{energy, years};
use crate::provenance::{Input, Traced, Value};
use crate::quantity::{
    Co2eMass, DeviceFlopRate, DeviceTime, Devices, Energy, Measure, Money, Per, Ratio, RequestRate,
    Requests, Time, Tokens,
};
use crate::serving::Correction;
use crate::serving::capacity::{Autoscaling, autoscale};
use crate::serving::closed_form::{Capability, Latency, Rounds, TimePerRequest};
use crate::serving::instance::Instances;
use crate::serving::network::Pass;
use crate::serving::plan::FlopPerRequest;
use crate::serving::traffic::Profile;

/// The run that comes before a service: its plan, and its forecast, whose terms the service may use.
pub(super) type Run<'a> = (&'a TrainingPlan, &'a mut TrainingForecast);

/// The forecast of a service over its horizon.
#[derive(Clone, Debug)]
pub struct InferenceForecast {
    /// Devices of one replica.
    pub replica_devices: Traced<Devices>,
    /// The devices of a replica's prefill instances, where others decode; `None` for an engine that
    /// does both.
    pub prefill_devices: Option<Traced<Devices>>,
    /// The limits of one replica.
    pub limits: ReplicaLimits,
    /// Mean latencies at the first year's peak, the load being spread over the replicas that it
    /// needs.
    pub latency: Latency,
    /// FLOPs of one request, prompt and answer, forward.
    pub flops: Traced<FlopPerRequest>,
    /// The fleet that takes over, where it is renewed.
    pub refresh: Option<HardwareRefresh>,
    /// The horizon, year by year; the fleet of the first year is the fleet.
    pub years: Vec<Year>,
    /// Money, row by row; empty where no price of the devices is known.
    pub money: Ledger<Money>,
    /// The purchases for it, where the hardware is owned.
    pub ownership: Option<Ownership>,
    /// Against a hosted model, where the scenario names one.
    pub api: Option<AgainstApi>,
    /// The sum of the rows over the horizon, in nominal USD.
    pub cost: Value<Money>,
    /// Cost per request over the horizon: cost of serving / requests of all years.
    pub serving_cost: Value<Per<Money, Requests>>,
    /// Cost per request with the training's cost spread over all requests: (cost of serving + cost
    /// of training) / requests of all years.
    pub loaded_cost: Value<Per<Money, Requests>>,
    /// Facility energy per request: IT energy x PUE / requests of all years.
    pub energy: Value<Per<Energy, Requests>>,
    /// Location-based CO2e per request: facility energy x grid intensity / requests of all years.
    pub location: Value<Per<Co2eMass, Requests>>,
    /// Embodied CO2e per request, middle estimate: the fleet's share / requests of all years.
    pub embodied: Value<Per<Co2eMass, Requests>>,
    /// Money, energy and CO2e per token; none for a service without tokens.
    pub tokens: Option<PerToken>,
    /// The lower bound that FLOPs alone set in the first year.
    pub lower_bound: LowerBound,
    /// Statistics of a simulated replica, where a simulation was run.
    pub observed: Option<Arc<Observed>>,
}

/// The limits of one replica, by closed form or by simulation.
#[derive(Clone, Debug)]
pub struct ReplicaLimits {
    /// Tokens that its KV cache holds; none for a model without one.
    pub kv_capacity: Option<Traced<Tokens>>,
    /// Concurrent requests of mean length that it holds.
    pub max_concurrency: Traced<Ratio>,
    /// The highest rate of requests that it takes within its SLO.
    pub max_rate: Traced<RequestRate>,
    /// Share of a full replica's time that prompts take; none where nothing is generated.
    pub prompt_share: Option<Traced<Ratio>>,
    /// The rounds of speculative decoding, where tokens are drafted.
    pub speculation: Option<Rounds>,
}

impl ReplicaLimits {
    /// The limits of a service's replica by closed form.
    ///
    /// # Errors
    /// If a replica does not hold the model.
    pub fn of(service: &Service) -> Result<Self> {
        capability(service).map(Self::from)
    }
}

impl From<Capability> for ReplicaLimits {
    fn from(it: Capability) -> Self {
        Self {
            kv_capacity: it.kv_capacity,
            max_concurrency: it.max_concurrency,
            max_rate: it.max_rate,
            prompt_share: it.prompt_share,
            speculation: it.speculation,
        }
    }
}

/// One year of service: its load, its fleet and what that takes.
#[derive(Clone, Debug)]
pub struct Year {
    /// The number of the year, from 1.
    pub year: u32,
    /// Requests of the year: rate x (1 + growth)^(year - 1) x one year.
    pub requests: Traced<Requests>,
    /// The rate that the fleet is sized for: mean rate of the year x peak / mean.
    pub peak_rate: Traced<RequestRate>,
    /// Replicas: ceil(peak rate / (highest rate of a replica x target utilisation)), at least one,
    /// + redundancy.
    pub replicas: Traced<Ratio>,
    /// Devices of the replicas: replicas x devices of a replica.
    pub devices: Traced<Devices>,
    /// Replicas hour by hour, where the fleet follows its load.
    pub scaling: Option<Autoscaling>,
    /// How long it is in use: a year, or the time of a job.
    pub length: Traced<Time>,
    /// The time of a job, where the service is one: requests / (replicas x highest rate of each).
    pub job: Option<Traced<Time>>,
    /// Device-hours of the fleet: devices x one year, or the part of it that a fleet which follows
    /// its load pays for.
    pub fleet_time: Traced<DeviceTime>,
    /// Device-hours of a fleet of one's own beyond those: it is scaled down, or was larger once.
    pub unused: Option<Traced<DeviceTime>>,
    /// The instances that hold the devices, where instances are sold.
    pub packing: Option<Packing>,
    /// Energy, carbon and water of the fleet, all year, with what stands unused in its instances;
    /// embodied carbon that of unused devices of one's own, too.
    pub footprint: Footprint,
}

impl InferenceForecast {
    /// The time to the first token; none where nothing is generated: the answer is then one.
    pub fn first_token(&self) -> Option<&Traced<TimePerRequest>> {
        self.limits.prompt_share.as_ref().map(|_| &self.latency.ttft)
    }

    /// The sum of the rows of a year in USD.
    pub fn cost_of(&self, year: &Year) -> Value<Money> {
        let stage = Stage::Serving(year.year);
        let cost = self.money.sum(|entry| entry.stage == stage);
        cost.named(format_args!("{stage}.cost_usd"))
    }
}

/// Forecasts a service over the horizon by closed forms; latencies are corrected, where a simulation
/// was asked.
///
/// # Errors
/// As [`serve`].
pub(super) fn forecast(
    service: &Service,
    finance: &Finance,
    training: Option<Run<'_>>,
    capability: &Capability,
    correction: Option<&Correction>,
) -> Result<InferenceForecast> {
    let limits = capability.clone().into();
    let latency = |first: &Year| {
        let busy = &first.replicas - service.redundancy.trace().retype::<Ratio>();
        let rate = (&first.peak_rate / busy).named("peak rate of a replica");
        capability.latency(&rate, correction)
    };
    serve(service, finance, training, (capability, limits), latency)
}

/// The limits of a replica by closed form: that of an engine with continuous batching, or the batch
/// by batch one of a model that answers in a single pass.
///
/// # Errors
/// If the replica does not hold the model: the hint names what would make it fit.
pub(super) fn capability(service: &Service) -> Result<Capability> {
    let (replica, demand) = (&service.replica, &service.demand);
    let Some(instances) = &demand.instances else {
        let pass = Pass::of(&demand.model, demand.precision.value.size(), replica)?;
        return pass.capability(demand.max_wait.as_ref());
    };
    replica.capability(instances, demand).map_err(|unfit| {
        Error::from(*unfit).hint(
            "raise inference.parallelism.tensor, choose a narrower precision, or a larger device",
        )
    })
}

/// The fleet on other hardware that takes over from a year on.
#[derive(Clone, Debug)]
pub struct HardwareRefresh {
    /// Its first year.
    pub year: u32,
    /// Id of its accelerator in the catalog.
    pub accelerator: String,
    /// Devices of one of its replicas.
    pub replica_devices: Traced<Devices>,
    /// The highest rate of one of its replicas: that of the first fleet x the ratio of both by
    /// closed form.
    pub max_rate: Traced<RequestRate>,
    /// The limits of one of its replicas by closed form.
    capability: Capability,
}

impl HardwareRefresh {
    /// The refresh of a service within the horizon. Its highest rate is the first fleet's, whoever
    /// computed it, x the ratio of both by closed form, so that a simulation need not be repeated
    /// for it.
    ///
    /// # Errors
    /// If the horizon ends before the refresh, or the model does not fit the new hardware.
    fn of(
        service: &Service,
        (first, limits): (&Capability, &ReplicaLimits),
        finance: &Finance,
    ) -> Result<Option<Self>> {
        let Some(Refresh { year, service: later }) = &service.refresh else { return Ok(None) };
        if *year > finance.years {
            return Err(Error::input(format!(
                "inference.refresh.year is {year}, but the horizon ends with year {}",
                finance.years
            ))
            .hint("lengthen finance.horizon, or leave inference.refresh out"));
        }
        let capability = capability(later)?;
        let ratio = &capability.max_rate / &first.max_rate;
        let ratio = ratio.named("rate of the new replica / of the old, by closed form");
        Ok(Some(Self {
            year: *year,
            accelerator: later.demand.accelerator.clone(),
            replica_devices: later.replica.all_devices().named("inference.refresh.replica_devices"),
            max_rate: (&limits.max_rate * &ratio).named("inference.refresh.max_rate_per_s"),
            capability,
        }))
    }
}

/// Forecasts a service over the horizon from the limits of its replica, those by closed form beside
/// those that hold. `latency` is asked once, with the first year, whose peak it is told for.
///
/// # Errors
/// If the horizon is below one year, or a replica does not hold the model.
pub(super) fn serve(
    service: &Service,
    finance: &Finance,
    training: Option<Run<'_>>,
    (closed, limits): (&Capability, ReplicaLimits),
    latency: impl FnOnce(&Year) -> Latency,
) -> Result<InferenceForecast> {
    let first_month = money::first_month(training.as_ref().map(|(_, run)| &**run));
    let refresh = HardwareRefresh::of(service, (closed, &limits), finance)?;
    // A job ends.
    let horizon = if service.within.is_some() { 1 } else { finance.years };
    let mut years: Vec<Year> = (1..=horizon)
        .map(|year| {
            let period = Period::of_months(first_month + 12 * (year - 1), 12);
            let when = When { stage: Stage::Serving(year), period };
            let renewed = refresh.as_ref().filter(|it| year >= it.year);
            let of =
                renewed.map_or((closed, &limits.max_rate), |it| (&it.capability, &it.max_rate));
            one_year(service.in_year(year), of, year, when)
        })
        .collect::<Result<_>>()?;
    owned::hold(service, &mut years);
    let first = years.first().ok_or_else(|| Error::input("finance.horizon is below one year"))?;
    let latency = latency(first);

    let sum_requests = years::total(years.iter().map(|y| y.requests.clone()))
        .ok_or_else(|| Error::input("finance.horizon is below one year"))?
        .named("requests over the horizon");
    let mut lent = Vec::new();
    let training = training.map(|(plan, run)| {
        lent = lending::of(plan, run, service, &years);
        if !lent.is_empty() {
            run.lend(plan, &lent, finance);
        }
        (plan, &*run)
    });
    let lender = training.and_then(|(plan, _)| plan.rent.as_ref()).filter(|_| !lent.is_empty());
    let money = money::of_service(service, finance, &years, first_month, (lender, &lent));
    let training = training.map(|(_, run)| run);
    let cost = money.sum(|_| true).named("inference.cost_usd.total");
    let footprints = || years.iter().map(|year| &year.footprint);
    let facility = Value::sum(footprints().map(|it| it.facility.clone()));
    let location = Value::sum(footprints().map(|it| it.location.clone()));
    let location: Value<Co2eMass> = location.map(Traced::retype);
    let embodied = Value::sum(footprints().map(|it| it.embodied[1].total.clone()));

    let serving_cost = (&cost / &sum_requests).named("inference.per_query.serving_usd");
    let training_cost: Value<Money> = training.map(|training| &training.cost).into();
    let loaded_cost =
        (&(&cost + &training_cost) / &sum_requests).named("inference.per_query.loaded_usd");
    let energy = (&facility / &sum_requests).named("inference.per_query.energy_wh");
    let location = (&location / &sum_requests).named("inference.per_query.co2e_g.location");
    Ok(InferenceForecast {
        replica_devices: service.replica.all_devices(),
        prefill_devices: service
            .replica
            .pools
            .as_ref()
            .map(|pools| service.replica.prefill_pool(pools)),
        flops: service.flops.trace(),
        tokens: PerToken::of(service, &limits, &serving_cost, &energy, &location),
        lower_bound: LowerBound::of(service, first),
        embodied: (&embodied / &sum_requests).named("inference.per_query.co2e_g.embodied"),
        api: service
            .api
            .as_ref()
            .map(|api| AgainstApi::new((service, api), &years[0], &limits.max_rate, &money)),
        ownership: Ownership::of_service(service, &years, first_month, &finance.discount_rate),
        observed: None,
        refresh,
        limits,
        latency,
        money,
        cost,
        serving_cost,
        loaded_cost,
        energy,
        location,
        years,
    })
}

/// The path of the fleet of a year: that of the first year is the service's own.
struct Fleet(u32);

impl fmt::Display for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("inference"),
            year => Stage::Serving(year).fmt(f),
        }
    }
}

/// One year of service: its load, the fleet that is planned for it, and energy and carbon of that
/// fleet.
fn one_year(
    service: &Service,
    (capability, max_rate): (&Capability, &Traced<RequestRate>),
    year: u32,
    when: When,
) -> Result<Year> {
    let stage = Fleet(year);
    let growth = years::growth(&service.growth.trace(), year);
    let rate = &service.rate.trace() * &growth;
    let span = service.within.as_ref().map_or_else(years::one, Input::trace);
    let requests = (&rate * &span).named(format_args!("requests of year {year}"));
    let peak_rate = (&rate * &service.peak_to_mean.trace())
        .named(format_args!("{stage}.fleet.peak_rate_per_s"));
    let planned = max_rate * &service.target_utilisation.trace();
    let redundancy = service.redundancy.trace();
    let working = (&peak_rate / planned).ceil().max(&Traced::constant(Ratio::from_stored(1.0)));
    let working = working.named("replicas that the peak needs");
    let replicas =
        (&working + redundancy.retype::<Ratio>()).named(format_args!("{stage}.fleet.replicas"));
    let devices =
        (&replicas * &service.replica.all_devices()).named(format_args!("{stage}.fleet.devices"));
    let packing = service.pack(format_args!("{stage}.fleet"), &replicas);
    let job = service.within.as_ref().map(|_| {
        let time: Traced<Time> = (&(&requests / max_rate) / &working).retype();
        time.min(&span).named(format_args!("{stage}.fleet.job_days"))
    });
    let length = job.clone().unwrap_or(span);
    let mut fleet_time = &devices * &length;
    let scaling = match &service.start_up {
        Some(start_up) => Some(scaling(service, rate.value(), max_rate.value(), start_up.value)?),
        None => None,
    };
    if let Some(scaling) = &scaling {
        let hours = Ratio::from_stored(scaling.replica_hours / scaling.fixed_replica_hours);
        let how = "hours that replicas run in a week / hours of the fleet of the peak";
        let share = fleet_time.beside(hours, || ("share of hours paid".to_owned(), how.to_owned()));
        fleet_time = fleet_time * share;
    }
    let fleet_time = fleet_time.named(format_args!("{stage}.fleet.device_hours"));
    let at_work = if let Some(instances) = &service.demand.instances {
        let part = (&working / &replicas).named("replicas that work / all");
        let share = drawing(service, (instances, capability), &requests, &(&fleet_time * &part));
        (share * part).retype::<Ratio>().named("drawn between idle and full, with spares")
    } else {
        let work = &(&(&rate / max_rate) * &service.replica.all_devices()) * &length;
        energy::utilisation(&work, &fleet_time)
    };
    let serving = Phase { name: "serving", time: fleet_time.clone(), load: Load::Partly(at_work) };
    let unused = packing.as_ref().and_then(|it| it.unused(&fleet_time));
    let phases: Vec<_> = std::iter::once(serving).chain(unused).collect();
    let footprint = service.site.footprint(format_args!("{}", when.stage), when, &phases);
    Ok(Year {
        year,
        requests,
        peak_rate,
        replicas,
        devices,
        scaling,
        length,
        job,
        fleet_time,
        unused: None,
        packing,
        footprint,
    })
}

/// The load at which the devices of a fleet of engines draw, on average, between idle and full.
///
/// An engine with `N` requests at once on average (Little's law) has none of them for `e^-N` of the
/// time (M/G/inf); else it steps on, whatever its batch, and a step that waits for memory draws
/// most of what a full one does:
/// ```text
/// busy  = 1 - e^-N
/// level = min(1, base + slope x FLOP/s while busy / 16-bit peak)     of the TDP
/// share = busy x (level - idle) / (1 - idle)
/// ```
/// The constants are those of `hardware/serving-calibration.yaml`. Replicas that stand by are not
/// counted here.
fn drawing(
    service: &Service,
    (instances, capability): (&Instances, &Capability),
    requests: &Traced<Requests>,
    fleet_time: &Traced<DeviceTime>,
) -> Traced<Ratio> {
    let (power, devices) = (instances.power(), service.replica.all_devices());
    let most = &capability.max_rate * Traced::constant(0.95);
    let rate: Traced<RequestRate> = requests / &(fleet_time / &devices);
    let rate = rate.named("mean rate of a replica").min(&most);
    let at_once = (&rate * &capability.latency(&rate, None).e2e).number();
    let at_once = at_once.named("requests at once at the mean rate");
    let none = Traced::constant(std::f64::consts::E).pow(&(0.0 - &at_once));
    let busy = (1.0 - none).named("share of the time that an engine is busy");
    let peak16: Traced<DeviceFlopRate> = rate
        .beside(instances.device.peak16, || ("16-bit peak".to_owned(), "of the device".to_owned()));
    let told = |value: f64, name: &str| {
        let how = "hardware/serving-calibration.yaml".to_owned();
        rate.beside::<f64>(value, || (name.to_owned(), how))
    };
    let base = told(power.base(&instances.device), "power of a device that decodes / TDP");
    let idle = told(power.idle, "power of a device that waits / TDP");
    let slope = told(power.slope(), "more per share of the peak");
    let used = (&(&rate * &service.flops.trace()) / &(&peak16 * &devices)).number();
    let level = base + slope * used / &busy;
    let level = level.min(&Traced::constant(1.0)).named("power of a busy device / TDP");
    let share = busy * (level - &idle) / (1.0 - &idle);
    share.retype::<Ratio>().named("drawn between idle and full")
}

/// Replicas hour by hour for a mean rate: along the scenario's profile of traffic, or a daily one
/// of the same peak / mean.
fn scaling(
    service: &Service,
    rate: RequestRate,
    max_rate: RequestRate,
    start_up: Time,
) -> Result<Autoscaling> {
    let daily = || Profile::daily(service.peak_to_mean.value);
    let profile = service.demand.profile.clone().map_or_else(daily, Ok)?;
    let (target, redundancy) = (service.target_utilisation.value, service.redundancy.value);
    Ok(autoscale(&profile, rate, max_rate, target, redundancy as u64, start_up))
}
