//! Money over years: growth, price change, discounting.
//!
//! Year 1 is the first year of service. A quantity that changes by a rate g per year is its value
//! of today x (1 + g)^(year - 1) during a year; a payment at the end of a year is worth amount / (1
//! + i)^year today. Rates are nominal, and a year is the Julian one of 365.25 days.

use crate::provenance::Traced;
use crate::quantity::{Measure, Money, Ratio, Time, YearlyRate};

/// The factor (1 + change)^(year - 1) of a quantity that changes by a rate per year. Years count
/// from 1, and year 1 is today's.
pub fn growth(change: &Traced<YearlyRate>, year: u32) -> Traced<Ratio> {
    (1.0 + change * one()).pow(&Traced::constant(f64::from(year - 1))).retype()
}

/// The length of a year, 365.25 days, as a constant of formulas.
pub fn one() -> Traced<Time> {
    Traced::constant(Time::from_stored(YEAR))
}

/// A time of so many years.
pub fn long(years: f64) -> Time {
    Time::from_stored(YEAR * years)
}

/// The present value of an amount that is paid at the end of a year: amount / (1 + rate)^year.
/// `rate` is nominal, per year.
pub fn discounted(amount: &Traced<Money>, rate: &Traced<f64>, year: u32) -> Traced<Money> {
    amount / (1.0 + rate).pow(&Traced::constant(f64::from(year)))
}

/// Seconds of a Julian year; a yearly rate is stored in 1/s.
pub(super) const YEAR: f64 = 31_557_600.0;

/// The sum of amounts of one kind; `None` where there are none.
pub fn total<Q>(amounts: impl IntoIterator<Item = Traced<Q>>) -> Option<Traced<Q>>
where
    Q: Measure + std::ops::Add<Output = Q>,
{
    amounts.into_iter().reduce(|sum, amount| &sum + &amount)
}
