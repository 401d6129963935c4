//! The service against a hosted model, in the first year.
//!
//! A hosted model charges for the tokens of a request: prompt tokens, those of them in its cache,
//! tokens of the answer. The fleet is charged for its devices, busy or not, so its cost per request
//! falls with the volume; [`crate::ledger::api`] finds the volume at which both cost the same.

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

/// The service against a hosted model, in the first year.
#[derive(Clone, Debug)]
pub struct AgainstApi {
    /// The hosted model's charge for a request of mean length, in USD/request.
    pub per_query: Traced<RequestPrice>,
    /// Its charge for all requests of the first year, in USD.
    pub yearly: Traced<Money>,
    /// The cost of the fleet in the first year in USD, without storage, egress and staff.
    pub fleet: Value<Money>,
    /// The least volume in requests per second at which a fleet of its size costs no more; never
    /// where no volume is large enough, absent where the fleet's cost is unknown.
    pub break_even: Value<RequestRate>,
    /// The same in tokens per second: requests x (input + output tokens); `None` where requests
    /// have no tokens.
    pub break_even_tokens: Option<Traced<Per<Tokens, Time>>>,
    rate: RequestRate,
}

impl AgainstApi {
    /// Compares the service's first year with the hosted model, from its rows of money and a
    /// replica's highest rate. A replica's planned mean rate is its highest rate x target
    /// utilisation / (peak / mean).
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
            .or_else(|| Unknown::new("no price of the devices is known").into())
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

    /// The answer in a sentence; `None` where the break-even is absent.
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

/// The charge for a request of mean length:
/// ```text
/// input (1 - share) x price + input x share x price of cached tokens + output x price
/// share = sum over the kinds of requests: share of requests x mean input / input x cached part
/// ```
/// All prompt tokens cost the same if the provider has no price for cached ones.
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
