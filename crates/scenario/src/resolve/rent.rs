//! The rent of a placement: the purchase, looked up tariff by tariff.

use flopcast_core::catalog::{Accelerator, Catalog, Charge, PlanRatio, Purchase, Rental, Wanted};
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::ledger::plan::{Includes, Listed, Offer, Price, Rent, Tariff, Terms};
use flopcast_core::provenance::{Basis, Input};
use flopcast_core::quantity::system::time;
use flopcast_core::quantity::text::number;
use flopcast_core::quantity::{DevicesPerInstance, Distribution, Measure, Scale, Share, Time};
use flopcast_core::training::plan::{Interruptions, Run};

use super::super::file::Placement;
use super::super::purchase::{OwnPrice, PurchaseTerms};
use super::age::{self, Ages, Drift};
use super::{Notes, assumed, default};

/// A stage that asks for a rent: its devices, its placement, the catalog.
#[derive(Clone, Copy)]
pub(super) struct Tenant<'a> {
    pub catalog: &'a Catalog,
    pub placement: &'a Placement,
    pub device: &'a Accelerator,
    /// Devices that share an instance.
    pub together: u64,
    /// `training` or `inference`.
    pub stage: &'a str,
}

impl Tenant<'_> {
    /// The rent, where the placement names a provider or a price.
    pub(super) fn rent(self, notes: &mut Notes) -> Result<Option<Rent>> {
        let discount = self.placement.discount.as_ref();
        let purchase = self.placement.purchase.as_ref().map(|purchase| &purchase.value);
        let is_own = matches!(purchase, Some(PurchaseTerms::Own(..)));
        let tariffs = match purchase {
            Some(PurchaseTerms::Own(price, plan)) => vec![self.own(price, *plan, notes)?],
            Some(PurchaseTerms::Plan(plan)) => self.listed(&[(*plan, None)], notes)?,
            Some(PurchaseTerms::Mix(mix)) => {
                let part = |(plan, given): &(Purchase, _)| (*plan, Some(self.part(*plan, given)));
                self.listed(&mix.iter().map(part).collect::<Vec<_>>(), notes)?
            }
            None => self.listed(&[(Purchase::OnDemand, None)], notes)?,
        };
        let bare = is_own || self.placement.provider.is_none();
        if let Some(discount) = discount.filter(|_| bare) {
            return Err(discount
                .refuse("a discount needs a list price to be taken off")
                .hint("name a provider, or give the price as it is after the discount"));
        }
        let instance = tariffs.iter().find_map(|tariff| match &tariff.price {
            Price::Instance { devices, .. } => Some(devices.clone()),
            Price::Device(_) => None,
        });
        let discount = discount.map(|given| given.input(&self.key("discount")));
        let listed = self.placement.provider.as_ref().filter(|_| !is_own).map(|provider| {
            let region = self.placement.region.as_ref().map(|region| region.value.clone());
            Listed { provider: provider.value.clone(), region }
        });
        let rent = Rent { instance, tariffs, discount, listed };
        self.pays_for(&rent)?;
        Ok(if rent.tariffs.is_empty() { None } else { Some(rent) })
    }

    /// The tariff of the user's own price, on the terms of a plan where one is named.
    fn own(self, price: &OwnPrice, plan: Option<Purchase>, notes: &mut Notes) -> Result<Tariff> {
        let name = format!("{} price", self.stage);
        let price = match price {
            OwnPrice::Device(price) => Price::Device(price.input(&name)),
            OwnPrice::Instance(price) => {
                let devices = self.devices_of_a_node("a price per instance does not say how many");
                Price::Instance { price: price.input(&name), devices }
            }
        };
        Ok(Tariff {
            terms: plan.map_or(Ok(Terms::Own), |plan| self.terms(plan, notes))?,
            share: None,
            price,
            includes: Includes::Host,
            offer: None,
            longest: plan.map(|plan| self.longest(plan)).transpose()?.flatten(),
        })
    }

    /// The interruptions of a run on spot instances. A run of published device-hours has them in
    /// those already.
    pub(super) fn interruptions(
        self,
        rent: &Rent,
        run: &Run,
        interval: Option<Input<Time>>,
        restart: Input<Time>,
    ) -> Result<Option<Interruptions>> {
        let spot = rent.tariffs.iter().find(|tariff| matches!(tariff.terms, Terms::Spot));
        let Some((tariff, devices)) = spot.zip(run.devices.clone()) else { return Ok(None) };
        let instance = match &tariff.price {
            Price::Instance { devices, .. } => devices.clone(),
            Price::Device(_) => self.devices_of_a_node("devices are sold singly, in nodes"),
        };
        let interval = interval.unwrap_or_else(|| {
            assumed("checkpoint interval", hours(1.0), "a usual one where nodes may be taken away")
        });
        let share = tariff.share.clone();
        Ok(Some(Interruptions { rate: self.rate()?, devices, share, instance, interval, restart }))
    }

    /// Part of the spot instances that is interrupted within 30 days.
    fn rate(self) -> Result<Input<Share>> {
        if let Some(given) = &self.placement.interruptions {
            return Ok(given.input(&self.key("interruptions")));
        }
        let id = format!("spot.interruption.{}.{}", self.provider(), self.device.id);
        let (id, why) = if self.catalog.has_default(&id) {
            (id.as_str(), "the provider's band for this device")
        } else {
            ("spot.interruption.other", "no band is published for this device here")
        };
        default(self.catalog, &self.key("interruptions"), id, why)
    }

    /// Tariffs of the provider's list; none where no provider is named, or its list has no price.
    fn listed(
        self,
        plans: &[(Purchase, Option<Input<Share>>)],
        notes: &mut Notes,
    ) -> Result<Vec<Tariff>> {
        let Some(provider) = &self.placement.provider else {
            return match &self.placement.purchase {
                Some(purchase) => Err(Error::input("a purchase needs a provider to buy from")
                    .at(Some(&purchase.place))
                    .hint(
                        "add `provider:`, or give the price: purchase: {price: 2.10 USD/device-h}",
                    )),
                None => Ok(Vec::new()),
            };
        };
        if provider.value == "owned" {
            return Ok(Vec::new());
        }
        plans
            .iter()
            .map(|(plan, share)| {
                let wanted = Wanted {
                    provider: &provider.value,
                    region: self.placement.region.as_ref().map(|r| r.value.as_str()),
                    accelerator: &self.device.id,
                    purchase: *plan,
                };
                let tariff = self.tariff(wanted, notes)?;
                Ok(tariff.map(|tariff| Tariff { share: share.clone(), ..tariff }))
            })
            .collect::<Result<Option<_>>>()
            .map(Option::unwrap_or_default)
    }

    /// The tariff of a plan; where the list has no price of it, on-demand x the usual ratio of the
    /// two. Where it has neither, the cost is unknown and all else is forecast.
    ///
    /// # Errors
    /// The provider is unknown, or has no price of a plan that changes the run itself.
    fn tariff(self, wanted: Wanted<'_>, notes: &mut Notes) -> Result<Option<Tariff>> {
        let Self { catalog, placement, together, stage, .. } = self;
        let plan = wanted.purchase;
        let on_demand = Wanted { purchase: Purchase::OnDemand, ..wanted };
        let is_sold = catalog.sold(wanted, together).is_ok_and(|it| it.is_some());
        let ratio = if is_sold { None } else { Ratio::of(catalog, wanted)? };
        // A slice is a part of a card that is sold.
        let slices = self.device.slices.unwrap_or(1);
        let together = together.div_ceil(slices);
        let asked = if ratio.is_some() { on_demand } else { wanted };
        let place = placement.purchase.as_ref().map(|purchase| &purchase.place);
        let place = place.or(placement.provider.as_ref().map(|provider| &provider.place));
        let rental = match catalog.rental(asked, together) {
            Ok(rental) => rental.sliced(slices),
            Err(error) if plan.is_price_alone() && catalog.sold(asked, together).is_ok() => {
                notes.warn(format!(
                    "{}, so the cost is unknown: {}",
                    error.message(),
                    error.hints().join("; ")
                ));
                return Ok(None);
            }
            Err(error) => return Err(error.at(place)),
        };
        self.note(&rental, notes);
        if let (Purchase::Reserved1y | Purchase::Reserved3y, None) = (plan, &ratio)
            && let Ok(Some(now)) = catalog.sold(on_demand, together)
            && now.sliced(slices).per_device() <= rental.per_device()
        {
            notes.warnings.push(format!(
                "the {} price of {} at {} is not below on-demand: the two are of different dates",
                plan.name(),
                self.device.id,
                rental.provider
            ));
        }
        let on_list = catalog.sold(on_demand, together).ok().flatten();
        let on_list = on_list.map(|it| it.sliced(slices).per_device().stored());
        let name = format!("{stage} price, {} {}, {}", rental.provider, rental.sku, plan.name());
        let (price, includes) = match &rental.apart {
            None => (price(&rental, &rental.charge, &name), Includes::Host),
            Some([devices, host]) => {
                let host_name = format!("{stage} host price, {} {}", rental.provider, rental.sku);
                let host = price(&rental, host, &host_name);
                (price(&rental, devices, &name), Includes::NoHost(host))
            }
        };
        let scale = ratio.as_ref().map_or(1.0, |ratio| ratio.value);
        let (price, includes) = match &ratio {
            Some(ratio) => (
                ratio.times(price),
                match includes {
                    Includes::Host => Includes::Host,
                    Includes::NoHost(host) => Includes::NoHost(ratio.times(host)),
                },
            ),
            None => (price, includes),
        };
        let spread = ratio.as_ref().and_then(|ratio| Some((ratio, ratio.spread()?)));
        let drift = if let Some((ratio, spread)) = spread {
            notes.spread(&name, &spread, ratio.why.clone());
            Drift::from(spread)
        } else {
            // A price that is a ratio of the one on demand moves as that does.
            let moves = if ratio.is_some() { Purchase::OnDemand } else { plan };
            self.ages().drift(rental.citation(), (age::plan(moves), name.as_str()), notes)?
        };
        let price = drifting(drift, price);
        let includes = match includes {
            Includes::Host => Includes::Host,
            Includes::NoHost(host) => Includes::NoHost(drifting(drift, host)),
        };
        let mine = rental.per_device().stored() * scale;
        let list = on_list.map(|list| list / mine).filter(|list| list.is_finite());
        let offer = Some(Offer { sku: rental.sku.clone(), list });
        let (terms, longest) = (self.terms(plan, notes)?, self.longest(plan)?);
        Ok(Some(Tariff { terms, share: None, price, includes, offer, longest }))
    }

    /// Warns of a price that is old, or that stands for all regions, and passes on the row's own
    /// note.
    fn note(self, rental: &Rental, notes: &mut Notes) {
        if rental.is_for_any_region() && self.placement.region.is_some() {
            notes.warn(format!(
                "{} quotes one price for all its regions; it is used for the region named",
                rental.provider
            ));
        }
        if !rental.note.is_empty() {
            notes.warn(format!(
                "price of {} at {}: {}",
                self.device.id, rental.provider, rental.note
            ));
        }
        let what = format!("{} at {}", self.device.id, rental.provider);
        self.ages().note(rental.citation(), &what, notes);
    }

    /// The ages of prices at the start of the placement.
    fn ages(&self) -> Ages<'_> {
        let start = self.placement.start.as_ref().map(|start| start.value);
        Ages { catalog: self.catalog, start }
    }

    /// The share of the devices that is bought on a plan of a mix.
    fn part(self, plan: Purchase, given: &super::super::given::Given<Share>) -> Input<Share> {
        given.input(&format!("{}.{}", self.key("purchase"), plan.name()))
    }

    /// The devices of a usual node, where nobody says how many an instance has.
    fn devices_of_a_node(self, why: &str) -> Input<DevicesPerInstance> {
        let devices = DevicesPerInstance::from_stored(self.device.devices_per_node as f64);
        let why = format!("devices of a usual node; {why}");
        assumed(&format!("{} devices per instance", self.stage), devices, &why)
    }

    /// The scenario's own path of a placement's key.
    pub(super) fn key(self, key: &str) -> String {
        let section = if self.stage == "training" { "placement" } else { "inference.placement" };
        format!("{section}.{key}")
    }
}

/// A usual price of a plan / the price on demand.
struct Ratio {
    value: f64,
    /// The lowest and the highest known.
    range: [f64; 2],
    why: String,
    source: Option<String>,
}

impl Ratio {
    /// The ratio of a plan: the median of the lists that have both prices, else the provider's largest
    /// advertised discount; none where neither is known.
    fn of(catalog: &Catalog, wanted: Wanted<'_>) -> Result<Option<Self>> {
        let plan = wanted.purchase;
        if matches!(plan, Purchase::OnDemand | Purchase::Spot) {
            return Ok(None);
        }
        let unpriced = format!("no {} price is known: on-demand x", plan.name());
        if let Some(known) = catalog.plan_ratio(wanted.provider, wanted.accelerator, plan) {
            let PlanRatio { median, range: [low, high], rows, of } = &known;
            let [median_text, low, high] = [*median, *low, *high].map(number);
            let why = format!(
                "{unpriced} {median_text}, the median of {rows} lists with both on one day \
                 ({of}: {low} to {high})"
            );
            return Ok(Some(Self { value: *median, range: known.range, why, source: None }));
        }
        let years = plan.years().map(|years| format!(".{years}y")).unwrap_or_default();
        let id = format!("{}.{}{years}", plan.kind(), wanted.provider);
        if !catalog.has_default(&id) {
            return Ok(None);
        }
        let ratio = catalog.default_value::<Share>(&id)?;
        let value = ratio.value.get();
        let why = format!("{unpriced} {}, the largest advertised discount", number(value));
        Ok(Some(Self { value, range: [value; 2], why, source: Some(ratio.citation.to_string()) }))
    }

    /// The distribution of ratio / median, where a range is known.
    fn spread(&self) -> Option<Distribution> {
        let [low, high] = self.range.map(|end| end / self.value);
        (low < high).then(|| Distribution::range(low, high, Scale::Log))
    }

    /// A price x the ratio, on the basis of an assumption.
    fn times(&self, price: Price) -> Price {
        /// A price x the ratio, under its own name.
        fn times<Q: Measure>(price: &Input<Q>, ratio: &Ratio) -> Input<Q> {
            let name = price.leaf().name.clone().unwrap_or_default();
            let basis = Basis::Assumed { why: ratio.why.clone(), source: ratio.source.clone() };
            Input::new(name, Q::from_stored(price.value.stored() * ratio.value), basis)
        }
        match price {
            Price::Device(price) => Price::Device(times(&price, self)),
            Price::Instance { price, devices } => {
                Price::Instance { price: times(&price, self), devices }
            }
        }
    }
}

/// The price of a charge as an input, per device or per instance.
fn price(rental: &Rental, charge: &Charge, name: &str) -> Price {
    match charge {
        Charge::Device(price) => Price::Device(price.input(name)),
        Charge::Instance { price, devices } => Price::Instance {
            price: price.input(name),
            devices: Input::new(
                format!("devices of {}", rental.sku),
                DevicesPerInstance::from_stored(*devices as f64),
                price.citation.basis(),
            ),
        },
    }
}

/// A price with the spread of its age.
fn drifting(drift: Drift, price: Price) -> Price {
    match price {
        Price::Device(price) => Price::Device(drift.of(price)),
        Price::Instance { price, devices } => Price::Instance { price: drift.of(price), devices },
    }
}

/// A time in hours.
fn hours(value: f64) -> Time {
    Time::new::<time::hour>(value)
}
