//! The cost and usage report of AWS: its older columns (`lineItem/UnblendedCost`) and those of
//! exports (`line_item_unblended_cost`).
//!
//! The cost is the amortised one, by type of line as AWS documents it: of usage that a reservation
//! covers its effective cost, of usage that a savings plan covers that plan's, of the recurring
//! fees only what was not used.

use std::borrow::Cow;

use flopcast_core::diagnostic::Result;

use super::{Charge, Charged, sku};
use crate::actuals::table::{Odd, Row, Table};

/// A column by its two names.
type Column = [&'static str; 2];

const TYPE: Column = ["line_item_line_item_type", "lineItem/LineItemType"];
const COST: Column = ["line_item_unblended_cost", "lineItem/UnblendedCost"];
const CURRENCY: Column = ["line_item_currency_code", "lineItem/CurrencyCode"];
const AMOUNT: Column = ["line_item_usage_amount", "lineItem/UsageAmount"];
const UNIT: Column = ["pricing_unit", "pricing/unit"];
const USAGE: Column = ["line_item_usage_type", "lineItem/UsageType"];
const OPERATION: Column = ["line_item_operation", "lineItem/Operation"];
const PRODUCT: Column = ["line_item_product_code", "lineItem/ProductCode"];
const NAMES: [Column; 4] = [
    ["product_instance_type", "product/instanceType"],
    USAGE,
    ["line_item_line_item_description", "lineItem/LineItemDescription"],
    ["product_sku", "product/sku"],
];
const RESERVED: Column = ["reservation_effective_cost", "reservation/EffectiveCost"];
const PLANNED: Column =
    ["savings_plan_savings_plan_effective_cost", "savingsPlan/SavingsPlanEffectiveCost"];
const UNUSED: [Column; 2] = [
    ["reservation_unused_recurring_fee", "reservation/UnusedRecurringFee"],
    [
        "reservation_unused_amortized_upfront_fee_for_billing_period",
        "reservation/UnusedAmortizedUpfrontFeeForBillingPeriod",
    ],
];
const COMMITTED: Column =
    ["savings_plan_total_commitment_to_date", "savingsPlan/TotalCommitmentToDate"];
const USED: Column = ["savings_plan_used_commitment", "savingsPlan/UsedCommitment"];

/// Words of a usage type with the ledger's key, tried in order.
const RESOURCES: &[(&str, &str)] = &[
    ("Usage:", "compute"),
    ("Reservation", "compute"),
    ("CapacityBlock", "compute"),
    ("UnusedBox", "compute"),
    // SageMaker: training, hosting, processing and notebooks on its own instances.
    (":ml.", "compute"),
    ("ComputeSP", "compute"),
    ("EBS", "storage"),
    ("TimedStorage", "storage"),
    ("DataTransfer", "egress"),
    ("Bytes", "egress"),
];

/// True if a table has the columns.
pub(super) fn is_in(table: &Table) -> bool {
    [TYPE, COST].iter().all(|column| table.first(column).is_some())
}

/// The charge of a row; none of a line that only takes another one back.
///
/// # Errors
/// If it is in another currency than USD.
pub(super) fn charge<'a>(row: Row<'a>, odd: &mut Odd) -> Result<Option<Charge<'a>>> {
    for name in CURRENCY {
        sku::in_usd(row, name)?;
    }
    let mut amount = |column: Column| {
        let name = column.into_iter().find(|name| row.text(name).is_some())?;
        odd.signed(row, name)
    };
    let unblended = amount(COST);
    let has = |column: Column| column.iter().any(|name| row.place(name).is_some());
    let unused = || {
        let [fee, upfront] = UNUSED.map(|column| column.into_iter().find_map(|it| row.text(it)));
        let number = |text: Option<&str>| text.and_then(crate::actuals::table::number);
        Some(number(fee)? + number(upfront).unwrap_or(0.0))
    };
    let (charged, cost) = match row.any(&TYPE).unwrap_or("Usage") {
        "SavingsPlanNegation" => return Ok(None),
        "DiscountedUsage" => (Charged::Usage, amount(RESERVED).or(unblended)),
        "SavingsPlanCoveredUsage" => (Charged::Usage, amount(PLANNED).or(unblended)),
        "RIFee" => match unused() {
            Some(unused) => (Charged::Unused, Some(unused)),
            None => (Charged::Purchase, unblended),
        },
        "SavingsPlanRecurringFee" => match (amount(COMMITTED), amount(USED)) {
            (Some(committed), Some(used)) => (Charged::Unused, Some(committed - used)),
            _ => (Charged::Purchase, unblended),
        },
        // Spread over the use by the effective costs, where the table has them.
        "Fee" if has(RESERVED) => return Ok(None),
        "SavingsPlanUpfrontFee" if has(PLANNED) => return Ok(None),
        "Fee" | "SavingsPlanUpfrontFee" => (Charged::Purchase, unblended),
        "Tax" => (Charged::Tax, unblended),
        "Usage" => (Charged::Usage, unblended),
        // Credits, refunds, and discounts by agreement or volume, which repeat the hours of the use.
        _ => (Charged::Credit, unblended),
    };
    let usage = row.any(&USAGE).unwrap_or_default();
    let charged = match charged {
        // A capacity reservation has lines of what ran in it, of what did not, and of all.
        Charged::Usage if usage.contains("UnusedBox:") => Charged::Unused,
        Charged::Usage if usage.contains("Reservation:") => Charged::Purchase,
        charged => charged,
    };
    let operation = row.any(&OPERATION).unwrap_or_default();
    let found = RESOURCES.iter().find(|(word, _)| usage.contains(word));
    let runs = operation.starts_with("RunInstances") && found.is_none();
    let storage = row.any(&PRODUCT) == Some("AmazonS3");
    let resource = match found {
        _ if runs => "compute",
        Some((_, key)) => key,
        None if storage => "storage",
        None => "other",
    };
    // A usage type `BoxUsage:p5.48xlarge` without a unit is by the hour.
    let unit = row.any(&UNIT).unwrap_or(if resource == "compute" { "Hrs" } else { "" });
    let quantity = amount(AMOUNT).map(|amount| (amount, Cow::Borrowed(unit)));
    let named = NAMES.iter().filter_map(|column| row.any(column)).map(Cow::Borrowed).collect();
    Ok(Some(Charge { cost, charged, resource, quantity, named }))
}
