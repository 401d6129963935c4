//! The columns of FOCUS (the open cost and usage specification), versions 0.5 to 1.2.
//!
//! Columns read: `EffectiveCost` or `BilledCost`, `BillingCurrency` (USD, or none),
//! `ChargeCategory`, `CommitmentDiscountStatus`, `CapacityReservationStatus`, `ServiceCategory`,
//! `PricingUnit`, `PricingQuantity`, `ConsumedUnit`, `ConsumedQuantity`, and what may name the machine.

use std::borrow::Cow;

use flopcast_core::diagnostic::Result;

use super::{Charge, Charged, sku};
use crate::actuals::table::{Odd, Row, Table};

/// Categories of services, with the ledger's key of the resource.
const RESOURCES: &[(&str, &str)] = &[
    ("Compute", "compute"),
    ("AI and Machine Learning", "compute"),
    ("Storage", "storage"),
    ("Networking", "egress"),
];
/// Quantities with their units, the priced one before the consumed one.
const QUANTITIES: [[&str; 2]; 2] =
    [["PricingQuantity", "PricingUnit"], ["ConsumedQuantity", "ConsumedUnit"]];
/// Columns that may name the machine.
const NAMES: &[&str] = &[
    "SkuId",
    "SkuMeter",
    "SkuPriceDetails",
    "x_SkuDetails",
    "x_InstanceType",
    "x_SkuMeterName",
    "ResourceType",
    "ResourceName",
    "ChargeDescription",
];

/// The effective cost in the currency of the price list.
const PRICED: &str = "PricingCurrencyEffectiveCost";

/// True if a table has the columns.
pub(super) fn is_in(table: &Table) -> bool {
    table.has("ChargeCategory") && (table.has("BilledCost") || table.has("EffectiveCost"))
}

/// The charge of a row.
///
/// # Errors
/// If it is in another currency than USD.
pub(super) fn charge<'a>(row: Row<'a>, odd: &mut Odd) -> Result<Option<Charge<'a>>> {
    // Since version 1.2 the currency of the price list may be another one.
    let priced = row.text("PricingCurrency") == Some("USD") && row.text(PRICED).is_some();
    if !priced {
        sku::in_usd(row, "BillingCurrency")?;
    }
    let columns = if priced { [PRICED; 2] } else { ["EffectiveCost", "BilledCost"] };
    let column = columns.into_iter().find(|it| row.text(it).is_some());
    let cost = column.and_then(|column| odd.signed(row, column));
    let statuses = ["CommitmentDiscountStatus", "CapacityReservationStatus"];
    let unused = statuses.iter().any(|status| row.text(status) == Some("Unused"));
    let charged = match row.text("ChargeCategory").unwrap_or("Usage") {
        "Usage" if unused => Charged::Unused,
        "Usage" => Charged::Usage,
        "Purchase" => Charged::Purchase,
        "Tax" => Charged::Tax,
        _ => Charged::Credit,
    };
    let service = row.text("ServiceCategory").unwrap_or_default();
    let resource = RESOURCES.iter().find(|(name, _)| *name == service);
    let mut quantities = QUANTITIES.iter().filter_map(|[quantity, unit]| {
        let unit = row.text(unit).unwrap_or_default();
        Some((row.text(quantity).map(|_| *quantity)?, unit))
    });
    let by_the_hour = quantities.clone().find(|(_, unit)| sku::hours(1.0, unit).is_some());
    let quantity = by_the_hour.or_else(|| quantities.next());
    let quantity = quantity.and_then(|(column, unit)| Some((odd.signed(row, column)?, unit)));
    let quantity = quantity.map(|(amount, unit)| (amount, Cow::Borrowed(unit)));
    let named = NAMES.iter().filter_map(|column| row.text(column)).map(Cow::Borrowed).collect();
    let resource = resource.map_or("other", |(_, key)| key);
    Ok(Some(Charge { cost, charged, resource, quantity, named }))
}
