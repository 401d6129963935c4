//! The engines of a replica, ready to be simulated.

use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::{Error, Placed, Result};
use flopcast_core::estimate::plan::Service;
use flopcast_core::quantity::{Measure as _, Precision, Time};
use flopcast_core::serving::calibration::{Calibration, Engine};
use flopcast_core::serving::memory::KvCapacity;
use flopcast_core::serving::plan::{Draft, GroupFormat, Quantized, Spread};
use flopcast_core::serving::served::ServedModel;
use flopcast_core::serving::share::{MeanRequest, of_prompts};
use flopcast_core::serving::simulator::{Bounds, Fleet, Handover, Limits, Router, Simulation};
use flopcast_core::serving::speculative::Speculative;
use flopcast_core::serving::step::{Deployment, Device, Format, Roofline, Weights};

use super::fit::Unfit;

/// What a replica consists of.
#[derive(Clone)]
pub struct Engines {
    /// The name of the engine.
    pub name: String,
    /// Every token reads all weights: there are no experts.
    pub dense: bool,
    /// The engine, or those that write answers.
    pub answers: Pool,
    /// Those that read prompts, where they are others, and the time to hand a token over.
    pub prompts: Option<(Pool, Time)>,
    front_end: Time,
}

/// Engines that are alike.
#[derive(Clone)]
pub struct Pool {
    pub time: Speculative<Roofline>,
    pub memory: KvCapacity,
    pub count: u32,
    devices: u32,
    limits: Limits,
}

impl Pool {
    fn fleet(&self) -> Fleet<'_, Speculative<Roofline>> {
        let Self { time, limits, count, .. } = self;
        Fleet { time, limits: *limits, replicas: *count, router: Router::LeastOutstanding }
    }

    /// Requests of mean length at once.
    pub(super) fn concurrency(&self) -> f64 {
        self.memory.sequences.min(f64::from(self.limits.sequences)) * f64::from(self.count)
    }
}

impl Engines {
    /// The engines of a service whose requests have these mean lengths.
    ///
    /// # Errors
    /// An engine that is not known; a model that does not fit.
    pub fn of(
        service: &Service,
        catalog: &Catalog,
        calibration: &Calibration,
        (input, output): (f64, f64),
        warnings: &mut Vec<String>,
    ) -> Result<Self> {
        let (demand, replica) = (&service.demand, &service.replica);
        let name = if let Some(name) = &demand.engine {
            name.value.clone()
        } else {
            let first = calibration.facts.engines.keys().next().cloned().unwrap_or_default();
            warnings.push(format!("no inference.engine is given: {first} is assumed"));
            first
        };
        let place = demand.engine.as_ref().map(|engine| &engine.place);
        let engine = calibration.engine(&name).map_err(|error| error.at(place))?;
        let step_tokens =
            demand.max_batch_tokens.as_ref().map_or(engine.step_tokens, |it| it.value as u32);
        let engine = &Engine { step_tokens, ..engine.clone() };
        let constants = calibration.constants(&name)?;
        let model = ServedModel::of(&demand.model)?;
        let device = Device::of(catalog.accelerator(&demand.accelerator)?)?;
        let length = (input + output).ceil() as u32;
        let speculation = replica.speculation.as_ref();
        let draft = match speculation.and_then(|it| it.draft.as_ref()) {
            Some(draft) => Some(served(draft, &demand.precision)?),
            None => None,
        };
        let stated = demand.kv_cache.as_ref().map(|tokens| tokens.value);
        let holds = |device: &Device, deployment: &Deployment, length| {
            let beside = draft.as_ref().map(|(draft, it)| (draft, drafting(*it, deployment)));
            let beside = beside.as_ref().map(|(draft, deployment)| (*draft, deployment));
            let both = (&model, deployment);
            match stated {
                Some(tokens) => KvCapacity::stated(beside, both, device, tokens, length),
                None => KvCapacity::beside(beside, both, device, engine, length),
            }
        };
        let pool = |(spread, count): (Spread, f64), parallelism| -> Result<Pool> {
            let deployment = deployment(service, spread)?;
            let memory = holds(&device, &deployment, length).map_err(|error| {
                let unfit = Unfit { service, device, deployment, length, parallelism };
                let fits =
                    |device: &_, deployment: &_, length| holds(device, deployment, length).ok();
                unfit.remedies(catalog, fits).into_iter().fold(error, Error::hint)
            })?;
            let roofline = |model: &ServedModel, deployment: &Deployment| {
                Roofline::new(model, &device, deployment, &constants)
            };
            let plain = roofline(&model, &deployment);
            let time = match speculation {
                None => Speculative::none(plain),
                Some(speculation) => {
                    let guesses = speculation.tokens.value as u32;
                    Speculative {
                        verification: plain.verifying(guesses + 1),
                        draft: draft.as_ref().map(|(draft, weights)| {
                            roofline(draft, &drafting(*weights, &deployment)).within_a_step()
                        }),
                        guesses,
                        yields: speculation.tokens_per_verification(false).value().value,
                    }
                }
            };
            let limits = memory.limits(engine, &deployment, replica.max_batch.value as u32);
            Ok(Pool { time, memory, count: count as u32, devices: deployment.devices(), limits })
        };
        let prompts = match &replica.pools {
            None => None,
            Some(pools) => {
                let spread = pools.prefill_spread;
                let from = deployment(service, spread)?;
                let handover = Roofline::handover(&model, &device, &from, &constants);
                let parallelism = "inference.disaggregated.prefill_parallelism";
                Some((pool((spread, pools.prefill.value), parallelism)?, handover))
            }
        };
        let count = replica.pools.as_ref().map_or(1.0, |it| it.decode.value);
        let factor = demand.step_time.as_ref().map_or(1.0, |factor| factor.value);
        let engines = Self {
            name,
            dense: model.experts == 0,
            answers: pool((demand.spread, count), "inference.parallelism")?,
            prompts,
            front_end: Time::from_stored(constants.front_end + constants.front_token * input),
        };
        Ok(engines.scaled(factor))
    }

    /// The same engines, every step taking `factor` times as long.
    pub fn scaled(self, factor: f64) -> Self {
        let scaled = |pool: Pool| Pool { time: pool.time.scaled(factor), ..pool };
        Self {
            answers: scaled(self.answers),
            prompts: self.prompts.map(|(pool, handover)| (scaled(pool), handover)),
            ..self
        }
    }

    /// One replica without promises.
    pub fn simulation(&self) -> Simulation<'_, Speculative<Roofline>> {
        let answers = self.answers.fleet();
        Simulation {
            fleet: self.prompts.as_ref().map_or(answers, |(prompts, _)| prompts.fleet()),
            handover: self.prompts.as_ref().map(|(_, per_token)| Handover {
                decode: answers,
                latency: Time::from_stored(0.0),
                per_token: *per_token,
            }),
            front_end: self.front_end,
            slo: vec![Bounds::default()],
            warm_up: 0,
            queue_limit: usize::MAX,
            records: false,
        }
    }

    /// Share of a replica's time that prompts take, or of its devices that read them.
    pub(super) fn prompt_share(&self, request: MeanRequest, batch: f64) -> f64 {
        let devices = |pool: &Pool| f64::from(pool.count * pool.devices);
        match &self.prompts {
            None => of_prompts(&self.answers.time, request, batch, self.answers.limits.tokens),
            Some((prompts, _)) => devices(prompts) / (devices(prompts) + devices(&self.answers)),
        }
    }
}

/// The formats of an uncompressed model.
pub(super) fn weights(precision: Precision) -> Result<Weights> {
    match precision {
        Precision::Fp16 | Precision::Bf16 => Ok(Weights::Sixteen),
        Precision::Fp8 | Precision::Int8 => Ok(Weights::Eight),
        Precision::Fp4 => Ok(Weights::Nv4),
        Precision::Int4 => Ok(Weights::Int4),
        other => Err(Error::input(format!("engines that serve in {other} are not calibrated"))
            .hint("known: bf16, fp16, fp8, int8, fp4, int4")),
    }
}

/// The model's formats and its spread over a replica's devices.
fn deployment(service: &Service, spread: Spread) -> Result<Deployment> {
    let demand = &service.demand;
    let format = |group: GroupFormat| Format {
        bytes: group.weight.value,
        bits: match group.products {
            Precision::Fp8 | Precision::Int8 => 8,
            Precision::Fp4 => 4,
            _ => 16,
        },
    };
    let weights = match demand.quantized {
        Some(Quantized { experts, rest }) => {
            Weights::Each { experts: format(experts), rest: format(rest) }
        }
        None => weights(demand.precision.value)
            .map_err(|error| error.at(Some(&demand.precision.place)))?,
    };
    Ok(Deployment {
        tensor: spread.tensor,
        pipeline: spread.pipeline,
        data: spread.data,
        expert_parallel: spread.whole_experts,
        weights,
        kv_bytes: demand.kv_precision.size().value,
    })
}

/// A draft as an engine serves it, uncompressed in the precision of the service.
fn served(draft: &Draft, precision: &Placed<Precision>) -> Result<(ServedModel, Weights)> {
    let model = ServedModel::of(&draft.model).map_err(|error| error.at(Some(&draft.place)))?;
    let weights = weights(precision.value).map_err(|error| error.at(Some(&precision.place)))?;
    Ok((model, weights))
}

/// Where a draft runs: on the devices of one pipeline stage.
fn drafting(weights: Weights, deployment: &Deployment) -> Deployment {
    Deployment { pipeline: 1, expert_parallel: false, weights, ..*deployment }
}
