//! The billing catalog of Compute Engine, in which accelerators and their hosts are SKUs of their
//! own.
//!
//! Asked is `/v1/services/6F81-5844-456A/skus` in USD, paged by token. The price of an instance is
//! the sum of its parts: GPUs, cores and GiB of memory, each by the hour.

use std::collections::{BTreeMap, BTreeSet};

use flopcast_core::catalog::Purchase;
use flopcast_core::diagnostic::Result;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::super::number::Number;
use super::super::sheet::{LONGEST_NAME, MOST_ROWS, Rents, Sheet, products};
use super::super::transport::{Answer, Request};
use super::{Pages, Session};

/// A page of SKUs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    skus: Skus,
    /// The token of the next page; empty on the last one.
    #[serde(default)]
    next_page_token: String,
}

/// The SKUs of a page that are parts of products; the others are dropped as they are read.
#[derive(Default)]
struct Skus {
    /// SKUs read, dropped ones included.
    seen: usize,
    /// SKUs that are parts of products.
    parts: Vec<Sku>,
}

impl<'de> Deserialize<'de> for Skus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Skus;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of SKUs")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Skus, A::Error> {
                let mut skus = Skus::default();
                while let Some(sku) = list.next_element::<Sku>()? {
                    skus.seen += 1;
                    if sku.part().is_some() {
                        skus.parts.push(sku);
                    }
                    if skus.parts.len() > PAGE {
                        return Err(A::Error::custom("a page has more parts than were asked for"));
                    }
                }
                Ok(skus)
            }
        }
        deserializer.deserialize_seq(List)
    }
}

/// The number of SKUs that a page is asked to have.
const PAGE: usize = 5000;

/// Reads a list. One that is longer than any real one is refused before it takes memory.
fn few<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct List<T>(std::marker::PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
        type Value = Vec<T>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
            let mut few = Vec::new();
            while let Some(item) = list.next_element()? {
                few.push(item);
                if few.len() > 200 {
                    return Err(A::Error::custom("a list of a SKU has no end"));
                }
            }
            Ok(few)
        }
    }
    deserializer.deserialize_seq(List(std::marker::PhantomData))
}

/// A SKU: a part of an instance on some terms.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sku {
    /// The part in words.
    description: String,
    category: Category,
    /// Regions in which the price holds.
    #[serde(default, deserialize_with = "few")]
    service_regions: Vec<String>,
    /// Its prices, the current one first.
    #[serde(default, deserialize_with = "few")]
    pricing_info: Vec<PricingInfo>,
}

/// The terms of a SKU.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Category {
    usage_type: String,
}

/// A price with its validity, which is not needed here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PricingInfo {
    pricing_expression: Expression,
}

/// A price by unit and tier.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Expression {
    /// `h`, or `GiBy.h` for memory.
    usage_unit: String,
    /// Tiers of quantity; the last one has the price behind a free tier.
    #[serde(default, deserialize_with = "few")]
    tiered_rates: Vec<Rate>,
}

/// The price of a tier.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rate {
    unit_price: Amount,
}

/// An amount: units + nanos x 1e-9 of the currency.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Amount {
    currency_code: String,
    #[serde(default)]
    units: Number,
    #[serde(default)]
    nanos: Number,
}

/// The parts of the catalog's products: the words by which descriptions name a part, and the number
/// of such parts (GPUs, cores, GiB).
const PRODUCTS: &[(&str, &[(&str, f64)])] = &[
    ("T4 x1", &[("Nvidia Tesla T4 GPU", 1.0)]),
    ("V100 x1", &[("Nvidia Tesla V100 GPU", 1.0)]),
    ("L4 x1 (g2)", &[("Nvidia L4 GPU", 1.0)]),
    ("A100-40GB x1", &[("Nvidia Tesla A100 GPU", 1.0)]),
    ("A100-80GB x1", &[("Nvidia Tesla A100 80GB GPU", 1.0)]),
    ("H100-MEGA x8 (a3-megagpu-8g)", &[("Nvidia H100 80GB Mega GPU", 8.0)]),
    ("H200 x8 (a3-ultragpu-8g)", &[("Nvidia H200 141GB GPU", 8.0)]),
    ("B200 x8 (a4-highgpu-8g)", &[("Nvidia B200 GPU", 8.0)]),
    ("a2-highgpu-1g", &[("A2 Instance Core", 12.0), ("A2 Instance Ram", 85.0)]),
    ("a3-highgpu-1g", &[("A3 Instance Core", 26.0), ("A3 Instance Ram", 234.0)]),
    (
        "a3-highgpu-8g",
        &[("Nvidia H100 80GB GPU", 8.0), ("A3 Instance Core", 208.0), ("A3 Instance Ram", 1872.0)],
    ),
];

/// Words of products that are not the plain ones.
const OTHERS: &[&str] = &["dws", "flex", "calendar", "reserved", "custom", "premium"];

/// Prices of accelerators and hosts in every region, in USD/h: the sum over parts of unit price x
/// number. A product with a part that has no price is left out.
///
/// # Errors
/// If the server fails, or answers in another form, in a currency other than USD, with pages that
/// lead in circles, or without end.
pub(super) fn read(session: &Session<'_>, _: &str) -> Result<Answer<Sheet>> {
    let mut units: BTreeMap<(String, Purchase, &str), f64> = BTreeMap::new();
    let mut pages = Pages::new("gcp");
    let mut token = String::new();
    loop {
        pages.enter(&token)?;
        let mut request =
            Request { path: "/v1/services/6F81-5844-456A/skus".to_owned(), ..Request::default() };
        request.query = vec![("currencyCode", "USD".to_owned()), ("pageSize", "5000".to_owned())];
        if !token.is_empty() {
            request.query.push(("pageToken", token));
        }
        let page: Page = session.server.known(session.server.long_json(&request)?)?;
        for sku in &page.skus.parts {
            let Some((part, purchase)) = sku.part() else { continue };
            let price = sku.price().map_err(|why| session.server.failed(&why))?;
            for region in sku.service_regions.iter().filter(|it| it.len() <= LONGEST_NAME) {
                if units.len() > MOST_ROWS {
                    return Err(session
                        .server
                        .failed("the answer is too large: it has no end of regions"));
                }
                let lowest = units.entry((region.clone(), purchase, part)).or_insert(f64::MAX);
                *lowest = price.map_or(*lowest, |price| price.min(*lowest));
            }
        }
        token = page.next_page_token;
        if token.is_empty() || page.skus.seen == 0 {
            break;
        }
    }
    let known = products(session.catalog, "gcp");
    let places: BTreeSet<_> = units.keys().map(|(region, term, _)| (region, *term)).collect();
    let mut rents = Rents::default();
    for (region, purchase) in places {
        for (sku, parts) in PRODUCTS {
            let Some(product) = known.get(*sku) else { continue };
            let unit = |part| units.get(&(region.clone(), purchase, part)).copied();
            let costs = parts.iter().map(|(part, count)| Some(unit(*part)? * count));
            rents.offer(product, region, purchase, costs.sum());
        }
    }
    Ok(Answer::New(rents.sheet(), None))
}

impl Sku {
    /// The part of a product that the SKU prices, and the terms.
    fn part(&self) -> Option<(&'static str, Purchase)> {
        let purchase = match self.category.usage_type.as_str() {
            "OnDemand" => Purchase::OnDemand,
            "Preemptible" => Purchase::Spot,
            "Commit1Yr" => Purchase::Reserved1y,
            "Commit3Yr" => Purchase::Reserved3y,
            _ => return None,
        };
        let words = self.description.to_lowercase();
        if OTHERS.iter().any(|other| words.contains(other)) {
            return None;
        }
        let parts = PRODUCTS.iter().flat_map(|(_, parts)| parts.iter().map(|(part, _)| *part));
        let part = parts.into_iter().find(|part| self.description.contains(part))?;
        Some((part, purchase))
    }

    /// Its price by the hour in USD: whole units + nanos x 1e-9.
    fn price(&self) -> Result<Option<f64>, String> {
        let Some(info) = self.pricing_info.first() else { return Ok(None) };
        let expression = &info.pricing_expression;
        let Some(rate) = expression.tiered_rates.last() else { return Ok(None) };
        let Amount { currency_code, units, nanos } = &rate.unit_price;
        if currency_code != "USD" {
            return Err(format!("a price is in `{currency_code}`, not in USD"));
        }
        // Memory is sold by the GiB-hour.
        if !matches!(expression.usage_unit.as_str(), "h" | "GiBy.h") {
            return Ok(None);
        }
        Ok(Some(units.0.unwrap_or(0.0) + nanos.0.unwrap_or(0.0) * 1e-9)
            .filter(|price| *price > 0.0))
    }
}
