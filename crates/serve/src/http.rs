//! The HTTP interface: `POST /v1/{question}`, jobs, the description of both, metrics, the page.
//!
//! A request passes the `guard` first: the host that it names, the page that it comes from, the
//! token. Its body is JSON of bounded length that comes within a bounded time.

use std::hint::black_box;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use flopcast_api::{Answer, Question, questions};
use flopcast_core::diagnostic::{Error, Result};
use flopcast_report::render::Format;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::ask::Asker;
use crate::jobs::Jobs;
use crate::metrics::Gauge;
use crate::refusal::Refusal;
use crate::{Limits, Surroundings, mcp, openapi, page};

/// Where and to whom a server answers.
pub struct Config {
    /// The address; port 0 takes any that is free.
    pub bind: SocketAddr,
    /// The token that every request must carry; beyond loopback there must be one.
    pub token: Option<String>,
    /// The limits.
    pub limits: Limits,
    /// Tells the figures of tracked scenarios, for `/metrics`.
    pub gauges: Box<dyn Fn() -> Vec<Gauge> + Send + Sync>,
}

/// A body comes within this time.
const MOST_UPLOAD: Duration = Duration::from_secs(30);
/// Connections that are open end within this time once the server stops.
const MOST_FAREWELL: Duration = Duration::from_secs(10);

struct Server {
    asker: Arc<Asker>,
    jobs: Arc<Jobs>,
    token: Option<String>,
    /// True on loopback: the hosts that requests may name are known.
    local: bool,
    gauges: Box<dyn Fn() -> Vec<Gauge> + Send + Sync>,
    description: String,
}

type Shared = State<Arc<Server>>;

/// Serves until `SIGINT` or `SIGTERM`: then what is being answered ends, and nothing new begins.
/// `ready` hears the address.
///
/// # Errors
/// An address beyond loopback without a token; one that cannot be had.
pub fn serve(surroundings: Surroundings, config: Config, ready: &dyn Fn(SocketAddr)) -> Result<()> {
    let local = config.bind.ip().is_loopback();
    if !local && config.token.as_ref().is_none_or(|token| token.len() < 16) {
        return Err(Error::input(format!("{} can be reached from elsewhere", config.bind))
            .hint("set FLOPCAST_TOKEN to a secret of 16 characters or more, which requests carry")
            .hint("or bind to 127.0.0.1"));
    }
    let cannot = |error: io::Error| Error::input(format!("cannot serve {}: {error}", config.bind));
    let runtime = runtime()?;
    let asker = Asker::new(surroundings, config.limits);
    let served = runtime.block_on(async {
        let listener = TcpListener::bind(config.bind).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let server = Server {
            asker: Arc::clone(&asker),
            jobs: Arc::default(),
            token: config.token,
            local,
            gauges: config.gauges,
            description: openapi::document(),
        };
        let (stop, mut stopped) = tokio::sync::watch::channel(false);
        let stopping = Arc::clone(&asker);
        let asked_to_stop = async move {
            signal().await;
            stopping.stop();
            let _ = stop.send(true);
        };
        ready(address);
        let serving = axum::serve(listener, router(Arc::new(server)))
            .with_graceful_shutdown(asked_to_stop)
            .into_future();
        let late = async {
            let _ = stopped.wait_for(|stopped| *stopped).await;
            tokio::time::sleep(MOST_FAREWELL).await;
        };
        tokio::select! {
            served = serving => served.map_err(cannot),
            () = late => Ok(()),
        }
    });
    asker.stop();
    runtime.shutdown_timeout(Duration::from_secs(1));
    served
}

/// A runtime for sockets; questions have threads of their own.
///
/// # Errors
/// The machine gives no thread.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    let built = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    built.map_err(|error| Error::input(format!("no thread can be started: {error}")))
}

/// Ends when the process is asked to.
async fn signal() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                () = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    interrupt.await;
}

fn router(server: Arc<Server>) -> Router {
    let tools = mcp::service(Arc::clone(&server.asker));
    Router::new()
        .route("/v1/{question}", post(answer))
        .route("/v1/{question}/jobs", post(start))
        .route("/v1/jobs/{id}", get(state).delete(cancel))
        .route("/v1/jobs/{id}/result", get(result))
        .route("/openapi.json", get(description))
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route_service("/mcp", tools)
        .fallback(asset)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&server), guard))
        .with_state(server)
}

/// Turns away who may not ask, and adds the headers that every answer has.
async fn guard(State(server): Shared, request: Request, next: Next) -> Response {
    let mut response = match server.admits(&request) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    let headers = response.headers_mut();
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

impl Server {
    /// Whether a request may be answered at all.
    fn admits(&self, request: &Request) -> Result<(), Refusal> {
        let headers = request.headers();
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let host =
            host.or_else(|| request.uri().authority().map(axum::http::uri::Authority::as_str));
        // A page elsewhere whose name resolves to loopback must not reach the server by that name.
        if self.local && !host.is_some_and(is_local) {
            let hint = "name 127.0.0.1 or localhost";
            let message = "the request names another host than this one";
            return Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, "input", message, hint));
        }
        let origin = headers.get(header::ORIGIN).map(HeaderValue::as_bytes);
        let own = |origin: &[u8]| {
            let origin = origin.strip_prefix(b"http://").or(origin.strip_prefix(b"https://"));
            origin.is_some() && origin == host.map(str::as_bytes)
        };
        if origin.is_some_and(|origin| !own(origin)) {
            let (message, hint) = ("the request comes from a page elsewhere", "open the page here");
            return Err(Refusal::new(StatusCode::FORBIDDEN, "input", message, hint));
        }
        match &self.token {
            Some(token) if request.uri().path() != "/healthz" && !carries(headers, token) => {
                let hint = "send the header `Authorization: Bearer TOKEN`";
                let message = "the request does not carry the token";
                Err(Refusal::new(StatusCode::UNAUTHORIZED, "input", message, hint))
            }
            _ => Ok(()),
        }
    }
}

/// True of a name of this machine, with any port.
fn is_local(host: &str) -> bool {
    let end = if host.starts_with('[') { host.find(']').map(|at| at + 1) } else { host.find(':') };
    let (name, port) = host.split_at(end.unwrap_or(host.len()));
    let named = ["localhost", "127.0.0.1", "[::1]"].iter().any(|it| name.eq_ignore_ascii_case(it));
    let port = port.strip_prefix(':').unwrap_or_default();
    named && port.chars().all(|c| c.is_ascii_digit())
}

/// True if the request carries the token. How long that takes says nothing about the token but its
/// length.
fn carries(headers: &HeaderMap, token: &str) -> bool {
    let given = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    let given = given.and_then(|given| given.strip_prefix(b"Bearer ")).unwrap_or_default();
    let pairs = given.iter().zip(token.as_bytes());
    let differ = pairs.fold(0, |differ, (a, b)| black_box(differ | (a ^ b)));
    given.len() == token.len() && differ == 0
}

/// The question of a name.
fn named(name: &str) -> Result<&'static Question, Refusal> {
    let found = questions().iter().find(|question| question.name == name);
    found.ok_or_else(|| Refusal::unknown(&format!("there is no question `{name}`")))
}

/// The JSON of a request, as text.
async fn body(request: Request, most: usize) -> Result<String, Refusal> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        let (message, hint) = ("the request is no JSON", "send `Content-Type: application/json`");
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "input", message, hint));
    }
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let large = || {
        let message = format!("the request is larger than {most} bytes");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "limit", &message, "send less")
    };
    if length.is_some_and(|length| length > most) {
        return Err(large());
    }
    let bytes = timeout(MOST_UPLOAD, to_bytes(request.into_body(), most)).await.map_err(|_| {
        let (message, hint) = ("the request takes too long to come", "send it at once");
        Refusal::new(StatusCode::REQUEST_TIMEOUT, "limit", message, hint)
    })?;
    let text = String::from_utf8(bytes.map_err(|_| large())?.into())
        .map_err(|_| Refusal::malformed("the request is not UTF-8 text"))?;
    serde_json::from_str::<serde_json::Map<_, _>>(&text)
        .map_err(|error| Refusal::malformed(&format!("the request is no JSON object: {error}")))?;
    Ok(text)
}

/// `POST /v1/{question}`.
async fn answer(
    State(server): Shared,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let question = named(&name)?;
    let limits = server.asker.limits;
    let request = body(request, limits.body).await?;
    let asked = server.asker.ask(question, request, Arc::default(), limits.time).await?;
    Ok(document(asked))
}

/// `POST /v1/{question}/jobs`.
async fn start(
    State(server): Shared,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let question = named(&name)?;
    if !question.long {
        let message = format!("`{name}` takes no time that is worth a job");
        return Err(Refusal::unknown(&message));
    }
    let request = body(request, server.asker.limits.body).await?;
    question.check(&request)?;
    let (id, state) = server.jobs.start(&server.asker, question, request)?;
    let mut response = json(StatusCode::ACCEPTED, state.to_string());
    if let Ok(place) = HeaderValue::from_str(&format!("/v1/jobs/{id}")) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// `GET /v1/jobs/{id}`.
async fn state(State(server): Shared, Path(id): Path<String>) -> Result<Response, Refusal> {
    server.jobs.state(&id).map(|state| json(StatusCode::OK, state.to_string()))
}

/// `GET /v1/jobs/{id}/result`.
async fn result(State(server): Shared, Path(id): Path<String>) -> Result<Response, Refusal> {
    server.jobs.result(&id).map(document)
}

/// `DELETE /v1/jobs/{id}`.
async fn cancel(State(server): Shared, Path(id): Path<String>) -> Result<StatusCode, Refusal> {
    server.jobs.cancel(&id).map(|()| StatusCode::NO_CONTENT)
}

async fn description(State(server): Shared) -> Response {
    json(StatusCode::OK, server.description.clone())
}

async fn metrics(State(server): Shared) -> Response {
    let text = tokio::task::spawn_blocking(move || {
        server.asker.metrics.text(server.asker.load(), &(server.gauges)())
    });
    let text = text.await.unwrap_or_default();
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, text).into_response()
}

async fn healthz() -> &'static str {
    "ok\n"
}

async fn wrong_method(method: Method, uri: Uri) -> Refusal {
    let message = format!("{method} is nothing that {} answers", uri.path());
    let hint = "/openapi.json says which methods a path has";
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "input", &message, hint)
}

/// The page, or that there is nothing.
async fn asset(method: Method, uri: Uri) -> Result<Response, Refusal> {
    let found = page::asset(uri.path()).filter(|_| [Method::GET, Method::HEAD].contains(&method));
    found.ok_or_else(|| Refusal::unknown(&format!("there is nothing at {}", uri.path())))
}

/// A response that is JSON.
fn json(status: StatusCode, text: impl Into<Body>) -> Response {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// An answer with its notes, and with whether its limits are kept.
fn document(answer: Answer) -> Response {
    let Answer { bytes, format, notes, kept } = answer;
    let mut response = json(StatusCode::OK, bytes);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media(format)));
    // A report of somebody's scenario runs nothing in the name of this server.
    let sandbox = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox";
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(sandbox));
    let kept = HeaderValue::from_static(if kept { "kept" } else { "broken" });
    headers.insert(HeaderName::from_static("flopcast-limits"), kept);
    for note in notes.iter().take(16) {
        let plain: String =
            note.chars().map(|c| if (' '..='~').contains(&c) { c } else { '?' }).collect();
        if let Ok(note) = HeaderValue::from_str(plain.get(..500).unwrap_or(&plain)) {
            headers.append(HeaderName::from_static("flopcast-note"), note);
        }
    }
    response
}

/// The media type of a form.
pub(crate) fn media(format: Format) -> &'static str {
    match format {
        Format::Json | Format::Spdx | Format::CycloneDx | Format::BoAmps => "application/json",
        Format::Csv | Format::Focus | Format::CodeCarbon => "text/csv; charset=utf-8",
        Format::Markdown | Format::ModelCard | Format::Sci | Format::EuAiAct | Format::Ghg => {
            "text/markdown; charset=utf-8"
        }
        Format::Html => "text/html; charset=utf-8",
        Format::Svg => "image/svg+xml",
        Format::Table
        | Format::Slurm
        | Format::SkyPilot
        | Format::Vllm
        | Format::Latex
        | Format::Bibtex => "text/plain; charset=utf-8",
        Format::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_local() {
        let cases = [
            ("localhost", true),
            ("LOCALHOST:8642", true),
            ("127.0.0.1:1", true),
            ("[::1]:8642", true),
            ("[::1]", true),
            ("localhost.example.org", false),
            ("127.0.0.1.example.org:80", false),
            ("127.0.0.1:80@example.org", false),
            ("[::1", false),
            ("", false),
        ];
        for (host, expected) in cases {
            assert_eq!(is_local(host), expected, "{host}");
        }
    }

    #[test]
    fn a_token_is_carried_whole() {
        let token = "0123456789abcdef";
        let cases = [
            ("Bearer 0123456789abcdef", true),
            ("Bearer 0123456789abcdeF", false),
            ("Bearer 0123456789abcde", false),
            ("Bearer 0123456789abcdef0", false),
            ("Bearer ", false),
            ("0123456789abcdef", false),
        ];
        for (header, expected) in cases {
            let value = HeaderValue::from_static(header);
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value)]);
            assert_eq!(carries(&headers, token), expected, "{header}");
        }
        assert!(!carries(&HeaderMap::new(), token));
    }
}
