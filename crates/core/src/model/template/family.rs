//! Template files: the names of a family of architectures, the keys that it reads, the layers that
//! it has.
//!
//! A family is a file of `models/families/`; it refines a base, which may refine another. Where two
//! of them declare the same name, the more derived one counts.
//!
//! ```text
//! base: _decoder                      the template that it refines
//! source: Radford et al. 2019         the publication of its facts
//! types: {gpt2: {vocab_size: 50257}}  model types, each with its own defaults
//! class: LMHeadModel                  the class of a configuration that names none
//! classes: {DoubleHeadsModel: lm}     endings of class names, and the head that each means
//! aliases: {hidden_size: n_embd}      other names of keys
//! defaults: {add_cross_attention: false}
//! ignore: [n_ctx]                     keys that change nothing
//! let: {head_size: n_embd / n_head}   names with their expressions
//! require: {"the family has no classifier": head == 'lm'}
//! blocks: {mlp: [...]}                lists that `use` runs
//! layers: [...]                       the model
//! ```

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use flopcast_data::models::{FAMILIES, PRESETS, TYPES};
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value as Json;

use super::expression::Expression;
use super::node::{Node, parse_list};
use super::value::Value;
use crate::diagnostic::{Error, Result};

/// A template as it is written in a file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    /// The template that it refines.
    base: Option<String>,
    /// The publication of its facts.
    source: Option<String>,
    /// Model types with their own defaults.
    types: IndexMap<String, Option<IndexMap<String, Json>>>,
    /// The class of a configuration that names none.
    class: Option<String>,
    /// Endings of class names, with their heads.
    classes: IndexMap<String, String>,
    /// Other names of keys, by the name that a configuration may use.
    aliases: IndexMap<String, String>,
    /// Values of missing keys.
    defaults: IndexMap<String, Json>,
    /// Keys that change nothing.
    ignore: Vec<String>,
    /// Names with their expressions.
    r#let: IndexMap<String, Json>,
    /// Conditions by the message of the error.
    require: IndexMap<String, String>,
    /// Layer lists by name.
    blocks: IndexMap<String, Json>,
    /// The layers.
    layers: Option<Json>,
}

/// A template, parsed. Its base supplies the parts that it leaves out.
#[derive(Debug)]
pub struct Template {
    /// The template it refines.
    pub base: Option<String>,
    /// The publication of its facts.
    pub source: Option<String>,
    /// The model types it covers, each with the defaults in which it differs from the family.
    pub types: IndexMap<String, IndexMap<String, Value>>,
    /// The class of a configuration that names none.
    pub class: Option<String>,
    /// Endings of class names, and the head that each means.
    pub classes: IndexMap<String, String>,
    /// Other names of keys.
    pub aliases: IndexMap<String, String>,
    /// The values of missing keys.
    pub defaults: IndexMap<String, Value>,
    /// Keys that change nothing.
    pub ignore: Vec<String>,
    /// Names that its expressions may use, with the expressions that they stand for.
    pub lets: IndexMap<Arc<str>, Expression>,
    /// Keys that its expressions may read.
    pub keys: Vec<String>,
    /// Conditions that a sound configuration meets, by the message of the error if it does not.
    pub require: IndexMap<String, Expression>,
    /// Layer lists by the name under which `use` finds them.
    pub blocks: IndexMap<String, Vec<Node>>,
    /// The layers of the model, unless the base has them.
    pub layers: Option<Vec<Node>>,
}

impl Template {
    /// Reads a template from the JSON of its YAML file; `name` is used in errors.
    ///
    /// # Errors
    /// If it has other keys than a template, or if a layer or expression in it is wrong.
    pub fn parse(name: &str, json: &str) -> Result<Self> {
        serde_json::from_str(json)
            .map_err(|error| Error::input(error.to_string()))
            .and_then(Self::from_file)
            .map_err(|error| error.within(&format!("models/{name}.yaml")))
    }

    /// A template that is a bare layer list, or a section with `let`, `blocks` and `layers`.
    ///
    /// # Errors
    /// As [`Template::parse`].
    pub fn from_layers(json: &Json) -> Result<Self> {
        let file = if json.is_array() {
            File { layers: Some(json.clone()), ..File::default() }
        } else {
            File::deserialize(json).map_err(|error| Error::input(error.to_string()))?
        };
        Self::from_file(file)
    }

    /// Parses every expression and layer of a template, so that later steps need no parser.
    fn from_file(file: File) -> Result<Self> {
        let expressions = |map: IndexMap<String, Json>| {
            map.into_iter()
                .map(|(name, json)| {
                    let expression = Expression::from_json(&json)
                        .map_err(|error| error.within(&format!("let `{name}`")))?;
                    Ok((Arc::from(name), expression))
                })
                .collect::<Result<IndexMap<_, _>>>()
        };
        let values = |map: IndexMap<String, Json>| -> IndexMap<String, Value> {
            map.into_iter().map(|(key, json)| (key, Value::from(&json))).collect()
        };
        let mut template = Self {
            keys: Vec::new(),
            base: file.base,
            source: file.source,
            types: file
                .types
                .into_iter()
                .map(|(name, defaults)| (name, values(defaults.unwrap_or_default())))
                .collect(),
            class: file.class,
            classes: file.classes,
            aliases: file.aliases,
            defaults: values(file.defaults),
            ignore: file.ignore,
            lets: expressions(file.r#let)?,
            require: file
                .require
                .into_iter()
                .map(|(message, text)| Ok((message, Expression::parse(&text)?)))
                .collect::<Result<_>>()?,
            blocks: file
                .blocks
                .into_iter()
                .map(|(name, json)| {
                    let nodes = parse_list(&json, 0)
                        .map_err(|error| error.within(&format!("block `{name}`")))?;
                    Ok((name, nodes))
                })
                .collect::<Result<_>>()?,
            layers: file.layers.map(|json| parse_list(&json, 0)).transpose()?,
        };
        template.keys = template.names();
        Ok(template)
    }

    /// The names that expressions of the template read, in alphabetical order; they are the keys
    /// that the family knows.
    fn names(&self) -> Vec<String> {
        let mut names = BTreeSet::new();
        let mut found = |name: &str, _: bool| {
            names.insert(name.to_owned());
        };
        self.lets.values().for_each(|it| it.names(&mut found));
        self.require.values().for_each(|it| it.names(&mut found));
        let lists = self.blocks.values().chain(&self.layers);
        lists.flatten().for_each(|node| node.names(&mut found));
        names.into_iter().collect()
    }
}

/// The embedded template at an index of [`FAMILIES`], parsed when it is first asked for.
fn family(index: usize) -> Result<&'static Template> {
    static PARSED: [OnceLock<Result<Template>>; FAMILIES.len()] =
        [const { OnceLock::new() }; FAMILIES.len()];
    let (name, json) = FAMILIES[index];
    PARSED[index]
        .get_or_init(|| Template::parse(&format!("families/{name}"), json))
        .as_ref()
        .map_err(Clone::clone)
}

/// The model types that have a family, in alphabetical order.
pub fn known_types() -> impl Iterator<Item = &'static str> {
    TYPES.iter().map(|(name, _)| *name)
}

/// The template that covers a model type, then its base, the base's base, and so on.
///
/// # Errors
/// If the model type is unknown, with the nearest known ones.
pub fn chain(model_type: &str) -> Result<Vec<&'static Template>> {
    let index = TYPES.binary_search_by(|(name, _)| (*name).cmp(model_type)).map_err(|_| {
        Error::input(format!("model type `{model_type}` is not known"))
            .suggest(model_type, known_types())
            .hint("docs/adding-a-model.md shows how to describe a family")
    })?;
    refined(vec![family(TYPES[index].1)?])
}

/// The template file called `name`, its base, the base's base, and so on.
///
/// # Errors
/// If the name is unknown, with the nearest known ones.
pub fn bases(name: &str) -> Result<Vec<&'static Template>> {
    refined(vec![file(name)?])
}

/// The chain extended by the bases of its last template; at most eight of them, so that a circle is
/// an error.
fn refined(mut chain: Vec<&'static Template>) -> Result<Vec<&'static Template>> {
    while let Some(base) = chain.last().and_then(|template| template.base.as_deref()) {
        if chain.len() > 8 {
            return Err(Error::input(format!("the bases of `{base}` go in circles")));
        }
        chain.push(file(base)?);
    }
    Ok(chain)
}

/// The embedded template file of a name.
fn file(name: &str) -> Result<&'static Template> {
    let found = FAMILIES.iter().position(|(known, _)| *known == name);
    family(found.ok_or_else(|| {
        Error::input(format!("`{name}` is not a base"))
            .suggest(name, FAMILIES.iter().map(|(known, _)| *known))
    })?)
}

/// A preset: its name, its model file as JSON, and as it is written in YAML.
pub fn preset(name: &str) -> Option<(&'static str, &'static str, &'static str)> {
    let index = PRESETS.binary_search_by(|(known, ..)| (*known).cmp(name)).ok()?;
    Some(PRESETS[index])
}

/// The names of the presets, in alphabetical order.
pub fn presets() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|(name, ..)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_one_family() {
        for pair in TYPES.windows(2) {
            assert_ne!(pair[0].0, pair[1].0, "two families cover the same type");
        }
    }

    #[test]
    fn every_family_parses_and_finds_its_bases() {
        for name in known_types() {
            if let Err(error) = chain(name) {
                panic!("{name}: {error}");
            }
        }
    }
}
