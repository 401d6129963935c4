//! The questions of `flopcast-api` for programs on the network and for agents.
//!
//! [`http`] answers them as `POST /v1/{question}`, describes them in `/openapi.json` and serves the
//! page; [`mcp`] offers them as tools. Both iterate the one table of questions, so a question that is
//! added there is a path and a tool here. Every question is asked through one [`Asker`], which holds
//! the limits of time and number.
//!
//! A server opens no file for a request: its sessions have no files but those of the request itself.

mod ask;
pub mod http;
mod jobs;
pub mod mcp;
mod metrics;
mod openapi;
mod page;
mod refusal;

use std::time::Duration;

pub use self::ask::{Asker, Surroundings};
pub use self::metrics::Gauge;

/// The most that one request, and all of them together, may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a request.
    pub body: usize,
    /// The time of a question, once it is answered.
    pub time: Duration,
    /// The time of a job.
    pub job: Duration,
    /// Questions that are answered at a time.
    pub together: usize,
    /// Questions that wait; more are turned away.
    pub waiting: usize,
    /// The time that a question waits.
    pub wait: Duration,
    /// Jobs that are kept, finished ones among them.
    pub jobs: usize,
}

impl Default for Limits {
    /// 4 MiB, a minute, a quarter of an hour; a question per core.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            body: 4 << 20,
            time: Duration::from_secs(60),
            job: Duration::from_secs(900),
            together: cores,
            waiting: 4096,
            wait: Duration::from_secs(60),
            jobs: 64,
        }
    }
}
