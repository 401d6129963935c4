//! Many requests at a time.

use serde_json::json;

use crate::client::{JSON, Server, answer};

#[test]
fn of_a_thousand_requests_at_once_none_is_lost() {
    let server = Server::new();
    let bodies: Vec<Vec<u8>> = (1..=1000)
        .map(|batch| json!({"models": ["7B"], "batch": batch}).to_string().into_bytes())
        .collect();
    let streams: Vec<_> = bodies
        .iter()
        .map(|body| server.written(&server.request("POST", "/v1/model", JSON, body)))
        .collect();
    let sizes: Vec<usize> = streams
        .into_iter()
        .map(|stream| {
            let answer = answer(stream);
            assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
            answer.json();
            answer.body.len()
        })
        .collect();
    assert_eq!(sizes.len(), 1000);
    let metrics = String::from_utf8(server.get("/metrics").body).expect("UTF-8");
    crate::common::holds(
        "metrics",
        &metrics,
        &[
            "flopcast_questions_total{question=\"model\",outcome=\"ok\"} 1000",
            "flopcast_questions_waiting 0",
            "flopcast_questions_running 0",
        ],
    );
}
