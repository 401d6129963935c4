//! Long simulated runs that somebody may end.

use std::sync::{Mutex, PoisonError};

use flopcast_core::diagnostic::Result;
use flopcast_core::serving::capacity::Limit;
use flopcast_core::serving::simulator::{Arrival, Report, Server};

use super::{Ask, Question, Task};

/// Requests between two looks at whether somebody waits on.
const EVERY: usize = 1 << 13;

/// A server whose runs stop where nobody waits for them any more. Such a run is no result.
struct Watched<'a, S> {
    server: S,
    goes_on: &'a (dyn Fn() -> bool + Sync),
}

impl<S: Server> Server for Watched<'_, S> {
    fn serve(&self, arrivals: impl Iterator<Item = Arrival>, warm_up: u64) -> Report {
        let arrivals = arrivals.enumerate();
        let arrivals = arrivals.take_while(|(at, _)| at % EVERY < EVERY - 1 || (self.goes_on)());
        self.server.serve(arrivals.map(|(_, arrival)| arrival), warm_up)
    }

    fn concurrency(&self) -> u64 {
        self.server.concurrency()
    }

    fn replicas(&self) -> u64 {
        self.server.replicas()
    }
}

/// Asks about replicas; who hears of the progress of the question may end it within a run, too.
///
/// # Errors
/// As [`Ask::of`]; what the progress of the question refuses.
pub(super) fn ask<A: Ask, S: Server>(
    task: &Task<'_>,
    servers: &impl Fn(u64, bool) -> Option<S>,
    error_of: fn(Limit) -> &'static str,
    warnings: &mut Vec<String>,
) -> Result<A::Found> {
    let told = Mutex::new((String::new(), 0.0));
    let lock = || told.lock().unwrap_or_else(PoisonError::into_inner);
    let progress = |what: &str, share: f64| {
        *lock() = (what.to_owned(), share);
        (task.question.progress)(what, share)
    };
    let again = || {
        let (what, share) = lock().clone();
        (task.question.progress)(&what, share)
    };
    let goes_on = || again().is_ok();
    let watched = |count: u64, records: bool| {
        servers(count, records).map(|server| Watched { server, goes_on: &goes_on })
    };
    let question = Question { progress: &progress, ..*task.question };
    let found = A::of(&Task { question: &question, ..*task }, &watched, error_of, warnings);
    again().and(found)
}
