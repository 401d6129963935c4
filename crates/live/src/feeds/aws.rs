//! The bulk price list of EC2: one CSV per region, hundreds of megabytes, read as a stream.
//!
//! Asked is `/offers/v1.0/aws/AmazonEC2/current/REGION/index.csv`. Lines about the file come before
//! the header, which begins with `SKU`. `PricePerUnit` is in USD per hour of an instance; another
//! currency is an error. An unchanged file is not sent again (`ETag`).

use std::io::{self, Read};

use csv::StringRecord;
use flopcast_core::catalog::Purchase;
use flopcast_core::diagnostic::Result;

use super::super::number;
use super::super::sheet::{Rents, Sheet, products};
use super::super::transport::{Answer, Form, Request};
use super::{Session, csv_fault, invalid};

/// The cells of a row that is the plain price of a Linux machine.
const PLAIN: &[(&str, &[&str])] = &[
    ("Tenancy", &["Shared"]),
    ("Operating System", &["Linux"]),
    ("CapacityStatus", &["Used"]),
    ("Unit", &["Hrs"]),
    ("Pre Installed S/W", &["", "NA"]),
    ("MarketOption", &["", "OnDemand"]),
];

/// The instance types of a region that the catalog knows, on demand and reserved without upfront
/// payment, in USD/h.
///
/// # Errors
/// If the server fails, or answers in another form, without a header, or in a currency other than
/// USD.
pub(super) fn read(session: &Session<'_>, region: &str) -> Result<Answer<Sheet>> {
    let known = products(session.catalog, "aws");
    let path = format!("/offers/v1.0/aws/AmazonEC2/current/{region}/index.csv");
    let request = Request { path, etag: session.etag.clone(), ..Request::default() };
    session.server.ask(&request, Form::Csv, |body: &mut dyn Read| {
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(body);
        let mut rents = Rents::default();
        let mut header: Option<Vec<String>> = None;
        let mut record = StringRecord::new();
        while reader.read_record(&mut record).map_err(csv_fault)? {
            let Some(columns) = &header else {
                // Lines about the file come before the header.
                if record.get(0) == Some("SKU") {
                    header = Some(record.iter().map(str::to_owned).collect());
                }
                continue;
            };
            if record.len() != columns.len() {
                let (cells, columns) = (record.len(), columns.len());
                return Err(invalid(format!("{cells} cells under {columns} columns")));
            }
            let cell = |name: &str| {
                let column = columns.iter().position(|column| column == name);
                column.and_then(|i| record.get(i)).unwrap_or("")
            };
            let Some(product) = known.get(cell("Instance Type")) else { continue };
            let plain = PLAIN.iter().all(|(column, wanted)| wanted.contains(&cell(column)));
            let Some(purchase) = terms(cell).filter(|_| plain) else { continue };
            if cell("Currency") != "USD" {
                return Err(invalid(format!("a price is in `{}`, not in USD", cell("Currency"))));
            }
            let price = number::parse(cell("PricePerUnit")).map_err(invalid)?;
            rents.offer(product, region, purchase, price);
        }
        match header {
            Some(_) => Ok(rents.sheet()),
            None => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "there is no header")),
        }
    })
}

/// The terms that a row is priced on; `None` for others than on demand and standard reservations
/// without upfront payment.
fn terms<'a>(cell: impl Fn(&str) -> &'a str) -> Option<Purchase> {
    match cell("TermType") {
        "OnDemand" => Some(Purchase::OnDemand),
        "Reserved" => {
            let plain =
                cell("PurchaseOption") == "No Upfront" && cell("OfferingClass") == "standard";
            match cell("LeaseContractLength").replace(' ', "").as_str() {
                "1yr" if plain => Some(Purchase::Reserved1y),
                "3yr" if plain => Some(Purchase::Reserved3y),
                _ => None,
            }
        }
        _ => None,
    }
}
