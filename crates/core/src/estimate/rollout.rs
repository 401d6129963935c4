//! Rollouts: the time in which a model writes the answers that it then learns from, on the serving
//! engine's step-time model.

use std::sync::Arc;

use crate::catalog::{Catalog, Device};
use crate::diagnostic::{Error, Result};
use crate::model::Model;
use crate::quantity::{Data, DeviceBandwidth, Measure as _, Precision, Time};
use crate::serving::calibration::{Calibration, Engine, Regime};
use crate::serving::instance::weights;
use crate::serving::memory::KvCapacity;
use crate::serving::served::ServedModel;
use crate::serving::simulator::{Arrival, Bounds, Fleet, Router, Simulation};
use crate::serving::step::{Deployment, Roofline};
use crate::serving::traffic::Lengths;
use crate::training::plan::Writing;

/// The answers of one step, and what writes them.
#[derive(Clone, Debug)]
pub struct Rollout {
    /// The model that writes.
    pub model: Arc<Model>,
    /// Id of the accelerator.
    pub accelerator: String,
    /// Name of the engine.
    pub engine: String,
    /// Number format in which it writes.
    pub precision: Precision,
    /// Devices of a replica; the fewest that hold it and 16 answers where it is not given.
    pub tensor: Option<u32>,
    /// Devices that write.
    pub devices: u64,
    /// True if they do nothing else; else the same devices learn.
    pub apart: bool,
    /// True if they write the next answers while the others learn from the last.
    pub asynchronous: bool,
    /// Answers of one step.
    pub answers: u64,
    /// Answers to the same prompt, which all but the first find in the cache.
    pub group: u32,
    /// Tokens of a prompt.
    pub prompt: u32,
    /// Tokens of an answer.
    pub answer: Lengths,
    /// The longest answer with its prompt.
    pub longest: u32,
}

/// Answers that a replica is to hold at once, where its size is chosen.
const ROOM: f64 = 16.0;
/// Share of the memory that an engine takes on devices that learn as well (the usual setting of
/// frameworks that put both on the same devices).
const SHARED_MEMORY: f64 = 0.5;
/// Most requests that are simulated; more take in proportion.
const MOST_REQUESTS: u64 = 2048;
/// Half-width of the 80 % interval of ln of rollouts beside that of an engine: how far eight
/// published runs lie from their mean (`tests/published/rollouts.rs`).
const SCATTER: f64 = 0.3;

impl Rollout {
    /// The time of one step's answers on all replicas, and of handing them the new weights: each
    /// device receives its part over the links between nodes.
    ///
    /// # Errors
    /// The model does not generate, or no replica holds it and one answer.
    pub(super) fn time(&self, catalog: &Catalog) -> Result<Writing> {
        let accelerator = catalog.accelerator(&self.accelerator)?;
        let device = Device::of(accelerator)?;
        let calibration = Calibration::shipped()?;
        let served = ServedModel::of(&self.model)?;
        let (name, known) = calibration.engine(&self.engine)?;
        let share = if self.apart { known.memory_share } else { SHARED_MEMORY };
        let engine = Engine { memory_share: share, ..known.clone() };
        let (deployment, capacity) = self.replica(&served, &device, &engine)?;
        let constants = calibration.constants(name)?.offline();
        let roofline = Roofline::new(&served, &device, &deployment, &constants);
        let replicas = (self.devices / u64::from(deployment.devices())).max(1);
        let requests = self.answers.div_ceil(replicas).max(1);
        let simulated = requests.min(MOST_REQUESTS);
        let sequences = engine.most_sequences(&device);
        let simulation = Simulation {
            fleet: Fleet {
                time: &roofline,
                limits: capacity.limits(&engine, &deployment, sequences),
                replicas: 1,
                router: Router::RoundRobin,
            },
            transfer: None,
            api_server: Time::from_stored(0.0),
            slo: vec![Bounds::default()],
            warm_up: 0,
            queue_limit: usize::MAX,
            records: false,
        };
        let lengths = Lengths::pairs(Lengths::Fixed(self.prompt), self.answer.clone(), 1);
        let arrivals = lengths.take(simulated as usize).enumerate().map(|(i, (input, output))| {
            let first = (i as u32).is_multiple_of(self.group.max(1));
            Arrival {
                at: Time::from_stored(0.0),
                input,
                output: output.min(self.longest.saturating_sub(self.prompt)).max(1),
                cached: if first { 0 } else { input.saturating_sub(1) },
                class: 0,
            }
        });
        let report = simulation.closed(simulated as u32, arrivals);
        let writing = report.span * (requests as f64 / simulated as f64);
        let part: Data = deployment.weights(&served, &device) / f64::from(deployment.tensor);
        let links: DeviceBandwidth = device.links.scale_out;
        let sync = Time::from_stored(part.stored() / links.stored());
        let unseen = !calibration.facts.accelerators.contains(&self.accelerator);
        let regime = Regime { unseen, ..Regime::default() };
        let width = calibration.half_width("output_tokens_per_s", regime);
        Ok(Writing {
            time: writing,
            sync,
            apart: self.apart.then_some(self.devices),
            asynchronous: self.asynchronous,
            half_width: width.hypot(SCATTER),
            how: format!(
                "{name} on {replicas} replicas of {} devices: {} answers in groups of {}, simulated",
                deployment.devices(),
                self.answers,
                self.group
            ),
        })
    }

    /// The replica that writes, with its memory.
    fn replica(
        &self,
        served: &ServedModel,
        device: &Device,
        engine: &Engine,
    ) -> Result<(Deployment, KvCapacity)> {
        let of = |tensor: u32| {
            let deployment = Deployment {
                tensor,
                pipeline: 1,
                data: 1,
                expert_parallel: served.experts > 0 && tensor > 1,
                weights: weights(self.precision),
                kv_bytes: 2.0,
            };
            let capacity = KvCapacity::of(served, device, &deployment, engine, self.longest)?;
            Ok((deployment, capacity))
        };
        if let Some(tensor) = self.tensor {
            return of(tensor);
        }
        let most = self.devices.min(64) as u32;
        let sizes = (0..).map(|n| 1_u32 << n).take_while(|size| *size <= most.max(1));
        let mut last: Result<_> =
            Err(Error::input("rollouts need at least one device")
                .hint("`rl: {rollout: {devices: 8}}`"));
        for size in sizes {
            last = of(size);
            if last.as_ref().is_ok_and(|(_, capacity): &(_, KvCapacity)| capacity.sequences >= ROOM)
            {
                break;
            }
        }
        last
    }
}
