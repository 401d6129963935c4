//! Rent or buy: after how long the hardware has earned its price in rent that is not paid.
//!
//! Buying costs C on the first day and o a day to run; renting costs r a day. With a discount rate
//! i per year, cumulated payments are C + o a(t) and r a(t), where
//! ```text
//! a(t) = (1 - (1 + i)^-t) / ln(1 + i)        the present value of one per year, paid day by day
//! t    = -ln(1 - C ln(1 + i) / (r - o)) / ln(1 + i)     where C = (r - o) a(t)
//!      = C / (r - o)                                     without discounting, i = 0
//! NPV  = (r - o) a(life) - C (1 - residual (1 + i)^-life)
//! ```
//! Assumptions: rent and running cost stand over the service life, and a rent that is paid by use
//! is paid for the part of the time in which the hardware is in use: that of a run has work for its
//! utilisation, that of a service runs all the time, unless it follows its load.

use super::owned::Capex;
use super::years::{self, YEAR};
use crate::catalog::PurchasePrice;
use crate::ledger::plan::Owned;
use crate::provenance::{Traced, Unknown, Value};
use crate::quantity::{DevicePrice, DeviceTime, Energy, Share, Time, show};

/// Owned hardware against a rent, per device and hour of ownership.
#[derive(Clone, Debug)]
pub struct RentOrBuy {
    /// Price of a device with its share of the cluster, C, in USD/device.
    pub capex: Traced<PurchasePrice>,
    /// The cost of running it, o, in USD/device-h: contracted power, maintenance, electricity.
    pub running: Traced<DevicePrice>,
    /// The rent that would be paid, r, in USD/device-h of ownership: the price as it is for a
    /// commitment, price x part of the time in use for what is paid by use.
    pub rent: Traced<DevicePrice>,
    /// The discount rate i per year.
    pub discount: Traced<f64>,
    /// The service life.
    pub life: Traced<Time>,
    /// The part of the price that is left after it.
    pub residual: Traced<f64>,
    /// The time after which the cumulated payments meet; never where running costs more than
    /// renting, where the saving does not pay the interest, or where the hardware does not last so
    /// long.
    pub break_even: Value<Time>,
    /// Present value of buying over renting in USD/device, over the service life, resale included.
    pub net_present_value: Traced<PurchasePrice>,
}

impl RentOrBuy {
    /// The answer in a sentence; empty where there is none.
    pub fn answer(&self) -> String {
        match &self.break_even {
            Value::Known(time) => {
                let months = 12.0 * time.value().value / YEAR;
                format!("buying costs less than renting after {months:.1} months")
            }
            Value::Never(no) | Value::Unknown(no) => no.why.clone(),
            Value::Absent => String::new(),
        }
    }
}

impl Owned {
    /// Compares the hardware with the rent of the same devices, `time` of which took `facility`
    /// energy; `used` is the part of all time that they are in use. `discount` is the rate i per
    /// year.
    ///
    /// # Errors
    /// If the rent, the price of the chip, the power or the price of electricity is unknown: the
    /// reason.
    pub fn rent_or_buy(
        &self,
        (time, used): (&Traced<DeviceTime>, &Traced<Share>),
        facility: &Value<Energy>,
        discount: &Traced<f64>,
    ) -> Result<RentOrBuy, Unknown> {
        let instead = self.instead_of.as_ref().map_err(Clone::clone)?;
        let capex: Capex = self.capex()?;
        let electricity = self.electricity.as_ref().map_err(Clone::clone)?.trace();
        let power = &facility.clone().told()? / time;
        let powered = &(&power * &electricity) * used;
        let colocation = self.colocation_rate().told()?;
        let maintenance = self.maintenance_rate(&capex);
        let running = (&(&colocation + &maintenance) + &powered).named("running a device");
        let price = instead.price.trace();
        let rent = if instead.committed { price } else { &price * used };
        let rent = rent.named("rent of a device");
        let life = self.life.trace();
        let residual = self.residual();
        let left = 1.0 / (1.0 + discount).pow(&(&life / years::one()));
        let left = left.named("present value of one at the end of the service life");
        let saved = (&rent - &running) * years::one() * annuity(discount, &life, &left);
        let net = saved + &capex.total * (&residual * left - 1.0);
        Ok(RentOrBuy {
            break_even: break_even(&capex.total, &rent, &running, discount, &life),
            net_present_value: net,
            capex: capex.total,
            running,
            rent,
            discount: discount.clone(),
            life,
            residual,
        })
    }
}

/// Present value of one per year over the service life, paid day by day: (1 - left) / ln(1 + i), or
/// the years themselves where i is zero. `left` is the present value of one at the end of the life.
fn annuity(discount: &Traced<f64>, life: &Traced<Time>, left: &Traced<f64>) -> Traced<f64> {
    let years = (life / years::one()).number();
    let paid = (1.0 - left) / (1.0 + discount).ln();
    let annuity = discount.equals(&Traced::constant(0.0)).choose(&years, &paid);
    annuity.named("present value of one per year of the service life")
}

/// The time t at which the cumulated payments meet; never, with the reason, where they do not
/// within the service life.
fn break_even(
    capex: &Traced<PurchasePrice>,
    rent: &Traced<DevicePrice>,
    running: &Traced<DevicePrice>,
    discount: &Traced<f64>,
    life: &Traced<Time>,
) -> Value<Time> {
    let (pays, costs) = (rent.value(), running.value());
    if pays <= costs {
        return Value::never(format!(
            "never: to run a device of one's own costs {}, to rent one {}",
            show(costs),
            show(pays)
        ));
    }
    // NaN where the saving does not even pay the interest.
    let alone = (capex / (rent - running)).named("time to break even without interest");
    let rate = (1.0 + discount).ln();
    let with_interest = years::one() * -(1.0 - &alone / years::one() * &rate).ln() / &rate;
    let time = discount.equals(&Traced::constant(0.0)).choose(&alone, &with_interest);
    if time.value().value.is_nan() {
        return Value::never(format!(
            "never: the saving of {} does not pay the interest on {}",
            show(pays - costs),
            show(capex.value())
        ));
    }
    if time.value() > life.value() {
        return Value::never(format!(
            "never: it takes {}, and the hardware lasts {}",
            in_years(time.value()),
            in_years(life.value())
        ));
    }
    time.into()
}

/// A time in years, for a sentence.
fn in_years(time: Time) -> String {
    format!("{:.1} years", time.value / YEAR)
}
