//! Statistics of a simulated replica at the peak, beside those that the forecast rests on.

use std::sync::Arc;

use crate::provenance::Step;
use crate::quantity::{Data, Ratio, RequestRate, Time};
use crate::serving::simulator::ClassReport;

/// Statistics of a simulation; none where it has none, or was not asked for one.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Latencies of all requests.
    pub all: ClassReport,
    /// Latencies by class, where there are several.
    pub classes: Vec<(Arc<str>, ClassReport)>,
    /// Share of the requests that kept the SLO.
    pub slo_attainment: Option<Ratio>,
    /// Rate of the requests that kept it.
    pub goodput: Option<RequestRate>,
    /// Rate of a replica.
    pub planned_rate: Option<RequestRate>,
    /// Weights on a replica.
    pub weights: Option<Data>,
    /// Memory that is left for its KV cache.
    pub kv_cache: Option<Data>,
    /// Share of the KV cache in use while busy: mean and most.
    pub kv_used: Option<[Ratio; 2]>,
    /// Sequences thrown out for want of memory.
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
