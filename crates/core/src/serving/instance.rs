//! The instances of a replica: a model on devices behind an engine's scheduler. One that reads
//! prompts
//! and generates, or prefill instances beside decode instances.
//!
//! An [`Instances`] holds what does not depend on the load; [`Instances::under`] adds what does, and is
//! what both the closed form and the simulator compute from.

use std::borrow::Cow;
use std::sync::Arc;

use super::calibration::{Calibration, Engine, Maturity, Power, Regime};
use super::closed_form::Capability;
use super::first::First;
use super::memory::{self, KvCapacity};
use super::plan::{Adapters, Demand, GroupFormat, KvPerToken, Quantized, Replica, Spread};
use super::request::Asked;
use super::served::ServedModel;
use super::simulator::{Admission, Bounds, Fleet, KvTransfer, Limits, Router, Simulation};
use super::speculative::Speculative;
use super::step::{Deployment, Format, Roofline, Weights};
use crate::catalog::Device;
use crate::diagnostic::{Error, Result};
use crate::model::Model;
use crate::quantity::{Data, Measure as _, Precision, Time};

/// The parts of a replica, whatever its load.
#[derive(Clone, Debug)]
pub struct Instances {
    /// The name of the engine.
    pub engine: String,
    /// The device.
    pub device: Device,
    settings: Engine,
    regime: Regime,
    power: Power,
    model: ServedModel,
    draft: Option<(ServedModel, Weights)>,
    adapters: Option<Adapters>,
    /// The decode instance, or the one that does both.
    pub decode: Instance,
    /// The prefill instance, where it is another, and the time to move the KV cache of a token.
    pub prefill: Option<(Instance, Time)>,
    /// API server: fixed, and per prompt token; in seconds.
    api_server: (f64, f64),
    /// Share of a link's bandwidth that is reached.
    link: f64,
    words: Arc<str>,
    pub(super) memo: Arc<Memo>,
}

/// What a replica's closed form was asked first, by the inputs that it depends on.
#[derive(Debug, Default)]
pub(super) struct Memo {
    /// The mean request.
    pub(super) asked: First<Vec<f64>, Asked>,
    /// The limits of a replica.
    pub(super) capability: First<Vec<f64>, Capability>,
}

/// One instance.
#[derive(Clone, Debug)]
pub struct Instance {
    /// How its model is spread.
    pub deployment: Deployment,
    /// A step, before any factor that the user measured.
    time: Speculative<Roofline>,
}

/// The instances of a replica under a load.
#[derive(Clone, Debug)]
pub struct Engines {
    /// The decode instances, or those that do both.
    pub decode: Pool,
    /// The prefill instances, where they are others, and the time to move the KV cache of a token.
    pub prefill: Option<(Pool, Time)>,
    /// API server: from the client to the engine's queue and back.
    pub api_server: Time,
}

/// Instances that are alike.
#[derive(Clone, Debug)]
pub struct Pool {
    /// How long a step takes.
    pub time: Speculative<Roofline>,
    /// The part that fits.
    pub memory: KvCapacity,
    /// How many there are.
    pub count: u32,
    /// Devices of each.
    pub devices: u32,
    /// The scheduler's limits.
    pub limits: Limits,
}

/// Why a load has no replica: what does not fit where.
#[derive(Clone, Debug)]
pub struct Unfit {
    /// Why.
    pub error: Error,
    /// The instance.
    pub deployment: Deployment,
    /// It is the prefill instance.
    pub prefill: bool,
}

impl From<Unfit> for Error {
    fn from(unfit: Unfit) -> Self {
        unfit.error
    }
}

/// The arguments of [`Instances::new`].
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// The name of the engine.
    pub engine: &'a str,
    /// The device, and its name.
    pub device: Device,
    /// See `device`.
    pub accelerator: &'a str,
    /// The model, as it is served.
    pub model: &'a Model,
    /// Its formats.
    pub weights: Weights,
    /// Storage of a number of the KV cache, in bytes.
    pub kv_bytes: f64,
    /// How it is spread over the devices of a decode instance.
    pub spread: Spread,
    /// The same of a prefill instance, where it is another.
    pub prefill: Option<Spread>,
    /// Tokens that are drafted for each verification.
    pub drafted: u32,
    /// The model that drafts, and its formats.
    pub draft: Option<(&'a Model, Weights)>,
    /// Adapters of the model.
    pub adapters: Option<Adapters>,
    /// Time that towers for images and sound add to a token of a prompt, on one device.
    pub tower: Time,
}

impl Parts<'_> {
    /// The knowledge that the fit has of it.
    fn regime(&self, calibration: &Calibration, engine: &Engine) -> Regime {
        let wide = |spread: Spread| spread.tensor * spread.pipeline * spread.data > 16;
        let seen = calibration.facts.accelerators.iter().any(|it| it == self.accelerator);
        Regime {
            apart: self.prefill.is_some(),
            wide: wide(self.spread),
            unseen: !seen
                || engine.maturity == Maturity::Inherited
                || !self.weights.fitted(&self.device),
        }
    }

    /// The source of the step time in words: engine, device and degrees.
    fn words(&self) -> String {
        let Spread { tensor, pipeline, data, .. } = self.spread;
        let spread = match (pipeline, data) {
            (1, 1) => format!("tensor {tensor}"),
            _ => format!("tensor {tensor} x pipeline {pipeline} x data {data}"),
        };
        format!("step-time model of {} on {}, {spread}", self.engine, self.accelerator)
    }
}

impl Instances {
    /// The instances of a model under a calibration.
    ///
    /// # Errors
    /// An engine that is not calibrated; a model that does not generate.
    pub fn new(parts: &Parts<'_>, calibration: &Calibration) -> Result<Self> {
        let Parts { engine, device, weights, kv_bytes, drafted, .. } = *parts;
        let (engine, settings) = calibration.engine(engine)?;
        let constants = calibration.constants(engine)?;
        let model = ServedModel::of(parts.model)?;
        let draft = match parts.draft {
            Some((draft, weights)) => Some((ServedModel::of(draft)?, weights)),
            None => None,
        };
        let several = |spread: Spread| spread.tensor * spread.pipeline * spread.data > 1;
        if several(parts.spread) || parts.prefill.is_some() {
            let joined = device.links.joined(parts.accelerator);
            joined.map_err(|error| error.hint("or use one: inference.parallelism: {tensor: 1}"))?;
        }
        let roofline = |model: &ServedModel, deployment: &Deployment| {
            settings.time(model, &device, deployment, &constants)
        };
        let instance = |spread: Spread| {
            let deployment = Deployment {
                tensor: spread.tensor,
                pipeline: spread.pipeline,
                data: spread.data,
                expert_parallel: spread.whole_experts,
                weights,
                kv_bytes,
            };
            let plain = roofline(&model, &deployment).with_tower(parts.tower, &deployment);
            let plain = match parts.adapters {
                Some(adapters) => plain.with_adapters(adapters, &device, deployment.tensor),
                None => plain,
            };
            let time = Speculative {
                verification: if drafted > 0 { plain.verifying(drafted + 1) } else { plain },
                draft: draft.as_ref().map(|(draft, weights)| {
                    roofline(draft, &drafting(*weights, &deployment)).within_a_step()
                }),
                drafted,
                accepted_length: 1.0,
            };
            Instance { deployment, time }
        };
        let prefill = parts.prefill.map(|spread| {
            let prefill = instance(spread);
            let transfer = Roofline::kv_transfer(&model, &device, &prefill.deployment, &constants);
            (prefill, transfer)
        });
        Ok(Self {
            engine: engine.to_owned(),
            decode: instance(parts.spread),
            prefill,
            api_server: (constants.api_server, constants.api_server_token),
            link: constants.link,
            words: parts.words().into(),
            memo: Arc::default(),
            regime: parts.regime(calibration, settings),
            power: calibration.power()?,
            settings: settings.clone(),
            adapters: parts.adapters,
            device,
            model,
            draft,
        })
    }

    /// The model that times its steps, in words.
    pub fn words(&self) -> Arc<str> {
        Arc::clone(&self.words)
    }

    /// The basis of its cache's size, in words.
    pub fn cache(&self) -> String {
        let bytes = self.decode.deployment.kv_bytes;
        format!("cached elements of a position x {bytes} B")
    }

    /// The cache of a token of a sequence of this length.
    pub fn cache_per_token(&self, length: u32) -> KvPerToken {
        let both = std::iter::once((&self.model, &self.decode.deployment));
        KvPerToken::from_stored(memory::sequence(both, length) / f64::from(length.max(1)))
    }

    /// Share of a link's bandwidth that is reached.
    pub fn link(&self) -> f64 {
        self.link
    }

    /// The window of its attention.
    pub fn window(&self) -> Option<u32> {
        self.model.window
    }

    /// Weights of an instance, and of one that only reads prompts.
    pub fn weights(&self) -> (Data, Option<Data>) {
        let of = |instance: &Instance| {
            let deployment = &instance.deployment;
            deployment.weights(&self.model, &self.device) + self.adapters_on(deployment)
        };
        (of(&self.decode), self.prefill.as_ref().map(|(prefill, _)| of(prefill)))
    }

    /// Of the weights of an instance, those that no token of an answer reads whole: a table that is no
    /// head, too, and towers for images and sound.
    pub fn unread(&self) -> Data {
        Data::from_stored(2.0 * (self.model.embedding + self.model.beside) as f64)
    }

    /// Weights of all adapters on a replica: of each, one factor is whole on every device of a
    /// tensor-parallel group, the other is split.
    fn adapters_on(&self, deployment: &Deployment) -> Data {
        let copies = f64::from(deployment.data) * (1.0 + f64::from(deployment.tensor)) / 2.0;
        self.adapters.map_or(Data::default(), |it| it.each * it.count * copies)
    }

    /// The knowledge that the fit has of such a replica.
    pub fn regime(&self) -> Regime {
        self.regime
    }

    /// How the power of its devices follows their use.
    pub fn power(&self) -> Power {
        self.power
    }

    /// The engine's settings.
    pub fn settings(&self) -> &Engine {
        &self.settings
    }

    /// Every token reads all weights: there are no experts.
    pub fn dense(&self) -> bool {
        self.model.experts == 0
    }

    /// The sequences of `length` tokens that an instance holds, on this or another device.
    ///
    /// # Errors
    /// As [`KvCapacity::of`].
    pub fn holds(
        &self,
        demand: &Demand,
        device: &Device,
        deployment: &Deployment,
        length: u32,
    ) -> Result<KvCapacity> {
        let draft =
            self.draft.as_ref().map(|(draft, weights)| (draft, drafting(*weights, deployment)));
        let draft = draft.as_ref().map(|(draft, deployment)| (*draft, deployment));
        let both = (&self.model, deployment);
        if let Some(tokens) = &demand.kv_cache {
            return KvCapacity::stated(draft, both, device, tokens.value, length);
        }
        let more = self.adapters_on(deployment);
        KvCapacity::beside(draft, both, device, &self.settings, length, more)
    }

    /// The instances under requests of these mean lengths.
    ///
    /// # Errors
    /// [`Unfit`] where weights and one request exceed the memory.
    pub fn under(
        &self,
        replica: &Replica,
        demand: &Demand,
        (input, output): (f64, f64),
    ) -> Result<Engines, Box<Unfit>> {
        let settings = match &demand.max_batch_tokens {
            None => Cow::Borrowed(&self.settings),
            Some(most) => {
                Cow::Owned(Engine { step_tokens: most.value as u32, ..self.settings.clone() })
            }
        };
        let factors = [&demand.step_time, &demand.step_error].into_iter().flatten();
        let factor: f64 = factors.map(|factor| factor.value).product();
        let speculation = replica.speculation.as_ref();
        let length = (input + output).ceil() as u32;
        let pool = |instance: &Instance, count: f64, prefill| -> Result<Pool, Box<Unfit>> {
            let Instance { deployment, time } = instance;
            let memory = self
                .holds(demand, &self.device, deployment, length)
                .map_err(|error| Box::new(Unfit { error, deployment: *deployment, prefill }))?;
            Ok(Pool {
                time: Speculative {
                    accepted_length: speculation
                        .map_or(1.0, |it| it.tokens_per_verification().value().value),
                    ..time.clone().scaled(factor)
                },
                limits: Limits {
                    // Those whose prompt was read elsewhere have been taken in.
                    admission: if prefill || replica.pools.is_none() {
                        demand.admission
                    } else {
                        Admission::ALL
                    },
                    ..memory
                        .limits(&settings, deployment, replica.max_batch.value as u32)
                        .sharing(demand.opening)
                },
                memory,
                count: count as u32,
                devices: deployment.devices(),
            })
        };
        let (fixed, per_token) = self.api_server;
        let pools = replica.pools.as_ref();
        Ok(Engines {
            decode: pool(&self.decode, pools.map_or(1.0, |it| it.decode.value), false)?,
            prefill: match (&self.prefill, pools) {
                (Some((prefill, transfer)), Some(pools)) => {
                    Some((pool(prefill, pools.prefill.value, true)?, *transfer))
                }
                _ => None,
            },
            api_server: Time::from_stored(fixed + per_token * input),
        })
    }
}

impl Pool {
    /// The instances as the simulator runs them: a request goes to the one with the fewest
    /// unanswered.
    fn fleet(&self) -> Fleet<'_, Speculative<Roofline>> {
        let Self { time, limits, count, .. } = self;
        Fleet { time, limits: *limits, replicas: *count, router: Router::LeastOutstanding }
    }

    /// Requests of mean length at once, over all instances.
    pub fn concurrency(&self) -> f64 {
        self.memory.sequences.min(f64::from(self.limits.sequences)) * f64::from(self.count)
    }
}

impl Engines {
    /// The same engines, every step taking `factor` times as long.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        let scaled = |pool: Pool| Pool { time: pool.time.scaled(factor), ..pool };
        Self {
            decode: scaled(self.decode),
            prefill: self.prefill.map(|(pool, transfer)| (scaled(pool), transfer)),
            ..self
        }
    }

    /// One replica without bounds on latencies.
    pub fn simulation(&self) -> Simulation<'_, Speculative<Roofline>> {
        let decode = self.decode.fleet();
        Simulation {
            fleet: self.prefill.as_ref().map_or(decode, |(prefill, _)| prefill.fleet()),
            transfer: self.prefill.as_ref().map(|(_, per_token)| KvTransfer {
                decode,
                latency: Time::from_stored(0.0),
                per_token: *per_token,
            }),
            api_server: self.api_server,
            slo: vec![Bounds::default()],
            warm_up: 0,
            queue_limit: usize::MAX,
            records: false,
        }
    }
}

/// The formats of an uncompressed model.
///
/// Engines are calibrated in 16 bits and less; wider formats move more bytes at the device's own peak
/// and reach the same shares of both.
pub fn weights(precision: Precision) -> Weights {
    match precision {
        Precision::Fp16 | Precision::Bf16 => Weights::Sixteen,
        Precision::Fp8 | Precision::Int8 => Weights::Eight,
        Precision::Fp4 => Weights::Nv4,
        Precision::Int4 => Weights::Int4,
        Precision::Fp64 | Precision::Fp32 | Precision::Tf32 => {
            let wide = Format { bytes: precision.size().value, bits: 32 };
            Weights::Each { experts: wide, rest: wide }
        }
    }
}

/// The formats after compression.
pub fn quantized(formats: Quantized) -> Weights {
    let format = |group: GroupFormat| Format {
        bytes: group.weight.value,
        bits: match group.products {
            Precision::Fp8 | Precision::Int8 => 8,
            Precision::Fp4 => 4,
            _ => 16,
        },
    };
    Weights::Each { experts: format(formats.experts), rest: format(formats.rest) }
}

/// The devices of a draft: those of one pipeline stage.
fn drafting(weights: Weights, deployment: &Deployment) -> Deployment {
    Deployment { pipeline: 1, expert_parallel: false, weights, ..*deployment }
}
