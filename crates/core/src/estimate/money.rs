//! The rows of money of a forecast: which rent, purchase and other costs a stage enters, and when.
//!
//! The ledger says how a row is charged; this module says what is charged for. A run pays for the
//! device-hours that it took, a service for those of each year. Renewed hardware has a rent or a
//! price of its own from its year on.

use super::training::waiting;
use super::{TrainingForecast, Year};
use crate::estimate::plan::{Finance, Service, TrainingPlan};
use crate::ledger::line::{Entry, Kind, Ledger, Line, Period, Resource, Stage};
use crate::ledger::overhead::Span;
use crate::ledger::packing::Packing;
use crate::ledger::plan::Rent;
use crate::ledger::rent::{Lent, RentedYear, Term};
use crate::ledger::years;
use crate::provenance::{Input, Traced, Unknown, Value};
use crate::quantity::{DataPerRequest, Devices, Energy, Measure, Money, Time};
use crate::training::run::RunTime;

/// The rows of money of a training run: rent, unused commitments or owned hardware, then storage,
/// egress and staff. What its service uses of a term, `lent`, is the service's. They fall due over the run's wall-clock time, once the devices are there, or at once where it is unknown.
pub(super) fn of_training(
    plan: &TrainingPlan,
    run: &RunTime,
    devices: Option<&Traced<Devices>>,
    packing: Option<&Packing>,
    facility: &Value<Energy>,
    lent: &[Lent],
    finance: &Finance,
) -> Ledger<Money> {
    let mut ledger = Ledger::default();
    let length = run.wall_clock.as_ref().map_or(Time::from_stored(0.0), Traced::value);
    let stage = Stage::Training;
    let start = waiting(plan).known().map_or(Time::from_stored(0.0), Traced::value);
    let term = Term { stage, period: Period { start, length }, changes: &[] };
    if let Some(rent) = &plan.rent {
        let paid = rent.paid_time(&run.device_time, packing);
        let held = packing.map(|packing| &packing.paid).or(devices);
        rent.enter(&mut ledger, term, &paid);
        rent.enter_unused_terms(&mut ledger, term, &paid, held, lent);
    }
    if let Some(owned) = &plan.owned {
        let idle = owned.idle_beside(&run.device_time);
        owned.enter(&mut ledger, (stage, term.period), (&run.device_time, idle), facility);
    }
    if finance.priced && plan.rent.is_none() && plan.owned.is_none() {
        enter_unpriced(&mut ledger, (stage, term.period), &plan.card.accelerator);
    }
    if let Some(costs) = &plan.costs {
        let length = Value::from(run.wall_clock.clone()).or_else(|| {
            let why = "how long the run lasts is unknown without a number of devices";
            Unknown::new(why).into()
        });
        let span = Span { stage, period: term.period, length: &length };
        costs.enter(&mut ledger, span, Input::trace);
    }
    ledger
}

/// The month in which a service begins, from 0: the first after the training.
pub(super) fn first_month(training: Option<&TrainingForecast>) -> u32 {
    let trained = training.and_then(|training| training.run.wall_clock.as_ref());
    let wait = training.and_then(|training| training.wait.known());
    let start = wait.map_or(Time::from_stored(0.0), Traced::value);
    trained.map_or(0, |wall| {
        let period = Period { start, length: wall.value() };
        period.month() + period.months()
    })
}

/// The rows of money of a service, year by year, from `first_month` on. Rent goes by the fleet's
/// device-hours, owned hardware by the devices that are there. What the run lends comes
/// first, at the price of its own rent.
pub(super) fn of_service(
    service: &Service,
    finance: &Finance,
    years: &[Year],
    first_month: u32,
    lent: (Option<&Rent>, &[Lent]),
) -> Ledger<Money> {
    let mut ledger = Ledger::default();
    let period = |year: &Year| Period::of_months(first_month + 12 * (year.year - 1), 12);
    for (service, years) in generations(service, years) {
        if let Some(rent) = &service.rent {
            // A renewed fleet is of other devices.
            let lent = if years[0].year == 1 { lent } else { (None, &[][..]) };
            enter_rent(rent, finance, years, period, &mut ledger, lent);
        }
    }
    for year in years {
        let length = Value::Known(year.length.clone());
        let (stage, period) = (Stage::Serving(year.year), period(year));
        let service = service.in_year(year.year);
        if let Some(owned) = &service.owned {
            let facility = &year.footprint.facility;
            let time = (&year.fleet_time, year.unused.clone());
            owned.enter(&mut ledger, (stage, period), time, facility);
        }
        if finance.priced && service.rent.is_none() && service.owned.is_none() {
            enter_unpriced(&mut ledger, (stage, period), &service.demand.accelerator);
        }
        if let Some(costs) = &service.costs {
            let span = Span { stage, period, length: &length };
            let moved = |each: &Input<DataPerRequest>| &year.requests * &each.trace();
            costs.enter(&mut ledger, span, moved);
        }
    }
    ledger
}

/// The fleets of a service, each with its years: the years before the refresh and those from it on.
pub(super) fn generations<'a>(
    service: &'a Service,
    years: &'a [Year],
) -> impl Iterator<Item = (&'a Service, &'a [Year])> {
    let renewed = service.refresh.as_ref().map(|refresh| refresh.year);
    years
        .chunk_by(move |_, next| Some(next.year) != renewed)
        .map(|years| (service.in_year(years[0].year), years))
}

/// Enters the rent of a fleet, year by year, and what its commitments leave unused.
fn enter_rent(
    rent: &Rent,
    finance: &Finance,
    years: &[Year],
    period: impl Fn(&Year) -> Period,
    ledger: &mut Ledger<Money>,
    (lender, lent): (Option<&Rent>, &[Lent]),
) {
    let change = finance.price_change.trace();
    let mut paid = Vec::with_capacity(years.len());
    let mut rented = Vec::with_capacity(years.len());
    for (index, year) in years.iter().enumerate() {
        let mut time = rent.paid_time(&year.fleet_time, year.packing.as_ref());
        let held = year.packing.as_ref().map_or(&year.devices, |packing| &packing.paid);
        let mut needed = held.clone();
        for used in lent.iter().filter_map(|lent| lent.years.get(index)) {
            time = (time - used).or_nothing();
            needed = (needed - used / &year.length).or_nothing();
        }
        paid.push(time);
        let (stage, change) = (Stage::Serving(year.year), years::growth(&change, year.year));
        rented.push(RentedYear { stage, period: period(year), needed, change });
    }
    let committed = rent.commit(&rented);
    for (index, (year, paid)) in rented.iter().zip(&paid).enumerate() {
        let (stage, period) = (year.stage, year.period);
        rent.enter(ledger, Term { stage, period, changes: &committed.changes[index] }, paid);
        if let Some(lender) = lender {
            lender.enter_lent(ledger, Term { stage, period, changes: &[] }, lent, index);
        }
    }
    rent.enter_unused_years(ledger, &rented, &committed);
}

/// Enters an unknown row of rent where nothing says what devices cost but something else has a price:
/// other costs, years or services alone are no total.
fn enter_unpriced(ledger: &mut Ledger<Money>, (stage, period): (Stage, Period), device: &str) {
    let why = format!(
        "no price of {device} is known there: name a provider that sells it, or give a price"
    );
    let entry = Entry { stage, resource: Resource::Compute, detail: "", kind: Kind::Opex, period };
    ledger.enter(Line::unknown(entry, why));
}
