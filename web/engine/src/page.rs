//! What the page asks, and the answers.

use std::sync::LazyLock;

use flopcast_api::{Asked, Fault, Ranges, Ready, Session};
use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::Input;
use flopcast_core::serving::capacity::Search;
use flopcast_report::{Report, view};
use flopcast_scenario::{Files as _, whole};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::files::Kept;
use crate::lists::lists;

static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::embedded);

/// The engine behind a page: the embedded catalog, and the files that the page gave it.
#[derive(Default)]
pub struct Page {
    files: Kept,
    /// The last whole forecast and the text that it is of: what is simulated once is told again.
    last: Option<(String, Report, Vec<String>)>,
}

/// A request.
#[derive(Deserialize)]
#[serde(tag = "ask", rename_all = "lowercase", deny_unknown_fields)]
enum Request {
    /// The lists of the form.
    Lists,
    /// Keep the file behind the request, or the head of one of this size.
    Keep { name: String, size: u64 },
    /// Keep the file likewise, and tell of the model in it.
    Model { name: String, size: u64 },
    /// The forecast as the page shows it. `whole` simulates a service that has an SLO and samples
    /// ranges, as the command line does; without it the answer comes within a frame.
    View {
        scenario: String,
        #[serde(default)]
        whole: bool,
        #[serde(default)]
        explain: Vec<String>,
    },
    /// A question of the API.
    Api { question: String, request: Value },
}

impl Page {
    /// The reply to a request, and the file behind it. A refusal is `{"error": ...}` in the words of
    /// the API.
    pub fn answer(&mut self, request: &[u8], file: &[u8]) -> (String, Vec<u8>) {
        match self.try_answer(request, file) {
            Ok((json, file)) => (json.to_string(), file),
            Err(fault) => (fault.json().to_string(), Vec::new()),
        }
    }

    fn try_answer(&mut self, request: &[u8], file: &[u8]) -> Result<(Value, Vec<u8>), Fault> {
        let request: Request = serde_json::from_slice(request)
            .map_err(|error| Error::input(format!("the page asks what the engine does not know: {error}")))?;
        let alone = |json| Ok((json, Vec::new()));
        match request {
            Request::Lists => alone(lists(&CATALOG)),
            Request::Keep { name, size } => {
                self.keep(&name, file, size);
                alone(Value::Null)
            }
            Request::Model { name, size } => {
                self.keep(&name, file, size);
                let model = self.session().model(&name, &Input::default(), "")?;
                alone(json!({
                    "name": model.name,
                    "parameters": model.parameters().total,
                    "warnings": model.warnings,
                }))
            }
            Request::View { scenario, whole, explain } => {
                alone(self.view(&scenario, whole, &explain)?)
            }
            Request::Api { question, request } => {
                let answer = flopcast_api::answer(&self.session(), &question, &request.to_string())?;
                let told = json!({"kept": answer.kept, "notes": answer.notes});
                Ok((told, answer.bytes))
            }
        }
    }

    fn session(&self) -> Session<'_> {
        Session { files: &self.files, ..Session::new(&CATALOG) }
    }

    fn keep(&mut self, name: &str, file: &[u8], size: u64) {
        self.files.keep(name, file, size);
        self.last = None;
    }

    /// The forecast of a scenario's text.
    fn view(&mut self, text: &str, whole: bool, explain: &[String]) -> Result<Value, Fault> {
        if !whole {
            let (asked, notes) = self.asked(text)?;
            let (report, open) = by_means(&self.session(), &asked, !explain.is_empty())?;
            let shown = view::view(&report, explain, false);
            return Ok(beside(shown, &notes, open));
        }
        let (report, notes) = match self.last.take() {
            Some((of, report, notes)) if of == text => (report, notes),
            _ => self.whole(text)?,
        };
        let shown = beside(view::view(&report, explain, true), &notes, false);
        self.last = Some((text.to_owned(), report, notes));
        Ok(shown)
    }

    /// The forecast as the command line makes it, and what there is to tell beside it.
    fn whole(&self, text: &str) -> Result<(Report, Vec<String>), Fault> {
        let session = self.session();
        let (asked, notes) = self.asked(text)?;
        let ready = Ready::of(&session, &asked, &Search::default(), false)?;
        Ok((Ranges::default().report(&session, &ready)?, notes))
    }

    /// A text as a scenario, and how it was read.
    fn asked(&self, text: &str) -> Result<(Asked, Vec<String>), Fault> {
        let open = |_: &str, name: &str| Ok((name.to_owned(), self.files.read(name)?));
        let text = whole::Text { folder: "", name: "scenario", bytes: text.as_bytes() };
        let (document, notes) = whole::read(text, &[], &open)?;
        let asked = Asked::read(document).map_err(|faults| {
            let first = faults.into_iter().next();
            first.unwrap_or_else(|| Error::input("this is no scenario"))
        })?;
        Ok((asked, notes))
    }
}

/// A forecast with notes beside it; `open` says that a simulation would make it another one.
fn beside(mut forecast: Value, notes: &[String], open: bool) -> Value {
    forecast["notes"] = json!(notes);
    forecast["open"] = json!(open);
    forecast
}

/// The forecast in closed form, and whether a simulation would make it another one.
fn by_means(session: &Session<'_>, asked: &Asked, recorded: bool) -> Result<(Report, bool)> {
    let scenario = session.resolve(&asked.file)?;
    let engine = session.engine(&scenario)?;
    let estimate = if recorded { engine.recorded().run()? } else { engine.run()? };
    let service = scenario.inference.as_ref();
    let open = service.is_some_and(|service| !service.demand.objective.is_empty());
    Ok((Report::new(&scenario, &estimate, engine.predicted()), open))
}
