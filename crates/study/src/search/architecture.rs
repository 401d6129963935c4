//! A model file whose keys vary: the keys of its family's configuration, or the names of its
//! template.

use std::fmt::Write as _;

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::spec;
use flopcast_core::model::template::{Template, bases, chain};
use flopcast_core::model::{Input, Model};
use flopcast_scenario::Files;
use flopcast_scenario::document;
use serde_json::{Map, Value as Json};

/// A model file and the keys that a knob may turn.
#[derive(Clone, Debug)]
pub struct Architecture {
    file: Map<String, Json>,
    /// The section of the keys: `config` of a family, `let` of a template.
    under: &'static str,
    known: Vec<String>,
}

impl Architecture {
    /// The model of a space or scenario: a preset's name, the path of a model file or of a Hub
    /// configuration, an inline transformer, layers, or a family with its keys.
    ///
    /// # Errors
    /// A model without keys (a size, an ONNX graph, weights); a file that cannot be read; an
    /// unknown family.
    pub fn read(spec: &Json, files: &dyn Files) -> Result<Self> {
        let knobless = |what: &str| {
            Error::input(format!("{what} has no knobs to turn")).hint(
                "name a preset, a model file, {type: vit, config: {...}} or {transformer: {...}}",
            )
        };
        let load = |path: &str| document::json(path, &files.read(path)?);
        match spec {
            Json::String(name) if is_file(name) => Self::of_file(load(name)?),
            Json::String(name) => {
                // The presets' own YAML, as users may copy it.
                let text = spec::preset_text(name)?;
                Self::of_file(document::json(name, text.as_bytes())?)
            }
            Json::Object(map) => {
                let text = |key: &str| map.get(key).and_then(Json::as_str);
                if let Some(inline) = map.get("transformer") {
                    let (of, keys) = ("transformer".into(), inline.clone());
                    return Self::new(Map::from_iter([
                        ("type".to_owned(), Json::String(of)),
                        ("config".to_owned(), keys),
                    ]));
                }
                match (text("hf_config"), text("file"), map.get("layers")) {
                    (Some(path), ..) | (_, Some(path), _) => Self::of_file(load(path)?),
                    (.., Some(Json::Object(layers))) => Self::new(layers.clone()),
                    _ if map.contains_key("onnx") || map.contains_key("parameters") => {
                        Err(knobless("this model"))
                    }
                    _ => Self::new(map.clone()),
                }
            }
            _ => Err(knobless("this model")),
        }
    }

    /// A model file, or a configuration of the Hub.
    fn of_file(json: Json) -> Result<Self> {
        let Json::Object(mut map) = json else {
            return Err(Error::input("a model file is a section"));
        };
        match map.shift_remove("model_type") {
            Some(of) => {
                let class = map.get("architectures").and_then(|classes| classes.get(0)).cloned();
                map.shift_remove("architectures");
                let mut file = Map::from_iter([("type".to_owned(), of)]);
                file.extend(class.map(|class| ("class".to_owned(), class)));
                file.insert("config".to_owned(), Json::Object(map));
                Self::new(file)
            }
            None => Self::new(map),
        }
    }

    fn new(file: Map<String, Json>) -> Result<Self> {
        let text = |key: &str| file.get(key).and_then(Json::as_str);
        let (under, whole) = match (text("type"), text("base")) {
            (Some(of), _) => ("config", chain(of)?),
            (None, Some(base)) => ("let", bases(base)?),
            (None, None) => ("let", Vec::new()),
        };
        let mut known: Vec<String> = Vec::new();
        for template in &whole {
            known.extend(keys(template, under == "let"));
            if let Some(defaults) = text("type").and_then(|of| template.types.get(of)) {
                known.extend(defaults.keys().cloned());
            }
        }
        let own = file.get(under).and_then(Json::as_object);
        known.extend(own.into_iter().flat_map(|own| own.keys().cloned()));
        known.sort();
        known.dedup();
        Ok(Self { file, under, known })
    }

    /// True if a knob may turn the key; of a path its first key counts.
    pub fn has(&self, key: &str) -> bool {
        let first = key.split('.').next().unwrap_or_default();
        self.known.iter().any(|known| known == first)
    }

    /// The keys.
    pub fn known(&self) -> impl Iterator<Item = &str> {
        self.known.iter().map(String::as_str)
    }

    /// The file's own value of a key.
    pub fn value(&self, key: &str) -> Option<&Json> {
        let section = self.file.get(self.under)?;
        key.split('.').try_fold(section, |json, key| json.get(key))
    }

    /// The model file with other values of some keys.
    pub fn with<'a>(&self, sets: impl IntoIterator<Item = (&'a str, &'a Json)>) -> Json {
        let mut file = self.file.clone();
        let section = file.entry(self.under).or_insert_with(|| Json::Object(Map::new()));
        for (path, value) in sets {
            let mut at = &mut *section;
            for key in path.split('.') {
                if !at.is_object() {
                    *at = Json::Object(Map::new());
                }
                at = &mut at[key];
            }
            at.clone_from(value);
        }
        Json::Object(file)
    }

    /// The name of the model.
    pub fn name(&self) -> &str {
        let named = self.file.get("name").or_else(|| self.file.get("type"));
        named.and_then(Json::as_str).unwrap_or("model")
    }
}

/// The model of such a file.
///
/// # Errors
/// As [`spec::from_file`].
pub fn build(file: &Json, input: &Input) -> Result<Model> {
    let name = file.get("name").and_then(Json::as_str).unwrap_or("model");
    spec::from_file(name, file.clone(), input)
}

/// Such a file as text: a line per key, its values as JSON, which YAML contains.
pub fn text(file: &Json, name: &str, comment: &str) -> String {
    let mut text = format!("# {comment}\nname: {}\n", Json::String(name.to_owned()));
    for (key, value) in file.as_object().into_iter().flatten() {
        match value {
            // The name and the source are those of the model that it was.
            _ if key == "name" || key == "source" => {}
            Json::Object(section) => {
                let _ = writeln!(text, "{key}:");
                for (key, value) in section {
                    let _ = writeln!(text, "  {key}: {value}");
                }
            }
            plain => {
                let _ = writeln!(text, "{key}: {plain}");
            }
        }
    }
    text
}

fn is_file(name: &str) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
    ["yaml", "yml", "json"].contains(&ending.as_str())
}

/// The keys that a template reads, and its names, where a file may say them anew.
fn keys(template: &Template, names: bool) -> impl Iterator<Item = String> {
    let aliases = template.aliases.iter().flat_map(|(alias, key)| [alias, key]);
    let read = template.keys.iter().chain(template.defaults.keys()).chain(aliases);
    let names = template.lets.keys().filter(move |_| names).map(ToString::to_string);
    read.cloned().chain(names)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::nowhere::Nowhere;

    #[test]
    fn any_model_with_keys_has_knobs() {
        let cases = [
            (json!("vit-base-patch16-224"), "num_hidden_layers", json!(6), 44_040_424),
            (json!("resnet50"), "depths", json!([3, 4, 23, 3]), 44_549_160),
            // ViT-B of 85,798,656 without a head, and one of two classes: 2 x 768 + 2.
            (json!({"type": "vit"}), "hidden_size", json!(768), 85_800_194),
            (
                json!({"transformer": {"layers": 12, "hidden": 768, "heads": 12, "vocab": 1000}}),
                "layers",
                json!(1),
                // 12 h² of a block, two tables of the vocabulary, three norms.
                12 * 768 * 768 + 2 * 768 * 1000 + 3 * 768,
            ),
        ];
        for (spec, key, value, parameters) in cases {
            let architecture = Architecture::read(&spec, &Nowhere).unwrap();
            assert!(architecture.has(key), "{key}");
            let file = architecture.with([(key, &value)]);
            let model = build(&file, &Input::default()).unwrap();
            assert_eq!(model.parameters().total, parameters, "{spec}");
            // The text is the same model.
            let json = document::json("m.yaml", text(&file, "m", "a note").as_bytes()).unwrap();
            let again = build(&json, &Input::default()).unwrap();
            assert_eq!(again.parameters().total, parameters, "{spec}");
        }
    }

    #[test]
    fn what_has_no_keys_is_refused() {
        for (spec, expected) in [
            (json!({"parameters": "7B"}), "no knobs"),
            (json!({"onnx": "m.onnx"}), "no knobs"),
            (json!(7), "no knobs"),
            (json!("lost.yaml"), "no file"),
            (json!({"type": "vitt"}), "did you mean"),
            (json!("vit-bass"), "did you mean"),
        ] {
            let error = Architecture::read(&spec, &Nowhere).unwrap_err().to_string();
            assert!(error.contains(expected), "{spec}: {error}");
        }
    }
}
