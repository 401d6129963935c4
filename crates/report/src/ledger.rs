//! The rows of the ledger for documents: quantity and unit price in units that suit them, the basis
//! of the price, and the amount by month.

use std::sync::Arc;

use flopcast_core::estimate::Estimate;
use flopcast_core::estimate::cash::Payments;
use flopcast_core::estimate::plan::Scenario;
use flopcast_core::ledger::line::{Entry, Line, Stage};
use flopcast_core::provenance::{Basis, Expr, Step};
use flopcast_core::quantity::text::{convert, fitting, number};
use flopcast_core::quantity::{Measure, Money};
use flopcast_study::commitment::Commitment;
use serde_json::{Value, json};

use crate::doc::{Cell, Column, Grid};

/// A row of the ledger, ready to be shown.
#[derive(Clone, Debug)]
pub struct Row {
    /// The service or region that it is of, where there are several.
    pub part: Option<Arc<str>>,
    /// The resource, its stage and its period.
    pub entry: Entry,
    /// Number and unit of the quantity; `None` where it is unknown.
    pub quantity: Option<(f64, String)>,
    /// USD per that unit.
    pub unit_price: Option<f64>,
    /// The amount in USD; `None` where it is unknown.
    pub amount: Option<f64>,
    /// USD by month from the start of the scenario, as an expense.
    pub by_month: Vec<(u32, Option<f64>)>,
    /// USD by month, as it is paid; nothing for amortisation, whose hardware is bought.
    pub paid: Vec<(u32, Option<f64>)>,
    /// The shares of the amount that are paid by month; of an amount of nothing too.
    pub shares: Vec<(u32, f64)>,
    /// The sources of the unit price, for the page and the JSON.
    pub basis: Vec<String>,
    /// The derivations of quantity and unit price, for the workbook.
    pub steps: Option<(Arc<Step>, Arc<Step>)>,
}

/// The rows of an estimate that was made with explanations, stage by stage.
pub fn rows(scenario: &Scenario, estimate: &Estimate) -> Vec<Row> {
    let mut rows: Vec<Row> = estimate.money().map(Row::new).collect();
    for (row, paid) in rows.iter_mut().zip(estimate.payments(scenario)) {
        row.pay(&paid);
    }
    rows.sort_by_key(|row| row.entry.stage);
    rows
}

impl Row {
    /// A row of an estimate whose inputs recorded, paid when it is an expense.
    pub fn new(line: &Line<Money>) -> Self {
        let quantity = line.quantity.as_ref().map(|step| fitting(step.value, step.dimension));
        let unit_price =
            line.unit_price.as_ref().zip(quantity.as_ref()).map(|(step, (_, unit))| {
                // USD per stored unit; a plain number has none.
                if unit.is_empty() { step.value } else { step.value / convert(1.0, unit) }
            });
        let basis = line.unit_price.as_ref().map(sources).unwrap_or_default();
        let by_month: Vec<_> = line
            .by_month()
            .into_iter()
            .map(|(month, part)| (month, part.map(Measure::stored)))
            .collect();
        let mut row = Self {
            part: None,
            entry: line.entry,
            quantity,
            unit_price,
            amount: line.amount.known().map(|amount| amount.value().stored()),
            paid: Vec::new(),
            shares: Vec::new(),
            by_month,
            basis,
            steps: line.quantity.clone().zip(line.unit_price.clone()),
        };
        row.pay(&Payments::even(line));
        row
    }

    /// Sets when it is paid.
    fn pay(&mut self, payments: &Payments) {
        let in_usd = |(month, part): (u32, Option<Money>)| (month, part.map(Measure::stored));
        self.paid = payments.by_month().map(in_usd).collect();
        self.shares.clone_from(&payments.shares);
    }

    /// Its name in lists: stage, resource and detail, as `training.compute.on-demand`.
    pub fn path(&self) -> String {
        let Entry { stage, resource, detail, .. } = self.entry;
        let dot = if detail.is_empty() { "" } else { "." };
        let part = self.part.as_ref().map_or(String::new(), |part| format!("{part}."));
        format!("{part}{}.{}{dot}{detail}", stage.path(), resource.key())
    }

    /// Its stage as people read it, after the part that it is of.
    pub fn stage(&self) -> String {
        labelled(self.part.as_ref(), self.entry.stage)
    }
}

/// The rows as a table, in the order of the stages.
pub(super) fn grid(rows: &[Row]) -> Grid {
    let words = ["stage", "item"].map(Column::words);
    let numbers = ["quantity", "USD each", "USD"].map(Column::numbers);
    let mut grid = Grid::new(words.into_iter().chain(numbers));
    for row in rows {
        let quantity = row.quantity.as_ref();
        grid.push([
            Cell::text(row.stage()),
            Cell::text(row.entry.label()),
            quantity.map_or(Cell::Blank, |(value, unit)| {
                Cell::shown(*value, format!("{} {unit}", number(*value)))
            }),
            row.unit_price.into(),
            row.amount.into(),
        ]);
    }
    grid
}

/// The row with its keys as in the JSON of an estimate.
pub(super) fn json(row: &Row) -> Value {
    let Entry { stage, resource, detail, kind, period } = row.entry;
    let (quantity, unit) = row.quantity.clone().unzip();
    let mut told = json!({
        "stage": stage.path(),
        "resource": resource.key(),
        "detail": detail,
        "quantity": quantity,
        "unit": unit,
        "unit_price_usd": row.unit_price,
        "amount_usd": row.amount,
        "month": period.month(),
        "months": period.months(),
        "kind": kind.name(),
        "basis": row.basis,
    });
    if let Some(part) = &row.part {
        told["part"] = json!(**part);
    }
    told
}

/// A stage as people read it, after the part that it is of.
pub(super) fn labelled(part: Option<&Arc<str>>, stage: Stage) -> String {
    part.map_or_else(|| stage.label(), |part| format!("{part}, {}", stage.label()))
}

/// The worth of commitments, in words.
pub(super) fn commitments(commitments: &[Commitment]) -> Vec<String> {
    let worth = |Commitment { plan, price_ratio, share, saving }: &Commitment| {
        format!(
            "{} costs {} of on-demand: worth it for {} % of the peak's devices if the others are \
             rented by the hour, and then {} % below all on demand",
            plan.name(),
            number(*price_ratio),
            number((100.0 * share.get()).round()),
            number((100.0 * saving.get()).round())
        )
    };
    commitments.iter().map(worth).collect()
}

/// The worth of a commitment, with its keys as in the JSON of an estimate.
pub(super) fn commitment(commitment: &Commitment) -> Value {
    let Commitment { plan, price_ratio, share, saving } = commitment;
    json!({
        "plan": plan.name(),
        "price_ratio": price_ratio,
        "best_share_of_peak": share.get(),
        "saving_against_on_demand": saving.get(),
    })
}

/// The basis of a price: the bases of the inputs that it is computed from.
fn sources(step: &Arc<Step>) -> Vec<String> {
    let mut found = Vec::new();
    for leaf in Step::leaves([step]) {
        match &leaf.how {
            Expr::Leaf(Basis::Derived { .. }) => {}
            Expr::Leaf(basis) => {
                let basis = basis.to_string();
                if !found.contains(&basis) {
                    found.push(basis);
                }
            }
            _ => {}
        }
    }
    found
}
