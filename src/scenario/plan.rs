//! The scenario resolved: every reference looked up, every default named, ready to compute.
//!
//! A plan holds inputs only. What follows from them is computed by `training`, `serving` and
//! `ledger`.

mod api;
mod costs;
mod owned;
mod pools;
mod rent;
mod speculation;

use std::sync::Arc;

use chrono::NaiveDate;

use super::file::{Parallelism, Router, Slo, Traffic};
use super::mixture::Mixture;
use super::reader::Located;
use super::traffic::{Profile, Trace};
use crate::diagnostic::Place;
use crate::model::Model;
use crate::provenance::{Input, Unknown};
use crate::quantity::{
    Data, DataPerRequest, DeviceBandwidth, DeviceFlopRate, DeviceMemory, DeviceTime,
    DeviceTokenRate, Devices, Flop, FlopPerSample, FlopPerToken, Mfu, Per, Precision, RequestRate,
    Requests, Samples, Share, Time, Tokens, TokensPerRequest, YearlyRate,
};

pub use super::file::FlopConvention;
pub use super::site::Site;
pub use api::Api;
pub use costs::{Costs, Egress, Staff, Stored};
pub use owned::{Alternative, Amortisation, Owned};
pub use pools::Pools;
pub use rent::{Includes, Interruptions, Listed, Price, Rent, Tariff, Terms};
pub use speculation::{Draft, Speculation};

/// What a run has to compute, and on what.
#[derive(Clone, Debug)]
pub struct Run {
    /// The data that it passes.
    pub work: Work,
    /// Dense peak of one device in the run's precision.
    pub peak: Input<DeviceFlopRate>,
    /// Devices that train; unknown for a run of given device-hours.
    pub devices: Option<Input<Devices>>,
    /// Productive time / elapsed time.
    pub goodput: Goodput,
    /// Interruptions of spot instances, where some are.
    pub interruptions: Option<Interruptions>,
    /// Paid but idle devices / training devices.
    pub spares: Input<Share>,
    /// Compute of ablations and failed runs / compute of the run.
    pub experiments: Input<f64>,
    /// Tokens of one optimizer step.
    pub global_batch: Option<Input<Tokens>>,
}

/// The data and what one unit of it costs.
#[derive(Clone, Debug)]
pub enum Work {
    /// Sequences of tokens.
    Tokens {
        /// Tokens in one epoch.
        tokens: Input<Tokens>,
        /// Epochs.
        epochs: Input<f64>,
        /// 6 x active parameters, where the convention applies.
        six_nd: Option<Input<FlopPerToken>>,
        /// Operator-exact forward + backward, causal attention counted by half.
        model: Input<FlopPerToken>,
        /// The same with attention counted in full.
        model_full: Input<FlopPerToken>,
    },
    /// Images and other samples.
    Samples {
        /// Samples in one epoch.
        samples: Input<Samples>,
        /// Epochs.
        epochs: Input<f64>,
        /// Operator-exact forward + backward.
        model: Input<FlopPerSample>,
    },
}

/// Productive time / elapsed time of a run.
#[derive(Clone, Debug)]
pub enum Goodput {
    /// As given.
    Given(Input<Share>),
    /// What failures, checkpoints and restarts leave.
    Failures {
        /// Failures that interrupt the run, per 1,000 devices and day.
        rate: Input<f64>,
        /// How long the run stands still for one checkpoint.
        stall: Input<Time>,
        /// Time between two checkpoints; the one that loses least where it is not given.
        interval: Option<Input<Time>>,
        /// Time from a failure until the run goes on.
        restart: Input<Time>,
        /// Devices that may fail.
        devices: Input<Devices>,
    },
}

/// What the step-time model needs to predict a run.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// The model, counted at the run's sequence length.
    pub model: Arc<Model>,
    /// Tokens in one epoch.
    pub tokens: Input<Tokens>,
    /// Epochs.
    pub epochs: Input<f64>,
    /// Id of the accelerator.
    pub accelerator: String,
    /// Devices that train.
    pub devices: u64,
    /// Number format of the matrix products.
    pub precision: Precision,
    /// Sequences of one step.
    pub sequences: u64,
    /// Tokens of a sequence.
    pub sequence: u64,
    /// The layout; chosen where it is not given.
    pub layout: Option<Located<Parallelism>>,
    /// Where the number of devices is said.
    pub devices_place: Place,
    /// Optimizer state per trained parameter, in bytes.
    pub optimizer_bytes: f64,
    /// Bytes of a weight that the products read.
    pub weight_bytes: f64,
    /// Part of the parameters that is trained.
    pub trained: f64,
    /// FLOPs of a token in the recipe / in plain training of all weights.
    pub work: f64,
    /// The framework, as the user calls it.
    pub framework: Option<String>,
    /// Date of the software.
    pub software_epoch: NaiveDate,
}

/// What is known of the utilisation.
#[derive(Clone, Debug)]
pub enum Efficiency {
    /// Useful FLOPs / (time x peak), in a convention.
    Mfu(Input<Mfu>, FlopConvention),
    /// FLOPs with recomputation / (time x peak).
    Hfu(Input<Mfu>),
    /// A measured pace over the run's tokens.
    Measured {
        /// Tokens in one epoch.
        tokens: Input<Tokens>,
        /// Epochs.
        epochs: Input<f64>,
        /// How fast they pass.
        pace: Pace,
    },
    /// The whole run's device-hours, goodput included.
    DeviceHours(Input<DeviceTime>),
}

/// A measured pace.
#[derive(Clone, Debug)]
pub enum Pace {
    /// Tokens per second of one device.
    Throughput(Input<DeviceTokenRate>),
    /// The time of one optimizer step on all devices.
    Step {
        /// Time of one step.
        time: Input<Time>,
        /// Tokens of one step.
        batch: Input<Tokens>,
        /// Devices that share it.
        devices: Input<Devices>,
    },
}

/// An input that may be unknown.
pub type Stated<Q> = Result<Input<Q>, Unknown>;

/// FLOP of one request.
pub type FlopPerRequest = Per<Flop, Requests>;
/// KV cache of one token.
pub type KvPerToken = Per<Data, Tokens>;

/// One replica and what it is asked for.
#[derive(Clone, Debug)]
pub struct Replica {
    /// Devices that hold one copy of the model; where there are pools, those of an engine that
    /// writes answers.
    pub devices: Input<Devices>,
    /// Engines that read prompts apart from those that write answers.
    pub pools: Option<Pools>,
    /// Pipeline stages, where there is more than one.
    pub stages: Option<Input<f64>>,
    /// All weights in the serving precision.
    pub weights: Input<Data>,
    /// KV cache of one token in the cache's precision; zero for a model without one.
    pub kv_per_token: Input<KvPerToken>,
    /// FLOPs of the prompt (or of the whole request, for an encoder).
    pub prefill: Input<FlopPerRequest>,
    /// Tokens of the prompt.
    pub input: Mixture<TokensPerRequest>,
    /// Tokens of the answer; none for an encoder.
    pub output: Option<Mixture<TokensPerRequest>>,
    /// Dense peak of one device in the serving precision.
    pub peak: Input<DeviceFlopRate>,
    /// Memory bandwidth of one device.
    pub bandwidth: Input<DeviceBandwidth>,
    /// Memory of one device.
    pub memory: Input<DeviceMemory>,
    /// Part of the memory that weights and cache may use.
    pub usable_memory: Input<Share>,
    /// Part of the peak that prefill reaches.
    pub compute_efficiency: Input<Share>,
    /// Part of the bandwidth that decode reaches.
    pub bandwidth_efficiency: Input<Share>,
    /// Most sequences that the engine batches.
    pub max_batch: Input<f64>,
    /// Tokens that are guessed and verified together.
    pub speculation: Option<Speculation>,
}

/// Formats after compression.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantized {
    /// Of routed experts; that of the rest where there are none.
    pub experts: GroupFormat,
    /// Of everything else but head and embedding.
    pub rest: GroupFormat,
}

/// The format of a group of weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupFormat {
    /// Storage of one weight on average.
    pub weight: Data,
    /// In which format most of their products are computed.
    pub products: Precision,
}

/// How a replica is spread over tensor x pipeline x data devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// Devices that share each matrix.
    pub tensor: u32,
    /// Pipeline stages.
    pub pipeline: u32,
    /// Ranks that attend to sequences of their own.
    pub data: u32,
    /// Whether each device holds whole experts.
    pub whole_experts: bool,
}

/// What the simulation of a service needs beside the closed forms.
#[derive(Clone, Debug)]
pub struct Demand {
    /// The model, pruned as it is served.
    pub model: Arc<Model>,
    /// Id of the accelerator.
    pub accelerator: String,
    /// How a replica is spread over its devices.
    pub spread: Spread,
    /// Number format of weights and matrix products.
    pub precision: Located<Precision>,
    /// Number format of the KV cache.
    pub kv_precision: Precision,
    /// Where compression changed it, the formats of weights and products.
    pub quantized: Option<Quantized>,
    /// What is asked, as the user says it.
    pub traffic: Traffic,
    /// Requests as they were recorded, instead of random ones.
    pub trace: Option<Arc<Trace>>,
    /// How the rate varies over a week; where nobody says, by `peak_to_mean` over each day.
    pub profile: Option<Profile>,
    /// Who gets the next request.
    pub router: Router,
    /// What is promised.
    pub slo: Slo,
    /// The engine, as the user calls it.
    pub engine: Option<Located<String>>,
    /// Tokens of a step at most, where the user says so.
    pub max_batch_tokens: Option<Input<f64>>,
    /// Tokens that the KV cache of a replica holds, where the user says so.
    pub kv_cache: Option<Input<Tokens>>,
    /// Measured / forecast time of a step.
    pub step_time: Option<Input<f64>>,
    /// How long the first request of a batch waits for others; none where tokens are generated.
    pub max_wait: Option<Input<Time>>,
    /// Share of the prompt tokens found in the prefix cache, of each class.
    pub prefix_cache_hits: Vec<Input<Share>>,
}

/// A service: one replica, what is asked of the fleet, and where it runs.
#[derive(Clone, Debug)]
pub struct Service {
    /// One copy of the model on its devices.
    pub replica: Replica,
    /// Mean rate in the first year.
    pub rate: Input<RequestRate>,
    /// Peak rate / mean rate.
    pub peak_to_mean: Input<f64>,
    /// Part of a replica's highest rate that the fleet is planned for.
    pub headroom: Input<Share>,
    /// Growth of the rate.
    pub growth: Input<YearlyRate>,
    /// Replicas beside those that the peak needs.
    pub redundancy: Input<f64>,
    /// How long a replica takes to start, where the fleet follows its load.
    pub start_up: Option<Input<Time>>,
    /// FLOPs of one request, prompt and answer.
    pub flops: Input<FlopPerRequest>,
    /// What is paid; absent where the scenario names neither provider nor price.
    pub rent: Option<Rent>,
    /// What the hardware costs, where it is owned: then there is no rent.
    pub owned: Option<Owned>,
    /// What is paid beside devices.
    pub costs: Option<Costs<DataPerRequest>>,
    /// Power, grid and water.
    pub site: Site,
    /// A hosted model that it is compared with.
    pub api: Option<Api>,
    /// What a simulation needs.
    pub demand: Demand,
    /// The renewal of its fleet.
    pub refresh: Option<Refresh>,
}

/// A fleet that takes over from a year on.
#[derive(Clone, Debug)]
pub struct Refresh {
    /// Its first year, at least 2.
    pub year: u32,
    /// The same service on it.
    pub service: Box<Service>,
}

impl Service {
    /// The service on the hardware of a year of the horizon, from 1.
    pub fn in_year(&self, year: u32) -> &Self {
        match &self.refresh {
            Some(refresh) if year >= refresh.year => &refresh.service,
            _ => self,
        }
    }
}

/// A training run and where it runs.
#[derive(Clone, Debug)]
pub struct TrainingPlan {
    /// What is computed.
    pub run: Run,
    /// How well the devices are used; predicted where nobody said.
    pub efficiency: Option<Efficiency>,
    /// What the step-time model needs, where devices, tokens and layout allow a prediction.
    pub prediction: Option<Prediction>,
    /// What is paid; absent where the scenario names neither provider nor price.
    pub rent: Option<Rent>,
    /// What the hardware costs, where it is owned: then there is no rent.
    pub owned: Option<Owned>,
    /// What is paid beside devices.
    pub costs: Option<Costs<Data>>,
    /// Power, grid and water.
    pub site: Site,
    /// Parameters of the model, in billions.
    pub billion_parameters: Input<f64>,
    /// What a model card says of it.
    pub card: Card,
    /// The first day.
    pub start: Option<chrono::NaiveDate>,
    /// The day by which it must end.
    pub deadline: Option<chrono::NaiveDate>,
}

/// A run in the words of a model card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// `pre-training` or `fine-tuning`.
    pub training_type: &'static str,
    /// The accelerator, with how many where that is known.
    pub hardware: String,
    /// Provider and region, where they are known.
    pub place: Option<String>,
}

/// How money over time is added up.
#[derive(Clone, Debug)]
pub struct Finance {
    /// Years of service.
    pub years: u32,
    /// Nominal, year-end.
    pub discount_rate: Input<f64>,
    /// Change of the price of serving per year.
    pub price_change: Input<YearlyRate>,
    /// The currency of reports, where it is not USD.
    pub currency: Option<Currency>,
}

/// A currency that reports show beside USD.
#[derive(Clone, Debug, PartialEq)]
pub struct Currency {
    /// `EUR`.
    pub code: String,
    /// Units of it for one USD.
    pub per_usd: f64,
    /// The day of the rate.
    pub date: NaiveDate,
    /// Whose rate it is.
    pub source: Option<String>,
}
