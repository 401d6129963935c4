//! Requests that nobody should send: each is refused, and the next one is answered.

use serde_json::json;

use crate::client::{JSON, Server};
use crate::common::holds;

#[test]
fn bodies_that_are_no_request_are_refused() {
    let server = Server::new();
    let deep = format!("{{\"scenario\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let yaml = format!("{{\"scenario\": \"a: {}\"}}", "[".repeat(200_000));
    let bomb = "{\"scenario\": \"a: &a [x,x,x,x,x,x,x,x]\\nb: &b [*a,*a,*a,*a]\\nc: [*b,*b,*b,*b]\\nmodel: *c\"}";
    let large = vec![b' '; 10 << 20];
    let cases: &[(&str, &[u8], &str, u16)] = &[
        ("nothing", b"", JSON, 400),
        ("no JSON", b"model: 7B", JSON, 400),
        ("a list", b"[]", JSON, 400),
        ("no UTF-8", b"{\"scenario\": \"\xff\"}", JSON, 400),
        ("deep JSON", deep.as_bytes(), JSON, 400),
        ("deep YAML", yaml.as_bytes(), JSON, 422),
        ("an alias bomb", bomb.as_bytes(), JSON, 422),
        ("10 MB", &large, JSON, 413),
        ("plain text", b"{}", "Content-Type: text/plain\r\n", 415),
        ("no type", b"{}", "", 415),
        ("no scenario", b"{}", JSON, 422),
        ("an unknown key", b"{\"scenario\": \"model: 7B\", \"shell\": \"id\"}", JSON, 422),
        ("a number", b"{\"scenario\": 7}", JSON, 422),
        ("a huge number", b"{\"scenario\": \"model: 7B\", \"samples\": 1e308}", JSON, 422),
        ("too many samples", b"{\"scenario\": \"model: 7B\", \"samples\": 99999999}", JSON, 422),
        ("no finite number", b"{\"scenario\": \"model: 7B\", \"seed\": 1e999}", JSON, 400),
        ("a negative number", b"{\"scenario\": \"model: 7B\", \"seed\": -1}", JSON, 422),
    ];
    for (what, body, headers, status) in cases {
        let answer = server.ask("POST", "/v1/estimate", headers, body);
        assert_eq!(answer.status, *status, "{what}: {}", String::from_utf8_lossy(&answer.body));
        answer.error();
    }
    assert_eq!(server.post("/v1/model", &json!({"models": ["7B"]})).status, 200);
}

#[test]
fn paths_and_methods_that_are_not_there_are_refused() {
    let server = Server::new();
    let cases = [
        ("GET", "/v1/estimate", 405),
        ("POST", "/v1/no-such", 404),
        ("POST", "/v1/model/jobs", 404),
        ("GET", "/v1/jobs/0000000000000000", 404),
        ("DELETE", "/v1/jobs/..%2f..%2fetc%2fpasswd", 404),
        ("GET", "/../Cargo.toml", 404),
        ("GET", "/..%2fCargo.toml", 404),
        ("GET", "//etc/passwd", 404),
        ("PUT", "/", 404),
    ];
    for (method, path, status) in cases {
        let answer = server.ask(method, path, JSON, b"{}");
        assert_eq!(answer.status, status, "{method} {path}");
        answer.error();
    }
}

/// A scenario of a request opens no file of the server's machine, and no message says what is there.
#[test]
fn no_file_of_the_machine_is_opened() {
    let server = Server::new();
    let there = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let base = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/gpt3-175b.yaml");
    let cases = [
        format!("extends: {base}\n"),
        "extends: scenarios/gpt3-175b.yaml\n".to_owned(),
        "extends: ../../../etc/passwd\n".to_owned(),
        format!("model: {{file: {there}}}\ndata: {{tokens: 1T}}\n"),
        "model: {hf_config: /etc/passwd}\n".to_owned(),
        "model: {onnx: /dev/zero}\n".to_owned(),
        base.to_owned(),
        "scenarios/gpt3-175b.yaml".to_owned(),
    ];
    for scenario in cases {
        let request = json!({"scenario": format!("{scenario}")});
        let answer = server.post("/v1/estimate", &request);
        assert_eq!(answer.status, 422, "{scenario}");
        let said = answer.error().to_string();
        assert!(!said.contains("root:") && !said.contains("[workspace]"), "{scenario}: {said}");
    }
    let answer = server.post("/v1/model", &json!({"models": [there, "/etc/passwd"]}));
    assert_eq!(answer.status, 422);
    // What a request brings along is there.
    let scenario = "extends: base.yaml\ndata: {tokens: 2T}\n";
    let base = "model: 7B\ndata: {tokens: 1T}\ntraining: {precision: bf16, hardware: {accelerator: \
                h100-sxm, count: 8}, efficiency: {mfu: 40%}}\n";
    let request = json!({"scenario": scenario, "files": {"base.yaml": base}});
    assert_eq!(server.post("/v1/estimate", &request).status, 200);
}

#[test]
fn other_hosts_and_pages_are_turned_away() {
    let server = Server::new();
    let ask = |host: &str, more: &str| {
        let head = format!("GET /v1/jobs/0 HTTP/1.1\r\n{host}Connection: close\r\n{more}\r\n");
        server.raw(head.as_bytes()).status
    };
    assert_eq!(ask("Host: localhost\r\n", ""), 404);
    assert_eq!(ask("Host: flopcast.example.org\r\n", ""), 421);
    assert_eq!(ask("", ""), 421);
    let own = format!("Origin: http://{}\r\n", server.address);
    let host = format!("Host: {}\r\n", server.address);
    assert_eq!(ask(&host, &own), 404);
    assert_eq!(ask(&host, "Origin: https://example.org\r\n"), 403);
    assert_eq!(ask(&host, "Origin: null\r\n"), 403);
    assert!(!server.get("/openapi.json").head.contains("access-control-allow"), "no CORS");
}

#[test]
fn a_token_is_asked_for_and_never_told() {
    let token = "a-secret-of-enough-letters";
    let server = Server::with(&[], &[("FLOPCAST_TOKEN", token)]);
    let ask = |headers: &str| server.ask("GET", "/openapi.json", headers, b"");
    let refused = ask("");
    assert_eq!(refused.status, 401);
    holds("headers", &refused.head, &["www-authenticate: bearer"]);
    assert_eq!(ask("Authorization: Bearer a-secret-of-enough-letterz\r\n").status, 401);
    let answer = ask(&format!("Authorization: Bearer {token}\r\n"));
    assert_eq!(answer.status, 200);
    assert!(!String::from_utf8_lossy(&answer.body).contains(token));
    assert_eq!(server.get("/healthz").status, 200);
    let metrics = server.ask("GET", "/metrics", &format!("Authorization: Bearer {token}\r\n"), b"");
    assert!(!String::from_utf8_lossy(&metrics.body).contains(token));
}

#[test]
fn beyond_loopback_there_must_be_a_token() {
    let message = crate::common::refused(&["serve", "--bind", "0.0.0.0:0"], 2);
    holds("the refusal", &message, &["0.0.0.0:0 can be reached from elsewhere", "FLOPCAST_TOKEN"]);
}
