//! Requests that are answered batch by batch, in closed form.

use super::closed_form::TimePerRequest;
use crate::provenance::Traced;
use crate::quantity::{Measure as _, RequestRate, Requests, Time};

/// Batches of a network that answers in one pass, or of prompts on instances of their own.
#[derive(Clone, Debug)]
pub struct Batches {
    /// Time of a request alone.
    pub alone: Traced<Time>,
    /// Time of a full batch.
    pub full: Traced<Time>,
    /// Requests of a full batch, at least one.
    pub most: Traced<Requests>,
}

impl Batches {
    /// Mean time of a request where a batch takes what waits, with T1 the time of one request, TB that
    /// of a full batch of B, a = (TB - T1) / (B - 1) that of each further one, t = T1 - a, and
    /// rho = r TB / B. Where any number shares a batch it is (Inoue 2021, arXiv:1912.06322)
    /// ```text
    /// I = min(T1 (1 + 2 r t + (1 - r t) / (1 + r a)) / (2 (1 - r a)),
    ///         3 t / (2 (1 - r a)) + a (2 + r a) / (2 (1 - r^2 a^2)))
    /// ```
    /// Full batches are a queue. Where a batch takes little longer than one request, a request
    /// waits for no more than half of the one under way and its own, and for those that are full
    /// (Sakasegawa 1977): M. Where it takes B times as long, it waits as if each were answered alone
    /// (M/D/1), and for those behind it in its batch, half of it at most: S.
    /// ```text
    /// M = min(I, 3/2 TB) + rho^sqrt(2 (B + 1)) TB / (2 B (1 - rho))
    /// Q = rho TB / (2 B (1 - rho))
    /// S = Q + T1 + min(max(I - Q - T1, 0), (TB - T1) / 2)
    /// T = M + (a / T1)^2 (S - M)
    /// ```
    /// Simulated batches of 2 to 256 take from 3 % more to 22 % less up to 95 % of the highest rate.
    /// Without batches it is M/D/1: Q + T1.
    pub(super) fn latency(&self, rate: &Traced<RequestRate>) -> Traced<TimePerRequest> {
        let request = || Traced::constant(Requests::from_stored(1.0));
        let Self { alone, full, most } = self;
        let (lone, whole, share) = (alone / request(), full / request(), full / most);
        let load = (rate * &share).number().named("share of the highest rate");
        let spare = 1.0 - &load;
        // From the highest rate on the wait has no end.
        let beyond = spare.value() <= 0.0;
        let spare = if beyond { spare.or_nothing() } else { spare };
        let behind = &share / (2.0 * spare);
        let single = (&load * &behind).named("wait for requests answered one by one");
        if beyond || most.value().value < 2.0 {
            return single + lone;
        }
        let each =
            ((full - alone) / (most - request())).named("time of a further request in a batch");
        let once = (&lone - &each).named("time of a batch beside that of its requests");
        let further = (rate * &each).number();
        let start = (rate * &once).number();
        let rest = 2.0 * (1.0 - &further);
        let few = &lone * ((1.0 + 2.0 * &start + (1.0 - start) / (1.0 + &further)) / &rest);
        let many = &once * (3.0 / &rest) + &each * ((2.0 + &further) / (&rest * (1.0 + &further)));
        let any = few.min(&many).named("time of a request if batches had no end");
        let root = 2.0 * ((most / request()).number() + 1.0);
        let root = root.pow(&Traced::constant(0.5));
        let queue = behind * load.pow(&root);
        let full_batches = any.min(&(&whole * 1.5)) + queue.named("wait for full batches");
        let sharing = (&any - &single - &lone).or_nothing().min(&((whole - &lone) / 2.0));
        let one_by_one = single + &lone + sharing;
        let weight = (each / lone).number().pow(&Traced::constant(2.0));
        &full_batches * (1.0 - &weight) + one_by_one * weight
    }

    /// The same where a batch waits for more requests for so long: its first one for all of it,
    /// those that come within it for half on average.
    pub(super) fn latency_after(
        &self,
        rate: &Traced<RequestRate>,
        delay: &Traced<TimePerRequest>,
    ) -> Traced<TimePerRequest> {
        let coming = (rate * delay).number();
        let wait = delay * ((1.0 + &coming / 2.0) / (1.0 + &coming));
        self.latency(rate) + wait.named("wait for a batch")
    }
}
