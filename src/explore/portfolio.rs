//! Many scenarios as one budget, by their tags.

use std::collections::{BTreeMap, BTreeSet};

use super::aim::Aim;
use super::snapshot::Snapshot;

/// What is added up.
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
    /// What it takes.
    pub values: Values,
}

/// Scenarios that share a tag's value, added up.
#[derive(Clone, Debug, PartialEq)]
pub struct Sum {
    /// The value of the tag; none for those that do not have the tag.
    pub value: Option<String>,
    /// How many scenarios.
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
        let values = AIMS.map(|aim| Aim::read(aim).value(&figures));
        (!figures.is_empty()).then_some(Self { file, name, tags, values })
    }
}

/// The tags that occur, in alphabetical order.
pub fn tags(entries: &[Entry]) -> Vec<&str> {
    let all = entries.iter().flat_map(|entry| entry.tags.keys());
    all.map(String::as_str).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The budget by the values of a tag; what does not have the tag comes last.
pub fn by(entries: &[Entry], tag: &str) -> Vec<Sum> {
    let value = |entry: &Entry| entry.tags.get(tag).cloned();
    let values: BTreeSet<_> =
        entries.iter().map(|entry| (value(entry).is_none(), value(entry))).collect();
    let group = |value: &Option<String>| {
        sum(value.clone(), entries.iter().filter(|entry| entry.tags.get(tag) == value.as_ref()))
    };
    values.iter().map(|(_, value)| group(value)).collect()
}

/// The whole budget.
pub fn total(entries: &[Entry]) -> Sum {
    sum(None, entries.iter())
}

fn sum<'a>(value: Option<String>, entries: impl Iterator<Item = &'a Entry>) -> Sum {
    let start =
        Sum { value, scenarios: 0, values: [Some(0.0); AIMS.len()], known: [0.0; AIMS.len()] };
    entries.fold(start, |mut sum, entry| {
        sum.scenarios += 1;
        for ((all, known), value) in sum.values.iter_mut().zip(&mut sum.known).zip(entry.values) {
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
        Entry { file: String::new(), name: String::new(), tags, values }
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
