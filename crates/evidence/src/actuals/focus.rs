//! A cloud bill in the columns of FOCUS (the open cost and usage specification): a row per charge.
//! The effective cost, which spreads commitments over their use, takes precedence over the billed
//! one.
//!
//! Columns read: `EffectiveCost` or `BilledCost`, `BillingCurrency` (USD, or none),
//! `ChargeCategory`, `ServiceCategory`, `PricingUnit`, `PricingQuantity`. Taxes and credits are
//! sums of their own; services that no resource of the ledger stands for are `other`.

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::quantity::{Measure, Money, Time};

use super::Measured;
use super::table::{Sum, Table};

/// Categories of services, with the ledger's key of the resource.
const RESOURCES: &[(&str, &str)] = &[
    ("Compute", "compute"),
    ("AI and Machine Learning", "compute"),
    ("Storage", "storage"),
    ("Networking", "egress"),
];

/// Sums of the charges in USD by resource, taxes and credits apart, and the billed hours of
/// compute. Charges without a cost are counted in a note.
///
/// # Errors
/// If a charge is in another currency than USD, a cell is no number, or no charge has a cost.
pub(super) fn read(table: &Table<'_>) -> Result<Measured> {
    let column = if table.has("EffectiveCost") { "EffectiveCost" } else { "BilledCost" };
    let mut costs: Vec<(&'static str, f64)> = Vec::new();
    let (mut charges, mut empty, mut hours) = (0, 0, Sum::new());
    for row in table.rows() {
        let currency = row.text("BillingCurrency").unwrap_or("USD");
        if currency != "USD" {
            let error = row.error("BillingCurrency", "is not USD");
            return Err(error.hint("convert the bill's amounts to USD at a stated rate"));
        }
        let Some(cost) = row.signed(column)? else {
            empty += 1;
            continue;
        };
        charges += 1;
        let category = row.text("ChargeCategory").unwrap_or("Usage");
        let service = row.text("ServiceCategory").unwrap_or_default();
        let resource = RESOURCES.iter().find(|(name, _)| *name == service);
        let key = match category {
            "Usage" | "Purchase" => resource.map_or("other", |(_, key)| key),
            "Tax" => "tax",
            _ => "credit",
        };
        if key == "compute" {
            let unit = row.text("PricingUnit").unwrap_or_default().to_lowercase();
            let quantity = row.number("PricingQuantity")?;
            hours.add(quantity.filter(|_| ["hour", "hours", "hrs", "h"].contains(&unit.as_str())));
        }
        match costs.iter_mut().find(|(other, _)| *other == key) {
            Some((_, sum)) => *sum += cost,
            None => costs.push((key, cost)),
        }
    }
    if charges == 0 {
        return Err(Error::input(format!("no row of the bill has a cost in `{column}`")));
    }
    let mut notes = vec![format!("{charges} charge(s), {column}")];
    if empty > 0 {
        notes.push(format!("{empty} charge(s) have no cost and are not in the sums"));
    }
    let costs = costs.into_iter().map(|(key, sum)| (key, Money::from_stored(sum))).collect();
    let instance_time = hours.positive().map(|hours| Time::from_stored(hours * 3600.0));
    Ok(Measured { instance_time, costs, notes, ..Measured::default() })
}
