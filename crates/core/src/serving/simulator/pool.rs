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
    /// The state of each replica when the router last looked at it.
    seen: Vec<Seen>,
}

/// A replica as the router knows it: so many outstanding requests until then.
#[derive(Clone, Copy)]
struct Seen {
    outstanding: u32,
    until: f64,
}

impl Seen {
    /// A replica that has run until now.
    fn of<S: StepTime>(replica: &mut Replica<'_, S>, now: f64) -> Self {
        Self { outstanding: replica.outstanding(now), until: replica.quiet_until(now) }
    }
}

impl<'a, S: StepTime> Pool<'a, S> {
    /// A pool of idle replicas.
    pub(crate) fn new(fleet: &Fleet<'a, S>) -> Self {
        let seed = if let Router::Random(seed) = fleet.router { seed } else { 0 };
        let replica = |_| Replica::new(fleet.time, fleet.limits);
        let count = fleet.replicas.max(1);
        Self {
            seen: vec![Seen { outstanding: 0, until: f64::INFINITY }; count as usize],
            replicas: (0..count).map(replica).collect(),
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
    pub(crate) fn run_until(&mut self, now: f64, out: &mut dyn FnMut(Finished)) {
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
        out: &mut dyn FnMut(Finished),
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
            Router::LeastOutstanding => self.least_outstanding(now, out),
        };
        let replica = &mut self.replicas[chosen];
        replica.run_until(now, out);
        replica.offer(now, job, out);
        if count > 1 && self.router == Router::LeastOutstanding {
            self.seen[chosen] = Seen::of(replica, now);
        }
        Some(replica.waiting())
    }

    /// The replica with the fewest unanswered requests. Those of which none can have been answered
    /// since the router last looked are left where they are, so that they leap.
    fn least_outstanding(&mut self, now: f64, out: &mut dyn FnMut(Finished)) -> usize {
        let (mut chosen, mut least) = (0, u32::MAX);
        for (place, seen) in self.seen.iter_mut().enumerate() {
            if now > seen.until {
                let replica = &mut self.replicas[place];
                replica.run_until(now, out);
                *seen = Seen::of(replica, now);
            }
            if seen.outstanding < least {
                (chosen, least) = (place, seen.outstanding);
            }
        }
        chosen
    }

    /// Runs every replica until it is idle.
    pub(crate) fn drain(&mut self, out: &mut dyn FnMut(Finished)) {
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
