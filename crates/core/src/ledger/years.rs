//! Money over years: growth, price change, discounting.

use crate::provenance::{Traced, function};
use crate::quantity::{Measure, Money, Ratio, Time, YearlyRate};

/// The factor (1 + change)^(year - 1) of a quantity that changes by a rate per year; year 1 is
/// today's.
pub fn growth(change: &Traced<YearlyRate>, year: u32, explain: bool) -> Traced<Ratio> {
    let years = Traced::counted("years before this one", f64::from(year - 1), "calendar", explain);
    function("(1 + change per year) ^ years", &[change.part(), years.part()], |v| {
        (1.0 + v[0] * YEAR).powf(v[1])
    })
}

/// A year's length.
pub fn one(explain: bool) -> Traced<Time> {
    Traced::counted("a year", Time::from_stored(YEAR), "calendar", explain)
}

/// The present value of an amount paid at the end of a year: amount / (1 + rate)^year.
pub fn discounted(
    amount: &Traced<Money>,
    rate: &Traced<f64>,
    year: u32,
    explain: bool,
) -> Traced<Money> {
    let years = Traced::counted("year of payment", f64::from(year), "calendar", explain);
    function(
        "amount / (1 + discount rate) ^ year",
        &[amount.part(), rate.part(), years.part()],
        |v| v[0] / (1.0 + v[1]).powf(v[2]),
    )
}

/// Seconds in a year, the stored unit of a yearly rate being 1/s.
pub(super) const YEAR: f64 = 31_557_600.0;

/// The sum of amounts of one kind; `None` of none.
pub fn total<Q>(amounts: impl IntoIterator<Item = Traced<Q>>) -> Option<Traced<Q>>
where
    Q: Measure + std::ops::Add<Output = Q>,
{
    amounts.into_iter().reduce(|sum, amount| &sum + &amount)
}
