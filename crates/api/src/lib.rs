//! The questions that flopcast answers, each declared once: a name, what it answers, the type of
//! its request, the function from request to answer.
//!
//! Every front takes them from here: the command line calls the functions, an HTTP server, an agent's
//! tools, a page and a Python package iterate [`questions()`] and call [`answer`]. The answer is what
//! the command prints with `--format json`, byte for byte; a refusal ([`Fault`]) has its words.
//!
//! ```
//! use flopcast_api::{Session, answer};
//! use flopcast_core::catalog::Catalog;
//!
//! let catalog = Catalog::embedded();
//! let session = Session::new(&catalog);
//! let request = r#"{"scenario": "model: 7B\ndata: {tokens: 1T}\ntraning: {}\n"}"#;
//! let fault = answer(&session, "estimate", request).unwrap_err();
//! assert_eq!(fault.json()["error"]["path"], "traning");
//! ```

mod bounds;
mod fault;
pub mod opening;
pub mod questions;
mod ready;
pub mod request;
mod session;
mod whole;

use flopcast_core::diagnostic::Error;
use schemars::{Schema, SchemaGenerator};

pub use self::fault::Fault;
pub use self::opening::Opening;
pub use self::ready::{Asked, Ranges, Ready, offered, settled, simulated, snapshot, tried};
pub use self::request::{Answer, Source};
pub use self::session::{Given, NoFiles, Session, Watch};
pub use self::whole::{Forecast, forecast};

/// A question: its name, what it answers, its request and its function.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// Its name: a command, a path of the HTTP interface, a tool of an agent.
    pub name: &'static str,
    /// The answer that it gives, in a sentence or two.
    pub says: &'static str,
    /// True if it may take long, so that fronts run it as a job.
    pub long: bool,
    request: fn(&mut SchemaGenerator) -> Schema,
    check: fn(&str) -> Result<(), Fault>,
    ask: fn(Session<'_>, &str) -> Result<Answer, Fault>,
}

impl Question {
    /// The JSON Schema of its request.
    pub fn request(&self, generator: &mut SchemaGenerator) -> Schema {
        (self.request)(generator)
    }

    /// Reads a request without answering it.
    ///
    /// # Errors
    /// If it is none of this question.
    pub fn check(&self, request: &str) -> Result<(), Fault> {
        (self.check)(request)
    }

    /// The answer to a request, which is JSON.
    ///
    /// # Errors
    /// If the request is none of this question, or as the command's.
    pub fn answer(&self, session: &Session<'_>, request: &str) -> Result<Answer, Fault> {
        (self.ask)(*session, request)
    }
}

/// All questions, in the order in which they are told.
pub fn questions() -> &'static [Question] {
    questions::ALL
}

/// The answer to a request of the question of a name.
///
/// # Errors
/// If there is no such question; as [`Question::answer`].
pub fn answer(session: &Session<'_>, name: &str, request: &str) -> Result<Answer, Fault> {
    let known = || questions().iter().map(|question| question.name);
    let question = questions().iter().find(|question| question.name == name).ok_or_else(|| {
        let names = known().collect::<Vec<_>>().join(", ");
        Error::input(format!("`{name}` is no question")).suggest(name, known()).hint(names)
    })?;
    question.answer(session, request)
}
