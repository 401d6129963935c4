//! A file per question: its request and how it is answered. The table of them.

pub mod capacity;
pub mod catalog;
pub mod check;
pub mod compare;
pub mod estimate;
pub mod explain;
pub mod model;
pub mod optimize;
pub mod report;
pub mod sweep;

use flopcast_core::diagnostic::Result;
use flopcast_core::serving::capacity::Search;
use flopcast_report::doc::Subject;
use flopcast_report::render::Format;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::request::{Asking, Out, Tried, read};
use crate::{Answer, Fault, Question, Session};

/// Every question, in the order in which they are told.
pub(crate) static ALL: &[Question] = &[
    question::<estimate::Request>(),
    question::<explain::Request>(),
    question::<model::Request>(),
    question::<capacity::Request>(),
    question::<sweep::Request>(),
    question::<optimize::Request>(),
    question::<compare::Request>(),
    question::<check::Request>(),
    question::<report::Request>(),
    question::<catalog::Request>(),
];

/// Takes the result of a question.
pub type Show<'a> = dyn FnMut(&dyn Subject) -> Result<()> + 'a;

/// A request that declares its question.
trait Declared: DeserializeOwned + JsonSchema {
    const NAME: &'static str;
    const SAYS: &'static str;
    const LONG: bool = false;

    /// The form of the answer.
    fn format(&self) -> Result<Format> {
        Ok(Format::Json)
    }

    /// Writes the answer; false where the command would exit with 1.
    fn answer(&self, asking: &Asking<'_>, out: &mut Out) -> Tried<bool>;
}

/// The row of a question.
const fn question<R: Declared>() -> Question {
    Question {
        name: R::NAME,
        says: R::SAYS,
        long: R::LONG,
        request: |generator| R::json_schema(generator),
        check: |request| read::<R>(request).map(drop),
        ask: ask::<R>,
    }
}

/// Reads a request and answers it.
fn ask<R: Declared>(session: Session<'_>, request: &str) -> Result<Answer, Fault> {
    let request: R = read(request)?;
    let format = request.format()?;
    Asking::new(session).answer(format, |asking, out| request.answer(asking, out))
}

/// The settings of a search: requests of a run, seeds.
fn search(requests: Option<u64>, seeds: Option<u32>) -> Search {
    let usual = Search::default();
    let (requests, seeds) = (requests.unwrap_or(usual.requests), seeds.unwrap_or(usual.seeds));
    Search { requests, seeds, ..usual }
}

/// A number that may be from `least` to `most`.
///
/// # Errors
/// It is not.
fn within(key: &str, value: u64, least: u64, most: u64) -> Result<u64> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    let message = format!("`{key}` is {value}; it may be from {least} to {most}");
    Err(flopcast_core::diagnostic::Error::input(message))
}
