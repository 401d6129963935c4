//! The constants of the step-time model: `hardware/serving-calibration.yaml`.
//!
//! They are fitted, weakly identified against each other, and no facts about hardware: each comes
//! with the range it took over refits on parts of the data.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::simulator::Scheduler;
use crate::diagnostic::{Error, Result};

/// The file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// What the values were fitted to, and when.
    pub fitted: String,
    /// Half-widths of the 80 % intervals of ln(measured / predicted), by figure.
    pub intervals: IndexMap<String, f64>,
    /// The constants that all engines share.
    pub constants: IndexMap<String, Constant>,
    /// Engines, the default first.
    pub engines: IndexMap<String, Engine>,
}

/// One constant, in the unit that its text names. All are positive; a fit moves them on a
/// logarithmic scale.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Constant {
    /// The value in use.
    pub value: f64,
    /// What is expected of it before any fit.
    pub prior: f64,
    /// Standard deviation of the prior's logarithm.
    pub spread: f64,
    /// What it cannot exceed: a share of a datasheet's figure is 1 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<f64>,
    /// The least and the most that it took over refits on parts of the data.
    pub range: [f64; 2],
    /// What it is.
    pub why: String,
}

/// What sets one engine apart.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// Host time per step, in milliseconds.
    pub step_ms: Constant,
    /// Host time per sequence of a step, in microseconds.
    pub sequence_us: Constant,
    /// Factor on the overheads of layers and links.
    pub overhead: Constant,
    /// Factor on the host's time to launch a layer of a prompt.
    pub launch: Constant,
    /// Factor on the share of the peak that matrix products reach.
    pub compute: Constant,
    /// From the client to the engine's queue and back, in milliseconds.
    pub front_end_ms: Constant,
    /// Whether prompts run alone, before decoding goes on.
    pub prefill_first: bool,
    /// Tokens of one step at most.
    pub step_tokens: u32,
    /// Share of the memory that it takes.
    pub memory_share: f64,
    /// Whether quantised models keep their KV cache in 8 bits.
    pub kv_8_bit: bool,
}

macro_rules! constants {
    ($($(#[$doc:meta])* $name:ident = $key:literal * $unit:literal;)+) => {
        /// The constants of one engine. Shares are of a datasheet's figure, times in seconds.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Constants {
            $($(#[$doc])* pub $name: f64,)+
            /// Per step, and per sequence of it.
            pub step: f64,
            /// See `step`.
            pub sequence: f64,
            /// Factor of the engine on the overheads of layers and links.
            pub engine: f64,
            /// From the client to the engine's queue and back.
            pub front_end: f64,
        }

        impl Calibration {
            /// The constants of an engine.
            ///
            /// # Errors
            /// An engine or a constant that the file does not have.
            pub fn constants(&self, engine: &str) -> Result<Constants> {
                let engine = self.engine(engine)?;
                let mut constants = Constants {
                    $($name: self.value($key)? * $unit,)+
                    step: engine.step_ms.value * 1e-3,
                    sequence: engine.sequence_us.value * 1e-6,
                    engine: engine.overhead.value,
                    front_end: engine.front_end_ms.value * 1e-3,
                };
                constants.flops *= engine.compute.value;
                constants.expert_flops *= engine.compute.value;
                constants.launch(engine.launch.value);
                Ok(constants)
            }
        }
    };
}

constants! {
    /// Bandwidth reached reading dense weights.
    weights = "weights" * 1.0;
    /// Bandwidth reached reading experts.
    expert_weights = "expert_weights" * 1.0;
    /// How much of that is left when 4-bit experts are unpacked to 16 bits.
    unpacking = "unpacking" * 1.0;
    /// Width of an expert's share on a device at which half of that is left.
    expert_width_weights = "expert_width_weights" * 1.0;
    /// How independently the tokens of a batch choose their experts: 1 is fully.
    routing = "routing" * 1.0;
    /// Bandwidth reached reading the KV cache.
    kv = "kv" * 1.0;
    /// How often an activation is written or read outside of matrix products.
    moves = "moves" * 1.0;
    /// Peak reached by dense matrix products.
    flops = "flops" * 1.0;
    /// How much of the peak that lower precision adds is reached: exponent of its ratio.
    low_precision = "low_precision" * 1.0;
    /// Peak reached by grouped products over experts.
    expert_flops = "expert_flops" * 1.0;
    /// Width of an expert's share on a device at which half of that is left.
    expert_width = "expert_width" * 1.0;
    /// The same of experts as `low_precision`.
    expert_low_precision = "expert_low_precision" * 1.0;
    /// 16-bit peak reached by decode attention.
    attention = "attention" * 1.0;
    /// 16-bit peak reached by prompt attention.
    prompt_attention = "prompt_attention" * 1.0;
    /// Bandwidth reached by links.
    link = "link" * 1.0;
    /// Latency of a reduction between two devices.
    reduction = "reduction_us" * 1e-6;
    /// The same where they are joined by `PCIe`.
    pcie_reduction = "pcie_reduction_us" * 1e-6;
    /// What each doubling of the devices adds.
    reduction_doubling = "reduction_doubling_us" * 1e-6;
    /// Per layer.
    layer = "layer_us" * 1e-6;
    /// More per layer with experts.
    moe_layer = "moe_layer_us" * 1e-6;
    /// More per layer with sparse attention.
    sparse_layer = "sparse_layer_us" * 1e-6;
    /// More per layer with latent attention.
    latent_layer = "latent_layer_us" * 1e-6;
    /// More per layer whose activations are quantised to 8 bits.
    quantise8 = "quantise8_us" * 1e-6;
    /// The same to 4 bits.
    quantise4 = "quantise4_us" * 1e-6;
    /// More per layer with 8-bit experts.
    expert8 = "expert8_us" * 1e-6;
    /// More per layer with experts unpacked to 16 bits.
    expert_unpack = "expert_unpack_us" * 1e-6;
    /// The host's time to launch a layer of a step with prompt tokens.
    prompt_layer = "prompt_layer_us" * 1e-6;
    /// More for a layer with experts.
    prompt_moe_layer = "prompt_moe_layer_us" * 1e-6;
    /// More for a layer with latent attention.
    prompt_latent_layer = "prompt_latent_layer_us" * 1e-6;
    /// Share of the host's time per sequence that is left where nothing is streamed to clients.
    unstreamed = "unstreamed" * 1.0;
    /// Factor on the peak reached where batches are large and nobody waits for a first token.
    offline_compute = "offline_compute" * 1.0;
    /// Factor on the time to launch a prompt's layers where the host can run ahead.
    offline_launch = "offline_launch" * 1.0;
    /// The front end's time per prompt token.
    front_token = "front_token_us" * 1e-6;
}

impl Calibration {
    /// The calibration that ships with this version.
    pub fn shipped() -> Result<Self> {
        Self::read(flopcast_data::hardware::SERVING_CALIBRATION)
    }

    /// Reads a calibration from JSON.
    ///
    /// # Errors
    /// A file of another form.
    pub fn read(json: &str) -> Result<Self> {
        serde_json::from_str(json)
            .map_err(|error| Error::input(format!("the serving calibration is broken: {error}")))
    }

    /// Factor of the 80 % interval of a kind of figure: infinite where nothing is known.
    pub fn width(&self, figure: &str) -> f64 {
        self.intervals.get(figure).copied().unwrap_or(f64::INFINITY).exp()
    }

    /// How the power of a device follows its use.
    ///
    /// # Errors
    /// A file without these constants.
    pub fn power(&self) -> Result<Power> {
        Ok(Power { base: self.value("power_base")?, slope: self.value("power_flops")? })
    }

    fn value(&self, name: &str) -> Result<f64> {
        self.constants.get(name).map(|constant| constant.value).ok_or_else(|| {
            Error::input(format!("the serving calibration has no constant `{name}`"))
        })
    }

    /// Every constant by name, those of engines with the engine's, in the order of the file: what
    /// a fit moves.
    pub fn named(&self) -> impl Iterator<Item = (String, &Constant)> {
        let shared = self.constants.iter().map(|(name, constant)| (name.clone(), constant));
        let of_engines = self.engines.iter().flat_map(|(engine, its)| {
            its.named().map(move |(name, constant)| (format!("{engine}.{name}"), constant))
        });
        shared.chain(of_engines)
    }

    /// The same to be changed.
    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut Constant> {
        self.constants.values_mut().chain(self.engines.values_mut().flat_map(Engine::all_mut))
    }

    /// An engine by name: `vllm`, `sglang`, `trtllm`.
    ///
    /// # Errors
    /// An unknown engine, with the known ones.
    pub fn engine(&self, name: &str) -> Result<&Engine> {
        self.engines.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.engines.keys().map(String::as_str).collect();
            Error::input(format!("no engine is called `{name}`"))
                .suggest(name, known.iter().copied())
                .hint(format!("known engines: {}", known.join(", ")))
        })
    }
}

/// Power of a device while it serves: TDP x min(1, base + slope x u), with u the model FLOP/s over
/// the 16-bit peak.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Power {
    base: f64,
    slope: f64,
}

impl Power {
    /// Power / TDP at a share of the peak.
    pub fn share(self, utilisation: f64) -> f64 {
        (self.base + self.slope * utilisation).min(1.0)
    }
}

impl Constants {
    /// Multiplies the time to launch the layers of a prompt.
    fn launch(&mut self, factor: f64) {
        self.prompt_layer *= factor;
        self.prompt_moe_layer *= factor;
        self.prompt_latent_layer *= factor;
    }

    /// The constants inside a compiled runtime: no host between the kernels of a prompt.
    #[must_use]
    pub fn compiled(mut self) -> Self {
        self.launch(0.0);
        self
    }

    /// The constants without clients: no front end, nothing streamed, large batches.
    #[must_use]
    pub fn offline(mut self) -> Self {
        self.launch(self.offline_launch);
        Self {
            front_end: 0.0,
            front_token: 0.0,
            sequence: self.sequence * self.unstreamed,
            flops: self.flops * self.offline_compute,
            expert_flops: self.expert_flops * self.offline_compute,
            ..self
        }
    }
}

impl Engine {
    fn named(&self) -> [(&'static str, &Constant); 6] {
        [
            ("step_ms", &self.step_ms),
            ("sequence_us", &self.sequence_us),
            ("overhead", &self.overhead),
            ("launch", &self.launch),
            ("compute", &self.compute),
            ("front_end_ms", &self.front_end_ms),
        ]
    }

    fn all_mut(&mut self) -> [&mut Constant; 6] {
        let Self { step_ms, sequence_us, overhead, launch, compute, front_end_ms, .. } = self;
        [step_ms, sequence_us, overhead, launch, compute, front_end_ms]
    }

    /// Which tokens a step takes first.
    pub fn scheduler(&self) -> Scheduler {
        if self.prefill_first { Scheduler::PrefillFirst } else { Scheduler::DecodeFirst }
    }
}
