//! What the page asks, and the answers.

use std::sync::LazyLock;

use flopcast_api::{Asked, Fault, Ranges, Ready, Session};
use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::Input;
use flopcast_core::serving::capacity::Search;
use flopcast_report::render::{FORMS, Format, Setting};
use flopcast_report::{Report, view};
use flopcast_scenario::document::{Node, parse};
use flopcast_scenario::{Files as _, whole};
use flopcast_study::layouts;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::files::Kept;
use crate::lists::lists;

static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::embedded);

/// The engine behind a page: the embedded catalog, and the files that the page gave it.
#[derive(Default)]
pub struct Page {
    files: Kept,
    /// The last whole forecast and the text that it is of: what is simulated once is told again.
    last: Option<(String, Report, Vec<String>, Option<Layout>)>,
}

/// The layout that a search found for a service, and the words on those that it tried.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Layout {
    /// The value of the key.
    value: String,
    tried: String,
}

impl Layout {
    /// The layout of a scenario that was searched for; none where the file says it.
    fn of(ready: &Ready) -> Option<Self> {
        let tried = ready.tried()?.to_owned();
        Some(Self { value: layouts::value(ready.scenario.inference.as_ref()?)?, tried })
    }
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
        /// The layout that the last answer told: a move takes it over, where it can, and the search for
        /// the best one waits until the slider rests.
        #[serde(default)]
        layout: Option<Layout>,
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
            Request::View { scenario, whole: true, explain, .. } => {
                let (report, notes, layout) = self.whole(&scenario)?;
                alone(beside(view::view(report, &explain, true), notes, false, layout))
            }
            Request::View { scenario, explain, layout, .. } => {
                alone(self.move_to(&scenario, &explain, layout)?)
            }
            Request::Document { scenario, form } => {
                let known = FORMS.iter().find(|known| known.name == form);
                let format = known.ok_or_else(|| Error::input(format!("`{form}` is no form")))?;
                let (report, ..) = self.whole(&scenario)?;
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

    /// The forecast that comes within a frame, in the layout that is known already.
    fn move_to(
        &self,
        text: &str,
        explain: &[String],
        layout: Option<Layout>,
    ) -> Result<Value, Fault> {
        let session = self.session();
        let (document, notes) = self.document(text)?;
        let recorded = !explain.is_empty();
        let kept = layout.and_then(|layout| {
            let (report, open, _) = kept(&session, document.clone(), &layout, recorded)?;
            Some((report, open, Some(layout)))
        });
        let (report, open, layout) = match kept {
            Some(kept) => kept,
            None => by_means(&session, &typed(document)?, None, recorded)?,
        };
        Ok(beside(view::view(&report, explain, false), &notes, open, layout.as_ref()))
    }

    /// The forecast as the command line makes it, what there is to tell beside it, and its layout.
    fn whole(&mut self, text: &str) -> Result<(&Report, &[String], Option<&Layout>), Fault> {
        if self.last.as_ref().is_none_or(|(of, ..)| of != text) {
            let session = self.session();
            let (document, notes) = self.document(text)?;
            let asked = typed(document)?;
            let ready = Ready::of(&session, &asked, &Search::default(), false)?;
            let (_, report) = Ranges::default().report(&session, &ready)?;
            let layout = Layout::of(&ready);
            self.last = Some((text.to_owned(), report, notes, layout));
        }
        let last = self.last.as_ref().ok_or_else(|| Error::input("no forecast"))?;
        let (_, report, notes, layout) = last;
        Ok((report, notes, layout.as_ref()))
    }

    /// The document of a text, and how it was read.
    fn document(&self, text: &str) -> Result<(Node, Vec<String>)> {
        let open = |_: &str, name: &str| Ok((name.to_owned(), self.files.read(name)?));
        let text = whole::Text { folder: "", name: "scenario", bytes: text.as_bytes() };
        whole::read(text, &[], &open)
    }
}

/// A document as a scenario.
fn typed(document: Node) -> Result<Asked> {
    Asked::read(document).map_err(|faults| {
        let first = faults.into_iter().next();
        first.unwrap_or_else(|| Error::input("this is no scenario"))
    })
}

/// A forecast with notes and the layout beside it; `open` says that a simulation would make it
/// another one.
fn beside(mut forecast: Value, notes: &[String], open: bool, layout: Option<&Layout>) -> Value {
    forecast["notes"] = json!(notes);
    forecast["open"] = json!(open);
    forecast["layout"] = json!(layout);
    forecast
}

/// The forecast of a document that leaves its layout open, in a known one; none where it says its own,
/// or cannot have this one.
fn kept(
    session: &Session<'_>,
    mut document: Node,
    layout: &Layout,
    recorded: bool,
) -> Option<(Report, bool, Option<Layout>)> {
    if document.at(layouts::KEY).is_some() {
        return None;
    }
    let value = parse("layout", layout.value.as_bytes()).ok()?;
    document.put(layouts::KEY, value).ok()?;
    let asked = Asked::read(document).ok()?;
    by_means(session, &asked, Some(layout.tried.clone()), recorded).ok()
}

/// The forecast without a simulation, whether one would make it another, and the layout that was
/// searched for; `tried` are the words on layouts where the search was before.
fn by_means(
    session: &Session<'_>,
    asked: &Asked,
    tried: Option<String>,
    recorded: bool,
) -> Result<(Report, bool, Option<Layout>)> {
    let scenario = session.resolve(&asked.file)?;
    let simulated =
        scenario.inference.as_ref().is_some_and(|service| !service.demand.objective.is_empty());
    if !simulated {
        let ready =
            Ready::resolved(session, asked, scenario, &Search::default(), false)?.told(tried);
        // Latencies of a service are simulated at rest.
        let open = ready.scenario.inference.is_some();
        return Ok((ready.means(session, recorded)?, open, Layout::of(&ready)));
    }
    let engine = session.engine(&scenario)?;
    let estimate = if recorded { engine.recorded().run()? } else { engine.run()? };
    Ok((Report::new(&scenario, &estimate, engine.predicted()), true, None))
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
        // The ranges come at rest, and with them the contingency.
        let spoken = |page: &Value| page["answer"].as_str().unwrap_or_default().to_owned();
        let whole_answer = spoken(&whole);
        let (before, rest) = whole_answer.split_once(" (contingency").expect("a contingency");
        let after = rest.split_once(')').map_or("", |(_, after)| after);
        assert_eq!(spoken(&quick), format!("{before}{after}"));
        assert_eq!(
            quick["sections"].as_array().map(Vec::len),
            whole["sections"].as_array().map(Vec::len)
        );
        assert_eq!(whole["derivations"]["training.mfu"]["name"], "training.mfu");
    }

    /// A move in the layout that the last rest found tells the figures that a search would.
    #[test]
    fn a_move_keeps_the_layout() {
        let mut page = Page::default();
        let view = |whole: bool, layout: &Value| json!({"ask": "view", "scenario": GPT_3, "whole": whole, "layout": layout});
        let searched = ask(&mut page, &view(false, &Value::Null), b"");
        let rested = ask(&mut page, &view(true, &Value::Null), b"");
        let layout = &rested["layout"];
        assert!(layout["value"].is_string() && *layout == searched["layout"], "{layout}");
        let moved = ask(&mut page, &view(false, layout), b"");
        for told in ["answer", "tiles", "layout"] {
            assert_eq!(moved[told], searched[told], "{told}");
        }
        let titles = |view: &Value| {
            let facts = |it: &Value| it["facts"].as_array().cloned().unwrap_or_default();
            let all = view["sections"].as_array().cloned().unwrap_or_default();
            all.iter().flat_map(facts).map(|fact| fact[0].clone()).collect::<Vec<_>>()
        };
        assert_eq!(titles(&moved), titles(&searched));
        // What cannot be is searched for anew.
        let wrong = json!({"value": "{tensor: 0}", "tried": "none"});
        assert_eq!(ask(&mut page, &view(false, &wrong), b"")["layout"], *layout);
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
