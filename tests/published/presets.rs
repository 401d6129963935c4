//! Presets under their names: `models/names.csv` says what each is called and how many parameters
//! its checkpoint or its report has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use flopcast::model::{Input, spec};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    preset: String,
    /// The repository on the Hub; empty where there is none.
    hub_name: String,
    /// Other repositories of the same model and names in common use, between semicolons.
    short_names: String,
    published_parameters: u64,
    /// The unit of the last digit that the source prints; 1 for an exact count.
    published_precision: u64,
    source: String,
}

impl Row {
    /// All that leads to the preset, in lower case: its own name, repositories with and without
    /// their owner, short names.
    fn names(&self) -> impl Iterator<Item = String> {
        let others = self.short_names.split(';').chain([self.hub_name.as_str()]);
        let bare = others.clone().filter_map(|name| name.split_once('/').map(|(_, bare)| bare));
        let all = others.chain(bare).chain([self.preset.as_str()]);
        all.filter(|name| !name.is_empty()).map(str::to_lowercase)
    }
}

fn names() -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/names.csv");
    let file = csv::Reader::from_path(path).expect("names.csv");
    file.into_deserialize().map(|row| row.expect("a row")).collect()
}

/// A printed figure is rounded or cut: the count lies within one unit of its last digit. Every key
/// of a preset is one that its family knows.
fn check(row: &Row) {
    let Row { preset, published_parameters, published_precision, source, .. } = row;
    let model = spec::from_preset(preset, &Input::default());
    let model = model.unwrap_or_else(|error| panic!("{preset}: {error}"));
    let counted = model.parameters().total;
    assert!(
        counted.abs_diff(*published_parameters) < *published_precision,
        "{preset} has {counted} parameters, published are {published_parameters} to \
         {published_precision} ({source})"
    );
    let ignored = model.assumptions.iter().find(|assumption| assumption.why.contains("no key of"));
    assert!(ignored.is_none(), "{preset}: {ignored:?}");
}

#[test]
fn presets_have_the_parameters_of_their_checkpoints() {
    let names = names();
    names.iter().for_each(check);
    assert!(names.len() >= 300, "{} presets", names.len());
}

#[test]
fn most_figures_are_exact_and_all_have_a_source() {
    let names = names();
    let exact = names.iter().filter(|name| name.published_precision == 1).count();
    assert!(exact * 4 > names.len() * 3, "{exact} of {}", names.len());
    for name in &names {
        let digits = name.published_parameters / name.published_precision;
        assert!(digits >= 10, "{}: a figure of {digits} says too little", name.preset);
        assert!(!name.source.is_empty(), "{} has no source", name.preset);
    }
}

/// A name leads to one model, however it is written.
#[test]
fn names_are_unambiguous() {
    let mut taken = BTreeMap::new();
    for name in names() {
        for other in name.names() {
            let before = taken.insert(other.clone(), name.preset.clone());
            assert!(
                before.as_ref().is_none_or(|before| *before == name.preset),
                "{other} is {} and {before:?}",
                name.preset
            );
        }
    }
    let cases = [
        ("llama-3.3-70b", "llama-3.3-70b"),
        ("qwen/qwen3-30b-a3b", "qwen3-30b-a3b"),
        ("vit-l", "vit-large-patch16-224"),
        ("llama3.1:8b", "llama-3.1-8b"),
    ];
    for (name, preset) in cases {
        assert_eq!(taken.get(name).map(String::as_str), Some(preset), "{name}");
    }
}

#[test]
fn every_preset_has_a_line_of_names() {
    let names = names();
    let named: BTreeSet<&str> = names.iter().map(|name| name.preset.as_str()).collect();
    let presets: BTreeSet<&str> = spec::preset_names().collect();
    assert_eq!(named, presets);
    assert_eq!(spec::preset_names().count(), presets.len(), "two presets of one name");
}
