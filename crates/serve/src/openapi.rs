//! The description of the HTTP interface in `OpenAPI` 3.1, made from the table of questions and the
//! schemas of their requests: nothing is declared twice.

use flopcast_api::questions;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::http::media;
use flopcast_report::render::FORMS;

/// The schema of requests with everything in place, for readers that follow no references.
pub(crate) fn generator() -> SchemaGenerator {
    let inline = |settings: &mut SchemaSettings| settings.inline_subschemas = true;
    SchemaSettings::draft2020_12().with(inline).into_generator()
}

/// The document.
pub(crate) fn document() -> String {
    let mut paths = Map::new();
    let mut generator = generator();
    for question in questions() {
        let request = question.request(&mut generator);
        let body = json!({
            "required": true,
            "content": {"application/json": {"schema": request, "examples": examples(question.name)}},
        });
        let operation = json!({
            "operationId": question.name,
            "summary": question.says,
            "requestBody": body,
            "responses": responses(&["400", "401", "404", "413", "415", "422"], &answered(question.name)),
        });
        paths.insert(format!("/v1/{}", question.name), json!({"post": operation}));
        if question.long {
            let operation = json!({
                "operationId": format!("{}_job", question.name),
                "summary": format!("The same as a job. {}", question.says),
                "requestBody": body,
                "responses": responses(
                    &["400", "401", "404", "413", "415", "422", "429"],
                    &json!({"202": {
                        "description": "The job.",
                        "headers": {"Location": {"schema": {"type": "string"}}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Job"}}},
                        "links": {
                            "state": {"operationId": "job", "parameters": {"id": "$response.body#/id"}},
                            "result": {"operationId": "job_result", "parameters": {"id": "$response.body#/id"}},
                            "cancel": {"operationId": "cancel_job", "parameters": {"id": "$response.body#/id"}},
                        },
                    }}),
                ),
            });
            paths.insert(format!("/v1/{}/jobs", question.name), json!({"post": operation}));
        }
    }
    paths.extend(jobs());
    let text = |says: &str, kind: &str| json!({"200": {"description": says, "content": {kind: {"schema": {"type": "string"}}}}});
    let plain = |id: &str, says: &str, found: &Value| json!({"get": {"operationId": id, "summary": says, "responses": responses(&["401"], found)}});
    let metrics = text("Counts in the text form of Prometheus.", "text/plain");
    paths.insert(
        "/metrics".to_owned(),
        plain("metrics", "Counts of questions, and figures of tracked scenarios.", &metrics),
    );
    paths.insert(
        "/healthz".to_owned(),
        plain("healthz", "That it runs.", &text("ok", "text/plain")),
    );
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "flopcast",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
            "description": "Forecasts of what an AI model takes: time, money, energy, carbon. Answers are \
                those of the command line with --format json; refusals have its words.",
        },
        "paths": paths,
        "components": {
            "schemas": {"Error": error(), "Job": job()},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        // A token where the server wants one.
        "security": [{}, {"token": []}],
    });
    document.to_string()
}

/// The paths of jobs.
fn jobs() -> Map<String, Value> {
    let id = json!([{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}]);
    let state = json!({"200": {
        "description": "The job.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Job"}}},
    }});
    let gone = json!({"204": {"description": "The job is cancelled and forgotten."}});
    let one = json!({
        "parameters": id,
        "get": {
            "operationId": "job", "summary": "Tell the state and progress of a job.",
            "responses": responses(&["401", "404"], &state),
        },
        "delete": {
            "operationId": "cancel_job", "summary": "Cancel and forget a job.",
            "responses": responses(&["401", "404"], &gone),
        },
    });
    let result = json!({
        "parameters": id,
        "get": {
            "operationId": "job_result", "summary": "The answer of a job that has ended.",
            "responses": responses(&["401", "404", "409", "422"], &answered("")),
        },
    });
    Map::from_iter([("/v1/jobs/{id}".to_owned(), one), ("/v1/jobs/{id}/result".to_owned(), result)])
}

/// The answer of a question, in every form that it may have.
fn answered(question: &str) -> Value {
    let mut content = Map::from_iter([("application/json".to_owned(), json!({}))]);
    if question == "report" {
        content.extend(FORMS.iter().map(|form| {
            let kind = media(form.format);
            (kind.split(';').next().unwrap_or(kind).to_owned(), json!({}))
        }));
    }
    json!({"200": {
        "description": "What the command prints with --format json. The header flopcast-limits says \
            whether every limit is kept; flopcast-note tells how something was read.",
        "headers": {
            "flopcast-limits": {"schema": {"enum": ["kept", "broken"]}},
            "flopcast-note": {"schema": {"type": "string"}},
        },
        "content": content,
    }})
}

/// Responses with these refusals, and those that every path may have.
fn responses(refusals: &[&str], found: &Value) -> Value {
    let mut all = found.as_object().cloned().unwrap_or_default();
    for status in refusals.iter().chain(&["403", "405", "408", "421", "503"]) {
        let says = match *status {
            "400" => "The request is no JSON object.",
            "401" => "The token is missing or wrong.",
            "403" => "The request comes from a page elsewhere.",
            "404" => "There is no such thing.",
            "405" => "The path has no such method.",
            "408" => "The request did not come in time.",
            "409" => "The job has not ended.",
            "413" => "The request is too large.",
            "415" => "The request is no JSON by its type.",
            "421" => "The request names another host.",
            "429" => "As many jobs wait as are kept; ask again when some have ended.",
            "422" => "The question has no answer: the input is wrong, or a limit is exceeded.",
            _ => "Too many questions wait, or the server stops; ask again later.",
        };
        let content =
            json!({"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}});
        all.insert((*status).to_owned(), json!({"description": says, "content": content}));
    }
    Value::Object(all)
}

/// The schema of a refusal.
fn error() -> Value {
    let text = json!({"type": "string"});
    let place = json!({
        "type": "object",
        "required": ["file", "line", "column"],
        "properties": {
            "file": text, "line": {"type": "integer"}, "column": {"type": "integer"},
            "width": {"type": "integer"}, "text": text,
        },
    });
    let one = json!({
        "message": text,
        "path": {"type": "string", "description": "The key, such as training.hardware.count."},
        "place": place,
        "hints": {"type": "array", "items": text, "description": "What to do next."},
    });
    let mut first = one.as_object().cloned().unwrap_or_default();
    first.insert("kind".to_owned(), text.clone());
    let others = json!({"type": "object", "required": ["message", "hints"], "properties": one});
    first.insert("others".to_owned(), json!({"type": "array", "items": others}));
    json!({
        "type": "object",
        "required": ["error"],
        "properties": {"error": {
            "type": "object", "required": ["kind", "message", "hints"], "properties": first,
        }},
    })
}

/// The schema of a job's state.
fn job() -> Value {
    json!({
        "type": "object",
        "required": ["id", "question", "state"],
        "properties": {
            "id": {"type": "string"},
            "question": {"type": "string"},
            "state": {"enum": ["waiting", "running", "done", "failed"]},
            "progress": {
                "type": "object",
                "required": ["what", "share"],
                "properties": {
                    "what": {"type": "string"},
                    "share": {"type": "number", "minimum": 0, "maximum": 1},
                },
            },
            "error": {"type": "object"},
        },
    })
}

/// A scenario of training that every question about one can answer.
const TRAINING: &str = "name: a run\nmodel: 7B\ndata: {tokens: 1T}\ntraining:\n  precision: bf16\n  \
     hardware: {accelerator: h100-sxm, count: 256}\n  efficiency: {mfu: 40%}\nplacement: {provider: aws, \
     region: us-east-2}\n";
/// A service.
const SERVICE: &str = "name: a service\nmodel: 7B\ninference:\n  traffic: {requests: 2/s, input_tokens: \
     {mean: 500}, output_tokens: {mean: 100}}\n  hardware: {accelerator: h100-sxm}\n  precision: bf16\n  \
     slo: {ttft: {p95: 1 s}}\nplacement: {provider: aws, region: us-east-2}\n";

/// A request of each question that is answered.
fn examples(question: &str) -> Value {
    let request = match question {
        "model" => json!({"models": ["7B"], "seq_len": 2048}),
        "capacity" => json!({"scenario": SERVICE, "requests": 1000}),
        "sweep" => json!({"scenario": TRAINING, "vary": ["training.hardware.count=128,256"]}),
        "optimize" => json!({"scenario": TRAINING, "devices": 16, "accelerator": ["h100-sxm"]}),
        "compare" => {
            json!({"before": TRAINING, "after": TRAINING, "set": ["training.hardware.count=512"]})
        }
        "check" => {
            json!({"scenario": TRAINING, "policy": {"limits": [{"figure": "cost", "max": "5M USD"}]}})
        }
        "report" => json!({"scenario": TRAINING, "format": "markdown"}),
        "catalog" => json!({"list": "accelerators", "words": ["h100"]}),
        _ => json!({"scenario": TRAINING}),
    };
    json!({"one": {"value": request}})
}

#[cfg(test)]
mod tests {
    use super::*;
    use flopcast_api::{Session, answer};
    use flopcast_core::catalog::Catalog;

    #[test]
    fn every_example_is_answered() {
        let catalog = Catalog::embedded();
        for question in questions() {
            let request = examples(question.name)["one"]["value"].to_string();
            let answered = answer(&Session::new(&catalog), question.name, &request);
            answered.unwrap_or_else(|fault| panic!("{}: {fault}", question.name));
        }
    }

    #[test]
    fn every_question_is_a_path() {
        let document: Value = serde_json::from_str(&document()).expect("JSON");
        for question in questions() {
            let operation = &document["paths"][format!("/v1/{}", question.name)]["post"];
            assert_eq!(operation["operationId"], question.name);
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            assert_eq!(schema["additionalProperties"], false, "{}", question.name);
            for (key, property) in schema["properties"].as_object().expect("keys") {
                assert!(
                    property["description"].is_string(),
                    "{}.{key} says nothing",
                    question.name
                );
            }
        }
    }
}
