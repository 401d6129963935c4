//! The memory of a replica: weights first, then the KV cache.

use super::calibration::Engine;
use super::plan::KvPerToken;
use super::served::ServedModel;
use super::simulator::{Admission, Limits, Stepping};
use super::step::Deployment;
use crate::catalog::Device;
use crate::diagnostic::{Error, Result};
use crate::quantity::{Data, DeviceMemory, Measure as _, Tokens, text};

/// Memory that an engine takes on each device beside weights and cache: context, activations,
/// captured graphs. A device too small for that is run with less.
pub fn reserve(device: &Device) -> DeviceMemory {
    DeviceMemory::from_stored(f64::min(3e9, device.memory.value / 8.0))
}

/// Tokens of a block of the paged KV cache (vLLM's default on GPUs).
const BLOCK: u32 = 16;

/// The memory of one replica.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KvCapacity {
    /// Weights of the replica, all devices together.
    pub weights: Data,
    /// Memory that is left for the KV cache.
    pub cache: Data,
    /// Tokens that it holds, at the length asked about.
    pub tokens: Tokens,
    /// Sequences of that length that run at once.
    pub sequences: f64,
}

impl KvCapacity {
    /// The capacity of a replica for sequences of `length` tokens.
    ///
    /// Capacity = engine's share of the memory - reserve - weights; a cache that tensor
    /// parallelism cannot split further is there as often as the degree exceeds its heads.
    ///
    /// # Errors
    /// If the weights or a single sequence do not fit.
    pub fn of(
        model: &ServedModel,
        device: &Device,
        deployment: &Deployment,
        engine: &Engine,
        length: u32,
    ) -> Result<Self> {
        Self::beside(None, (model, deployment), device, engine, length, Data::default())
    }

    /// The same where a draft with its own weights and cache is on the same devices, and `more`
    /// weights.
    ///
    /// # Errors
    /// As [`KvCapacity::of`].
    pub fn beside(
        draft: Option<(&ServedModel, &Deployment)>,
        (model, deployment): (&ServedModel, &Deployment),
        device: &Device,
        engine: &Engine,
        length: u32,
        more: Data,
    ) -> Result<Self> {
        let devices = f64::from(deployment.devices());
        let usable = device.memory.value * engine.memory_share - reserve(device).value;
        let usable = usable.max(0.0) * devices;
        let all = || std::iter::once((model, deployment)).chain(draft);
        let weights = weights(all(), device) + more;
        let show = |bytes: f64| text::show(Data::from_stored(bytes));
        let offer = || match deployment.devices() {
            1 => "the device offers".to_owned(),
            devices => format!("{devices} devices offer"),
        };
        if weights.value >= usable {
            return Err(Error::limit(format!(
                "the model does not fit: its weights take {} and {} {}",
                show(weights.value),
                offer(),
                show(usable)
            )));
        }
        let sequence = sequence(all(), length);
        let cache = usable - weights.value;
        if sequence > cache {
            return Err(Error::limit(format!(
                "one request of {length} tokens does not fit: its KV cache takes {} and {} are \
                 left beside the weights",
                show(sequence),
                show(cache)
            )));
        }
        let sequences = if sequence > 0.0 { cache / sequence } else { f64::from(u32::MAX) };
        Ok(Self {
            weights,
            cache: Data::from_stored(cache),
            tokens: Tokens::from_stored(sequences * f64::from(length.max(1))),
            sequences,
        })
    }

    /// The same where the engine itself says how many tokens its cache holds.
    ///
    /// # Errors
    /// If a single sequence does not fit.
    pub fn stated(
        draft: Option<(&ServedModel, &Deployment)>,
        model: (&ServedModel, &Deployment),
        device: &Device,
        tokens: Tokens,
        length: u32,
    ) -> Result<Self> {
        let all = || std::iter::once(model).chain(draft);
        let sequences = tokens.value / f64::from(length.max(1));
        if sequences < 1.0 {
            return Err(Error::limit(format!(
                "one request of {length} tokens does not fit into a KV cache of {:.0}",
                tokens.value
            )));
        }
        Ok(Self {
            weights: weights(all(), device),
            cache: Data::from_stored(sequences * sequence(all(), length)),
            tokens,
            sequences,
        })
    }

    /// Cache of a token, at the length asked about.
    pub fn per_token(&self) -> KvPerToken {
        KvPerToken::from_stored(self.cache.value / self.tokens.value)
    }

    /// True if sequences leave anything in it.
    pub fn caches(&self) -> bool {
        self.sequences < f64::from(u32::MAX)
    }

    /// The simulator's limits of a replica with at most `sequences` at once.
    pub fn limits(&self, engine: &Engine, deployment: &Deployment, sequences: u32) -> Limits {
        Limits {
            sequences: sequences.max(1),
            tokens: engine.step_tokens.saturating_mul(deployment.data).max(1),
            blocks: (self.tokens.value / f64::from(BLOCK)) as u64,
            block: BLOCK,
            shared: 0,
            sets_aside: engine.sets_aside,
            scheduler: engine.scheduler(),
            admission: Admission::ALL,
            stepping: Stepping::Leap,
        }
    }
}

/// Memory that the weights of all models take.
fn weights<'a>(
    models: impl Iterator<Item = (&'a ServedModel, &'a Deployment)>,
    device: &Device,
) -> Data {
    models
        .map(|(model, deployment)| deployment.weights(model, device))
        .fold(Data::default(), |sum, weights| sum + weights)
}

/// Bytes that the caches of a sequence take over all devices.
pub(super) fn sequence<'a>(
    models: impl Iterator<Item = (&'a ServedModel, &'a Deployment)>,
    length: u32,
) -> f64 {
    let of = |(model, deployment): (&ServedModel, &Deployment)| {
        let copies = (f64::from(deployment.tensor) / model.kv_shards as f64).max(1.0);
        model.cached(f64::from(length.max(1)), deployment.kv_bytes, copies).value
    };
    models.map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::super::calibration::Calibration;
    use super::super::simulator::StepTime;
    use super::super::step::{Roofline, Weights};
    use super::*;
    use crate::catalog::Catalog;

    /// Llama-3.1-70B (its config.json): 80 layers, 8192 wide, 64 heads of 128, 8 for keys.
    fn llama() -> ServedModel {
        let pair = 80.0 * 4.0 * 64.0 * 128.0;
        ServedModel {
            layers: 80,
            hidden: 8192,
            attention: 80 * (2 * 8192 * 8192 + 2 * 8192 * 1024),
            dense: 80 * 3 * 8192 * 28672,
            head: 128_256 * 8192,
            embedding: 128_256 * 8192,
            kv: 80 * 2 * 8 * 128,
            kv_shards: 8,
            pair_flops: (pair, 0.0),
            context_flops: (pair, 0.0),
            ..ServedModel::default()
        }
    }

    fn deployment(tensor: u32, weights: Weights) -> Deployment {
        Deployment { tensor, pipeline: 1, data: 1, expert_parallel: false, weights, kv_bytes: 2.0 }
    }

    fn h100() -> Device {
        Device::of(Catalog::embedded().accelerator("h100-sxm").unwrap()).unwrap()
    }

    fn capacity(tensor: u32, weights: Weights, length: u32) -> Result<KvCapacity> {
        let calibration = Calibration::shipped().unwrap();
        let (_, engine) = calibration.engine("vllm").unwrap();
        KvCapacity::of(&llama(), &h100(), &deployment(tensor, weights), engine, length)
    }

    #[test]
    fn the_cache_takes_what_the_weights_leave() {
        let capacity = capacity(4, Weights::Sixteen, 2000).unwrap();
        assert!((capacity.weights.value / 141.1e9 - 1.0).abs() < 1e-3);
        // 4 x (80 GB x 0.9 - 3 GB) - 141.1 GB, at 327,680 B per token.
        assert!((capacity.tokens.value / 411_700.0 - 1.0).abs() < 1e-3, "{:?}", capacity.tokens);
        assert!((capacity.sequences - capacity.tokens.value / 2000.0).abs() < 1e-6);
    }

    #[test]
    fn what_does_not_fit_says_what_it_takes() {
        let error = capacity(1, Weights::Sixteen, 2000).unwrap_err().to_string();
        assert!(error.contains("weights take 141.1 GB"), "{error}");
        let error = capacity(1, Weights::Eight, 2000).unwrap_err().to_string();
        assert!(error.contains("does not fit"), "{error}");
        let error = capacity(4, Weights::Sixteen, 1 << 20).unwrap_err().to_string();
        assert!(error.contains("one request of 1048576 tokens"), "{error}");
    }

    #[test]
    fn a_step_is_never_faster_than_the_datasheet() {
        let constants = Calibration::shipped().unwrap().constants("vllm").unwrap();
        let time = |tensor, weights| {
            Roofline::new(&llama(), &h100(), &deployment(tensor, weights), &constants)
        };
        let decode = |time: &Roofline| time.tokens(1.0, 0.0, 0.0).value;
        // 139 GB over 4 x 3.35 TB/s is 10.4 ms.
        let four = time(4, Weights::Sixteen);
        assert!(decode(&four) > 10.4e-3 && decode(&four) < 25e-3, "{}", decode(&four));
        assert!(decode(&time(8, Weights::Sixteen)) < decode(&four));
        assert!(decode(&time(4, Weights::Eight)) < decode(&four));
        // 2 x 69.5e9 FLOP x 8192 tokens over 4 x 989 TFLOP/s is 288 ms.
        let prompt = four.tokens(0.0, 8192.0, 1.0).value;
        assert!(prompt > 0.288 && prompt < 1.5, "{prompt}");
        assert!((decode(&four.clone().scaled(2.0)) / decode(&four) - 2.0).abs() < 1e-12);
        let steps: Vec<f64> = (1..200).map(|b| four.tokens(b.into(), 0.0, 0.0).value).collect();
        assert!(steps.windows(2).all(|pair| pair[0] <= pair[1]));
    }

    #[test]
    fn the_stages_of_a_pipeline_work_on_parts_of_the_batch() {
        let constants = Calibration::shipped().unwrap().constants("vllm").unwrap();
        let staged = |pipeline| {
            let deployment = Deployment { pipeline, ..deployment(2, Weights::Sixteen) };
            Roofline::new(&llama(), &h100(), &deployment, &constants)
        };
        let (one, four) = (staged(1), staged(4));
        let seconds = |time: &Roofline, sequences| time.tokens(sequences, 0.0, 0.0).value;
        // The handovers come on top of what a quarter of the batch takes in a single stage.
        let extra = seconds(&four, 64.0) / seconds(&one, 16.0) - 1.0;
        assert!(extra > 0.0 && extra < 0.05, "{extra}");
        assert!((four.context().value / one.context().value - 0.25).abs() < 1e-9);
        assert!((four.pairs().0.value / one.pairs().0.value - 0.25).abs() < 1e-9);
    }

    #[test]
    fn unknown_engines_are_refused_with_the_known_ones() {
        let error = Calibration::shipped().unwrap().constants("vlm").unwrap_err().to_string();
        assert!(error.contains("did you mean `vllm`"), "{error}");
    }
}
