//! The layer list of a template, as parsed: operators with their settings, and the words that
//! arrange them.
//!
//! An entry is a section whose one word names an operator (`dense: {out: 10}`) or an arrangement:
//! `repeat`, `scope`, `then`, `use`, `fork`, `add`, `residual`, `concat`, `let` or `model`. An `if`
//! beside it leaves it out unless the condition holds.
//!
//! - `repeat: n` runs its `layers` n times, `scope: name` once under a name; both may give a
//!   `role`, `weights`, `count`, `experts` with `top_k`, and `trained`;
//! - `if` with `then` and `else` chooses between lists; `use: block` runs a list by name, `with`
//!   values for its names;
//! - `fork`, `add` and `concat` run paths from one tensor; `residual` is an `add` with an empty
//!   path;
//! - `let` names values for the rest of the list; `model` runs another model as a part.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::expression::Expression;
use crate::diagnostic::{Error, Result};

/// One entry of a layer list.
#[derive(Clone, Debug)]
pub struct Node {
    /// The condition of the entry, which is left out if it does not hold.
    pub condition: Option<Expression>,
    /// The kind of entry.
    pub kind: Kind,
}

/// The kinds of entry of a layer list.
#[derive(Clone, Debug)]
pub enum Kind {
    /// An operator or a change of shape, by its name in [`OPERATORS`].
    Operator(&'static str, Knobs),
    /// `repeat: n`: the layers n times, `as` the name of the index.
    Repeat(Expression, Knobs, Vec<Node>),
    /// `scope: name`: layers with a name, a role, routing, shared weights.
    Scope(Knobs, Vec<Node>),
    /// The layers of `then` if the condition holds, those of `else` if not.
    Choose(Vec<Node>, Vec<Node>),
    /// `use: block`, with values for its names.
    Use(Arc<str>, Knobs),
    /// Paths that start at the same tensor, joined as the word says.
    Paths(Join, Vec<Vec<Node>>),
    /// Names for the rest of the list, each with its expression.
    Let(Knobs),
    /// Another model as a part, such as the vision tower of a language model.
    Model(Knobs),
}

/// The ways in which paths come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// Each path starts where the fork does, and so does the rest of the list.
    Fork,
    /// The results are added; extents and features must agree.
    Add,
    /// The features are concatenated; extents must agree.
    Concat,
}

/// Named settings of an entry, each an expression.
#[derive(Clone, Debug, Default)]
pub struct Knobs(pub Vec<(Arc<str>, Expression)>);

impl Knobs {
    /// The setting called `name`.
    pub fn get(&self, name: &str) -> Option<&Expression> {
        self.0.iter().find(|(known, _)| &**known == name).map(|(_, expression)| expression)
    }

    /// Reads the settings of `what`. A setting outside `known` is an error, unless `known` is
    /// empty.
    fn parse(what: &str, map: &Map<String, Json>, known: &[&str]) -> Result<Self> {
        let mut knobs = Self::default();
        for (key, value) in map {
            if !known.is_empty() && !known.contains(&key.as_str()) {
                return Err(Error::input(format!("`{what}` has no setting `{key}`"))
                    .suggest(key, known.iter().copied())
                    .hint(format!("it has {}", known.join(", "))));
            }
            let expression = match value {
                Json::String(text) if LITERAL.contains(&key.as_str()) => {
                    Expression::literal(super::value::Value::text(text))
                }
                value => Expression::from_json(value)
                    .map_err(|error| error.within(&format!("`{key}` of `{what}`")))?,
            };
            knobs.0.push((key.as_str().into(), expression));
        }
        Ok(knobs)
    }
}

impl Node {
    /// Calls `found` with each name that an expression of the entry reads.
    pub fn names(&self, found: &mut impl FnMut(&str, bool)) {
        let knobs = |knobs: &Knobs, found: &mut dyn FnMut(&str, bool)| {
            knobs
                .0
                .iter()
                .for_each(|(_, it)| it.names(&mut |name, optional| found(name, optional)));
        };
        if let Some(condition) = &self.condition {
            condition.names(found);
        }
        match &self.kind {
            Kind::Operator(_, it) | Kind::Use(_, it) | Kind::Let(it) | Kind::Model(it) => {
                knobs(it, found);
            }
            Kind::Repeat(times, it, layers) => {
                times.names(found);
                knobs(it, found);
                names_in(layers, found);
            }
            Kind::Scope(it, layers) => {
                knobs(it, found);
                names_in(layers, found);
            }
            Kind::Choose(then, otherwise) => {
                names_in(then, found);
                names_in(otherwise, found);
            }
            Kind::Paths(_, paths) => {
                for path in paths {
                    names_in(path, found);
                }
            }
        }
    }
}

/// Calls `found` with each name that an expression of the entries reads.
fn names_in(nodes: &[Node], found: &mut impl FnMut(&str, bool)) {
    for node in nodes {
        node.names(found);
    }
}

/// Settings that are plain names rather than expressions.
const LITERAL: [&str; 2] = ["name", "as"];

/// Operators and changes of shape, each with the settings that it takes. On a tensor
/// `[batch, extents..., features]`:
///
/// - `input`, `reshape`: set batch, extents, features; `flatten`: features x positions, no extents;
/// - `dense`: features `in` to `out` at each of `rows` positions, with `bias`;
/// - `conv1d` to `conv3d`: `in` to `out` channels, windows of `kernel`, `stride`, `padding` (or
///   `same`), `dilation`, in `groups`, perhaps `transposed`;
/// - `attention`: `heads`, `kv_heads`, `head_dim` (or `qk_dim`, `v_dim`), `queries`, `keys`, one of
///   the masks `causal`, `window`, `band`, `chunk`, `selected`, and `cached` elements per key;
/// - `matmul`: `batch` products `[rows, inner] x [inner, columns]`;
/// - `embedding`: a table `[entries, dim]`; `parameter`: a tensor of `size` elements;
/// - `norm` and its kinds: over `dim` features, with `scale` and `bias`;
/// - `activation` with `function`, and the functions by name: over `elements` with `operands`;
/// - `glu`: halves the features and multiplies the halves, one of them through `function`;
/// - pools: windows, all positions (`global_pool`), or given `extents` (`adaptive_pool`);
/// - `rnn`, `lstm`, `gru`: `layers` of `hidden` features in `directions`, with `biases` per gate;
/// - `scan`: a state `[heads, key_dim, value_dim]` by `kind`, perhaps in chunks.
pub(super) const OPERATORS: &[(&str, &[&str])] = {
    /// Settings of convolutions.
    const CONV: &[&str] = &[
        "name",
        "in",
        "out",
        "out_channels",
        "kernel",
        "stride",
        "padding",
        "dilation",
        "groups",
        "bias",
        "transposed",
        "output_padding",
        "weights",
        "role",
    ];
    /// Settings of norms.
    const NORM: &[&str] = &["name", "kind", "dim", "scale", "bias", "weights", "role"];
    /// Settings of pools.
    const POOL: &[&str] = &["name", "kernel", "stride", "padding", "ceil"];
    /// Settings of recurrent layers.
    const CELL: &[&str] =
        &["name", "in", "hidden", "layers", "directions", "biases", "weights", "role"];
    /// Settings of functions of each element.
    const POINTWISE: &[&str] = &["name", "function", "elements", "operands", "role"];
    &[
        ("input", &["batch", "extents", "features"]),
        ("reshape", &["batch", "extents", "features", "data"]),
        ("flatten", &[]),
        ("dense", &["name", "rows", "in", "out", "bias", "weights", "role"]),
        ("conv1d", CONV),
        ("conv2d", CONV),
        ("conv3d", CONV),
        (
            "attention",
            &[
                "name", "batch", "heads", "kv_heads", "head_dim", "qk_dim", "v_dim", "queries",
                "keys", "causal", "window", "band", "chunk", "selected", "cached", "cross", "role",
            ],
        ),
        ("matmul", &["name", "batch", "rows", "inner", "columns", "role"]),
        ("embedding", &["name", "entries", "dim", "rows", "weights", "role"]),
        ("parameter", &["name", "size", "weights", "role"]),
        ("norm", NORM),
        ("layer_norm", NORM),
        ("rms_norm", NORM),
        ("batch_norm", NORM),
        ("group_norm", NORM),
        ("activation", POINTWISE),
        ("relu", POINTWISE),
        ("gelu", POINTWISE),
        ("silu", POINTWISE),
        ("sigmoid", POINTWISE),
        ("tanh", POINTWISE),
        ("softmax", POINTWISE),
        ("rotary", POINTWISE),
        ("multiply", POINTWISE),
        ("glu", &["name", "function", "role"]),
        ("max_pool", POOL),
        ("avg_pool", POOL),
        ("adaptive_pool", &["name", "extents"]),
        ("global_pool", &["name"]),
        ("rnn", CELL),
        ("lstm", CELL),
        ("gru", CELL),
        (
            "scan",
            &[
                "name",
                "kind",
                "batch",
                "length",
                "heads",
                "key_dim",
                "value_dim",
                "chunk",
                "stored",
                "role",
            ],
        ),
    ]
};

/// Attributes of a scope or a repetition.
const SCOPE: &[&str] =
    &["name", "as", "role", "weights", "count", "experts", "top_k", "trained", "part"];
/// Settings of `model`: another model as a part of this one.
const MODEL: &[&str] =
    &["name", "config", "type", "class", "count", "role", "part", "with", "leaves"];
/// Words that arrange layers.
const ARRANGING: &[&str] =
    &["repeat", "scope", "then", "use", "fork", "add", "residual", "concat", "let", "model"];
/// The deepest nesting of layer lists that is read.
const MOST_DEPTH: usize = 40;

impl Expression {
    /// An expression from a value of a file: texts are parsed, lists and sections are read entry by
    /// entry, and other values stand for themselves.
    ///
    /// # Errors
    /// As [`Expression::parse`].
    pub fn from_json(json: &Json) -> Result<Self> {
        match json {
            Json::String(text) => Self::parse(text),
            Json::Array(items) => {
                Ok(Self::list(items.iter().map(Self::from_json).collect::<Result<_>>()?))
            }
            Json::Object(map) => Ok(Self::map(
                map.iter()
                    .map(|(key, value)| Ok((key.clone(), Self::from_json(value)?)))
                    .collect::<Result<_>>()?,
            )),
            plain => Ok(Self::literal(plain.into())),
        }
    }
}

/// Reads a layer list: a list of entries, one entry, or nothing.
///
/// # Errors
/// If an entry is no layer, a setting is unknown, or an expression does not parse.
pub(super) fn parse_list(json: &Json, depth: usize) -> Result<Vec<Node>> {
    if depth > MOST_DEPTH {
        return Err(Error::input("layers are nested too deeply"));
    }
    match json {
        Json::Array(items) => items.iter().map(|item| parse(item, depth)).collect(),
        Json::Null => Ok(Vec::new()),
        one => Ok(vec![parse(one, depth)?]),
    }
}

/// Reads one entry: a word alone, or a section with one word and the settings that go with it.
///
/// # Errors
/// As [`parse_list`].
fn parse(json: &Json, depth: usize) -> Result<Node> {
    let map = match json {
        Json::Object(map) => map,
        Json::String(word) => {
            let (name, _) = operator(word)?;
            return Ok(Node { condition: None, kind: Kind::Operator(name, Knobs::default()) });
        }
        other => {
            return Err(Error::input(format!(
                "a layer is a section such as `dense: {{out: 10}}`, not {other}"
            )));
        }
    };
    let condition = map.get("if").map(Expression::from_json).transpose()?;
    let kind = Entry::new(map, depth)?.kind()?;
    if condition.is_none() && matches!(kind, Kind::Choose(..)) {
        return Err(Error::input("`then` without `if`"));
    }
    Ok(Node { condition, kind })
}

/// An entry that is a section: its word, the value of the word, and the keys beside it.
struct Entry<'a> {
    map: &'a Map<String, Json>,
    word: &'a str,
    depth: usize,
}

impl<'a> Entry<'a> {
    /// Finds the word of a section.
    ///
    /// # Errors
    /// If no key is a word, with the nearest ones.
    fn new(map: &'a Map<String, Json>, depth: usize) -> Result<Self> {
        let is_word =
            |key: &&str| ARRANGING.contains(key) || OPERATORS.iter().any(|(name, _)| name == key);
        let word = map.keys().map(String::as_str).find(is_word).ok_or_else(|| {
            let unknown = map.keys().map(String::as_str).find(|key| *key != "if").unwrap_or("");
            operator(unknown).err().unwrap_or_else(|| Error::input("an empty layer"))
        })?;
        Ok(Self { map, word, depth })
    }

    /// The kind of the entry.
    ///
    /// # Errors
    /// If its value or its other keys do not go with its word.
    fn kind(&self) -> Result<Kind> {
        let value = &self.map[self.word];
        Ok(match self.word {
            "repeat" => {
                let knobs = Knobs::parse(self.word, &self.rest(&["layers"]), SCOPE)?;
                Kind::Repeat(Expression::from_json(value)?, knobs, self.list("layers")?)
            }
            "scope" => {
                let mut attributes = self.rest(&["layers"]);
                attributes.insert("name".into(), Json::String(self.name(value)?.to_string()));
                Kind::Scope(Knobs::parse(self.word, &attributes, SCOPE)?, self.list("layers")?)
            }
            "then" => {
                self.nothing_but(&["else"])?;
                Kind::Choose(self.list("then")?, self.list("else")?)
            }
            "use" => {
                self.nothing_but(&["with"])?;
                let with = self.map.get("with").unwrap_or(&Json::Null);
                Kind::Use(self.name(value)?, self.settings(with, &[])?)
            }
            word => {
                self.nothing_but(&[])?;
                match word {
                    "fork" => Kind::Paths(Join::Fork, self.paths(value)?),
                    "add" => Kind::Paths(Join::Add, self.paths(value)?),
                    "concat" => Kind::Paths(Join::Concat, self.paths(value)?),
                    "residual" => Kind::Paths(Join::Add, vec![self.layers(value)?, Vec::new()]),
                    "let" => Kind::Let(self.settings(value, &[])?),
                    "model" => Kind::Model(self.settings(value, MODEL)?),
                    _ => {
                        let (name, known) = operator(word)?;
                        Kind::Operator(name, self.settings(value, known)?)
                    }
                }
            }
        })
    }

    /// The keys beside the word, the condition and the `extra` ones.
    fn rest(&self, extra: &[&str]) -> Map<String, Json> {
        let own = |key: &str| key == self.word || key == "if" || extra.contains(&key);
        self.map.iter().filter(|(key, _)| !own(key)).map(|(k, v)| (k.clone(), v.clone())).collect()
    }

    /// Refuses keys beside the word, the condition and the `extra` ones.
    fn nothing_but(&self, extra: &[&str]) -> Result<()> {
        match self.rest(extra).keys().next() {
            None => Ok(()),
            Some(key) => Err(Error::input(format!("`{key}` does not go with `{}`", self.word))),
        }
    }

    /// A layer list below this entry.
    fn layers(&self, json: &Json) -> Result<Vec<Node>> {
        parse_list(json, self.depth + 1)
    }

    /// The layer list of a key; empty without the key.
    fn list(&self, key: &str) -> Result<Vec<Node>> {
        self.layers(self.map.get(key).unwrap_or(&Json::Null))
    }

    /// A list of layer lists.
    fn paths(&self, json: &Json) -> Result<Vec<Vec<Node>>> {
        match json {
            Json::Array(items) => items.iter().map(|item| self.layers(item)).collect(),
            _ => Err(Error::input("paths are a list of layer lists")),
        }
    }

    /// A value that is a name.
    fn name(&self, value: &Json) -> Result<Arc<str>> {
        match value {
            Json::String(name) => Ok(name.as_str().into()),
            _ => Err(Error::input(format!("`{}` takes a name", self.word))),
        }
    }

    /// A value that is settings, of which only the `known` ones may occur.
    fn settings(&self, value: &Json, known: &[&str]) -> Result<Knobs> {
        match value {
            Json::Object(map) => Knobs::parse(self.word, map, known),
            Json::Null => Knobs::parse(self.word, &Map::new(), known),
            _ => {
                let message = format!("`{}` takes settings such as {{out: 10}}", self.word);
                Err(Error::input(message))
            }
        }
    }
}

/// The operator of a word and its settings, or an error with the nearest words.
fn operator(word: &str) -> Result<(&'static str, &'static [&'static str])> {
    OPERATORS.iter().find(|(name, _)| *name == word).copied().ok_or_else(|| {
        let known = OPERATORS.iter().map(|(name, _)| *name).chain(ARRANGING.iter().copied());
        Error::input(format!("`{word}` is not a layer")).suggest(word, known)
    })
}
