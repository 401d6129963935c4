//! Energy and carbon row by row, the basis and the scope of the carbon figures, and the best start.

use std::sync::Arc;

use flopcast_core::catalog::GridBasis;
use flopcast_core::estimate::{Estimate, Figure};
use flopcast_core::ledger::footprint::{Account, Footprint};
use flopcast_core::ledger::line::Stage;
use flopcast_core::ledger::plan::Scope;
use flopcast_core::provenance::Value;
use flopcast_core::quantity::text::{convert, number};
use flopcast_core::quantity::{Co2eMass, Measure};
use serde_json::{Value as Json, json};

use super::Report;
use super::fact::{self, Fact};
use super::ledger::labelled;
use crate::doc::{Cell, Column, Grid};

/// A row of energy, of CO2e, or of both, with its stage.
#[derive(Clone, Debug)]
pub struct Row {
    /// The service or region that it is of, where there are several.
    pub part: Option<Arc<str>>,
    stage: Stage,
    account: Account,
}

/// The rows of every stage. Energy adds up to facility energy; CO2e of electricity to the
/// location-based figure; that of devices and servers to the embodied one.
pub fn rows(estimate: &Estimate) -> Vec<Row> {
    let training = estimate.training.iter().map(|t| (Stage::Training, &t.footprint));
    let years = estimate.inference.iter().flat_map(|inference| &inference.years);
    let serving = years.map(|year| (Stage::Serving(year.year), &year.footprint));
    let row = |stage| move |account| Row { part: None, stage, account };
    training
        .chain(serving)
        .flat_map(|(stage, footprint)| footprint.accounts().into_iter().map(row(stage)))
        .collect()
}

/// A row for programs, energy in kWh and CO2e in kg; `null` is unknown, a missing key does not
/// apply.
pub fn json(row: &Row) -> Json {
    let Row { part, stage, account } = row;
    let mut out = json!({"stage": stage.path(), "item": account.item});
    if let Some(part) = part {
        out["part"] = json!(**part);
    }
    if !account.energy.is_absent() {
        out["energy_kwh"] = json!(value(&account.energy, "kWh"));
    }
    if !account.location.is_absent() {
        out["co2e_kg_location"] = json!(value(&account.location, "kgCO2e"));
    }
    if let Some([low, mid, high]) = &account.embodied {
        let kg = |mass| value(mass, "kgCO2e");
        out["co2e_kg_embodied"] = json!({"low": kg(low), "mid": kg(mid), "high": kg(high)});
    }
    out
}

/// A known figure in a unit.
fn value<Q: Measure>(figure: &Value<Q>, unit: &str) -> Option<f64> {
    figure.known().map(|figure| convert(figure.value().stored(), unit))
}

/// The rows as a table, masses in one unit; later years of service are like the first.
pub(super) fn grid(report: &Report) -> Grid {
    let unit = report.figures.iter().find_map(Figure::mass_unit).unwrap_or("kgCO2e");
    let rows = &report.footprint;
    let mass = |figure: &Value<Co2eMass>| {
        cell(figure, |mass| {
            let stored = mass.stored();
            Cell::shown(stored, format!("{} {unit}", number(convert(stored, unit))))
        })
    };
    let words = ["stage", "item"].map(Column::words);
    let numbers = ["energy", "location", "embodied"].map(Column::numbers);
    let mut grid = Grid::new(words.into_iter().chain(numbers));
    for Row { part, stage, account } in rows.iter().filter(|row| row.stage <= Stage::Serving(1)) {
        let mid = account.embodied.as_ref().map(|[_, mid, _]| mid);
        grid.push([
            Cell::text(labelled(part.as_ref(), *stage)),
            Cell::text(&account.item),
            cell(&account.energy, Cell::quantity),
            mass(&account.location),
            mid.map_or(Cell::Blank, mass),
        ]);
    }
    grid
}

/// A figure as a cell: blank where it does not apply, unknown where it is.
fn cell<Q: Measure>(figure: &Value<Q>, known: impl Fn(Q) -> Cell) -> Cell {
    match figure {
        Value::Absent => Cell::Blank,
        Value::Known(figure) => known(figure.value()),
        Value::Unknown(_) | Value::Never(_) => Cell::Unknown,
    }
}

/// The basis and scope of each stage's carbon figures, and the best start.
pub fn facts(estimate: &Estimate, facts: &mut Vec<Fact>) {
    let mut say = |declared, value| facts.push(Fact { declared, value });
    if let Some(training) = &estimate.training {
        let footprint = &training.footprint;
        say(fact::CO2E_BASIS, json!(footprint.basis.name()));
        if let Some(vintage) = footprint.vintage {
            say(fact::GRID_YEAR, json!(vintage.words()));
        }
        if let Some(scope) = scope(footprint) {
            say(fact::CO2E_SCOPE, json!(scope));
        }
        if let Some(Ok(start)) = &training.best_start {
            let [planned, best] =
                [start.planned, start.best].map(|at| format!("{} UTC", at.format("%F %H:%M")));
            say(fact::PLANNED_START, json!(planned));
            say(fact::BEST_START, json!(best));
            say(fact::PROFILE_YEAR, json!(start.profile_year));
        }
    }
    let year = estimate.inference.as_ref().and_then(|inference| inference.years.first());
    if let Some(year) = year {
        say(fact::SERVING_BASIS, json!(year.footprint.basis.name()));
        if let Some(vintage) = year.footprint.vintage {
            say(fact::SERVING_GRID_YEAR, json!(vintage.words()));
        }
        if let Some(scope) = scope(&year.footprint) {
            say(fact::SERVING_SCOPE, json!(scope));
        }
    }
}

/// The scope of the GHG Protocol in words; `None` if nobody says who owns the devices.
fn scope(footprint: &Footprint) -> Option<&'static str> {
    Some(match (footprint.scope?, footprint.basis) {
        (Scope::Two, GridBasis::LifeCycle) => {
            "scope 2, with the upstream fuel of scope 3 category 3 in the life-cycle factor; embodied: \
             scope 3 category 2, capital goods"
        }
        (Scope::Two, _) => {
            "scope 2; upstream fuel: scope 3 category 3; embodied: scope 3 category 2, capital goods"
        }
        (Scope::Three, _) => "scope 3 category 1, purchased services: a rented cloud",
    })
}
