//! Hugging Face `config.json`: its `model_type` names a family in `models/families/`, the class in
//! `architectures` names the head.
//!
//! A key has an alias, a default or a use in the family. A key that the family lists under `ignore`
//! changes nothing; one that it does not know is taken to change nothing, and is listed as an
//! assumption.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::diagnostic::{Error, Result, nearest};
use crate::model::input::Input;
use crate::model::template::{Config, Template, Value, build, chain};
use crate::model::total::{Assumption, Model};

/// The model of a `config.json` on an input.
///
/// # Errors
/// If the text is no JSON object; if the model type is unknown (with the nearest known ones and the
/// keys that could not be placed); if the family does not know the class's head; if keys are
/// missing or contradict each other.
pub fn read(name: &str, text: &str, input: &Input) -> Result<Model> {
    let json: Json = serde_json::from_str(text)
        .map_err(|error| Error::input(format!("not a JSON configuration: {error}")))?;
    from_json(name, &json, None, input)
}

/// The model of a configuration. `model_type` is used if the configuration has no such key. Keys
/// that the family does not know are listed as assumptions to change nothing.
///
/// # Errors
/// As [`read`].
pub fn from_json(
    name: &str,
    json: &Json,
    model_type: Option<&str>,
    input: &Input,
) -> Result<Model> {
    let Value::Map(config) = Value::from(json) else {
        return Err(Error::input("a configuration is a section of keys"));
    };
    let named = match config.get("model_type") {
        Some(Value::Text(named)) => Some(&**named),
        _ => None,
    };
    let model_type = named.or(model_type).ok_or_else(|| {
        Error::input("`model_type` is missing").hint("it names the family: llama, bert, vit ...")
    })?;
    let class = match config.get("architectures") {
        Some(Value::List(classes)) => match classes.first() {
            Some(Value::Text(class)) => Some(&**class),
            _ => None,
        },
        _ => None,
    };
    let chain = chain(model_type).map_err(|error| unplaced(error, &config))?;
    let unknown = unknown_keys(&chain, model_type, &config)?;
    let mut model = build(name, &chain, model_type, class, &config, input)
        .map_err(|error| zeros(error, &config).within(model_type))?;
    model.assumptions.extend(unknown.into_iter().map(|key| Assumption {
        value: config.get(&key).map_or_else(String::new, Value::to_string),
        what: key,
        why: format!("no key of `{model_type}`: taken to change nothing"),
    }));
    Ok(model)
}

/// The error with the counts of heads that are zero, the usual cause of a division by zero.
fn zeros(error: Error, config: &Config) -> Error {
    let heads = config.iter().filter(|(key, _)| key.ends_with("heads") || key.ends_with("n_head"));
    let zero = heads.filter(|(_, value)| value.whole() == Some(0));
    zero.fold(error, |error, (key, _)| error.hint(format!("`{key}` is 0")))
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

/// The keys that a family reads, and the keys that it knows to change nothing.
struct Keys<'t> {
    read: BTreeSet<&'t str>,
    ignored: BTreeSet<&'t str>,
}

impl<'t> Keys<'t> {
    /// The keys of a chain of templates and of one model type in it.
    fn of(chain: &[&'t Template], model_type: &str) -> Self {
        let mut keys = Self { read: BTreeSet::new(), ignored: BTreeSet::new() };
        for template in chain {
            keys.read.extend(template.defaults.keys().map(String::as_str));
            keys.read.extend(template.aliases.keys().map(String::as_str));
            keys.read.extend(template.aliases.values().map(String::as_str));
            keys.read.extend(template.keys.iter().map(String::as_str));
            keys.ignored.extend(template.ignore.iter().map(String::as_str));
            if let Some(defaults) = template.types.get(model_type) {
                keys.read.extend(defaults.keys().map(String::as_str));
            }
        }
        keys
    }

    /// True if the family knows the key.
    fn has(&self, key: &str) -> bool {
        self.read.contains(key) || self.ignored.contains(key)
    }
}

/// The keys that the family does not know.
///
/// # Errors
/// If one is a misspelling (an edit distance of at most 2) of a key that the family reads and the
/// configuration lacks.
fn unknown_keys(chain: &[&Template], model_type: &str, config: &Config) -> Result<Vec<String>> {
    let known = Keys::of(chain, model_type);
    let mut unknown = Vec::new();
    for (key, value) in config {
        if known.has(key) || key.starts_with('_') || *value == Value::Null {
            continue;
        }
        let absent = known.read.iter().copied().filter(|other| !config.contains_key(*other));
        let close: Vec<_> = nearest(key, absent)
            .into_iter()
            .filter(|it| strsim::osa_distance(it, key) <= 2)
            .collect();
        if !close.is_empty() {
            return Err(Error::input(format!("`{key}` is not a key of `{model_type}`"))
                .suggest(key, close)
                .within(model_type));
        }
        unknown.push(key.clone());
    }
    Ok(unknown)
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
            (r#"{"model_type": "llama", "num_key_value_heads": 7}"#, "do not share"),
            (
                r#"{"model_type": "llama", "num_hiden_layers": 4, "hidden_size": 512}"#,
                "num_hidden_layers",
            ),
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
}
