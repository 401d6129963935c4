//! The scenario as the user types it. Field names are the file's keys, and the docstrings are its
//! reference: they are the texts of docs/scenario.md and of the JSON Schema. A text ends with the
//! key's default, if it has one.

mod api;
mod calls;
mod deadline;
mod disaggregated;
mod owned;
pub(crate) mod recipe;
mod refresh;
mod speculative;

use std::borrow::Cow;
use std::collections::BTreeMap;

use flopcast_core::diagnostic::{Error, Place, Result};
use flopcast_core::model::Spec;
use flopcast_core::model::compress::Compression;
use flopcast_core::quantity::{
    DeviceBandwidth, DevicePower, DeviceTime, DeviceTokenRate, Devices, GridIntensity, Mfu,
    Precision, Pue, Samples, Share, Time, Tokens, WaterIntensity, YearlyRate,
};
use flopcast_core::training::parallelism::{Parallelism as Layout, Recompute, Zero};
use flopcast_import::document::Node;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::costs::{ServingCosts, TrainingCosts};
use super::day;
use super::environment::{AverageBasis, Contracts, EmbodiedCarbon};
use super::given::{Discounting, Given, Positive, Used};
use super::purchase::{PaymentTerms, PurchaseTerms};
use super::reader::{self, Located};
use super::spelling;

pub use super::traffic::{Autoscaling, Class, Lengths, Percentiles, Router, Slo, Traffic};
pub use api::{Api, ApiPrices};
pub use calls::Call;
pub use deadline::Deadline;
pub use disaggregated::Disaggregated;
pub use owned::{InsteadOf, Owned};
pub use recipe::{Lora, Recipe, Rl};
pub use refresh::Refresh;
pub use speculative::Speculative;

/// A flopcast scenario: what to train and serve, where, and for how long. Only `name` and `model`
/// are required; a section left out is not computed.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScenarioFile {
    /// Version of this format; 1.
    pub flopcast: Option<Located<u32>>,
    /// The scenario in one line.
    pub name: String,
    /// The user's own labels: team, quarter, cost centre.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// A scenario file of the same project that this one is laid over, key by key.
    pub extends: Option<String>,
    /// The architecture: a name, a size (`7B`, `671B-A37B`), `hf:owner/name`, or a section with one of
    /// `hf_config`, `onnx`, `transformer`, `layers`, `parameters` (with `active`, and of `layers`,
    /// `hidden`, `heads`, `kv_heads`, `head_dim`, `ffn`, `vocab`, `experts`, `top_k`, `expert_ffn`
    /// those that are known).
    #[schemars(with = "serde_json::Value")]
    pub model: Located<Spec>,
    /// Compression of the model before it is served: quantization (int8, fp8, fp4, int4), pruning
    /// (2:4, or a share of units) and `low_rank` (a rank, or a share of the largest), for all layers
    /// or by group: `{mlp: int4}`; `layer_drop`, the share of its blocks that goes.
    #[schemars(with = "Option<serde_json::Value>")]
    pub compress: Option<Located<Compression>>,
    /// The data that the model is trained on.
    pub data: Option<Data>,
    /// The training run.
    pub training: Option<Training>,
    /// The place of the training: its prices, power, water and carbon.
    pub placement: Option<Placement>,
    /// The service.
    pub inference: Option<Inference>,
    /// Other services that a request calls, by name: keys that are laid over this file. One that names
    /// a `model` takes traffic, placement, engine and precision of this file, and none of what is set for
    /// this file's own model.
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, serde_json::Value>>")]
    pub services: BTreeMap<String, serde_json::Value>,
    /// The place at which a file turns out to be several services.
    #[serde(skip)]
    pub several: Option<Place>,
    /// The horizon, rates and currency of money over time.
    #[serde(default)]
    pub finance: Finance,
    /// The unit of the software carbon intensity (ISO/IEC 21031), such as `1000 requests`.
    pub functional_unit: Option<Given<flopcast_core::quantity::Requests, Positive>>,
}

impl ScenarioFile {
    /// Reads a document. Here its readers are compiled once, and not in each crate that reads a file.
    ///
    /// # Errors
    /// As [`reader::read`].
    pub fn read(document: &Node) -> Result<Self> {
        reader::read(&spelling::in_tokens(document))
    }

    /// All faults of a document: see [`reader::faults`].
    pub fn faults(document: &Node) -> Vec<Error> {
        reader::faults::<Self>(&spelling::in_tokens(document))
    }
}

/// The training data: tokens, or samples and epochs.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// Tokens seen in one epoch.
    pub tokens: Option<Given<Tokens, Positive>>,
    /// Samples in one epoch, instead of `tokens`: images, or of a language model sequences, pairs of a
    /// preference recipe, prompts of one that writes answers.
    pub samples: Option<Given<Samples, Positive>>,
    /// Passes over the data; 1.
    pub epochs: Option<Given<f64, Positive>>,
    /// Height and width of an image in pixels; the model's own.
    pub image_size: Option<Located<u64>>,
}

/// The training run.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// The weights that are trained: all (pretrain, finetune) or adapters (lora).
    #[serde(default)]
    pub recipe: Recipe,
    /// The adapters of `recipe: lora` and `recipe: qlora`.
    pub lora: Option<Lora>,
    /// The model that `recipe: distill` learns from, as `model`.
    #[schemars(with = "Option<serde_json::Value>")]
    pub teacher: Option<Located<Spec>>,
    /// The passes of `recipe: rl` beside learning.
    pub rl: Option<Rl>,
    /// Stages one after the other, each with its own tokens and sequence length, such as a
    /// long-context stage and annealing; instead of `data.tokens`.
    #[serde(default)]
    pub stages: Vec<Stage>,
    /// Number format of the matrix products; bf16, or what the device has in its place.
    #[serde(default = "bf16")]
    pub precision: Located<Precision>,
    /// Layers that predict tokens further ahead (MTP) train as well; those of a model that has them
    /// do in `pretrain`.
    pub mtp: Option<Located<bool>>,
    /// The optimizer; adamw.
    #[serde(default)]
    pub optimizer: Optimizer,
    /// Formats of weights, gradients, master copy and state; those of the framework.
    #[serde(default)]
    pub formats: Formats,
    /// Each gradient is applied in the backward pass and then dropped; false.
    #[serde(default)]
    pub optimizer_in_backward: bool,
    /// State that the host's memory holds instead of the devices'; none.
    #[serde(default)]
    pub offload: Offload,
    /// Tokens of one sequence; min(2048, the model's maximum).
    pub sequence_length: Option<Located<u64>>,
    /// Tokens (or samples, as `1024`) of one optimizer step.
    pub global_batch: Option<Given<Tokens, Positive>>,
    /// The accelerators.
    pub hardware: Hardware,
    /// The utilisation of the accelerators, as one of `mfu` (with its `convention`), `hfu`,
    /// `step_time`, `tokens_per_second_per_device`, `device_hours`. `auto`, or left out: predicted.
    pub efficiency: Option<Efficiency>,
    /// The layout of the run on the devices. `auto`, or left out: the fastest layout that fits.
    pub parallelism: Option<Located<Parallelism>>,
    /// The training framework, such as megatron, torchtitan, maxtext; its known habits enter the
    /// prediction.
    pub framework: Option<Located<String>>,
    /// Date of the software release; the start of the run, or today's state of the art.
    #[serde(default, deserialize_with = "day::maybe")]
    pub software_epoch: Option<chrono::NaiveDate>,
    /// Productive time / elapsed time. `auto`, or left out: from failures and checkpoints.
    pub goodput: Option<Given<Share, Positive>>,
    /// Failures of devices and the time that they cost.
    #[serde(default)]
    pub reliability: Reliability,
    /// Devices paid for beside those that train, as a share of them; 0.
    pub spares: Option<Given<Share>>,
    /// Compute of ablations and failed runs as a multiple of the run itself; 0.
    pub experiments: Option<Given<f64>>,
    /// Costs of the run beside its devices.
    pub costs: Option<TrainingCosts>,
    /// The run must end by this date, or within this time: `2027-12-31`, `60 days`.
    pub deadline: Option<Located<Deadline>>,
}

/// A stage of a run.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Tokens of the stage.
    pub tokens: Given<Tokens, Positive>,
    /// Tokens of one sequence; the run's.
    pub sequence_length: Option<Located<u64>>,
}

macro_rules! optimizers {
    ($($(#[$doc:meta])* $name:ident = $text:literal $(or $alias:literal)*;)+) => {
        /// An optimizer, by the state that it keeps of a trained weight.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
        pub enum Optimizer { $($(#[$doc])* #[serde(rename = $text $(, alias = $alias)*)] $name,)+ }

        impl Optimizer {
            /// All of them.
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$name),+];

            /// Its name in a scenario, and in the table of the core.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

optimizers! {
    /// Two moments in fp32 and a master copy: 12 bytes.
    #[default]
    Adamw = "adamw" or "adam";
    /// Two moments in bf16.
    AdamwBf16 = "adamw-bf16" or "adamw_bf16";
    /// Two moments in 8 bits.
    Adamw8bit = "adamw-8bit" or "adamw_8bit" or "adamw8bit";
    /// Two moments in pages that may leave the device, no master copy.
    PagedAdamw = "paged-adamw" or "paged_adamw" or "paged_adamw_32bit";
    /// The same in 8 bits.
    PagedAdamw8bit = "paged-adamw-8bit" or "paged_adamw_8bit";
    /// One momentum in fp32 and a master copy.
    Muon = "muon";
    /// The same.
    Lion = "lion";
    /// One momentum in 8 bits and a master copy.
    Lion8bit = "lion-8bit" or "lion_8bit";
    /// No state and no master copy: the weights as they are, gradients of their format.
    Sgd = "sgd";
    /// One momentum in fp32 and a master copy.
    SgdMomentum = "sgd-momentum" or "sgd_momentum";
    /// A factored second moment and a master copy: about 4 bytes.
    Adafactor = "adafactor";
}

/// Formats of what training keeps per trained weight; those of the framework and the optimizer
/// where they are left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Formats {
    /// Format of the weights that the products read.
    pub weights: Option<Precision>,
    /// Format of gradients.
    pub gradients: Option<Precision>,
    /// Format of the master copy; `none` where the optimizer works on the weights themselves.
    pub master: Option<Master>,
    /// Format of the optimizer's state.
    pub moments: Option<Precision>,
}

/// A master copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Master {
    /// There is none.
    None,
    /// In 16 bits.
    Bf16,
    /// In 32 bits.
    Fp32,
}

/// State that is kept in the memory of the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Offload {
    /// Nothing.
    #[default]
    None,
    /// Master copy and state of the optimizer.
    Optimizer,
    /// Weights and gradients as well, but for the layers at work.
    Weights,
}

/// The accelerators of a run or a service.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hardware {
    /// A name or alias of hardware/accelerators.csv.
    pub accelerator: Located<String>,
    /// A slice of that GPU as the device of a service, as NVIDIA's MIG names it: `1g.10gb`.
    pub slice: Option<Located<String>>,
    /// The number of accelerators; a service sizes its own fleet.
    pub count: Option<Given<Devices>>,
    /// Average power of one device with its share of the host; modelled when left out. With
    /// `idle`, the power at work.
    pub power: Option<Given<DevicePower, Positive>>,
    /// Power of one device with its share of the host while it waits.
    pub idle: Option<Given<DevicePower>>,
    /// Bandwidth of one device to other nodes, one direction: `50 GB/s/device` of a 400 Gbit/s card;
    /// that of the catalog. Training only.
    pub network: Option<Given<DeviceBandwidth, Positive>>,
}

/// The utilisation of the accelerators, in one of several measures.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Efficiency {
    /// Model FLOPs utilisation against the dense peak.
    pub mfu: Option<Given<Mfu>>,
    /// The FLOPs that the MFU counts; model.
    pub convention: Option<FlopConvention>,
    /// Hardware FLOPs utilisation, recomputation included.
    pub hfu: Option<Given<Mfu>>,
    /// Time of one optimizer step; needs `global_batch`.
    pub step_time: Option<Given<Time, Positive>>,
    /// Measured throughput in tokens/s/device.
    pub tokens_per_second_per_device: Option<Given<DeviceTokenRate, Positive>>,
    /// Device-hours of the whole run, as published.
    pub device_hours: Option<Given<DeviceTime, Positive>>,
}

/// The layout of a run on its devices. Degrees that are left out are 1; `data` takes the devices
/// that the others leave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parallelism {
    /// Tensor parallelism: devices that share each matrix.
    pub tensor: Option<u64>,
    /// Pipeline parallelism: stages of layers.
    pub pipeline: Option<u64>,
    /// Chunks of layers per stage, in the interleaved schedule.
    pub chunks: Option<u64>,
    /// Data parallelism: copies that see different sequences.
    pub data: Option<u64>,
    /// Context parallelism: devices that share each sequence.
    pub context: Option<u64>,
    /// Expert parallelism: devices that share the experts of a layer.
    pub expert: Option<u64>,
    /// ZeRO stage, 0 to 3; 3 under frameworks that shard weights (torchtitan, torchtune, maxtext),
    /// else 1.
    pub zero: Option<u64>,
    /// Sequences of one forward pass of a copy.
    pub micro_batch: Option<u64>,
    /// Activations computed anew in the backward pass; none, or all where it does not fit otherwise.
    pub recompute: Option<Recomputation>,
}

impl Parallelism {
    /// The layout on this many devices. Data parallelism takes those that the other degrees leave:
    /// devices / (tensor x pipeline x context), rounded down. `usual` is the ZeRO stage where none is
    /// given.
    ///
    /// # Errors
    /// If there is no such ZeRO stage.
    pub fn over(&self, devices: u64, usual: Zero) -> Result<Layout> {
        let degree = |given: Option<u64>| given.unwrap_or(1);
        let (tensor, pipeline, context) =
            (degree(self.tensor), degree(self.pipeline), degree(self.context));
        let rest = tensor.saturating_mul(pipeline).saturating_mul(context).max(1);
        Ok(Layout {
            tensor,
            pipeline,
            context,
            chunks: degree(self.chunks),
            data: self.data.unwrap_or(devices / rest),
            expert: degree(self.expert),
            zero: self.zero.map_or(Ok(usual), Zero::stage)?,
            micro_batch: degree(self.micro_batch),
            recompute: match self.recompute.unwrap_or_default() {
                Recomputation::None => Recompute::None,
                Recomputation::Selective => Recompute::Selective,
                Recomputation::Half => Recompute::Half,
                Recomputation::Products => Recompute::Products,
                Recomputation::Full => Recompute::Full,
            },
            sequence: true,
        })
    }
}

/// The activations that are computed anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Recomputation {
    /// All activations are kept.
    #[default]
    None,
    /// The attention core is computed anew.
    Selective,
    /// Every other block is.
    Half,
    /// Every other matrix product of each block is.
    Products,
    /// Each block is computed anew from its input.
    Full,
}

/// Failures of devices, and the time that an interruption costs.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reliability {
    /// Failures that interrupt the run, per 1,000 devices and day; 0.5.
    pub failures_per_1000_devices_day: Option<Given<f64>>,
    /// Time that the run stands still for one checkpoint; 40 s.
    pub checkpoint_stall: Option<Given<Time>>,
    /// Time between two checkpoints; the one that loses least.
    pub checkpoint_interval: Option<Given<Time, Positive>>,
    /// Time from a failure until the run goes on; 10 minutes.
    pub restart: Option<Given<Time>>,
    /// Time until all devices run at full speed; as fitted to published runs, under a minute.
    pub warm_up: Option<Given<Time>>,
    /// Time of evaluations / time of steps; as fitted to published runs, about 5 %.
    pub evaluation: Option<Given<Share>>,
    /// Time that runs of many days lose beside failures (steps taken again, batch ramps, fewer
    /// devices) / time of steps; as fitted to published runs, about 40 %.
    pub setbacks: Option<Given<Share>>,
}

/// The FLOPs that a utilisation counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FlopConvention {
    /// 6 x active parameters x tokens.
    SixNd,
    /// Operator-exact, causal attention counted by half.
    #[default]
    Model,
    /// Operator-exact, attention counted in full.
    ModelFull,
}

impl From<FlopConvention> for flopcast_core::training::plan::FlopConvention {
    fn from(convention: FlopConvention) -> Self {
        match convention {
            FlopConvention::SixNd => Self::SixNd,
            FlopConvention::Model => Self::Model,
            FlopConvention::ModelFull => Self::ModelFull,
        }
    }
}

/// The place of a run or a service: provider, region, prices, power and carbon.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Placement {
    /// A cloud of pricing/prices.csv.
    pub provider: Option<Located<String>>,
    /// A region of that provider, or a country or US state of regions/regions.csv.
    pub region: Option<Located<String>>,
    /// The terms on which the devices are rented; on-demand.
    pub purchase: Option<Located<PurchaseTerms>>,
    /// The costs of hardware of one's own, instead of a rent; `provider: owned` takes the defaults.
    pub owned: Option<Located<Owned>>,
    /// Negotiated discount on the provider's list price, as a share of it; 0 %.
    pub discount: Option<Given<Share>>,
    /// Share of the spot instances that is interrupted within 30 days; the provider's band.
    pub interruptions: Option<Given<Share>>,
    /// Share of a reservation's unused time that this scenario pays for: less than all if others
    /// use the rest; 100 %.
    pub unused_commitment: Option<Given<Share>>,
    /// When reservations and savings plans are paid, all alike or plan by plan; `no-upfront`. It
    /// moves the cash flow, not the cost: give the price of the option where the list has another.
    pub payment: Option<Located<PaymentTerms>>,
    /// The first day: that on which the devices are asked for.
    #[serde(default, deserialize_with = "day::located")]
    pub start: Option<Located<chrono::NaiveDate>>,
    /// Time until the devices are there, before the run; the least notice that the provider asks
    /// for, and none of devices on demand.
    pub wait: Option<Given<Time>>,
    /// Facility energy / IT energy; the region's.
    pub pue: Option<Given<Pue>>,
    /// Carbon intensity of the electricity; the region's.
    pub grid: Option<Given<GridIntensity>>,
    /// The emissions that `grid` counts: life-cycle, or direct; life-cycle.
    pub grid_basis: Option<AverageBasis>,
    /// Emissions upstream of the plants (fuels, building), if `grid_basis` is direct.
    pub upstream: Option<Given<GridIntensity>>,
    /// Marginal carbon intensity: the emissions of one more kWh. It is shown beside the average;
    /// the region's.
    pub marginal: Option<Given<GridIntensity>>,
    /// The contracts under which the electricity is bought, for market-based CO2e.
    pub contracts: Option<Contracts>,
    /// Water per kWh of IT energy; the region's.
    pub wue: Option<Given<WaterIntensity>>,
    /// Water that generating a kWh consumes; the country's.
    pub grid_water: Option<Given<WaterIntensity>>,
    /// Emissions of making the devices.
    pub embodied: Option<EmbodiedCarbon>,
    /// Time that the start may wait for a cleaner grid.
    pub start_window: Option<Given<Time>>,
    /// Share of the requests that come from here, where `inference.placement` is a list.
    pub share: Option<Given<Share>>,
    /// Hours by which the clock here is ahead of UTC, where `inference.placement` is a list: the
    /// `hours` of the traffic are local time; 0.
    pub utc_offset: Option<Located<f64>>,
}

impl Placement {
    /// True if it states what a device costs, whatever device that is.
    pub(crate) fn prices_devices(&self) -> bool {
        let rents = |terms: &Located<PurchaseTerms>| matches!(terms.value, PurchaseTerms::Own(..));
        let buys = |owned: &Located<Owned>| owned.value.chip.is_some();
        self.purchase.as_ref().is_some_and(rents) || self.owned.as_ref().is_some_and(buys)
    }
}

/// A place, or a list of places.
fn placements(generator: &mut SchemaGenerator) -> Schema {
    let one = generator.subschema_for::<Placement>();
    schemars::json_schema!({"anyOf": [one.clone(), {"type": "array", "items": one}]})
}

/// The format of a run or a service that names none.
fn bf16() -> Located<Precision> {
    Located { value: Precision::Bf16, place: Place::default() }
}

/// The service.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Inference {
    /// The place of the service, or a list of places, each with its `share` of the requests; the
    /// training's placement.
    #[schemars(schema_with = "placements")]
    pub placement: Option<Placement>,
    /// The requests to the service.
    pub traffic: Located<Traffic>,
    /// The calls that a request makes, of this service and of others.
    #[serde(default)]
    pub calls: Vec<Call>,
    /// The accelerators.
    pub hardware: Hardware,
    /// Number format of weights and matrix products; bf16 or what the device has in its place, with
    /// weights as their file stores them.
    #[serde(default = "bf16")]
    pub precision: Located<Precision>,
    /// Number format of the KV cache; the engine's own: 16 bits, or that of weights of at most 8 bits
    /// in 8 bits where the engine narrows it alike (TensorRT-LLM).
    pub kv_precision: Option<Precision>,
    /// Requests that a replica batches at most, over all data-parallel ranks; the
    /// engine's own number for each rank, 256 of a network that answers in one pass.
    pub max_batch: Option<Given<f64>>,
    /// Tokens that an engine works on in one step at most, per data-parallel rank (vLLM:
    /// `max_num_batched_tokens`); the engine's usual number.
    pub max_batch_tokens: Option<Given<f64>>,
    /// Tokens that the KV cache of an engine holds, as it reports them (vLLM: GPU KV cache size);
    /// those for which the weights leave memory.
    pub kv_cache: Option<Given<Tokens>>,
    /// Measured / forecast time of the steps of a simulated engine, as `flopcast actuals` finds it
    /// from a log of requests; 1.
    pub step_time: Option<Given<f64>>,
    /// Time that the first request of a batch waits for others, if nothing is generated; 0 ms,
    /// which takes the requests that wait already. A long wait is static batching: a batch starts
    /// when it is full.
    pub max_wait: Option<Given<Time>>,
    /// The layout of one replica on devices; the smallest power of two that holds it.
    pub parallelism: Option<Located<ServingParallelism>>,
    /// Prefill and decode on instances of their own; a replica is then a group of both.
    pub disaggregated: Option<Disaggregated>,
    /// Replicas beside those that the peak needs; 0.
    #[serde(default)]
    pub redundancy: u64,
    /// Requests that an engine refuses rather than let them wait; it takes all in.
    pub admission: Option<Admission>,
    /// Share of a replica's highest rate that the peak may take; 80 %, of a job 100 %.
    pub target_utilisation: Option<Given<Share, Used>>,
    /// The fleet follows its load over the hours of a week; without it, the fleet always has the
    /// size that the peak needs.
    pub autoscaling: Option<Autoscaling>,
    /// Costs of the service beside its devices.
    pub costs: Option<ServingCosts>,
    /// The service-level objective: percentiles of latency that the fleet keeps.
    #[serde(default)]
    pub slo: Slo,
    /// The serving engine that is simulated: vllm, sglang, trtllm, vllm-0.11, lmdeploy, gpt-fast,
    /// llama.cpp, exllamav2, neuron, neuron-2.18.0, tgi, max; vllm.
    pub engine: Option<Located<String>>,
    /// Share of the prompt tokens that the engine finds in its prefix cache; 0 %.
    pub prefix_cache_hit: Option<Given<Share>>,
    /// Low-rank adapters of the model, one of which each request is for.
    pub adapters: Option<Adapters>,
    /// Speculative decoding with draft tokens.
    pub speculative: Option<Speculative>,
    /// A hosted model that the service is compared with, such as anthropic/claude-opus-5, or its
    /// prices by the token.
    pub api: Option<Located<Api>>,
    /// The hardware refresh of the fleet: its year and the new hardware.
    pub refresh: Option<Refresh>,
    /// The choice of the replica for the next request; any.
    pub router: Option<Router>,
}

/// Admission control of each replica.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Admission {
    /// Requests that wait for a place in the batch, at most: one that finds so many is refused.
    pub queue: Option<Located<u64>>,
    /// Time for which a request waits for its place in the batch, at most.
    pub timeout: Option<Given<Time>>,
    /// Share of the requests that may be refused; 1 %.
    pub refused: Option<Given<Share>>,
}

/// Low-rank adapters of one model, all of which are loaded; each request is for one of them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Adapters {
    /// How many there are.
    pub count: Located<u64>,
    /// Their rank, on every projection of attention and feed-forward layers.
    pub rank: Located<u64>,
}

/// The layout of one replica on tensor x pipeline x data devices. Degrees that are left out are 1.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServingParallelism {
    /// Tensor parallelism: devices that share each matrix.
    pub tensor: Option<u64>,
    /// Pipeline parallelism: stages of layers.
    pub pipeline: Option<u64>,
    /// Expert parallelism: devices that share the experts of a layer. 1 splits each expert as any
    /// other matrix, tensor x data gives each device whole ones; the latter if `data` is above 1.
    pub expert: Option<u64>,
    /// Data parallelism: ranks that each attend to sequences of their own and share the experts.
    pub data: Option<u64>,
}

/// The horizon, rates and currency of money over time.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Finance {
    /// Years of service; 3.
    pub horizon: Option<Given<Time>>,
    /// Nominal discount rate per year; each year's cost, as it is expensed, is taken at its end. 8 %.
    pub discount_rate: Option<Given<f64, Discounting>>,
    /// Change of the rents of serving per year, which may be negative; 0 %/year.
    pub price_change: Option<Given<YearlyRate>>,
    /// The first month of the fiscal year, 1 to 12; 1. Cash is added up by it.
    pub fiscal_year: Option<Located<u32>>,
    /// The currency that reports show beside USD, such as EUR; needs `exchange_rate`.
    pub currency: Option<Located<String>>,
    /// The currency's rate, with its day.
    pub exchange_rate: Option<Located<ExchangeRate>>,
}

/// The price of a US dollar in another currency.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExchangeRate {
    /// Units of the currency for one USD.
    pub per_usd: f64,
    /// The day of the rate.
    #[serde(deserialize_with = "day::plain")]
    pub date: chrono::NaiveDate,
    /// The publisher of the rate.
    pub source: Option<String>,
}

impl<T: JsonSchema> JsonSchema for Located<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}
