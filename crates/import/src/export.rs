//! A model as a model file. `flopcast import` writes it and `flopcast model` reads it back with
//! equal counts.
//!
//! A configuration of a family becomes the family's keys, so that the file keeps its meaning at
//! other inputs. Any other model becomes a list of layers with every extent written out, which
//! holds at one input.

use std::fmt::Write as _;

use flopcast_core::diagnostic::{Error, Result, acts};
use flopcast_core::model::layer::Layer;
use flopcast_core::model::operator::{
    Attention, Axis, Convolution, Function, Mask, NormKind, Operator, Scan, ScanKind,
};
use flopcast_core::model::{Input, Model};
use serde_json::{Map, Value as Json, json};

use crate::model_file;

/// Keys of a configuration that say nothing about the architecture.
const BOOKKEEPING: [&str; 5] =
    ["architectures", "model_type", "transformers_version", "torch_dtype", "dtype"];

/// A Hugging Face configuration as a model file: its family, class and keys.
///
/// # Errors
/// If the text is no JSON object with a `model_type`.
pub fn of_configuration(name: &str, text: &str) -> Result<String> {
    let json: Json = serde_json::from_str(text)
        .map_err(|error| Error::input(format!("not a JSON configuration: {error}")))?;
    let Json::Object(map) = json else {
        return Err(Error::input("a configuration is a section of keys"));
    };
    let Some(model_type) = map.get("model_type").filter(|it| it.is_string()) else {
        return Err(Error::input("`model_type` is missing"));
    };
    let mut out = head(name);
    out.push_str(&line("type", model_type));
    if let Some(class) = map.get("architectures").and_then(|it| it.get(0)) {
        out.push_str(&line("class", class));
    }
    out.push_str("config:\n");
    for (key, value) in &map {
        if !BOOKKEEPING.contains(&key.as_str()) && !key.starts_with('_') {
            out.push_str("  ");
            out.push_str(&line(key, value));
        }
    }
    Ok(out)
}

/// Any model at its input as a model file: its layers with every extent written out.
///
/// # Errors
/// If a layer has no form in a layer list, or if the file does not read back.
pub fn of_layers(model: &Model) -> Result<String> {
    let mut out = head(&model.name);
    if !model.unresolved.is_empty() {
        let parts = model.unresolved.iter();
        let parts = parts.map(|it| json!({"kind": it.kind, "count": it.count, "why": it.why}));
        out.push_str(&line("unresolved", &Json::Array(parts.collect())));
    }
    out.push_str("layers:\n");
    for layer in &model.layers {
        for entry in entries(layer).map_err(|error| error.within(&layer.name))? {
            out.push_str("  - ");
            out.push_str(&flow(&entry));
            out.push('\n');
        }
    }
    // The layers have their extents written out: images and sound are asked for no more.
    let input = &model.input;
    let plain = Input {
        batch: input.batch,
        sequence: input.sequence,
        decoder_sequence: input.decoder_sequence,
        ..Input::default()
    };
    model_file::read(&model.name, &out, &plain)?;
    Ok(out)
}

/// The first line of a model file: its name.
fn head(name: &str) -> String {
    line("name", &json!(name))
}

/// A key with its value as a line of YAML.
pub(crate) fn line(key: &str, value: &Json) -> String {
    format!("{}: {}\n", plain(key), flow(value))
}

/// A value in YAML's flow style.
fn flow(value: &Json) -> String {
    match value {
        Json::Object(map) => {
            let parts: Vec<_> =
                map.iter().map(|(key, value)| format!("{}: {}", plain(key), flow(value))).collect();
            format!("{{{}}}", parts.join(", "))
        }
        Json::Array(items) => {
            format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", "))
        }
        other => quoted(other),
    }
}

/// A scalar as JSON writes it, which is valid in YAML; what acts on a terminal is escaped.
pub fn quoted(value: &Json) -> String {
    let mut out = String::new();
    for character in value.to_string().chars() {
        if acts(character) {
            let _ = write!(out, "\\U{:08x}", u32::from(character));
        } else {
            out.push(character);
        }
    }
    out
}

/// A key without quotes if it needs none.
fn plain(key: &str) -> String {
    let word = key.starts_with(|c: char| c.is_ascii_lowercase())
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !matches!(key, "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n");
    if word { key.to_owned() } else { quoted(&Json::from(key)) }
}

/// The entries of a layer list that stand for a layer: the shape it reads, then the operator. Runs
/// that own weights are repeated, runs without weights have a count, and weights that do not run
/// have a count of 0.
fn entries(layer: &Layer) -> Result<Vec<Json>> {
    let (shape, word, mut settings) = written(&layer.operator)?;
    let mut knobs = Map::from_iter([("name".to_owned(), json!(layer.name))]);
    knobs.append(&mut settings);
    if !word.ends_with("_pool") {
        knobs.insert("role".to_owned(), json!(layer.role.name()));
    }
    let mut reshape = Map::from_iter([("data".to_owned(), json!(layer.reads_data))]);
    reshape.extend(shape);
    let operator = json!([{"reshape": reshape}, {word: knobs}]);
    let scope = |count: u64, owned: bool| {
        let mut scope = Map::from_iter([("scope".to_owned(), json!(""))]);
        if count != 1 {
            scope.insert("count".to_owned(), json!(count));
        }
        if !owned {
            scope.insert("weights".to_owned(), json!(false));
        }
        if !layer.trained {
            scope.insert("trained".to_owned(), json!(false));
        }
        if let Some(routing) = layer.routing {
            scope.insert("experts".to_owned(), json!(routing.experts));
            scope.insert("top_k".to_owned(), json!(routing.top_k));
        }
        scope.insert("layers".to_owned(), operator.clone());
        Json::Object(scope)
    };
    let repeat = |times: u64, entry: Json| match times {
        1 => entry,
        _ => json!({"repeat": times, "layers": [entry]}),
    };
    let (runs, copies) = (layer.count, layer.weight_copies);
    let both = runs.min(copies);
    let mut entries = Vec::new();
    if both > 0 {
        entries.push(repeat(both, scope(1, true)));
    }
    if runs > both {
        entries.push(scope(runs - both, false));
    }
    if copies > both {
        entries.push(repeat(copies - both, scope(0, true)));
    }
    Ok(entries)
}

/// Settings of an entry by name.
type Settings = Map<String, Json>;

/// The running shape that an operator needs, its word and its settings, so that the reader makes
/// the same operator of them.
///
/// # Errors
/// If a layer list has no form for it: a dilated pool, a bare parameter count.
fn written(operator: &Operator) -> Result<(Settings, &'static str, Settings)> {
    let none = Map::new;
    Ok(match operator {
        Operator::Dense(it) => (
            none(),
            "dense",
            settings(json!({"rows": it.rows, "in": it.inputs, "out": it.outputs, "bias": it.bias})),
        ),
        Operator::Convolution(it) => convolution(it),
        Operator::Attention(it) => (none(), "attention", attention(it)),
        Operator::Matmul(it) => (
            none(),
            "matmul",
            settings(
                json!({"batch": it.batch, "rows": it.rows, "inner": it.inner, "columns": it.columns}),
            ),
        ),
        Operator::Embedding(it) => (
            none(),
            "embedding",
            settings(json!({"entries": it.entries, "dim": it.dim, "rows": it.rows})),
        ),
        Operator::Norm(it) => {
            let kind = match it.kind {
                NormKind::Layer => "layer_norm",
                NormKind::Rms => "rms_norm",
                NormKind::Batch => "batch_norm",
                NormKind::Group => "group_norm",
            };
            let knobs = settings(json!({"dim": it.dim, "scale": it.scale, "bias": it.bias}));
            (shape(it.rows, &[], it.dim), kind, knobs)
        }
        Operator::Pointwise(it) => {
            let function = format!("'{}'", word_of(it.function));
            let knobs =
                json!({"function": function, "elements": it.elements, "operands": it.operands});
            (none(), "activation", settings(knobs))
        }
        Operator::Pool(it) => {
            if it.axes.iter().any(|axis| axis.dilation != 1) {
                return Err(Error::input("a layer list has no dilated pooling"));
            }
            let window = Window::new(&it.axes, false);
            let mut knobs = window.knobs();
            knobs.insert("ceil".to_owned(), json!(it.ceil));
            (shape(it.rows, &window.extents, 1), "max_pool", knobs)
        }
        Operator::Recurrent(it) => (
            shape(it.batch, &[it.length], it.inputs),
            it.cell.name(),
            settings(
                json!({"hidden": it.hidden, "directions": it.directions, "biases": it.biases}),
            ),
        ),
        Operator::Scan(it) => (none(), "scan", scan(it)),
        Operator::Parameter(size) => (none(), "parameter", settings(json!({"size": size}))),
        Operator::Bulk(_) => {
            return Err(Error::input("a bare parameter count is no layer list"));
        }
    })
}

/// An object as settings.
fn settings(json: Json) -> Settings {
    match json {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}

/// The running shape `batch x extents x features`.
fn shape(batch: u64, extents: &[u64], features: u64) -> Settings {
    settings(json!({"batch": batch, "extents": extents, "features": features}))
}

/// A convolution: the shape before it, its word by the number of axes, its settings.
fn convolution(it: &Convolution) -> (Settings, &'static str, Settings) {
    let window = Window::new(&it.axes, it.transposed);
    let mut knobs = window.knobs();
    knobs.extend(settings(json!({
        "out": it.out_channels, "groups": it.groups, "bias": it.bias,
        "transposed": it.transposed,
        "dilation": it.axes.iter().map(|axis| axis.dilation).collect::<Vec<_>>(),
    })));
    if it.transposed {
        knobs.insert("output_padding".to_owned(), json!(window.extra));
    }
    let word = ["conv1d", "conv2d", "conv3d"][it.axes.len().clamp(1, 3) - 1];
    (shape(it.batch, &window.extents, it.in_channels), word, knobs)
}

/// The products of attention with their mask; the full mask has no word.
fn attention(it: &Attention) -> Settings {
    let mut knobs = settings(json!({
        "batch": it.batch, "heads": it.heads, "kv_heads": it.kv_heads,
        "queries": it.queries, "keys": it.keys, "qk_dim": it.qk_dim, "v_dim": it.v_dim,
    }));
    let mask = match it.mask {
        Mask::Full => None,
        Mask::Causal => Some(("causal", json!(true))),
        Mask::Sliding(window) => Some(("window", json!(window))),
        Mask::Band(reach) => Some(("band", json!(reach))),
        Mask::Chunked(chunk) => Some(("chunk", json!(chunk))),
        Mask::Selected(most) => Some(("selected", json!(most))),
    };
    knobs.extend(mask.map(|(word, value)| (word.to_owned(), value)));
    knobs.extend(it.cached.map(|cached| ("cached".to_owned(), json!(cached))));
    knobs.extend(it.cross.then(|| ("cross".to_owned(), json!(true))));
    knobs
}

/// A scan by its kind and state, in chunks where it has them.
fn scan(it: &Scan) -> Settings {
    let kind = match it.kind {
        ScanKind::Selective => "'selective'",
        ScanKind::Decay => "'decay'",
        ScanKind::Lightning => "'lightning'",
        ScanKind::Delta => "'delta'",
        ScanKind::ChannelDelta => "'channel_delta'",
        ScanKind::Gated => "'gated'",
        ScanKind::Wkv => "'wkv'",
    };
    let mut knobs = settings(json!({
        "kind": kind, "batch": it.batch, "length": it.length, "heads": it.heads,
        "key_dim": it.key_dim, "value_dim": it.value_dim,
    }));
    knobs.extend(it.chunk.map(|chunk| ("chunk".to_owned(), json!(chunk))));
    knobs
}

/// The window of a convolution or a pool as settings. The setting `padding` is the same on both
/// sides, so an odd padding is added to the extent, or to the output of a transposed convolution.
struct Window<'a> {
    /// The window as the model has it.
    axes: &'a [Axis],
    /// Positions of the input, with an odd padding added.
    extents: Vec<u64>,
    /// Padding on each side.
    padding: Vec<u64>,
    /// Positions added at the end of a transposed convolution's output.
    extra: Vec<u64>,
}

impl<'a> Window<'a> {
    /// The window as settings: odd paddings go to the extent, or to the output of a transposed
    /// convolution.
    fn new(axes: &'a [Axis], transposed: bool) -> Self {
        let odd = |axis: &Axis| axis.padding % 2;
        let gather = |axis: &Axis| u64::from(!transposed) * odd(axis);
        let spread = |axis: &Axis| u64::from(transposed) * odd(axis);
        Self {
            axes,
            extents: axes.iter().map(|axis| axis.input + gather(axis)).collect(),
            padding: axes.iter().map(|axis| axis.padding / 2 + spread(axis)).collect(),
            extra: axes.iter().map(|axis| axis.extra + spread(axis)).collect(),
        }
    }

    /// The settings of kernel, stride and padding.
    fn knobs(&self) -> Settings {
        let each = |of: fn(&Axis) -> u64| self.axes.iter().map(of).collect::<Vec<_>>();
        Map::from_iter([
            ("kernel".to_owned(), json!(each(|axis| axis.kernel))),
            ("stride".to_owned(), json!(each(|axis| axis.stride))),
            ("padding".to_owned(), json!(self.padding)),
        ])
    }
}

/// The word that [`Function::activation`] reads as this function.
fn word_of(function: Function) -> &'static str {
    match function {
        Function::Relu => "relu",
        Function::SquaredRelu => "relu2",
        Function::Sigmoid => "sigmoid",
        Function::Tanh => "tanh",
        Function::Silu => "silu",
        Function::Gelu => "gelu",
        Function::HardSwish => "hard_swish",
        Function::HardSigmoid => "hard_sigmoid",
        Function::Exponential => "exp",
        Function::Softplus => "softplus",
        Function::Softmax => "softmax",
        Function::Rotary => "rotary",
        Function::Add => "add",
        Function::Multiply => "multiply",
        Function::Reduce => "reduce",
        Function::Interpolate => "interpolate",
        Function::Fourier => "fourier",
        Function::Other => "other",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use flopcast_core::model::template::preset;

    use super::*;
    use flopcast_core::model::{AttentionCount, Input, config, spec};

    /// Every preset with layers of its own and one of each model type, written out layer by layer,
    /// count the same: presets of a type differ in their extents alone.
    #[test]
    fn written_layers_count_the_same() {
        let mut types = BTreeSet::new();
        let is_new = |name: &&str| {
            let (_, json, _) = preset(name).unwrap();
            let file: Json = serde_json::from_str(json).unwrap();
            file.get("type").is_none_or(|it| types.insert(it.to_string()))
        };
        for name in spec::preset_names().filter(is_new) {
            let model = spec::from_preset(name, &Input::default()).unwrap();
            let text = of_layers(&model).unwrap_or_else(|error| panic!("{name}: {error}"));
            let back = model_file::read(name, &text, &Input::default()).unwrap();
            assert_eq!(back.parameters(), model.parameters(), "{name}");
            for attention in [AttentionCount::Causal, AttentionCount::Full] {
                let same = |what: &str, a: f64, b: f64| {
                    assert!((a - b).abs() <= 1e-12 * b, "{name} {what}: {a} {b}");
                };
                let (a, b) = (back.forward(attention), model.forward(attention));
                same("forward", a.matmul.value, b.matmul.value);
                same("elementwise", a.elementwise.value, b.elementwise.value);
                let (a, b) = (back.backward(attention), model.backward(attention));
                same("backward", a.matmul.value, b.matmul.value);
            }
            let cached = |it: &Model| it.extents.cached_elements(1000);
            assert_eq!(cached(&back), cached(&model), "{name}");
        }
    }

    #[test]
    fn a_configuration_reads_back() {
        let config = r#"{"model_type": "mistral", "architectures": ["MistralForCausalLM"],
            "hidden_size": 1024, "num_hidden_layers": 2, "num_attention_heads": 8,
            "sliding_window": null, "head_dim": 64, "vocab_size": 1000, "_name_or_path": "x"}"#;
        let model = config::read("config.json", config, &Input::default()).unwrap();
        let text = of_configuration("config.json", config).unwrap();
        let back = model_file::read("m.yaml", &text, &Input::default()).unwrap();
        assert_eq!(back.layers, model.layers);
    }
}
