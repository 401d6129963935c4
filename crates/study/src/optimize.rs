//! The best of all combinations within limits, or which limit stands in the way and by how much.
//!
//! Every combination is forecast (`sweep`); those within the limits are ranked by the objective.
//! For each limit that no combination keeps, the least excess says how far it would have to give.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use flopcast_core::catalog::{Catalog, Links, Purchase};
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::ledger::window::BestStart;
use flopcast_core::provenance::Unknown;
use flopcast_core::quantity::Precision;
use flopcast_core::training::parallelism::Parallelism;

use super::aim::Aim;
use super::axis::{Axis, Choice, Setting};
use super::space::Space;
use super::sweep::{self, Question, Row};

/// The number of the best combinations that are kept.
const KEPT: usize = 10;

/// The question of a search.
#[derive(Clone, Debug)]
pub struct Request {
    /// The aims to be made least (or most).
    pub objective: Aim,
    /// The limits, in the figures' own units.
    pub limits: Vec<Limit>,
    /// Figures that are shown beside these.
    pub beside: Vec<Aim>,
    /// The most devices of each offer, the first axis, that work together; empty for no bound.
    pub reach: Vec<Reach>,
    /// The most days that a run may take, as nobody said how long; none for no bound.
    pub longest: Option<f64>,
}

/// Days of the longest run that is of use where nobody says.
pub const LONGEST_DAYS: f64 = 366.0;

/// How many devices of an offer work together over a network that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The most devices; none where a network joins as many as there are.
    pub most: Option<u64>,
    /// Whose limit that is, and why: `vast: a marketplace of single machines`.
    pub why: String,
}

/// Providers that let machines of many owners, one by one.
pub(super) const MARKETPLACES: &[&str] = &["salad", "vast"];

impl Reach {
    /// The reach of an offer: a marketplace lets single machines, and devices whose link to other
    /// nodes is unknown stay within what joins them.
    fn of(catalog: &Catalog, device: &str, provider: &str) -> Self {
        let Ok(device) = catalog.accelerator(device) else {
            return Self { most: None, why: String::new() };
        };
        let node = device.devices_per_node;
        if MARKETPLACES.contains(&provider) {
            let why = format!("{provider}: a marketplace of single machines");
            return Self { most: Some(node), why };
        }
        let links = Links::of(device);
        if links.scale_out_assumed {
            let most = Some(node.max(links.domain));
            return Self { most, why: format!("{}: no cluster network is known", device.id) };
        }
        Self { most: None, why: String::new() }
    }
}

/// A figure and the most that it may be.
#[derive(Clone, Debug)]
pub struct Limit {
    /// The figure.
    pub aim: Aim,
    /// Its bound.
    pub most: f64,
}

/// The result.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The figures of the rows: the objective, the limits, the others.
    pub columns: Vec<Aim>,
    /// Combinations that were tried.
    pub tried: u64,
    /// Those that can be done at all.
    pub doable: u64,
    /// Those of them within every limit.
    pub within: u64,
    /// The best within every limit, best first; the earlier of equals comes first.
    pub best: Vec<Row>,
    /// How each of the best is run.
    pub plans: Vec<Plan>,
    /// For each limit what comes nearest to it of all that can be done.
    pub least: Vec<Option<f64>>,
    /// The combination that passes its limits by least, where none is within all of them.
    pub nearest: Option<Row>,
    /// The reasons of combinations that cannot be done, the commonest first.
    pub obstacles: Vec<(String, u64)>,
    /// Offers that were left out at so many devices, by the reason, with how many combinations.
    pub left_out: Vec<(String, u64)>,
}

/// The scenario that the keys of a combination leave.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The parallelism, where a layout was chosen or given.
    pub layout: Option<Parallelism>,
    /// The first day, where the scenario names one.
    pub start: Option<NaiveDate>,
    /// The cleanest start, where the scenario has a window for it.
    pub best_start: Option<std::result::Result<BestStart, Unknown>>,
}

impl Plan {
    /// The plan of a row: its layout, start and end.
    fn of(space: &Space<'_>, row: &Row) -> Result<Self> {
        let engine = space.engine(row.number)?;
        let training = engine.run()?.training;
        Ok(Self {
            layout: engine.predicted().map(|predicted| predicted.candidate.layout),
            start: training.as_ref().and_then(|training| Some(training.calendar?.start)),
            best_start: training.and_then(|training| training.best_start),
        })
    }
}

impl Request {
    /// The figures of a row, each once.
    fn columns(&self) -> Vec<Aim> {
        let mut columns = vec![self.objective.clone()];
        for aim in self.limits.iter().map(|limit| &limit.aim).chain(&self.beside) {
            if columns.iter().all(|known| known.key != aim.key) {
                columns.push(aim.clone());
            }
        }
        columns
    }
}

/// Tries every combination of a space.
///
/// # Errors
/// As [`sweep::run`].
pub fn search(
    space: &Space<'_>,
    request: &Request,
    progress: &dyn Fn(u64) -> Result<()>,
) -> Result<Answer> {
    let columns = request.columns();
    let limits: Vec<(usize, f64)> = request
        .limits
        .iter()
        .filter_map(|limit| {
            let at = columns.iter().position(|column| column.key == limit.aim.key)?;
            Some((at, limit.most))
        })
        .collect();
    let mut answer = Answer {
        columns: columns.clone(),
        tried: space.len(),
        doable: 0,
        within: 0,
        best: Vec::new(),
        plans: Vec::new(),
        least: vec![None; limits.len()],
        nearest: None,
        obstacles: Vec::new(),
        left_out: Vec::new(),
    };
    let counts = counts(space);
    let days = columns.iter().position(|column| *column == Aim::read("days"));
    let mut left_out: BTreeMap<&str, u64> = BTreeMap::new();
    // The best count of an offer stands for it.
    let mut of_offer: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    let cost = columns.iter().position(|column| *column == Aim::read("cost"));
    let mut nearest = f64::INFINITY;
    let mut each = |row: &Row| {
        if row.obstacle.is_some() {
            return Ok(());
        }
        let digits = space.digits(row.number);
        let count = counts.as_ref().and_then(|(axis, counts)| counts[digits[*axis]]);
        let reach = request.reach.get(digits[0]);
        if let (Some(reach), Some(count)) = (reach, count)
            && reach.most.is_some_and(|most| count > most)
        {
            *left_out.entry(&reach.why).or_default() += 1;
            return Ok(());
        }
        let takes = days.and_then(|at| row.values[at]);
        if request.longest.zip(takes).is_some_and(|(most, takes)| takes > most) {
            *left_out.entry(TOO_LONG).or_default() += 1;
            return Ok(());
        }
        answer.doable += 1;
        for (least, (at, _)) in answer.least.iter_mut().zip(&limits) {
            if let Some(value) = row.values[*at] {
                *least = Some(least.map_or(value, |least| value.min(least)));
            }
        }
        // What is unknown is within no limit.
        let excess = |(at, most): &(usize, f64)| {
            row.values[*at].map_or(f64::INFINITY, |value| (value - most) / most.abs().max(1e-300))
        };
        let excess = limits.iter().map(excess).fold(0.0, f64::max);
        // Of equals the cheaper, then the better by the other columns; what is unknown comes last.
        let rank = |row: &Row| {
            let first = request.objective.rank(row.values[0])?;
            let rest = cost.into_iter().chain(1..columns.len());
            let rest = rest.map(|at| columns[at].rank(row.values[at]).unwrap_or(f64::INFINITY));
            Some(std::iter::once(first).chain(rest).collect::<Vec<f64>>())
        };
        let order = |one: &[f64], other: &[f64]| {
            let each = one.iter().zip(other).map(|(one, other)| one.total_cmp(other));
            each.fold(Ordering::Equal, Ordering::then)
        };
        if excess > 0.0 {
            if excess < nearest {
                nearest = excess;
                answer.nearest = Some(row.clone());
            }
        } else if let Some(mine) = rank(row) {
            answer.within += 1;
            let alike = |other: &Row| {
                !request.reach.is_empty() && space.digits(other.number)[0] == digits[0]
            };
            if !request.reach.is_empty() {
                if of_offer.get(&digits[0]).is_some_and(|known| order(known, &mine).is_le()) {
                    return Ok(());
                }
                of_offer.insert(digits[0], mine.clone());
                answer.best.retain(|other| !alike(other));
            }
            let before =
                |other: &Row| rank(other).is_some_and(|theirs| order(&theirs, &mine).is_le());
            let at = answer.best.partition_point(before);
            if at < KEPT {
                answer.best.insert(at, row.clone());
                answer.best.truncate(KEPT);
            }
        }
        Ok(())
    };
    let question = Question { columns: columns.clone(), front: Vec::new() };
    let summary = sweep::run(space, &question, &mut each, progress)?;
    answer.obstacles = summary.obstacles;
    answer.left_out = left_out.into_iter().map(|(why, count)| (why.to_owned(), count)).collect();
    answer.plans = answer.best.iter().map(|row| Plan::of(space, row)).collect::<Result<_>>()?;
    Ok(answer)
}

/// Why a run is left out that takes longer than is of use.
const TOO_LONG: &str = "a run of more than a year";

/// The position of the axis of the number of devices, and the devices of each of its values where
/// they are numbers.
fn counts(space: &Space<'_>) -> Option<(usize, Vec<Option<u64>>)> {
    let at = space.axes().iter().position(|axis| axis.name == COUNT)?;
    let choices = space.axes()[at].choices.iter();
    Some((at, choices.map(|choice| choice.shown.parse().ok()).collect()))
}

/// The axis of the number of devices.
pub const COUNT: &str = "training.hardware.count";

/// Which offers of the catalog are of interest; an empty list is all.
#[derive(Clone, Debug, Default)]
pub struct Market {
    /// Accelerators, by name or alias.
    pub accelerators: Vec<String>,
    /// Providers.
    pub providers: Vec<String>,
    /// Regions, by the providers' codes.
    pub regions: Vec<String>,
    /// Ways to buy.
    pub purchases: Vec<Purchase>,
}

impl Market {
    /// The same with providers and regions by their names in the catalog.
    ///
    /// # Errors
    /// A provider or a region that it does not know, with the nearest that it does.
    pub fn known(self, catalog: &Catalog) -> Result<Self> {
        let sellers: BTreeSet<&str> =
            catalog.prices().map(|price| price.provider.as_str()).collect();
        for name in &self.providers {
            if !sellers.contains(name.as_str()) {
                return Err(Error::input(format!("the catalog knows no price of `{name}`"))
                    .suggest(name, sellers.iter().copied())
                    .hint(format!("it knows {}", Vec::from_iter(sellers).join(", "))));
            }
        }
        let of =
            |name: &str| self.providers.is_empty() || self.providers.iter().any(|it| it == name);
        let mut sold: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for price in catalog.prices().filter(|price| of(&price.provider)) {
            sold.entry(&price.provider).or_default().insert(&price.region);
        }
        let mut regions = BTreeSet::new();
        for name in &self.regions {
            let mut found = false;
            for (provider, codes) in &sold {
                let place = catalog.place_called(Some(provider), name);
                let same = |code: &&&str| code.eq_ignore_ascii_case(name) || Some(**code) == place;
                for code in codes.iter().filter(same) {
                    found = true;
                    regions.insert((*code).to_owned());
                }
            }
            if !found {
                let codes: BTreeSet<&str> = sold.into_values().flatten().collect();
                return Err(Error::input(format!("nothing is sold in a region `{name}`"))
                    .suggest(name, codes)
                    .hint("`flopcast catalog list regions` shows them all"));
            }
        }
        Ok(Self { regions: regions.into_iter().collect(), ..self })
    }
}

/// The axis of everything that the catalog can rent out and that computes in a precision: device,
/// provider, region, way to buy; with how many devices of each work together.
///
/// # Errors
/// An unknown accelerator; nothing on offer.
pub fn offers(
    catalog: &Catalog,
    precision: Precision,
    market: &Market,
) -> Result<(Axis, Vec<Reach>)> {
    let wanted: Vec<&str> = market
        .accelerators
        .iter()
        .map(|name| catalog.accelerator(name).map(|device| device.id.as_str()))
        .collect::<Result<_>>()?;
    let of = |list: &[String], it: &str| list.is_empty() || list.iter().any(|name| name == it);
    let mut offers = BTreeSet::new();
    for price in catalog.prices() {
        let device = price.accelerator.as_str();
        let computes = || catalog.accelerator(device).is_ok_and(|it| it.peak(precision).is_ok());
        let asked = (wanted.is_empty() || wanted.contains(&device))
            && of(&market.providers, &price.provider)
            && of(&market.regions, &price.region);
        if device.is_empty() || !asked || !computes() {
            continue;
        }
        let plans =
            if market.purchases.is_empty() { &Purchase::ALL[..] } else { &market.purchases };
        for plan in plans.iter().filter(|plan| price.sells(**plan)) {
            offers.insert((device, price.provider.as_str(), price.region.as_str(), plan.name()));
        }
    }
    if offers.is_empty() {
        return Err(Error::limit("the catalog knows no price of such an offer")
            .hint("`flopcast catalog list prices` shows those that there are"));
    }
    let reach =
        |(device, provider, ..): &(&str, &str, &str, &str)| Reach::of(catalog, device, provider);
    let reaches = offers.iter().map(reach).collect();
    let set = |path: &str, text: &str| Setting::new("offer", path, text);
    let choice = |(device, provider, region, plan): (&str, &str, &str, &str)| {
        let mut sets = vec![
            set("training.hardware.accelerator", device)?,
            set("placement.provider", provider)?,
            set("placement.purchase", plan)?,
        ];
        let place = if region == "*" { "null" } else { region };
        sets.push(set("placement.region", place)?);
        Ok(Choice { shown: format!("{device} {provider} {region} {plan}"), sets })
    };
    let choices = offers.into_iter().map(choice).collect::<Result<_>>()?;
    Ok((Axis { name: "offer".to_owned(), choices }, reaches))
}
