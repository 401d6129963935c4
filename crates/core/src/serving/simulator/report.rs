//! The report of a simulation: latencies, attainment and use.

use super::Arrival;
use super::histogram::Histogram;
use super::replica::{Finished, Request};
use crate::quantity::{Measure as _, Per, Requests, Time, Tokens};

/// The bounds of one request; a bound left out holds always.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bounds {
    /// Time to first token.
    pub ttft: Option<Time>,
    /// Time per output token after the first: (E2E - TTFT) / (output tokens - 1).
    pub tpot: Option<Time>,
    /// From sending the request to its last token.
    pub e2e: Option<Time>,
}

/// Latencies of one class of requests, in seconds.
#[derive(Clone, Debug, Default)]
pub struct ClassReport {
    /// Time to first token.
    pub ttft: Histogram,
    /// Time per output token after the first, of requests that generate more than one.
    pub tpot: Histogram,
    /// From sending the request to its last token.
    pub e2e: Histogram,
    /// From the engine's queue into the batch.
    pub queueing: Histogram,
    /// Requests that kept every bound of their class.
    pub met: u64,
}

impl ClassReport {
    /// The latencies of requests that are answered by several services, each with its share of them,
    /// however many of each were simulated.
    pub fn mixed<'a>(parts: impl IntoIterator<Item = (f64, &'a Self)>) -> Self {
        let mut all = Self::default();
        for (share, part) in parts {
            all.ttft.merge(&part.ttft.of(share));
            all.tpot.merge(&part.tpot.of(share));
            all.e2e.merge(&part.e2e.of(share));
            all.queueing.merge(&part.queueing.of(share));
        }
        all
    }

    /// Every latency: its key in the JSON, its name, its distribution.
    pub fn each(&self) -> [(&'static str, &'static str, &Histogram); 4] {
        [
            ("ttft_ms", "time to first token", &self.ttft),
            ("tpot_ms", "time per output token", &self.tpot),
            ("e2e_ms", "whole request", &self.e2e),
            ("queueing_ms", "  of it queueing", &self.queueing),
        ]
    }
}

/// How much of a fleet was used, over the time it was busy or there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Utilisation {
    /// Share of the span in which a replica ran a step.
    pub busy: f64,
    /// Sequences in the batch while busy: mean and most.
    pub batch: (f64, u32),
    /// Share of the KV cache in use while busy: mean and most.
    pub kv: (f64, f64),
    /// Cached sequences thrown out for want of memory.
    pub preemptions: u64,
    /// Steps taken.
    pub steps: u64,
}

/// One request's life.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record {
    /// Its place in the order of arrival, from 0.
    pub id: u64,
    /// The request.
    pub arrival: Arrival,
    /// When it first entered the batch.
    pub scheduled: Time,
    /// When its first token reached the client.
    pub first_token: Time,
    /// When its last token reached the client.
    pub finished: Time,
    /// How often it was pre-empted.
    pub preemptions: u32,
}

/// The answer of a simulation.
#[derive(Clone, Debug)]
pub struct Report {
    /// Requests that arrived.
    pub arrived: u64,
    /// Requests that were answered and counted.
    pub answered: u64,
    /// Requests longer than any replica's KV cache: refused on arrival.
    pub rejected: u64,
    /// Requests that were refused since too many waited, or that waited too long.
    pub refused: u64,
    /// The queue outgrew its limit: the load is beyond the fleet and the figures are a part.
    pub overloaded: bool,
    /// Requests that waited or were being served when the last one arrived.
    pub backlog: u64,
    /// By how much that is more than when the warm-up ended.
    pub growth: u64,
    /// From the first request sent to the last answer.
    pub span: Time,
    /// Tokens generated in that span.
    pub output_tokens: Tokens,
    /// Latencies by class.
    pub classes: Vec<ClassReport>,
    /// Use of the fleet (of the prefill fleet, where there are two).
    pub fleet: Utilisation,
    /// Use of the decode fleet, where it is another.
    pub decode: Option<Utilisation>,
    /// Every counted request in the order of answers, if asked for.
    pub records: Vec<Record>,
}

impl Report {
    /// Use of the engines that write answers.
    pub fn answering(&self) -> &Utilisation {
        self.decode.as_ref().unwrap_or(&self.fleet)
    }

    /// Latencies over all classes.
    pub fn all(&self) -> ClassReport {
        let mut all = ClassReport::default();
        for class in &self.classes {
            all.ttft.merge(&class.ttft);
            all.tpot.merge(&class.tpot);
            all.e2e.merge(&class.e2e);
            all.queueing.merge(&class.queueing);
            all.met += class.met;
        }
        all
    }

    /// Share of the requests that kept every bound of their class, refused ones included.
    pub fn slo_attainment(&self) -> f64 {
        self.all().met as f64 / (self.answered + self.rejected + self.refused).max(1) as f64
    }

    /// Share of the requests that were refused by the admission control.
    pub fn refused_share(&self) -> f64 {
        self.refused as f64 / (self.answered + self.rejected + self.refused).max(1) as f64
    }

    /// Rate of the requests that kept every bound of their class.
    pub fn goodput(&self) -> Per<Requests, Time> {
        Requests::from_stored(self.all().met as f64) / self.span
    }

    /// Tokens generated per second.
    pub fn output_rate(&self) -> Per<Tokens, Time> {
        self.output_tokens / self.span
    }
}

/// Gathers a [`Report`] while the simulation runs.
pub(crate) struct Collector {
    classes: Vec<ClassReport>,
    slo: Vec<[f64; 3]>,
    api_server: f64,
    warm_up: u64,
    arrived: u64,
    answered: u64,
    rejected: u64,
    refused: u64,
    done: u64,
    backlog: u64,
    /// The same when the warm-up ended.
    warm: u64,
    pub overloaded: bool,
    start: f64,
    first: f64,
    last: f64,
    output_tokens: u64,
    records: Option<Vec<Record>>,
}

impl Collector {
    /// Counts requests from `warm_up` on, which spend `api_server` before they queue.
    pub(crate) fn new(slo: &[Bounds], api_server: Time, warm_up: u64, records: bool) -> Self {
        let bound = |time: Option<Time>| time.map_or(f64::INFINITY, |t| t.value);
        let bounds = slo.iter().map(|b| [bound(b.ttft), bound(b.tpot), bound(b.e2e)]);
        Self {
            classes: vec![ClassReport::default(); slo.len().max(1)],
            slo: bounds.collect(),
            api_server: api_server.value,
            warm_up,
            arrived: 0,
            answered: 0,
            rejected: 0,
            refused: 0,
            done: 0,
            backlog: 0,
            warm: 0,
            overloaded: false,
            start: f64::INFINITY,
            first: f64::INFINITY,
            last: 0.0,
            output_tokens: 0,
            records: records.then(Vec::new),
        }
    }

    /// Counts a request as it arrives. Those of the warm-up are counted, but not measured.
    pub(crate) fn arrive(&mut self, request: &Request) {
        if self.arrived == self.warm_up {
            self.warm = self.arrived - self.done - self.rejected;
        }
        self.arrived += 1;
        self.start = self.start.min(request.sent);
        if request.id >= self.warm_up {
            self.first = self.first.min(request.sent);
        }
    }

    /// No more requests will arrive.
    pub(crate) fn last_arrived(&mut self) {
        self.left_behind(self.arrived - self.done - self.rejected);
    }

    /// So many were not answered when the last one arrived.
    pub(crate) fn left_behind(&mut self, backlog: u64) {
        self.backlog = backlog;
    }

    /// Counts a request that no replica can hold.
    pub(crate) fn reject(&mut self) {
        self.rejected += 1;
    }

    /// Records the latencies of an answer, unless its request belongs to the warm-up.
    pub(crate) fn record(&mut self, done: &Finished) {
        let Finished { request, scheduled, first_token, ended, preemptions } = *done;
        self.done += 1;
        if request.id < self.warm_up {
            return;
        }
        if done.is_refused() {
            self.refused += 1;
            return;
        }
        self.answered += 1;
        self.last = self.last.max(ended);
        self.output_tokens += u64::from(request.output);
        let class = usize::from(request.class).min(self.classes.len() - 1);
        let report = &mut self.classes[class];
        let (ttft, e2e) = (first_token - request.sent, ended - request.sent);
        let gaps = f64::from(request.output - 1);
        let tpot = if gaps > 0.0 { (ended - first_token) / gaps } else { 0.0 };
        report.ttft.record(ttft);
        report.e2e.record(e2e);
        report.queueing.record(scheduled - request.sent - self.api_server);
        if gaps > 0.0 {
            report.tpot.record(tpot);
        }
        let met = self.slo.get(class).is_none_or(|b| ttft <= b[0] && tpot <= b[1] && e2e <= b[2]);
        report.met += u64::from(met);
        if let Some(records) = &mut self.records {
            let arrival = Arrival {
                at: Time::from_stored(request.sent),
                input: request.input,
                output: request.output,
                cached: request.cached,
                class: request.class,
            };
            records.push(Record {
                id: request.id,
                arrival,
                scheduled: Time::from_stored(scheduled),
                first_token: Time::from_stored(first_token),
                finished: Time::from_stored(ended),
                preemptions,
            });
        }
    }

    /// The answer; `utilisation` is asked for that of the fleets over the whole run, in seconds.
    pub(crate) fn report(
        self,
        utilisation: impl FnOnce(f64) -> (Utilisation, Option<Utilisation>),
    ) -> Report {
        let since = |first: f64| (self.last - first.min(self.last)).max(f64::MIN_POSITIVE);
        let span = since(self.first);
        // Replicas are busy with the warm-up, too.
        let (fleet, decode) = utilisation(since(self.start));
        Report {
            arrived: self.arrived,
            answered: self.answered,
            rejected: self.rejected,
            refused: self.refused,
            overloaded: self.overloaded,
            backlog: self.backlog,
            growth: self.backlog.saturating_sub(self.warm),
            span: Time::from_stored(span),
            output_tokens: Tokens::from_stored(self.output_tokens as f64),
            classes: self.classes,
            fleet,
            decode,
            records: self.records.unwrap_or_default(),
        }
    }
}
