//! Purchases of owned hardware and the comparison with a rent, beside the rows of the ledger.
//!
//! The ledger spreads the price of hardware over the device-time that uses it; the cash flow has it
//! on the day of the purchase. A run buys its devices, spares included, on its first day; a service
//! buys at the start of a year what its fleet grew by, and a refreshed fleet as a whole. Either buys
//! again what has reached the end of its service life.

use super::{Year, money};
use crate::estimate::plan::Service;
use crate::ledger::cohorts::{Cohort, Cohorts, ROUNDING};
use crate::ledger::line::{Ledger, Period, Stage};
use crate::ledger::plan::Owned;
use crate::ledger::rent_or_buy::RentOrBuy;
use crate::ledger::years;
use crate::provenance::{Input, Traced, Unknown, Value};
use crate::quantity::system::time;
use crate::quantity::{DeviceTime, Devices, Energy, Measure, Money, Share, Time};

/// The purchase of the hardware, and the comparison with a rent.
#[derive(Clone, Debug)]
pub struct Ownership {
    /// The payments for the hardware: what the cash flow has in place of the amortisation.
    pub purchases: Ledger<Money>,
    /// The comparison with the rent of the same devices, or why there is none.
    pub rent_or_buy: Result<RentOrBuy, Unknown>,
}

impl Ownership {
    /// The ownership of a run of that length on `bought` devices, whose device-time took the
    /// facility energy.
    pub(super) fn of_run(
        owned: &Owned,
        bought: Option<(&Traced<Devices>, Time)>,
        (time, facility): (&Traced<DeviceTime>, &Value<Energy>),
        discount: &Input<f64>,
    ) -> Self {
        let mut purchases = Ledger::default();
        if let Some((devices, length)) = bought {
            let until = length.get::<time::year>().max(2.0 * ROUNDING);
            let cohorts = Cohorts::of(&[(0.0, devices.clone())], until, owned.years());
            let fleet = Fleet { owned, cohorts, begins: 0.0, until, renewed: false };
            fleet.enter(&mut purchases, |years| (Stage::Training, moment(0, years)));
        }
        let discount = discount.trace();
        let used = owned.utilisation.trace();
        Self { purchases, rent_or_buy: owned.rent_or_buy((time, &used), facility, &discount) }
    }

    /// The ownership of a service: what its fleets buy. The comparison with a rent is that of the
    /// first year.
    pub(super) fn of_service(
        service: &Service,
        years: &[Year],
        first_month: u32,
        discount: &Input<f64>,
    ) -> Option<Self> {
        let first = years.first()?;
        let mut purchases = Ledger::default();
        for fleet in fleets(service, years).filter_map(|(_, fleet)| fleet) {
            fleet.enter(&mut purchases, |years| {
                let year = 1 + (years + ROUNDING).floor() as u32;
                (Stage::Serving(year), moment(first_month, years))
            });
        }
        let owned = service.owned.as_ref()?;
        let (time, facility) = (&first.fleet_time, &first.footprint.facility);
        // A fleet is rented for the hours that it runs: all, unless it follows its load.
        let used = match &first.scaling {
            Some(_) => (time / (&first.devices * &first.length)).retype(),
            None => Traced::constant(Share::from_stored(1.0)),
        };
        let used = used.named("part of the time in use");
        let rent_or_buy = owned.rent_or_buy((time, &used), facility, &discount.trace());
        Some(Self { purchases, rent_or_buy })
    }
}

/// The moment so many years after the begin of a month.
fn moment(month: u32, years: f64) -> Period {
    Period::once(Period::of_months(month, 0).start + years::long(years))
}

/// A fleet of one's own, from its first day to its renewal or the end of the horizon.
struct Fleet<'a> {
    owned: &'a Owned,
    cohorts: Cohorts,
    /// Years from the first day of the run or the service to its own.
    begins: f64,
    /// Years from its first day to its end.
    until: f64,
    /// True if another takes over then.
    renewed: bool,
}

/// The fleets of a service, each with its years; `None` where they are rented.
fn fleets<'a>(
    service: &'a Service,
    years: &'a [Year],
) -> impl Iterator<Item = (&'a [Year], Option<Fleet<'a>>)> {
    let horizon = years.last().map_or(0, |last| last.year);
    money::generations(service, years).map(move |(service, years)| {
        let fleet = service.owned.as_ref().zip(years.first().zip(years.last()));
        let fleet = fleet.map(|(owned, (first, last))| {
            let since = |year: &Year| f64::from(year.year - first.year);
            let needs: Vec<_> =
                years.iter().map(|year| (since(year), year.devices.clone())).collect();
            let until = since(last) + last.length.value().get::<time::year>();
            Fleet {
                owned,
                cohorts: Cohorts::of(&needs, until, owned.years()),
                begins: f64::from(first.year - 1),
                until,
                renewed: last.year < horizon,
            }
        });
        (years, fleet)
    })
}

/// Notes what a fleet of one's own holds without work, all year: what is scaled down, and what is
/// left of a larger fleet. It was made all the same, so its share of the embodied CO2e is added.
pub(super) fn hold(service: &Service, years: &mut [Year]) {
    let idle = |(years, fleet): (&[Year], Option<Fleet<'_>>)| -> Vec<_> {
        let idle = |(year, since): (&Year, f64)| {
            let fleet = fleet.as_ref()?;
            let scaled = year.scaling.as_ref().map(|_| &year.devices * &year.length);
            let scaled = scaled.map(|held| held - &year.fleet_time);
            let spare = fleet.cohorts.idle(since, since + 1.0);
            scaled.into_iter().chain(spare).reduce(|sum, time| &sum + &time)
        };
        years.iter().zip(0u32..).map(|(year, since)| idle((year, f64::from(since)))).collect()
    };
    let idle: Vec<_> = fleets(service, years).flat_map(idle).collect();
    for (year, idle) in years.iter_mut().zip(idle) {
        if let Some(idle) = &idle {
            let held = &year.fleet_time + idle;
            let site = &service.in_year(year.year).site;
            let path = Stage::Serving(year.year);
            year.footprint.embodied = site.embodied.shares(Some(&held), format_args!("{path}"));
        }
        year.unused = idle;
    }
}

impl Fleet<'_> {
    /// The moment at which a cohort goes: at the end of its service life, or when the fleet is
    /// renewed; none where it outlasts the horizon.
    fn goes(&self, cohort: &Cohort) -> Option<f64> {
        let old = cohort.until + ROUNDING < self.until;
        (old || self.renewed).then_some(if old { cohort.until } else { self.until })
    }

    /// Enters what it buys, and what it receives for what goes. `when` finds the stage and the
    /// moment of a time in years.
    fn enter(&self, purchases: &mut Ledger<Money>, when: impl Fn(f64) -> (Stage, Period)) {
        let taken = &self.cohorts.taken;
        let mut all: Vec<_> = taken
            .iter()
            .filter_map(|cohort| Some((self.goes(cohort)?, true, cohort)))
            .chain(taken.iter().map(|cohort| (cohort.from, false, cohort)))
            .collect();
        all.sort_by(|(one, ..), (other, ..)| one.total_cmp(other));
        for (moment, sold, Cohort { devices, from, .. }) in all {
            let at = when(self.begins + moment);
            let bought = self.begins + from;
            if sold {
                self.owned.sale(purchases, at, devices, (bought, moment - from));
            } else {
                self.owned.purchase(purchases, at, devices, bought);
            }
        }
    }
}
