//! The constants of the step-time model: `hardware/serving-calibration.yaml`.
//!
//! They are fitted, weakly identified against each other, and no facts about hardware: each comes
//! with the range it took over refits on parts of the data.

use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::served::ServedModel;
use super::simulator::Scheduler;
use super::step::{Deployment, Roofline};
use crate::calibration::{self, Facts, Shipped, declared};
use crate::catalog::Device;
use crate::diagnostic::{Error, Result};
use crate::quantity::Precision;

/// The constants of `hardware/serving-calibration.yaml`; `engine.step_ms` and the like belong to an
/// engine.
pub type Calibration = calibration::Calibration<Engines>;

/// Documented facts of engines.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Engines {
    /// Engines, the default first.
    pub engines: IndexMap<String, Engine>,
    /// Accelerators of the runs that the constants are fitted to.
    pub accelerators: Vec<String>,
}

/// A name without case and marks.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase()
}

impl Engines {
    /// An engine by one of its names.
    fn named(&self, name: &str) -> Option<(&str, &Engine)> {
        self.find(|own| own == plain(name))
    }

    /// The engine that a text begins with: `vllm 0.19.0`; that of the longest name.
    pub fn begins(&self, text: &str) -> Option<(&str, &Engine)> {
        let text = plain(text);
        let mut found: Option<(usize, &str, &Engine)> = None;
        for (id, engine) in &self.engines {
            let names = std::iter::once(id.as_str()).chain(engine.names.iter().map(String::as_str));
            let own = names.map(plain).filter(|own| text.starts_with(own)).map(|own| own.len());
            if let Some(length) = own.max()
                && found.is_none_or(|(longest, ..)| length > longest)
            {
                found = Some((length, id, engine));
            }
        }
        found.map(|(_, id, engine)| (id, engine))
    }

    /// The first engine one of whose names, in plain spelling, fits.
    fn find(&self, fits: impl Fn(&str) -> bool) -> Option<(&str, &Engine)> {
        let mut engines = self.engines.iter().map(|(id, engine)| (id.as_str(), engine));
        engines.find(|(id, engine)| {
            let mut names = std::iter::once(*id).chain(engine.names.iter().map(String::as_str));
            names.any(|own| fits(&plain(own)))
        })
    }
}

impl Facts for Engines {
    const KIND: &'static str = "serving calibration";

    fn shipped() -> &'static Shipped<Self> {
        static SHIPPED: Shipped<Engines> =
            Shipped::new(|| Calibration::read(flopcast_data::hardware::SERVING_CALIBRATION));
        &SHIPPED
    }

    fn check(calibration: &Calibration) -> Result<()> {
        calibration.power()?;
        calibration.facts.engines.keys().try_for_each(|name| calibration.constants(name).map(drop))
    }
}

/// An engine as it comes, in a version of its own: what sets it apart, and how well it is known.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "habits that engines have in any combination")]
pub struct Engine {
    /// Its release that the constants and the defaults below are of.
    pub version: String,
    /// How well its constants are known.
    pub maturity: Maturity,
    /// The engine whose constants stand in for those that it has none of its own of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like: Option<String>,
    /// Other names of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// True if prompts run alone, before decoding goes on.
    pub prefill_first: bool,
    /// True if the cache of a whole answer is set aside before its prompt is read, so that nothing is
    /// ever pre-empted.
    #[serde(default)]
    pub sets_aside: bool,
    /// Where the stages of a pipeline take turns over a batch instead of each having its own: the
    /// tokens of a chunk in which a prompt passes from one to the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_turn: Option<u32>,
    /// True if products are summed in 16 bits.
    #[serde(default)]
    pub half_sums: bool,
    /// Tokens of one step at most.
    pub step_tokens: u32,
    /// Sequences of a batch at most, and the same on a large device ([`LARGE`]).
    pub max_batch: [u32; 2],
    /// Share of the memory that it takes.
    pub memory_share: f64,
    /// True if quantised models keep their KV cache in 8 bits.
    pub kv_8_bit: bool,
}

/// How well the constants of an engine are known.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Maturity {
    /// Fitted to hundreds of published runs.
    Fitted,
    /// Fitted to some tens of runs of few models.
    FewRuns,
    /// No run of it was published where flopcast looked: another engine's constants stand in.
    Inherited,
}

/// The knowledge that the fit has of the conditions of a prediction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Regime {
    /// Prompts are read by instances of their own.
    pub apart: bool,
    /// An instance has more than 16 devices.
    pub wide: bool,
    /// No run on this accelerator, in this format or by this engine entered the fit.
    pub unseen: bool,
}

impl fmt::Display for Regime {
    /// Those of its words that apply: `apart wide unseen`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = [("apart", self.apart), ("wide", self.wide), ("unseen", self.unseen)];
        let said: Vec<_> = all.iter().filter(|(_, it)| *it).map(|(word, _)| *word).collect();
        f.write_str(&said.join(" "))
    }
}

impl Regime {
    /// The interval of the calibration that speaks of a kind of figure. That of the time of a token
    /// stands for the throughput of disaggregated replicas, too.
    pub fn interval(self, figure: &str) -> &str {
        match (self.apart, figure) {
            (true, "ttft") => "disaggregated_ttft",
            (true, "tpot" | "output_tokens_per_s") => "disaggregated_tpot",
            _ => figure,
        }
    }

    /// The remark on it that stands beside an interval.
    pub fn words(self) -> Option<&'static str> {
        match (self.apart, self.wide, self.unseen) {
            (true, ..) => Some("prompts and answers on instances of their own"),
            (_, true, true) => Some("over 16 devices; device, format or engine without a run"),
            (_, true, _) => Some("instances of over 16 devices"),
            (.., true) => Some("no published run of this device, format or engine"),
            _ => None,
        }
    }
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
    /// The same of the rate of their products.
    unpacked_flops = "unpacked_flops";
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
    /// The same gathering the tokens of attention ranks.
    gather = "gather";
    /// Bandwidth reached by the all-to-all between experts over the network.
    exchange = "exchange";
    /// Share of an exchange that runs beside products which a step takes longer for it.
    exchange_shown = "exchange_shown";
    /// Coefficient of variation of what is asked of an expert.
    expert_skew = "expert_skew";
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
    /// Factor on the rate of products of unpacked experts there.
    offline_unpacked = "offline_unpacked";
    /// Factor on the time to launch a prompt's layers where the host can run ahead.
    offline_launch = "offline_launch";
    /// The most bytes/s that kernels of the engine read, however wide the memory is.
    most_bandwidth = "*.most_tb_per_s" * 1e12;
    /// The most FLOP/s that they reach, however many the device has.
    most_flops = "*.most_tflop_per_s" * 1e12;
    /// The front end's time per prompt token.
    api_server_token = "front_token_us" * 1e-6;
}

impl Calibration {
    /// The constants of an engine; those that it has none of its own of are its model's.
    ///
    /// # Errors
    /// An engine or a constant that the file does not have.
    pub fn constants(&self, engine: &str) -> Result<Constants> {
        let (name, _) = self.engine(engine)?;
        let value = |of: &str| {
            // Whoever stands in has a model of its own, too; no chain is longer than the list.
            let models = std::iter::successors(Some(name), |name| {
                self.facts.engines.get(*name)?.like.as_deref()
            });
            let mut models = models.take(self.facts.engines.len());
            let own = models.find_map(|name| self.constants.get(&format!("{name}.{of}")));
            own.map_or_else(|| self.constants.value(&format!("{name}.{of}")), |own| Ok(own.value))
        };
        let mut constants = Constants::read(&self.constants, &value)?;
        let (compute, bandwidth) = (value("compute")?, value("bandwidth")?);
        constants.flops *= compute;
        constants.expert_flops *= compute;
        for reached in [&mut constants.weights, &mut constants.expert_weights, &mut constants.kv] {
            *reached *= bandwidth;
        }
        constants.launch(value("launch")?);
        let special = value("launch_special")?;
        constants.prompt_moe_layer *= special;
        constants.prompt_latent_layer *= special;
        Ok(constants)
    }

    /// Half-width of the 80 % interval of a kind of figure in a regime: infinite where nothing is
    /// known.
    pub fn half_width(&self, figure: &str, regime: Regime) -> f64 {
        let known = self.intervals.get(regime.interval(figure));
        let width = known.unwrap_or_else(|| self.intervals.half_width(figure));
        let widened = |name: &str, applies: bool| {
            if applies { self.intervals.get(name).unwrap_or(1.0) } else { 1.0 }
        };
        width * widened("over_16", regime.wide && !regime.apart) * widened("unseen", regime.unseen)
    }

    /// How the power of a device follows its use.
    ///
    /// # Errors
    /// A file without these constants.
    pub fn power(&self) -> Result<Power> {
        let value = |name: &str| self.constants.value(name);
        Ok(Power {
            base: value("power_base")?,
            card: value("power_base_card")?,
            slope: value("power_flops")?,
            idle: value("power_idle")?,
        })
    }

    /// An engine by one of its names, and the name that its constants go by.
    ///
    /// # Errors
    /// An unknown engine, with the known ones.
    pub fn engine(&self, name: &str) -> Result<(&str, &Engine)> {
        self.facts.named(name).ok_or_else(|| {
            let known: Vec<&str> = self.facts.engines.keys().map(String::as_str).collect();
            Error::input(format!("no engine is called `{name}`"))
                .suggest(name, known.iter().copied())
                .hint(format!("known engines: {}", known.join(", ")))
        })
    }
}

/// Power of a device while it serves: TDP x min(1, base + slope x u), with u the model FLOP/s over
/// the 16-bit peak. The base of a card, whose TDP is low for its memory, is another than that of a module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Power {
    base: f64,
    card: f64,
    slope: f64,
    /// Power of a device that waits / TDP.
    pub idle: f64,
}

impl Power {
    /// Power / TDP of a device that computes next to nothing.
    pub fn base(self, device: &Device) -> f64 {
        if device.links.card { self.card } else { self.base }
    }

    /// Gain of power / TDP per share of the 16-bit peak.
    pub fn slope(self) -> f64 {
        self.slope
    }

    /// Power / TDP at a share of the peak.
    pub fn share(self, device: &Device, utilisation: f64) -> f64 {
        (self.base(device) + self.slope * utilisation).min(1.0)
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
            unpacked_flops: self.unpacked_flops * self.offline_unpacked,
            ..self
        }
    }
}

/// Memory from which an engine takes a device for a large one: 70 GiB (vLLM 0.19,
/// `vllm/engine/arg_utils.py`, which leaves the A100 out: it has no 8-bit floating point).
pub const LARGE: f64 = 70.0 * 1024.0 * 1024.0 * 1024.0;

impl Engine {
    /// Sequences of a batch at most on a device, unless the engine is told otherwise.
    pub fn most_sequences(&self, device: &Device) -> u32 {
        let large = device.memory.value >= LARGE && device.peak8.is_some();
        self.max_batch[usize::from(large)]
    }

    /// The step time of a model on devices, as this engine runs it.
    pub fn time(
        &self,
        model: &ServedModel,
        device: &Device,
        deployment: &Deployment,
        constants: &Constants,
    ) -> Roofline {
        let peak16 = if self.half_sums { device.half_sums } else { device.peak16 };
        let time = Roofline::new(model, &Device { peak16, ..*device }, deployment, constants);
        match self.in_turn {
            Some(chunk) => time.in_turn(chunk),
            None => time,
        }
    }

    /// Number format of the KV cache unless the engine is told otherwise: that of 16 bits that the
    /// model computes in, or 8 bits of a quantised model where the engine narrows it alike.
    pub fn cache(&self, precision: Precision) -> Precision {
        match (precision.size().value, self.kv_8_bit) {
            (2.0.., _) | (1.0, true) => precision,
            (_, true) => Precision::Fp8,
            (_, false) => Precision::Bf16,
        }
    }

    /// Which tokens a step takes first.
    pub fn scheduler(&self) -> Scheduler {
        if self.prefill_first { Scheduler::PrefillFirst } else { Scheduler::DecodeFirst }
    }
}
