//! The catalogs that `SkyPilot` hosts: one CSV per cloud, with columns in any order.
//!
//! Asked is `/CLOUD/vms.csv`; `Price` and `SpotPrice` are in USD per hour of an instance, or of so
//! many accelerators if the row has no instance type. An unchanged file is not sent again (`ETag`).

use std::io::Read;

use csv::StringRecord;
use flopcast_core::catalog::{PriceBasis, Purchase};
use flopcast_core::diagnostic::Result;

use super::super::number;
use super::super::sheet::{Product, Rents, Sheet, products};
use super::super::transport::{Answer, Form, Request};
use super::{Session, csv_fault, invalid};

/// The clouds whose products have the same names there and in our catalog.
pub(super) const CLOUDS: &[&str] = &["aws", "gcp", "lambda", "nebius", "oci"];

/// Columns that every such file has.
const NEEDED: &[&str] = &["InstanceType", "AcceleratorName", "AcceleratorCount", "Price", "Region"];

/// The price in USD/h above which a number in GCP's file means that there is no price.
const NO_PRICE: f64 = 700.0;

/// The products of a cloud that the catalog knows, on demand and spot, in USD/h.
///
/// # Errors
/// If the server fails, or answers in another form, without a column that is needed, or with a row
/// that names no region.
pub(super) fn read(session: &Session<'_>, cloud: &str) -> Result<Answer<Sheet>> {
    let known = products(session.catalog, cloud);
    let anywhere = known_anywhere(session, cloud);
    let path = format!("/{cloud}/vms.csv");
    let request = Request { path, etag: session.etag.clone(), ..Request::default() };
    session.server.ask(&request, Form::Csv, |body: &mut dyn Read| {
        let mut reader = csv::Reader::from_reader(body);
        let header = reader.headers().map_err(csv_fault)?.clone();
        let place = |name: &str| header.iter().position(|column| column == name);
        if let Some(name) = NEEDED.iter().find(|name| place(name).is_none()) {
            return Err(invalid(format!("the table has no column `{name}`")));
        }
        let mut rents = Rents::default();
        let mut record = StringRecord::new();
        while reader.read_record(&mut record).map_err(csv_fault)? {
            let cell = |name| place(name).and_then(|i| record.get(i)).unwrap_or("");
            let instance = cell("InstanceType");
            let count = number::parse(cell("AcceleratorCount")).map_err(invalid)?.unwrap_or(0.0);
            let product = if instance.is_empty() {
                accelerators(known.values(), cell("AcceleratorName"), count)
            } else {
                known.get(instance)
            };
            let Some(product) = product else { continue };
            let region = if anywhere { "*" } else { cell("Region") };
            if region.is_empty() {
                return Err(invalid(format!("a row of `{instance}` names no region")));
            }
            let price = |column| {
                let price = number::parse(cell(column)).map_err(invalid)?;
                Ok::<_, std::io::Error>(price.filter(|price| *price < NO_PRICE || cloud != "gcp"))
            };
            let (on_demand, spot) = (price("Price")?, price("SpotPrice")?);
            rents.offer(product, region, Purchase::OnDemand, on_demand);
            // A spot price equal to the list price says that there is no spot market.
            let spot = spot.filter(|_| spot != on_demand);
            rents.offer(product, region, Purchase::Spot, spot);
        }
        Ok(rents.sheet())
    })
}

/// True if the catalog has one price of the cloud for all regions.
fn known_anywhere(session: &Session<'_>, cloud: &str) -> bool {
    let mut rows = session.catalog.prices().filter(|p| p.provider == cloud);
    rows.any(|p| p.region == "*" && p.basis == PriceBasis::Instance && p.devices > Some(1))
}

/// The product of a row without an instance type, which prices accelerators alone: `A100-80GB` x 1.
fn accelerators<'a>(
    mut known: impl Iterator<Item = &'a Product>,
    name: &str,
    count: f64,
) -> Option<&'a Product> {
    let sku = match name {
        "A100" => format!("A100-40GB x{count}"),
        "L4" => format!("L4 x{count} (g2)"),
        other => format!("{other} x{count}"),
    };
    let exact = |p: &&Product| {
        p.basis == PriceBasis::AcceleratorOnly
            && (p.sku == sku || p.sku.starts_with(&format!("{sku} (")))
    };
    known.find(exact)
}
