//! What the page asks, and the answers.

use std::sync::LazyLock;

use flopcast_api::{Asked, Fault, Ranges, Ready, Session};
use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::Input;
use flopcast_core::serving::capacity::Search;
use flopcast_report::render::{FORMS, Format, Setting};
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
    /// The whole forecast in a form, byte for byte as the command line writes it.
    Document { scenario: String, form: String },
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
        let request: Request = serde_json::from_slice(request).map_err(|error| {
            Error::input(format!("the page asks what the engine does not know: {error}"))
        })?;
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
            Request::Document { scenario, form } => {
                let known = FORMS.iter().find(|known| known.name == form);
                let format = known.ok_or_else(|| Error::input(format!("`{form}` is no form")))?;
                let (report, _) = self.whole(&scenario)?;
                let mut bytes = format.format.render(&vec![report.clone()], Setting::default())?;
                if format.format != Format::Xlsx && !bytes.ends_with(b"\n") {
                    bytes.push(b'\n');
                }
                Ok((Value::Null, bytes))
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
        let (report, notes) = self.whole(text)?;
        Ok(beside(view::view(report, explain, true), notes, false))
    }

    /// The forecast as the command line makes it, and what there is to tell beside it.
    fn whole(&mut self, text: &str) -> Result<(&Report, &[String]), Fault> {
        if self.last.as_ref().is_none_or(|(of, ..)| of != text) {
            let session = self.session();
            let (asked, notes) = self.asked(text)?;
            let ready = Ready::of(&session, &asked, &Search::default(), false)?;
            let report = Ranges::default().report(&session, &ready)?;
            self.last = Some((text.to_owned(), report, notes));
        }
        let (_, report, notes) = self.last.as_ref().ok_or_else(|| Error::input("no forecast"))?;
        Ok((report, notes))
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

#[cfg(test)]
mod tests {
    use super::*;

    const GPT_3: &str = include_str!("../../../scenarios/gpt3-175b.yaml");

    fn ask(page: &mut Page, request: &Value, file: &[u8]) -> Value {
        let (json, _) = page.answer(request.to_string().as_bytes(), file);
        serde_json::from_str(&json).expect("JSON")
    }

    #[test]
    fn a_move_leaves_out_what_a_rest_tells() {
        let mut page = Page::default();
        let quick = ask(&mut page, &json!({"ask": "view", "scenario": GPT_3}), b"");
        let explain = ["training.mfu"];
        let whole = json!({"ask": "view", "scenario": GPT_3, "whole": true, "explain": explain});
        let whole = ask(&mut page, &whole, b"");
        assert!(quick["tables"].is_null() && whole["tables"].is_array());
        assert_eq!(quick["answer"], whole["answer"]);
        assert_eq!(
            quick["sections"].as_array().map(Vec::len),
            whole["sections"].as_array().map(Vec::len)
        );
        assert_eq!(whole["derivations"]["training.mfu"]["name"], "training.mfu");
    }

    #[test]
    fn a_document_is_behind_the_reply() {
        let mut page = Page::default();
        let request = json!({"ask": "document", "scenario": GPT_3, "form": "json"});
        let (_, document) = page.answer(request.to_string().as_bytes(), b"");
        let document: Value = serde_json::from_slice(&document).expect("JSON");
        assert_eq!(document["schema"], "flopcast.estimate/1");
    }

    #[test]
    fn refusals_are_errors() {
        let mut page = Page::default();
        for request in [
            json!({"ask": "nothing"}),
            json!({"ask": "view", "scenario": "model: [\n"}),
            json!({"ask": "view", "scenario": "extends: other.yaml\n"}),
            json!({"ask": "model", "name": "noise.onnx", "size": 3}),
            json!({"ask": "document", "scenario": GPT_3, "form": "weather"}),
        ] {
            let reply = ask(&mut page, &request, b"\xff\x00\x13");
            assert!(reply["error"]["message"].is_string(), "{request}: {reply}");
        }
        assert!(page.answer(b"", b"").0.contains("error"));
    }

    #[test]
    fn a_head_is_not_taken_for_a_file() {
        let mut kept = Kept::default();
        kept.keep("a.safetensors", b"head", 400);
        assert_eq!(kept.head("./a.safetensors", 2).expect("bytes"), b"he");
        assert!(kept.read("a.safetensors").is_err() && kept.size("a.safetensors") == Some(400));
    }
}
