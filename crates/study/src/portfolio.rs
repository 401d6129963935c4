//! Many scenarios as one budget, by their tags and over quarters.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use flopcast_core::estimate::Estimate;
use flopcast_core::estimate::cash::{Payments, quarter};
use flopcast_core::estimate::plan::Scenario;
use flopcast_core::ledger::footprint::Footprint;
use flopcast_core::quantity::Measure;
use flopcast_core::quantity::text::convert;

use super::aim::Aim;
use super::snapshot::Snapshot;

/// The sums of a portfolio.
pub const AIMS: [&str; 3] = ["cost", "energy", "co2e"];

/// A value of each of [`AIMS`]; none is unknown.
pub type Values = [Option<f64>; AIMS.len()];

/// A scenario of the budget.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its file.
    pub file: String,
    /// Its name.
    pub name: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The forecast.
    pub values: Values,
    /// The same by quarter, `2027Q1`; none where it names a quarter, or no start.
    pub quarters: Option<BTreeMap<String, Values>>,
}

/// The tag by which a scenario without it is spread over time.
pub const QUARTER: &str = "quarter";

/// Scenarios that share a tag's value, added up.
#[derive(Clone, Debug, PartialEq)]
pub struct Sum {
    /// The value of the tag; none for those that do not have the tag.
    pub value: Option<String>,
    /// How many scenarios have a part in it.
    pub scenarios: usize,
    /// Their sums; unknown as soon as one of them is.
    pub values: Values,
    /// The sums of what is known.
    pub known: [f64; AIMS.len()],
}

impl Entry {
    /// A scenario with its forecast; none where nothing is forecast.
    pub fn new(file: String, tags: BTreeMap<String, String>, forecast: &Snapshot) -> Option<Self> {
        let figures = forecast.figures();
        let name = forecast.name().to_owned();
        let values = AIMS.map(|aim| Aim::read(aim).value(figures));
        (!figures.is_empty()).then_some(Self { file, name, tags, values, quarters: None })
    }

    /// The same, spread over the quarters from a day on, unless it names a quarter: money when it is
    /// paid, energy and CO2e evenly over each stage.
    #[must_use]
    pub fn from(mut self, start: Option<NaiveDate>, made: &[(&Scenario, Estimate)]) -> Self {
        if let Some(start) = start.filter(|_| !self.tags.contains_key(QUARTER)) {
            self.quarters = Some(quarters(start, made, self.values));
        }
        self
    }

    /// The sums by the values of a tag.
    fn parts(&self, tag: &str) -> Vec<(Option<String>, Values)> {
        match &self.quarters {
            Some(quarters) if tag == QUARTER => {
                quarters.iter().map(|(quarter, values)| (Some(quarter.clone()), *values)).collect()
            }
            _ => vec![(self.tags.get(tag).cloned(), self.values)],
        }
    }
}

/// The sums of each quarter: money when it is paid, energy and CO2e evenly over each stage. A figure
/// whose total is unknown is unknown in all quarters.
fn quarters(
    start: NaiveDate,
    made: &[(&Scenario, Estimate)],
    mut totals: Values,
) -> BTreeMap<String, Values> {
    let mut sums: BTreeMap<String, [f64; AIMS.len()]> = BTreeMap::new();
    let mut add = |aim: usize, parts: &mut dyn Iterator<Item = (u32, f64)>| {
        for (month, part) in parts {
            sums.entry(quarter(start, month)).or_default()[aim] += part;
        }
    };
    let estimates = || made.iter().map(|(_, estimate)| estimate);
    let owned = estimates().flat_map(Estimate::ownerships);
    let bought = owned.flat_map(|(_, it)| it.purchases.lines());
    let paid = made.iter().flat_map(|(scenario, estimate)| estimate.payments(scenario));
    let payments = paid.chain(bought.map(Payments::even));
    for (month, paid) in payments.flat_map(|it| it.by_month().collect::<Vec<_>>()) {
        match paid {
            Some(paid) => add(0, &mut std::iter::once((month, convert(paid.stored(), "USD")))),
            None => totals[0] = None,
        }
    }
    let training = estimates().flat_map(|it| &it.training).map(|training| &training.footprint);
    let years = estimates().flat_map(|it| &it.inference).flat_map(|it| &it.years);
    let years = years.map(|it| &it.footprint);
    for footprint in training.chain(years) {
        let Footprint { rows, facility, location, .. } = footprint;
        let Some(row) = rows.lines().first() else { continue };
        let period = row.entry.period;
        if let Some(energy) = facility.known() {
            add(1, &mut period.by_month(convert(energy.value().stored(), "kWh")));
        }
        if let Some(mass) = location.known() {
            add(2, &mut period.by_month(convert(mass.value().stored(), "kgCO2e")));
        }
    }
    let known =
        |sums: [f64; AIMS.len()]| std::array::from_fn(|aim| totals[aim].and(Some(sums[aim])));
    sums.into_iter().map(|(quarter, sums)| (quarter, known(sums))).collect()
}

/// The tags that occur, in alphabetical order.
pub fn tags(entries: &[Entry]) -> Vec<&str> {
    let all = entries.iter().flat_map(|entry| entry.tags.keys().map(String::as_str));
    let spread = entries.iter().filter(|entry| entry.quarters.is_some()).map(|_| QUARTER);
    all.chain(spread).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The budget by the values of a tag; what does not have the tag comes last.
pub fn by(entries: &[Entry], tag: &str) -> Vec<Sum> {
    let mut groups: BTreeMap<_, Vec<Values>> = BTreeMap::new();
    for (value, values) in entries.iter().flat_map(|entry| entry.parts(tag)) {
        groups.entry((value.is_none(), value)).or_default().push(values);
    }
    groups.into_iter().map(|((_, value), parts)| sum(value, parts)).collect()
}

/// What the sums by a tag add up to, over all scenarios. By quarter that is what is paid in all of
/// them, which for owned hardware is more than it costs.
pub fn total_by(entries: &[Entry], tag: &str) -> Sum {
    let parts = entries.iter().flat_map(|entry| entry.parts(tag)).map(|(_, values)| values);
    Sum { scenarios: entries.len(), ..sum(None, parts) }
}

/// The whole budget.
pub fn total(entries: &[Entry]) -> Sum {
    sum(None, entries.iter().map(|entry| entry.values))
}

/// The sum of some scenarios; unknown where one is, with the sum of those that are known.
fn sum(value: Option<String>, parts: impl IntoIterator<Item = Values>) -> Sum {
    let start =
        Sum { value, scenarios: 0, values: [Some(0.0); AIMS.len()], known: [0.0; AIMS.len()] };
    parts.into_iter().fold(start, |mut sum, part| {
        sum.scenarios += 1;
        for ((all, known), value) in sum.values.iter_mut().zip(&mut sum.known).zip(part) {
            *all = all.zip(value).map(|(all, value)| all + value);
            *known += value.unwrap_or_default();
        }
        sum
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(tag: Option<u8>, cost: Option<u32>) -> Entry {
        let tags = tag.map(|tag| ("team".to_owned(), tag.to_string())).into_iter().collect();
        let values = [cost.map(f64::from), Some(1.0), Some(2.0)];
        Entry { file: String::new(), name: String::new(), tags, values, quarters: None }
    }

    proptest! {
        #[test]
        fn groups_add_up_to_the_whole(
            all in prop::collection::vec((prop::option::of(0..4_u8), prop::option::weighted(0.9, 0..1_000_000_u32)), 0..30)
        ) {
            let entries: Vec<_> = all.into_iter().map(|(tag, cost)| entry(tag, cost)).collect();
            let (whole, groups) = (total(&entries), by(&entries, "team"));
            prop_assert_eq!(groups.iter().map(|it| it.scenarios).sum::<usize>(), whole.scenarios);
            for aim in 0..AIMS.len() {
                let known: f64 = groups.iter().map(|it| it.known[aim]).sum();
                prop_assert!((known - whole.known[aim]).abs() < 1e-6);
                let parts: Option<f64> = groups.iter().map(|it| it.values[aim]).sum();
                prop_assert_eq!(parts, whole.values[aim]);
            }
        }
    }
}
