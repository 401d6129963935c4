//! The scenario as the user types it. Field names are the file's keys, doc comments its reference.

mod api;
mod disaggregated;
mod owned;
pub(crate) mod recipe;
mod refresh;
mod speculative;

use std::borrow::Cow;
use std::collections::BTreeMap;

use flopcast_core::diagnostic::Result;
use flopcast_core::model::Spec;
use flopcast_core::model::compress::Compression;
use flopcast_core::quantity::{
    DevicePower, DeviceTime, DeviceTokenRate, Devices, GridIntensity, Mfu, Precision, Pue, Samples,
    Share, Time, Tokens, WaterIntensity, YearlyRate,
};
use flopcast_core::training::parallelism::{Parallelism as Layout, Recompute, Zero};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::costs::{ServingCosts, TrainingCosts};
use super::environment::{AverageBasis, Contracts, EmbodiedCarbon};
use super::given::{Given, Positive};
use super::purchase::Purchase;
use super::reader::Located;

pub use super::traffic::{Autoscaling, Class, Lengths, Percentiles, Router, Slo, Traffic};
pub use api::{Api, ApiPrices};
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
    /// What this scenario is, in one line.
    pub name: String,
    /// The user's own labels: team, quarter, cost centre.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// A scenario file of the same project that this one is laid over, key by key.
    pub extends: Option<String>,
    /// The architecture: a name in models/, or a section with one of `hf_config`, `onnx`,
    /// `transformer`, `layers`, `parameters` (with `active`).
    #[schemars(with = "serde_json::Value")]
    pub model: Located<Spec>,
    /// How the model is made smaller before it is served: quantization (int8, fp8, fp4, int4) and
    /// pruning (2:4, or a share of units), for all layers or by group: {mlp: int4}.
    #[schemars(with = "Option<serde_json::Value>")]
    pub compress: Option<Located<Compression>>,
    /// What the model is trained on.
    pub data: Option<Data>,
    /// The training run.
    pub training: Option<Training>,
    /// Where the training runs, and what that costs and emits.
    pub placement: Option<Placement>,
    /// The service.
    pub inference: Option<Inference>,
    /// How money over time is added up.
    #[serde(default)]
    pub finance: Finance,
    /// The unit of the software carbon intensity (ISO/IEC 21031), such as `1000 requests`.
    pub functional_unit: Option<Given<flopcast_core::quantity::Requests, Positive>>,
}

/// The training data: tokens, or samples and epochs.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// Tokens seen in one epoch.
    pub tokens: Option<Given<Tokens, Positive>>,
    /// Samples (images, documents) in one epoch; instead of `tokens`.
    pub samples: Option<Given<Samples, Positive>>,
    /// How often the data is passed; 1.
    pub epochs: Option<Given<f64>>,
    /// Height and width of an image in pixels; the model's own.
    pub image_size: Option<Located<u64>>,
}

/// The training run.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// What is trained: all weights (pretrain, finetune) or adapters (lora).
    #[serde(default)]
    pub recipe: Recipe,
    /// The adapters of `recipe: lora` and `recipe: qlora`.
    pub lora: Option<Lora>,
    /// The model that `recipe: distill` learns from, as `model`.
    #[schemars(with = "Option<serde_json::Value>")]
    pub teacher: Option<Located<Spec>>,
    /// What `recipe: rl` runs beside the model itself.
    pub rl: Option<Rl>,
    /// Stages one after the other, each with its own tokens and sequence length, such as a
    /// long-context stage and annealing; instead of `data.tokens`.
    #[serde(default)]
    pub stages: Vec<Stage>,
    /// Number format of the matrix products.
    pub precision: Located<Precision>,
    /// The optimizer; adamw.
    #[serde(default)]
    pub optimizer: Optimizer,
    /// Tokens of one sequence; min(2048, the model's maximum).
    pub sequence_length: Option<Located<u64>>,
    /// Tokens (or samples, as `1024`) of one optimizer step.
    pub global_batch: Option<Given<Tokens, Positive>>,
    /// The accelerators.
    pub hardware: Hardware,
    /// How well they are used: one of `mfu` (with its `convention`), `hfu`, `step_time`,
    /// `tokens_per_second_per_device`, `device_hours`. `auto`, or left out: predicted.
    pub efficiency: Option<Efficiency>,
    /// How the run is spread over the devices. `auto`, or left out: the fastest layout that fits.
    pub parallelism: Option<Located<Parallelism>>,
    /// The training framework, such as megatron, torchtitan, maxtext; its known habits enter the
    /// prediction.
    pub framework: Option<String>,
    /// Date of the software release; the start of the run, or today's state of the art.
    pub software_epoch: Option<chrono::NaiveDate>,
    /// Productive time / elapsed time. `auto`, or left out: from failures and checkpoints.
    pub goodput: Option<Given<Share, Positive>>,
    /// How often devices fail and what that costs.
    #[serde(default)]
    pub reliability: Reliability,
    /// Devices paid for beside those that train, as a share of them; 0.
    pub spares: Option<Given<Share>>,
    /// Compute of ablations and failed runs as a multiple of the run itself; 0.
    pub experiments: Option<Given<f64>>,
    /// What it costs beside its devices.
    pub costs: Option<TrainingCosts>,
    /// The run must end by this date.
    pub deadline: Option<Located<chrono::NaiveDate>>,
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

/// An optimizer, by the state it keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Optimizer {
    /// Two moments and a master copy in fp32: 12 bytes per parameter.
    #[default]
    Adamw,
    /// One moment and a master copy: 8 bytes per parameter.
    Sgd,
    /// A factored second moment and a master copy: about 4 bytes per parameter.
    Adafactor,
}

/// The accelerators of a run or a service.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hardware {
    /// A name or alias of hardware/accelerators.csv.
    pub accelerator: Located<String>,
    /// How many; a service sizes its own fleet.
    pub count: Option<Given<Devices>>,
    /// Average power of one device with its share of the host; modelled when left out. With
    /// `idle`, the power at work.
    pub power: Option<Given<DevicePower, Positive>>,
    /// Power of one device with its share of the host while it waits.
    pub idle: Option<Given<DevicePower>>,
}

/// How well the accelerators are used.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Efficiency {
    /// Model FLOPs utilisation against the dense peak.
    pub mfu: Option<Given<Mfu>>,
    /// Which FLOPs the MFU counts; model.
    pub convention: Option<FlopConvention>,
    /// Hardware FLOPs utilisation, recomputation included.
    pub hfu: Option<Given<Mfu>>,
    /// Time of one optimizer step; needs `global_batch`.
    pub step_time: Option<Given<Time, Positive>>,
    /// Measured throughput.
    pub tokens_per_second_per_device: Option<Given<DeviceTokenRate, Positive>>,
    /// Device-hours of the whole run, as published.
    pub device_hours: Option<Given<DeviceTime, Positive>>,
}

/// How a run is spread over its devices. Degrees that are left out are 1; `data` takes the devices
/// that the others leave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parallelism {
    /// Devices that share each matrix.
    pub tensor: Option<u64>,
    /// Pipeline stages.
    pub pipeline: Option<u64>,
    /// Chunks of layers per stage, in the interleaved schedule.
    pub chunks: Option<u64>,
    /// Copies that see different sequences.
    pub data: Option<u64>,
    /// Devices that share each sequence.
    pub context: Option<u64>,
    /// Devices that share the experts of a layer.
    pub expert: Option<u64>,
    /// ZeRO stage, 0 to 3; 1.
    pub zero: Option<u64>,
    /// Sequences of one forward pass of a copy.
    pub micro_batch: Option<u64>,
    /// Activations computed anew in the backward pass; none.
    pub recompute: Option<Recomputation>,
}

impl Parallelism {
    /// The layout on this many devices; the data-parallel degree takes those that the others leave.
    ///
    /// # Errors
    /// A ZeRO stage that there is not.
    pub fn over(&self, devices: u64) -> Result<Layout> {
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
            zero: self.zero.map_or(Ok(Zero::default()), Zero::stage)?,
            micro_batch: degree(self.micro_batch),
            recompute: match self.recompute.unwrap_or_default() {
                Recomputation::None => Recompute::None,
                Recomputation::Selective => Recompute::Selective,
                Recomputation::Full => Recompute::Full,
            },
            sequence: true,
        })
    }
}

/// Which activations are computed anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Recomputation {
    /// All are kept.
    #[default]
    None,
    /// The attention core only.
    Selective,
    /// Each block from its input.
    Full,
}

/// How often devices fail and what an interruption costs.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reliability {
    /// Failures that interrupt the run, per 1,000 devices and day; 0.5.
    pub failures_per_1000_devices_day: Option<Given<f64>>,
    /// How long the run stands still for one checkpoint; 40 s.
    pub checkpoint_stall: Option<Given<Time>>,
    /// Time between two checkpoints; the one that loses least.
    pub checkpoint_interval: Option<Given<Time, Positive>>,
    /// Time from a failure until the run goes on; 10 minutes.
    pub restart: Option<Given<Time>>,
}

/// Which FLOPs a utilisation counts.
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

/// Where something runs.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Placement {
    /// A cloud of pricing/prices.csv.
    pub provider: Option<Located<String>>,
    /// A region of that provider, or a country or US state of regions/regions.csv.
    pub region: Option<Located<String>>,
    /// How the devices are bought; on-demand.
    pub purchase: Option<Located<Purchase>>,
    /// What hardware of one's own costs, instead of a rent; `provider: owned` takes the defaults.
    pub owned: Option<Located<Owned>>,
    /// Part of the provider's list price that was negotiated away; 0 %.
    pub discount: Option<Given<Share>>,
    /// Part of the spot instances that is interrupted within 30 days; the provider's band.
    pub interruptions: Option<Given<Share>>,
    /// Part of a reservation's unused time that this scenario pays for: less than all where others
    /// use the rest; 100 %.
    pub unused_commitment: Option<Given<Share>>,
    /// The first day.
    pub start: Option<Located<chrono::NaiveDate>>,
    /// Facility energy / IT energy; the region's.
    pub pue: Option<Given<Pue>>,
    /// Carbon intensity of the electricity; the region's.
    pub grid: Option<Given<GridIntensity>>,
    /// What `grid` counts: life-cycle, or direct; life-cycle.
    pub grid_basis: Option<AverageBasis>,
    /// The upstream of fuels and plants, where `grid_basis` is direct.
    pub upstream: Option<Given<GridIntensity>>,
    /// What one more kWh causes; a view of its own. The region's.
    pub marginal: Option<Given<GridIntensity>>,
    /// Under which contracts the electricity is bought, for market-based CO2e.
    pub contracts: Option<Contracts>,
    /// Water per kWh of IT energy; the region's.
    pub wue: Option<Given<WaterIntensity>>,
    /// Water that generating a kWh consumes; the country's.
    pub grid_water: Option<Given<WaterIntensity>>,
    /// What making the devices emitted.
    pub embodied: Option<EmbodiedCarbon>,
    /// How long the start may wait for a cleaner grid.
    pub start_window: Option<Given<Time>>,
}

/// The service.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Inference {
    /// Where it runs; the training's placement.
    pub placement: Option<Placement>,
    /// What is asked of it.
    pub traffic: Located<Traffic>,
    /// The accelerators.
    pub hardware: Hardware,
    /// Number format of weights and matrix products.
    pub precision: Located<Precision>,
    /// Number format of the KV cache; that of `precision`.
    pub kv_precision: Option<Precision>,
    /// Requests that a replica batches at most, over all data-parallel ranks; 256.
    pub max_batch: Option<Given<f64>>,
    /// Tokens that an engine works on in one step at most, of each data-parallel rank (vLLM:
    /// `max_num_batched_tokens`); the engine's usual number.
    pub max_batch_tokens: Option<Given<f64>>,
    /// Tokens that the KV cache of an engine holds, where it says so (vLLM: GPU KV cache size); what
    /// memory and weights leave.
    pub kv_cache: Option<Given<Tokens>>,
    /// Measured / forecast time of the steps of a simulated engine, as `flopcast actuals` finds it
    /// from a log of requests; 1.
    pub step_time: Option<Given<f64>>,
    /// How long the first request of a batch waits for others, where nothing is generated; 0 ms,
    /// which takes what waits. A long wait is static batching: a batch starts when it is full.
    pub max_wait: Option<Given<Time>>,
    /// How one replica is spread over devices; the smallest power of two that holds it.
    pub parallelism: Option<Located<ServingParallelism>>,
    /// Prompts and answers on engines of their own; a replica is then a group of both.
    pub disaggregated: Option<Disaggregated>,
    /// Replicas beside those that the peak needs; 0.
    #[serde(default)]
    pub redundancy: u64,
    /// The fleet follows its load over the hours of a week; without, it is always as large as the
    /// peak needs.
    pub autoscaling: Option<Autoscaling>,
    /// What it costs beside its devices.
    pub costs: Option<ServingCosts>,
    /// Percentiles of latency that `flopcast capacity` keeps.
    #[serde(default)]
    pub slo: Slo,
    /// The serving engine that `flopcast capacity` simulates: vllm, sglang, trtllm; vllm.
    pub engine: Option<Located<String>>,
    /// Share of the prompt tokens that the engine finds in its prefix cache; 0 %.
    pub prefix_cache_hit: Option<Given<Share>>,
    /// Tokens that are guessed and verified together.
    pub speculative: Option<Speculative>,
    /// A hosted model that the service is compared with, such as anthropic/claude-opus-5, or its
    /// prices by the token.
    pub api: Option<Located<Api>>,
    /// In which year the fleet is renewed, and with what.
    pub refresh: Option<Refresh>,
    /// Who of the replicas gets the next request; any.
    pub router: Option<Router>,
}

/// How one replica is spread over tensor x pipeline x data devices. Degrees that are left out are 1.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServingParallelism {
    /// Devices that share each matrix.
    pub tensor: Option<u64>,
    /// Pipeline stages.
    pub pipeline: Option<u64>,
    /// Devices that share the experts of a layer: 1 splits each expert as any other matrix,
    /// tensor x data gives each device whole ones; the latter where `data` is above 1.
    pub expert: Option<u64>,
    /// Ranks that each attend to sequences of their own and share the experts.
    pub data: Option<u64>,
}

/// How money over time is added up.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Finance {
    /// Years of service; 3.
    pub horizon: Option<Given<Time>>,
    /// Nominal rate, year-end; 8 %.
    pub discount_rate: Option<Given<f64>>,
    /// Change of the price of serving per year, which may be negative; 0 %/year.
    pub price_change: Option<Given<YearlyRate>>,
    /// The currency that reports show beside USD, such as EUR; needs `exchange_rate`.
    pub currency: Option<Located<String>>,
    /// Its rate, with the day of it.
    pub exchange_rate: Option<Located<ExchangeRate>>,
}

/// What a US dollar costs in another currency.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExchangeRate {
    /// Units of the currency for one USD.
    pub per_usd: f64,
    /// The day of the rate.
    pub date: chrono::NaiveDate,
    /// Whose rate it is.
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
