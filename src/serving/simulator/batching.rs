//! Static and dynamic batching, for models that answer in one pass: classifiers, encoders,
//! embedding and vision models.

use std::collections::VecDeque;

use super::histogram::Histogram;
use crate::quantity::{Measure as _, Time};

/// When a batch starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Batching {
    /// Requests in a batch at most, at least 1.
    pub most: u32,
    /// How long the first request waits for others; `None` waits until the batch is full (static
    /// batching), zero takes what is there.
    pub delay: Option<Time>,
    /// Servers that share the queue, at least 1.
    pub servers: u32,
}

/// Latencies of a batched server, in seconds.
#[derive(Clone, Debug, Default)]
pub struct BatchingReport {
    /// From arrival to the answer.
    pub latency: Histogram,
    /// From arrival to the start of the batch.
    pub queueing: Histogram,
    /// Requests per batch, mean.
    pub batch: f64,
    /// Share of the time in which a server was busy.
    pub busy: f64,
}

/// Serves requests that arrive at these times, in order; a batch of n takes `service(n)`.
///
/// A batch starts when a server is free and either `most` requests wait or the first has waited
/// `delay`; the last batch starts with what there is.
pub fn simulate_batching(
    batching: Batching,
    arrivals: impl IntoIterator<Item = Time>,
    service: impl Fn(u32) -> Time,
) -> BatchingReport {
    let mut report = BatchingReport::default();
    let most = batching.most.max(1) as usize;
    let delay = batching.delay.map_or(f64::INFINITY, |d| d.value);
    let mut free = vec![0.0_f64; batching.servers.max(1) as usize];
    let mut queue = VecDeque::with_capacity(most);
    let (mut batches, mut served, mut busy, mut end) = (0_u64, 0_u64, 0.0, 0.0_f64);
    let mut arrivals = arrivals.into_iter().map(Time::stored).peekable();
    let begin = arrivals.peek().copied().unwrap_or(0.0);
    while let Some(oldest) = arrivals.peek().copied() {
        let server = (0..free.len()).min_by(|a, b| free[*a].total_cmp(&free[*b])).unwrap_or(0);
        let mut start = free[server].max(oldest + delay);
        while queue.len() < most {
            match arrivals.peek() {
                Some(&time) if time <= start || queue.is_empty() => {
                    queue.push_back(time);
                    arrivals.next();
                }
                _ => break,
            }
        }
        if queue.len() == most {
            start = free[server].max(queue[most - 1]);
        } else if start.is_infinite() {
            start = free[server].max(queue[queue.len() - 1]);
        }
        let count = queue.len();
        let time = service(count as u32).value;
        for arrived in queue.drain(..) {
            report.queueing.record(start - arrived);
            report.latency.record(start + time - arrived);
        }
        free[server] = start + time;
        end = end.max(start + time);
        batches += 1;
        served += count as u64;
        busy += time;
    }
    report.batch = served as f64 / (batches.max(1)) as f64;
    report.busy = busy / ((end - begin).max(f64::MIN_POSITIVE) * free.len() as f64);
    report
}
