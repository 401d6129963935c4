//! The page and its files, embedded when this crate is built; a list of the questions where the page
//! was not built.

use std::fmt::Write as _;

use axum::body::Body;
use axum::http::header::{self, HeaderValue};
use axum::response::Response;
use flopcast_api::questions;

// `FILES`: paths below the page's folder, with their bytes.
include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// The page runs its own scripts and engine, and asks nobody but this server.
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
     style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self' data: blob:; \
     worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

/// The file at a path; none if there is none.
pub(crate) fn asset(path: &str) -> Option<Response> {
    let name = path.strip_prefix('/')?;
    let name = if name.is_empty() { "index.html" } else { name };
    let file = FILES.iter().find(|(file, _)| *file == name).map(|(_, bytes)| Body::from(*bytes));
    let body = match file {
        Some(body) => body,
        None if name == "index.html" => Body::from(index()),
        None => return None,
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media(name)));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Some(response)
}

/// The media type of a file, by its ending.
fn media(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "json" | "webmanifest" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" | "md" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// A page that lists the questions.
fn index() -> String {
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>flopcast</title>\
         <h1>flopcast</h1><p><a href=\"/openapi.json\">/openapi.json</a> describes these in full.</p><dl>",
    );
    for question in questions() {
        let _ = write!(page, "<dt><code>POST /v1/{}</code><dd>{}", question.name, question.says);
    }
    page + "</dl></html>"
}
