//! The readers of the table of figures: the part of the forecast that a row is read off, and the
//! places at which such parts stand.
//!
//! A row names its part once, as a function from that part to a value. A part that occurs several
//! times (a footprint, the money of a stage) makes the row a family: one figure per place, or per
//! member.

use super::{Key, Place};
use crate::estimate::{
    Estimate, InferenceForecast, Observed, Ownership, Prices, Tco, TrainingForecast, Year,
};
use crate::ledger::footprint::Footprint;
use crate::ledger::line::{Entry, Ledger, Resource};
use crate::ledger::owned::PARTS;
use crate::ledger::packing::Packing;
use crate::ledger::rent_or_buy::RentOrBuy;
use crate::ledger::sci::TrainingIntensity;
use crate::ledger::window::BestStart;
use crate::provenance::{Amount, Traced, Unknown, Value};
use crate::quantity::text::count;
use crate::quantity::{Co2eMass, DeviceMemory, Measure, Money, Per, Time, Tokens};
use crate::serving::simulator::{ClassReport, Histogram};
use crate::training::memory::Memory;

type Figure = Value<Amount>;

/// The part of the forecast that a row reads, with the function that reads it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Read {
    /// The training run.
    Training(fn(&TrainingForecast) -> Figure),
    /// The service.
    Service(fn(&InferenceForecast) -> Figure),
    /// Statistics of a simulated replica.
    Observed(fn(&Observed) -> Figure),
    /// Latencies of all requests or of a class, by percentile.
    Latency(fn((&ClassReport, &str)) -> Figure),
    /// A year of the service.
    Year(fn((&InferenceForecast, &Year)) -> Figure),
    /// The footprint of the run or of a year.
    Footprint(fn(&Footprint) -> Figure),
    /// The rows of money of a stage, resource by resource.
    Cost(fn((&Ledger<Money>, Resource)) -> Value<Money>),
    /// The purchases of a stage, part by part.
    Purchase(fn((&Ownership, &str)) -> Figure),
    /// The purchases of a stage.
    Owned(fn(&Ownership) -> Figure),
    /// The purchase against a rent.
    Compared(fn(&Ownership) -> Figure),
    /// The whole.
    Total(fn(&Tco) -> Figure),
    /// The whole, by functional unit.
    Unit(fn(&Tco) -> Figure),
    /// The training, by functional unit.
    TrainingUnit(fn(&TrainingIntensity) -> Figure),
}

/// Members of a family: the key of each, and what it adds to the row's label.
type Members = &'static [(&'static str, &'static str)];

/// The single member of a row that is no family.
const ONE: Members = &[("", "")];

/// The parts of a purchase: chips, servers, interconnect.
const BOUGHT: Members = &[(PARTS[0], PARTS[0]), (PARTS[1], PARTS[1]), (PARTS[2], PARTS[2])];

/// The resources of the ledger as members: key and name of each.
const PAID: [(&str, &str); Resource::NAMES.len()] = {
    let mut paid = [("", ""); Resource::NAMES.len()];
    let mut at = 0;
    while at < paid.len() {
        paid[at] = (Resource::NAMES[at].1, Resource::NAMES[at].2);
        at += 1;
    }
    paid
};

/// The member for the mean. Over all requests it is a figure of the service, whoever computed it.
const MEAN: &str = "mean";

/// The mean and the percentiles of a latency.
const PERCENTILES: Members =
    &[(MEAN, ", mean"), ("p50", ", P50"), ("p90", ", P90"), ("p95", ", P95"), ("p99", ", P99")];

impl Read {
    /// The members of the row's family; one without a name where it is none.
    pub(super) fn members(self) -> Members {
        match self {
            Self::Cost(_) => &PAID,
            Self::Purchase(_) => BOUGHT,
            Self::Latency(_) => PERCENTILES,
            _ => ONE,
        }
    }

    /// The first place at which the row stands.
    pub(super) fn place(self) -> Place {
        match self {
            Self::Training(_)
            | Self::Footprint(_)
            | Self::Cost(_)
            | Self::Purchase(_)
            | Self::Owned(_) => Place::Training,
            Self::Service(_) | Self::Observed(_) | Self::Latency(_) => Place::Service,
            Self::Year(_) => Place::Year(1),
            Self::Compared(_) => Place::TrainingPurchase,
            Self::Total(_) => Place::Total,
            Self::Unit(_) => Place::Unit,
            Self::TrainingUnit(_) => Place::TrainingUnit,
        }
    }

    /// True if the row stands at the place.
    pub(super) fn stands_at(self, place: &Place) -> bool {
        match self {
            Self::Year(_) => matches!(place, Place::Year(_)),
            Self::Footprint(_) => matches!(place, Place::Training | Place::Year(_)),
            Self::Cost(_) | Self::Purchase(_) | Self::Owned(_) => {
                matches!(place, Place::Training | Place::Service)
            }
            Self::Latency(_) => matches!(place, Place::Service | Place::Class(_)),
            Self::Compared(_) => matches!(place, Place::TrainingPurchase | Place::ServicePurchase),
            _ => *place == self.place(),
        }
    }

    /// The row's value in a forecast; absent where the forecast lacks the part.
    pub(super) fn of(self, estimate: &Estimate, key: &Key) -> Figure {
        bounded(self.part(estimate, key).unwrap_or(Value::Absent))
    }

    /// The row's value as its reader gives it; `None` where the forecast lacks the part.
    fn part(self, estimate: &Estimate, key: &Key) -> Option<Figure> {
        let (training, service) = (estimate.training.as_ref(), estimate.inference.as_ref());
        let year = || match key.place {
            Place::Year(year) => service?.years.iter().find(|it| it.year == year),
            _ => None,
        };
        let of_training = matches!(key.place, Place::Training | Place::TrainingPurchase);
        let owned =
            || if of_training { training?.ownership.as_ref() } else { service?.ownership.as_ref() };
        Some(match self {
            Self::Training(read) => read(training?),
            Self::Service(read) => read(service?),
            Self::Observed(read) => read(service?.observed.as_ref()?),
            Self::Latency(read) => {
                let observed = service?.observed.as_ref()?;
                let latencies = match &key.place {
                    Place::Class(class) => {
                        &observed.classes.iter().find(|(name, _)| name == class)?.1
                    }
                    _ if key.member == MEAN => return None,
                    _ => &observed.all,
                };
                read((latencies, key.member))
            }
            Self::Year(read) => read((service?, year()?)),
            Self::Footprint(read) if of_training => read(&training?.footprint),
            Self::Footprint(read) => read(&year()?.footprint),
            Self::Cost(read) => {
                let names = Resource::NAMES.iter();
                let (resource, ..) = names.copied().find(|(_, name, _)| *name == key.member)?;
                let money = if of_training { &training?.money } else { &service?.money };
                read((money, resource)).named(key.path()).amount()
            }
            Self::Purchase(read) => read((owned()?, key.member)),
            Self::Owned(read) | Self::Compared(read) => read(owned()?),
            Self::Total(read) | Self::Unit(read) => read(estimate.tco.as_ref()?),
            Self::TrainingUnit(read) => read(&training?.sci),
        })
    }
}

/// The figure, or unknown with the reason where its value is infinite or not a number.
fn bounded(figure: Figure) -> Figure {
    let why = match &figure {
        Value::Known(known) if known.value().stored.is_nan() => "a part of nothing has no size",
        Value::Known(known) if known.value().stored.is_infinite() => {
            "nothing bounds it: it is per unit of what does not occur, or the model keeps none of it"
        }
        _ => return figure,
    };
    Value::Unknown(Unknown { why: why.to_owned() })
}

/// A statistic of the simulation; absent where it has none.
pub(super) fn seen<Q: Measure>(quantity: Option<Q>) -> Figure {
    quantity.map(|it| Traced::seen(it, "statistic of the simulated run at the peak")).into()
}

/// A latency in seconds: its mean, or the percentile that a member's name says (`p95`).
pub(super) fn latency(histogram: &Histogram, member: &str) -> Figure {
    let percentile = member.strip_prefix('p').and_then(|number| number.parse::<f64>().ok());
    let seconds = match percentile {
        Some(percentile) => histogram.quantile(percentile / 100.0),
        None => histogram.mean(),
    };
    let requests = count(histogram.count() as f64);
    let how = || match percentile {
        Some(percentile) => format!("simulated: P{percentile} over {requests} requests"),
        None => format!("simulated: mean over {requests} requests"),
    };
    seconds.map(|seconds| Traced::seen(Time::from_stored(seconds), how())).into()
}

impl TrainingForecast {
    /// A part of the memory of the fullest device; absent where the layout is not known.
    pub(super) fn memory_of(
        &self,
        read: fn(&Memory<Traced<DeviceMemory>>) -> &Traced<DeviceMemory>,
    ) -> Figure {
        self.memory.as_ref().map(|memory| read(memory).clone()).into()
    }

    /// The time from the start to the end of the run, where it waits for a known time before.
    pub(super) fn until_end(&self) -> Figure {
        let both = self.wait.known().zip(self.run.wall_clock.as_ref());
        both.map(|(wait, run)| (wait + run).named("training.end_days")).into()
    }

    /// The best start; `None` where it is not asked for or unknown.
    pub(super) fn start(&self) -> Option<&BestStart> {
        self.best_start.as_ref()?.as_ref().ok()
    }

    /// The saving of the best start; unknown where the best start is.
    pub(super) fn saved(&self) -> Figure {
        let location: Value<Co2eMass> = self.footprint.location.clone().map(Traced::retype);
        match &self.best_start {
            None => Value::Absent,
            Some(Err(unknown)) => unknown.clone().into(),
            Some(Ok(start)) => start.saved(&location).into(),
        }
    }
}

impl InferenceForecast {
    /// A number of the first year's packing; absent where devices are sold singly.
    pub(super) fn packed<Q: Measure>(&self, read: fn(&Packing) -> &Traced<Q>) -> Figure {
        self.years.first().and_then(|it| it.packing.as_ref()).map(read).into()
    }

    /// A mean latency, if there is such a one: that of a job, which is at work at the highest rate of
    /// its replicas, is told by a simulation alone.
    pub(super) fn mean<Q: Measure>(&self, latency: Option<&Traced<Q>>) -> Figure {
        let job = self.years.first().is_some_and(|it| it.job.is_some());
        if latency.is_some() && job && self.observed.is_none() {
            let why = "the requests of a job queue until its replicas come to them";
            return Value::Unknown(Unknown { why: why.to_owned() });
        }
        latency.into()
    }

    /// A price per token; absent for a service without tokens.
    pub(super) fn priced(&self, read: fn(&Prices) -> &Value<Per<Money, Tokens>>) -> Figure {
        self.tokens.as_ref().map(|it| read(&it.money)).into()
    }
}

impl Ownership {
    /// A figure of the comparison with a rent; unknown where there is none.
    pub(super) fn compared<Q: Measure>(&self, read: fn(&RentOrBuy) -> &Traced<Q>) -> Figure {
        self.rent_or_buy.as_ref().map(|it| read(it).clone()).map_err(Clone::clone).into()
    }
}

/// Facility energy of a part of the draw, where idle draw and work are told apart.
pub(super) fn energy_of(footprint: &Footprint, part: Resource) -> Figure {
    let meant = |entry: &Entry| entry.resource == part;
    footprint.by_load().then(|| footprint.facility_of(meant)).into()
}

/// Location-based CO2e of a part of the draw, where idle draw and work are told apart.
pub(super) fn co2e_of(footprint: &Footprint, part: Resource) -> Figure {
    let meant = |entry: &Entry| entry.resource == part;
    footprint.by_load().then(|| footprint.location_of(meant)).into()
}
