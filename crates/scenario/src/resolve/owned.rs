//! Hardware of one's own: prices, ratios and rents looked up, every default named.
//!
//! A placement owns its hardware if it has a section `owned`, or names `owned` as its provider
//! without a price. What the scenario leaves out comes from the catalog's newest purchase price and
//! from defaults (Cottier et al. 2024, arXiv:2405.21015, for the ratios of server and
//! interconnect).

use std::collections::BTreeSet;

use chrono::NaiveDate;
use flopcast_core::catalog::{
    Accelerator, Catalog, PriceBasis, Purchase, PurchasePrice, Rental, Wanted,
};
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::ledger::plan::{Alternative, Amortisation, Owned, Stated};
use flopcast_core::provenance::{Basis, Input, Uncertain as _, Unknown};
use flopcast_core::quantity::system::time::{day, year};
use flopcast_core::quantity::{
    DevicePower, DevicePrice, Distribution, EnergyPrice, Measure, Scale, Share, Time,
};

use super::super::file::{InsteadOf, Owned as OwnedFile, Placement};
use super::super::given::{Domain, Given};
use super::super::purchase::{OwnPrice, PurchaseTerms};
use super::super::reader::Located;
use super::age::Ages;
use super::{Notes, assumed, default, placement, share};

/// The hardware, where a placement says that it is owned; its inputs are named under `section`.
///
/// # Errors
/// If the hardware is rented as well, or a ratio, life or share makes no sense.
pub(super) fn plan(
    catalog: &Catalog,
    place: &Placement,
    device: &Accelerator,
    section: &str,
    notes: &mut Notes,
) -> Result<Option<Owned>> {
    let Some(file) = asked(place)? else { return Ok(None) };
    if device.slices.is_some() {
        return Err(Error::input("hardware is owned by the card, not by the slice")
            .hint("give the rent of a slice: purchase: {price: 0.30 USD/device-h}"));
    }
    let start = place.start.as_ref().map(|start| start.value);
    let keys = Keys { catalog, device, section, start };
    let chip = keys.chip(&file, notes)?;
    let life = keys.or_default(
        file.amortisation.as_ref(),
        "amortisation",
        "amortisation.server",
        "book life of a server",
    )?;
    if life.value.get::<year>() * 12.0 < 1.0 - 1e-9 {
        return Err(refuse(file.amortisation.as_ref(), "the service life is a month at least"));
    }
    let utilisation = file.utilisation.as_ref().map_or_else(
        || {
            let why = "the hardware has other work when this is done; unused time is charged";
            assumed(&keys.name("utilisation"), share(1.0), why)
        },
        |given| given.input(&keys.name("utilisation")),
    );
    let utilisation = keys.planned(utilisation, notes)?;
    if utilisation.value.get() <= 0.0 {
        return Err(refuse(file.utilisation.as_ref(), "hardware that is never used costs no run"));
    }
    let family = device.id.split('-').next().unwrap_or_default();
    let server = keys.or_default(
        file.server.as_ref(),
        "server",
        &family_default(catalog, "capex.server_per_chip", family),
        "cost of a server / cost of its accelerators",
    )?;
    if server.value < 1.0 {
        return Err(refuse(file.server.as_ref(), "a server costs at least as much as its chips"));
    }
    let interconnect = keys.or_default(
        file.interconnect.as_ref(),
        "interconnect",
        "capex.interconnect_share",
        "cluster interconnect / cost of the cluster",
    )?;
    if interconnect.value.get() >= 1.0 {
        return Err(refuse(file.interconnect.as_ref(), "a cluster is more than its interconnect"));
    }
    Ok(Some(Owned {
        chip,
        server,
        interconnect,
        amortisation: keys.amortisation(&file, place.start.as_ref())?,
        life,
        utilisation,
        power: keys.power(&file, family)?,
        colocation: keys.or_default(
            file.colocation.as_ref(),
            "colocation",
            "colocation.rent",
            "asking rate of wholesale colocation, power billed apart",
        )?,
        electricity: keys.electricity(&file, place)?,
        maintenance: keys.or_default(
            file.maintenance.as_ref(),
            "maintenance",
            "maintenance.server",
            "repairs and support per year / purchase price",
        )?,
        instead_of: keys.instead_of(file.instead_of.as_ref())?,
    }))
}

/// The section `owned` of a placement that owns its hardware; `None` where it is rented.
///
/// # Errors
/// If it is both owned and rented.
fn asked(place: &Placement) -> Result<Option<OwnedFile>> {
    let provider = place.provider.as_ref().filter(|provider| provider.value != "owned");
    Ok(match (&place.owned, &place.purchase, provider) {
        (Some(owned), _, Some(provider)) => {
            return Err(Error::input(format!(
                "hardware is either owned or rented from {}",
                provider.value
            ))
            .at(Some(&owned.place))
            .hint("drop `owned` or `provider`; what it is compared with is owned.instead_of"));
        }
        (Some(_), Some(purchase), None) => {
            return Err(Error::input("hardware is either owned or bought by the hour")
                .at(Some(&purchase.place))
                .hint("drop `owned` or `purchase`"));
        }
        (Some(owned), None, None) => Some(owned.value.clone()),
        // A price given beside `provider: owned` is the user's own rate.
        (None, None, None) if place.provider.is_some() => Some(OwnedFile::default()),
        _ => None,
    })
}

/// The context of every look-up: catalog, device, the path of the section, and the first day.
struct Keys<'a> {
    catalog: &'a Catalog,
    device: &'a Accelerator,
    section: &'a str,
    start: Option<NaiveDate>,
}

impl Keys<'_> {
    /// The path of a key of the section `owned`.
    fn name(&self, key: &str) -> String {
        format!("{}.owned.{key}", self.section)
    }

    /// The given value, or the catalog's default of this id with the reason for it.
    fn or_default<Q: Measure, D: Domain>(
        &self,
        given: Option<&Given<Q, D>>,
        key: &str,
        id: &str,
        why: &str,
    ) -> Result<Input<Q>> {
        match given {
            Some(given) => Ok(given.input(&self.name(key))),
            None => default(self.catalog, &self.name(key), id, why),
        }
    }

    /// Price of the device: as given, or the newest of the catalog on the day of purchase. Where
    /// all are newer, it is the oldest. It is unknown where the catalog has none.
    ///
    /// # Errors
    /// As [`Ages::drift`].
    fn chip(&self, file: &OwnedFile, notes: &mut Notes) -> Result<Stated<PurchasePrice>> {
        if let Some(given) = &file.chip {
            return Ok(Ok(given.input(&self.name("chip"))));
        }
        let rows = self.catalog.purchases(&self.device.id);
        let bought = file.bought.as_ref().map(|bought| bought.value);
        let before = rows.iter().rev().find(|row| {
            let as_of = row.price.citation.as_of.map(|as_of| as_of.start);
            bought.is_none_or(|bought| as_of.is_none_or(|as_of| as_of <= bought))
        });
        let Some(row) = before.or(rows.first()) else {
            return Ok(Err(Unknown {
                why: format!(
                    "the catalog has no purchase price of {}; give {}",
                    self.device.id,
                    self.name("chip")
                ),
            }));
        };
        let ages = Ages { catalog: self.catalog, start: bought.or(self.start) };
        ages.note(&row.price.citation, &format!("a {} to buy", self.device.id), notes);
        let name = format!("{}, {}", self.name("chip"), row.product);
        let drift = ages.drift(&row.price.citation, ("purchase", name.as_str()), notes)?;
        Ok(Ok(drift.of(row.price.input(name))))
    }

    /// The rule by which the price is written off: by value where `price_change` is given, else in
    /// equal parts.
    ///
    /// # Errors
    /// If both a residual value and a change are given, or the purchase is after the start.
    fn amortisation(
        &self,
        file: &OwnedFile,
        start: Option<&Located<NaiveDate>>,
    ) -> Result<Amortisation> {
        let Some(change) = &file.price_change else {
            return Ok(Amortisation::StraightLine {
                residual: file.residual.as_ref().map_or_else(
                    || assumed(&self.name("residual"), share(0.0), "written off in full"),
                    |given| given.input(&self.name("residual")),
                ),
            });
        };
        if let Some(residual) = &file.residual {
            return Err(residual
                .refuse("the residual value follows from price_change")
                .hint("give one of the two"));
        }
        let yearly = change.spread.central() * Time::new::<year>(1.0);
        if yearly.value <= 1e-9 - 1.0 {
            return Err(change.refuse("a value falls by less than 100 % a year"));
        }
        let age = match (&file.bought, start) {
            (Some(bought), Some(start)) if bought.value > start.value => {
                return Err(Error::input(format!(
                    "the hardware is bought on {}, after the start on {}",
                    bought.value, start.value
                ))
                .at(Some(&bought.place)));
            }
            (Some(bought), Some(start)) => {
                let days = (start.value - bought.value).num_days() as f64;
                let formula = format!("from {} to {}", bought.value, start.value);
                let basis = Basis::Derived { formula };
                Input::new(self.name("age"), Time::new::<day>(days), basis)
            }
            _ => assumed(
                &self.name("age"),
                Time::from_stored(0.0),
                "bought new for this: `bought` and `start` name no days",
            ),
        };
        Ok(Amortisation::Value { change: change.input(&self.name("price_change")), age })
    }

    /// Contracted power: as given, the server's nameplate, or TDP x the usual ratio of the two.
    fn power(&self, file: &OwnedFile, family: &str) -> Result<Stated<DevicePower>> {
        let name = self.name("power");
        if let Some(given) = &file.power {
            return Ok(Ok(given.input(&name)));
        }
        if let Some(nameplate) = self.device.server_power() {
            return Ok(Ok(nameplate.input(format!("{name}, nameplate"))));
        }
        let Some(tdp) = &self.device.tdp else {
            return Ok(Err(Unknown {
                why: format!("no power of {} is published; give {name}", self.device.id),
            }));
        };
        let id = family_default(self.catalog, "host.server_per_chip", family);
        let ratio = self.catalog.default_value::<f64>(&id)?;
        let basis = Basis::Assumed {
            why: format!(
                "TDP x {}, the usual nameplate of a server / TDP of its chips",
                ratio.value
            ),
            source: Some(ratio.citation.to_string()),
        };
        Ok(Ok(Input::new(name, tdp.value * ratio.value, basis)))
    }

    /// Price of electricity: as given, or the industrial one of the place; unknown where there is
    /// none.
    fn electricity(&self, file: &OwnedFile, place: &Placement) -> Result<Stated<EnergyPrice>> {
        let name = self.name("electricity");
        if let Some(given) = &file.electricity {
            return Ok(Ok(given.input(&name)));
        }
        let region = placement::region(self.catalog, place, None)?;
        let price = region.and_then(|region| region.electricity);
        Ok(price.map(|price| price.input(format!("{name}, industrial"))).ok_or_else(|| Unknown {
            why: format!("the catalog has no price of electricity there; give {name}"),
        }))
    }

    /// The rent to compare with: as asked for, or the cheapest on demand; unknown where the catalog
    /// has none.
    ///
    /// # Errors
    /// If it names several plans, or neither provider nor price.
    fn instead_of(
        &self,
        asked: Option<&Located<InsteadOf>>,
    ) -> Result<std::result::Result<Alternative, Unknown>> {
        let name = self.name("instead_of");
        let Some(Located { value: asked, place }) = asked else {
            return Ok(self.cheapest().map(|rental| Alternative {
                price: rent(&rental, &format!("{name}, the cheapest on demand")),
                committed: false,
            }));
        };
        let plan = match asked.purchase.as_ref().map(|purchase| &purchase.value) {
            Some(PurchaseTerms::Own(OwnPrice::Device(price), None)) => {
                return Ok(Ok(Alternative { price: price.input(&name), committed: false }));
            }
            Some(PurchaseTerms::Plan(plan)) => *plan,
            None => Purchase::OnDemand,
            Some(_) => {
                return Err(Error::input("the rent to compare with is one plan or one price")
                    .at(Some(place))
                    .hint("purchase: on-demand, or {price: 2.10 USD/device-h}"));
            }
        };
        let provider = asked.provider.as_ref().ok_or_else(|| {
            Error::input("a rent to compare with names its provider or its price").at(Some(place))
        })?;
        let wanted = Wanted {
            provider: &provider.value,
            region: asked.region.as_ref().map(|region| region.value.as_str()),
            accelerator: &self.device.id,
            purchase: plan,
        };
        let rental = self.catalog.rental(wanted, self.device.devices_per_node);
        let rental = rental.map_err(|error| error.at(Some(place)))?;
        Ok(Ok(Alternative { price: rent(&rental, &name), committed: plan.years().is_some() }))
    }

    /// A planned utilisation with the usual error of such plans, where the user gave no range. Nobody
    /// plans for less who says that others use the rest.
    fn planned(&self, plan: Input<Share>, notes: &mut Notes) -> Result<Input<Share>> {
        let (value, certain) = (plan.value.get(), !plan.is_range());
        if !(certain && 0.0 < value && value < 1.0) {
            return Ok(plan);
        }
        let off = self.catalog.default_value::<Share>("spread.utilisation")?;
        let [low, high] = [-1.0, 1.0].map(|side| 1.0 + side * off.value.get());
        let high = high.min(0.5 + 0.5 / value);
        let name = self.name("utilisation");
        let factor = Distribution::range(low, high, Scale::Linear);
        notes.spread(&name, &factor, format!("a plan of utilisation ({})", off.citation));
        Ok(plan.spread(Some(Distribution::range(low * value, high * value, Scale::Logit))))
    }

    /// The cheapest on-demand rent in the catalog; price indices are no offers.
    fn cheapest(&self) -> std::result::Result<Rental, Unknown> {
        let sellers: BTreeSet<(&str, &str)> = self
            .catalog
            .prices()
            .filter(|price| price.accelerator == self.device.id && price.sells(Purchase::OnDemand))
            .map(|price| (price.provider.as_str(), price.region.as_str()))
            .collect();
        let offers = sellers.into_iter().filter_map(|(provider, region)| {
            let wanted = Wanted {
                provider,
                region: Some(region),
                accelerator: &self.device.id,
                purchase: Purchase::OnDemand,
            };
            self.catalog.rental(wanted, self.device.devices_per_node).ok()
        });
        let offers = offers.filter(|rental| rental.basis != PriceBasis::Index);
        let rent = |rental: &Rental| rental.per_device().stored();
        offers.min_by(|a, b| rent(a).total_cmp(&rent(b))).ok_or_else(|| Unknown {
            why: format!(
                "the catalog has no on-demand rent of {} to compare with; give {}",
                self.device.id,
                self.name("instead_of")
            ),
        })
    }
}

/// The rent of one device, with the provider, the product and the region in its name.
fn rent(rental: &Rental, name: &str) -> Input<DevicePrice> {
    let region = if rental.is_for_any_region() { "any region" } else { &rental.region };
    let name = format!("{name}: {} {}, {region}", rental.provider, rental.sku);
    Input::new(name, rental.per_device(), rental.citation().basis())
}

/// The default of a family of devices, or that of all others.
fn family_default(catalog: &Catalog, id: &str, family: &str) -> String {
    let own = format!("{id}.{family}");
    if catalog.has_default(&own) { own } else { format!("{id}.other") }
}

/// An error about a value at its place, or without one where the value is a default.
fn refuse<Q: Measure, D: Domain>(given: Option<&Given<Q, D>>, message: &str) -> Error {
    given.map_or_else(|| Error::input(message), |given| given.refuse(message))
}
