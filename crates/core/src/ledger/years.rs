//! Money over years: growth, price change, discounting.

use crate::provenance::Traced;
use crate::quantity::{Measure, Money, Ratio, Time, YearlyRate};

/// The factor (1 + change)^(year - 1) of a quantity that changes by a rate per year; year 1 is
/// today's.
pub fn growth(change: &Traced<YearlyRate>, year: u32) -> Traced<Ratio> {
    (1.0 + change * one()).pow(&Traced::constant(f64::from(year - 1))).retype()
}

/// A year's length.
pub fn one() -> Traced<Time> {
    Traced::constant(Time::from_stored(YEAR))
}

/// The present value of an amount paid at the end of a year: amount / (1 + rate)^year.
pub fn discounted(amount: &Traced<Money>, rate: &Traced<f64>, year: u32) -> Traced<Money> {
    amount / (1.0 + rate).pow(&Traced::constant(f64::from(year)))
}

/// Seconds in a year, the stored unit of a yearly rate being 1/s.
pub(super) const YEAR: f64 = 31_557_600.0;

/// The sum of amounts of one kind; `None` where there are none.
pub fn total<Q>(amounts: impl IntoIterator<Item = Traced<Q>>) -> Option<Traced<Q>>
where
    Q: Measure + std::ops::Add<Output = Q>,
{
    amounts.into_iter().reduce(|sum, amount| &sum + &amount)
}
