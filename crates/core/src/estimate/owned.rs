//! Purchases of owned hardware and the comparison with a rent, beside the rows of the ledger.
//!
//! The ledger spreads the price of hardware over the device-time that uses it; the cash flow has it
//! on the day of the purchase. A run buys its devices, spares included, on its first day; a service
//! buys at the start of a year what its fleet grew by, and a refreshed fleet as a whole.

use super::{Year, money};
use crate::estimate::plan::Service;
use crate::ledger::line::{Ledger, Period, Stage};
use crate::ledger::plan::Owned;
use crate::ledger::rent_or_buy::RentOrBuy;
use crate::provenance::{Input, Traced, Unknown, Value};
use crate::quantity::{DeviceTime, Devices, Energy, Money};

/// The purchase of the hardware, and the comparison with a rent.
#[derive(Clone, Debug)]
pub struct Ownership {
    /// The payments for the hardware: what the cash flow has in place of the amortisation.
    pub purchases: Ledger<Money>,
    /// The comparison with the rent of the same devices, or why there is none.
    pub rent_or_buy: Result<RentOrBuy, Unknown>,
}

impl Ownership {
    /// The ownership of a run on `bought` devices, whose device-time took the facility energy.
    pub(super) fn of_run(
        owned: &Owned,
        bought: Option<&Traced<Devices>>,
        (time, facility): (&Traced<DeviceTime>, &Value<Energy>),
        discount: &Input<f64>,
    ) -> Self {
        let mut purchases = Ledger::default();
        if let Some(devices) = bought {
            let now = (Stage::Training, Period::of_months(0, 0));
            owned.purchase(&mut purchases, now, devices);
        }
        let discount = discount.trace();
        Self { purchases, rent_or_buy: owned.rent_or_buy(time, facility, &discount) }
    }

    /// The ownership of a service: each year buys the devices that its fleet has more than the
    /// last, of a renewed fleet all. The comparison with a rent is that of the first year.
    pub(super) fn of_service(
        service: &Service,
        years: &[Year],
        first_month: u32,
        discount: &Input<f64>,
    ) -> Option<Self> {
        let first = years.first()?;
        let mut purchases = Ledger::default();
        for (service, years) in money::generations(service, years) {
            let Some(owned) = &service.owned else { continue };
            let mut had: Option<&Traced<Devices>> = None;
            for year in years {
                let more = had
                    .map_or_else(|| year.devices.clone(), |had| (&year.devices - had).or_nothing());
                if more.value().value > 0.0 {
                    let month = first_month + 12 * (year.year - 1);
                    let begin = (Stage::Serving(year.year), Period::of_months(month, 0));
                    owned.purchase(&mut purchases, begin, &more);
                    had = Some(&year.devices);
                }
            }
        }
        let owned = service.owned.as_ref()?;
        let used = (&first.fleet_time, &first.footprint.facility);
        let rent_or_buy = owned.rent_or_buy(used.0, used.1, &discount.trace());
        Some(Self { purchases, rent_or_buy })
    }
}
