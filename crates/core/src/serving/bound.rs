//! A rate that no engine exceeds, whatever it does: what the datasheet allows.

use super::plan::{Demand, FlopPerRequest, Replica};
use crate::diagnostic::{Error, Result};
use crate::quantity::{Measure as _, RequestRate};

impl Replica {
    /// A rate that no engine exceeds: 1 / the longer of the two times that a request takes of the
    /// devices at their datasheet rates,
    /// ```text
    /// compute = FLOPs / (peak x devices)
    /// memory  = output (weights / B + cache per token (input + output / 2)) / (bandwidth x devices)
    /// ```
    /// with B the requests that fit all of the memory, at most the largest batch. A model with
    /// experts need not read all weights in a step: none are counted. Tables and towers are not read. Where tokens are drafted, what
    /// is read serves as many as a verification yields.
    ///
    /// # Errors
    /// The weights exceed all of the memory.
    pub fn rate_bound(&self, demand: &Demand, flops: FlopPerRequest) -> Result<RequestRate> {
        let devices = self.all_devices().value().value;
        let free = self.memory.value.value * devices - self.weights.value.value;
        if free <= 0.0 {
            return Err(Error::limit("the weights exceed the memory"));
        }
        let compute = flops.value / (self.peak.value.value * devices);
        let tokens = self.output.as_ref().zip(demand.instances.as_ref());
        let memory = tokens.map_or(0.0, |(output, instances)| {
            let input = self.input.trace().value().value;
            let output = output.trace().value().value;
            let cache = instances.cache_per_token((input + output).ceil() as u32).value;
            let fitting = free / (cache * (input + output)).max(f64::MIN_POSITIVE);
            let batch = self.max_batch.value.min(fitting).max(1.0);
            let read = (self.weights.value - instances.unread()).value;
            let weights = if instances.dense() { read / batch } else { 0.0 };
            let moved = weights + cache * (input + output / 2.0);
            let speculation = self.speculation.as_ref();
            let tokens = speculation.map_or(1.0, |it| it.tokens_per_verification().value().value);
            output * moved / tokens / (self.bandwidth.value.value * devices)
        });
        Ok(RequestRate::from_stored(1.0 / compute.max(memory).max(f64::MIN_POSITIVE)))
    }
}
