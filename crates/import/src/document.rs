//! The one reader of YAML that users write: scenarios, policies, models, calibrations.
//!
//! [`parse`] gives a tree in which every value knows its place: what `extends` merges, `--set`
//! overrides and the typed scenario is read from. [`json`] gives values alone. Both have budgets
//! for size, depth, nodes and aliases, and refuse duplicate keys.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use flopcast_core::diagnostic::{Error, Place, Result};
use serde::de::{self, Deserialize, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;
use serde_saphyr::{Location, Spanned};

/// Larger files are no scenarios.
pub const MAX_BYTES: usize = 1 << 20;
/// Larger files are no models and no calibrations.
pub const MAX_DATA_BYTES: usize = 16 << 20;
/// Values that aliases repeat, at most: a replayed value costs ten times a written one.
const MAX_REPEATED: usize = 5_000;
/// The deepest nesting, and the most keys of a dotted path.
pub const MAX_DEPTH: usize = 64;

/// A value of the document.
#[derive(Clone, Debug)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Its place in the file.
    pub place: Place,
}

/// A YAML value; maps keep their order.
#[derive(Clone, Debug)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(f64),
    /// Any other scalar.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in order.
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping.
#[derive(Clone, Debug)]
pub struct Key {
    /// The key.
    pub name: String,
    /// Its place in the file.
    pub place: Place,
}

/// Reads one YAML document.
///
/// # Errors
/// Not UTF-8, too large, empty, not YAML, several documents, duplicate keys, an alias bomb or
/// excessive nesting; each with its place.
pub fn parse(file: &str, bytes: &[u8]) -> Result<Node> {
    parse_in("", file, bytes)
}

/// The same of a file below a folder, `plans/` say, which documents leave out of its name.
///
/// # Errors
/// As [`parse`].
pub fn parse_in(folder: &str, file: &str, bytes: &[u8]) -> Result<Node> {
    let inside = if file.starts_with(folder) { folder.len() } else { 0 };
    let text = text(file, bytes, MAX_BYTES)?;
    let source = Source::new(file, inside, text);
    let blank = |line: &&str| line.trim().is_empty() || line.trim_start().starts_with('#');
    if text.split(['\n', '\r']).all(|line| blank(&line)) {
        return Err(Error::input(format!("{file} is empty"))
            .hint("`flopcast init` writes a scenario to start from"));
    }
    Ok(source.node(read::<Spanned<Raw>>(&source, text, (50_000, true))?))
}

/// Reads one YAML document of data alone, such as a model's layers.
///
/// # Errors
/// As [`parse`], with its wider limits of size.
pub fn json(file: &str, bytes: &[u8]) -> Result<Json> {
    let text = text(file, bytes, MAX_DATA_BYTES)?;
    // A line of what is no YAML by its name may be somebody's secret.
    let shown = is_named_yaml(Path::new(file));
    read(&Source::new(file, 0, text), text, (1_000_000, shown))
}

/// The bytes as text.
///
/// # Errors
/// If they are too many, or no UTF-8: the error has the place.
fn text<'a>(file: &str, bytes: &'a [u8], limit: usize) -> Result<&'a str> {
    if bytes.len() > limit {
        let (size, most) = (bytes.len() / 1_000_000, limit >> 20);
        return Err(Error::input(format!("{file} is {size} MB large; it is at most {most} MiB")));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        let line = before.matches('\n').count() + 1;
        Error::input(format!("{file} is not UTF-8 text: invalid byte on line {line}"))
            .hint("save the file as UTF-8")
    })
}

/// True if a file is YAML by its name.
pub fn is_named_yaml(file: &Path) -> bool {
    let ending = file.extension().unwrap_or_default();
    ["yaml", "yml", "json"].iter().any(|known| ending.eq_ignore_ascii_case(known))
}

/// Reads a document of at most so many nodes; `shown` says whether errors quote the line.
fn read<T: DeserializeOwned>(
    source: &Source,
    text: &str,
    (most_nodes, shown): (usize, bool),
) -> Result<T> {
    // Scalars of aliases are copied: together they take no more than the text may.
    let options = serde_saphyr::options! {
        strict_booleans: true,
        with_snippet: false,
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_REPEATED },
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: most_nodes,
            max_events: 4 * most_nodes,
            max_aliases: 100,
            max_anchors: 100,
            max_total_scalar_bytes: MAX_DATA_BYTES,
        },
    };
    serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| syntax_error(source, &error, shown))
}

/// The parser's error in the user's words, at its place.
fn syntax_error(source: &Source, error: &serde_saphyr::Error, shown: bool) -> Error {
    use serde_saphyr::Error as Yaml;
    let place = error.location().filter(|_| shown).map(|at| source.place(at));
    let message = match error.without_snippet() {
        Yaml::DuplicateMappingKey { key: Some(key), .. } => format!("duplicate key `{key}`"),
        Yaml::MultipleDocuments { .. } => {
            "a scenario file holds one document; this starts a second one".to_owned()
        }
        other => {
            let text = other.render();
            let text = text.split(" at line").next().unwrap_or_default();
            let text = text.trim_start_matches("error: ").trim();
            if text.starts_with("alias replay limit") {
                let message = format!("aliases repeat more than {MAX_REPEATED} values");
                return Error::input(message)
                    .at(place.as_ref())
                    .hint("write what they stand for as lists or keys");
            }
            let text = if shown { format!(": {text}") } else { String::new() };
            format!("not a valid YAML document{text}")
        }
    };
    Error::input(message).at(place.as_ref())
}

/// A value as the YAML reader hands it over, with its location in the text.
enum Raw {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;
        impl<'de> Visitor<'de> for AnyValue {
            type Value = Raw;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a YAML value")
            }
            fn visit_unit<E: de::Error>(self) -> Result<Raw, E> {
                Ok(Raw::Null)
            }
            fn visit_none<E: de::Error>(self) -> Result<Raw, E> {
                Ok(Raw::Null)
            }
            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
                Raw::deserialize(deserializer)
            }
            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Raw, E> {
                Ok(Raw::Bool(value))
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Raw, E> {
                Ok(Raw::Number(value as f64))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Raw, E> {
                Ok(Raw::Number(value as f64))
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Raw, E> {
                Ok(Raw::Number(value))
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<Raw, E> {
                Ok(Raw::Text(value.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Raw::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
                let mut map = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    map.push(entry);
                }
                Ok(Raw::Map(map))
            }
        }
        deserializer.deserialize_any(AnyValue)
    }
}

/// The text that places point into.
struct Source {
    file: Arc<str>,
    inside: usize,
    lines: Vec<Arc<str>>,
}

impl Source {
    /// A source of this text; lines are kept for snippets, cut where no screen shows them.
    fn new(file: &str, inside: usize, text: &str) -> Self {
        // A line that does not fit a screen is no help in a snippet.
        let shorten = |line: &str| Arc::from(line.chars().take(160).collect::<String>());
        Self { file: file.into(), inside, lines: text.lines().map(shorten).collect() }
    }

    /// The place of the parser's location.
    fn place(&self, at: Location) -> Place {
        let line = usize::try_from(at.line()).unwrap_or(1).max(1);
        let text = self.lines.get(line - 1).cloned().unwrap_or_else(|| "".into());
        let column = usize::try_from(at.column()).unwrap_or(1).max(1);
        let rest = text.chars().count().saturating_sub(column - 1);
        let width = usize::try_from(at.span().len()).unwrap_or(1).clamp(1, rest.max(1));
        Place { file: Arc::clone(&self.file), inside: self.inside, line, column, width, text }
    }

    /// The tree with the place of every value.
    fn node(&self, raw: Spanned<Raw>) -> Node {
        let place = self.place(raw.referenced);
        let value = match raw.value {
            Raw::Null => Value::Null,
            Raw::Bool(value) => Value::Bool(value),
            Raw::Number(value) => Value::Number(value),
            Raw::Text(value) => Value::Text(value),
            Raw::List(items) => {
                Value::List(items.into_iter().map(|item| self.node(item)).collect())
            }
            Raw::Map(entries) => Value::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| {
                        let place = self.place(key.referenced);
                        (Key { name: key.value, place }, self.node(value))
                    })
                    .collect(),
            ),
        };
        Node { value, place }
    }
}

impl Node {
    /// The entry of a map.
    pub fn get(&self, name: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|(key, _)| key.name == name).map(|(_, n)| n),
            _ => None,
        }
    }

    /// The value at a dotted path.
    pub fn at(&self, path: &str) -> Option<&Node> {
        path.split('.').try_fold(self, |node, name| node.get(name))
    }

    /// Takes the value at a dotted path out of the document.
    pub fn take(&mut self, path: &str) -> Option<Node> {
        let Value::Map(entries) = &mut self.value else { return None };
        let (name, rest) =
            path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
        let at = entries.iter().position(|(key, _)| key.name == name)?;
        match rest {
            Some(rest) => entries[at].1.take(rest),
            None => Some(entries.remove(at).1),
        }
    }

    /// Removes the entry whose key or value stands at a place; gives back its key.
    pub fn remove(&mut self, place: &Place) -> Option<String> {
        match &mut self.value {
            Value::Map(entries) => {
                let here = |(key, node): &(Key, Node)| key.place == *place || node.place == *place;
                match entries.iter().position(here) {
                    Some(at) => Some(entries.remove(at).0.name),
                    None => entries.iter_mut().find_map(|(_, node)| node.remove(place)),
                }
            }
            Value::List(items) => items.iter_mut().find_map(|item| item.remove(place)),
            _ => None,
        }
    }

    /// This document over `base`: maps merge key by key, anything else replaces (`extends`).
    #[must_use]
    pub fn over(self, base: Node) -> Node {
        match (self.value, base.value) {
            (Value::Map(mine), Value::Map(mut merged)) => {
                let names = merged.iter().map(|(key, _)| key.name.clone());
                let at: BTreeMap<String, usize> = names.zip(0..).collect();
                for (key, value) in mine {
                    let Some(&at) = at.get(&key.name) else {
                        merged.push((key, value));
                        continue;
                    };
                    let (other, slot) = &mut merged[at];
                    *other = key;
                    let nothing = Node { value: Value::Null, place: slot.place.clone() };
                    let inherited = std::mem::replace(slot, nothing);
                    *slot = value.over(inherited);
                }
                Node { value: Value::Map(merged), place: self.place }
            }
            (value, _) => Node { value, place: self.place },
        }
    }

    /// Replaces or adds the value at a dotted path (`training.hardware.count=512`).
    ///
    /// # Errors
    /// The assignment has no `=`, an empty key, or a path through a value that is not a map.
    pub fn set(&mut self, assignment: &str) -> Result<()> {
        let (path, value) = assignment.split_once('=').ok_or_else(|| {
            Error::input(format!("`--set {assignment}` has no `=`"))
                .hint("write --set training.hardware.count=512")
        })?;
        let mut node = parse(&format!("--set {path}"), value.as_bytes())
            .map_err(|error| Error::input(format!("--set {path}: {}", error.message())))?;
        node.relocate(&Place {
            file: "--set".into(),
            inside: 0,
            line: 1,
            column: path.chars().count() + 2,
            width: value.chars().count().max(1),
            text: assignment.into(),
        });
        self.put(path.trim(), node)
    }

    /// Replaces or adds the value at a dotted path.
    ///
    /// # Errors
    /// An empty key, or a path through a value that is not a map.
    pub fn put(&mut self, path: &str, node: Node) -> Result<()> {
        if path.split('.').count() > MAX_DEPTH {
            let start: String = path.chars().take(60).collect();
            return Err(Error::input(format!("`{start}...` has more than {MAX_DEPTH} keys")));
        }
        let mut target = self;
        for name in path.split('.') {
            if name.is_empty() {
                return Err(Error::input(format!("`{path}` has an empty key")));
            }
            if matches!(target.value, Value::Null) {
                target.value = Value::Map(Vec::new());
            }
            let Value::Map(entries) = &mut target.value else {
                return Err(Error::input(format!("`{path}`: `{name}` is not inside a map"))
                    .at(Some(&target.place)));
            };
            let index = entries.iter().position(|(key, _)| key.name == name).unwrap_or_else(|| {
                let key = Key { name: name.to_owned(), place: node.place.clone() };
                entries.push((key, Node { value: Value::Null, place: node.place.clone() }));
                entries.len() - 1
            });
            target = &mut entries[index].1;
        }
        *target = node;
        Ok(())
    }

    /// Moves the value, and all within it, to another place.
    fn relocate(&mut self, place: &Place) {
        self.place = place.clone();
        match &mut self.value {
            Value::List(items) => items.iter_mut().for_each(|item| item.relocate(place)),
            Value::Map(entries) => entries.iter_mut().for_each(|(key, value)| {
                key.place = place.clone();
                value.relocate(place);
            }),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use flopcast_core::model::spec;

    use super::*;

    /// The shipped files are read by another reader when flopcast is built; a user's copy of one is
    /// read by this one.
    #[test]
    fn presets_read_as_when_flopcast_was_built() {
        for name in spec::preset_names() {
            let text = spec::preset_text(name).expect("a preset");
            let other: Json = serde_yaml::from_str(text).expect("YAML");
            let read =
                json(name, text.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(read, other, "{name}");
        }
    }

    #[test]
    fn budgets_hold() {
        let check = |text: &str, part: &str| {
            let error = json("test.yaml", text.as_bytes()).expect_err("a budget").to_string();
            assert!(error.contains(part), "{error}");
        };
        check("a: 1\na: 2\n", "duplicate key `a`");
        check(&format!("a: {}{}", "[".repeat(65), "]".repeat(65)), "YAML");
        let nested = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n\
                      c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n";
        check(nested, "aliases repeat more than");
        check(&format!("a: &a 1\nb: [{}]", vec!["*a"; 101].join(",")), "YAML");
        let at_most = format!("a: &a 1\nb: [{}]", vec!["*a"; 99].join(","));
        assert_eq!(json("test.yaml", at_most.as_bytes()).expect("data")["b"][98], 1);
        let secret = json("notes.txt", b"KEY SECRET: [\n").expect_err("no YAML").to_string();
        assert!(!secret.contains("SECRET"), "{secret}");
    }
}
