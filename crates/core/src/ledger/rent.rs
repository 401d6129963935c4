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

use super::cohorts::{Cohort, Cohorts, ROUNDING};
use super::line::{Entry, Kind, Ledger, Line, Period, Resource, Stage};
use super::packing::{Group, Packing};
use super::years;
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
    /// Price then / price today, tariff by tariff; empty where prices stand.
    pub changes: &'a [Traced<Ratio>],
}

/// A year of a rented fleet.
#[derive(Clone, Debug)]
pub struct RentedYear {
    /// The stage that pays.
    pub stage: Stage,
    /// Its months.
    pub period: Period,
    /// The devices paid for.
    pub needed: Traced<Devices>,
    /// Price of the year / price today.
    pub change: Traced<Ratio>,
}

/// The terms that a fleet takes on over its years, tariff by tariff, and what its years pay by them.
#[derive(Debug)]
pub struct Committed {
    /// The cohorts of the tariffs that are sold for terms of years, in the order of the tariffs.
    cohorts: Vec<Option<Cohorts>>,
    /// Price then / price today, year by year and tariff by tariff.
    pub changes: Vec<Vec<Traced<Ratio>>>,
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
        for (index, tariff) in self.tariffs.iter().enumerate() {
            if let Some(why) = tariff.too_long(term.period.length) {
                ledger.enter(Line::unknown(term.entry(Resource::Compute, tariff), why));
                continue;
            }
            let change = term.changes.get(index);
            let time = tariff.part(paid);
            self.charge(ledger, (term, change), tariff, Resource::Compute, &time);
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
                self.charge(ledger, (term, None), tariff, Resource::LentCommitment, time);
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
            self.charge(ledger, (term, None), tariff, Resource::UnusedCommitment, &unused);
        }
    }

    /// The terms that a fleet takes on, and the prices that its years pay: a reservation that of
    /// the year in which its term began, any other that of the year. What a year needs beyond the
    /// terms that still run is committed at its start, for the whole term.
    pub fn commit(&self, years: &[RentedYear]) -> Committed {
        let cohorts: Vec<_> = self.tariffs.iter().map(|it| it.cohorts(years)).collect();
        let change = |year: usize, cohorts: &Option<Cohorts>| {
            cohorts.as_ref().map_or_else(|| years[year].change.clone(), |it| began(it, years, year))
        };
        let of_year = |year| cohorts.iter().map(|it| change(year, it)).collect();
        Committed { changes: (0..years.len()).map(of_year).collect(), cohorts }
    }

    /// Enters what a service leaves unused of its commitments, year by year: what runs in a year
    /// without being needed, at the price of that year's terms, and what runs on after the last
    /// year of the horizon, at the price of the year in which the term began.
    pub fn enter_unused_years(
        &self,
        ledger: &mut Ledger<Money>,
        years: &[RentedYear],
        committed: &Committed,
    ) {
        let Some(last) = years.last() else { return };
        let end = last.period.start + last.period.length;
        for (index, (tariff, cohorts)) in self.tariffs.iter().zip(&committed.cohorts).enumerate() {
            let (Terms::Reserved { charged, .. }, Some(cohorts)) = (&tariff.terms, cohorts) else {
                continue;
            };
            let charged = charged.trace();
            let mut enter = |(stage, period), change, idle: &Traced<DeviceTime>| {
                let time = (idle * &charged).named("device-hours unused");
                let term = (Term { stage, period, changes: &[] }, Some(change));
                self.charge(ledger, term, tariff, Resource::UnusedCommitment, &time);
            };
            for (at, year) in years.iter().enumerate() {
                if let Some(idle) = cohorts.idle(at as f64, at as f64 + 1.0) {
                    enter((year.stage, year.period), &committed.changes[at][index], &idle);
                }
            }
            for cohort in &cohorts.taken {
                let over = cohort.until - years.len() as f64;
                if over > ROUNDING {
                    let period = Period { start: end, length: years::long(over) };
                    let left = Cohort { from: years.len() as f64, ..cohort.clone() };
                    let began = &years[cohort.from as usize].change;
                    enter((last.stage, period), began, &left.device_time());
                }
            }
        }
    }

    /// Enters a tariff's price of a device-time, and its host's where that is billed apart. The
    /// factors are 1 - discount and price then / price today, where they apply.
    fn charge(
        &self,
        ledger: &mut Ledger<Money>,
        (term, change): (Term<'_>, Option<&Traced<Ratio>>),
        tariff: &Tariff,
        resource: Resource,
        time: &Traced<DeviceTime>,
    ) {
        let cut = self.discount.as_ref().map(|cut| (1.0 - cut.trace()).retype());
        let factors = [cut, change.cloned()];
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
            Self::Years(years) => Traced::constant(years::long(f64::from(*years))),
            Self::Blocks { step, long } => match long {
                Some(long) if run > long.above.value => long.step.trace(),
                _ => step.trace(),
            },
        }
    }
}

/// Fewer devices than any fleet has.
const SOME: f64 = 1e-6;

/// Price then / price today of the terms that run in a year: the mean over its cohorts, each at the
/// price of the year in which it began.
fn began(cohorts: &Cohorts, years: &[RentedYear], year: usize) -> Traced<Ratio> {
    let change = |cohort: &Cohort| &years[cohort.from as usize].change;
    let running: Vec<_> = cohorts.at(year as f64).collect();
    match &running[..] {
        [] => years[year].change.clone(),
        [one] => change(one).clone(),
        several => {
            let paid = several.iter().map(|it| &it.devices * change(it));
            let devices = several.iter().map(|it| it.devices.clone());
            let mean =
                paid.reduce(|sum, more| &sum + &more).zip(devices.reduce(|sum, more| &sum + &more));
            // A workbook may set the tariff's share to nothing.
            let some = Traced::constant(Devices::from_stored(SOME));
            let mean = mean.map(|(paid, devices)| (paid / devices.max(&some)).retype());
            mean.unwrap_or_else(|| years[year].change.clone())
        }
    }
}

impl Tariff {
    /// The terms that a fleet takes on by this tariff; none where it is not sold by the year.
    fn cohorts(&self, years: &[RentedYear]) -> Option<Cohorts> {
        let Terms::Reserved { length, .. } = &self.terms else { return None };
        let life = f64::from(length.years()?);
        let needs = years.iter().enumerate();
        let needs: Vec<_> = needs.map(|(year, it)| (year as f64, self.part(&it.needed))).collect();
        Some(Cohorts::of(&needs, years.len() as f64, life))
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
