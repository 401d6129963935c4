//! The search for the price that answers a question, and the error that lists the prices there are.
//!
//! A search has provider, region, device and terms ([`Wanted`]). It prefers, in this order,
//!
//! - the user's own prices over any list;
//! - the basis that says most: whole instances, accelerators with their host, single devices, an
//!   index;
//! - the region over prices for any region (`*`);
//! - among the rows of a product the newest.
//!
//! The cheapest of the offers that remain and hold a group of devices together wins
//! ([`Catalog::rental`]). A fetched list is whole: a product that it lacks is no longer sold.

use std::collections::BTreeSet;

use super::Catalog;
use super::price::{Price, PriceBasis, Purchase, Rental};
use super::table::Layer;
use crate::diagnostic::{Error, Result};
use crate::quantity::show;

/// The rental that is sought.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The provider to rent from.
    pub provider: &'a str,
    /// The region; `None` only works for providers that quote no region.
    pub region: Option<&'a str>,
    /// The id of the device.
    pub accelerator: &'a str,
    /// The terms of the rent.
    pub purchase: Purchase,
}

impl Catalog {
    /// The rent for devices of which `together` must share an instance (a replica, or a node of a
    /// training job).
    ///
    /// Among the offers that hold so many, it is the cheapest for one such group, and the larger
    /// instance if two cost the same. If no instance holds so many, it is the largest one there is
    /// (see [`Rental::holds`]).
    ///
    /// # Errors
    /// As [`Catalog::rentals`].
    pub fn rental(&self, wanted: Wanted<'_>, together: u64) -> Result<Rental> {
        self.sold(wanted, together)?.ok_or_else(|| no_price(self, wanted))
    }

    /// As [`Catalog::rental`]; `None` where there is no such price.
    ///
    /// # Errors
    /// If the device or provider is unknown.
    pub fn sold(&self, wanted: Wanted<'_>, together: u64) -> Result<Option<Rental>> {
        let mut offers = self.offers(wanted)?;
        let held = |offer: &Rental| {
            if offer.holds(together) {
                u64::MAX
            } else {
                match offer.charge {
                    super::Charge::Instance { devices, .. } => devices,
                    super::Charge::Device(_) => u64::MAX,
                }
            }
        };
        offers.sort_by(|a, b| {
            let rent = a.rent_of_group(together).total_cmp(&b.rent_of_group(together));
            held(b).cmp(&held(a)).then(rent)
        });
        Ok(offers.into_iter().next())
    }

    /// The provider's offers in that region: one entry per product, each at its newest price, the
    /// largest instance first.
    ///
    /// The user's own prices come first; a fetched list replaces embedded prices that are no newer.
    /// Then come whole instances, accelerators with their host row, per-device prices and, last,
    /// index values. Prices of that region come before prices for any region (`*`). Only the best
    /// of these groups is returned; [`Catalog::prices`] lists all rows.
    ///
    /// # Errors
    /// If the device or provider is unknown, or there is no such price: the error lists those there
    /// are.
    pub fn rentals(&self, wanted: Wanted<'_>) -> Result<Vec<Rental>> {
        let offers = self.offers(wanted)?;
        if offers.is_empty() { Err(no_price(self, wanted)) } else { Ok(offers) }
    }

    /// As [`Catalog::rentals`]; empty where there is no such price.
    fn offers(&self, wanted: Wanted<'_>) -> Result<Vec<Rental>> {
        let device = self.accelerator(wanted.accelerator)?;
        self.known_provider(wanted.provider)?;
        let wanted = Wanted { accelerator: &device.id, ..wanted };
        let rows = self.prices_at(wanted.provider, wanted.region);
        let group = |p: &Price| (p.layer != Layer::Own, p.basis, p.region == "*");
        let mut offers: Vec<(&Price, Rental)> = rows
            .filter(|p| p.accelerator == device.id)
            .filter_map(|p| Some((p, self.rental_of(p, wanted.purchase)?)))
            .collect();
        // A fetched list is whole: a product that it lacks is no longer sold.
        let newest = offers.iter().map(|(p, _)| (p.citation.as_of, p.layer)).max();
        if newest.is_some_and(|(_, layer)| layer == Layer::Fetched) {
            offers.retain(|(p, _)| p.layer != Layer::Embedded);
        }
        offers.sort_by(|(a, _), (b, _)| {
            let newest = || b.citation.as_of.cmp(&a.citation.as_of);
            group(a)
                .cmp(&group(b))
                .then(b.devices.cmp(&a.devices))
                .then_with(|| a.sku.cmp(&b.sku))
                .then_with(newest)
        });
        let Some(best) = offers.first().map(|(p, _)| group(p)) else { return Ok(Vec::new()) };
        offers.retain(|(p, _)| group(p) == best);
        if matches!(best.1, PriceBasis::PerDevice | PriceBasis::Index) {
            // Such rows name their product freely: only the newest list counts.
            let newest = offers.iter().map(|(p, _)| p.citation.as_of).max();
            offers.retain(|(p, _)| Some(p.citation.as_of) == newest);
        }
        offers.dedup_by(|(a, _), (b, _)| a.sku == b.sku);
        Ok(offers.into_iter().map(|(_, rental)| rental).collect())
    }

    /// The rent of a row, the host included.
    fn rental_of(&self, price: &Price, purchase: Purchase) -> Option<Rental> {
        let apart = price.basis == PriceBasis::AcceleratorOnly && price.sells(purchase);
        let host = if apart { self.host_of(price) } else { None };
        price.rental(purchase, host)
    }

    /// The host row that an accelerator-only price needs: the newest of that product and region.
    fn host_of<'a>(&'a self, price: &'a Price) -> Option<&'a Price> {
        let rows = self.prices_at(&price.provider, Some(&price.region));
        let hosts = rows.filter(|p| {
            p.basis == PriceBasis::HostOnly && p.sku == price.host_sku && p.region == price.region
        });
        hosts.max_by_key(|p| p.citation.as_of)
    }

    /// Checks that the provider is known, or is one's own site.
    ///
    /// # Errors
    /// If no table has the provider, with the nearest that are known.
    pub(super) fn known_provider(&self, provider: &str) -> Result<()> {
        let known = self.price_rows().has(provider) || self.places().has(provider);
        // A lock carries few providers, so an unknown one may exist.
        let left_out = self.lock.is_some();
        if left_out || known && provider != "*" || super::region::OWNED.contains(&provider) {
            return Ok(());
        }
        let error = Error::input(format!("the catalog has no provider `{provider}`"));
        let mut names: Vec<_> = self.providers().into_iter().collect();
        let error = error.suggest(provider, names.iter().copied());
        names.push(super::region::OWNED[0]);
        Err(error.hint(format!("it knows {}", names.join(", "))))
    }
}

/// The error that there is no such price, with hints at the prices that there are: on other terms,
/// in other regions, at other providers.
fn no_price(catalog: &Catalog, wanted: Wanted<'_>) -> Error {
    let Wanted { provider, region, accelerator, purchase } = wanted;
    let rows = catalog.prices_of(provider).filter(|p| p.accelerator == accelerator);
    let rows: Vec<&Price> = rows.collect();
    let place = region.map(|r| format!(" in {r}")).unwrap_or_default();
    let mut error = Error::input(format!(
        "the catalog has no {} price for {accelerator} at {provider}{place}",
        purchase.name()
    ));
    // A few names help, dozens bury the message.
    let list = |names: BTreeSet<&str>| {
        let more = names.len().saturating_sub(12);
        let few = names.into_iter().take(12).collect::<Vec<_>>().join(", ");
        if more > 0 { format!("{few} and {more} more") } else { few }
    };
    let here = |p: &&&Price| p.region == "*" || Some(p.region.as_str()) == region;
    let bare = |p: &&&Price| p.basis == PriceBasis::AcceleratorOnly && p.sells(purchase);
    if let Some(price) = rows.iter().filter(here).find(bare)
        && let Some(alone) = price.per_device(purchase)
    {
        error = error.hint(format!(
            "{} is the price of the accelerators alone; that of their host is unknown",
            show(alone.value)
        ));
    }
    let terms = Purchase::ALL
        .into_iter()
        .filter(|term| rows.iter().filter(here).any(|p| catalog.rental_of(p, *term).is_some()))
        .map(Purchase::name)
        .collect::<BTreeSet<_>>();
    if !terms.is_empty() {
        error = error.hint(format!("{provider} has it{place}: {}", list(terms)));
    }
    let sells = |p: &&Price| catalog.rental_of(p, purchase).is_some();
    let regions: BTreeSet<_> =
        rows.iter().copied().filter(sells).map(|p| p.region.as_str()).collect();
    if !regions.is_empty() {
        error = error.hint(format!("{provider} has that price in: {}", list(regions)));
    }
    let others: BTreeSet<_> = catalog
        .prices()
        .filter(|p| p.accelerator == accelerator && p.provider != provider)
        .filter(sells)
        .map(|p| p.provider.as_str())
        .collect();
    if !others.is_empty() {
        error = error.hint(format!("providers with that price somewhere: {}", list(others)));
    }
    error.hint("or give the price yourself: purchase: {price: 2.50 USD/device-h}")
}
