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
    /// Mean time of a request where a batch takes what waits. With T1 the time of one request and
    /// a = (TB - T1) / (B - 1) that of each further one, a batch of rate x T requests takes
    /// T = (T1 - a) / (1 - r a), at least T1; a request waits for half of the batch under way and
    /// then takes its own. Without batches it is M/D/1: T1 + r T1^2 / (2 (1 - r T1)).
    pub(super) fn latency(&self, rate: &Traced<RequestRate>) -> Traced<TimePerRequest> {
        let request = || Traced::constant(Requests::from_stored(1.0));
        let Self { alone, full, most } = self;
        let lone = alone / request();
        let busy = (rate * &lone).number();
        if most.value().value < 2.0 {
            return &busy * &lone / (2.0 * (1.0 - &busy)) + &lone;
        }
        let each =
            ((full - alone) / (most - request())).named("time of a further request in a batch");
        let batch = (&lone - &each) / (1.0 - (rate * &each).number());
        let batch = batch.max(&lone).named("time of a batch");
        &batch * (1.0 + busy.min(&Traced::constant(1.0)) / 2.0)
    }
}
