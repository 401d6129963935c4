//! What fits: weights first, then the KV cache.

use super::calibration::Engine;
use super::served::ServedModel;
use super::simulator::{Limits, Stepping};
use super::step::{Deployment, Device};
use crate::diagnostic::{Error, Result};
use crate::quantity::{Data, Measure as _, Tokens, text};

/// Memory that an engine takes on each device beside weights and cache: context, activations,
/// captured graphs.
const RESERVED: f64 = 3e9;
/// Tokens of a block of the paged KV cache (vLLM's default on GPUs).
const BLOCK: u32 = 16;

/// The memory of one replica.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KvCapacity {
    /// Weights of the replica, all devices together.
    pub weights: Data,
    /// What is left for the KV cache.
    pub cache: Data,
    /// Tokens that it holds, at the length asked about.
    pub tokens: Tokens,
    /// Sequences of that length that run at once.
    pub sequences: f64,
}

impl KvCapacity {
    /// What a replica holds of sequences of `length` tokens.
    ///
    /// Capacity = engine's share of the memory - reserve - weights; a cache that tensor
    /// parallelism cannot split further is there as often as the degree exceeds its heads.
    ///
    /// # Errors
    /// Where the weights or a single sequence do not fit, with what would make them fit.
    pub fn of(
        model: &ServedModel,
        device: &Device,
        deployment: &Deployment,
        engine: &Engine,
        length: u32,
    ) -> Result<Self> {
        let devices = f64::from(deployment.devices());
        let usable = (device.memory.value * engine.memory_share - RESERVED).max(0.0) * devices;
        let weights = deployment.weights(model, device);
        let show = |bytes: f64| text::show(Data::from_stored(bytes));
        let more = |needed: f64| {
            let per_device = (usable / devices).max(1.0);
            let fit = (needed / per_device).ceil().max(devices + 1.0);
            format!(
                "use at least {fit:.0} such devices per replica, a narrower precision, or a device \
                 with more memory"
            )
        };
        if weights.value >= usable {
            return Err(Error::limit(format!(
                "the model does not fit: its weights take {} and {devices:.0} devices offer {}",
                show(weights.value),
                show(usable)
            ))
            .hint(more(weights.value)));
        }
        let copies = (f64::from(deployment.tensor) / model.kv_shards as f64).max(1.0);
        let length = f64::from(length.max(1));
        let sequence = model.cached(length) * deployment.kv_bytes * copies;
        let cache = usable - weights.value;
        if sequence > cache {
            return Err(Error::limit(format!(
                "one request of {length:.0} tokens does not fit: its KV cache takes {} and {} are \
                 left beside the weights",
                show(sequence),
                show(cache)
            ))
            .hint(more(weights.value + sequence))
            .hint("an 8-bit KV cache takes half"));
        }
        let sequences = if sequence > 0.0 { cache / sequence } else { f64::from(u32::MAX) };
        Ok(Self {
            weights,
            cache: Data::from_stored(cache),
            tokens: Tokens::from_stored(sequences * length),
            sequences,
        })
    }

    /// The simulator's limits of a replica with at most `sequences` at once.
    pub fn limits(&self, engine: &Engine, deployment: &Deployment, sequences: u32) -> Limits {
        Limits {
            sequences: sequences.max(1),
            tokens: engine.step_tokens.saturating_mul(deployment.data).max(1),
            blocks: (self.tokens.value / f64::from(BLOCK)) as u64,
            block: BLOCK,
            scheduler: engine.scheduler(),
            stepping: Stepping::Leap,
        }
    }
}
