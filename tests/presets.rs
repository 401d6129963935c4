//! Presets under their names: `models/names.csv` says what each is called and how many parameters
//! its checkpoint or its report has; the rows of `models/presets/*.yaml` are the models.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use flopcast::model::{Input, Model, spec};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Name {
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

impl Name {
    /// All that leads to the preset, in lower case: its own name, repositories with and without
    /// their owner, short names.
    fn names(&self) -> impl Iterator<Item = String> {
        let others = self.short_names.split(';').chain([self.hub_name.as_str()]);
        let bare = others.clone().filter_map(|name| name.split_once('/').map(|(_, bare)| bare));
        let all = others.chain(bare).chain([self.preset.as_str()]);
        all.filter(|name| !name.is_empty()).map(str::to_lowercase)
    }
}

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models")
}

fn names() -> Vec<Name> {
    let file = csv::Reader::from_path(models().join("names.csv"));
    file.expect("names.csv").deserialize().map(|row| row.expect("a row")).collect()
}

/// The model files that stand as rows `name: {...}`, by name.
fn rows() -> BTreeMap<String, String> {
    let mut rows = BTreeMap::new();
    for file in fs::read_dir(models().join("presets")).expect("presets") {
        let text = fs::read_to_string(file.expect("a file").path()).expect("text");
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, model) = line.split_once(": ").expect("a row");
            let other = rows.insert(name.to_owned(), model.to_owned());
            assert!(other.is_none(), "two rows are called {name}");
        }
    }
    rows
}

fn build(name: &str, rows: &BTreeMap<String, String>) -> Model {
    let input = Input::default();
    let model = match rows.get(name) {
        Some(text) => spec::from_yaml(name, text, &input),
        None => spec::from_preset(name, &input),
    };
    model.unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A printed figure is rounded or cut: the count lies within one unit of its last digit.
fn check(name: &Name, rows: &BTreeMap<String, String>) {
    let counted = build(&name.preset, rows).parameters().total;
    let (published, precision) = (name.published_parameters, name.published_precision);
    assert!(
        counted.abs_diff(published) < precision,
        "{} has {counted} parameters, published are {published} to {precision} ({})",
        name.preset,
        name.source
    );
}

#[test]
fn presets_have_the_parameters_of_their_checkpoints() {
    let (names, rows) = (names(), rows());
    names.iter().for_each(|name| check(name, &rows));
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
    let named: Vec<String> = names().into_iter().map(|name| name.preset).collect();
    let rows = rows();
    for preset in spec::preset_names().chain(rows.keys().map(String::as_str)) {
        assert!(named.iter().any(|name| name == preset), "{preset} is not in names.csv");
    }
    for name in &named {
        let known = rows.contains_key(name) != spec::preset_names().any(|preset| preset == name);
        assert!(known, "{name} is no preset, or two");
    }
}
