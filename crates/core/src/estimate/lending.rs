//! Terms that a run reserved and its service uses: the devices that are free when the run ends
//! serve until their term does.
//!
//! ```text
//! free       = devices of the run x share of the plan, from the end of the run to that of its term
//! lent in y  = min(free, devices that the year pays for) x the part of the year within the term
//! ```
//! A reservation is of one provider, region and device, so that nothing is lent to another. Where
//! the scenario says what becomes of an unused commitment, it is as it says.

use super::{TrainingForecast, Year, money};
use crate::estimate::plan::{Service, TrainingPlan};
use crate::ledger::line::Period;
use crate::ledger::plan::{Rent, Tariff, Terms};
use crate::ledger::rent::Lent;
use crate::provenance::{Basis, Expr, Traced};
use crate::quantity::system::time;
use crate::quantity::{DeviceTime, Measure, Time};

/// What the run leaves of its reservations to the years of the service, plan by plan.
pub(super) fn of(
    plan: &TrainingPlan,
    run: &TrainingForecast,
    service: &Service,
    years: &[Year],
) -> Vec<Lent> {
    let Some((ours, theirs)) = plan.rent.as_ref().zip(service.rent.as_ref()) else {
        return Vec::new();
    };
    let held = run.packing.as_ref().map(|packing| &packing.paid).or(run.devices.as_ref());
    let (Some(held), true) = (held, same_product(plan, ours, service, theirs)) else {
        return Vec::new();
    };
    let first_month = money::first_month(Some(run));
    let wait = run.wait.known().map_or(Time::from_stored(0.0), Traced::value);
    let begun = Period::once(wait).month();
    let renewed = service.refresh.as_ref().map(|refresh| refresh.year);
    let mut needed: Vec<Traced<DeviceTime>> = years
        .iter()
        .filter(|year| renewed.is_none_or(|renewed| year.year < renewed))
        .map(|year| theirs.paid_time(&year.fleet_time, year.packing.as_ref()))
        .collect();
    let mut all = Vec::new();
    for (tariff, term) in ours.tariffs.iter().filter_map(|it| Some((it, term_unsaid(it)?))) {
        let end = begun + (first_month - begun).max(1).div_ceil(term) * term;
        let free = tariff.part(held);
        let mut lent = Vec::with_capacity(needed.len());
        for (need, year) in needed.iter_mut().zip(years) {
            let begin = first_month + 12 * (year.year - 1);
            let months = end.saturating_sub(begin).min(12);
            if months == 0 {
                break;
            }
            let part = Time::new::<time::year>(f64::from(months) / 12.0);
            let within: Traced<DeviceTime> = &free * &Traced::constant(part);
            let year = Traced::constant(f64::from(months) / 12.0);
            let used = within.min(&(&*need * &year));
            let used = used.named("device-hours lent by the run");
            *need = &*need - &used;
            lent.push(used);
        }
        if !lent.is_empty() {
            all.push(Lent { plan: tariff.terms.name(), years: lent });
        }
    }
    all
}

/// True if both rent the same device from the same price list.
fn same_product(plan: &TrainingPlan, ours: &Rent, service: &Service, theirs: &Rent) -> bool {
    let listed = ours.listed.as_ref().zip(theirs.listed.as_ref());
    let same = listed.is_some_and(|(a, b)| a.provider == b.provider && a.region == b.region);
    same && plan.card.accelerator == service.demand.accelerator
}

/// The months of a tariff's term, where it is a reservation of which nobody says what becomes of the
/// rest.
fn term_unsaid(tariff: &Tariff) -> Option<u32> {
    match &tariff.terms {
        Terms::Reserved { length, charged, .. } => {
            let assumed = matches!(charged.leaf().how, Expr::Leaf(Basis::Assumed { .. }));
            length.years().filter(|_| assumed).map(|years| 12 * years)
        }
        Terms::OnDemand | Terms::Spot | Terms::Queued | Terms::Own => None,
    }
}
