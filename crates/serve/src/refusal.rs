//! Refusals: those of questions in the words of the command line, and those of the server itself, in
//! one form.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use flopcast_api::Fault;
use flopcast_core::diagnostic::Error;
use serde_json::{Value, json};

/// Why a request has no answer.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    /// The reason in a word: that of a fault, or the server's own.
    pub(crate) kind: &'static str,
    body: Value,
}

impl Refusal {
    /// A refusal of the server's own, with a sentence on what to do next.
    pub(crate) fn new(status: StatusCode, kind: &'static str, message: &str, hint: &str) -> Self {
        let body = json!({"error": {"kind": kind, "message": message, "hints": [hint]}});
        Self { status, kind, body }
    }

    /// More questions wait than may.
    pub(crate) fn busy() -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::new(status, "busy", "too many questions are waiting", "ask again in some seconds")
    }

    /// Who asks has as many jobs waiting as are kept.
    pub(crate) fn crowded() -> Self {
        let hint = "ask again when some have ended, or cancel one: DELETE /v1/jobs/{id}";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", "too many jobs are waiting", hint)
    }

    /// The server is about to end.
    pub(crate) fn stopping() -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::new(status, "stopping", "the server is stopping", "ask another one, or later")
    }

    /// A request that is no JSON object.
    pub(crate) fn malformed(message: &str) -> Self {
        let hint = "send {\"scenario\": ...}; /openapi.json describes every request";
        Self::new(StatusCode::BAD_REQUEST, "input", message, hint)
    }

    /// Nothing of that name.
    pub(crate) fn unknown(message: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "input", message, "/openapi.json lists every path")
    }

    /// The refusal as an object.
    pub(crate) fn json(&self) -> &Value {
        &self.body
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        let (status, kind) = (StatusCode::UNPROCESSABLE_ENTITY, fault.kind());
        Self { status, kind, body: fault.json() }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Fault::from(error).into()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }
}
