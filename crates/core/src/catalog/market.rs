//! Other prices: hosted models by the token, devices to buy, the path of rents over time.
//!
//! Hosted prices enter the comparison of a fleet with an API (`ledger::api`), purchase prices the
//! cost of owned hardware (`ledger::owned`). The rent index is shown for orientation and enters no
//! estimate.

use std::sync::Arc;

use super::source::{Citation, Sourced};
use super::table::{Cells, Row};
use crate::diagnostic::Result;
use crate::quantity::{DevicePrice, Devices, Money, Per, Tokens};

/// Price of tokens: USD/token.
pub type TokenPrice = Per<Money, Tokens>;
/// Price of a device to buy: USD/device.
pub type PurchasePrice = Per<Money, Devices>;

/// USD/token of 1 USD per million tokens.
const PER_MILLION: f64 = 1e-6;
/// USD/s of 1 USD/h.
const PER_HOUR: f64 = 1.0 / 3600.0;

/// The price of a hosted model by the token: a row of `pricing/api.csv`, whose cells are USD per
/// million tokens.
#[derive(Clone, Debug)]
pub struct ApiPrice {
    /// The model as the provider names it.
    pub model: String,
    /// The provider that serves it.
    pub provider: String,
    /// The interface: `chat`, `responses` or `embedding`.
    pub mode: String,
    /// Price of input tokens.
    pub input: Sourced<TokenPrice>,
    /// Price of output tokens; none for embeddings.
    pub output: Option<Sourced<TokenPrice>>,
    /// Price of input tokens that the provider's prompt cache holds.
    pub cached_input: Option<Sourced<TokenPrice>>,
    /// Price of input tokens in batch mode.
    pub batch_input: Option<Sourced<TokenPrice>>,
    /// Price of output tokens in batch mode.
    pub batch_output: Option<Sourced<TokenPrice>>,
    /// Longest input in tokens.
    pub max_input: Option<u64>,
    /// Longest output in tokens.
    pub max_output: Option<u64>,
}

/// The purchase price of a device: a row of `pricing/purchase.csv`, in USD per device.
#[derive(Clone, Debug)]
pub struct Purchased {
    /// Its id in the hardware table; empty for devices that are not in it.
    pub accelerator: String,
    /// The product that was bought, as the source names it.
    pub product: String,
    /// The price of one device; its citation has the date.
    pub price: Sourced<PurchasePrice>,
}

/// The median rent of a device at smaller clouds in a month: a row of `pricing/index.csv`, in USD
/// per device-hour.
#[derive(Clone, Debug)]
pub struct IndexValue {
    /// Its id in the hardware table.
    pub accelerator: String,
    /// The median; its citation has the month. It is indicative, because the set of providers
    /// changes.
    pub median: Sourced<DevicePrice>,
}

impl Row for ApiPrice {
    const TABLE: &'static flopcast_data::Csv = &flopcast_data::pricing::API;

    /// Reads a row; only the price of input tokens is required.
    fn read(cells: &Cells<'_>) -> Result<Self> {
        let model = cells.required("model")?.to_owned();
        let provider = cells.required("provider")?.to_owned();
        let key = format!("{provider}/{model}");
        let citation = cells.citation(&key, "source", cells.as_of("as_of")?)?;
        let price = |column| cells.sourced(column, PER_MILLION, &citation);
        Ok(Self {
            mode: cells.text("mode").to_owned(),
            input: price("input_usd_per_mtok")?.ok_or_else(|| cells.empty("input_usd_per_mtok"))?,
            output: price("output_usd_per_mtok")?,
            cached_input: price("cached_input_usd_per_mtok")?,
            batch_input: price("batch_input_usd_per_mtok")?,
            batch_output: price("batch_output_usd_per_mtok")?,
            max_input: cells.count("max_input_tokens")?,
            max_output: cells.count("max_output_tokens")?,
            model,
            provider,
        })
    }

    /// Provider and model.
    fn key(&self) -> String {
        format!("{}/{}", self.provider, self.model)
    }
}

impl Row for Purchased {
    const TABLE: &'static flopcast_data::Csv = &flopcast_data::pricing::PURCHASE;

    /// Reads a row; it must be dated, since a purchase price is one of its time.
    fn read(cells: &Cells<'_>) -> Result<Self> {
        let accelerator = cells.text("accelerator").to_owned();
        let product = cells.required("product")?.to_owned();
        let as_of = cells.as_of("as_of")?.ok_or_else(|| cells.empty("as_of"))?;
        let citation = cells.citation(&format!("{product}/{as_of}"), "source", Some(as_of))?;
        let price = cells.sourced("usd_per_device", 1.0, &citation)?;
        Ok(Self {
            accelerator,
            product,
            price: price.ok_or_else(|| cells.empty("usd_per_device"))?,
        })
    }

    /// Product and date.
    fn key(&self) -> String {
        row_key(&self.price.citation)
    }
}

impl Row for IndexValue {
    const TABLE: &'static flopcast_data::Csv = &flopcast_data::pricing::INDEX;

    /// Reads a row; the month is part of its key.
    fn read(cells: &Cells<'_>) -> Result<Self> {
        let accelerator = cells.required("accelerator")?.to_owned();
        let month = cells.as_of("month")?.ok_or_else(|| cells.empty("month"))?;
        let citation = cells.citation(&format!("{accelerator}/{month}"), "source", Some(month))?;
        let median = cells.sourced("median_usd_per_device_h", PER_HOUR, &citation)?;
        Ok(Self {
            accelerator,
            median: median.ok_or_else(|| cells.empty("median_usd_per_device_h"))?,
        })
    }

    /// Device and month.
    fn key(&self) -> String {
        row_key(&self.median.citation)
    }
}

/// The part of a citation that names the row in its table.
fn row_key(citation: &Arc<Citation>) -> String {
    citation.row.split_once(':').map_or_else(String::new, |(_, key)| key.to_owned())
}
