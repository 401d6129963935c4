//! Static and dynamic batching, for networks that answer in one pass: classifiers, encoders,
//! embedding and vision models.

use std::collections::VecDeque;

use super::replica::Finished;
use super::report::{Bounds, Collector, Report, Utilisation};
use super::{Arrival, Server, request};
use crate::quantity::{Measure as _, Time};

/// One replica of such a network. A batch starts when the replica is free and either the batch is
/// full or its first request has waited `delay`; when no more requests will come, it starts with
/// what there is. A delay of zero takes what waits, a long one is static batching.
#[derive(Clone, Debug)]
pub struct Batching<'a> {
    /// How long a batch of 1, 2, ... requests takes; there is no larger one. At least one.
    pub times: &'a [Time],
    /// How long the first request of a batch waits for others.
    pub delay: Time,
    /// The bounds of each class of requests; at least one class.
    pub slo: Vec<Bounds>,
    /// Give up when so many requests wait: the load is beyond it.
    pub queue_limit: u64,
    /// Keep a record of every request.
    pub records: bool,
}

impl Server for Batching<'_> {
    fn serve(&self, arrivals: impl Iterator<Item = Arrival>, warm_up: u64) -> Report {
        let mut collector =
            Collector::new(&self.slo, Time::from_stored(0.0), warm_up, self.records);
        let mut arrivals = (0..).zip(arrivals).map(|(id, it)| request(id, &it)).peekable();
        let mut batch = Vec::with_capacity(self.times.len());
        // Batches that were not answered when the newest request arrived.
        let mut behind: VecDeque<(f64, u64)> = VecDeque::new();
        let mut waiting = 0;
        let (mut free, mut busy, mut weighted, mut batches, mut most) = (0.0_f64, 0.0, 0.0, 0, 0);
        while let Some(first) = arrivals.next() {
            let mut start = free.max(first.sent + self.delay.value);
            let mut newest = first.sent;
            batch.push(first);
            while batch.len() < self.times.len()
                && let Some(next) = arrivals.next_if(|next| next.sent <= start)
            {
                newest = next.sent;
                batch.push(next);
            }
            if batch.len() == self.times.len() || arrivals.peek().is_none() {
                start = free.max(newest);
            }
            let count = batch.len() as u64;
            let time = self.times[batch.len() - 1].value;
            let ended = start + time;
            while let Some(&(_, gone)) = behind.front().filter(|(ended, _)| *ended <= newest) {
                behind.pop_front();
                waiting -= gone;
            }
            behind.push_back((ended, count));
            waiting += count;
            for request in batch.drain(..) {
                collector.arrive(&request);
                let (scheduled, first_token) = (start, ended);
                collector.record(&Finished {
                    request,
                    scheduled,
                    first_token,
                    ended,
                    preemptions: 0,
                });
            }
            (free, busy, weighted) = (ended, busy + time, weighted + time * count as f64);
            (batches, most) = (batches + 1, most.max(count));
            if waiting > self.queue_limit {
                collector.overloaded = true;
                break;
            }
        }
        collector.left_behind(waiting);
        collector.report(|span| {
            let fleet = Utilisation {
                busy: busy / span,
                batch: (weighted / busy.max(f64::MIN_POSITIVE), most as u32),
                kv: (0.0, 0.0),
                preemptions: 0,
                steps: batches,
            };
            (fleet, None)
        })
    }

    fn concurrency(&self) -> u64 {
        self.times.len() as u64
    }
}
