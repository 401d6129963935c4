//! The lists that the page's form offers: models, devices, providers with their regions.

use flopcast_core::catalog::Catalog;
use flopcast_core::model::spec;
use flopcast_core::quantity::{Precision, show};
use serde_json::{Value, json};

/// Every list, in the order of the catalog's tables.
pub(crate) fn lists(catalog: &Catalog) -> Value {
    let devices = catalog.accelerators().map(|device| {
        let memory = device.memory.as_ref().map_or_else(String::new, |it| show(it.value));
        json!([device.id, format!("{} {memory}", device.name).trim()])
    });
    let places = catalog.regions().map(|place| json!([place.provider, place.code, place.location]));
    let offers: std::collections::BTreeSet<(&str, &str)> = catalog
        .prices()
        .map(|price| (price.provider.as_str(), price.accelerator.as_str()))
        .collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "models": spec::preset_names().collect::<Vec<_>>(),
        "devices": devices.collect::<Vec<_>>(),
        "providers": catalog.providers(),
        "places": places.collect::<Vec<_>>(),
        "offers": offers,
        "precisions": Precision::ALL.map(|it| it.to_string()),
    })
}
