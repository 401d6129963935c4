//! The keys of a configuration that its family does not read.

use std::collections::BTreeSet;

use super::{Config, Value};
use crate::diagnostic::{Error, Result, nearest};
use crate::model::template::Template;
use crate::model::total::{Assumption, Model};

/// The keys that a family reads, and the keys that it knows to change nothing.
pub(super) struct Keys<'t> {
    read: BTreeSet<&'t str>,
    ignored: BTreeSet<&'t str>,
}

impl<'t> Keys<'t> {
    /// The keys of a configuration that its family does not read, with the nearest ones that it
    /// does.
    pub(super) fn of(chain: &[&'t Template], model_type: &str) -> Self {
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
    pub(super) fn has(&self, key: &str) -> bool {
        self.read.contains(key) || self.ignored.contains(key)
    }
}

/// A key that nothing reads.
struct Key {
    name: String,
    value: Value,
    /// The keys that it looks like (an edit distance of at most 2) and that the configuration lacks.
    close: Vec<String>,
}

/// The keys that the family does not read, with what they may mean.
pub(super) struct Unread {
    model_type: String,
    keys: Vec<Key>,
    /// No size that the family reads is in the configuration.
    all_default: bool,
    /// Sizes at the top of a configuration whose family reads them in its parts alone.
    flat: Option<String>,
}

impl Unread {
    pub(super) fn of(chain: &[&Template], model_type: &str, config: &Config) -> Self {
        let known = Keys::of(chain, model_type);
        let absent = || known.read.iter().copied().filter(|other| !config.contains_key(*other));
        let unknown = config.iter().filter(|(key, value)| {
            !known.has(key) && !key.starts_with('_') && **value != Value::Null
        });
        let keys = unknown
            .map(|(key, value)| Key {
                name: key.clone(),
                value: value.clone(),
                close: nearest(key, absent())
                    .into_iter()
                    .filter(|other| strsim::osa_distance(other, key) <= 2)
                    .map(str::to_owned)
                    .collect(),
            })
            .collect();
        let read = |key: &str| known.read.contains(key);
        let composite = read("text_config") || read("vision_config");
        let part = |key: &str, value: &Value| read(key) && matches!(value, Value::Map(_));
        let sized = |key: &String, value: &Value| read(key) && names_size(key, value);
        Self {
            model_type: model_type.to_owned(),
            keys,
            all_default: !config.iter().any(|(key, value)| sized(key, value)),
            flat: config
                .iter()
                .filter(|_| composite && !config.iter().any(|(key, value)| part(key, value)))
                .find(|(key, value)| !read(key) && names_size(key, value))
                .map(|(key, _)| key.clone()),
        }
    }

    /// # Errors
    /// If one is a misspelling of a key that the family reads and the configuration lacks.
    pub(super) fn check_spelling(&self) -> Result<()> {
        match self.keys.iter().find(|key| !key.close.is_empty()) {
            Some(key) => {
                Err(Error::input(format!("{} is not a key of {}", key.quoted(), self.of_type()))
                    .suggest(&key.name, key.close.iter().map(String::as_str))
                    .within(&self.model_type))
            }
            None => Ok(()),
        }
    }

    /// # Errors
    /// If sizes are given, but the family reads none of them: the model would be another one.
    pub(super) fn check_sizes(&self) -> Result<()> {
        let size = self.keys.iter().find(|key| names_size(&key.name, &key.value));
        let Some(size) = size.filter(|_| self.all_default && self.flat.is_none()) else {
            return Ok(());
        };
        let of_type = self.of_type();
        let message =
            format!("{of_type} reads no size of this configuration: not {}", size.quoted());
        let error = Error::input(message).within(&self.model_type);
        Err(if size.name.ends_with("_config") {
            error.hint(format!("take the section {} as a file of its own", size.quoted()))
        } else {
            error.hint("correct `model_type`, or name the class in `architectures`")
        })
    }

    /// Lists the keys with the model: what may name a size as a warning.
    pub(super) fn note(self, model: &mut Model) {
        let of_type = self.of_type();
        if let Some(size) = self.flat.filter(|_| self.all_default) {
            model.warnings.push(format!(
                "{of_type} keeps sizes in sections (text_config, vision_config) and reads none of \
                 this file, as `{size}`: its own sizes are counted; if the file is that of one part, \
                 correct `model_type`"
            ));
        }
        for key in self.keys {
            let near = key.close.first();
            let why = format!("no key of {of_type}: taken to change nothing");
            if near.is_some() || names_size(&key.name, &key.value) {
                let like = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                let shown = match &key.value {
                    Value::Map(_) => "a section".to_owned(),
                    value => value.to_string(),
                };
                model.warnings.push(format!("{} = {shown} is {why}{like}", key.quoted()));
            } else {
                model.assumptions.push(Assumption {
                    value: key.value.to_string(),
                    what: key.name,
                    why,
                });
            }
        }
    }

    /// Lists the sizes of a part that nothing reads.
    pub(super) fn note_sizes(self, section: &str, model: &mut Model) {
        let of_type = self.of_type();
        for key in self.keys.iter().filter(|key| names_size(&key.name, &key.value)) {
            model.warnings.push(format!(
                "`{section}.{}` is no key of {of_type}: taken to change nothing",
                key.name
            ));
        }
    }

    /// The model type in backticks, for messages.
    fn of_type(&self) -> String {
        format!("`{}`", self.model_type)
    }
}

impl Key {
    /// The key in backticks, for messages.
    fn quoted(&self) -> String {
        format!("`{}`", self.name)
    }
}

/// True if a key is named like a size of an architecture and has a value that could be one: a
/// number above zero, or a section with such a key.
pub(super) fn names_size(key: &str, value: &Value) -> bool {
    const PARTS: [&str; 8] = [
        "hidden_size",
        "intermediate_size",
        "vocab_size",
        "d_model",
        "n_embd",
        "ffn_dim",
        "embed_dim",
        "hidden_dim",
    ];
    let named = PARTS.iter().any(|part| key.contains(part))
        || ["n_layer", "n_layers", "num_layers", "depth", "depths"].contains(&key)
        || key.starts_with("num_") && key.ends_with("_layers")
        || key.starts_with("num_") && key.ends_with("experts");
    match value {
        Value::Map(map) => {
            key.ends_with("_config") && map.iter().any(|(key, value)| names_size(key, value))
        }
        Value::List(list) => named && list.iter().any(|it| it.whole().is_some_and(|it| it > 0)),
        value => named && value.whole().is_some_and(|it| it > 0),
    }
}
