//! Template files: what a family of architectures is called, which keys it reads, which layers it
//! has.

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

/// A template as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    base: Option<String>,
    source: Option<String>,
    types: IndexMap<String, Option<IndexMap<String, Json>>>,
    class: Option<String>,
    classes: IndexMap<String, String>,
    aliases: IndexMap<String, String>,
    defaults: IndexMap<String, Json>,
    ignore: Vec<String>,
    r#let: IndexMap<String, Json>,
    require: IndexMap<String, String>,
    blocks: IndexMap<String, Json>,
    layers: Option<Json>,
}

/// A template, parsed. What it leaves open its base supplies.
#[derive(Debug)]
pub struct Template {
    /// The template it refines.
    pub base: Option<String>,
    /// Where its facts are from.
    pub source: Option<String>,
    /// The model types it covers, each with the defaults in which it differs.
    pub types: IndexMap<String, IndexMap<String, Value>>,
    /// The class of a configuration that names none.
    pub class: Option<String>,
    /// Endings of class names, and the head that each means.
    pub classes: IndexMap<String, String>,
    /// Other names of keys.
    pub aliases: IndexMap<String, String>,
    /// What a missing key means.
    pub defaults: IndexMap<String, Value>,
    /// Keys that change nothing.
    pub ignore: Vec<String>,
    /// Names and what they stand for.
    pub lets: IndexMap<Arc<str>, Expression>,
    /// Keys that its expressions may read.
    pub keys: Vec<String>,
    /// Conditions that a sound configuration meets, by the message where it does not.
    pub require: IndexMap<String, Expression>,
    /// Layer lists by name.
    pub blocks: IndexMap<String, Vec<Node>>,
    /// The layers.
    pub layers: Option<Vec<Node>>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// Where it is no JSON of a template's keys, or a layer or expression in it is wrong.
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

    /// Every name that an expression of the template reads and no `let` of it defines.
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
/// An unknown model type, with the nearest known ones.
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
/// An unknown name, with the nearest known ones.
pub fn bases(name: &str) -> Result<Vec<&'static Template>> {
    refined(vec![file(name)?])
}

fn refined(mut chain: Vec<&'static Template>) -> Result<Vec<&'static Template>> {
    while let Some(base) = chain.last().and_then(|template| template.base.as_deref()) {
        if chain.len() > 8 {
            return Err(Error::input(format!("the bases of `{base}` go in circles")));
        }
        chain.push(file(base)?);
    }
    Ok(chain)
}

fn file(name: &str) -> Result<&'static Template> {
    let found = FAMILIES.iter().position(|(known, _)| *known == name);
    family(found.ok_or_else(|| {
        Error::input(format!("`{name}` is not a base"))
            .suggest(name, FAMILIES.iter().map(|(known, _)| *known))
    })?)
}

/// A preset: its model file as JSON, and as it is written.
pub fn preset(name: &str) -> Option<(&'static str, &'static str)> {
    let index = PRESETS.binary_search_by(|(known, ..)| (*known).cmp(name)).ok()?;
    let (_, json, yaml) = PRESETS[index];
    Some((json, yaml))
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
