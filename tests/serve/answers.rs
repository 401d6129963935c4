//! Over HTTP every question has the answer of its command, byte for byte.

use serde_json::{Value, json};

use crate::client::Server;
use crate::common::{SHORT, flopcast, holds, root, scenarios, written};

/// The text of a shipped scenario.
fn text(name: &str) -> String {
    std::fs::read_to_string(root().join("scenarios").join(name)).expect("a scenario")
}

/// Fails unless a question's answer is what the command prints.
fn check(server: &Server, question: &str, request: &Value, command: &[&str]) {
    let command: Vec<&str> = command.iter().copied().chain(["--format", "json"]).collect();
    let printed = flopcast(&command);
    let answer = server.post(&format!("/v1/{question}"), request);
    let (said, expected) =
        (String::from_utf8_lossy(&answer.body), String::from_utf8_lossy(&printed.stdout));
    if printed.stdout.is_empty() {
        assert_eq!(answer.status, 422, "{command:?}: {said}");
        let message = answer.error()["message"].as_str().expect("a message").to_owned();
        holds("the command's words", &String::from_utf8_lossy(&printed.stderr), &[&message]);
        return;
    }
    assert_eq!(answer.status, 200, "{command:?}: {said}");
    assert!(said == expected, "{command:?}: another answer:\n{said}\n---\n{expected}");
    let kept = if printed.status.success() { "kept" } else { "broken" };
    holds("headers", &answer.head, &[&format!("flopcast-limits: {kept}")]);
}

#[test]
fn every_shipped_scenario_has_the_forecast_of_the_command() {
    let server = Server::new();
    for path in scenarios() {
        let name = path.file_name().expect("a name").to_str().expect("UTF-8");
        let file = format!("scenarios/{name}");
        let text = text(name);
        // What a scenario names, a request brings along.
        let named = text.lines().filter_map(|line| line.trim().strip_prefix("extends: "));
        let files = named.map(|it| {
            (
                it.to_owned(),
                json!(std::fs::read_to_string(root().join("scenarios").join(it)).expect("a file")),
            )
        });
        let files: Value = Value::Object(files.collect());
        check(
            &server,
            "estimate",
            &json!({"scenario": text, "name": name, "files": files, "requests": 200, "seeds": 1}),
            &[&["estimate", &file][..], &SHORT].concat(),
        );
    }
}

#[test]
fn every_question_has_the_answer_of_its_command() {
    let server = Server::new();
    let (gpt, stages) = (text("gpt3-175b.yaml"), text("llama-3.1-8b-stages.yaml"));
    let (file, other) = ("scenarios/gpt3-175b.yaml", "scenarios/llama-3.1-8b-stages.yaml");
    let (gpt_name, stages_name) = ("gpt3-175b.yaml", "llama-3.1-8b-stages.yaml");
    let set = json!(["training.hardware.count=512"]);
    let overridden = ["--set", "training.hardware.count=512"];
    check(
        &server,
        "estimate",
        &json!({"scenario": gpt, "name": gpt_name, "set": set, "samples": 100, "seed": 3}),
        &[&["estimate", file, "--samples", "100", "--seed", "3"], &overridden[..]].concat(),
    );
    let figure = "training.device_hours";
    check(
        &server,
        "explain",
        &json!({"scenario": gpt, "name": gpt_name, "figure": figure}),
        &["explain", file, figure],
    );
    check(&server, "explain", &json!({"scenario": gpt, "name": gpt_name}), &["explain", file]);
    check(
        &server,
        "model",
        &json!({"models": ["7B", "llama-3.1-8b"], "seq_len": 1024, "training": true, "on": "h100-sxm"}),
        &["model", "7B", "llama-3.1-8b", "--seq-len", "1024", "--training", "--on", "h100-sxm"],
    );
    check(
        &server,
        "model",
        &json!({"models": ["7B"], "compress": ["quantization=fp8"]}),
        &["model", "7B", "--compress", "quantization=fp8"],
    );
    let (axis, aims) = ("training.hardware.count=64..256*2", "cost,days");
    check(
        &server,
        "sweep",
        &json!({"scenario": stages, "name": stages_name, "vary": [axis], "pareto": ["cost", "days"]}),
        &["sweep", other, "--vary", axis, "--pareto", aims],
    );
    check(
        &server,
        "compare",
        &json!({"before": gpt, "name_before": gpt_name, "after": stages, "name": stages_name, "set": set}),
        &[&["compare", file, other], &overridden[..]].concat(),
    );
    let policy = "limits:\n  - {figure: cost, max: 1 USD}\n";
    let path = written("serve", "policy.yaml", policy);
    check(
        &server,
        "check",
        &json!({"scenario": gpt, "name": gpt_name, "policy": policy}),
        &["check", file, "--policy", &path],
    );
    check(
        &server,
        "optimize",
        &json!({"scenario": stages, "name": stages_name, "devices": 64, "accelerator": ["h100-sxm"], "max_cost": "10M"}),
        &["optimize", other, "--devices", "64", "--accelerator", "h100-sxm", "--max-cost", "10M"],
    );
    check(
        &server,
        "catalog",
        &json!({"list": "prices", "words": ["h100"]}),
        &["catalog", "list", "prices", "h100"],
    );
    check(&server, "catalog", &json!({"show": ["h100-sxm"]}), &["catalog", "show", "h100-sxm"]);
    check(
        &server,
        "capacity",
        &json!({"scenario": text("resnet50-edge.yaml"), "name": "resnet50-edge.yaml", "requests": 1000}),
        &["capacity", "scenarios/resnet50-edge.yaml", "--requests", "1000"],
    );
}

#[test]
fn keys_as_an_object_are_the_same_scenario() {
    let server = Server::new();
    let text = "name: a run\nmodel: 7B\ndata: {tokens: 1T}\ntraining: {precision: bf16, hardware: \
                {accelerator: h100-sxm, count: 64}, efficiency: {mfu: 40%}}\n";
    let keys = json!({"name": "a run", "model": "7B", "data": {"tokens": "1T"}, "training": {
        "precision": "bf16", "hardware": {"accelerator": "h100-sxm", "count": 64},
        "efficiency": {"mfu": "40%"}}});
    let ask = |scenario: Value| server.post("/v1/estimate", &json!({"scenario": scenario}));
    // The lines that inputs stand on are others; the figures are not.
    let (one, other) = (ask(json!(text)).json(), ask(keys).json());
    assert!(one["training"]["device_hours"].is_number(), "{one}");
    assert_eq!(one["training"], other["training"]);
}

#[test]
fn a_report_is_a_document() {
    let server = Server::new();
    let scenario = text("gpt3-175b.yaml");
    let cases = [
        ("html", "text/html"),
        ("markdown", "text/markdown"),
        ("csv", "text/csv"),
        ("xlsx", "application/vnd."),
    ];
    for (format, media) in cases {
        let answer = server.post("/v1/report", &json!({"scenario": scenario, "format": format}));
        assert_eq!(answer.status, 200, "{format}");
        holds(format, &answer.head, &[&format!("content-type: {media}"), "sandbox"]);
        assert!(answer.body.len() > 500, "{format}");
    }
}

#[test]
fn a_refusal_names_the_key_and_the_place() {
    let server = Server::new();
    let scenario =
        "model: 7B\ndata: {tokens: 1T}\ntraining:\n  precison: bf16\n  hardware: {cuont: 8}\n";
    let error = server.post("/v1/estimate", &json!({"scenario": scenario})).error();
    assert_eq!(error["kind"], "input");
    assert_eq!(error["path"], "training.precison");
    assert_eq!(error["place"]["line"], 4);
    holds("hints", &error["hints"].to_string(), &["precision"]);
    let others = error["others"].as_array().expect("others").iter();
    assert!(others.clone().any(|it| it["path"] == "training.hardware.cuont"), "{error}");
    let error = server.post("/v1/estimate", &json!({"scenaro": scenario})).error();
    assert_eq!(error["path"], "scenaro");
    holds("hints", &error["hints"].to_string(), &["scenario"]);
}

#[test]
fn what_there_is_beside_the_questions() {
    let server = Server::with(&["--track", "scenarios/gpt3-175b.yaml"], &[]);
    assert_eq!(server.get("/healthz").body, b"ok\n");
    let page = server.get("/");
    assert_eq!(page.status, 200);
    holds("the page", &page.head, &["text/html", "content-security-policy: default-src 'self'"]);
    let description = server.get("/openapi.json").json();
    assert_eq!(description["openapi"], "3.1.0");
    server.post("/v1/model", &json!({"models": ["7B"]}));
    server.post("/v1/model", &json!({"models": ["no such model"]}));
    let metrics = String::from_utf8(server.get("/metrics").body).expect("UTF-8");
    holds(
        "metrics",
        &metrics,
        &[
            "flopcast_questions_total{question=\"model\",outcome=\"ok\"} 1",
            "flopcast_questions_total{question=\"model\",outcome=\"input\"} 1",
            "flopcast_forecast{scenario=\"GPT-3",
            "figure=\"training.device_hours\"",
        ],
    );
}
