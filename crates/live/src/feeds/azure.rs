//! Azure Retail Prices: JSON, paged by link, without a key.
//!
//! Asked is `/api/retail/prices` with a filter of service and region. `retailPrice` is in USD per
//! hour, or for a reservation per term, which is divided by the hours of 365 days a year. Only the
//! path of a link to the next page is followed.

use flopcast_core::catalog::Purchase;
use flopcast_core::diagnostic::Result;
use serde::Deserialize;

use super::super::number::Number;
use super::super::sheet::{Rents, Sheet, products};
use super::super::transport::{Answer, Request};
use super::{Pages, Session};

/// A page of prices.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    items: Vec<Item>,
    /// The link to the next page, if there is one.
    next_page_link: Option<String>,
}

/// A price of a product.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    /// The currency; other than USD is an error.
    currency_code: String,
    /// The price per hour, or of a whole reservation.
    retail_price: Number,
    /// The region's code.
    arm_region_name: String,
    /// The instance type, as the catalog names it.
    #[serde(default)]
    arm_sku_name: String,
    /// The product in words, among them its operating system.
    product_name: String,
    /// Words for spot and low-priority prices.
    #[serde(default)]
    sku_name: String,
    /// The same words, where the SKU lacks them.
    #[serde(default)]
    meter_name: String,
    /// The unit: `1 Hour`.
    unit_of_measure: String,
    /// `Consumption` or `Reservation`.
    r#type: String,
    /// The term of a reservation.
    reservation_term: Option<String>,
}

/// The instance types of a region that the catalog knows, in USD/h.
///
/// # Errors
/// If the server fails, or answers in another form, in a currency other than USD, or with pages
/// that lead in circles.
pub(super) fn read(session: &Session<'_>, region: &str) -> Result<Answer<Sheet>> {
    let known = products(session.catalog, "azure");
    let filter = format!("serviceName eq 'Virtual Machines' and armRegionName eq '{region}'");
    let mut request = Request {
        path: "/api/retail/prices".to_owned(),
        query: vec![("$filter", filter)],
        ..Request::default()
    };
    let mut rents = Rents::default();
    let mut pages = Pages::new("azure");
    loop {
        pages.enter(&request.path)?;
        let page: Page = session.server.fresh(&request)?;
        for item in page.items.iter().filter(|item| item.arm_region_name == region) {
            let Some(product) = known.get(&item.arm_sku_name) else { continue };
            let Some((purchase, hours)) = item.terms() else { continue };
            if item.currency_code != "USD" {
                let why = format!("a price is in `{}`, not in USD", item.currency_code);
                return Err(session.server.failed(&why));
            }
            let price = item.retail_price.positive().map(|price| price / hours);
            rents.offer(product, region, purchase, price);
        }
        match page.next_page_link.filter(|_| !page.items.is_empty()) {
            // The link names a host; only its path is followed.
            Some(link) => request = Request { path: below_host(&link), ..Request::default() },
            None => return Ok(Answer::New(rents.sheet(), None)),
        }
    }
}

impl Item {
    /// The terms of the price, and the hours that it is for. `None` for an item that is no plain
    /// Linux machine.
    fn terms(&self) -> Option<(Purchase, f64)> {
        let other = ["Windows", " Win", "Cloud Services", "Dedicated"];
        let named = |word: &str| self.sku_name.contains(word) || self.meter_name.contains(word);
        if other.iter().any(|word| self.product_name.contains(word))
            || named("Low Priority")
            || self.unit_of_measure != "1 Hour"
        {
            return None;
        }
        match (self.r#type.as_str(), self.reservation_term.as_deref()) {
            ("Consumption", _) if named("Spot") => Some((Purchase::Spot, 1.0)),
            ("Consumption", _) => Some((Purchase::OnDemand, 1.0)),
            // A reservation's price is that of the whole term.
            ("Reservation", Some("1 Year")) => Some((Purchase::Reserved1y, 8760.0)),
            ("Reservation", Some("3 Years")) => Some((Purchase::Reserved3y, 26280.0)),
            _ => None,
        }
    }
}

/// The path and query of a link, with spaces and quotes encoded.
fn below_host(link: &str) -> String {
    let rest = link.split_once("://").map_or(link, |(_, rest)| rest);
    let path = rest.find('/').map_or("", |at| &rest[at..]);
    path.replace(' ', "%20").replace('\'', "%27")
}
