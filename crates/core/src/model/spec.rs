//! The ways in which a user names a model: a preset, a foreign file, an inline architecture, a
//! parameter count.
//!
//! ```text
//! model: gpt3-175b
//! model: {hf_config: config.json}
//! model: {onnx: model.onnx, bind: "N=1,S=128"}
//! model: {file: model.yaml}
//! model: checkpoints/llama/config.json
//! model: {transformer: {layers: 80, hidden: 8192, heads: 64, ffn: 22016, vocab: 32000}}
//! model: {layers: [{dense: {in: 3, out: 4}}]}
//! model: {parameters: 671B, active: 37B, layers: 61}
//! model: 671B-A37B
//! ```

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::bindings::Bindings;
use super::config;
use super::input::Input;
use super::names;
use super::sized::{ModelSize, Shape, bounded, parse};
use super::template::{Config, Template, Value, bases, build, preset, presets};
use super::total::{Assumption, Model};
use crate::diagnostic::{Error, Result};

/// The model that `model:` in a scenario names.
///
/// It is read from a scenario's `model:` and from the command line alike, and kept as it was named:
/// an importer reads the file of a path before [`Spec::build`] can make a model of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Spec {
    /// A name in `models/`.
    Preset(String),
    /// The path of a Hugging Face `config.json`.
    HfConfig(String),
    /// An ONNX file.
    Onnx {
        /// Its path.
        path: String,
        /// The sizes of its symbolic dimensions.
        bindings: Bindings,
    },
    /// The path of a file or folder of any kind that is read: a model file, a configuration, weights.
    File(String),
    /// A transformer by its extents, as papers name them.
    Transformer(Json),
    /// A list of layers, or a section with `let`, `blocks` and `layers`.
    Layers(Json),
    /// A number of parameters, and what else is known of the shape.
    Parameters(ModelSize),
}

/// Keys that name a model (the first six), then keys that go with one.
const KEYS: [&str; 8] =
    ["hf_config", "onnx", "file", "transformer", "layers", "parameters", "active", "bind"];

impl Spec {
    /// The model that a text names: a size such as `7B` or `671B-A37B`, a repository on the Hub such
    /// as `hf:owner/name`, or a preset.
    pub fn named(name: &str) -> Self {
        if name.starts_with("hf:") {
            return Self::HfConfig(name.to_owned());
        }
        ModelSize::named(name).map_or_else(|| Self::Preset(name.to_owned()), Self::Parameters)
    }

    /// Reads the value of `model:`: a name, or a section with one of `hf_config`, `onnx`, `file`,
    /// `transformer`, `layers`, `parameters` (with `active` and extents that are known), `onnx` with
    /// `bind: N=1,S=128`.
    ///
    /// # Errors
    /// If it has another key, none or several of these, or a count that is no positive whole
    /// number.
    pub fn from_json(json: &Json) -> Result<Self> {
        let map = match json {
            Json::String(name) if is_path(name) => return Ok(Self::File(name.clone())),
            Json::String(name) => return Ok(Self::named(name)),
            Json::Object(map) if is_size(map) => return sized(map).map(Self::Parameters),
            Json::Object(map) => map,
            _ => {
                return Err(Error::input("a model is a name in models/ or a section")
                    .hint("e.g. `gpt3-175b`, `{hf_config: config.json}`, `{parameters: 175B}`"));
            }
        };
        if let Some(key) = map.keys().find(|key| !KEYS.contains(&key.as_str())) {
            let error = Error::input(format!("a model has no key `{key}`"));
            let extent = Shape::KEYS.contains(&key.as_str());
            let hint = "extents stand beside `parameters`, or inside `transformer`";
            return Err(if extent { error.hint(hint) } else { error.suggest(key, KEYS) });
        }
        let mut chosen = map.keys().map(String::as_str).filter(|key| KEYS[..6].contains(key));
        let (Some(key), None) = (chosen.next(), chosen.next()) else {
            let message = "a model is given by exactly one of its keys";
            return Err(Error::input(message).hint(KEYS[..6].join(", ")));
        };
        for (with, of) in [("active", "parameters"), ("bind", "onnx")] {
            if map.contains_key(with) && key != of {
                return Err(Error::input(format!("`{with}` goes with `{of}`")));
            }
        }
        let path = || match &map[key] {
            Json::String(path) => Ok(path.clone()),
            other => Err(Error::input(format!("`{key}` is a path, not {other}"))),
        };
        Ok(match key {
            "hf_config" => Self::HfConfig(path()?),
            "onnx" => {
                let bindings = map.get("bind").and_then(Json::as_str).unwrap_or_default();
                Self::Onnx { path: path()?, bindings: bindings.parse()? }
            }
            "file" => Self::File(path()?),
            "transformer" => Self::Transformer(map[key].clone()),
            _ => Self::Layers(map[key].clone()),
        })
    }

    /// The file that has to be read before the model can be built.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::HfConfig(path) | Self::Onnx { path, .. } | Self::File(path) => Some(path),
            _ => None,
        }
    }

    /// The model on an input; `None` if a file has to be read first.
    ///
    /// # Errors
    /// If the preset is unknown, or the architecture does not fit together.
    pub fn build(&self, input: &Input) -> Option<Result<Model>> {
        Some(match self {
            Self::HfConfig(_) | Self::File(_) | Self::Onnx { .. } => return None,
            Self::Preset(name) => from_preset(name, input),
            Self::Transformer(json) => {
                config::from_json("transformer", json, Some("transformer"), input)
            }
            Self::Layers(json) => from_layers("layers", json, input),
            Self::Parameters(size) => size.build(input),
        })
    }
}

impl<'de> Deserialize<'de> for Spec {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Json::deserialize(deserializer)?;
        Self::from_json(&json).map_err(serde::de::Error::custom)
    }
}

/// True for a text that names a file or folder: by its ending, or by a dot or slash at its ends.
fn is_path(name: &str) -> bool {
    const ENDINGS: [&str; 6] = [".json", ".yaml", ".yml", ".onnx", ".safetensors", ".gguf"];
    ENDINGS.iter().any(|ending| name.to_ascii_lowercase().ends_with(ending))
        || name.starts_with(['.', '/'])
        || name.ends_with('/')
}

/// The names of the presets in `models/`, in alphabetical order.
pub fn preset_names() -> impl Iterator<Item = &'static str> {
    presets()
}

/// The model file of the preset that a name means.
///
/// # Errors
/// As [`names::find`].
pub fn preset_text(name: &str) -> Result<&'static str> {
    let found = names::find(name)?;
    preset(found.preset).map(|(.., yaml)| yaml).ok_or_else(|| lost(found.preset))
}

/// The preset that a name means.
///
/// # Errors
/// As [`names::find`].
pub fn from_preset(name: &str, input: &Input) -> Result<Model> {
    let names::Found { preset: name, read_as } = names::find(name)?;
    let (_, json, _) = preset(name).ok_or_else(|| lost(name))?;
    let json =
        serde_json::from_str(json).map_err(|error| Error::input(error.to_string()).within(name))?;
    let mut model = from_file(name, json, input)?;
    model.assumptions.extend(read_as);
    Ok(model)
}

/// The presets of a family, each with its configuration.
pub fn presets_of(family: &str) -> impl Iterator<Item = (&'static str, Json)> {
    preset_names().filter_map(move |name| {
        let (_, json, _) = preset(name).filter(|(_, json, _)| json.contains(family))?;
        let mut file: Json = serde_json::from_str(json).ok()?;
        (file["type"] == family).then(|| (name, file["config"].take()))
    })
}

/// The error of a name in the table of names that has no preset, which a test excludes.
fn lost(name: &str) -> Error {
    Error::input(format!("the preset `{name}` is not there"))
}

/// A model file: `name`, `source` and either `type`, `class` and `config` of a family, or `let`,
/// `blocks` and `layers` of its own.
///
/// # Errors
/// If it is no such file, or the model cannot be built.
pub fn from_file(name: &str, json: Json, input: &Input) -> Result<Model> {
    /// A model file that names a family.
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Family {
        name: Option<String>,
        source: Option<String>,
        r#type: String,
        class: Option<String>,
        #[serde(default)]
        config: Map<String, Json>,
    }
    let Json::Object(mut map) = json else {
        return Err(Error::input("a model file is a section").within(name));
    };
    if !map.contains_key("type") {
        let title = map.shift_remove("name");
        let title = title.as_ref().and_then(Json::as_str).unwrap_or(name).to_owned();
        let unresolved = map.shift_remove("unresolved").map(serde_json::from_value).transpose();
        let mut model = from_layers(&title, &Json::Object(map), input)?;
        model.unresolved = unresolved
            .map_err(|error| Error::input(format!("`unresolved`: {error}")))?
            .unwrap_or_default();
        return Ok(model);
    }
    let family: Family =
        serde_json::from_value(Json::Object(map)).map_err(|e| Error::input(e.to_string()))?;
    let mut config = family.config;
    config.insert("model_type".to_owned(), Json::String(family.r#type));
    if let Some(class) = family.class {
        config.insert("architectures".to_owned(), Json::Array(vec![Json::String(class)]));
    }
    let title = family.name.as_deref().unwrap_or(name);
    let mut model = config::from_json(title, &Json::Object(config), None, input)?;
    if let Some(source) = family.source {
        model.assumptions.insert(
            0,
            Assumption { what: "architecture".to_owned(), value: title.to_owned(), why: source },
        );
    }
    Ok(model)
}

/// A model from a layer list of a scenario.
///
/// # Errors
/// If a layer or setting is unknown, an expression does not parse, or shapes do not fit.
pub fn from_layers(name: &str, json: &Json, input: &Input) -> Result<Model> {
    let template = Template::from_layers(json)?;
    let mut whole = vec![&template];
    let bases = match template.base.as_deref() {
        Some(base) => bases(base)?,
        None => Vec::new(),
    };
    whole.extend(bases);
    build(name, &whole, "", None, &Config::new(), input)
}

/// True for a section that says a size. `layers` beside it is their number.
fn is_size(map: &Map<String, Json>) -> bool {
    let list = map.get("layers").is_some_and(|layers| layers.is_array() || layers.is_object());
    let named = |key: &&str| *key != "layers" && *key != "parameters" && map.contains_key(*key);
    map.contains_key("parameters") && !list && KEYS[..6].iter().find(|key| named(key)).is_none()
}

/// A size: `parameters`, `active` and the extents that are known.
fn sized(map: &Map<String, Json>) -> Result<ModelSize> {
    let total = parameter_count("parameters", &map["parameters"])?;
    let active = map.get("active").map_or(Ok(total), |it| parameter_count("active", it))?;
    if active > total {
        return Err(Error::input(format!("{active} of {total} parameters active")));
    }
    let mut size = ModelSize::new(total, active);
    for (key, value) in map {
        match key.as_str() {
            "parameters" | "active" => {}
            extent if Shape::KEYS.contains(&extent) => {
                let said = match Value::from(value) {
                    Value::Text(text) => parse(&text),
                    number => number.whole(),
                };
                let said = said.filter(|it| *it > 0).ok_or_else(|| {
                    Error::input(format!("`{extent}` is {value}, not a whole number above zero"))
                })?;
                size.shape.set(extent, said);
            }
            other => {
                let known = ["parameters", "active"].into_iter().chain(Shape::KEYS.iter().copied());
                return Err(Error::input(format!(
                    "a model known by its size has no key `{other}`"
                ))
                .suggest(other, known.clone())
                .hint(format!("it has {}", known.collect::<Vec<_>>().join(", "))));
            }
        }
    }
    Ok(size)
}

/// Reads a count such as 175B, 1.5e12 or `300_000`: K, M, B (or G) and T are powers of 1,000.
fn parameter_count(key: &str, json: &Json) -> Result<u64> {
    let number = match Value::from(json) {
        Value::Text(text) => parse(&text),
        value => value.number().and_then(bounded),
    };
    number.ok_or_else(|| {
        Error::input(format!("`{key}` is {json}, not a number of parameters"))
            .hint("e.g. 175B, 1.5e12, 300_000")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::input::AttentionCount;
    use crate::quantity::system::compute::flop;

    /// Parameters of the shipped presets, as published or as their checkpoints hold them.
    #[test]
    fn presets_have_their_published_parameters() {
        let cases = [
            ("gpt2", 124_439_808, 124_439_808),
            ("gpt2-xl", 1_557_611_200, 1_557_611_200),
            ("gpt3-175b", 174_604_259_328, 174_604_259_328),
            ("llama-65b", 65_285_660_672, 65_285_660_672),
            ("llama-2-7b", 6_738_415_616, 6_738_415_616),
            ("llama-2-13b", 13_015_864_320, 13_015_864_320),
            ("llama-2-70b", 68_976_648_192, 68_976_648_192),
            ("llama-3-8b", 8_030_261_248, 8_030_261_248),
            ("llama-3-70b", 70_553_706_496, 70_553_706_496),
            ("llama-3.1-405b", 405_853_388_800, 405_853_388_800),
            ("llama-3.2-1b", 1_235_814_400, 1_235_814_400),
            ("llama-3.2-3b", 3_212_749_824, 3_212_749_824),
            ("bloom-176b", 176_247_271_424, 176_247_271_424),
            ("mixtral-8x7b", 46_702_792_704, 12_879_925_248),
            ("deepseek-v3", 671_026_404_352, 37_552_282_624),
            ("resnet50", 25_557_032, 25_557_032),
        ];
        for (name, total, active) in cases {
            let model = from_preset(name, &Input::default()).unwrap();
            let parameters = model.parameters();
            assert_eq!((parameters.total, parameters.active), (total, active), "{name}");
        }
    }

    #[test]
    fn every_preset_builds() {
        for name in preset_names() {
            if let Err(error) = from_preset(name, &Input::default()) {
                panic!("{name}: {error}");
            }
        }
    }

    /// Brown et al. 2020 trained GPT-3 on 300B tokens at 2048: 3.23e23 FLOP forward and backward
    /// with full attention, 3.19e23 with the causal half.
    #[test]
    fn gpt3_trains_on_what_its_operators_take() {
        let model = from_preset("gpt3-175b", &Input::default()).unwrap();
        for (attention, expected) in
            [(AttentionCount::Full, 3.23e23), (AttentionCount::Causal, 3.19e23)]
        {
            let step = model.forward(attention).matmul + model.backward(attention).matmul;
            let run = step.get::<flop>() * 300e9 / 2048.0;
            assert!((run / expected - 1.0).abs() < 3e-3, "{attention:?}: {run:e}");
        }
    }

    /// torchvision: 4.089 GMAC forward; the image needs no gradient (2 - share of the first layer).
    #[test]
    fn resnet50_backward_skips_the_image() {
        let model = from_preset("resnet50", &Input::default()).unwrap();
        let forward = model.forward(AttentionCount::Full).matmul.get::<flop>();
        let backward = model.backward(AttentionCount::Full).matmul.get::<flop>();
        assert!((forward - 2.0 * 4_089_184_256.0).abs() < 0.5, "{forward}");
        assert!((backward / forward - 1.9711).abs() < 1e-3, "{}", backward / forward);
    }

    #[test]
    fn a_model_is_named_in_one_way() {
        let cases = [
            (json!("gpt2"), Ok(124_439_808)),
            (json!({"parameters": "7B"}), Ok(7_000_000_000)),
            (json!({"parameters": "1_000", "active": 10}), Ok(1000)),
            (json!({"layers": [{"dense": {"in": 3, "out": 4}}]}), Ok(12)),
            (
                json!({"transformer": {"layers": 80, "hidden": 8192, "heads": 64, "ffn": 22016, "vocab": 32000}}),
                Ok(65_285_660_672),
            ),
            (
                json!({"transformer": {"layers": 61, "hidden": 7168, "heads": 128, "kv_heads": 128, "head_dim": 128, "ffn": 18432, "gated": true, "vocab": 129_280, "tied_embeddings": false, "moe": {"experts": 256, "top_k": 8, "expert_ffn": 2048, "shared_experts": 1, "dense_layers": 3}, "mla": {"kv_rank": 512, "q_rank": 1536, "qk_rope_head_dim": 64}, "window": null, "kind": "decoder"}}),
                Ok(671_026_404_352),
            ),
            (json!("gpt-2"), Ok(124_439_808)),
            (json!("gtp2"), Err("did you mean `gpt2`")),
            (json!("671B-A37B"), Ok(671_000_000_000)),
            (json!({"hf": "x"}), Err("no key `hf`")),
            (json!({"parameters": "7B", "layers": []}), Err("exactly one")),
            (json!({"parameters": "7 billion"}), Err("not a number of parameters")),
            (json!({"parameters": "7B", "active": "8B"}), Err("active")),
            (json!({"parameters": -1}), Err("not a number of parameters")),
            (
                json!({"transformer": {"layers": 2, "hidden": 100, "heads": 3, "vocab": 10}}),
                Err("not a whole number"),
            ),
            (
                json!({"transformer": {"layers": 2, "hidden": 100, "heads": 0, "vocab": 10}}),
                Err("divided by zero"),
            ),
            (
                json!({"transformer": {"layers": 0, "hidden": 100, "heads": 4, "vocab": 10}}),
                Err("needs layers"),
            ),
            (
                json!({"transformer": {"layers": 2, "hiden": 100, "heads": 4, "vocab": 10}}),
                Err("did you mean `hidden`"),
            ),
            (
                json!({"transformer": {"layers": 2, "heads": 4, "vocab": 10}}),
                Err("`hidden` is missing"),
            ),
        ];
        for (spec, expected) in cases {
            let model =
                Spec::from_json(&spec).and_then(|it| it.build(&Input::default()).expect("no file"));
            match (model, expected) {
                (Ok(model), Ok(total)) => assert_eq!(model.parameters().total, total, "{spec}"),
                (Err(error), Err(part)) => {
                    assert!(error.to_string().contains(part), "{spec}: {error}");
                }
                (model, expected) => panic!("{spec}: {model:?}, not {expected:?}"),
            }
        }
    }
}
