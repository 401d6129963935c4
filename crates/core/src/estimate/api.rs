//! The service against a hosted model, in the first year.

use super::Year;
use crate::estimate::plan::Service;
use crate::ledger::api::{Fleet, RequestPrice};
use crate::ledger::line::{Ledger, Stage};
use crate::ledger::plan::Api;
use crate::ledger::years;
use crate::provenance::{Input, Traced, Unknown, Value};
use crate::quantity::{
    DevicesPerInstance, Measure, Money, Per, RequestRate, Time, Tokens, show, text,
};
use crate::serving::plan::RequestKind;

/// The service against a hosted model.
#[derive(Clone, Debug)]
pub struct AgainstApi {
    /// The hosted model's charge for a request.
    pub per_query: Traced<RequestPrice>,
    /// Its charge for all requests of the first year.
    pub yearly: Traced<Money>,
    /// The cost of the fleet in the first year.
    pub fleet: Value<Money>,
    /// The least volume at which a fleet of its size costs no more; absent where the fleet's cost
    /// is unknown.
    pub break_even: Value<RequestRate>,
    /// The same in tokens, where requests have tokens.
    pub break_even_tokens: Option<Traced<Per<Tokens, Time>>>,
    rate: RequestRate,
}

impl AgainstApi {
    /// Compares the service's first year, its rows of money and a replica's highest rate.
    pub(super) fn new(
        (service, api): (&Service, &Api),
        first: &Year,
        max_rate: &Traced<RequestRate>,
        money: &Ledger<Money>,
    ) -> Self {
        let per_query = per_query(api, service);
        let yearly = (&per_query * &first.requests).named("hosted model in the first year");
        let mine = Stage::Serving(first.year);
        let fleet = money
            .sum(|entry| entry.stage == mine && entry.resource.is_of_the_fleet())
            .or_else(|| Unknown::new("the service names neither a provider nor a price").into())
            .named("fleet in the first year");
        let load = &service.target_utilisation.trace();
        let replica_rate = &(max_rate * load) / &service.peak_to_mean.trace();
        let single = DevicesPerInstance::from_stored(1.0);
        let rent = service.rent.as_ref();
        let instance = rent.and_then(|rent| rent.instance.as_ref());
        let break_even: Value<RequestRate> = fleet
            .known()
            .map(|cost| {
                let paid = first.packing.as_ref().map_or(&first.devices, |packing| &packing.paid);
                let year = first.length.clone();
                let fleet = Fleet {
                    device: (cost / &(paid * &year)).named("cost of a device of the fleet"),
                    replica_rate: replica_rate.named("planned mean rate of a replica"),
                    replica_devices: service.replica.all_devices(),
                    instance_devices: instance
                        .map_or_else(|| Traced::constant(single), Input::trace),
                    redundancy: service.redundancy.trace(),
                };
                fleet.break_even(&per_query)
            })
            .into();
        let break_even_tokens = match (&break_even, &service.replica.output) {
            (Value::Known(rate), Some(output)) => {
                let input = service.replica.input.trace();
                Some(rate * &(&input + &output.trace()))
            }
            _ => None,
        };
        Self { rate: service.rate.value, per_query, yearly, fleet, break_even, break_even_tokens }
    }

    /// The answer in a sentence, where it is known.
    pub fn answer(&self) -> Option<String> {
        Some(match &self.break_even {
            Value::Absent => return None,
            Value::Never(no) | Value::Unknown(no) => no.why.clone(),
            Value::Known(rate) => {
                let per_day =
                    |rate: RequestRate| text::count(text::convert(rate.stored(), "requests/day"));
                let cheaper = match &self.fleet {
                    Value::Known(fleet) if fleet.value() <= self.yearly.value() => "the fleet",
                    _ => "the hosted model",
                };
                format!(
                    "a fleet costs less from {} requests a day; at this service's {} {cheaper} \
                     does, {} against {} a year",
                    per_day(rate.value()),
                    per_day(self.rate),
                    self.fleet.known().map_or_else(|| "unknown".to_owned(), |it| show(it.value())),
                    show(self.yearly.value()),
                )
            }
        })
    }
}

/// Input and output tokens at their prices; of the prompts that kinds of requests have in a cache,
/// the part that they have of all prompt tokens at the price of cached ones.
fn per_query(api: &Api, service: &Service) -> Traced<RequestPrice> {
    let input = service.replica.input.trace();
    let kinds = &service.demand.kinds;
    let found = |kind: &RequestKind| {
        let mean = kind.input.as_ref()?.mean.trace();
        let part = (&mean / &input).number() * kind.share.trace().number();
        Some(part * kind.cached.trace().number())
    };
    let prompt = match &api.cached {
        Some(price) if kinds.iter().any(|kind| kind.cached.value.get() > 0.0) => {
            let share = years::total(kinds.iter().filter_map(found));
            let share = share.unwrap_or_else(|| Traced::constant(0.0));
            let share = share.named("prompt tokens found in the cache");
            let anew = &(&input * (1.0 - &share)) * &api.input.trace();
            anew + &(&input * &share) * &price.trace()
        }
        _ => &input * &api.input.trace(),
    };
    let answer = api.output.as_ref().zip(service.replica.output.as_ref());
    let total = match answer {
        Some((price, tokens)) => &prompt + &(&tokens.trace() * &price.trace()),
        None => prompt,
    };
    total.named("inference.api.per_query_usd")
}
