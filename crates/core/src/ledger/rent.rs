//! Rent: devices are packed into the instances that a provider sells, and paid by the hour, tariff
//! by tariff.
//! ```text
//! row = device-hours paid x share of the tariff x list price x (1 - discount) x price then / price today
//! device-hours paid = device-hours used x devices paid for / devices used
//! ```
//! A host that is billed apart has a row of its own. A reservation is paid to the end of its term:
//! what remains of it unused is a row [`Resource::UnusedCommitment`], of which this scenario bears
//! a share that is an input. A reservation keeps the price of the year in which its term began; the
//! other terms follow the price of each year. A capacity block is such a term of whole days or weeks.
//! Terms that are not sold for so long a run leave its rent unknown.

use std::fmt::Display;
use std::ops::Mul;

use super::line::{Entry, Kind, Ledger, Line, Period, Resource, Stage};
use super::packing::{Group, Packing};
use crate::ledger::plan::{Includes, Length, Price, Rent, Tariff, Terms};
use crate::provenance::{Input, Traced, Value};
use crate::quantity::system::time;
use crate::quantity::text::number;
use crate::quantity::{DeviceTime, Devices, Flop, Measure, Money, Per, Ratio, Share, Time};

/// FLOP for a dollar: FLOP/USD.
pub type FlopPerMoney = Per<Flop, Money>;

/// The stage, the time and the prices that a row of rent is entered with.
#[derive(Clone, Copy, Debug)]
pub struct Term<'a> {
    /// The stage that pays.
    pub stage: Stage,
    /// The time over which the rent falls due.
    pub period: Period,
    /// Price then / price today by year, from the first of the fleet; empty where prices stand.
    pub changes: &'a [Traced<Ratio>],
    /// The row's year among `changes`, from 0.
    pub year: usize,
}

/// Device-time of a run's reservation that the service of the same scenario uses after it.
#[derive(Clone, Debug)]
pub struct Lent {
    /// The plan's name.
    pub plan: &'static str,
    /// Device-time by year of service, as far as the term reaches.
    pub years: Vec<Traced<DeviceTime>>,
}

impl Rent {
    /// Packs engines into whole instances and names the figures after `stage`; `None` where devices
    /// are sold singly.
    pub fn pack(&self, stage: impl Display, groups: &[Group]) -> Option<Packing> {
        let size = self.instance.as_ref()?.trace();
        Some(Packing::of(stage, groups, &size))
    }

    /// Device-hours paid for those used, stranded devices included: used x devices paid / devices
    /// used.
    pub fn paid_time(
        &self,
        used: &Traced<DeviceTime>,
        packing: Option<&Packing>,
    ) -> Traced<DeviceTime> {
        packing.map_or_else(|| used.clone(), |packing| used * &packing.paid_per_used)
    }

    /// Enters the rent of `paid` device-hours, tariff by tariff, and that of hosts that are billed
    /// apart.
    pub fn enter(&self, ledger: &mut Ledger<Money>, term: Term<'_>, paid: &Traced<DeviceTime>) {
        for tariff in &self.tariffs {
            if let Some(why) = tariff.too_long(term.period.length) {
                ledger.enter(Line::unknown(term.entry(Resource::Compute, tariff), why));
                continue;
            }
            let time = tariff.part(paid);
            self.charge(ledger, term, tariff, Resource::Compute, &time);
        }
    }

    /// Enters what a year of service uses of a run's reservation, at the run's price.
    pub fn enter_lent(
        &self,
        ledger: &mut Ledger<Money>,
        term: Term<'_>,
        lent: &[Lent],
        year: usize,
    ) {
        for (tariff, ..) in self.reservations() {
            let of = lent.iter().find(|lent| lent.plan == tariff.terms.name());
            if let Some(time) = of.and_then(|lent| lent.years.get(year)) {
                self.charge(ledger, term, tariff, Resource::LentCommitment, time);
            }
        }
    }

    /// Enters what is left unused of the terms that a run of `paid` device-hours on `devices` has
    /// begun: terms begun = ceil(paid / (devices x term)), and unused = terms begun x devices x
    /// term - paid - what is lent to the service, of which the run bears the share [`Terms::Reserved::charged`]. The row is
    /// unknown where the number of devices is.
    pub fn enter_unused_terms(
        &self,
        ledger: &mut Ledger<Money>,
        term: Term<'_>,
        paid: &Traced<DeviceTime>,
        devices: Option<&Traced<Devices>>,
        lent: &[Lent],
    ) {
        let run = term.period.length;
        let sold = |(tariff, ..): &(&Tariff, _, _)| tariff.too_long(run).is_none();
        for (tariff, length, charged) in self.reservations().filter(sold) {
            let Some(devices) = devices else {
                let why = format!(
                    "how much of the {} commitment is unused depends on the number of devices, \
                     which the scenario does not say",
                    tariff.terms.name()
                );
                let entry = term.entry(Resource::UnusedCommitment, tariff);
                ledger.enter(Line::unknown(entry, why));
                continue;
            };
            // The tariff's share is in both, so that a share of nothing begins no fewer terms.
            let term_time = devices * &length.of_term(run);
            let begun = (paid / &term_time).ceil().or_nothing().named("terms begun");
            let mut unused = begun * tariff.part(&term_time) - tariff.part(paid);
            let of = lent.iter().filter(|lent| lent.plan == tariff.terms.name());
            for used in of.flat_map(|lent| &lent.years) {
                unused = (unused - used).or_nothing();
            }
            let unused = (unused * charged.trace()).named("device-hours unused");
            self.charge(ledger, term, tariff, Resource::UnusedCommitment, &unused);
        }
    }

    /// Enters what a service leaves unused of its commitments, year by year.
    ///
    /// `needed` are the devices paid for in each year. What a year needs beyond the terms that
    /// still run is committed at its start, for the whole term. Unused is what runs in a year
    /// without being needed, and what runs on after the last year of the horizon; both are entered
    /// at the price of the year in which the term began.
    pub fn enter_unused_years(
        &self,
        ledger: &mut Ledger<Money>,
        needed: &[(Term<'_>, Traced<Devices>)],
    ) {
        let of_years = |(tariff, length, charged)| Some((tariff, Length::years(length)?, charged));
        for (tariff, years, charged) in self.reservations().filter_map(of_years) {
            let years = years as usize;
            let charged = charged.trace();
            let mut enter = |term: Term<'_>, idle: &Traced<Devices>, for_years: usize| {
                if idle.value().stored() > 0.0 && for_years > 0 {
                    let time = &(idle * &years_long(for_years)) * &charged;
                    let time = time.named("device-hours unused");
                    self.charge(ledger, term, tariff, Resource::UnusedCommitment, &time);
                }
            };
            let mut bought: Vec<Traced<Devices>> = Vec::with_capacity(needed.len());
            for (term, devices) in needed {
                let need = tariff.part(devices);
                let still = bought.iter().rev().take(years - 1).cloned();
                let (new, idle) = match still.reduce(|sum, devices| &sum + &devices) {
                    None => (need, None),
                    Some(runs) => {
                        ((&need - &runs).or_nothing(), Some((&runs - &need).or_nothing()))
                    }
                };
                if let Some(idle) = idle {
                    enter(*term, &idle, 1);
                }
                bought.push(new.named("devices newly committed"));
            }
            let Some((last, _)) = needed.last() else { continue };
            let end = last.period.start + last.period.length;
            for (index, devices) in bought.iter().enumerate() {
                let left = (index + years).saturating_sub(needed.len());
                let length = Time::new::<time::year>(1.0) * left as f64;
                let term = Term { period: Period { start: end, length }, year: index, ..*last };
                enter(term, devices, left);
            }
        }
    }

    /// Enters a tariff's price of a device-time, and its host's where that is billed apart. The
    /// factors are 1 - discount and price then / price today, where they apply.
    fn charge(
        &self,
        ledger: &mut Ledger<Money>,
        term: Term<'_>,
        tariff: &Tariff,
        resource: Resource,
        time: &Traced<DeviceTime>,
    ) {
        let change = term.changes.get(tariff.priced_in(term.year)).cloned();
        let factors = [self.discount.as_ref().map(|cut| (1.0 - cut.trace()).retype()), change];
        ledger.enter(tariff.price.line(term.entry(resource, tariff), time, &factors));
        if let Includes::NoHost(host) = &tariff.includes {
            let resource = match resource {
                Resource::Compute => Resource::Host,
                other => other,
            };
            ledger.enter(host.line(term.entry(resource, tariff), time, &factors));
        }
    }

    /// The reserved tariffs, each with the length of its term and the charged share of what is
    /// unused.
    fn reservations(&self) -> impl Iterator<Item = (&Tariff, &Length, &Input<Share>)> {
        self.tariffs.iter().filter_map(|tariff| match &tariff.terms {
            Terms::Reserved { length, charged, .. } => Some((tariff, length, charged)),
            Terms::OnDemand | Terms::Spot | Terms::Queued | Terms::Own => None,
        })
    }
}

impl Length {
    /// The time of one term, or of one step of a block for a run of that length.
    fn of_term(&self, run: Time) -> Traced<Time> {
        match self {
            Self::Years(years) => years_long(*years as usize),
            Self::Blocks { step, long } => match long {
                Some(long) if run > long.above.value => long.step.trace(),
                _ => step.trace(),
            },
        }
    }
}

/// A time of whole years.
fn years_long(years: usize) -> Traced<Time> {
    Traced::constant(Time::new::<time::year>(1.0) * years as f64)
}

impl Tariff {
    /// The year whose price is paid in a year, both from 0: a reservation fixes the price of the
    /// year in which its term began, year - year mod term.
    fn priced_in(&self, year: usize) -> usize {
        match &self.terms {
            Terms::Reserved { length: Length::Years(years), .. } => {
                year - year % (*years).max(1) as usize
            }
            Terms::Reserved { length: Length::Blocks { .. }, .. }
            | Terms::OnDemand
            | Terms::Spot
            | Terms::Queued
            | Terms::Own => year,
        }
    }

    /// Why a run of that length cannot be bought on these terms; none where it can.
    fn too_long(&self, run: Time) -> Option<String> {
        let longest = self.longest.as_ref().filter(|longest| run > longest.value)?;
        let days = |time: Time| number(time.get::<time::day>());
        Some(format!(
            "{} is sold for {} days at most, and the run takes {}: take more devices, or other terms",
            self.terms.name(),
            days(longest.value),
            days(run)
        ))
    }

    /// The part of a quantity of devices that is bought on these terms: quantity x share.
    pub(crate) fn part<Q: Measure + Mul<Share, Output = Q>>(&self, of: &Traced<Q>) -> Traced<Q> {
        self.share.as_ref().map_or_else(|| of.clone(), |share| of * &share.trace())
    }
}

impl Term<'_> {
    /// The row of a resource of this tariff: an operating expense, with the terms as its detail.
    fn entry(&self, resource: Resource, tariff: &Tariff) -> Entry {
        let (stage, period) = (self.stage, self.period);
        Entry { stage, resource, detail: tariff.terms.name(), kind: Kind::Opex, period }
    }
}

impl Price {
    /// A row of device-time at this price x the factors that apply. A price per instance is charged
    /// for instance-hours: device-time / devices of an instance.
    fn line(
        &self,
        entry: Entry,
        time: &Traced<DeviceTime>,
        factors: &[Option<Traced<Ratio>>],
    ) -> Line<Money> {
        match self {
            Self::Device(price) => {
                Line::new(entry, &Value::Known(time.clone()), &Value::Known(net(price, factors)))
            }
            Self::Instance { price, devices } => {
                let instances = (time / &devices.trace()).named("instance-hours");
                Line::new(entry, &Value::Known(instances), &Value::Known(net(price, factors)))
            }
        }
    }
}

/// The list price x the factors that apply.
fn net<P: Measure + Mul<Ratio, Output = P>>(
    list: &Input<P>,
    factors: &[Option<Traced<Ratio>>],
) -> Traced<P> {
    factors.iter().flatten().fold(list.trace(), |price, factor| &price * factor)
}
