//! PEFT adapters: `adapter_config.json`, low-rank matrices beside the weights of a base.
//!
//! The base is a configuration beside the file, a path, or a preset by its name on the Hub
//! ([`crate::source`] finds it); [`flopcast_core::model::adapt`] counts the adapter on it.

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::Model;
use flopcast_core::model::adapt::{Adapter, Targets, adapted};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

/// An adapter as its file has it (huggingface/peft, `LoraConfig`); other keys change no count.
#[derive(Clone, Debug, Deserialize)]
pub struct File {
    peft_type: String,
    /// The base: a name on the Hub or a path.
    #[serde(default)]
    pub base_model_name_or_path: Option<String>,
    #[serde(default)]
    r: Option<u64>,
    #[serde(default)]
    target_modules: Json,
    #[serde(default)]
    rank_pattern: Option<Map<String, Json>>,
    #[serde(default)]
    modules_to_save: Option<Vec<String>>,
    #[serde(default)]
    exclude_modules: Json,
    #[serde(default)]
    layers_to_transform: Json,
    #[serde(default)]
    use_dora: Option<bool>,
}

impl File {
    /// Reads an adapter.
    ///
    /// # Errors
    /// If it is of another kind than `LORA`, or has no rank.
    pub fn read(json: &Json) -> Result<Self> {
        let file = Self::deserialize(json)
            .map_err(|error| Error::input(format!("not an adapter_config.json: {error}")))?;
        if file.peft_type != "LORA" {
            return Err(Error::input(format!(
                "adapters of the kind {} are not counted",
                file.peft_type
            ))
            .hint("LORA is; of others the parameters are in adapter_model.safetensors"));
        }
        Ok(file)
    }

    /// The base with the adapter: all weights frozen but those of the adapter and of the modules
    /// that it saves whole.
    ///
    /// # Errors
    /// If the base lacks a module that the adapter names.
    pub fn on(&self, base: &Model) -> Result<Model> {
        let rank = self.r.ok_or_else(|| Error::input("`r` of the adapter is missing"))?;
        let ranks = self.rank_pattern.iter().flatten();
        let adapter = Adapter {
            rank,
            targets: self.targets(base)?,
            ranks: ranks
                .map(|(module, rank)| {
                    let rank = rank.as_u64().filter(|rank| *rank > 0);
                    let error = || Error::input(format!("the rank of `{module}` is no number"));
                    Ok((words(module), rank.ok_or_else(error)?))
                })
                .collect::<Result<_>>()?,
            saved: self.modules_to_save.clone().unwrap_or_default(),
            magnitudes: self.use_dora.unwrap_or(false),
            excluded: match &self.exclude_modules {
                Json::String(pattern) => words(pattern),
                Json::Array(list) => list.iter().filter_map(Json::as_str).map(last).collect(),
                _ => Vec::new(),
            },
            layers: match &self.layers_to_transform {
                Json::Number(one) => one.as_u64().map(|one| vec![one]),
                Json::Array(list) if !list.is_empty() => {
                    list.iter().map(Json::as_u64).collect::<Option<Vec<_>>>()
                }
                _ => None,
            },
        };
        let mut model = adapted(base, &adapter)?;
        if !self.layers_to_transform.is_null() && adapter.layers.is_none() {
            model.warnings.push(
                "`layers_to_transform` of the adapter is not read: every layer is taken to have it"
                    .to_owned(),
            );
        }
        Ok(model)
    }

    /// The modules that it names: a list, `all-linear`, or an expression of which the words count.
    fn targets(&self, base: &Model) -> Result<Targets> {
        match &self.target_modules {
            Json::Null => Ok(Targets::Named(vec!["q_proj".into(), "v_proj".into()])),
            Json::String(all) if all == "all-linear" => Ok(Targets::AllLinear),
            Json::String(pattern) => {
                let of = |text: &str| -> Vec<String> {
                    words(text).into_iter().filter(|word| Targets::has(base, word)).collect()
                };
                let mut named = of(pattern);
                if named.is_empty() {
                    // Alternatives may be parts of a name: `(gate|up|down)_proj`.
                    named = alternatives(pattern).iter().flat_map(|text| of(text)).collect();
                }
                if named.is_empty() {
                    return Err(Error::input(format!("{} has no module `{pattern}`", base.name)));
                }
                Ok(Targets::Named(named))
            }
            Json::Array(list) => list
                .iter()
                .map(|it| it.as_str().map(last))
                .collect::<Option<Vec<_>>>()
                .map(Targets::Named)
                .ok_or_else(|| Error::input("`target_modules` is a list of names")),
            other => Err(Error::input(format!("`target_modules` is {other}, not a list of names"))),
        }
    }
}

/// An expression with each choice of its groups of alternatives written out; a bounded number.
fn alternatives(pattern: &str) -> Vec<String> {
    const MOST: usize = 64;
    let mut done = Vec::new();
    let mut open = vec![pattern.replace("(?:", "(")];
    while let Some(text) = open.pop() {
        // The innermost group has no other inside.
        let group = text.find(')').and_then(|end| Some((text[..end].rfind('(')?, end)));
        match group {
            Some((start, end)) if done.len() + open.len() < MOST => {
                let choices = text[start + 1..end].split('|');
                open.extend(
                    choices.map(|it| format!("{}{it}{}", &text[..start], &text[end + 1..])),
                );
            }
            _ => done.push(text),
        }
    }
    done
}

/// The last part of a module's path.
fn last(path: &str) -> String {
    path.rsplit('.').next().unwrap_or(path).to_owned()
}

/// The words of an expression over module names.
fn words(pattern: &str) -> Vec<String> {
    let parts = pattern.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}
