//! Jobs: their progress, result, end.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Server;

/// A service whose fleet is found at once, or in some minutes, by the requests of a run.
fn job(requests: u64) -> Value {
    let scenario = "name: a service\nmodel: 7B\ninference:\n  traffic: {requests: 2/s, input_tokens: \
        {mean: 500}, output_tokens: {mean: 100}}\n  hardware: {accelerator: h100-sxm}\n  precision: bf16\n  \
        slo: {ttft: {p95: 1 s}}\n";
    json!({"scenario": scenario, "requests": requests})
}

const LONG: u64 = 20_000_000;

/// Waits for a state that is wanted; a minute at most.
#[expect(clippy::disallowed_methods, reason = "the test waits for a server")]
fn wait(server: &Server, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let state = server.get(path).json();
        if wanted(&state) {
            return state;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "{state}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Starts a job; gives its path.
fn start(server: &Server, requests: u64) -> String {
    let started = server.post("/v1/capacity/jobs", &job(requests));
    assert_eq!(started.status, 202, "{}", String::from_utf8_lossy(&started.body));
    format!("/v1/jobs/{}", started.json()["id"].as_str().expect("an id"))
}

#[test]
fn the_result_of_a_job_is_the_answer() {
    let server = Server::new();
    let path = start(&server, 1000);
    wait(&server, &path, |state| state["state"] == "done");
    let result = server.get(&format!("{path}/result"));
    let answer = server.post("/v1/capacity", &job(1000));
    assert_eq!((result.status, result.body), (200, answer.body));
    assert_eq!(server.ask("DELETE", &path, "", b"").status, 204);
    assert_eq!(server.get(&path).status, 404);
}

#[test]
fn a_job_that_fails_says_why() {
    let server = Server::new();
    let started = server.post("/v1/capacity/jobs", &json!({"scenario": "model: 7B\n"}));
    let path = format!("/v1/jobs/{}", started.json()["id"].as_str().expect("an id"));
    let state = wait(&server, &path, |state| state["state"] == "failed");
    assert_eq!(state["error"]["kind"], "input");
    assert_eq!(server.get(&format!("{path}/result")).status, 422);
}

#[test]
fn a_queue_of_jobs_has_an_end() {
    let server = Server::new();
    let paths: Vec<String> = (0..64).map(|_| start(&server, LONG)).collect();
    let refused = server.post("/v1/capacity/jobs", &job(LONG));
    assert_eq!(refused.status, 429, "{}", String::from_utf8_lossy(&refused.body));
    assert!(refused.json()["error"]["hints"][0].as_str().is_some_and(|it| it.contains("DELETE")));
    // Questions that somebody waits for are answered all the same.
    assert_eq!(server.post("/v1/model", &json!({"models": ["7B"]})).status, 200);
    for path in &paths {
        assert_eq!(server.ask("DELETE", path, "", b"").status, 204);
    }
    wait_idle(&server);
    start(&server, 1000);
}

#[test]
fn a_cancelled_job_gives_its_place_back() {
    let server = Server::new();
    let path = start(&server, LONG);
    wait(&server, &path, |state| state["state"] == "running");
    assert_eq!(server.get(&format!("{path}/result")).status, 409);
    assert_eq!(server.ask("DELETE", &path, "", b"").status, 204);
    assert_eq!(server.get(&path).status, 404);
    wait_idle(&server);
}

/// Waits until nothing is being answered.
#[expect(clippy::disallowed_methods, reason = "the test waits for a server")]
fn wait_idle(server: &Server) {
    let begun = Instant::now();
    loop {
        let metrics = String::from_utf8(server.get("/metrics").body).expect("UTF-8");
        if metrics.contains("flopcast_questions_running 0") {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(300), "{metrics}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A server that is asked to stop ends in bounded time with exit code 0, even while a job runs.
#[cfg(unix)]
#[test]
#[expect(clippy::disallowed_methods, reason = "the test waits for a process")]
fn a_stop_during_a_job_ends_the_server() {
    let mut server = Server::new();
    let path = start(&server, LONG);
    wait(&server, &path, |state| state["state"] == "running");
    let stopped = Command::new("kill").arg("-TERM").arg(server.child.id().to_string()).status();
    assert!(stopped.expect("kill runs").success());
    let begun = Instant::now();
    loop {
        if let Some(status) = server.child.try_wait().expect("a status") {
            assert!(status.success(), "{status}");
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not stop");
        std::thread::sleep(Duration::from_millis(50));
    }
}
