//! The serving simulator: requests in, percentiles of latency out.
//!
//! [`Simulation`] drives one pool of engine replicas, or two where prefill and decode are
//! disaggregated, with open (arrivals as they come) or closed load (a number of clients that wait
//! for their answer). It leaps from event to event, see [`StepTime`], is deterministic, and
//! keeps histograms instead of requests, so its memory does not grow with their number. [`Batching`]
//! does the same for networks that answer in one pass.

mod batching;
mod histogram;
mod leap;
mod pool;
mod replica;
mod report;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

use self::pool::Pool;
use self::replica::{Finished, Job, Request};
use self::report::Collector;
use crate::quantity::Time;

pub use batching::Batching;
pub use histogram::Histogram;
pub use pool::Router;
pub use replica::StepTime;
pub use report::{Bounds, ClassReport, Record, Report, Utilisation};

/// The size of a request for an engine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrival {
    /// When the client sends it.
    pub at: Time,
    /// Prompt tokens, at least 1.
    pub input: u32,
    /// Tokens to generate, at least 1.
    pub output: u32,
    /// Prompt tokens found in the prefix cache.
    pub cached: u32,
    /// The request class, an index into [`Simulation::slo`].
    pub class: u16,
}

/// Which tokens a step takes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheduler {
    /// Decoding sequences first, prompts with what is left of the token budget (vLLM V1).
    DecodeFirst,
    /// Prompts alone as long as there are any that fit (`SGLang` without mixed chunks).
    PrefillFirst,
}

/// How the simulator advances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stepping {
    /// From event to event.
    Leap,
    /// Step by step: the same answers, slowly.
    Token,
}

/// Requests that a server refuses rather than let them wait.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Admission {
    /// Requests that wait for a place in the batch, at most: one that finds so many is refused.
    pub queue: Option<u32>,
    /// Time for which a request waits for its place in the batch, at most.
    pub timeout: Option<Time>,
}

impl Admission {
    /// Every request is taken in, however long it waits.
    pub const ALL: Self = Self { queue: None, timeout: None };
}

/// The limits of one engine replica.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Sequences in the batch at most (`max_num_seqs`), at least 1.
    pub sequences: u32,
    /// Tokens of one step at most (`max_num_batched_tokens`), at least 1.
    pub tokens: u32,
    /// Blocks of KV cache.
    pub blocks: u64,
    /// Tokens of one block, at least 1.
    pub block: u32,
    /// Blocks that all prompts begin with: they are held once, beside those above.
    pub shared: u32,
    /// True if the blocks of a whole answer are set aside when its prompt is taken in.
    pub sets_aside: bool,
    /// Which tokens a step takes first.
    pub scheduler: Scheduler,
    /// Which requests are refused.
    pub admission: Admission,
    /// How the simulator advances.
    pub stepping: Stepping,
}

impl Limits {
    /// The same where all prompts begin with the same tokens, held once for all.
    #[must_use]
    pub fn sharing(self, tokens: u32) -> Self {
        let shared = tokens / self.block;
        Self { shared, blocks: self.blocks.saturating_sub(u64::from(shared)), ..self }
    }
}

/// Replicas that share a load.
#[derive(Debug)]
pub struct Fleet<'a, S> {
    /// How long a replica's step takes.
    pub time: &'a S,
    /// The limits of a replica's memory and scheduler.
    pub limits: Limits,
    /// How many there are, at least 1.
    pub replicas: u32,
    /// The rule that chooses the replica of the next request.
    pub router: Router,
}

/// Prompts processed by one fleet and answered by another.
#[derive(Debug)]
pub struct KvTransfer<'a, S> {
    /// The fleet that decodes.
    pub decode: Fleet<'a, S>,
    /// Time to move the KV cache: fixed part and part per prompt token.
    pub latency: Time,
    /// See `latency`.
    pub per_token: Time,
}

/// A run to simulate.
#[derive(Debug)]
pub struct Simulation<'a, S> {
    /// The replicas that serve; for prompts only where there is a transfer.
    pub fleet: Fleet<'a, S>,
    /// The pool that decodes and its transfer, if decoding happens elsewhere.
    pub transfer: Option<KvTransfer<'a, S>>,
    /// Time from the client to the engine's queue and back: network, HTTP, tokenizer.
    pub api_server: Time,
    /// The bounds of each class of requests; at least one class.
    pub slo: Vec<Bounds>,
    /// Requests at the start that are served but not counted.
    pub warm_up: u64,
    /// Give up when so many requests wait for one replica: the load is beyond it.
    pub queue_limit: usize,
    /// Keep a record of every request.
    pub records: bool,
}

// By hand, since a derive would ask for `S: Clone` though only references to it are copied.
impl<S> Clone for Fleet<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Fleet<'_, S> {}

impl<S> Clone for KvTransfer<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for KvTransfer<'_, S> {}

impl<S> Clone for Simulation<'_, S> {
    fn clone(&self) -> Self {
        Self { slo: self.slo.clone(), ..*self }
    }
}

impl<'a, S> Simulation<'a, S> {
    /// So many of these fleets as one, under another router.
    #[must_use]
    pub fn times(&self, count: u32, router: Router) -> Self {
        let larger =
            |fleet: Fleet<'a, S>| Fleet { replicas: fleet.replicas * count, router, ..fleet };
        let transfer = self.transfer.map(|it| KvTransfer { decode: larger(it.decode), ..it });
        Self { fleet: larger(self.fleet), transfer, ..self.clone() }
    }
}

impl<S: StepTime> Simulation<'_, S> {
    /// Serves requests as they arrive; the arrivals are in order of time.
    pub fn open(&self, arrivals: impl IntoIterator<Item = Arrival>) -> Report {
        let mut collector = self.collector();
        let mut fleet = Pool::new(&self.fleet);
        let mut transfer = self.transfer.as_ref().map(TransferRun::new);
        for (id, arrival) in arrivals.into_iter().enumerate() {
            let request = request(id as u64, &arrival);
            let now = (arrival.at + self.api_server).value;
            collector.arrive(&request);
            let waiting = match &mut transfer {
                None => fleet.send(now, Job::new(request), &mut |f| collector.record(&f)),
                Some(run) => run.send(now, &mut fleet, request, &mut collector),
            };
            match waiting {
                None => collector.reject(),
                Some(waiting) if waiting > self.queue_limit => {
                    collector.overloaded = true;
                    break;
                }
                Some(_) => {}
            }
        }
        collector.last_arrived();
        match &mut transfer {
            None => fleet.drain(&mut |f| collector.record(&f)),
            Some(run) => run.drain(&mut fleet, &mut collector),
        }
        let decode = transfer.as_ref().map(|run| &run.decode);
        collector
            .report(|span| (fleet.utilisation(span), decode.map(|decode| decode.utilisation(span))))
    }

    /// Serves the requests with `clients` clients of one replica, each of which sends its next
    /// request when its last is answered. All begin at once; arrival times are not looked at.
    pub fn closed(&self, clients: u32, requests: impl IntoIterator<Item = Arrival>) -> Report {
        let mut collector = self.collector();
        let mut requests = requests.into_iter().zip(0..).map(|(arrival, id)| request(id, &arrival));
        let delay = self.api_server.value;
        let mut pool = Pool::new(&Fleet { replicas: 1, ..self.fleet });
        let replica = &mut pool.replicas[0];
        // Answers come in order and the delay is constant, so a queue is enough.
        let mut due: VecDeque<_> =
            requests.by_ref().take(clients as usize).map(|r| (delay, r)).collect();
        loop {
            while let Some(&(time, mut request)) = due.front() {
                if time > replica.clock && !replica.is_idle() {
                    break;
                }
                due.pop_front();
                request.sent = time - delay;
                collector.arrive(&request);
                let job = Job::new(request);
                if replica.can_hold(&job) {
                    replica.enqueue(time, job);
                } else {
                    collector.reject();
                    due.extend(requests.next().map(|request| (time + delay, request)));
                }
            }
            if replica.is_idle() {
                break;
            }
            let horizon = due.front().map_or(f64::INFINITY, |(time, _)| *time);
            replica.step(horizon, &mut |finished: Finished| {
                collector.record(&finished);
                due.extend(requests.next().map(|request| (finished.ended + delay, request)));
            });
        }
        collector.report(|span| (pool.utilisation(span), None))
    }

    /// The collector of the statistics that this simulation keeps.
    fn collector(&self) -> Collector {
        Collector::new(&self.slo, self.api_server, self.warm_up, self.records)
    }
}

/// A server that can be put under load.
pub trait Server: Sync {
    /// Serves requests as they arrive, in order of time; the first `warm_up` are not counted.
    fn serve(&self, arrivals: impl Iterator<Item = Arrival>, warm_up: u64) -> Report;

    /// Requests that it works on at once, at most; of two fleets, the one that decodes.
    fn concurrency(&self) -> u64;

    /// Replicas that share the load.
    fn replicas(&self) -> u64 {
        1
    }
}

/// A server that consists of so many replicas behind a router.
#[derive(Clone, Debug)]
pub struct Replicas<S> {
    /// All of them together.
    pub server: S,
    /// How many there are.
    pub count: u64,
}

impl<S: Server> Server for Replicas<S> {
    fn serve(&self, arrivals: impl Iterator<Item = Arrival>, warm_up: u64) -> Report {
        self.server.serve(arrivals, warm_up)
    }

    fn concurrency(&self) -> u64 {
        self.server.concurrency()
    }

    fn replicas(&self) -> u64 {
        self.count.max(1)
    }
}

impl<S: StepTime + Sync> Server for Simulation<'_, S> {
    fn serve(&self, arrivals: impl Iterator<Item = Arrival>, warm_up: u64) -> Report {
        Self { warm_up, ..self.clone() }.open(arrivals)
    }

    fn concurrency(&self) -> u64 {
        let fleet = self.transfer.as_ref().map_or(&self.fleet, |it| &it.decode);
        u64::from(fleet.limits.sequences) * u64::from(fleet.replicas)
    }
}

/// The request of an arrival; a prompt and an answer have at least one token.
fn request(id: u64, arrival: &Arrival) -> Request {
    Request {
        id,
        class: arrival.class,
        sent: arrival.at.value,
        input: arrival.input.max(1),
        output: arrival.output.max(1),
        cached: arrival.cached,
    }
}

/// A finished prompt on its way to the replicas that decode.
struct Handed {
    at: f64,
    prompt: Finished,
}

impl PartialEq for Handed {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Handed {}

impl PartialOrd for Handed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Handed {
    /// The earliest is the greatest, so that a heap yields it first.
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |h: &Self| h.prompt.request.id;
        other.at.total_cmp(&self.at).then(key(other).cmp(&key(self)))
    }
}

/// The second half of a disaggregated run.
struct TransferRun<'a, S> {
    decode: Pool<'a, S>,
    latency: f64,
    per_token: f64,
    handed: BinaryHeap<Handed>,
}

impl<'a, S: StepTime> TransferRun<'a, S> {
    /// A KV transfer without prompts on the way.
    fn new(transfer: &KvTransfer<'a, S>) -> Self {
        Self {
            decode: Pool::new(&transfer.decode),
            latency: transfer.latency.value,
            per_token: transfer.per_token.value,
            handed: BinaryHeap::new(),
        }
    }

    /// How many wait for the replica that took the prompt; `None` if a replica could not hold it.
    fn send(
        &mut self,
        now: f64,
        prefill: &mut Pool<'a, S>,
        request: Request,
        collector: &mut Collector,
    ) -> Option<usize> {
        if !self.decode.can_hold(&Job::new(request)) {
            return None;
        }
        let Self { handed, latency, per_token, .. } = self;
        let mut hand = |prompt: Finished| {
            let delay = *latency + *per_token * f64::from(prompt.request.input);
            handed.push(Handed { at: prompt.ended + delay, prompt });
        };
        prefill.run_until(now, &mut hand);
        let waiting = prefill.send(now, Job::prompt_only(request), &mut hand);
        let decoding = self.deliver(now, collector);
        waiting.map(|waiting| waiting.max(decoding))
    }

    /// Hands over what has arrived by `now`; the most that wait for one replica.
    fn deliver(&mut self, now: f64, collector: &mut Collector) -> usize {
        let mut waiting = 0;
        while self.handed.peek().is_some_and(|handed| handed.at <= now) {
            let Some(Handed { at, prompt }) = self.handed.pop() else { break };
            if prompt.request.output == 1 || prompt.is_refused() {
                collector.record(&prompt);
                continue;
            }
            let job = Job::handed_over(&prompt);
            let queued = self.decode.send(at, job, &mut |f| collector.record(&f));
            waiting = waiting.max(queued.unwrap_or(0));
        }
        waiting
    }

    /// Lets every prompt end, arrive and be answered.
    fn drain(&mut self, prefill: &mut Pool<'a, S>, collector: &mut Collector) {
        let Self { handed, latency, per_token, .. } = self;
        prefill.drain(&mut |prompt: Finished| {
            let delay = *latency + *per_token * f64::from(prompt.request.input);
            handed.push(Handed { at: prompt.ended + delay, prompt });
        });
        self.deliver(f64::INFINITY, collector);
        self.decode.drain(&mut |f| collector.record(&f));
    }
}
