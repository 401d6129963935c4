//! Models in files and folders of any kind: the choice of the reader.
//!
//! A file is read by its ending or, without one, by its first bytes; a folder by the first of the
//! files that say what it holds (`model_index.json`, `modules.json`, `adapter_config.json`,
//! `config.json`, `params.json`, then weights). Weights beside a configuration give the bytes of
//! its parameters, from their headers alone. References from file to file are followed four deep.

use std::collections::BTreeMap;

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::{
    Assumption, Bindings, Input, Layer, Model, Operator, Role, Unresolved, config, operator::Dense,
    spec,
};
use serde_json::{Map, Value as Json, json};

use super::joined::joined;
use super::pipeline::{denoises, pipeline};
use super::{
    adapter, document, gguf, mamba_ssm, megatron, model_file, onnx, open_clip, params, safetensors,
    tensors,
};

/// The longest configuration or model file.
const MAX_TEXT: u64 = 16 << 20;
/// The largest graph in bytes.
const MAX_GRAPH: u64 = 4 << 30;
/// The most files of one model.
const MAX_FILES: usize = 2048;

/// Files by their paths, as the reader of a model sees them.
pub trait Files {
    /// The first `most` bytes of a file, or the whole of a shorter one.
    ///
    /// # Errors
    /// If it is not there or cannot be read.
    fn head(&self, path: &str, most: u64) -> Result<Vec<u8>>;

    /// The size of a file in bytes; `None` if there is no such file.
    fn size(&self, path: &str) -> Option<u64>;

    /// The names in a folder, in alphabetical order; `None` if it is no folder.
    fn names(&self, path: &str) -> Option<Vec<String>>;
}

/// The deepest reference from file to file; deeper ones are a circle.
const MOST_DEPTH: u32 = 4;

/// The model of a file or folder, on an input.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    files: &'a dyn Files,
    input: &'a Input,
    bindings: &'a Bindings,
    depth: u32,
}

impl<'a> Source<'a> {
    /// Models of these files, on an input; `bindings` are the sizes of a graph's symbolic
    /// dimensions.
    pub fn new(files: &'a dyn Files, input: &'a Input, bindings: &'a Bindings) -> Self {
        Self { files, input, bindings, depth: 0 }
    }

    /// The model of a file that another one names.
    ///
    /// # Errors
    /// If references go too deep, or as [`Source::read`].
    fn named(&self, path: &str) -> Result<Model> {
        if self.depth >= MOST_DEPTH {
            return Err(Error::input("files of the model name one another in a circle"));
        }
        Self { depth: self.depth + 1, ..*self }.read(path)
    }

    /// Reads a file by its ending and content, or a folder by the files in it.
    ///
    /// # Errors
    /// As the reader of that kind of file; if there is none.
    pub fn read(&self, path: &str) -> Result<Model> {
        if let Some(names) = self.files.names(path) {
            return self.folder(path, &names);
        }
        let name = last(path);
        match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
            "onnx" => onnx::read(self.whole(path, MAX_GRAPH)?, self.bindings),
            "safetensors" => {
                let (weights, missing) = self.split(path)?;
                let mut model = weights.model(name)?;
                model.warnings.extend(missing);
                Ok(model)
            }
            "gguf" => self.gguf(path)?.model(name, self.input),
            "json" => self.json(path),
            "yaml" | "yml" => self.yaml(path),
            _ => self.by_content(path),
        }
    }

    /// The model of a file whose name says nothing, by its first bytes.
    fn by_content(&self, path: &str) -> Result<Model> {
        let start = self.files.head(path, 64)?;
        let first = start.iter().find(|byte| !byte.is_ascii_whitespace());
        match first {
            Some(b'{' | b'[') => self.json(path),
            _ if start.starts_with(b"GGUF") => self.gguf(path)?.model(last(path), self.input),
            _ => self.yaml(path),
        }
    }

    /// A folder: the first of the files that say what it holds.
    fn folder(&self, path: &str, names: &[String]) -> Result<Model> {
        const FIRST: [&str; 5] = [
            "model_index.json",
            "modules.json",
            "adapter_config.json",
            "config.json",
            "params.json",
        ];
        let has = |name: &str| names.iter().any(|it| it == name);
        if let Some(first) = FIRST.into_iter().find(|name| has(name)) {
            return self.json(&join(path, first));
        }
        let ending = |ending: &str| names.iter().find(|name| name.ends_with(ending));
        let found = [".safetensors.index.json", ".safetensors", ".gguf", ".onnx"];
        match found.into_iter().find_map(ending) {
            Some(name) => self.read(&join(path, name)),
            None => Err(Error::input(format!("the folder {path} holds no model"))
                .hint(format!("it may hold {}", FIRST.join(", ")))),
        }
    }

    /// A JSON file by its keys.
    fn json(&self, path: &str) -> Result<Model> {
        let (json, warnings) = config::lenient::json(&self.text(path)?)?;
        let mut model = self.of_json(path, &json)?;
        model.warnings.splice(0..0, warnings);
        Ok(model)
    }

    /// The model of a JSON file, by its keys: an index of weights, an adapter, `params.json`, a
    /// pipeline or a component of one, else a configuration of the Hub.
    fn of_json(&self, path: &str, json: &Json) -> Result<Model> {
        let (name, beside) = (last(path), folder_of(path));
        if let Json::Array(modules) = json
            && modules.iter().all(|module| module.get("type").is_some())
        {
            return self.sentence_transformer(beside, modules);
        }
        let Json::Object(map) = json else {
            return Err(Error::input("a configuration is a section of keys"));
        };
        let has = |key: &str| map.contains_key(key);
        if has("weight_map") {
            return self.sharded(path)?.model(name);
        }
        if has("peft_type") {
            return self.adapter(beside, json);
        }
        if mamba_ssm::is_it(map) {
            return config::saved(name, &mamba_ssm::config(map)?, self.input);
        }
        if params::is_it(map) {
            let (config, assumed) = params::config(map)?;
            let mut model = config::saved(name, &config, self.input)?;
            model.assumptions.extend(assumed);
            return Ok(model);
        }
        if has("_class_name") {
            return if map.values().any(is_component) {
                self.pipeline(beside, map)
            } else {
                self.component(path, map)
            };
        }
        if !has("model_type")
            && let Some(towers) = open_clip::section(map)
        {
            return config::saved(name, &open_clip::config(towers)?, self.input);
        }
        if let Some(architecture) = timm(map) {
            return self.timm(architecture, map);
        }
        self.refuse_other_libraries(map)?;
        self.snapshot(path, map)
    }

    /// A configuration with the weights beside it: their types and bytes, if they are there.
    fn snapshot(&self, path: &str, map: &Map<String, Json>) -> Result<Model> {
        let beside = folder_of(path);
        let mut map = map.clone();
        // ModelOpt keeps its formats in a file of its own.
        let quantized = join(beside, "hf_quant_config.json");
        if !map.contains_key("quantization_config") && self.files.size(&quantized).is_some() {
            let (json, _) = config::lenient::json(&self.text(&quantized)?)?;
            if let Some(mut inner) = json.get("quantization").cloned() {
                inner["quant_method"] = json!("modelopt");
                map.insert("quantization_config".into(), inner);
            }
        }
        let mut model = config::saved(last(path), &Json::Object(map), self.input)?;
        if last(path) == "config.json" {
            match self.weights_in(beside) {
                Ok(Some(weights)) => tensors::store(&mut model, &weights.weights()),
                Ok(None) => {}
                Err(error) => model.warnings.push(format!(
                    "the weights beside the configuration are not read: {}",
                    error.message()
                )),
            }
        }
        Ok(model)
    }

    /// The weights of a folder, if they are all there.
    fn weights_in(&self, folder: &str) -> Result<Option<safetensors::Weights>> {
        let index = join(folder, "model.safetensors.index.json");
        if self.files.size(&index).is_some() {
            let files = safetensors::Index::read(&self.text(&index)?)?.files;
            let there = |file: &String| self.files.size(&join(folder, file)).is_some();
            return files.keys().all(there).then(|| self.sharded(&index)).transpose();
        }
        let one = join(folder, "model.safetensors");
        if self.files.size(&one).is_some() {
            return self.weights(&one).map(Some);
        }
        // Split without an index.
        let first = |name: &&String| name.starts_with("model-00001-of-") && one_of(name).is_some();
        let names = self.files.names(folder.trim_end_matches('/')).unwrap_or_default();
        let Some(first) = names.iter().find(first) else { return Ok(None) };
        let (weights, missing) = self.split(&join(folder, first))?;
        Ok(missing.is_none().then_some(weights))
    }

    /// The tensors of one file, from its header alone.
    fn weights(&self, path: &str) -> Result<safetensors::Weights> {
        let size = self
            .files
            .size(path)
            .ok_or_else(|| Error::input(format!("{path} is no regular file")))?;
        let length = safetensors::header_length(&self.files.head(path, 8)?)? as u64;
        let bytes = self.files.head(path, 8 + length)?;
        safetensors::read(&bytes, Some(size)).map_err(|error| error.within(last(path)))
    }

    /// The tensors of a file, with those of the others that the model is split into where its name
    /// says so: `...-00001-of-00003.safetensors`. Those that are not there are a warning.
    fn split(&self, path: &str) -> Result<(safetensors::Weights, Option<String>)> {
        let Some((stem, count)) = one_of(path) else { return Ok((self.weights(path)?, None)) };
        let file = |at: u64| format!("{stem}-{at:05}-of-{count:05}.safetensors");
        let mut weights = safetensors::Weights::default();
        let mut missing = 0;
        for file in (1..=count.min(MAX_FILES as u64)).map(file) {
            match self.files.size(&file) {
                Some(_) => weights.tensors.extend(self.weights(&file)?.tensors),
                None => missing += 1,
            }
        }
        let missing = (missing > 0).then(|| {
            format!(
                "{missing} of the {count} files of the model are not here: they are not counted"
            )
        });
        Ok((weights, missing))
    }

    /// The tensors of an index and the files that it names.
    fn sharded(&self, path: &str) -> Result<safetensors::Weights> {
        let index = safetensors::Index::read(&self.text(path)?)?;
        if index.files.len() > MAX_FILES {
            return Err(Error::input(format!("a model in {} files", index.files.len())));
        }
        let folder = folder_of(path);
        let read = |file: &String| Ok((file.clone(), self.weights(&join(folder, file))?));
        index.collect(index.files.keys().map(read).collect::<Result<BTreeMap<_, _>>>()?)
    }

    /// The header of a GGUF file, with those of the other files that the model is split into.
    fn gguf(&self, path: &str) -> Result<gguf::Header> {
        let read = |path: &str| gguf::read(|most| self.files.head(path, most));
        let mut header = read(path)?;
        let files = header.files();
        if files < 2 {
            return Ok(header);
        }
        let Some(stem) = path.strip_suffix(&format!("-00001-of-{files:05}.gguf")) else {
            return Err(Error::input(format!("one of {files} files of a model"))
                .hint("name the first of them: ...-00001-of-...gguf"));
        };
        for at in 2..=files.min(MAX_FILES as u64) {
            header.extend(read(&format!("{stem}-{at:05}-of-{files:05}.gguf"))?);
        }
        Ok(header)
    }

    /// An adapter on its base: the configuration beside it, a path, or a preset.
    fn adapter(&self, beside: &str, json: &Json) -> Result<Model> {
        let file = adapter::File::read(json)?;
        let named = file.base_model_name_or_path.clone().unwrap_or_default();
        let here = join(beside, "config.json");
        let local = join(beside, &named);
        let base = if self.files.size(&here).is_some() {
            self.named(&here)
        } else if !named.is_empty() && self.files.names(&local).is_some() {
            self.named(&local)
        } else {
            let short = last(&named).to_lowercase();
            spec::from_preset(&named, self.input)
                .or_else(|_| spec::from_preset(&short, self.input))
                .or_else(|_| spec::from_preset(short.trim_end_matches("-instruct"), self.input))
                .map_err(|_| {
                    Error::input(format!("the base `{named}` of the adapter is not known"))
                        .hint("put its config.json beside adapter_config.json")
                })
        };
        let mut model = file.on(&base?)?;
        model.assumptions.push(Assumption {
            what: "base".into(),
            value: model.name.clone(),
            why: format!("`base_model_name_or_path` is {named}"),
        });
        Ok(model)
    }

    /// One component of a diffusion pipeline: the class names the family.
    fn component(&self, path: &str, map: &Map<String, Json>) -> Result<Model> {
        let mut map = map.clone();
        let class = map.get("_class_name").cloned().unwrap_or_default();
        if class.as_str().is_some_and(|class| class.ends_with("Pipeline")) {
            return Err(Error::input("a pipeline without components"));
        }
        map.insert("model_type".into(), class);
        config::saved(last(path), &Json::Object(map), self.input)
    }

    /// A diffusion pipeline: the sum of the components that have a configuration.
    fn pipeline(&self, folder: &str, map: &Map<String, Json>) -> Result<Model> {
        // A component alone has neither steps nor guidance.
        let alone = Input { steps: None, guided: None, ..*self.input };
        let components = Source { input: &alone, ..*self };
        let mut parts = Vec::new();
        let (mut missing, mut unread) = (Vec::new(), Vec::new());
        for (name, _) in map.iter().filter(|(_, value)| is_component(value)) {
            let path = join(&join(folder, name), "config.json");
            if self.files.size(&path).is_some() {
                match components.named(&path) {
                    Ok(part) => parts.push((name.clone(), part)),
                    // Without what is denoised there is no pipeline; the rest is told.
                    Err(error) if denoises(name) => return Err(error.within(name)),
                    Err(error) => unread.push((name.clone(), error.message().to_owned())),
                }
            } else if !["scheduler", "tokenizer", "processor", "extractor"]
                .iter()
                .any(|it| name.contains(it))
            {
                missing.push(name.clone());
            }
        }
        if parts.is_empty() {
            return Err(Error::input("no component of the pipeline has its config.json here")
                .hint("the folder holds transformer/ or unet/, vae/, text_encoder/"));
        }
        let class = map.get("_class_name").and_then(Json::as_str).unwrap_or("pipeline");
        let mut model = pipeline(class, parts, self.input)?;
        for (name, why) in unread {
            model.warnings.push(format!("{name} is not counted: {why}"));
            model.unresolved.push(Unresolved { kind: name, count: 1, why });
        }
        if !missing.is_empty() {
            let names = missing.join(", ");
            model.warnings.push(format!("{names}: no config.json here, not counted"));
        }
        Ok(model)
    }

    /// A sentence-transformers folder: an encoder and the layers on its answer.
    fn sentence_transformer(&self, folder: &str, modules: &[Json]) -> Result<Model> {
        let mut parts = Vec::new();
        for (at, module) in modules.iter().enumerate() {
            let text = |key: &str| module.get(key).and_then(Json::as_str).unwrap_or_default();
            let kind = text("type").rsplit('.').next().unwrap_or_default();
            let place = join(folder, text("path"));
            match kind {
                "Transformer" => parts.push((format!("{at}"), self.encoder(&place)?)),
                "Dense" => {
                    let sizes = self.parsed(&join(&place, "config.json"))?;
                    parts.push((format!("{at}"), dense(&sizes)?));
                }
                "Pooling" | "Normalize" | "LayerNorm" | "Dropout" => {}
                other => {
                    return Err(Error::input(format!("a module {other} is not read"))
                        .hint("Transformer, Pooling, Dense and Normalize are"));
                }
            }
        }
        if parts.is_empty() {
            return Err(Error::input("modules.json names no module that has parameters"));
        }
        joined(last(folder), parts)
    }

    /// The encoder of a sentence-transformers folder: the model without a head.
    fn encoder(&self, folder: &str) -> Result<Model> {
        let path = join(folder, "config.json");
        let mut json = self.parsed(&path)?;
        let class = json.pointer("/architectures/0").and_then(Json::as_str);
        if let Some((stem, _)) = class.and_then(|class| class.split_once("For")) {
            let part = if stem.ends_with("T5") { "EncoderModel" } else { "Model" };
            json["architectures"] = json!([format!("{stem}{part}")]);
        }
        match &json {
            Json::Object(map) => self.snapshot(&path, map),
            _ => Err(Error::input("a configuration is a section of keys")),
        }
    }

    /// A model file, or a section of a Megatron or `NeMo` file.
    fn yaml(&self, path: &str) -> Result<Model> {
        let (name, text) = (last(path), self.text(path)?);
        let json = document::json(name, text.as_bytes())?;
        match megatron::section(&json) {
            Some(map) => {
                let sizes = megatron::transformer(&map)?;
                config::from_json(name, &sizes, Some("transformer"), self.input)
            }
            None => model_file::read(name, &text, self.input),
        }
    }

    /// A timm configuration: it names a network and no sizes, so that of a preset of the name is
    /// taken.
    fn timm(&self, architecture: &str, map: &Map<String, Json>) -> Result<Model> {
        let mut model = spec::from_preset(architecture, self.input).map_err(|_| {
            Error::input(format!("a timm configuration names an architecture, `{architecture}`, and no sizes"))
                .suggest(&architecture.replace('_', "-"), spec::preset_names())
                .hint("take a preset (`flopcast model --list`), or the config.json of the same model for the transformers library")
        })?;
        model.assumptions.push(Assumption {
            what: "model".into(),
            value: model.name.clone(),
            why: format!("the preset called `{architecture}`; the file names no sizes"),
        });
        let classes = map.get("num_classes").and_then(Json::as_u64);
        let mut heads = model.layers.iter().filter_map(|layer| match &layer.operator {
            Operator::Dense(dense) if layer.role == Role::Head => Some(dense.outputs),
            _ => None,
        });
        if let (Some(classes), Some(own)) = (classes, heads.next_back())
            && classes != own
        {
            model.warnings.push(format!(
                "the file has {classes} classes, the preset {own}: the head is the preset's"
            ));
        }
        Ok(model)
    }

    /// # Errors
    /// For configurations of libraries whose files do not describe an architecture.
    #[expect(clippy::unused_self, reason = "reads as the other kinds do")]
    fn refuse_other_libraries(&self, map: &Map<String, Json>) -> Result<()> {
        let has = |key: &str| map.contains_key(key);
        if has("model_type") || has("architectures") {
            return Ok(());
        }
        if has("quantization") && has("producer") {
            return Err(Error::input("hf_quant_config.json holds formats alone")
                .hint("name the config.json beside it, or the folder"));
        }
        Ok(())
    }

    /// A JSON file, with the repairs of [`config::lenient`].
    fn parsed(&self, path: &str) -> Result<Json> {
        Ok(config::lenient::json(&self.text(path)?)?.0)
    }

    /// A text file of at most 16 MiB.
    fn text(&self, path: &str) -> Result<String> {
        String::from_utf8(self.whole(path, MAX_TEXT)?)
            .map_err(|_| Error::input(format!("{path} is not UTF-8 text")))
    }

    /// All bytes of a file.
    fn whole(&self, path: &str, most: u64) -> Result<Vec<u8>> {
        if let Some(size) = self.files.size(path).filter(|size| *size > most) {
            let (size, most) = (size as f64 / 1e6, most as f64 / 1e6);
            return Err(Error::input(format!(
                "{path} is {size:.0} MB large; at most {most:.0} MB are read"
            )));
        }
        let bytes = self.files.head(path, most + 1)?;
        if bytes.len() as u64 > most {
            return Err(Error::input(format!("{path} holds more than {most} bytes")));
        }
        Ok(bytes)
    }
}

/// The network that a timm configuration names.
fn timm(map: &Map<String, Json>) -> Option<&str> {
    let has = |key: &str| map.contains_key(key);
    let own = has("pretrained_cfg") || has("num_features");
    let other = has("model_type") || has("architectures");
    map.get("architecture").and_then(Json::as_str).filter(|_| own && !other)
}

/// True for an entry of `model_index.json`: a library and a class.
fn is_component(value: &Json) -> bool {
    matches!(value, Json::Array(pair) if pair.len() == 2 && pair.iter().all(Json::is_string))
}

/// A dense layer of a sentence-transformers folder.
fn dense(json: &Json) -> Result<Model> {
    let size = |key: &str| {
        json.get(key)
            .and_then(Json::as_u64)
            .ok_or_else(|| Error::input(format!("`{key}` of a Dense module is no size")))
    };
    let dense = Dense {
        rows: 1,
        inputs: size("in_features")?,
        outputs: size("out_features")?,
        bias: json.get("bias").and_then(Json::as_bool).unwrap_or(true),
    };
    Model::new(
        "dense",
        vec![Layer::new("linear", Role::Head, Operator::Dense(dense))],
        Input::default(),
        None,
    )
}

/// The stem of a file that is one of several, and how many they are: `model-00001-of-00003.safetensors`.
fn one_of(path: &str) -> Option<(&str, u64)> {
    let (rest, count) = path.strip_suffix(".safetensors")?.rsplit_once("-of-")?;
    let (stem, at) = rest.rsplit_once('-')?;
    let number = |text: &str| (text.len() == 5).then(|| text.parse::<u64>().ok()).flatten();
    number(at)?;
    Some((stem, number(count).filter(|count| *count > 0)?))
}

/// The last part of a path.
fn last(path: &str) -> &str {
    path.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or(path)
}

/// The folder of a file; empty for a bare name.
fn folder_of(path: &str) -> &str {
    path.rfind(['/', '\\']).map_or("", |at| &path[..=at])
}

/// A name in a folder, as one path.
fn join(folder: &str, name: &str) -> String {
    match (folder, name) {
        ("", name) => name.to_owned(),
        (folder, "") => folder.to_owned(),
        (folder, name) if folder.ends_with(['/', '\\']) => format!("{folder}{name}"),
        (folder, name) => format!("{folder}/{name}"),
    }
}
