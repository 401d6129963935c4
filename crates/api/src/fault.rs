//! The refusal of a question as programs read it: the words of the command line, the path of the
//! key, the place in the text, and what to do next.

use flopcast_core::diagnostic::{Error, Kind, Place};
use flopcast_scenario::document::{Node, Value};
use serde_json::{Map, Value as Json, json};

/// Why a question has no answer.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What is wrong, at least one thing, with the path of the key where it is known.
    faults: Vec<(Error, Option<String>)>,
}

impl Fault {
    /// Errors, at least one; keys are looked up in the documents that were read.
    pub(crate) fn new(errors: Vec<Error>, documents: &[Node]) -> Self {
        let path = |place: &Place| documents.iter().find_map(|document| path_of(document, place));
        let located = |error: Error| {
            let path = error.place().and_then(path);
            (error, path)
        };
        Self { faults: errors.into_iter().map(located).collect() }
    }

    /// A wrong key of a request, which has no text to point into.
    pub(crate) fn of_request(error: &Error, request: &Node) -> Self {
        let path = error.place().and_then(|place| path_of(request, place));
        let bare = Error::input(error.message());
        let bare = error.hints().iter().fold(bare, |bare, hint| bare.hint(hint));
        Self { faults: vec![(bare, path)] }
    }

    /// The first error.
    pub fn error(&self) -> &Error {
        &self.faults[0].0
    }

    /// The reason in a word: `input`, `limit` or `live`.
    pub fn kind(&self) -> &'static str {
        match self.error().kind() {
            Kind::Limit => "limit",
            Kind::Input => "input",
            Kind::Live => "live",
        }
    }

    /// `{"error": {kind, message, path, place, hints, others}}`; what is not known is left out.
    pub fn json(&self) -> Json {
        let mut all = self.faults.iter().map(|(error, path)| one(error, path.as_deref()));
        let mut first = Map::from_iter([("kind".to_owned(), json!(self.kind()))]);
        first.extend(all.next().unwrap_or_default());
        let others: Vec<Json> = all.map(Json::Object).collect();
        if !others.is_empty() {
            first.insert("others".to_owned(), Json::Array(others));
        }
        json!({"error": first})
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self { faults: vec![(error, None)] }
    }
}

impl std::error::Error for Fault {}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let texts: Vec<String> = self.faults.iter().map(|(error, _)| error.to_string()).collect();
        f.write_str(&texts.join("\n"))
    }
}

/// An error as an object.
fn one(error: &Error, path: Option<&str>) -> Map<String, Json> {
    let mut map = Map::from_iter([("message".to_owned(), json!(error.message()))]);
    if let Some(path) = path.filter(|path| !path.is_empty()) {
        map.insert("path".to_owned(), json!(path));
    }
    if let Some(Place { file, line, column, width, text, .. }) = error.place() {
        let place = json!({
            "file": &**file, "line": line, "column": column, "width": width, "text": &**text,
        });
        map.insert("place".to_owned(), place);
    }
    map.insert("hints".to_owned(), json!(error.hints()));
    map
}

/// The dotted path of the key or value that stands at a place.
fn path_of(node: &Node, place: &Place) -> Option<String> {
    let below = |name: String, child: &Node| {
        let rest = path_of(child, place)?;
        Some(if rest.is_empty() { name } else { format!("{name}.{rest}") })
    };
    match &node.value {
        Value::Map(entries) => entries.iter().find_map(|(key, child)| {
            let here = key.place == *place;
            if here { Some(key.name.clone()) } else { below(key.name.clone(), child) }
        }),
        Value::List(items) => {
            items.iter().zip(0..).find_map(|(item, at): (_, usize)| below(at.to_string(), item))
        }
        _ => None,
    }
    .or_else(|| (node.place == *place).then(String::new))
}
