//! Requests: JSON in, typed by the reader that reads scenarios, so that a misspelt key gets the
//! same words.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;

use flopcast_core::diagnostic::{Error, Place, Result};
use flopcast_report::doc::Subject;
use flopcast_report::render::{Format, Setting};
use flopcast_scenario::document::{self, Key, Node, Value};
use flopcast_scenario::{Files, reader, whole};
use flopcast_study::snapshot::Snapshot;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _};
use serde_json::{Map, Value as Json};

use crate::bounds;
use crate::fault::Fault;
use crate::ready::Asked;
use crate::session::{Given, Session, plain};

/// A document in a request: its YAML text, or its keys as an object.
#[derive(Clone, Debug)]
pub enum Source {
    /// YAML.
    Text(String),
    /// The keys.
    Keys(Map<String, Json>),
}

impl Source {
    /// The text that is read; that of keys is their JSON, line by line.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => text.into(),
            Self::Keys(keys) => serde_json::to_string_pretty(keys).unwrap_or_default().into(),
        }
    }

    /// The path of a file that it names in place of holding a document: one line that ends as YAML or
    /// JSON does and has no `: `.
    fn path(&self) -> Option<&str> {
        let Self::Text(text) = self else { return None };
        let named = [".yaml", ".yml", ".json"].iter().any(|ending| text.ends_with(ending));
        (named && !text.contains('\n') && !text.contains(": ") && !text.starts_with(['{', '[']))
            .then_some(text)
    }

    /// The bytes of the text.
    pub fn bytes(&self) -> Vec<u8> {
        self.text().into_owned().into_bytes()
    }

    /// The saved forecasts that it holds; none where it is a scenario.
    ///
    /// # Errors
    /// As [`Snapshot::read_all`].
    pub fn saved(&self) -> Result<Option<Vec<Snapshot>>> {
        let saved = match self {
            Self::Keys(keys) => keys.contains_key("schema"),
            Self::Text(text) => {
                text.trim_start().starts_with(['{', '[']) && text.contains("\"schema\"")
            }
        };
        saved.then(|| Snapshot::read_all(&self.text())).transpose()
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Json::deserialize(deserializer)? {
            Json::String(text) => Ok(Self::Text(text)),
            Json::Object(keys) => Ok(Self::Keys(keys)),
            _ => Err(D::Error::custom("this is a text of YAML, or an object of keys with values")),
        }
    }
}

impl JsonSchema for Source {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Source".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "object"]})
    }
}

/// Files that a document may name, by their path: texts, or JSON as an object.
pub type Texts = BTreeMap<String, Source>;

/// Declares the request of a question about one scenario: the keys that all of them have, then its
/// own.
macro_rules! about_a_scenario {
    (
        $(#[$of:meta])*
        pub struct $name:ident { $($(#[$on:meta])* pub $key:ident: $type:ty,)* }
    ) => {
        $(#[$of])*
        #[derive(Clone, Debug, ::serde::Deserialize, ::schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// The scenario: its YAML text, or the same keys as an object.
            pub scenario: $crate::request::Source,
            /// Its file's name, by which errors and the sources of inputs call it; `scenario` when left out.
            pub name: Option<String>,
            /// Overrides of its keys, such as `training.hardware.count=512`.
            #[serde(default)]
            pub set: Vec<String>,
            /// Files that it names (`extends`, a model's config.json, a trace), by their path: texts,
            /// or JSON as an object.
            #[serde(default)]
            pub files: $crate::request::Texts,
            $($(#[$on])* pub $key: $type,)*
        }

        impl $name {
            /// Its scenario.
            fn whole(&self) -> $crate::request::Whole<'_> {
                let Self { scenario, name, set, files, .. } = self;
                $crate::request::Whole { source: scenario, name: name.as_deref(), set, files }
            }
        }
    };
}
pub(crate) use about_a_scenario;

/// Reads a request; a wrong key or value is refused in the words of scenarios.
///
/// # Errors
/// No JSON; an unknown or missing key, a value that is none or out of its bounds.
pub(crate) fn read<T: DeserializeOwned + JsonSchema>(request: &str) -> Result<T, Fault> {
    let json: Json = serde_json::from_str(request)
        .map_err(|error| Error::input(format!("the request is no JSON: {error}")))?;
    if !json.is_object() {
        return Err(Error::input("a request is an object: {\"scenario\": ...}").into());
    }
    // In a scenario keys that begin with x- are the user's own; a request has none.
    let own = json.as_object().into_iter().flatten().find(|(key, _)| key.starts_with("x-"));
    if let Some((key, _)) = own {
        return Err(Error::input(format!("unknown key `{key}`")).into());
    }
    json.as_object().map_or(Ok(()), bounds::kept::<T>)?;
    let node = node(json, &mut 0);
    reader::read::<T>(&node).map_err(|error| Fault::of_request(&error, &node))?;
    // A scenario may say a number for a text, and keep keys of its own; a request may not.
    serde_json::from_str(request).map_err(|error| {
        Error::input(format!("the request is not what it should be: {error}")).into()
    })
}

/// JSON as the reader of scenarios takes it. Places are numbers, by which keys are found again.
fn node(json: Json, count: &mut usize) -> Node {
    *count += 1;
    let place = Place { line: *count, ..Place::default() };
    let value = match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(value),
        Json::Number(value) => Value::Number(value.as_f64().unwrap_or(f64::NAN)),
        Json::String(text) => Value::Text(text),
        Json::Array(items) => {
            Value::List(items.into_iter().map(|item| node(item, count)).collect())
        }
        Json::Object(entries) => {
            let entry = |(name, value)| {
                *count += 1;
                let place = Place { line: *count, ..Place::default() };
                (Key { name, place }, node(value, count))
            };
            Value::Map(entries.into_iter().map(entry).collect())
        }
    };
    Node { value, place }
}

/// The form and bytes of an answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The document.
    pub bytes: Vec<u8>,
    /// Its form; JSON but where a report in another one is asked for.
    pub format: Format,
    /// What there is to tell beside it: spellings that were read as others, how a job was read.
    pub notes: Vec<String>,
    /// False where the command line would end with exit code 1: a limit is broken, a run does not
    /// fit, nothing is feasible.
    pub kept: bool,
}

/// A question on its way to an answer: what it reads, what there is to tell, and the result.
pub(crate) struct Asking<'a> {
    pub(crate) session: Session<'a>,
    documents: RefCell<Vec<Node>>,
    notes: RefCell<Vec<String>>,
}

/// Errors on the way; [`Asking::answer`] finds their keys.
pub(crate) struct Errors(pub(crate) Vec<Error>);

impl From<Error> for Errors {
    fn from(error: Error) -> Self {
        Self(vec![error])
    }
}

/// A result whose faults may be several.
pub(crate) type Tried<T> = Result<T, Errors>;

impl<'a> Asking<'a> {
    /// A question within a session.
    pub(crate) fn new(session: Session<'a>) -> Self {
        Self { session, documents: RefCell::default(), notes: RefCell::default() }
    }

    /// A scenario's document, with the files that it may name.
    ///
    /// # Errors
    /// As [`whole::read`]; a scenario's file that cannot be read.
    pub(crate) fn open(&self, of: &Whole<'_>) -> Result<Opened<'a>> {
        let path = of.source.path();
        let folder = path.and_then(|path| Some(path.rsplit_once('/')?.0.to_owned()));
        let files = Given { folder, ..self.given(of.files) };
        let bytes = match path {
            Some(path) => self.session.files.read(path)?,
            None => of.source.bytes(),
        };
        let name = path.or(of.name).unwrap_or("scenario");
        let inside = name.rfind('/').map_or(0, |at| at + 1);
        let text = whole::Text { folder: &name[..inside], name, bytes: &bytes };
        let open = |from: &str, name: &str| {
            let folder = from.get(inside..).and_then(|from| Some(from.rsplit_once('/')?.0));
            let path = folder.map_or_else(|| name.to_owned(), |folder| format!("{folder}/{name}"));
            files.read(&path).map(|bytes| (format!("{}{path}", text.folder), bytes))
        };
        let (mut document, notes) = whole::read(text, of.set, &open)?;
        // A file has its name for people who read many; a question needs none.
        if path.is_none() && document.get("name").is_none() {
            let place = document.place.clone();
            let called = Node { value: Value::Text(name.to_owned()), place };
            // What is no map is refused by who reads it.
            let _ = document.put("name", called);
        }
        self.notes.borrow_mut().extend(notes);
        self.documents.borrow_mut().push(document.clone());
        Ok(Opened { document, files })
    }

    /// The files of a request over those of the session.
    pub(crate) fn given(&self, files: &Texts) -> Given<'a> {
        let files = files.iter().map(|(name, source)| (plain(name).to_owned(), source.bytes()));
        Given { files: files.collect(), folder: None, beneath: self.session.files }
    }

    /// The forecast or plan that a scenario asks for: its document, typed, and its files.
    pub(crate) fn asked(&self, of: &Whole<'_>) -> Tried<(Asked, Given<'a>)> {
        let Opened { document, files } = self.open(of)?;
        Ok((Asked::read(document).map_err(Errors)?, files))
    }

    /// This session with other files.
    pub(crate) fn with<'b>(&self, files: &'b Given<'b>) -> Session<'b>
    where
        'a: 'b,
    {
        Session { files, ..self.session }
    }

    /// The bytes of a document that stands beside the scenario, such as a policy; errors find its
    /// keys, too.
    pub(crate) fn beside(&self, name: &str, source: &Source) -> Vec<u8> {
        let bytes = source.bytes();
        self.documents.borrow_mut().extend(document::parse(name, &bytes));
        bytes
    }

    /// What there is to tell so far.
    pub(crate) fn notes(self) -> Vec<String> {
        self.notes.into_inner()
    }

    /// The answer that a question gives in a form.
    pub(crate) fn answer(
        self,
        format: Format,
        ask: impl FnOnce(&Self, &mut Out) -> Tried<bool>,
    ) -> Result<Answer, Fault> {
        let mut out = Out { format, bytes: Vec::new() };
        match ask(&self, &mut out) {
            Ok(kept) => {
                let (bytes, notes) = (out.bytes, self.notes.into_inner());
                Ok(Answer { bytes, format, notes, kept })
            }
            Err(Errors(errors)) => Err(Fault::new(errors, &self.documents.into_inner())),
        }
    }
}

/// A scenario of a request: its source, what is set in it, the files that it names.
pub(crate) struct Whole<'a> {
    pub(crate) source: &'a Source,
    pub(crate) name: Option<&'a str>,
    pub(crate) set: &'a [String],
    pub(crate) files: &'a Texts,
}

/// A scenario's document, with the files that it may name.
pub(crate) struct Opened<'a> {
    pub(crate) document: Node,
    pub(crate) files: Given<'a>,
}

/// Where an answer is written.
pub(crate) struct Out {
    format: Format,
    bytes: Vec<u8>,
}

impl Out {
    /// Writes a subject in the form that is asked for, as the command line prints it.
    pub(crate) fn show(&mut self, subject: &dyn Subject) -> Result<()> {
        self.bytes = self.format.render(subject, Setting::default())?;
        let binary = self.format == Format::Xlsx;
        if !binary && !self.bytes.ends_with(b"\n") {
            self.bytes.push(b'\n');
        }
        Ok(())
    }

    /// Adds text that is rendered already.
    pub(crate) fn write(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }
}
