//! The constants of the step-time model: those of every accelerator, those of a generation.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::platform::{ExpertKernels, Software};
use super::state;
use crate::calibration::{self, Facts, Intervals, Shipped, declared};
use crate::diagnostic::{Error, Result};
use crate::model::Extents;

/// The constants of `hardware/calibration.yaml`; `generation.gemm.precision` and
/// `generation.attention` belong to a generation.
pub type Calibration = calibration::Calibration<Documented>;

/// Documented facts of accelerators and frameworks.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Documented {
    /// Generations of accelerators, newest relatives last.
    pub generations: IndexMap<String, Generation>,
    /// Training frameworks, by what is documented of them.
    pub software: IndexMap<String, Framework>,
    /// Accelerators of the rows of the fit, with the precisions of their runs.
    pub tested: IndexMap<String, Vec<String>>,
    /// Sizes of the rows of the fit.
    pub sizes: Sizes,
}

impl Facts for Documented {
    const KIND: &'static str = "calibration";

    fn shipped() -> &'static Shipped<Self> {
        static SHIPPED: Shipped<Documented> =
            Shipped::new(|| Calibration::read(flopcast_data::hardware::CALIBRATION));
        &SHIPPED
    }

    fn check(calibration: &Calibration) -> Result<()> {
        calibration.general().map(drop)
    }
}

/// A family of accelerators that share their efficiencies.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Generation {
    /// Architectures of the accelerator table that belong to it.
    pub architectures: Vec<String>,
    /// The generation whose constants stand in, where none were measured for this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inherits: Option<String>,
    /// Watts per dense bf16 TFLOP/s at which the full clock is held; a device with less is
    /// throttled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watts_per_tflops: Option<f64>,
    /// True if a host launches each kernel; not so where the compiler schedules whole programs.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub host_launched: bool,
    /// Runs of the fit on its accelerators.
    #[serde(default)]
    pub runs: u32,
}

fn yes() -> bool {
    true
}

impl Generation {
    /// True if more than a [`HANDFUL`] of runs stand for it.
    fn seen(&self) -> bool {
        self.runs >= HANDFUL
    }
}

/// The number of runs from which on they stand for a generation: fewer are those of one publisher.
pub const HANDFUL: u32 = 10;

/// Documented facts of a training framework.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Framework {
    /// Names by which a source or a scenario mentions it.
    pub mentions: Vec<String>,
    /// Since when tensor-parallel communication is overlapped with the products (decimal year).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlaps_tensor_since: Option<f64>,
    /// Since when pipelines interleave by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interleaves_since: Option<f64>,
    /// Since when its experts run in grouped kernels, and since when as one graph; always the
    /// former where neither is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expert_kernels_since: Option<[f64; 2]>,
    /// True if its steps are captured as graphs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub captures_steps: bool,
    /// The source.
    pub why: String,
}

impl Framework {
    /// How far its expert kernels had come in a (decimal) year.
    pub fn expert_kernels(&self, year: f64) -> ExpertKernels {
        match self.expert_kernels_since {
            Some([grouped, _]) if year < grouped => ExpertKernels::Early,
            Some([_, graphs]) if year >= graphs => ExpertKernels::Graphs,
            _ => ExpertKernels::Grouped,
        }
    }
}

/// The nearest that the fit has seen of a device in a precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Known {
    /// Runs on it in the precision.
    Tested,
    /// Runs on it in another precision, and runs of its generation in this one.
    Precision,
    /// Runs of its generation in the precision.
    Kin,
    /// Neither: the constants are those of a relative or of microbenchmarks.
    Relative,
}

impl Known {
    /// The reason for a wider interval, and the name of its width.
    fn reason(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Tested => None,
            Self::Precision => {
                Some(("never tested in this precision on this device", "device_new"))
            }
            Self::Kin => Some(("never tested on this device, but on its generation", "device_new")),
            Self::Relative => Some((
                "neither this device nor its generation was tested by more than a few runs in this \
                 precision",
                "generation_new",
            )),
        }
    }
}

/// The kind of a run; predictions of each err by a width of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunKind {
    /// All weights of a dense model are trained.
    Dense,
    /// All weights of a model that routes to experts are trained.
    Experts,
    /// Adapters are trained beside frozen weights.
    Adapters,
}

impl RunKind {
    /// The kind of a run that trains a part of a model's weights; 1 is all of them.
    pub fn of(model: &Extents, trained: f64) -> Self {
        match model.experts {
            _ if trained < 1.0 => Self::Adapters,
            Some(_) => Self::Experts,
            None => Self::Dense,
        }
    }

    /// Its name in tables: `dense`, `moe`, `lora`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dense => "dense",
            Self::Experts => "moe",
            Self::Adapters => "lora",
        }
    }
}

/// The coverage of the fit for the conditions of a prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Familiarity {
    /// Why the framework is not one that the constants were fitted on; none where it is.
    pub framework: Option<&'static str>,
    /// The nearest to the accelerator that the fit has seen.
    pub device: Known,
    /// The kind of the run.
    pub kind: RunKind,
    /// True if model, sequence or cluster are larger or smaller than any of the fit.
    pub beyond: bool,
    /// True if layers mix positions by scans or convolutions, as no run of the fit did.
    pub scans: bool,
}

impl Familiarity {
    /// The interval that holds on a tested device: `experts_new` of experts on a framework that the
    /// fit has not seen.
    pub fn interval(self) -> &'static str {
        match (self.kind, self.framework.is_none()) {
            (RunKind::Adapters, true) => "adapters_known",
            (RunKind::Adapters, false) => "adapters_new",
            (RunKind::Dense, true) => "dense_known",
            (RunKind::Dense, false) => "dense_new",
            (RunKind::Experts, true) => "experts_known",
            (RunKind::Experts, false) => "experts_new",
        }
    }

    /// Half-width of the 80 % interval of ln(measured / predicted): errors of their own add in
    /// squares.
    pub fn half_width(self, intervals: &Intervals) -> f64 {
        let width = |name| intervals.half_width(name);
        let device = self.device.reason().map_or(0.0, |(_, name)| width(name));
        let size = if self.beyond { width("size_new") } else { 0.0 };
        let scans = if self.scans { width("scans_new") } else { 0.0 };
        width(self.interval()).hypot(device).hypot(size).hypot(scans)
    }

    /// The reasons for an interval that is wider than that of a known framework on a tested device.
    pub fn reasons(self) -> Vec<&'static str> {
        let device = self.device.reason().map(|(why, _)| why);
        let size = "model, sequence or cluster are outside of what was ever tested";
        let scans = "layers that scan or convolve were never tested";
        let size = self.beyond.then_some(size);
        let framework = self.framework.into_iter();
        framework.chain(device).chain(size).chain(self.scans.then_some(scans)).collect()
    }
}

/// Nobody says in which framework a run is.
pub const NOT_SAID: &str = "the framework is not said";
/// Of a framework only its formats are known.
pub const NOT_MEASURED: &str = "no run of the framework was ever measured";

/// The least and the most that runs of the fit had.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Sizes {
    /// Parameters of the model.
    pub parameters: [f64; 2],
    /// Tokens of a sequence.
    pub sequence: [f64; 2],
    /// Devices of the run.
    pub devices: [f64; 2],
}

/// Efficiencies of an accelerator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Part of the dense peak of the precision that large matrix products reach.
    pub gemm: f64,
    /// The same in bf16.
    pub gemm16: f64,
    /// Part of the dense bf16 peak that attention kernels reach, forward + backward.
    pub attention: f64,
    /// The same of the first generation of flash kernels.
    pub first_flash: f64,
    /// True if the products' efficiencies were measured on this generation, by enough runs.
    pub own: bool,
}

declared! {
    /// The constants that hold for every accelerator.
    struct General;
    /// Passes over its operands that a matrix product pays beside its arithmetic, on a device of
    /// 312 TFLOP/s.
    operand_traffic = "operand-traffic";
    /// How the former grows with the width of the device: (peak / 312 TFLOP/s)^this.
    width_exponent = "width-exponent";
    /// Bytes of the memory-bound operators / the fused minimum.
    elementwise_traffic = "elementwise-traffic";
    /// Bytes of the conversions to fp8 or fp4 / the fused minimum.
    conversion_traffic = "conversion-traffic";
    /// Idle time between the kernels of one layer, forward + backward, in seconds.
    kernel_gaps = "kernel-gaps";
    /// Time in which the host launches the kernels of one layer, forward + backward, in seconds.
    layer_launch = "layer-launch";
    /// The same of routed experts.
    expert_launch = "expert-launch";
    /// Fixed time of a step: data, logging, gradient norm, host work of the optimizer; seconds.
    step_overhead = "step-overhead";
    /// Exponent of the slowdown of a device that lacks the power for its peak.
    power_exponent = "power-exponent";
    /// Fixed time of a step that is captured as a graph, in seconds.
    captured_overhead = "captured-overhead";
    /// Efficiency of the grouped products of wide experts relative to plain ones, imbalance
    /// included.
    expert_gemm = "expert-gemm";
    /// Inner width of an expert whose grouped products reach half of that.
    expert_width = "expert-width";
    /// Operand passes of the experts' products, as `operand-traffic`.
    expert_operand_traffic = "expert-operand-traffic";
    /// Bytes of permuting tokens to experts and back / the fused minimum.
    permute_traffic = "permute-traffic";
    /// Inner width of an expert at which kernels before autumn 2025 reach half of the speed after
    /// it: they pay for each routed token, whatever its products.
    expert_early = "expert-early-width";
    /// Speed of the expert kernels from June 2026, relative to before it.
    expert_recent = "expert-recent-software";
    /// Slowdown of attention per doubling of the context-parallel degree.
    context_overhead = "context-overhead";
    /// Bus bandwidth of collectives / link bandwidth inside the scale-up domain.
    scale_up_bus = "scale-up-bus";
    /// The same across it.
    scale_out_bus = "scale-out-bus";
    /// Part of the tensor-parallel communication that overlap leaves exposed.
    exposed_tensor = "exposed-tensor";
    /// Part of the gradient reduction that overlap leaves exposed.
    exposed_gradients = "exposed-gradients";
    /// Part of the experts' all-to-all that overlap leaves exposed.
    exposed_expert = "exposed-expert";
    /// Part of the gathering of sharded weights that prefetching leaves exposed.
    exposed_weights = "exposed-weights";
    /// Part of the forward pass that a custom recomputation policy repeats.
    recompute_custom = "recompute-custom";
    /// Part of the forward pass that is repeated where the policy was not published.
    recompute_unknown = "recompute-unknown";
    /// Slowdown per doubling of the devices beyond 8.
    straggler = "straggler";
    /// Bus efficiency of ZeRO-3 before 2022, relative to later.
    early_sharding = "early-sharding";
}

impl Calibration {
    /// The constants that hold for every accelerator.
    ///
    /// # Errors
    /// One of them is missing.
    pub fn general(&self) -> Result<General> {
        General::read(&self.constants, &|name| self.constants.value(name))
    }

    /// The generation of an architecture.
    pub fn generation(&self, architecture: &str) -> Option<(&str, &Generation)> {
        let mut all = self.facts.generations.iter();
        let found = all.find(|(_, g)| g.architectures.iter().any(|a| a == architecture));
        found.map(|(name, generation)| (name.as_str(), generation))
    }

    /// Efficiencies of a generation in a precision (`bf16`, `fp8`, `fp4`). What was not measured
    /// comes from the generation that it inherits from, or from the next wider precision.
    ///
    /// # Errors
    /// Nothing was measured on it or its relatives.
    pub fn rates(&self, generation: &str, precision: &str) -> Result<Rates> {
        let (gemm16, own16) = self.inherited(generation, "gemm.bf16")?;
        let (gemm, own) = match precision {
            "bf16" | "fp16" => (gemm16, own16),
            narrow => self.inherited(generation, &format!("gemm.{narrow}")).or_else(|_| {
                // Wider formats have been the easier ones to feed in every generation so far.
                let wider = if narrow == "fp4" { "gemm.fp8" } else { "gemm.bf16" };
                let (rate, _) = self.inherited(generation, wider)?;
                Ok::<_, Error>((rate * NARROWER, false))
            })?,
        };
        let (attention, _) = self.inherited(generation, "attention")?;
        let (first_flash, _) =
            self.inherited(generation, "first-flash").unwrap_or((attention, false));
        let seen = self.facts.generations.get(generation).is_some_and(Generation::seen);
        Ok(Rates { gemm, gemm16, attention, first_flash, own: own && own16 && seen })
    }

    /// A constant of a generation or of its nearest ancestor, and whether it is its own and tested.
    fn inherited(&self, generation: &str, what: &str) -> Result<(f64, bool)> {
        self.of_line(generation, what).ok_or_else(|| {
            Error::input(format!("no {what} efficiency is known of the generation `{generation}`"))
                .suggest(generation, self.facts.generations.keys().map(String::as_str))
                .hint("give what it reaches: efficiency: {mfu: 0.35, convention: model}")
        })
    }

    /// The same, where there is one.
    fn of_line(&self, generation: &str, what: &str) -> Option<(f64, bool)> {
        let mut at = generation;
        for _ in 0..=self.facts.generations.len() {
            if let Some(constant) = self.constants.get(&format!("{at}.{what}")) {
                return Some((constant.value, at == generation && constant.tested));
            }
            at = self.facts.generations.get(at)?.inherits.as_deref()?;
        }
        None
    }

    /// The nearest that the fit has seen of an accelerator in a precision; `own` says whether the
    /// constants are those of its generation.
    pub fn known(&self, accelerator: &str, precision: &str, own: bool) -> Known {
        let tested = self.facts.tested.get(accelerator);
        match tested.map(|precisions| precisions.iter().any(|it| it == precision)) {
            Some(true) => Known::Tested,
            _ if !own => Known::Relative,
            Some(false) => Known::Precision,
            None => Known::Kin,
        }
    }

    /// True if a run is larger or smaller than any of the fit.
    pub fn beyond(&self, parameters: u64, sequence: u64, devices: u64) -> bool {
        let Sizes { parameters: p, sequence: s, devices: d } = &self.facts.sizes;
        let pairs = [(parameters, p), (sequence, s), (devices, d)];
        pairs.iter().any(|(n, [least, most])| !(*least..=*most).contains(&(*n as f64)))
    }

    /// The framework that texts mention by its whole name: its place, name and facts. The first of
    /// the table wins, so that one of a project is told from another of the same owner.
    pub fn framework(&self, texts: &[&str]) -> Option<(usize, &str, &Framework)> {
        let between = |c: char| c.is_whitespace() || "/@(),:;_".contains(c);
        let named = |mention: &str| {
            let mut words = texts.iter().flat_map(|text| text.split(between));
            // A release may follow a name: `nemo-24.07`.
            words.any(|word| {
                let head = word.get(..mention.len());
                let rest = word.get(mention.len()..).unwrap_or_default();
                let mut rest = rest.chars();
                let release = match rest.next() {
                    None => true,
                    Some(next) => next == '-' && rest.next().is_some_and(|c| c.is_ascii_digit()),
                };
                release && head.is_some_and(|head| head.eq_ignore_ascii_case(mention))
            })
        };
        let mut all = self.facts.software.iter().enumerate();
        let found = all.find(|(_, (_, f))| f.mentions.iter().any(|mention| named(mention)));
        found.map(|(place, (name, framework))| (place, name.as_str(), framework))
    }

    /// The framework of a name; none where no run of it was measured, and only the formats in which
    /// it trains are known.
    ///
    /// # Errors
    /// Nothing is known of it; the error names those that are.
    pub fn framework_named(&self, name: &str) -> Result<Option<(usize, &Framework)>> {
        if let Some((place, _, framework)) = self.framework(&[name]) {
            return Ok(Some((place, framework)));
        }
        if state::formats(name).is_some() {
            return Ok(None);
        }
        let formats = state::FRAMEWORKS.iter().flat_map(|row| row.names.iter().copied());
        let mut known: Vec<&str> = self.facts.software.keys().map(String::as_str).collect();
        known.extend(formats.filter(|name| !self.facts.software.contains_key(*name)));
        Err(Error::input(format!("nothing is known of the framework `{name}`"))
            .suggest(name, known.iter().copied())
            .hint(format!("one of {}; or leave it out for a usual one", known.join(", "))))
    }

    /// Speed of a framework / that of a usual one; 1 where nothing is known of it. On a generation
    /// whose kernels are tuned by hand for submissions, other software has a speed of its own.
    pub fn maturity(&self, software: &Software, generation: &str) -> f64 {
        let name = software.framework.and_then(|place| self.facts.software.get_index(place));
        let constant = name.and_then(|(name, _)| self.constants.get(&format!("{name}.maturity")));
        let untuned = self.of_line(generation, "untuned").filter(|_| !software.captured);
        constant.map_or(1.0, |constant| constant.value) * untuned.map_or(1.0, |(share, _)| share)
    }

    /// The knowledge of the software of a framework in a (decimal) year.
    pub fn software(&self, framework: Option<(usize, &Framework)>, year: f64) -> Software {
        let Some((place, facts)) = framework else { return Software::usual(year) };
        Software {
            overlaps_tensor: facts.overlaps_tensor_since.is_some_and(|since| year >= since),
            expert_kernels: facts.expert_kernels(year),
            captured: facts.captures_steps,
            framework: Some(place),
            ..Software::usual(year)
        }
    }
}

/// Efficiency of a precision relative to the next wider one, where it was not measured: the
/// median of the ratios that were (fp8 / bf16 on Hopper, Blackwell and TPU v7).
const NARROWER: f64 = 0.9;

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped() -> &'static Calibration {
        Calibration::shipped().unwrap()
    }

    #[test]
    fn generations_without_constants_inherit_and_say_so() {
        let calibration = shipped();
        let rates = |name: &str, precision: &str| calibration.rates(name, precision).unwrap();
        assert!(rates("hopper", "fp8").own && rates("trainium", "bf16").own);
        // Three runs stand for no generation.
        assert!(!rates("volta", "bf16").own);
        let gaudi = rates("gaudi", "bf16");
        assert!(!gaudi.own && (gaudi.gemm - rates("hopper", "bf16").gemm).abs() < 1e-12);
        // A microbenchmark is better than a cousin, but no training run has tested it.
        let cdna = rates("cdna", "bf16");
        assert!(!cdna.own && cdna.gemm < rates("hopper", "bf16").gemm);
        // Nothing narrower than bf16 is known of Ampere or its kin.
        assert!(!rates("ampere", "fp8").own);
        let error = calibration.rates("hoper", "bf16").unwrap_err().to_string();
        assert!(error.contains("did you mean `hopper`"), "{error}");
    }

    #[test]
    fn intervals_widen_with_what_is_unknown_and_say_why() {
        let intervals = &shipped().intervals;
        let usual = Familiarity {
            framework: None,
            device: Known::Tested,
            kind: RunKind::Dense,
            beyond: false,
            scans: false,
        };
        assert!(usual.reasons().is_empty());
        for (stranger, why) in [
            (Familiarity { framework: Some(NOT_SAID), ..usual }, "framework"),
            (Familiarity { device: Known::Kin, ..usual }, "on its generation"),
            (Familiarity { device: Known::Precision, ..usual }, "precision"),
            (Familiarity { device: Known::Relative, ..usual }, "neither"),
            (Familiarity { beyond: true, ..usual }, "outside"),
            (Familiarity { scans: true, ..usual }, "scan"),
        ] {
            assert!(stranger.half_width(intervals) > 1.05 * usual.half_width(intervals), "{why}");
            assert!(stranger.reasons()[0].contains(why), "{why}");
        }
        let kin = Familiarity { device: Known::Kin, ..usual }.half_width(intervals);
        let relative = Familiarity { device: Known::Relative, ..usual }.half_width(intervals);
        assert!(kin < relative);
    }

    #[test]
    fn devices_and_sizes_are_known_as_far_as_runs_tested_them() {
        let calibration = shipped();
        let known = |device, precision, own| calibration.known(device, precision, own);
        assert_eq!(known("h100-sxm", "fp8", true), Known::Tested);
        assert_eq!(known("a100-sxm-80gb", "int8", true), Known::Precision);
        assert_eq!(known("h100-pcie", "bf16", true), Known::Kin);
        assert_eq!(known("gaudi3", "bf16", false), Known::Relative);
        assert!(!calibration.beyond(8_000_000_000, 8192, 1024));
        assert!(calibration.beyond(8_000_000_000, 8192, 100_000));
        assert!(calibration.beyond(5_000_000_000_000, 8192, 1024));
    }

    #[test]
    fn a_calibration_survives_writing() {
        let written = serde_json::to_string(shipped()).unwrap();
        assert_eq!(Calibration::read(&written).unwrap().general(), shipped().general());
        for (from, to) in [
            (r#""operand-traffic":"#, r#""oprand-traffic":"#),
            (r#""value":"#, r#""valu":"#),
            (r#""prior":"#, r#""prior":-"#),
            (r#""facts":"#, r#""fact":"#),
        ] {
            assert!(written.contains(from), "{from}");
            assert!(Calibration::read(&written.replacen(from, to, 1)).is_err(), "{to}");
        }
    }

    #[test]
    fn frameworks_are_found_by_their_whole_names() {
        let calibration = shipped();
        for (texts, name) in [
            (&["NVIDIA-NeMo/Megatron-Bridge@067f987 docs"][..], Some("megatron-bridge")),
            (&["NVIDIA/NeMo@ccef6aab5a"], Some("nemo")),
            (&["NVIDIA-NeMo/Automodel@36044ad docs"], Some("nemo-automodel")),
            (
                &["MLPerf Training v5.1 (mlcommons/training_results_v5.1) NeMo", "nemo"],
                Some("mlperf"),
            ),
            (&["NVIDIA/dgxc-benchmarking@v25.03 README", "maxtext"], Some("maxtext")),
            (&["arXiv 2205.05198 Table 5"], Some("megatron-lm")),
            (&["megatron-lm-2024"], Some("megatron-lm")),
            (&["nemo-24.07"], Some("nemo")),
            (&["my cluster"], None),
        ] {
            assert_eq!(calibration.framework(texts).map(|(_, name, _)| name), name, "{texts:?}");
        }
        let (_, nemo) = calibration.framework_named("nemo").unwrap().unwrap();
        assert_eq!(nemo.expert_kernels(2025.4), ExpertKernels::Early);
        assert_eq!(nemo.expert_kernels(2026.5), ExpertKernels::Graphs);
        // Formats without a measured run; neither.
        for name in ["deepspeed", "trl", "levanter", "pytorch", "huggingface", "fsdp2"] {
            assert!(calibration.framework_named(name).unwrap().is_none(), "{name}");
        }
        assert!(calibration.framework_named("foo").is_err());
        let error = calibration.framework_named("nemoo").unwrap_err().to_string();
        assert!(error.contains("did you mean `nemo`"), "{error}");
    }
}
