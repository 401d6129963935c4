//! The forecast of a service: latency, fleet, and what each year of it takes.

use crate::diagnostic::{Error, Result};
use crate::ledger::footprint::{Co2e, Footprint, Location};
use crate::ledger::years;
use crate::provenance::{Known, Traced, Unknown, function};
use crate::quantity::{
    Co2eMass, Devices, Energy, Instances, Measure, Money, Per, Ratio, RequestRate, Requests, Time,
    Tokens, TokensPerRequest, text,
};
use crate::scenario::plan::FlopPerRequest;
use crate::scenario::plan::{Finance, Service};
use crate::serving::closed_form::Latency;

/// What a service takes.
#[derive(Clone, Debug)]
pub struct InferenceForecast {
    /// Devices of one replica.
    pub replica_devices: Traced<Devices>,
    /// What one replica can do.
    pub limits: ReplicaLimits,
    /// Mean latencies: at the first year's mean load by closed form, at its peak by simulation.
    pub latency: Latency,
    /// FLOPs of one request.
    pub flops: Traced<FlopPerRequest>,
    /// The horizon, year by year; the fleet of the first year is the fleet.
    pub years: Vec<Year>,
    /// Rent per request over the horizon.
    pub serving_cost: Option<Traced<Per<Money, Requests>>>,
    /// Rent per request with the training's cost spread over all requests.
    pub loaded_cost: Option<Traced<Per<Money, Requests>>>,
    /// Facility energy per request.
    pub energy: Known<Per<Energy, Requests>>,
    /// Location-based CO2e per request.
    pub location: Known<Per<Co2eMass, Requests>>,
    /// Embodied CO2e per request, middle estimate.
    pub embodied: Known<Per<Co2eMass, Requests>>,
    /// Rent per token, input and output counted alike.
    pub cost_per_token: Option<Traced<Per<Money, Tokens>>>,
    /// Facility energy per token.
    pub energy_per_token: Known<Per<Energy, Tokens>>,
    /// Location-based CO2e per token.
    pub location_per_token: Known<Per<Co2eMass, Tokens>>,
}

/// What one replica can do, by closed form or by simulation.
#[derive(Clone, Debug)]
pub struct ReplicaLimits {
    /// Tokens that its KV cache holds; none for a model without one.
    pub kv_capacity: Option<Traced<Tokens>>,
    /// Concurrent requests of mean length.
    pub max_concurrency: Traced<Ratio>,
    /// The highest rate that it is to take.
    pub max_rate: Traced<RequestRate>,
}

/// One year of service.
#[derive(Clone, Debug)]
pub struct Year {
    /// From 1.
    pub year: u32,
    /// Requests of the year.
    pub requests: Traced<Requests>,
    /// The rate that the fleet is sized for.
    pub peak_rate: Traced<RequestRate>,
    /// Replicas, redundancy included.
    pub replicas: Traced<Ratio>,
    /// Devices of the replicas.
    pub devices: Traced<Devices>,
    /// Whole instances, where instances are sold.
    pub instances: Option<Traced<Instances>>,
    /// Devices paid for but unused.
    pub stranded: Option<Traced<Devices>>,
    /// Rent of the fleet, all year.
    pub cost: Option<Traced<Money>>,
    /// Energy, carbon and water of the fleet, all year.
    pub footprint: Footprint,
}

/// Forecasts a service over the horizon by closed forms.
pub(super) fn forecast(
    service: &Service,
    finance: &Finance,
    training_cost: Option<&Traced<Money>>,
    explain: bool,
) -> Result<InferenceForecast> {
    let capability = service.replica.capability(explain).map_err(|no| {
        Error::limit(format!(
            "the model does not fit: weights of {} and the KV cache of one request exceed the {} \
             that {} offer",
            text::show(no.weights),
            text::show(no.usable),
            text::show(service.replica.devices.value),
        ))
        .hint("raise inference.parallelism.tensor, choose a narrower precision, or a larger device")
    })?;
    let limits = ReplicaLimits {
        kv_capacity: capability.kv_capacity.clone(),
        max_concurrency: capability.max_concurrency.clone(),
        max_rate: capability.max_rate.clone(),
    };
    let latency =
        |first: &Year| capability.latency(&(&service.rate.traced(explain) / &first.replicas));
    serve(service, finance, training_cost, limits, latency, explain)
}

/// Forecasts a service over the horizon, its replicas being known; `latency` is asked once, with
/// the first year.
///
/// # Errors
/// A horizon below one year.
pub fn serve(
    service: &Service,
    finance: &Finance,
    training_cost: Option<&Traced<Money>>,
    limits: ReplicaLimits,
    latency: impl FnOnce(&Year) -> Latency,
    explain: bool,
) -> Result<InferenceForecast> {
    let years: Vec<Year> = (1..=finance.years)
        .map(|year| one_year(service, finance, &limits.max_rate, year, explain))
        .collect();
    let first = years.first().ok_or_else(|| Error::input("finance.horizon is below one year"))?;
    let latency = latency(first);

    let sum_requests = years::total(years.iter().map(|y| y.requests.clone()))
        .ok_or_else(|| Error::input("finance.horizon is below one year"))?
        .named("requests over the horizon");
    let cost =
        years.iter().map(|y| y.cost.clone()).collect::<Option<Vec<_>>>().and_then(years::total);
    let facility = super::add(years.iter().map(|y| y.footprint.facility.clone()));
    let location = super::add(years.iter().map(|y| y.footprint.location.clone()))
        .map(Traced::<Co2e<Location>>::retype::<Co2eMass>);
    let embodied = super::add(years.iter().map(|y| y.footprint.embodied[1].clone()));

    let tokens = tokens_per_request(service, explain);
    let per_query = |figure: &str| format!("inference.per_query.{figure}");
    let per_token = |figure: &str| format!("inference.per_million_tokens.{figure}");
    let serving_cost = cost.as_ref().map(|c| (c / &sum_requests).named(&per_query("serving_usd")));
    let loaded_cost = cost.as_ref().zip(training_cost).map(|(serving, training)| {
        (&(serving + training) / &sum_requests).named(&per_query("loaded_usd"))
    });
    let energy = facility.map(|e| (&e / &sum_requests).named(&per_query("energy_wh")));
    let location = location.map(|c| (&c / &sum_requests).named(&per_query("co2e_g.location")));
    Ok(InferenceForecast {
        replica_devices: service.replica.devices.traced(explain),
        flops: service.flops.traced(explain),
        cost_per_token: serving_cost
            .as_ref()
            .zip(tokens.as_ref())
            .map(|(cost, tokens)| (cost / tokens).named(&per_token("cost_usd"))),
        energy_per_token: per(&energy, tokens.as_ref())
            .map(|(energy, tokens)| (&energy / &tokens).named(&per_token("energy_kwh"))),
        location_per_token: per(&location, tokens.as_ref())
            .map(|(mass, tokens)| (&mass / &tokens).named(&per_token("co2e_kg.location"))),
        embodied: embodied.map(|c| (&c / &sum_requests).named(&per_query("co2e_g.embodied"))),
        limits,
        latency,
        serving_cost,
        loaded_cost,
        energy,
        location,
        years,
    })
}

fn one_year(
    service: &Service,
    finance: &Finance,
    max_rate: &Traced<RequestRate>,
    year: u32,
    explain: bool,
) -> Year {
    let stage = if year == 1 { "inference".to_owned() } else { format!("inference.years.{year}") };
    let growth = years::growth(&service.growth.traced(explain), year, explain);
    let rate = &service.rate.traced(explain) * &growth;
    let length = Time::new::<crate::quantity::system::time::year>(1.0);
    let length = Traced::counted("a year", length, "calendar", explain);
    let requests = (&rate * &length).named(&format!("requests of year {year}"));
    let peak_rate = (&rate * &service.peak_to_mean.traced(explain))
        .named(&format!("{stage}.fleet.peak_rate_per_s"));
    let planned = max_rate * &service.headroom.traced(explain);
    let redundancy = service.redundancy.traced(explain);
    let replicas: Traced<Ratio> = function(
        "peak rate / planned rate of a replica, rounded up, + redundancy",
        &[peak_rate.part(), planned.part(), redundancy.part()],
        |v| (v[0] / v[1] - 1e-9).ceil().max(1.0) + v[2],
    );
    let replicas = replicas.named(&format!("{stage}.fleet.replicas"));
    let devices = (&replicas * &service.replica.devices.traced(explain))
        .named(&format!("{stage}.fleet.devices"));
    let packing = service
        .rent
        .as_ref()
        .and_then(|rent| rent.pack(&format!("{stage}.fleet"), &devices, explain));
    let fleet_time = &devices * &length;
    let cost = service.rent.as_ref().map(|rent| {
        let bill = rent.bill(&stage, &fleet_time, packing.as_ref(), explain);
        let price = years::growth(&finance.price_change.traced(explain), year, explain);
        (&bill.total * &price).named(&format!("inference.years.{year}.cost_usd"))
    });
    let footprint =
        service.site.footprint(&format!("inference.years.{year}"), &fleet_time, explain);
    let (instances, stranded) = packing.map(|p| (p.instances, p.stranded)).unzip();
    Year { year, requests, peak_rate, replicas, devices, instances, stranded, cost, footprint }
}

fn tokens_per_request(service: &Service, explain: bool) -> Option<Traced<TokensPerRequest>> {
    let output = service.replica.output.as_ref()?.traced(explain);
    Some(&service.replica.input.traced(explain) + &output)
}

fn per<A: Measure, B: Measure>(
    figure: &Known<A>,
    tokens: Option<&Traced<B>>,
) -> Result<(Traced<A>, Traced<B>), Unknown> {
    let missing = || Unknown { why: "the service has no tokens".to_owned() };
    Ok((figure.clone()?, tokens.cloned().ok_or_else(missing)?))
}
