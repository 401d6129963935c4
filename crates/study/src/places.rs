//! Devices of a question, each at a place that sells it.

use std::collections::BTreeSet;

use flopcast_core::catalog::{Catalog, Purchase, Wanted};
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::quantity::Measure as _;
use flopcast_scenario::document::{Node, Value};
use flopcast_scenario::file::{Placement, ScenarioFile};
use flopcast_scenario::purchase::PurchaseTerms;

use super::axis::{Axis, Choice, Setting};
use super::optimize::{MARKETPLACES, Market};

/// The key of a service's device.
const DEVICE: &str = "inference.hardware.accelerator";

/// The axes of these texts. `inference.hardware.accelerator=*` is every device of the catalog that
/// somebody rents out, and a device that the document's provider does not sell is placed where it
/// is cheapest.
///
/// # Errors
/// As [`Axis::read`].
pub fn axes(
    texts: &[String],
    document: &Node,
    market: &Market,
    catalog: &Catalog,
) -> Result<Vec<Axis>> {
    texts
        .iter()
        .map(|text| {
            let all = text
                .split_once('=')
                .filter(|(path, values)| path.trim() == DEVICE && values.trim() == "*");
            let axis = match all {
                Some(_) => every_device(catalog)?,
                None => Axis::read(text, document)?,
            };
            if axis.name == DEVICE { placed(axis, document, market, catalog) } else { Ok(axis) }
        })
        .collect()
}

/// A document whose devices a question chooses: where it names none, one stands in for them.
pub fn with_devices(mut document: Node) -> Node {
    for section in ["training", "inference"] {
        let Some(place) = document.at(section).map(|node| node.place.clone()) else { continue };
        let key = format!("{section}.hardware.accelerator");
        if document.at(&key).is_none() {
            let device = Node { value: Value::Text("h100-sxm".to_owned()), place };
            // A section that is no map is refused by its reader, in its words.
            let _ = document.put(&key, device);
        }
    }
    document
}

/// The axis of all devices that have a price, and of which memory and bandwidth are known.
fn every_device(catalog: &Catalog) -> Result<Axis> {
    let sold: BTreeSet<&str> = catalog.prices().map(|price| price.accelerator.as_str()).collect();
    let usable = catalog.accelerators().filter(|it| {
        sold.contains(it.id.as_str()) && it.memory.is_some() && it.bandwidth.is_some()
    });
    let choice = |id: &str| {
        Ok(Choice { shown: id.to_owned(), sets: vec![Setting::new("--vary", DEVICE, id)?] })
    };
    let choices = usable.map(|it| choice(&it.id)).collect::<Result<Vec<_>>>()?;
    if choices.is_empty() {
        return Err(Error::input("the catalog has no price of any device"));
    }
    Ok(Axis { name: DEVICE.to_owned(), choices })
}

/// Each device where it is sold: at the document's own place if that sells it and nobody asks for
/// another, else at the cheapest one of the market. A document with a price of its own, or that owns its hardware, stays as it is.
fn placed(axis: Axis, document: &Node, market: &Market, catalog: &Catalog) -> Result<Axis> {
    let Ok(file) = ScenarioFile::read(&with_devices(document.clone())) else { return Ok(axis) };
    let (place, path) = place(&file);
    let Some(plan) = plan(place) else { return Ok(axis) };
    let open = market.providers.is_empty() && market.regions.is_empty();
    let provider = place.and_then(|it| it.provider.as_ref()).map(|it| it.value.as_str());
    let region = place.and_then(|it| it.region.as_ref()).map(|it| it.value.as_str());
    let at = |choice: Choice| -> Result<Choice> {
        let device = choice.shown.trim_matches(['"', '\'']).to_owned();
        let wanted =
            |provider, region| Wanted { provider, region, accelerator: &device, purchase: plan };
        let own =
            provider.is_some_and(|provider| catalog.rentals(wanted(provider, region)).is_ok());
        let found =
            (!own || !open).then(|| cheapest(catalog, &device, plan, provider, market)).flatten();
        let Some((provider, region)) = found else { return Ok(choice) };
        let set = |key: &str, value: &str| Setting::new("place", &format!("{path}.{key}"), value);
        let any = region == "*";
        let mut sets = choice.sets;
        sets.push(set("provider", provider)?);
        sets.push(set("region", if any { "null" } else { region })?);
        let shown = if any {
            format!("{device} ({provider})")
        } else {
            format!("{device} ({provider} {region})")
        };
        Ok(Choice { shown, sets })
    };
    let choices = axis.choices.into_iter().map(at).collect::<Result<_>>()?;
    Ok(Axis { choices, ..axis })
}

/// The placement of a file's service, and its key.
fn place(file: &ScenarioFile) -> (Option<&Placement>, &'static str) {
    let own = file.inference.as_ref().and_then(|service| service.placement.as_ref());
    match own {
        Some(own) => (Some(own), "inference.placement"),
        None => (file.placement.as_ref(), "placement"),
    }
}

/// The way to buy from a list; none where the file has a price, or hardware, of its own.
fn plan(place: Option<&Placement>) -> Option<Purchase> {
    let Some(place) = place else { return Some(Purchase::OnDemand) };
    let owned = place.provider.as_ref().is_some_and(|it| it.value == "owned");
    if owned || place.owned.is_some() {
        return None;
    }
    match place.purchase.as_ref().map(|it| &it.value) {
        None => Some(Purchase::OnDemand),
        Some(PurchaseTerms::Plan(plan)) => Some(*plan),
        Some(_) => None,
    }
}

/// Provider and region that rent a device out at the least price: the preferred provider, if it
/// rents it out at all. Marketplaces of single machines are left out.
fn cheapest<'a>(
    catalog: &'a Catalog,
    device: &str,
    plan: Purchase,
    preferred: Option<&str>,
    market: &Market,
) -> Option<(&'a str, &'a str)> {
    let id = &catalog.accelerator(device).ok()?.id;
    let sells = catalog.prices().filter(|price| price.accelerator == *id && price.sells(plan));
    let places: BTreeSet<(&str, &str)> = sells
        .map(|price| (price.provider.as_str(), price.region.as_str()))
        .filter(|(provider, _)| !MARKETPLACES.contains(provider))
        .filter(|(provider, region)| {
            let of =
                |list: &[String], it: &str| list.is_empty() || list.iter().any(|name| name == it);
            of(&market.providers, provider) && of(&market.regions, region)
        })
        .collect();
    let price = |(provider, region): (&'a str, &'a str)| {
        let at = (region != "*").then_some(region);
        let wanted = Wanted { provider, region: at, accelerator: id, purchase: plan };
        let rentals = catalog.rentals(wanted).ok()?;
        let least = rentals.iter().map(|it| it.per_device().stored());
        let least = least.min_by(f64::total_cmp)?;
        Some((Some(provider) != preferred, least, (provider, region)))
    };
    let order = |a: &(bool, f64, (&str, &str)), b: &(bool, f64, (&str, &str))| {
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    };
    places.into_iter().filter_map(price).min_by(order).map(|(.., place)| place)
}
