//! The ledger as charges in FOCUS 1.0 (the `FinOps` Open Cost and Usage Specification), by month.
//!
//! FOCUS records charges; these are forecasts of charges, for planning beside real ones, and each
//! row says so in `x_Forecast`. A row of the ledger becomes a charge per month that its period
//! touches, in proportion to time.
//!
//! `BilledCost` adds up to the cash flow, `EffectiveCost` to the cost. Where what is used was bought
//! apart (a commitment, owned hardware), usage is billed nothing, and rows of the category `Purchase`
//! bill each payment in its month and cost nothing, as on a provider's bill. `ContractedCost` undoes
//! the discount of a commitment, `ListCost` the negotiated one as well; of a purchase both are what
//! is paid, so that their sum leaves out either the purchases or what they cover.
//! Energy and location-based CO2e of a stage stand in the first row of its devices, in columns of
//! their own.

use std::sync::Arc;

use chrono::{Datelike, Months, NaiveDate};
use flopcast_core::catalog::Purchase;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::plan::Scenario;
use flopcast_core::estimate::{Id, Key};
use flopcast_core::ledger::line::{Kind, Resource, Stage};
use flopcast_core::ledger::plan::{Rent, Tariff, Terms};
use serde_json::json;

use super::{Report, ledger};
use crate::render::csv::Writer;

/// The columns, in the order of the specification; those of flopcast begin with `x_`.
const COLUMNS: &[&str] = &[
    "AvailabilityZone",
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "CapacityReservationId",
    "CapacityReservationStatus",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "CommitmentDiscountCategory",
    "CommitmentDiscountId",
    "CommitmentDiscountName",
    "CommitmentDiscountQuantity",
    "CommitmentDiscountStatus",
    "CommitmentDiscountType",
    "CommitmentDiscountUnit",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "RegionId",
    "RegionName",
    "ResourceId",
    "ResourceName",
    "ResourceType",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SkuId",
    "SkuMeter",
    "SkuPriceDetails",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "Tags",
    // The official validator (1.0.0) also asks for these, by their names of the preview.
    "ChargeType",
    "InvoiceIssuer",
    "Provider",
    "Publisher",
    "ResourceID",
    "x_Forecast",
    "x_Stage",
    "x_Kind",
    "x_EnergyKwh",
    "x_Co2eKgLocation",
];

/// The provider that a tariff of a stage is paid to, and the product.
#[derive(Clone, Debug, PartialEq)]
pub struct Seller {
    /// The service or region that buys, where there are several.
    pub part: Option<Arc<str>>,
    /// The stage: the training, or the years of service from this one on.
    stage: Stage,
    /// The tariff's name in the ledger.
    tariff: &'static str,
    /// The provider.
    provider: String,
    /// Its region, where one is named.
    region: Option<String>,
    /// The provider's name of the product.
    sku: String,
    /// On-demand price / this price before any discount.
    list: f64,
    /// Part of the list price that was negotiated away.
    discount: f64,
}

/// The products that the scenario rents from a price list, by stage and tariff.
pub(crate) fn sellers(scenario: &Scenario) -> Vec<Seller> {
    let training = scenario.training.as_ref().and_then(|it| it.rent.as_ref());
    let service = scenario.inference.as_ref();
    let renewed = service.and_then(|it| {
        let refresh = it.refresh.as_ref()?;
        Some((Stage::Serving(refresh.year), refresh.service.rent.as_ref()?))
    });
    let first = service.and_then(|it| Some((Stage::Serving(1), it.rent.as_ref()?)));
    let training = training.map(|rent| (Stage::Training, rent));
    let rents = training.into_iter().chain(first).chain(renewed);
    rents.flat_map(|(stage, rent)| of_rent(stage, rent)).collect()
}

/// The products of one rent; none for a price of the user's own.
fn of_rent(stage: Stage, rent: &Rent) -> Vec<Seller> {
    let discount = rent.discount.as_ref().map_or(0.0, |discount| discount.value.get());
    let Some(listed) = &rent.listed else { return Vec::new() };
    let seller = |tariff: &Tariff| {
        let offer = tariff.offer.as_ref()?;
        let plan = match &tariff.terms {
            Terms::Reserved { plan, .. } => plan.years().map(|_| *plan),
            _ => None,
        };
        Some(Seller {
            part: None,
            stage,
            tariff: tariff.terms.name(),
            provider: listed.provider.clone(),
            region: listed.region.clone(),
            sku: offer.sku.clone(),
            list: offer.list.filter(|_| plan.is_some()).unwrap_or(1.0).max(1.0),
            discount,
        })
    };
    rent.tariffs.iter().filter_map(seller).collect()
}

/// Providers by the name on their bills, with the name of their service of machines.
const PROVIDERS: &[(&str, &str, &str)] = &[
    ("aws", "AWS", "Amazon Elastic Compute Cloud"),
    ("azure", "Microsoft", "Virtual Machines"),
    ("gcp", "Google Cloud", "Compute Engine"),
    ("oci", "Oracle", "Compute"),
];

/// The charges of the reports as CSV: a row per month and row of the ledger.
///
/// # Errors
/// If an amount or its payment is unknown: a bill has no charge without its cost.
pub fn charges(reports: &[Report]) -> Result<String> {
    reports.iter().try_for_each(billed)?;
    let mut out = Writer::default();
    out.record(COLUMNS.iter().copied());
    for report in reports {
        let start = start(report);
        let mut write = |charge: Charge| {
            let cells: Vec<String> = COLUMNS.iter().map(|column| charge.cell(column)).collect();
            out.record(cells.iter().map(String::as_str));
        };
        for (index, row) in report.ledger.iter().enumerate() {
            let footprint = carries(report, index).map(|stage| footprint(report, stage));
            let bill = Bill { report, row, start, footprint };
            bill.usage().for_each(&mut write);
            if bill.is_bought_apart() {
                bill.purchases().for_each(&mut write);
            }
        }
        for row in &report.purchases {
            let bill = Bill { report, row, start, footprint: None };
            bill.purchases().for_each(&mut write);
        }
    }
    Ok(out.text())
}

/// Refuses a forecast with a charge that has no cost, and one without any.
fn billed(report: &Report) -> Result<()> {
    let unknown = |row: &&ledger::Row| {
        row.amount.is_none() || row.paid.iter().any(|(_, paid)| paid.is_none())
    };
    let rows = report.ledger.iter().chain(&report.purchases);
    let path = match rows.clone().find(unknown) {
        Some(row) => row.path(),
        None if report.ledger.is_empty() => Key::from(Id::TotalCost).path(),
        None => return Ok(()),
    };
    let name = &report.name;
    let error = Error::input(format!("{name}: {path} is unknown, and a bill needs every charge"));
    let mut figures = report.figures.iter().filter(|it| it.key.id == Id::TotalCost);
    let why = figures.find_map(|it| Some(it.unknown()?.why.clone()));
    let usual = "name a provider that sells its devices, or give a price";
    Err(error.hint(why.unwrap_or_else(|| usual.to_owned())))
}

/// The first day of the month in which the scenario starts: of the run, where the scenario says
/// so, else of the month after the newest price.
fn start(report: &Report) -> NaiveDate {
    let newest = report.dates.iter().filter_map(|(_, date)| date.parse::<NaiveDate>().ok()).max();
    let next = newest.and_then(|date| date.checked_add_months(Months::new(1)));
    let date = report.start.or(next).unwrap_or_default();
    date.with_day(1).unwrap_or(date)
}

/// The stage whose energy and carbon the row carries; `None` unless it is the first row of the
/// stage's devices.
fn carries(report: &Report, index: usize) -> Option<Stage> {
    let devices =
        |row: &ledger::Row| matches!(row.entry.resource, Resource::Compute | Resource::Hardware);
    let row = &report.ledger[index];
    let first = report
        .ledger
        .iter()
        .position(|other| devices(other) && other.entry.stage == row.entry.stage)?;
    (first == index).then_some(row.entry.stage)
}

/// Facility energy in kWh and location-based CO2e in kg of a stage.
fn footprint(report: &Report, stage: Stage) -> [Option<f64>; 2] {
    let value = |figure: Id| report.figure(figure.at(stage.into()))?.value();
    [Id::FacilityEnergy, Id::LocationCo2e].map(value)
}

/// True of a commitment to a spend by the hour, not to usage.
fn spends(plan: Option<Purchase>) -> bool {
    plan.is_some_and(|plan| plan.kind() == "savings-plan")
}

/// What a row of the ledger is charged for.
#[derive(Clone, Copy)]
struct Bill<'a> {
    report: &'a Report,
    row: &'a ledger::Row,
    start: NaiveDate,
    /// Energy and carbon of the stage, in the row that carries them.
    footprint: Option<[Option<f64>; 2]>,
}

/// One charge of it: usage of a month, or a payment for what is used at other times.
struct Charge<'a> {
    bill: Bill<'a>,
    month: u32,
    /// What is paid in this month.
    billed: Option<f64>,
    /// What it costs, as an expense of this month.
    cost: Option<f64>,
    /// The part of the row's quantity that is used; `None` of a payment.
    used: Option<f64>,
}

impl<'a> Bill<'a> {
    /// A charge for each month of use. One that is not known has no cost, and its description says
    /// so; how much is used is known all the same.
    fn usage(self) -> impl Iterator<Item = Charge<'a>> {
        let apart = self.is_bought_apart();
        let used = self.row.entry.period.by_month(1.0);
        self.row.by_month.iter().zip(used).map(move |((month, cost), (_, used))| {
            let billed = if apart { Some(0.0) } else { *cost };
            Charge { bill: self, month: *month, billed, cost: *cost, used: Some(used) }
        })
    }

    /// A charge for each payment of something.
    fn purchases(self) -> impl Iterator<Item = Charge<'a>> {
        let paid = self.row.paid.iter().filter(|(_, billed)| *billed != Some(0.0));
        let charge = move |(month, billed): &(u32, Option<f64>)| Charge {
            bill: self,
            month: *month,
            billed: *billed,
            cost: Some(0.0),
            used: None,
        };
        paid.map(charge)
    }

    /// True if usage and payments are rows of their own.
    fn is_bought_apart(self) -> bool {
        let Self { row, .. } = self;
        let even: Vec<_> = row.entry.period.by_month(1.0).collect();
        row.entry.kind == Kind::Capex || self.commitment().is_some() || row.shares != even
    }

    /// True of machines that are rented.
    fn is_machine(self) -> bool {
        matches!(
            self.row.entry.resource,
            Resource::Compute
                | Resource::Host
                | Resource::UnusedCommitment
                | Resource::LentCommitment
        )
    }

    /// The plan that commits to a term of years, where the row is of one.
    fn commitment(self) -> Option<Purchase> {
        let of_row = |plan: &Purchase| plan.name() == self.row.entry.detail;
        let plan = Purchase::ALL.into_iter().find(of_row).filter(|_| self.is_machine())?;
        plan.years().map(|_| plan)
    }
}

impl Charge<'_> {
    /// The text of a column; empty where the column does not apply or the figure is unknown.
    fn cell(&self, column: &str) -> String {
        if let Some(told) = self.used.is_none().then(|| self.purchase(column)).flatten() {
            return told;
        }
        let Bill { report, row, footprint, .. } = self.bill;
        let entry = &row.entry;
        let part = |whole: Option<f64>| Some(decimal(whole? * self.used?));
        let text = |amount: Option<f64>| amount.map(decimal).unwrap_or_default();
        let seller = self.bill.seller();
        let machine = self.bill.is_machine();
        let committed = self.bill.commitment();
        let [contracted, list] = prices(seller.filter(|_| machine));
        match column {
            "BilledCost" => text(self.billed),
            "EffectiveCost" => text(self.cost),
            "ContractedCost" => text(self.cost.map(|it| it * contracted)),
            "ListCost" => text(self.cost.map(|it| it * list)),
            "CommitmentDiscountId" | "CommitmentDiscountName" => {
                let of = seller.map_or_else(String::new, |it| format!(".{}", it.sku));
                committed.map_or_else(String::new, |plan| format!("{}{of}", plan.name()))
            }
            // A savings plan commits to a spend, a reservation to usage.
            "CommitmentDiscountCategory" if committed.is_some() => {
                if spends(committed) { "Spend" } else { "Usage" }.to_owned()
            }
            "CommitmentDiscountType" if committed.is_some() => {
                if spends(committed) { "Savings Plan" } else { "Reservation" }.to_owned()
            }
            "CommitmentDiscountStatus" if committed.is_some() => {
                let unused = entry.resource == Resource::UnusedCommitment;
                if unused { "Unused" } else { "Used" }.to_owned()
            }
            "CommitmentDiscountQuantity" if spends(committed) => text(self.cost),
            "CommitmentDiscountUnit" if spends(committed) => "USD".to_owned(),
            "CommitmentDiscountQuantity" if committed.is_some() => {
                part(row.quantity.as_ref().map(|(quantity, _)| *quantity)).unwrap_or_default()
            }
            "CommitmentDiscountUnit" if committed.is_some() => {
                row.quantity.as_ref().map_or(String::new(), |(_, unit)| focus_unit(unit))
            }
            "BillingAccountId" | "SubAccountId" => "forecast".to_owned(),
            "BillingAccountName" | "SubAccountName" => report.name.clone(),
            "BillingCurrency" => "USD".to_owned(),
            "BillingPeriodStart" | "ChargePeriodStart" => self.bill.date(self.month),
            "BillingPeriodEnd" | "ChargePeriodEnd" => self.bill.date(self.month + 1),
            "ChargeCategory" | "ChargeType" => "Usage".to_owned(),
            "ChargeDescription" => {
                let unknown = if self.cost.is_none() { ": unknown" } else { "" };
                format!("forecast: {}, {}{unknown}", entry.stage.label(), entry.label())
            }
            "ChargeFrequency" => "Usage-Based".to_owned(),
            "ConsumedQuantity" | "PricingQuantity" => {
                part(row.quantity.as_ref().map(|(quantity, _)| *quantity)).unwrap_or_default()
            }
            "ConsumedUnit" | "PricingUnit" => {
                row.quantity.as_ref().map_or(String::new(), |(_, unit)| focus_unit(unit))
            }
            "ContractedUnitPrice" => text(row.unit_price.map(|it| it * contracted)),
            "ListUnitPrice" => text(row.unit_price.map(|it| it * list)),
            "InvoiceIssuerName" | "ProviderName" | "PublisherName" | "InvoiceIssuer"
            | "Provider" | "Publisher" => seller.map_or_else(
                || "flopcast".to_owned(),
                |it| {
                    known(it).map_or_else(|| it.provider.clone(), |(_, name, _)| (*name).to_owned())
                },
            ),
            "RegionId" | "RegionName" => {
                seller.and_then(|it| it.region.clone()).unwrap_or_default()
            }
            "PricingCategory" if committed.is_some() => "Committed".to_owned(),
            "PricingCategory" if machine && entry.detail == Purchase::Spot.name() => {
                "Dynamic".to_owned()
            }
            "PricingCategory" => "Standard".to_owned(),
            "SkuId" if machine && seller.is_some() => {
                seller.map_or_else(String::new, |it| it.sku.clone())
            }
            "SkuPriceId" if machine && seller.is_some() => seller.map_or_else(String::new, |it| {
                let region = it.region.as_deref().unwrap_or("any");
                format!("{}.{}.{region}", it.sku, it.tariff)
            }),
            "ResourceId" | "ResourceID" | "SkuId" | "SkuPriceId" => row.path(),
            "ResourceName" => entry.label(),
            "ServiceCategory" => category(entry.resource).to_owned(),
            "ServiceName" if machine => seller
                .and_then(known)
                .map_or(entry.resource.label(), |(_, _, service)| *service)
                .to_owned(),
            "ResourceType" | "ServiceName" => entry.resource.label().to_owned(),
            "ServiceSubcategory" => subcategory(entry.resource).to_owned(),
            "Tags" => json!({ "scenario": report.name, "stage": entry.stage.label() }).to_string(),
            "x_Forecast" => "true".to_owned(),
            "x_Stage" => entry.stage.label(),
            "x_Kind" => entry.kind.name().to_owned(),
            "x_EnergyKwh" => footprint.and_then(|[energy, _]| part(energy)).unwrap_or_default(),
            "x_Co2eKgLocation" => footprint.and_then(|[_, mass]| part(mass)).unwrap_or_default(),
            _ => String::new(),
        }
    }

    /// What is another in a payment than in usage.
    fn purchase(&self, column: &str) -> Option<String> {
        let Bill { row, .. } = self.bill;
        let entry = &row.entry;
        Some(match column {
            "ChargeCategory" | "ChargeType" => "Purchase".to_owned(),
            "ChargeFrequency" if row.paid.len() == 1 => "One-Time".to_owned(),
            "ChargeFrequency" => "Recurring".to_owned(),
            "ChargeDescription" => {
                let unknown = if self.billed.is_none() { ": unknown" } else { "" };
                format!("forecast: {}, {}, payment{unknown}", entry.stage.label(), entry.label())
            }
            "ContractedCost" | "ListCost" | "ContractedUnitPrice" | "ListUnitPrice" => {
                self.billed.map(decimal).unwrap_or_default()
            }
            "PricingQuantity" => decimal(1.0),
            "PricingUnit" => "Units".to_owned(),
            "ConsumedQuantity"
            | "ConsumedUnit"
            | "CommitmentDiscountStatus"
            | "CommitmentDiscountQuantity"
            | "CommitmentDiscountUnit" => String::new(),
            _ => return None,
        })
    }
}

impl<'a> Bill<'a> {
    /// The provider that the row is paid to: that of its tariff, for other rows of a stage the
    /// stage's. Owned hardware and staff are paid to none.
    fn seller(self) -> Option<&'a Seller> {
        let entry = &self.row.entry;
        let rented = !matches!(entry.kind, Kind::Capex) && entry.resource != Resource::Staff;
        let lent = entry.resource == Resource::LentCommitment;
        let stage = if lent { Stage::Training } else { entry.stage };
        let of_stage = |seller: &&Seller| match (seller.stage, stage) {
            (Stage::Serving(from), Stage::Serving(year)) => from <= year,
            (mine, other) => mine == other,
        };
        let mine = self.report.sellers.iter().filter(|seller| seller.part == self.row.part);
        let mut all = mine.filter(of_stage).rev();
        let exact = all.clone().find(|seller| seller.tariff == entry.detail);
        exact.or_else(|| all.next()).filter(|_| rented)
    }

    /// The first moment of a month, counted from the start, in RFC 3339.
    fn date(&self, month: u32) -> String {
        let day = self.start.checked_add_months(Months::new(month)).unwrap_or(self.start);
        format!("{day}T00:00:00Z")
    }
}

/// The contracted and the list price as multiples of the price paid: without the discount of a
/// commitment, and without the negotiated one as well.
fn prices(seller: Option<&Seller>) -> [f64; 2] {
    let (list, discount) = seller.map_or((1.0, 0.0), |it| (it.list, it.discount));
    // Nothing is left of a price to tell the list's from.
    [list, if discount < 1.0 { list / (1.0 - discount) } else { list }]
}

/// The provider's row of [`PROVIDERS`].
fn known(seller: &Seller) -> Option<&'static (&'static str, &'static str, &'static str)> {
    PROVIDERS.iter().find(|(id, ..)| *id == seller.provider)
}

/// A decimal with its point, also if it is whole, with 14 significant digits so that errors of
/// rounding do not show.
fn decimal(value: f64) -> String {
    let rounded = format!("{value:.13e}").parse().unwrap_or(value);
    format!("{rounded:?}")
}

/// The unit in the words of FOCUS: `Hours`, `GB-Months`.
fn focus_unit(unit: &str) -> String {
    match unit {
        "" => "Units".to_owned(),
        "device-h" => "Device-Hours".to_owned(),
        "instance-h" => "Hours".to_owned(),
        "GB-month" => "GB-Months".to_owned(),
        other => other.to_owned(),
    }
}

/// The service category of FOCUS that a resource belongs to.
fn category(resource: Resource) -> &'static str {
    match resource {
        Resource::Storage => "Storage",
        Resource::Egress => "Networking",
        Resource::Staff => "Other",
        Resource::Compute
        | Resource::Host
        | Resource::UnusedCommitment
        | Resource::LentCommitment => "Compute",
        _ => "AI and Machine Learning",
    }
}

/// The subcategory, whose names FOCUS 1.1 gives within each category.
fn subcategory(resource: Resource) -> &'static str {
    match resource {
        Resource::Storage => "Other (Storage)",
        Resource::Egress => "Other (Networking)",
        Resource::Staff => "Other (Other)",
        Resource::Compute
        | Resource::Host
        | Resource::UnusedCommitment
        | Resource::LentCommitment => "Virtual Machines",
        _ => "Other (AI and Machine Learning)",
    }
}
