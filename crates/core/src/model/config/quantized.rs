//! The formats of a checkpoint's weights, by `quantization_config`, `quantization` and `dtype`.
//!
//! Each method names its bits and groups in its own keys; what they mean for a weight is one rule:
//! `bits + beside / group`, with the bits of scales and zeros beside it.
//!
//! | method | beside a group |
//! |---|---|
//! | GPTQ, AWQ, AutoRound, HQQ | a 16-bit scale and a zero of the weight's bits |
//! | compressed-tensors | a 16-bit scale, 8 bits for NVFP4 and MXFP4, a zero where asymmetric |
//! | bitsandbytes | a 32-bit scale for 64 weights, 8 bits where quantised twice |
//! | FP8 in blocks | a 32-bit scale for 128 x 128 weights |
//! | NVFP4, MXFP4, MXFP8 | an 8-bit scale for 16, 32, 32 weights |
//! | MLX | a 16-bit scale and a 16-bit bias |

use serde_json::{Map, Value as Json};

use crate::diagnostic::{Error, Result};
use crate::model::layer::{Layer, Role};
use crate::model::operator::Operator;
use crate::model::stored::{Storage, bits};
use crate::model::total::Model;
use crate::quantity::{Data, Precision};

/// Takes the formats that a configuration names over to a model's layers.
///
/// # Errors
/// If a weight has no bits, or more than any format.
pub(super) fn store(model: &mut Model, config: &Map<String, Json>) -> Result<()> {
    let text = config.get("text_config").and_then(Json::as_object);
    let find = |key: &str| {
        config.get(key).or_else(|| text.and_then(|text| text.get(key))).filter(|it| !it.is_null())
    };
    let plain =
        find("dtype").or_else(|| find("torch_dtype")).and_then(Json::as_str).and_then(plain);
    if let Some((name, element)) = plain {
        model.layers.iter_mut().for_each(|layer| layer.stored = Some(element));
        model.storage = Some(Storage { name: name.to_owned(), packed: false, products: None });
    }
    let sections = ["quantization_config", "quantization", "compression_config"];
    let Some((key, section)) = sections.iter().find_map(|key| Some((*key, find(key)?))) else {
        return Ok(());
    };
    let Some(section) = section.as_object() else {
        model.warnings.push(format!(
            "`{key}` holds no keys: weights are counted in the format of the run; name it with a \
             precision"
        ));
        return Ok(());
    };
    let Some(scheme) = Scheme::of(section) else {
        let method = section.get("quant_method").and_then(Json::as_str).unwrap_or("unnamed");
        model.warnings.push(format!(
            "weights are stored in a format that is not read (quantization method {method}): they \
             are counted in the format of the run; name it with a precision"
        ));
        return Ok(());
    };
    let stored = scheme.weight.value * 8.0;
    if !(0.5..=64.0).contains(&stored) {
        return Err(Error::input(format!(
            "`{key}`: {stored} bits of a weight, with what stands beside it"
        ))
        .hint("weights are stored in 1 to 32 bits"));
    }
    let wide = plain.map_or_else(|| bits(16.0), |(_, element)| element);
    for layer in &mut model.layers {
        let share = scheme.share(layer);
        if share > 0.0 {
            let element = layer.stored.unwrap_or(wide);
            layer.stored = Some(scheme.weight * share + element * (1.0 - share));
        } else {
            layer.stored.get_or_insert(wide);
        }
    }
    model.storage = Some(Storage { name: scheme.name, packed: true, products: scheme.products });
    Ok(())
}

/// A format without groups by the name that PyTorch gives it.
fn plain(dtype: &str) -> Option<(&'static str, Data)> {
    let (name, wide) = match dtype.trim_start_matches("torch.") {
        "float64" => ("fp64", 64.0),
        "float32" | "float" => ("fp32", 32.0),
        "float16" | "half" => ("fp16", 16.0),
        "bfloat16" => ("bf16", 16.0),
        "float8_e4m3fn" | "float8_e5m2" => ("fp8", 8.0),
        _ => return None,
    };
    Some((name, bits(wide)))
}

/// How weights are quantised, and which.
struct Scheme {
    name: String,
    /// Bytes of a weight, with its share of what stands beside its group.
    weight: Data,
    products: Option<Precision>,
    /// Names of modules that keep their format.
    kept: Vec<String>,
    /// The head is quantised, the table of tokens is.
    head: bool,
    table: bool,
    /// Routed experts alone.
    experts_alone: bool,
}

/// A format of a group of weights.
struct Group {
    bits: f64,
    size: f64,
    beside: f64,
}

impl Group {
    /// Bits of a stored weight.
    fn bits(&self) -> f64 {
        self.bits + if self.size > 0.0 { self.beside / self.size } else { 0.0 }
    }

    /// The scheme in words.
    fn words(&self) -> String {
        let groups =
            if self.size > 1.0 { format!(" in groups of {}", self.size) } else { String::new() };
        format!("{} bits{groups}", self.bits)
    }
}

impl Scheme {
    /// The scheme of a section; none for methods that are not known.
    fn of(section: &Map<String, Json>) -> Option<Self> {
        let word = |key: &str| section.get(key).and_then(Json::as_str).map(str::to_lowercase);
        let number =
            |keys: &[&str]| keys.iter().find_map(|key| section.get(*key).and_then(Json::as_f64));
        let truth = |key: &str| section.get(key).and_then(Json::as_bool).unwrap_or(false);
        let method = word("quant_method").unwrap_or_default();
        let mut products = None;
        let mut lists = vec![
            "modules_to_not_convert",
            "ignore",
            "ignored_layers",
            "exclude",
            "exclude_modules",
            "llm_int8_skip_modules",
            "skip_modules",
            "linear_weights_not_to_quantize",
        ];
        let group = match method.as_str() {
            "compressed-tensors" | "compressed_tensors" => {
                let (group, activations) = compressed(section)?;
                products = activations;
                group
            }
            "bitsandbytes" | "bitsandbytes_4bit" | "bitsandbytes_8bit" => {
                let four =
                    truth("load_in_4bit") || truth("_load_in_4bit") || method.ends_with("4bit");
                let twice = truth("bnb_4bit_use_double_quant");
                let beside = if twice { 8.0 + 32.0 / 256.0 } else { 32.0 };
                if four { Group { bits: 4.0, size: 64.0, beside } } else { eight() }
            }
            "fp8" | "fbgemm_fp8" | "finegrained_fp8" => {
                products = Some(Precision::Fp8);
                let block = section.get("weight_block_size").and_then(Json::as_array);
                let sides = block.map(|it| it.iter().filter_map(Json::as_f64).product::<f64>());
                Group { size: sides.unwrap_or(0.0), beside: 32.0, ..eight() }
            }
            "mxfp4" => Group { bits: 4.0, size: 32.0, beside: 8.0 },
            "modelopt" | "modelopt_fp4" | "modelopt_mixed" => {
                let algorithm = word("quant_algo").or_else(|| word("quant_type"))?;
                let (group, activations) = algorithmic(&algorithm, number(&["group_size"]))?;
                products = activations;
                group
            }
            "quark" => quark(section)?,
            "eetq" => eight(),
            // Codes of several books for a group of weights (arXiv:2401.06118).
            "aqlm" => {
                let of = |key: &str| number(&[key]);
                let codes = of("num_codebooks")? * of("nbits_per_codebook")?;
                let weights = of("in_group_size")? * of("out_group_size").unwrap_or(1.0);
                Group { bits: codes / weights.max(1.0), size: 0.0, beside: 0.0 }
            }
            "quanto" => by_word(&word("weights")?)?,
            "hqq" => {
                let inner =
                    section.get("quant_config").or_else(|| section.get("weight_quant_params"));
                let inner = inner.and_then(Json::as_object).unwrap_or(section);
                let deeper = inner.get("weight_quant_params").and_then(Json::as_object);
                let inner = deeper.unwrap_or(inner);
                let of = |key: &str| inner.get(key).and_then(Json::as_f64);
                let group = grouped(of("nbits")?, of("group_size"));
                // Zeros that nobody packs have 16 bits, as scales have.
                let whole = section.get("quant_config").and_then(|it| it.get("zero_quant_params"));
                let beside = if whole == Some(&Json::Null) { 32.0 } else { group.beside };
                Group { beside, ..group }
            }
            // The scale and the zero of a group have 16 bits each.
            "torchao" => {
                let kind = section.get("quant_type")?;
                let inner = kind.get("default").unwrap_or(kind).get("_data");
                let size = inner.or_else(|| section.get("quant_type_kwargs"));
                let size = size.and_then(|it| it.get("group_size")).and_then(Json::as_f64);
                match by_word(&format!("{kind:?}"))? {
                    group if group.size > 0.0 && group.beside < 32.0 => {
                        Group { size: size.unwrap_or(group.size), beside: 32.0, ..group }
                    }
                    group => group,
                }
            }
            // Three values, four weights to a byte, unless they are rounded as they are read.
            "bitnet" if word("quantization_mode").is_none_or(|mode| mode != "online") => {
                Group { bits: 2.0, size: 0.0, beside: 0.0 }
            }
            // MLX has no method, only bits.
            "" if word("mode")
                .is_some_and(|mode| mode.starts_with("mxfp") || mode.starts_with("nvfp")) =>
            {
                algorithmic(&word("mode")?, None)?.0
            }
            "" if section.contains_key("bits") => Group {
                bits: number(&["bits"])?,
                size: number(&["group_size"]).unwrap_or(64.0),
                beside: 32.0,
            },
            "" if section.contains_key("quant_algo") => {
                let (group, activations) =
                    algorithmic(&word("quant_algo")?, number(&["group_size"]))?;
                products = activations;
                group
            }
            _ => grouped(
                number(&["bits", "w_bit", "wbits", "nbits"])?,
                number(&["group_size", "q_group_size", "groupsize"]),
            ),
        };
        let mlx = method.is_empty() && section.contains_key("bits");
        if mlx {
            lists.clear();
        }
        let kept = lists.into_iter().filter_map(|key| section.get(key)?.as_array()).flatten();
        let kept = kept.filter_map(Json::as_str);
        // GPTQModel lists modules that stay as they are as `-:EXPRESSION`.
        let dynamic = section.get("dynamic").and_then(Json::as_object);
        let out = dynamic.into_iter().flat_map(Map::keys).filter_map(|it| it.strip_prefix("-:"));
        let shown = if method.is_empty() && mlx {
            "mlx"
        } else if method.is_empty() {
            "modelopt"
        } else {
            &method
        };
        Some(Self {
            name: format!("{shown}, {}", group.words()),
            weight: bits(group.bits()),
            products,
            kept: kept.chain(out).map(str::to_owned).collect(),
            head: mlx || truth("lm_head"),
            table: mlx,
            experts_alone: method == "mxfp4",
        })
    }

    /// The share of a layer's weights that is quantised: projections, without routers.
    fn share(&self, layer: &Layer) -> f64 {
        let product = matches!(layer.operator, Operator::Dense(_));
        let is_table = matches!(layer.operator, Operator::Embedding(_));
        let taken = match layer.role {
            Role::Embedding => self.table && is_table,
            Role::Head => self.head && product,
            Role::Router | Role::Norm => false,
            Role::Experts => product,
            _ => product && !self.experts_alone,
        };
        if !taken {
            return 0.0;
        }
        // A bias keeps its format.
        let matrix = match &layer.operator {
            Operator::Dense(dense) => {
                (dense.inputs as f64 * dense.outputs as f64) / (dense.parameters().max(1) as f64)
            }
            _ => 1.0,
        };
        let copies = layer.weight_copies.max(1) as f64;
        let mut single = 0_u64;
        for pattern in &self.kept {
            match kept(pattern, &layer.name) {
                Kept::All => return 0.0,
                Kept::One => single += 1,
                Kept::None => {}
            }
        }
        matrix * (1.0 - single as f64 / copies).max(0.0)
    }
}

/// How many of a layer's repetitions a pattern keeps.
enum Kept {
    All,
    One,
    None,
}

/// Decides if a pattern of a configuration means a layer: its words are parts of the layer's name,
/// in their order; `re:` introduces an expression, of which the plain words count.
fn kept(pattern: &str, name: &str) -> Kept {
    let pattern =
        pattern.trim_start_matches("re:").trim_start_matches('^').replace(['\\', '$'], "");
    let words = pattern.split(['.', '*', '+', '(', ')', '?', '|', '[', ']', '/']);
    let words: Vec<&str> = words
        .filter(|word| {
            !word.is_empty() && !["model", "language_model", "module", "d"].contains(word)
        })
        .collect();
    let mut parts = name.split('.');
    let mut indexed = false;
    for word in &words {
        if word.bytes().all(|byte| byte.is_ascii_digit()) {
            indexed = true;
            continue;
        }
        if !parts.any(|part| part == *word) {
            return Kept::None;
        }
    }
    match (words.is_empty(), indexed) {
        (true, _) => Kept::None,
        (false, true) => Kept::One,
        (false, false) => Kept::All,
    }
}

/// 8 bits with a scale for a row, which is too little to count.
fn eight() -> Group {
    Group { bits: 8.0, size: 0.0, beside: 0.0 }
}

/// Integers with a 16-bit scale and a zero for a group; a group of -1 is a whole row.
fn grouped(bits: f64, size: Option<f64>) -> Group {
    Group { bits, size: size.filter(|size| *size > 0.0).unwrap_or(0.0), beside: 16.0 + bits }
}

/// The first group of compressed-tensors, and the format of activations.
fn compressed(section: &Map<String, Json>) -> Option<(Group, Option<Precision>)> {
    let groups = section.get("config_groups")?.as_object()?;
    let group = groups.values().find_map(Json::as_object)?;
    let weights = group.get("weights")?.as_object()?;
    let wide = weights.get("num_bits")?.as_f64()?;
    let float = weights.get("type").and_then(Json::as_str) == Some("float");
    let size = weights.get("group_size").and_then(Json::as_f64).filter(|size| *size > 0.0);
    let block = weights.get("block_structure").and_then(Json::as_array);
    let block = block.map(|it| it.iter().filter_map(Json::as_f64).product::<f64>());
    let symmetric = weights.get("symmetric").and_then(Json::as_bool).unwrap_or(true);
    let beside = match (float, wide <= 4.0) {
        (true, true) => 8.0,
        _ => 16.0 + if symmetric { 0.0 } else { wide },
    };
    let activations = group.get("input_activations").and_then(Json::as_object);
    let products = activations.and_then(|it| it.get("num_bits")).and_then(Json::as_f64);
    let products = products.and_then(|wide| match (wide <= 4.0, wide <= 8.0, float) {
        (true, _, true) => Some(Precision::Fp4),
        (false, true, true) => Some(Precision::Fp8),
        (false, true, false) => Some(Precision::Int8),
        _ => None,
    });
    Some((Group { bits: wide, size: size.or(block).unwrap_or(0.0), beside }, products))
}

/// The algorithms of NVIDIA's optimizer of models, and the modes of MLX that go by the same names.
fn algorithmic(name: &str, size: Option<f64>) -> Option<(Group, Option<Precision>)> {
    let name = name.to_lowercase();
    let is = |part: &str| name.contains(part);
    Some(if is("nvfp4") {
        let products = (!is("w4a16")).then_some(Precision::Fp4);
        (Group { bits: 4.0, size: 16.0, beside: 8.0 }, products)
    } else if is("mxfp4") {
        (Group { bits: 4.0, size: 32.0, beside: 8.0 }, None)
    } else if is("mxfp8") {
        (Group { bits: 8.0, size: 32.0, beside: 8.0 }, Some(Precision::Fp8))
    } else if is("w4a16") || is("int4") || is("w4a8") {
        (grouped(4.0, size.or(Some(128.0))), None)
    } else if is("w8a8_sq") || is("int8") {
        (eight(), Some(Precision::Int8))
    } else if is("fp8") || is("mixed") {
        (eight(), Some(Precision::Fp8))
    } else if is("w8a16") {
        (eight(), None)
    } else {
        return None;
    })
}

/// The weights of Quark's global configuration.
fn quark(section: &Map<String, Json>) -> Option<Group> {
    let global = section.get("global_quant_config")?.get("weight")?;
    let weight = match global {
        Json::Array(several) => several.first()?,
        one => one,
    };
    let mut group = by_word(weight.get("dtype")?.as_str()?)?;
    if let Some(size) = weight.get("group_size").and_then(Json::as_f64).filter(|size| *size > 0.0) {
        group.size = size;
        group.beside = if weight.get("scale_format").and_then(Json::as_str) == Some("e8m0") {
            8.0
        } else {
            16.0
        };
    }
    Some(group)
}

/// The format that a word names: `int4`, `fp8_e4m3`, `qint8`.
fn by_word(word: &str) -> Option<Group> {
    let word = word.to_lowercase();
    let is = |part: &str| word.contains(part);
    Some(if is("mxfp4") || is("mx_fp4") {
        Group { bits: 4.0, size: 32.0, beside: 8.0 }
    } else if is("int4") || is("fp4") {
        grouped(4.0, Some(128.0))
    } else if is("int2") {
        grouped(2.0, Some(128.0))
    } else if is("fp6") {
        Group { bits: 6.0, size: 32.0, beside: 8.0 }
    } else if is("int8") || is("fp8") || is("float8") {
        eight()
    } else {
        return None;
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::config::saved;
    use crate::model::input::Input;
    use crate::quantity::Measure as _;

    /// Llama 3.1 8B: 6,979,321,856 weights of projections, 1,050,673,152 of table and head,
    /// 266,240 of norms.
    const LINEAR: f64 = 6_979_321_856.0;
    const REST: f64 = 2.0 * (1_050_673_152.0 + 266_240.0);

    fn llama(extra: &Json) -> Model {
        let mut config = json!({"model_type": "llama", "hidden_size": 4096,
            "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
            "num_key_value_heads": 8, "vocab_size": 128_256, "torch_dtype": "bfloat16"});
        config.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        saved("llama", &config, &Input::default()).unwrap()
    }

    fn bytes(model: &Model) -> f64 {
        model.stored_data(bits(16.0)).stored()
    }

    #[test]
    fn every_method_gives_the_bits_of_a_weight() {
        let group = |bits: u64, kind: &str, size: u64| {
            json!({"quant_method": "compressed-tensors", "config_groups": {"group_0": {
                "weights": {"num_bits": bits, "type": kind, "group_size": size}}}, "ignore": ["lm_head"]})
        };
        let cases = [
            (json!({"quant_method": "gptq", "bits": 4, "group_size": 128}), 4.0 + 20.0 / 128.0),
            (json!({"quant_method": "gptq", "bits": 8, "group_size": 32}), 8.0 + 24.0 / 32.0),
            (json!({"quant_method": "awq", "w_bit": 4, "q_group_size": 64}), 4.0 + 20.0 / 64.0),
            (json!({"quant_method": "bitsandbytes", "load_in_4bit": true}), 4.5),
            (
                json!({"quant_method": "bitsandbytes", "load_in_4bit": true, "bnb_4bit_use_double_quant": true}),
                4.0 + 8.125 / 64.0,
            ),
            (json!({"quant_method": "bitsandbytes", "load_in_8bit": true}), 8.0),
            (json!({"quant_method": "fp8", "weight_block_size": [128, 128]}), 8.0 + 32.0 / 16384.0),
            (json!({"quant_method": "fbgemm_fp8"}), 8.0),
            (
                json!({"quant_method": "hqq", "quant_config": {"zero_quant_params": null,
                    "weight_quant_params": {"nbits": 4, "group_size": 64}}}),
                4.5,
            ),
            (json!({"quant_method": "bitnet"}), 2.0),
            (
                json!({"quant_method": "torchao", "quant_type": "int4_weight_only",
                    "quant_type_kwargs": {"group_size": 64}}),
                4.0 + 32.0 / 64.0,
            ),
            (
                json!({"quant_method": "torchao", "quant_type": {"default":
                    {"_type": "Int4WeightOnlyConfig", "_data": {"group_size": 32}}}}),
                4.0 + 32.0 / 32.0,
            ),
            (json!({"quant_method": "torchao", "quant_type": "int8_weight_only"}), 8.0),
            (group(4, "int", 128), 4.0 + 16.0 / 128.0),
            (group(4, "float", 16), 4.5),
            (
                json!({"quant_method": "modelopt", "quant_algo": "NVFP4", "exclude_modules": ["lm_head"]}),
                4.5,
            ),
            (json!({"quant_method": "modelopt", "quant_algo": "FP8"}), 8.0),
            (
                json!({"quant_method": "quark", "global_quant_config": {"weight": {"dtype": "fp8_e4m3"}}}),
                8.0,
            ),
            (
                json!({"quant_method": "hqq", "quant_config": {"nbits": 4, "group_size": 64}}),
                4.0 + 20.0 / 64.0,
            ),
        ];
        for (section, weight) in cases {
            let model = llama(&json!({"quantization_config": section.clone()}));
            let expected = LINEAR * weight / 8.0 + REST;
            assert!(
                (bytes(&model) / expected - 1.0).abs() < 1e-9,
                "{section}: {:e}",
                bytes(&model)
            );
            assert!(model.storage.is_some_and(|storage| storage.packed), "{section}");
        }
    }

    #[test]
    fn mlx_packs_the_table_and_the_head_too() {
        let model = llama(&json!({"quantization": {"group_size": 64, "bits": 4}}));
        let expected = (LINEAR + 1_050_673_152.0) * 4.5 / 8.0 + 2.0 * 266_240.0;
        assert!((bytes(&model) / expected - 1.0).abs() < 1e-9, "{:e}", bytes(&model));
    }

    /// gpt-oss keeps all but its experts in 16 bits.
    #[test]
    fn modules_that_keep_their_format_are_left_out() {
        let kept = |names: Json| {
            llama(
                &json!({"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 128,
                "modules_to_not_convert": names}}),
            )
        };
        let down = 32.0 * 4096.0 * 14336.0;
        let packed = (4.0 + 20.0 / 128.0) / 8.0;
        let all = LINEAR * packed + REST;
        let dynamic = llama(&json!({"quantization_config": {"quant_method": "gptq", "bits": 4,
            "group_size": 128, "dynamic": {"-:.*down_proj": {}}}}));
        assert!((bytes(&dynamic) - all + down * packed - 2.0 * down).abs() < 1.0);
        for (names, sixteen) in [
            (json!(["down_proj"]), down),
            (json!(["re:.*mlp.down_proj$"]), down),
            (json!(["model.layers.3.mlp.down_proj", "model.layers.4.mlp.down_proj"]), down / 16.0),
            (json!(["lm_head"]), 0.0),
        ] {
            let expected = all + sixteen * (2.0 - packed);
            let model = kept(names.clone());
            assert!((bytes(&model) / expected - 1.0).abs() < 1e-9, "{names}");
        }
    }

    #[test]
    fn a_plain_format_is_what_the_file_says() {
        for (dtype, wide) in [("float32", 4.0), ("torch.float16", 2.0), ("bfloat16", 2.0)] {
            let model = llama(&json!({"torch_dtype": dtype}));
            assert!((bytes(&model) / (8_030_261_248.0 * wide) - 1.0).abs() < 1e-12);
            assert!(model.storage.is_some_and(|storage| !storage.packed));
        }
        let model = llama(&json!({"quantization_config": {"quant_method": "warp"}}));
        assert!(model.warnings[0].contains("warp"), "{:?}", model.warnings);
    }
}
