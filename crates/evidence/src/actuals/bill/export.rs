//! Bills of other columns than FOCUS and AWS: cost exports of Azure, Google and Oracle, allocations
//! of `OpenCost`, pods of `RunPod`, and invoices of a line for each item.

use std::borrow::Cow;

use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::Result;

use super::{Charge, Charged, sku};
use crate::actuals::table::{Odd, Row, Table};

/// A form of bill: a column of each list is read, the first that a row has.
struct Form {
    /// The table has a column of each.
    marks: &'static [&'static [&'static str]],
    /// The cost in USD, whatever the currency of the others; then in the bill's own.
    usd: &'static [&'static str],
    cost: &'static [&'static str],
    currency: &'static [&'static str],
    /// Discounts and credits of the row, below zero.
    credits: &'static [&'static str],
    /// What is charged, by the words of [`KINDS`].
    kind: &'static [&'static str],
    /// Quantities with their units; a name of a unit in brackets is one itself.
    quantities: &'static [[&'static str; 2]],
    /// Columns that say what was used, by the words of [`RESOURCES`], the first that says.
    services: &'static [&'static str],
    /// Columns that may name the machine.
    names: &'static [&'static str],
    /// The service of machines whose names lack the provider's `Standard_`.
    machines: &'static str,
}

/// Cost exports in order; the last is that of invoices, which says least.
const FORMS: &[Form] = &[
    // Cost Management of Azure, actual and amortised, of every kind of agreement.
    Form {
        marks: &[&["MeterCategory"], &["Quantity", "UsageQuantity", "ConsumedQuantity"]],
        usd: &["CostInUsd", "PaygCostInUsd"],
        cost: &[
            "CostInBillingCurrency",
            "PreTaxCost",
            "Cost",
            "ExtendedCost",
            "CostInPricingCurrency",
        ],
        currency: &["BillingCurrency", "BillingCurrencyCode", "Currency"],
        credits: &[],
        kind: &["ChargeType"],
        quantities: &[
            ["Quantity", "UnitOfMeasure"],
            ["UsageQuantity", "UnitOfMeasure"],
            ["ConsumedQuantity", "UnitOfMeasure"],
        ],
        services: &["MeterCategory", "ConsumedService"],
        names: &["AdditionalInfo", "MeterName", "ProductName", "Product", "MeterSubCategory"],
        machines: "Virtual Machines",
    },
    // Google's export to BigQuery, as rows or as JSON, and the table of its console.
    Form {
        marks: &[&["sku.description"], &["service.description"], &["cost"]],
        usd: &[],
        cost: &["cost"],
        currency: &["currency"],
        credits: &["credits.amount", "credits", "Discounts", "Negotiated savings"],
        kind: &["cost_type"],
        quantities: &[
            ["usage.amount_in_pricing_units", "usage.pricing_unit"],
            ["usage.amount", "usage.unit"],
        ],
        services: &["sku.description", "service.description"],
        names: &["sku.description", "system_labels.compute.googleapis.com/machine_spec"],
        machines: "",
    },
    // Cost reports of Oracle.
    Form {
        marks: &[&["cost/myCost"], &["product/Description"]],
        usd: &[],
        cost: &["cost/myCost"],
        currency: &["cost/currencyCode"],
        credits: &[],
        kind: &["cost/chargeType"],
        quantities: &[["usage/billedQuantity", "cost/billingUnitReadable"]],
        services: &["product/Description", "product/service"],
        names: &["product/Description", "product/resource"],
        machines: "",
    },
    // Pods of RunPod: how many GPUs one has, its rows may say.
    Form {
        marks: &[&["timeBilledMs"], &["amount"]],
        usd: &[],
        cost: &["amount"],
        currency: &["currency"],
        credits: &[],
        kind: &[],
        quantities: &[["timeBilledMs", "(ms)"]],
        services: &["gpuTypeId"],
        names: &["gpuTypeId"],
        machines: "",
    },
    // Invoices.
    Form {
        marks: &[
            &[
                "amount",
                "amount_usd",
                "cost",
                "cost_usd",
                "total",
                "charge",
                "subtotal",
                "line_total",
            ],
            &["description", "item", "product", "sku", "instance_type", "service", "resource_type"],
        ],
        usd: &["amount_usd", "cost_usd"],
        cost: &["amount", "line_total", "cost", "total", "charge", "subtotal"],
        currency: &["currency", "currency_code"],
        credits: &[],
        kind: &["charge_type", "type", "category"],
        quantities: &[
            ["gpu_hours", "(gpu-hours)"],
            ["hours", "(hours)"],
            ["usage_hours", "(hours)"],
            ["duration_hours", "(hours)"],
            ["minutes", "(minutes)"],
            ["seconds", "(seconds)"],
            ["quantity", "unit"],
            ["qty", "unit"],
            ["usage", "unit"],
            ["usage", "usage_unit"],
        ],
        services: &[
            "description",
            "item",
            "product",
            "instance_type",
            "sku",
            "service",
            "resource_type",
            "type",
        ],
        names: &["instance_type", "description", "item", "product", "sku", "gpu_type"],
        machines: "",
    },
];

/// Words of what is charged, tried in order; no word is usage.
const KINDS: &[(&[&str], Charged)] = &[
    (&["unused"], Charged::Unused),
    (&["tax", "vat", "gst"], Charged::Tax),
    (&["purchase"], Charged::Purchase),
    (&["refund", "credit", "discount", "adjustment", "rounding", "promotion"], Charged::Credit),
];
/// Words of what was used with the ledger's key of the resource, tried in order.
const RESOURCES: &[(&[&str], &str)] = &[
    (
        &[
            "storage",
            "disk",
            "disks",
            "volume",
            "filesystem",
            "snapshot",
            "capacity",
            "hyperdisk",
            "image",
        ],
        "storage",
    ),
    (
        &[
            "bandwidth",
            "egress",
            "ingress",
            "network",
            "transfer",
            "traffic",
            "upload",
            "download",
            "nat",
        ],
        "egress",
    ),
    (
        &[
            "virtual machines",
            "machine",
            "instance",
            "instances",
            "gpu",
            "gpus",
            "compute",
            "node",
            "nodes",
            "cluster",
            "vertex",
            "sagemaker",
            "container",
            "batch",
            "core",
            "ram",
            "pod",
            "tpu",
            "on-demand",
            "spot",
            "reserved",
            "function",
            "serverless",
        ],
        "compute",
    ),
];
/// Columns of the GPUs of a machine.
const COUNTS: &[&str] = &["gpu_count", "num_gpus", "gpus", "gpu_quantity"];
/// Words at the start of a row that sums others up.
const SUMS: &[&str] = &["total", "subtotal", "grand total", "amount due", "balance"];
/// An allocation of costs: the GPUs' hours, and each part with the ledger's key.
const ALLOCATED: &[&str] = &["gpuHours", "gpuCost", "totalCost"];
const PARTS: &[(&str, &str)] = &[
    ("gpuCost", "compute"),
    ("cpuCost", "host"),
    ("ramCost", "host"),
    ("pvCost", "storage"),
    ("networkCost", "egress"),
    ("loadBalancerCost", "other"),
    ("sharedCost", "other"),
    ("externalCost", "other"),
];

/// True if a table is one of them.
pub(super) fn is_in(table: &Table) -> bool {
    of(table).is_some() || is_allocated(table)
}

/// True for an allocation of `OpenCost`.
fn is_allocated(table: &Table) -> bool {
    ALLOCATED.iter().all(|column| table.has(column))
}

/// The form of a table.
fn of(table: &Table) -> Option<&'static Form> {
    FORMS.iter().find(|form| form.marks.iter().all(|names| table.first(names).is_some()))
}

/// The charges of a table.
///
/// # Errors
/// If one is in another currency than USD, and no column has it in USD.
pub(super) fn charges<'a>(
    table: &'a Table,
    catalog: Option<&Catalog>,
    odd: &mut Odd,
    notes: &mut Vec<String>,
) -> Result<Vec<Charge<'a>>> {
    let mut charges = Vec::new();
    if is_allocated(table) {
        table.rows().for_each(|row| charges.extend(allocated(row, odd)));
        return Ok(charges);
    }
    let Some(form) = of(table) else { return Ok(charges) };
    let mut sums = 0;
    for row in table.rows() {
        let said = row.any(form.services).unwrap_or_default().to_lowercase();
        if SUMS.iter().any(|sum| said.trim_end_matches(':') == *sum) {
            sums += 1;
            continue;
        }
        charges.extend(form.charges(row, catalog, odd)?);
    }
    if sums > 0 {
        notes.push(format!("{sums} row(s) that sum others up are left out"));
    }
    Ok(charges)
}

/// The charges of a row of an allocation.
fn allocated<'a>(row: Row<'a>, odd: &mut Odd) -> Vec<Charge<'a>> {
    let mut charges = Vec::new();
    for (column, resource) in PARTS {
        let Some(cost) = odd.signed(row, column) else { continue };
        let hours = (*resource == "compute").then(|| odd.number(row, "gpuHours")).flatten();
        let quantity = hours.map(|hours| (hours, Cow::Borrowed("GPU-Hours")));
        if cost != 0.0 || hours.is_some_and(|hours| hours > 0.0) {
            let (cost, charged, named) = (Some(cost), Charged::Usage, Vec::new());
            charges.push(Charge { cost, charged, resource, quantity, named });
        }
    }
    charges
}

impl Form {
    /// The charge of a row, and its credits as another.
    fn charges<'a>(
        &self,
        row: Row<'a>,
        catalog: Option<&Catalog>,
        odd: &mut Odd,
    ) -> Result<Vec<Charge<'a>>> {
        let column =
            |names: &[&'static str]| names.iter().copied().find(|it| row.text(it).is_some());
        let own = column(self.usd);
        if own.is_none() {
            for name in self.currency {
                sku::in_usd(row, name)?;
            }
        }
        let cost = own.or_else(|| column(self.cost)).and_then(|it| odd.signed(row, it));
        let kind = row.any(self.kind).unwrap_or_default().to_lowercase();
        let mut named: Vec<Cow<'a, str>> =
            self.names.iter().filter_map(|it| row.text(it)).map(Cow::Borrowed).collect();
        let said = self.services.iter().filter_map(|it| row.text(it)).map(str::to_lowercase);
        let said: Vec<String> = said.collect();
        if !self.machines.is_empty() && said.iter().any(|it| it.eq_ignore_ascii_case(self.machines))
        {
            let meter = row.text("MeterName").unwrap_or_default();
            let meter = meter.split('/').next().unwrap_or(meter).replace(' ', "_");
            let meter = meter.trim_end_matches("_Spot").trim_end_matches("_Low_Priority");
            named.push(format!("Standard_{meter}").into());
        }
        let of_text = |text: &String| {
            let words: Vec<&str> =
                text.split(|c: char| !(c.is_alphanumeric() || c == '-')).collect();
            let has = |known: &&str| {
                words.contains(known) || known.contains(' ') && text.contains(*known)
            };
            RESOURCES.iter().find(|(known, _)| known.iter().any(&has)).map(|(_, key)| *key)
        };
        let machine = || {
            let texts: Vec<&str> = named.iter().map(AsRef::as_ref).collect();
            let is = sku::machine(&texts, catalog) != sku::Machine::Unclear
                || texts.iter().any(|text| sku::names_device(text, catalog));
            is.then_some("compute")
        };
        let resource = said.iter().find_map(of_text).or_else(machine).unwrap_or("other");
        // An invoice says of a tax or a credit what it is in the item's own words.
        let whole = format!("{kind} {}", said.first().map_or("", String::as_str));
        let words: Vec<&str> = whole.split(|c: char| !c.is_alphanumeric()).collect();
        let of_kind = |(known, _): &&(&[&str], Charged)| {
            known.iter().any(|it| kind.contains(it) || words.contains(it))
        };
        let charged = KINDS.iter().find(of_kind).map_or(Charged::Usage, |(_, charged)| *charged);
        let count = column(COUNTS).and_then(|it| odd.number(row, it)).filter(|it| *it > 0.0);
        let quantity = self.quantities.iter().find(|[quantity, _]| row.text(quantity).is_some());
        let quantity = quantity.and_then(|[quantity, unit]| {
            let unit = match unit.strip_prefix('(') {
                Some(unit) => unit.trim_end_matches(')'),
                None => row.text(unit).unwrap_or_default(),
            };
            let amount = odd.signed(row, quantity)?;
            match (count, sku::hours(amount, unit)) {
                (Some(count), Some(hours)) => {
                    Some((hours.value() * count, Cow::Borrowed("GPU-Hours")))
                }
                _ => Some((amount, Cow::Borrowed(unit))),
            }
        });
        let mut charges = vec![Charge { cost, charged, resource, quantity, named }];
        let credits = column(self.credits).and_then(|it| odd.signed(row, it));
        if let Some(credits) = credits.filter(|it| *it != 0.0) {
            let (cost, charged, named) = (Some(credits), Charged::Credit, Vec::new());
            charges.push(Charge { cost, charged, resource, quantity: None, named });
        }
        Ok(charges)
    }
}
