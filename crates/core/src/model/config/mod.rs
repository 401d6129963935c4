//! Hugging Face `config.json`: its `model_type` names a family in `models/families/`, the class in
//! `architectures` names the head.
//!
//! A key has an alias, a default or a use in the family. A key that the family lists under `ignore`
//! changes nothing; one that it does not know is taken to change nothing, and is listed: as a
//! warning if it looks like a known one or names a size, as an assumption otherwise.

pub mod lenient;
mod named;
mod quantized;
mod unread;

use serde_json::Value as Json;

use self::named::named;
use self::unread::{Keys, Unread};
use crate::diagnostic::{Error, Result};
use crate::model::input::Input;
use crate::model::template::{Config, Value, build, chain};
use crate::model::total::Model;

/// The model of a `config.json` on an input.
///
/// # Errors
/// If the text is no JSON object; if neither its type nor its class is known (with the nearest
/// known types and the keys that could not be placed); if the family does not know the class's
/// head; if sizes are missing, contradict each other, or are all under keys that nothing reads.
pub fn read(name: &str, text: &str, input: &Input) -> Result<Model> {
    let (json, warnings) = lenient::json(text)?;
    let mut model = saved(name, &json, input)?;
    model.warnings.splice(0..0, warnings);
    Ok(model)
}

/// The model of a configuration that a library saved: what it does not know is told.
///
/// # Errors
/// As [`read`].
pub fn saved(name: &str, json: &Json, input: &Input) -> Result<Model> {
    model(name, json, None, input, |unread| {
        unread.check_sizes()?;
        Ok(unread)
    })
}

/// The model of a configuration that a person wrote. `model_type` is used if the configuration has
/// no such key.
///
/// # Errors
/// As [`read`], and if a key looks like a misspelling of one that the family reads.
pub fn from_json(
    name: &str,
    json: &Json,
    model_type: Option<&str>,
    input: &Input,
) -> Result<Model> {
    model(name, json, model_type, input, |unread| {
        unread.check_spelling()?;
        Ok(unread)
    })
}

/// The model of a configuration whose unread keys pass a check.
fn model(
    name: &str,
    json: &Json,
    model_type: Option<&str>,
    input: &Input,
    checked: impl Fn(Unread) -> Result<Unread>,
) -> Result<Model> {
    let Value::Map(config) = Value::from(json) else {
        return Err(Error::input("a configuration is a section of keys"));
    };
    let named = named(&config, model_type).map_err(|error| unplaced(error, &config))?;
    let model_type = named.model_type.as_str();
    let unread = checked(Unread::of(&named.chain, model_type, &config))?;
    let mut model = build(name, &named.chain, model_type, named.class.as_deref(), &config, input)
        .map_err(|error| odd(error, &config).within(model_type))?;
    model.assumptions.extend(named.assumptions);
    model.warnings.extend(named.warnings);
    unread.note(&mut model);
    for (key, part) in parts(&config) {
        if let Some(Value::Text(model_type)) = part.get("model_type")
            && let Ok(chain) = chain(model_type)
        {
            Unread::of(&chain, model_type, part).note_sizes(key, &mut model);
        }
    }
    if let Json::Object(config) = json {
        quantized::store(&mut model, config)?;
    }
    Ok(model)
}

/// The sections of a configuration that are configurations of parts.
fn parts(config: &Config) -> impl Iterator<Item = (&String, &Config)> {
    config.iter().filter_map(|(key, value)| match value {
        Value::Map(part) if key.ends_with("_config") => Some((key, &**part)),
        _ => None,
    })
}

/// Endings of the keys that are counts or widths.
const COUNTS: [&str; 7] = ["heads", "n_head", "layers", "n_layer", "size", "dim", "embeddings"];

/// The error with the extents that are no numbers above zero, the usual cause of one.
fn odd(error: Error, config: &Config) -> Error {
    let extents = config.iter().filter(|(key, _)| COUNTS.iter().any(|end| key.ends_with(end)));
    extents.fold(error, |error, (key, value)| match value {
        Value::Null => error.hint(format!("`{key}` is null")),
        Value::Text(text) if text.parse::<f64>().is_ok() => {
            error.hint(format!("`{key}` is the text \"{text}\": write it without quotes"))
        }
        Value::Bool(_) | Value::List(_) => error.hint(format!("`{key}` is no number")),
        Value::Int(..=0) => error.hint(format!("`{key}` is not above 0")),
        _ => error,
    })
}

/// The error of an unknown model type with the keys that no common part explains.
fn unplaced(error: Error, config: &Config) -> Error {
    let Ok(decoder) = chain("llama") else {
        return error;
    };
    let known = Keys::of(&decoder, "llama");
    let keys: Vec<_> =
        config.keys().filter(|key| !known.has(key)).take(20).map(String::as_str).collect();
    if keys.is_empty() {
        return error;
    }
    error.hint(format!("keys that no common part explains: {}", keys.join(", ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::template::known_types;

    /// A configuration that says nothing but its type has the type's defaults. Some defaults do not
    /// make a model, in the libraries neither.
    #[test]
    fn types_build_from_their_defaults() {
        let (mut built, mut refused) = (0, 0);
        for name in known_types().filter(|name| *name != "transformer") {
            let config = json!({"model_type": name});
            match from_json(name, &config, None, &Input::default()) {
                Ok(model) => {
                    assert!(model.parameters().total > 0, "{name}");
                    built += 1;
                }
                Err(_) => refused += 1,
            }
        }
        assert!(refused * 10 < built, "{refused} types do not build, {built} do");
    }

    #[test]
    fn bad_configurations_are_refused() {
        let cases = [
            ("", "not a JSON configuration"),
            ("[]", "a section of keys"),
            ("{}", "`model_type` is missing"),
            (r#"{"model_type": "lama"}"#, "did you mean `llama`"),
            (r#"{"model_type": "warp", "warp_factor": 9}"#, "warp_factor"),
            (r#"{"model_type": "llama", "num_attention_heads": 0}"#, "zero"),
            (r#"{"model_type": "llama", "num_hidden_layers": 0}"#, "needs layers"),
            (r#"{"model_type": "llama", "num_hidden_layers": -3}"#, "needs layers"),
            (
                r#"{"model_type": "llama", "num_hidden_layers": 1e18, "num_key_value_heads": 8}"#,
                "too large",
            ),
            (r#"{"model_type": "llama", "hidden_size": 100}"#, "not a whole number"),
            (r#"{"model_type": "llama", "hidden_size": "wide"}"#, "is wide, not a whole number"),
            (r#"{"model_type": "llama", "hidden_size": null}"#, "needs `dim`"),
            (
                r#"{"model_type": "llama", "num_hidden_layers": null}"#,
                "`num_hidden_layers` is null",
            ),
            (r#"{"model_type": "llama", "hidden_size": "4096"}"#, "write it without quotes"),
            (r#"{"model_type": "llama", "num_hidden_layers": [32]}"#, "is no number"),
            (r#"{"model_type": "llama", "num_key_value_heads": 7}"#, "do not share"),
            (r#"{"model_type": "llama", "vocab_size": 0}"#, "is 0"),
            (r#"{"model_type": "gpt2", "n_embd": 768, "hidden_size": 512}"#, "both name the same"),
            (r#"{"model_type": "llama", "architectures": ["LlamaForFlight"]}"#, "LlamaForFlight"),
            (
                r#"{"model_type": "mixtral", "num_experts_per_tok": 9}"#,
                "9 experts per position out of 8",
            ),
        ];
        for (text, part) in cases {
            match read("config.json", text, &Input::default()) {
                Ok(model) => panic!("{text}: {:?}", model.parameters()),
                Err(error) => assert!(error.to_string().contains(part), "{text}: {error}"),
            }
        }
    }

    fn warned(config: &Json) -> (u64, String) {
        let model = saved("config.json", config, &Input::default()).unwrap();
        (model.parameters().total, model.warnings.join("; "))
    }

    /// A saved file may hold keys of other libraries; a person's slip is an error.
    #[test]
    fn a_key_that_nothing_reads_is_told() {
        let config = json!({"model_type": "llama", "lora_rank": 8, "num_hiden_layers": 4,
            "hidden_size": 4096});
        let (total, warnings) = warned(&config);
        assert_eq!(total, 6_738_415_616);
        assert!(warnings.contains("did you mean `num_hidden_layers`"), "{warnings}");
        let error = from_json("model", &config, None, &Input::default()).unwrap_err().to_string();
        assert!(error.contains("num_hidden_layers") || error.contains("lora_rank"), "{error}");
        let nested = json!({"model_type": "llama", "hidden_size": 4096,
            "speech_config": {"hidden_size": 512}});
        assert!(warned(&nested).1.contains("`speech_config` = a section"));
    }

    /// Sizes that the family does not read would leave a model of its defaults.
    #[test]
    fn a_file_of_the_other_kind_is_refused() {
        for (config, part) in [
            (json!({"model_type": "bert", "text_config": {"hidden_size": 9}}), "a file of its own"),
            (json!({"model_type": "bert", "n_embd": 64}), "`n_embd`"),
        ] {
            let error = saved("config.json", &config, &Input::default()).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        let flat = json!({"model_type": "aimv2", "hidden_size": 1024});
        assert!(warned(&flat).1.contains("if the file is that of one part"));
    }

    #[test]
    fn the_class_is_a_second_way_to_the_family() {
        let class = |model_type: Option<&str>, class: &str| {
            let mut config = json!({"architectures": [class], "hidden_size": 4096});
            if let Some(model_type) = model_type {
                config["model_type"] = json!(model_type);
            }
            saved("config.json", &config, &Input::default())
        };
        for (model_type, named, of) in [
            (None, "LlamaForCausalLM", "llama"),
            (Some("kimi_k2"), "DeepseekV3ForCausalLM", "deepseek_v3"),
        ] {
            let model = class(model_type, named).unwrap();
            let line = model.assumptions.iter().find(|it| it.what == "model_type").unwrap();
            assert_eq!(line.value, of);
        }
        let model = class(Some("qwen2_moe"), "Qwen3MoeForCausalLM").unwrap();
        assert!(model.warnings[0].contains("counted as `qwen3_moe`"), "{:?}", model.warnings);
        let model = class(Some("llama"), "ZebraForCausalLM").unwrap();
        assert!(model.warnings[0].contains("no class of `llama`"), "{:?}", model.warnings);
        assert!(class(Some("internlm3"), "LlamaForCausalLM").unwrap().warnings.is_empty());
        assert!(class(Some("zebra"), "ZebraForCausalLM").is_err());
    }

    #[test]
    fn code_of_the_models_own_is_told_of() {
        let config = json!({"model_type": "bert", "architectures": ["BertForMaskedLM"],
            "auto_map": {"AutoModelForMaskedLM": "org/it--zebra.BertForMaskedLM"}});
        assert!(warned(&config).1.contains("zebra.BertForMaskedLM"));
    }
}
