//! Replicas that share a load, and who gets the next request.

use super::Fleet;
use super::replica::{Finished, Job, Replica, StepTime, Usage};
use super::report::Utilisation;
use crate::random::Stream;

/// The rule that chooses the replica of the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Router {
    /// Each in turn.
    RoundRobin,
    /// The one with the fewest unanswered requests; the first of equals.
    LeastOutstanding,
    /// Any, from this seed.
    Random(u64),
}

pub(crate) struct Pool<'a, S> {
    pub replicas: Vec<Replica<'a, S>>,
    router: Router,
    turn: usize,
    dice: Stream,
}

impl<'a, S: StepTime> Pool<'a, S> {
    /// A pool of idle replicas.
    pub(crate) fn new(fleet: &Fleet<'a, S>) -> Self {
        let seed = if let Router::Random(seed) = fleet.router { seed } else { 0 };
        let replica = |_| Replica::new(fleet.time, fleet.limits);
        Self {
            replicas: (0..fleet.replicas.max(1)).map(replica).collect(),
            router: fleet.router,
            turn: 0,
            dice: Stream::new(seed, 0x0072_6f75_7465),
        }
    }

    /// True if a replica can ever hold the job.
    pub(crate) fn can_hold(&self, job: &Job) -> bool {
        self.replicas[0].can_hold(job)
    }

    /// Runs every step of every replica that begins before `now`.
    pub(crate) fn run_until(&mut self, now: f64, out: &mut impl FnMut(Finished)) {
        for replica in &mut self.replicas {
            replica.run_until(now, out);
        }
    }

    /// Gives a job that is there at `now` to a replica; returns how many wait for that replica, or
    /// `None` if no replica could ever hold the job.
    #[inline]
    pub(crate) fn send(
        &mut self,
        now: f64,
        job: Job,
        out: &mut impl FnMut(Finished),
    ) -> Option<usize> {
        if !self.can_hold(&job) {
            return None;
        }
        let count = self.replicas.len();
        let chosen = match self.router {
            _ if count == 1 => 0,
            Router::RoundRobin => {
                self.turn = (self.turn + 1) % count;
                self.turn
            }
            Router::Random(_) => self.dice.between(0, count as u32 - 1) as usize,
            Router::LeastOutstanding => {
                self.run_until(now, out);
                let load = |i: &usize| self.replicas[*i].outstanding(now);
                (0..count).min_by_key(load).unwrap_or(0)
            }
        };
        let replica = &mut self.replicas[chosen];
        replica.run_until(now, out);
        replica.offer(now, job, out);
        Some(replica.waiting())
    }

    /// Runs every replica until it is idle.
    pub(crate) fn drain(&mut self, out: &mut impl FnMut(Finished)) {
        self.run_until(f64::INFINITY, out);
    }
}

impl<S: StepTime> Pool<'_, S> {
    /// Use over a span of seconds.
    pub(crate) fn utilisation(&self, span: f64) -> Utilisation {
        let each = |f: fn(&Usage) -> f64| self.replicas.iter().map(|r| f(&r.usage)).sum::<f64>();
        let most = |f: fn(&Usage) -> u64| self.replicas.iter().map(|r| f(&r.usage)).max();
        let busy = each(|u| u.busy);
        let share = if busy > 0.0 { 1.0 / busy } else { 0.0 };
        let blocks = self.replicas[0].limits.blocks.max(1) as f64;
        Utilisation {
            busy: busy / (span * self.replicas.len() as f64),
            batch: (
                each(|u| u.batch) * share,
                most(|u| u64::from(u.most_batch)).unwrap_or(0) as u32,
            ),
            kv: (
                each(|u| u.kv_blocks) * share / blocks,
                most(|u| u.most_kv_blocks).unwrap_or(0) as f64 / blocks,
            ),
            preemptions: self.replicas.iter().map(|r| r.usage.preemptions).sum(),
            steps: self.replicas.iter().map(|r| r.usage.steps).sum(),
        }
    }
}
