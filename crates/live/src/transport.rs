//! Asking a server, and what may go wrong: time, size, type and repetition are bounded here, once
//! for every source.

use std::fmt::Write as _;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use flopcast_core::diagnostic::{Error, Result};
use reqwest::StatusCode;
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION, RANGE, RETRY_AFTER};
use serde::de::DeserializeOwned;

use super::Key;
use super::secret::Secrets;

/// How patient a refresh is.
pub struct Policy<'a> {
    /// How long a server may be silent; a whole answer may take ten times as long.
    pub timeout: Duration,
    /// How often a request is repeated after a passing failure.
    pub retries: u32,
    /// Waits; a test only notes.
    pub pause: &'a dyn Fn(Duration),
}

/// The request.
#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    /// Below the source's base address.
    pub path: String,
    /// Query, without the key.
    pub query: Vec<(&'static str, String)>,
    /// The JSON to post; without it, the request is a GET.
    pub post: Option<serde_json::Value>,
    /// True if this is the request that logs in with user and password.
    pub login: bool,
    /// The token that logging in gave.
    pub bearer: Option<String>,
    /// The server's tag of the copy that is at hand.
    pub etag: Option<String>,
    /// The bytes that are wanted: where they begin and how many.
    pub range: Option<(u64, u64)>,
    /// True if the server may send on to another address, without the key to another host.
    pub follow: bool,
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    /// JSON of which a part at a time is read and little is kept.
    LongJson,
    /// A table, of which every line is short.
    Csv,
    /// Bytes of any kind, of which the reader takes as many as it wants.
    Bytes,
}

/// An answer that was read.
pub(super) enum Answer<T> {
    /// The body, and the server's tag of this copy.
    New(T, Option<String>),
    /// The copy at hand is still right.
    Unchanged,
}

/// A server with its key.
pub(super) struct Server<'a> {
    /// The source, for messages.
    pub name: &'static str,
    pub base: String,
    pub key: Option<(Key, String)>,
    /// Secrets that are never repeated.
    pub secrets: &'a Secrets,
    pub client: &'a Client,
    pub policy: &'a Policy<'a>,
}

/// The reason why one attempt failed.
enum Fault {
    /// It may pass; the server may have said when.
    Passing(String, Option<Duration>),
    /// It will not.
    Lasting(String),
}

/// The most that is read of a body, and the longest time for it.
#[derive(Clone, Copy)]
struct Limits {
    /// All of it.
    bytes: u64,
    /// A record of a table; what stands in quotes is of one record, line breaks too.
    record: u64,
    /// In timeouts.
    patience: u32,
}

/// Limits of a JSON answer, whose values take up to twenty times their text in memory.
const JSON: Limits = Limits { bytes: 12 << 20, record: u64::MAX, patience: 10 };
/// Limits of a long list in JSON.
const LONG_JSON: Limits = Limits { bytes: 48 << 20, ..JSON };
/// Limits of a table, the largest of which is some gigabytes; few of its lines are kept.
const CSV: Limits = Limits { bytes: 12 << 30, record: 1 << 20, ..JSON };
/// Limits of the header of a file of weights.
const BYTES: Limits = Limits { bytes: 128 << 20, ..JSON };
/// The most redirects of a server.
const MOST_HOPS: u32 = 4;
/// Limits of the text of a refusal.
const REFUSAL: Limits = Limits { bytes: 4096, record: u64::MAX, patience: 1 };
/// The first pause between two attempts; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause; a server that asks for a longer one is asked again another day.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// A client for [`Server`]s. It follows no redirects, so that no key reaches another host.
///
/// # Errors
/// The machine has no usable roots of trust.
pub(super) fn client(policy: &Policy<'_>) -> Result<Client> {
    // A second installation is no error: the first one stands.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(concat!("flopcast/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .timeout(policy.timeout)
        .build()
        .map_err(|error| Error::live(format!("no connection can be made: {error}")))
}

impl Server<'_> {
    /// A JSON answer.
    ///
    /// # Errors
    /// The source does not give one, after repetitions where they may help.
    pub(super) fn json<T: DeserializeOwned>(&self, request: &Request) -> Result<Answer<T>> {
        self.json_of(request, Form::Json)
    }

    /// A JSON answer that is read as it comes.
    ///
    /// # Errors
    /// As [`Server::json`].
    pub(super) fn long_json<T: DeserializeOwned>(&self, request: &Request) -> Result<Answer<T>> {
        self.json_of(request, Form::LongJson)
    }

    /// A JSON answer within the limits of a form.
    fn json_of<T: DeserializeOwned>(&self, request: &Request, form: Form) -> Result<Answer<T>> {
        self.ask(request, form, |body| {
            serde_json::from_reader(io::BufReader::new(body)).map_err(|error| {
                let kind = match error.io_error_kind() {
                    Some(kind) => kind,
                    None if error.is_eof() => io::ErrorKind::UnexpectedEof,
                    None => io::ErrorKind::InvalidData,
                };
                io::Error::new(kind, error)
            })
        })
    }

    /// A JSON answer of which there is no copy at hand.
    pub(super) fn fresh<T: DeserializeOwned>(&self, request: &Request) -> Result<T> {
        self.known(self.json(request)?)
    }

    /// A request without a copy at hand.
    ///
    /// # Errors
    /// There is nothing new.
    pub(super) fn known<T>(&self, answer: Answer<T>) -> Result<T> {
        match answer {
            Answer::New(value, _) => Ok(value),
            Answer::Unchanged => Err(self.failed("nothing new although there is no copy of it")),
        }
    }

    /// An answer read by `read`, which starts anew for every attempt.
    pub(super) fn ask<T>(
        &self,
        request: &Request,
        form: Form,
        mut read: impl FnMut(&mut dyn Read) -> io::Result<T>,
    ) -> Result<Answer<T>> {
        let mut attempt = 0;
        loop {
            let (why, wait) = match self.attempt(request, form, &mut read) {
                Ok(answer) => return Ok(answer),
                Err(Fault::Lasting(why)) => return Err(self.failed(&why)),
                Err(Fault::Passing(why, wait)) => (why, wait),
            };
            let wait = wait.unwrap_or(FIRST_PAUSE * 2_u32.saturating_pow(attempt));
            if attempt >= self.policy.retries || wait > LONGEST_PAUSE {
                let later = if wait > LONGEST_PAUSE {
                    format!("; it asks to wait {} s", wait.as_secs())
                } else {
                    format!(", {} times", attempt + 1)
                };
                return Err(self.failed(&format!("{why}{later}")));
            }
            (self.policy.pause)(wait);
            attempt += 1;
        }
    }

    /// One attempt: the request, redirects within bounds, and the answer read by `read`.
    fn attempt<T>(
        &self,
        request: &Request,
        form: Form,
        read: &mut impl FnMut(&mut dyn Read) -> io::Result<T>,
    ) -> Result<Answer<T>, Fault> {
        let passing = |error: reqwest::Error| {
            let what = if error.is_timeout() { "no answer in time" } else { "no connection" };
            Fault::Passing(format!("{what} ({})", root(&error.without_url())), None)
        };
        let mut response = self.prepared(request).send().map_err(passing)?;
        for _ in 0..MOST_HOPS {
            match self.sent_on(request, &response)? {
                Some(next) => response = next.send().map_err(passing)?,
                None => break,
            }
        }
        let status = response.status();
        if status == StatusCode::NOT_MODIFIED {
            return Ok(Answer::Unchanged);
        }
        if !status.is_success() {
            return Err(refused(&mut response, self.policy.timeout));
        }
        let kind = header(&response, CONTENT_TYPE.as_str()).unwrap_or_default().to_lowercase();
        if !form.matches(&kind) {
            let what = form.name();
            return Err(Fault::Lasting(format!("the answer is `{kind}`, not {what}")));
        }
        // A name of a copy that repeats the key is not kept.
        let etag = header(&response, ETAG.as_str());
        let etag = etag.filter(|etag| etag.len() <= 256 && !self.secrets.are_in(etag));
        let mut body = Bounded::new(response, form.limits(), self.policy.timeout);
        read(&mut body).map(|value| Answer::New(value, etag)).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => {
                Fault::Lasting(format!("the answer is not as expected: {error}"))
            }
            io::ErrorKind::FileTooLarge => Fault::Lasting(error.to_string()),
            _ => Fault::Passing(format!("the answer broke off ({})", root(&error)), None),
        })
    }

    /// The request at the address to which the server sends on, where it does and may.
    fn sent_on(
        &self,
        request: &Request,
        response: &Response,
    ) -> Result<Option<RequestBuilder>, Fault> {
        if !request.follow || !response.status().is_redirection() {
            return Ok(None);
        }
        let lost = || Fault::Lasting("the server sends on to nowhere".to_owned());
        let address = header(response, LOCATION.as_str()).ok_or_else(lost)?;
        let from = response.url();
        let to = from.join(&address).map_err(|_| lost())?;
        // A connection that nobody can read may not go on as one that everybody can.
        if to.scheme() != from.scheme() {
            return Err(Fault::Lasting("the server sends on to another protocol".to_owned()));
        }
        let same = to.origin() == from.origin();
        let builder = self.client.get(to);
        let builder = match &self.key {
            Some((Key::Bearer, key)) if same => builder.bearer_auth(key),
            _ => builder,
        };
        Ok(Some(ranged(builder, request)))
    }

    /// The request with its query, its key and its headers.
    fn prepared(&self, request: &Request) -> RequestBuilder {
        let url = format!("{}{}", self.base.trim_end_matches('/'), request.path);
        let mut query = request.query.clone();
        let mut headers = Vec::new();
        match &self.key {
            Some((Key::Query(name), key)) => query.push((name, key.clone())),
            Some((Key::Header(name), key)) => headers.push((*name, key.clone())),
            Some((Key::Bearer, key)) => headers.push(("authorization", format!("Bearer {key}"))),
            Some((Key::Login, _)) | None => {}
        }
        headers.extend(request.bearer.iter().map(|it| ("authorization", format!("Bearer {it}"))));
        headers.extend(request.etag.iter().map(|etag| (IF_NONE_MATCH.as_str(), etag.clone())));
        let pairs = query.iter().map(|(name, value)| format!("{name}={}", escaped(value)));
        let pairs = pairs.collect::<Vec<_>>().join("&");
        let separator = match (pairs.is_empty(), url.contains('?')) {
            (true, _) => "",
            (_, true) => "&",
            (_, false) => "?",
        };
        let url = format!("{url}{separator}{pairs}");
        let builder = match &request.post {
            Some(body) => self
                .client
                .post(url)
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_string()),
            None => self.client.get(url),
        };
        let builder = match (&request.login, &self.key) {
            (true, Some((Key::Login, key))) => {
                let (user, password) = key.split_once(':').unwrap_or((key, ""));
                builder.basic_auth(user, Some(password))
            }
            _ => builder,
        };
        let builder = ranged(builder, request);
        headers.into_iter().fold(builder, |builder, (name, value)| builder.header(name, value))
    }

    /// The error of a source that fails. A key that the server echoes is not repeated.
    pub(super) fn failed(&self, why: &str) -> Error {
        Error::live(format!("{}: {}", self.name, short(&self.secrets.masked(why))))
    }
}

/// The request for the bytes that are wanted.
fn ranged(builder: RequestBuilder, request: &Request) -> RequestBuilder {
    match request.range {
        Some((from, count)) => {
            builder.header(RANGE, format!("bytes={from}-{}", (from + count).saturating_sub(1)))
        }
        None => builder,
    }
}

impl Form {
    /// True if the type of an answer is the one that was asked for.
    fn matches(self, kind: &str) -> bool {
        match self {
            // Files of a code host come as plain text.
            Self::Json | Self::LongJson => kind.contains("json") || kind.starts_with("text/plain"),
            Self::Csv => ["csv", "text/plain", "octet-stream"].iter().any(|it| kind.contains(it)),
            // A page for people is no file.
            Self::Bytes => !kind.contains("html"),
        }
    }

    /// The form in words, for errors.
    fn name(self) -> &'static str {
        match self {
            Self::Json | Self::LongJson => "JSON",
            Self::Csv => "CSV",
            Self::Bytes => "a file",
        }
    }

    /// The limits of the form.
    fn limits(self) -> Limits {
        match self {
            Self::Json => JSON,
            Self::LongJson => LONG_JSON,
            Self::Csv => CSV,
            Self::Bytes => BYTES,
        }
    }
}

/// A body of which no more than the limits is read, in time.
struct Bounded<R> {
    inner: R,
    limits: Limits,
    read: u64,
    record: u64,
    quoted: bool,
    until: Instant,
}

impl<R: Read> Bounded<R> {
    /// A body within these limits; the time begins now.
    #[expect(clippy::disallowed_methods, reason = "a server's slowness is measured in real time")]
    fn new(inner: R, limits: Limits, timeout: Duration) -> Self {
        let until = Instant::now() + timeout * limits.patience;
        Self { inner, limits, read: 0, record: 0, quoted: false, until }
    }

    /// Counts the bytes of the record that is being read; the longest one of these bytes.
    fn records(&mut self, bytes: &[u8]) -> u64 {
        let mut longest = 0;
        for byte in bytes {
            self.record += 1;
            longest = longest.max(self.record);
            match byte {
                b'"' => self.quoted = !self.quoted,
                b'\n' if !self.quoted => self.record = 0,
                _ => {}
            }
        }
        longest
    }
}

impl<R: Read> Read for Bounded<R> {
    #[expect(clippy::disallowed_methods, reason = "a server's slowness is measured in real time")]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if Instant::now() > self.until {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "it took too long"));
        }
        let count = self.inner.read(buffer)?;
        self.read += count as u64;
        let Limits { bytes, record, .. } = self.limits;
        let long = record < u64::MAX && self.records(&buffer[..count]) > record;
        if self.read > bytes || long {
            let what = if long { "a line of it" } else { "it" };
            let most = if long { record } else { bytes } >> 20;
            let message = format!("the answer is too large: {what} has more than {most} MiB");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        Ok(count)
    }
}

/// The fault of an answer other than success, with what the server says.
fn refused(response: &mut Response, timeout: Duration) -> Fault {
    let status = response.status();
    let wait = header(response, RETRY_AFTER.as_str()).and_then(|text| {
        let seconds = text.trim().parse().ok().map(Duration::from_secs);
        let date = |text: &str| chrono::DateTime::parse_from_rfc2822(text).ok();
        seconds.or_else(|| {
            let now = date(&header(response, "date")?)?;
            (date(&text)? - now).to_std().ok()
        })
    });
    let mut body = Vec::new();
    // What it says is a courtesy; a body that cannot be read says nothing.
    let bounded = Bounded::new(response, REFUSAL, timeout);
    let _ = bounded.take(REFUSAL.bytes).read_to_end(&mut body);
    let said = message(&body).map(|said| format!(": {said}")).unwrap_or_default();
    let why = format!("the server answers {status}{said}");
    let passing = status.is_server_error()
        || [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT].contains(&status);
    if passing { Fault::Passing(why, wait) } else { Fault::Lasting(why) }
}

/// The message in the body of an error: services put it in one of these places.
fn message(body: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    let places =
        ["/error/message", "/Error/Message", "/errors/0/message", "/message", "/error", "/detail"];
    places.iter().find_map(|place| Some(value.pointer(place)?.as_str()?.to_owned()))
}

/// A header of an answer as text.
fn header(response: &Response, name: &str) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}

/// The innermost reason.
fn root(error: &dyn std::error::Error) -> String {
    let reasons = std::iter::successors(Some(error), |error| error.source());
    reasons.last().map(ToString::to_string).unwrap_or_default()
}

/// A text of a server on one short line.
pub(super) fn short(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(240).collect()
}

/// A value of a query: everything but letters, digits and `-._~` is escaped.
fn escaped(value: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}
