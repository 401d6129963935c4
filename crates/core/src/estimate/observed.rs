//! Statistics of a simulated replica at the peak, beside those that the forecast rests on.
//!
//! The room `serving::simulator` makes them, `study` puts them here, and the table of figures reads
//! them. They carry no formula: `explain` says what they are statistics of.

use std::sync::Arc;

use crate::provenance::Step;
use crate::quantity::{Data, Ratio, RequestRate, Time};
use crate::serving::simulator::ClassReport;

/// Statistics of a simulation; each is `None` where the simulation has none, or was not asked for
/// it.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Latencies of all requests.
    pub all: ClassReport,
    /// Latencies by class, where there are several.
    pub classes: Vec<(Arc<str>, ClassReport)>,
    /// Share of the requests that kept the SLO, 0 to 1.
    pub slo_attainment: Option<Ratio>,
    /// Share of the requests that the admission control refuses, 0 to 1; none without one.
    pub refused: Option<Ratio>,
    /// Rate of the requests that kept the SLO.
    pub goodput: Option<RequestRate>,
    /// Rate of requests that the simulated replica was given.
    pub planned_rate: Option<RequestRate>,
    /// Bytes of the weights on a replica.
    pub weights: Option<Data>,
    /// Bytes of memory that are left for its KV cache.
    pub kv_cache: Option<Data>,
    /// Share of the KV cache in use while busy: mean and most.
    pub kv_used: Option<[Ratio; 2]>,
    /// Preemptions, sequences evicted for want of memory, per request.
    pub preemptions: Option<Ratio>,
    /// How long a batch of one and the largest take, where requests are answered batch by batch.
    pub batch_times: Option<[Time; 2]>,
    /// Share of the time in which the prefill instances ran a step.
    pub prefill_busy: Option<Ratio>,
    /// Share of the time in which a replica ran a step.
    pub busy: Option<Ratio>,
    /// Sequences in the batch while busy: mean and most.
    pub batch: Option<[Ratio; 2]>,
    /// The traffic that the simulated requests are drawn from.
    pub inputs: Vec<Arc<Step>>,
    /// Share of the fleet's highest rate that is unused at the peak.
    pub headroom: Option<Ratio>,
}
