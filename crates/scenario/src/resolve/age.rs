//! The age of prices: how old one is, how far it may have moved since, and when that is worth a
//! warning.
//!
//! A price moves like a random walk: ln(price then / price listed) has a standard deviation of
//! `spread.price.*` of `pricing/defaults.csv` after one year, and grows with the root of time. The
//! constants are those of the catalog's own prices that a later row replaced. A price of the user's
//! own has no age.

use std::sync::Arc;

use chrono::NaiveDate;
use flopcast_core::catalog::{Catalog, Citation, Purchase};
use flopcast_core::diagnostic::Result;
use flopcast_core::provenance::Input;
use flopcast_core::quantity::{Distribution, Measure};

use super::Notes;

/// Days after which a price is old.
const OLD_DAYS: i64 = 180;

/// Days of a year.
const YEAR_DAYS: f64 = 365.25;

/// The ages of the prices of a stage.
#[derive(Clone, Copy)]
pub(super) struct Ages<'a> {
    pub catalog: &'a Catalog,
    /// The first day of the stage, where the scenario names one.
    pub start: Option<NaiveDate>,
}

/// The distribution of a price around what is listed: that of a factor, of the median 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drift(Option<Distribution>);

impl Ages<'_> {
    /// The newest day of the catalog's prices that it may show. A lock carries few rows, so the day
    /// is that of the binary's own, or the one asked for.
    fn newest(self) -> Option<NaiveDate> {
        let newest = Catalog::newest_price()?;
        Some(self.catalog.date().map_or(newest, |asked| asked.min(newest)))
    }

    /// Notes the date of a price, and warns of one that is old: `what` it is of, such as `h100-sxm at
    /// aws`.
    pub(super) fn note(self, citation: &Arc<Citation>, what: &str, notes: &mut Notes) {
        let Some(date) = citation.as_of.map(|as_of| as_of.start) else { return };
        let age = self.newest().map_or(0, |newest| (newest - date).num_days());
        notes.prices.insert((date, citation.row.clone()), age > OLD_DAYS);
        if age > OLD_DAYS {
            let warning = format!(
                "the price of {what} is of {date}, {age} days before the newest of the catalog: \
                 `flopcast catalog refresh` asks for today's"
            );
            notes.warn(warning);
        }
    }

    /// How far a price may be from its list when it is paid: on the first day, or on the newest day
    /// of the catalog. `of` is its kind and the name of its input.
    ///
    /// # Errors
    /// If the catalog lacks the default.
    pub(super) fn drift(
        self,
        citation: &Arc<Citation>,
        (kind, name): (&str, &str),
        notes: &mut Notes,
    ) -> Result<Drift> {
        let (listed, paid) =
            (citation.as_of.map(|as_of| as_of.start), self.start.or(self.newest()));
        let Some((listed, paid)) = listed.zip(paid) else { return Ok(Drift(None)) };
        let yearly = self.catalog.default_value::<f64>(&format!("spread.price.{kind}"))?;
        let days = (paid - listed).num_days();
        let drift = Distribution::drift(1.0, yearly.value, days as f64 / YEAR_DAYS);
        if let Some(drift) = drift {
            let (days, row) = (days.abs(), &yearly.citation.row);
            let why = format!("{days} days between list and payment ({row})");
            notes.spread(name, &drift, why);
        }
        Ok(Drift(drift))
    }
}

impl From<Distribution> for Drift {
    fn from(factor: Distribution) -> Self {
        Self(Some(factor))
    }
}

impl Drift {
    /// The price with its distribution, where the user gave none.
    pub(super) fn of<Q: Measure>(self, price: Input<Q>) -> Input<Q> {
        let stored = price.value.stored();
        let around = self.0.filter(|_| stored > 0.0).map(|factor| factor.scaled(stored));
        price.spread(around)
    }
}

/// The name of a plan among the defaults: commitments move alike, and blocks like what is paid while
/// used.
pub(super) fn plan(plan: Purchase) -> &'static str {
    match plan {
        Purchase::OnDemand | Purchase::CapacityBlock | Purchase::FlexStart => "on-demand",
        Purchase::Spot => "spot",
        Purchase::Reserved1y
        | Purchase::Reserved3y
        | Purchase::SavingsPlan1y
        | Purchase::SavingsPlan3y => "reserved",
    }
}
