//! The settings of a job file: keys and the words that stand at them, whatever the form of the file.

use std::collections::BTreeMap;

use serde_json::Value as Json;

/// A key with its words: one of a scalar, several of a list of scalars, none of a bare flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    /// The key as written, `optimizer.lr` or `tensor-model-parallel-size`.
    pub key: String,
    /// The words at the key.
    pub words: Vec<String>,
}

impl Setting {
    /// A setting of one word.
    pub(super) fn new(key: impl Into<String>, word: impl Into<String>) -> Self {
        Self { key: key.into(), words: vec![word.into()] }
    }

    /// False if the setting says that something is not so: `false`, `null`, `none`, nothing.
    pub(super) fn stands(&self) -> bool {
        !self.words.first().is_some_and(|word| {
            let word = word.trim().to_ascii_lowercase();
            ["", "false", "no", "off", "none", "null", "~"].contains(&word.as_str())
        })
    }

    /// The key as tables of keys have it: lower case, words joined by `_`.
    pub(super) fn plain_key(&self) -> String {
        plain(&self.key)
    }
}

/// A key in lower case, its words joined by `_`.
pub(super) fn plain(key: &str) -> String {
    key.trim_start_matches('-').to_ascii_lowercase().replace('-', "_")
}

/// True if a key is the one of a pattern, in which `*` stands for any text.
pub(super) fn matches(pattern: &str, key: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = key.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

/// The settings of a document: the path of every scalar and of every list of scalars. A word
/// `${key}` is the word at that key, as `OmegaConf` reads it.
pub(super) fn of_json(json: &Json) -> Vec<Setting> {
    let mut settings = Vec::new();
    walk("", json, &mut settings);
    let named = |setting: &Setting| match setting.words.as_slice() {
        [word] => word.strip_prefix("${")?.strip_suffix('}').map(str::to_owned),
        _ => None,
    };
    if settings.iter().any(|it| named(it).is_some()) {
        let short = |it: &&Setting| it.words.len() == 1 && it.words[0].len() < MOST_FILLED;
        let words: BTreeMap<String, Vec<String>> =
            settings.iter().filter(short).map(|it| (it.key.clone(), it.words.clone())).collect();
        for setting in &mut settings {
            for _ in 0..MOST_HOPS {
                let Some(found) = named(setting).and_then(|key| words.get(&key)) else { break };
                setting.words.clone_from(found);
            }
        }
    }
    settings
}

/// The longest word that is filled in where another key names it.
const MOST_FILLED: usize = 256;
/// The most keys that name one another in turn.
const MOST_HOPS: usize = 4;

/// Adds the settings below a path.
fn walk(path: &str, json: &Json, settings: &mut Vec<Setting>) {
    let join =
        |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match json {
        Json::Object(entries) => {
            for (key, value) in entries {
                walk(&join(key), value, settings);
            }
        }
        Json::Array(items) => {
            let words: Option<Vec<String>> = items.iter().map(word).collect();
            if let Some(words) = words {
                settings.push(Setting { key: path.to_owned(), words });
                return;
            }
            for (index, item) in items.iter().enumerate() {
                walk(&join(&index.to_string()), item, settings);
            }
        }
        scalar => settings.extend(word(scalar).map(|word| Setting::new(path, word))),
    }
}

/// A scalar as a word; `None` for lists and sections.
fn word(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Array(_) | Json::Object(_) => None,
        scalar => Some(scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_keys() {
        let check = |pattern: &str, key: &str, wanted: bool| {
            assert_eq!(matches(pattern, key), wanted, "{pattern} {key}");
        };
        check("optimizer", "optimizer", true);
        check("optimizer", "optimizer.lr", false);
        check("optimizer.*", "optimizer.lr", true);
        check("*.lr", "optimizer.lr", true);
        check("*_steps", "eval_steps", true);
        check("a*b*c", "a1b2c", true);
        check("a*b*c", "a1c2b", false);
        check("wandb*", "wandb", true);
    }

    #[test]
    fn a_document_becomes_paths() {
        let text = b"a: {b: 1, c: [x, y]}\nd: [{e: true}, {e: null}]\n";
        let json = crate::document::json("job.yaml", text).expect("YAML");
        let found: Vec<String> =
            of_json(&json).iter().map(|it| format!("{}={}", it.key, it.words.join(", "))).collect();
        assert_eq!(found, ["a.b=1", "a.c=x, y", "d.0.e=true", "d.1.e=null"]);
    }

    #[test]
    fn a_word_may_stand_at_another_key() {
        let text = b"a: {n: 2048}\nb: ${a.n}\nc: ${b}\nd: ${d}\ne: ${none}\n";
        let json = crate::document::json("job.yaml", text).expect("YAML");
        let found: Vec<String> = of_json(&json).iter().map(|it| it.words.concat()).collect();
        assert_eq!(found, ["2048", "2048", "2048", "${d}", "${none}"]);
    }
}
