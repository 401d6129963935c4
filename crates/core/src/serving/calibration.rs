//! The constants of the step-time model: `hardware/serving-calibration.yaml`.
//!
//! They are fitted, weakly identified against each other, and no facts about hardware: each comes
//! with the range it took over refits on parts of the data.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::simulator::Scheduler;
use crate::calibration::{self, Facts, declared};
use crate::diagnostic::{Error, Result};

/// The constants of `hardware/serving-calibration.yaml`; `engine.step_ms` and the like belong to an
/// engine.
pub type Calibration = calibration::Calibration<Engines>;

/// Documented facts of engines.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Engines {
    /// Engines, the default first.
    pub engines: IndexMap<String, Engine>,
}

impl Facts for Engines {
    const KIND: &'static str = "serving calibration";
    const SHIPPED: &'static str = flopcast_data::hardware::SERVING_CALIBRATION;

    fn check(calibration: &Calibration) -> Result<()> {
        calibration.power()?;
        calibration.facts.engines.keys().try_for_each(|name| calibration.constants(name).map(drop))
    }
}

/// The facts that set one engine apart.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// True if prompts run alone, before decoding goes on.
    pub prefill_first: bool,
    /// Tokens of one step at most.
    pub step_tokens: u32,
    /// Share of the memory that it takes.
    pub memory_share: f64,
    /// True if quantised models keep their KV cache in 8 bits.
    pub kv_8_bit: bool,
}

declared! {
    /// The constants of one engine. Shares are of a datasheet's figure, times in seconds.
    struct Constants;
    /// Host time per step.
    step = "*.step_ms" * 1e-3;
    /// Host time per sequence of a step.
    sequence = "*.sequence_us" * 1e-6;
    /// Factor of the engine on the overheads of layers and links.
    engine = "*.overhead";
    /// From the client to the engine's queue and back.
    api_server = "*.front_end_ms" * 1e-3;
    /// Bandwidth reached reading dense weights.
    weights = "weights";
    /// Bandwidth reached reading experts.
    expert_weights = "expert_weights";
    /// How much of that is left when 4-bit experts are unpacked to 16 bits.
    unpacking = "unpacking";
    /// Width of an expert's share on a device at which half of that is left.
    expert_width_weights = "expert_width_weights";
    /// How independently the tokens of a batch choose their experts: 1 is fully.
    routing = "routing";
    /// Bandwidth reached reading the KV cache.
    kv = "kv";
    /// How often an activation is written or read outside of matrix products.
    moves = "moves";
    /// Peak reached by dense matrix products.
    flops = "flops";
    /// How much of the peak that lower precision adds is reached: exponent of its ratio.
    low_precision = "low_precision";
    /// Peak reached by grouped products over experts.
    expert_flops = "expert_flops";
    /// Width of an expert's share on a device at which half of that is left.
    expert_width = "expert_width";
    /// The same of experts as `low_precision`.
    expert_low_precision = "expert_low_precision";
    /// 16-bit peak reached by decode attention.
    attention = "attention";
    /// 16-bit peak reached by prompt attention.
    prompt_attention = "prompt_attention";
    /// Bandwidth reached by links.
    link = "link";
    /// Latency of a reduction between two devices.
    reduction = "reduction_us" * 1e-6;
    /// The same where they are joined by `PCIe`.
    pcie_reduction = "pcie_reduction_us" * 1e-6;
    /// The addition by each doubling of the devices.
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
    unstreamed = "unstreamed";
    /// Factor on the peak reached where batches are large and nobody waits for a first token.
    offline_compute = "offline_compute";
    /// Factor on the time to launch a prompt's layers where the host can run ahead.
    offline_launch = "offline_launch";
    /// The front end's time per prompt token.
    api_server_token = "front_token_us" * 1e-6;
}

impl Calibration {
    /// The constants of an engine.
    ///
    /// # Errors
    /// An engine or a constant that the file does not have.
    pub fn constants(&self, engine: &str) -> Result<Constants> {
        self.engine(engine)?;
        let mut constants = Constants::read(&self.constants, engine)?;
        let factor = |name: &str| self.constants.value(&format!("{engine}.{name}"));
        let compute = factor("compute")?;
        constants.flops *= compute;
        constants.expert_flops *= compute;
        constants.launch(factor("launch")?);
        Ok(constants)
    }

    /// Factor of the 80 % interval of a kind of figure: infinite where nothing is known.
    pub fn width(&self, figure: &str) -> f64 {
        self.intervals.half_width(figure).exp()
    }

    /// How the power of a device follows its use.
    ///
    /// # Errors
    /// A file without these constants.
    pub fn power(&self) -> Result<Power> {
        let value = |name: &str| self.constants.value(name);
        Ok(Power { base: value("power_base")?, slope: value("power_flops")? })
    }

    /// An engine by name: `vllm`, `sglang`, `trtllm`.
    ///
    /// # Errors
    /// An unknown engine, with the known ones.
    pub fn engine(&self, name: &str) -> Result<&Engine> {
        self.facts.engines.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.facts.engines.keys().map(String::as_str).collect();
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
            api_server: 0.0,
            api_server_token: 0.0,
            sequence: self.sequence * self.unstreamed,
            flops: self.flops * self.offline_compute,
            expert_flops: self.expert_flops * self.offline_compute,
            ..self
        }
    }
}

impl Engine {
    /// Which tokens a step takes first.
    pub fn scheduler(&self) -> Scheduler {
        if self.prefill_first { Scheduler::PrefillFirst } else { Scheduler::DecodeFirst }
    }
}
