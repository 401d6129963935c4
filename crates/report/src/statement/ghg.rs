//! The emissions by the scopes and categories of the GHG Protocol, and in the tables of ESRS E1
//! (Delegated Regulation (EU) 2023/2772: E1-5 energy, E1-6 gross scopes 1, 2, 3 and total).
//!
//! Who owns the devices decides the rows: electricity of owned ones is scope 2 and their making
//! category 2; of rented ones both are category 1, purchased services. Location-based and
//! market-based stand side by side and are never added. An unknown amount stays unknown, and so is
//! the total that it enters.

use std::borrow::Cow;

use flopcast_core::catalog::GridBasis;
use flopcast_core::diagnostic::Result;
use flopcast_core::estimate::{Estimate, Figure};
use flopcast_core::ledger::footprint::Footprint;
use flopcast_core::ledger::line::Stage;
use flopcast_core::ledger::plan::{Scope, Vintage};
use flopcast_core::provenance::{Traced, Value};
use flopcast_core::quantity::text::{convert, number};
use flopcast_core::quantity::{Co2eMass, Energy, Measure};

use super::{VERSION, single};
use crate::Report;
use crate::doc::{Block, Cell, Column, Doc, Grid};
use crate::render::markdown;

/// What a stage emits, as far as the scopes need it.
#[derive(Clone, Debug)]
pub struct Emitted {
    stage: Stage,
    scope: Option<Scope>,
    basis: GridBasis,
    vintage: Option<Vintage>,
    energy: Value<Energy>,
    location: Value<Co2eMass>,
    market: Value<Co2eMass>,
    upstream: Value<Co2eMass>,
    embodied: Value<Co2eMass>,
}

/// The stages of a forecast: the training, and each year of service.
pub fn emitted(estimate: &Estimate) -> Vec<Emitted> {
    let of = |(stage, it): (Stage, &Footprint)| Emitted {
        stage,
        scope: it.scope,
        basis: it.basis,
        vintage: it.vintage,
        energy: it.facility.clone(),
        location: it.location.clone().map(Traced::retype),
        market: it.market.clone().map(Traced::retype),
        upstream: it.upstream.clone(),
        embodied: it.embodied[1].total.clone(),
    };
    let training = estimate.training.iter().map(|it| (Stage::Training, &it.footprint));
    let years = estimate.inference.iter().flat_map(|it| &it.years);
    training.chain(years.map(|it| (Stage::Serving(it.year), &it.footprint))).map(of).collect()
}

impl Emitted {
    /// A part where the devices are owned, rented, or nobody says which.
    fn where_scope(&self, scope: Option<Scope>, part: &Value<Co2eMass>) -> Value<Co2eMass> {
        if self.scope == scope { part.clone() } else { Value::Absent }
    }

    /// Electricity by one view, with the upstream of its fuels where that is apart, and the making
    /// of the devices.
    fn whole(&self, electricity: &Value<Co2eMass>) -> Value<Co2eMass> {
        Value::sum([electricity.clone(), self.upstream.clone(), self.embodied.clone()])
    }
}

/// The two views of electricity.
#[derive(Clone, Copy, PartialEq, Eq)]
enum View {
    Location,
    Market,
    /// Of both.
    Both,
}

/// A row of the tables.
struct Row {
    label: &'static str,
    view: View,
    read: Read,
}

/// How an amount is read off a stage.
type Read = fn(&Emitted) -> Value<Co2eMass>;

/// The owner of the devices, as the rows ask for it.
const OWNED: Option<Scope> = Some(Scope::Two);
/// Rented devices.
const RENTED: Option<Scope> = Some(Scope::Three);

/// The rows of what is forecast, in the order of the standards. Scope 1 is no row: nothing that
/// burns or leaks on a site is forecast.
static ROWS: [Row; 8] = [
    Row {
        label: "Scope 2, location-based",
        view: View::Location,
        read: |it| it.where_scope(OWNED, &it.location),
    },
    Row {
        label: "Scope 2, market-based",
        view: View::Market,
        read: |it| it.where_scope(OWNED, &it.market),
    },
    Row {
        label: "Scope 3, category 1, cloud computing services, location-based",
        view: View::Location,
        read: |it| it.where_scope(RENTED, &it.whole(&it.location)),
    },
    Row {
        label: "Scope 3, category 1, cloud computing services, market-based",
        view: View::Market,
        read: |it| it.where_scope(RENTED, &it.whole(&it.market)),
    },
    Row {
        label: "Scope 3, category 2, capital goods: making of the devices",
        view: View::Both,
        read: |it| it.where_scope(OWNED, &it.embodied),
    },
    Row {
        label: "Scope 3, category 3, fuel- and energy-related: upstream",
        view: View::Both,
        read: |it| it.where_scope(OWNED, &it.upstream),
    },
    Row {
        label: "Scope 2 or 3, nobody says who owns the devices, location-based",
        view: View::Location,
        read: |it| it.where_scope(None, &it.whole(&it.location)),
    },
    Row {
        label: "Scope 2 or 3, nobody says who owns the devices, market-based",
        view: View::Market,
        read: |it| it.where_scope(None, &it.whole(&it.market)),
    },
];

/// The sum of the rows of one view.
fn total(emitted: &Emitted, view: View) -> Value<Co2eMass> {
    let rows = ROWS.iter().filter(|row| row.view == view || row.view == View::Both);
    Value::sum(rows.map(|row| (row.read)(emitted)))
}

/// A named group of stages: a column.
type Group<'a> = (Cow<'static, str>, Vec<&'a Emitted>);

/// Training, service, and both together; one column where there is but one.
fn in_all(all: &[Emitted]) -> Vec<Group<'_>> {
    let (training, service): (Vec<_>, Vec<_>) =
        all.iter().partition(|it| it.stage == Stage::Training);
    let both = !training.is_empty() && !service.is_empty();
    let mut groups: Vec<Group<'_>> =
        vec![("training".into(), training), ("service".into(), service)];
    groups.retain(|(_, stages)| !stages.is_empty());
    if both {
        groups.push(("together".into(), all.iter().collect()));
    }
    groups
}

/// Each stage over all parts: a year of service is one, wherever its requests are answered.
fn by_stage(all: &[Emitted]) -> Vec<Group<'_>> {
    let mut groups: Vec<(Stage, Vec<&Emitted>)> = Vec::new();
    for it in all {
        match groups.iter_mut().find(|(stage, _)| *stage == it.stage) {
            Some((_, stages)) => stages.push(it),
            None => groups.push((it.stage, vec![it])),
        }
    }
    groups.into_iter().map(|(stage, stages)| (stage.label().into(), stages)).collect()
}

/// A table of amounts: a row per label, a column per group of stages.
fn table(heading: &str, groups: &[Group<'_>], rows: &[(&str, Read)], unit: &'static str) -> Grid {
    let numbers = groups.iter().map(|(name, _)| Column::numbers(format!("{name}, {unit}")));
    let mut grid = Grid::new([Column::prose(heading)].into_iter().chain(numbers));
    grid.push(
        std::iter::once(Cell::text("Scope 1, direct"))
            .chain(groups.iter().map(|_| Cell::text("not forecast"))),
    );
    for (label, read) in rows {
        let amounts: Vec<_> =
            groups.iter().map(|(_, of)| Value::sum(of.iter().map(|it| read(it)))).collect();
        if amounts.iter().any(|amount| !amount.is_absent()) {
            grid.push(
                std::iter::once(Cell::text(*label)).chain(amounts.iter().map(|it| mass(it, unit))),
            );
        }
    }
    grid
}

/// A mass in a unit; `none` where the stage has no such row.
fn mass(amount: &Value<Co2eMass>, unit: &str) -> Cell {
    match amount {
        Value::Absent => Cell::text("none"),
        Value::Known(mass) => {
            let mass = convert(mass.value().stored(), unit);
            Cell::shown(mass, number(mass))
        }
        Value::Unknown(_) | Value::Never(_) => Cell::Unknown,
    }
}

/// The rows with the totals of both views.
fn rows() -> Vec<(&'static str, Read)> {
    let location: Read = |it| total(it, View::Location);
    let market: Read = |it| total(it, View::Market);
    let totals =
        [("Total of these, location-based", location), ("Total of these, market-based", market)];
    ROWS.iter().map(|row| (row.label, row.read)).chain(totals).collect()
}

/// The emissions by scope and category, in the unit of the document's masses.
pub(crate) fn by_scope(report: &Report) -> Grid {
    let unit = report.figures.iter().find_map(Figure::mass_unit).unwrap_or("kgCO2e");
    let mut grid = table("GHG Protocol", &in_all(&report.emitted), &rows(), unit);
    // Scope 1 alone says nothing.
    if grid.rows.len() <= 1 {
        grid.rows.clear();
    }
    grid
}

/// What the amounts contain, and what they do not, one remark each.
pub(crate) fn remarks(report: &Report) -> Vec<String> {
    let all = &report.emitted;
    let mut out = Vec::new();
    let mut say = |remark: String| {
        if !out.contains(&remark) {
            out.push(remark);
        }
    };
    for it in all {
        let stage = if it.stage == Stage::Training { "training" } else { "service" };
        let year = it.vintage.map_or_else(
            || "given by the scenario".to_owned(),
            |vintage| format!("of {}", vintage.words()),
        );
        if it.vintage.is_some() || it.location.unknown().is_none() {
            say(format!("Grid of the {stage}: {} intensity, {year}.", it.basis.name()));
        }
        if let Some(unknown) = it.market.unknown() {
            say(format!("Market-based CO2e of the {stage} is unknown: {}.", unknown.why));
        }
        if let Some(unknown) = it.location.unknown() {
            say(format!("Location-based CO2e of the {stage} is unknown: {}.", unknown.why));
        }
    }
    let mixes = report.inputs.iter().filter_map(|step| step.name.as_deref());
    for mix in mixes.filter_map(|name| name.split_once("residual_mix, ")) {
        say(format!("Market-based CO2e rests on the residual mix {}.", mix.1));
    }
    if all.iter().any(|it| it.basis == GridBasis::LifeCycle && it.scope == OWNED) {
        say("A life-cycle intensity holds the upstream of fuels and plants, which is category 3: \
             `grid_basis: direct` tells scope 2 apart from it."
            .to_owned());
    }
    if all.iter().any(|it| it.scope == OWNED) {
        say("Category 2 has the part of the making that falls to this use; the GHG Protocol counts \
             capital goods whole in the year in which they are bought."
            .to_owned());
    }
    say("Not forecast, so not in the total: scope 1 (generators, refrigerants), losses of \
         transmission and distribution, staff, networks outside the site, the end of life."
        .to_owned());
    out
}

/// The tables as Markdown.
///
/// # Errors
/// If there are several scenarios.
pub fn statement(reports: &[Report]) -> Result<String> {
    let report = single(reports, "the statement")?;
    let mut doc = Doc::titled(format!("Greenhouse gases of {}", report.name));
    doc.push(Block::Text(format!(
        "A forecast by flopcast {VERSION} in the tables of the GHG Protocol and of ESRS E1 \
         (Delegated Regulation (EU) 2023/2772), before the fact: no measured inventory."
    )));
    doc.section("GHG Protocol, scopes and categories", by_scope(report));
    let stages = by_stage(&report.emitted);
    doc.section(
        "ESRS E1-6, gross scopes 1, 2, 3 and total GHG emissions",
        table("tCO2e", &stages, &rows(), "tCO2e"),
    );
    doc.section("ESRS E1-5, energy consumption and mix", energy(&stages));
    doc.push(Block::Section("What they rest on".to_owned()));
    let mut list = remarks(report);
    list.push(
        "Intensity per net revenue (E1-6) and shares of fossil, nuclear and renewable sources (E1-5) \
         are unknown: the forecast has neither revenue nor the mix of what is bought."
            .to_owned(),
    );
    doc.push(Block::List(list));
    Ok(markdown::text(&doc))
}

/// The energy of own operations, and that of rented devices beside it.
fn energy(stages: &[Group<'_>]) -> Grid {
    let columns = stages.iter().map(|(name, _)| Column::numbers(format!("{name}, MWh")));
    let mut grid = Grid::new([Column::words("MWh")].into_iter().chain(columns));
    for (label, scope) in [
        ("total energy consumption of own operations", OWNED),
        ("drawn by a provider for it, outside of E1-5", RENTED),
        ("nobody says who owns the devices", None),
    ] {
        let sums: Vec<Value<Energy>> = stages
            .iter()
            .map(|(_, of)| {
                let mine = of.iter().filter(|it| it.scope == scope);
                Value::sum(mine.map(|it| it.energy.clone()))
            })
            .collect();
        let cell = |sum: &Value<Energy>| match sum {
            Value::Absent => Cell::text("none"),
            Value::Known(energy) => {
                let energy = convert(energy.value().stored(), "MWh");
                Cell::shown(energy, number(energy))
            }
            Value::Unknown(_) | Value::Never(_) => Cell::Unknown,
        };
        if sums.iter().any(|sum| !sum.is_absent()) {
            grid.push(std::iter::once(Cell::text(label)).chain(sums.iter().map(cell)));
        }
    }
    for label in ["from fossil sources", "from nuclear sources", "from renewable sources"] {
        let unknown = stages.iter().map(|_| Cell::Unknown);
        grid.push(std::iter::once(Cell::text(label)).chain(unknown));
    }
    grid
}
