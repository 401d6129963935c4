//! Rows on their way into a table of the catalog: sorted by key, bounded in number, masked and cut
//! to one short line a cell.

use std::collections::BTreeMap;

use flopcast_core::catalog::{Catalog, Price, PriceBasis, Purchase, quoted};
use indexmap::IndexMap;

use super::secret::Secrets;
use super::snapshot::Part;
use super::transport::short;

/// Rows of one table; a later row of the same key replaces an earlier one.
#[derive(Debug)]
pub(super) struct Sheet {
    file: &'static str,
    columns: &'static [&'static str],
    /// How many of the columns, from the left, make a row that row.
    key: usize,
    rows: BTreeMap<Vec<String>, Vec<String>>,
    full: bool,
}

/// A source that says more has gone astray: the largest has some thousands.
pub(super) const MOST_ROWS: usize = 20_000;

impl Sheet {
    /// An empty sheet of a table; the first `key` columns make a row that row.
    pub(super) fn new(file: &'static str, key: usize, columns: &'static [&'static str]) -> Self {
        Self { file, columns, key, rows: BTreeMap::new(), full: false }
    }

    /// Adds a row, as long as there is room.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        if self.rows.len() >= MOST_ROWS {
            self.full = true;
            return;
        }
        let cells: Vec<String> = cells.into_iter().collect();
        self.rows.insert(cells[..self.key].to_vec(), cells);
    }

    /// True if there were more rows than there is room for.
    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    /// True if it has no rows.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The same as part of a snapshot. Texts of a server are masked, then cut to one short line.
    pub(super) fn into_part(self, secrets: &Secrets) -> Part {
        let line = |cells: &Vec<String>| {
            let cells = cells.iter().map(|cell| short(&secrets.masked(cell)).trim().to_owned());
            cells.map(|cell| quoted(&cell).into_owned()).collect::<Vec<_>>().join(",")
        };
        let rows = self.rows.values().map(line);
        let lines = [self.columns.join(",")].into_iter().chain(rows).collect();
        Part { tables: IndexMap::from([(self.file.to_owned(), lines)]), ..Part::default() }
    }
}

/// A product that a provider rents out.
#[derive(Clone, Debug)]
pub(super) struct Product {
    pub provider: String,
    pub sku: String,
    /// The device's id in the hardware table; empty for a host.
    pub accelerator: String,
    /// The device as the provider names it.
    pub name: String,
    pub devices: Option<u64>,
    pub basis: PriceBasis,
    pub host_sku: String,
}

impl From<&Price> for Product {
    fn from(price: &Price) -> Self {
        Self {
            provider: price.provider.clone(),
            sku: price.sku.clone(),
            accelerator: price.accelerator.clone(),
            name: price.product.clone(),
            devices: price.devices,
            basis: price.basis,
            host_sku: price.host_sku.clone(),
        }
    }
}

/// A rent on its way: product, region and prices by terms.
#[derive(Debug, Default)]
pub(super) struct Rents {
    rents: BTreeMap<[String; 3], Rent>,
    full: bool,
}

#[derive(Debug)]
struct Rent {
    product: Product,
    region: String,
    /// By way of buying.
    prices: [Option<f64>; Purchase::ALL.len()],
}

/// The price per hour above which a figure is a marker of the list and no price.
const DEAREST_PER_HOUR: f64 = 100_000.0;

/// Columns of a rent: the product, its prices by way of buying, where they are from.
const COLUMNS: &[&str] = &{
    let mut columns = ["quality"; PRODUCT.len() + Purchase::COLUMNS.len() + 1];
    let mut at = 0;
    while at < columns.len() - 1 {
        columns[at] = match at.checked_sub(PRODUCT.len()) {
            Some(price) => Purchase::COLUMNS[price],
            None => PRODUCT[at],
        };
        at += 1;
    }
    columns
};

/// Columns of a product.
const PRODUCT: [&str; 8] =
    ["provider", "region", "sku", "basis", "accelerator", "product", "devices", "host_sku"];

/// Bytes of the name of a region.
pub(super) const LONGEST_NAME: usize = 100;

impl Rents {
    /// Adds a price per hour; one that is missing, zero or absurd adds nothing.
    pub(super) fn offer(
        &mut self,
        product: &Product,
        region: &str,
        purchase: Purchase,
        price: Option<f64>,
    ) {
        let sane = |price: &f64| price.is_finite() && *price > 0.0 && *price < DEAREST_PER_HOUR;
        let Some(price) = price.filter(sane) else { return };
        // No region has a longer name; what is left out then is said by nobody.
        if region.len() > LONGEST_NAME {
            return;
        }
        if self.rents.len() >= MOST_ROWS {
            self.full = true;
            return;
        }
        let key = [region, &product.sku, product.basis.name()].map(str::to_owned);
        let rent = self.rents.entry(key).or_insert_with(|| Rent {
            product: product.clone(),
            region: region.to_owned(),
            prices: [None; Purchase::ALL.len()],
        });
        let lowest = &mut rent.prices[purchase as usize];
        *lowest = Some(lowest.map_or(price, |other: f64| other.min(price)));
    }

    /// The rows.
    pub(super) fn sheet(self) -> Sheet {
        let full = self.full;
        let mut sheet = Sheet::new("pricing/prices.csv", 4, COLUMNS);
        for Rent { product, region, prices } in self.rents.into_values() {
            let devices = product.devices.map(|n| n.to_string()).unwrap_or_default();
            let mut cells = vec![
                product.provider,
                region,
                product.sku,
                product.basis.name().to_owned(),
                product.accelerator,
                product.name,
                devices,
                product.host_sku,
            ];
            cells.extend(prices.map(|price| price.map(|p| p.to_string()).unwrap_or_default()));
            cells.push("read".to_owned());
            sheet.row(cells);
        }
        sheet.full |= full;
        sheet
    }
}

/// The products of a provider that the catalog knows by their name, in every basis.
pub(super) fn products(catalog: &Catalog, provider: &str) -> BTreeMap<String, Product> {
    let rows = catalog.prices().filter(|p| p.provider == provider);
    let named = rows.filter(|p| !matches!(p.basis, PriceBasis::Index | PriceBasis::PerDevice));
    let known = named.filter(|p| p.basis == PriceBasis::HostOnly || !p.accelerator.is_empty());
    known.map(|price| (price.sku.clone(), Product::from(price))).collect()
}

/// The regions for which the catalog has prices of a provider.
pub(super) fn priced_regions(catalog: &Catalog, provider: &str) -> Vec<String> {
    let rows = catalog.prices().filter(|p| p.provider == provider && p.region != "*");
    let regions: std::collections::BTreeSet<_> = rows.map(|p| p.region.clone()).collect();
    regions.into_iter().collect()
}
