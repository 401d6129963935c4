//! The prediction of a planned run: layout, step time, memory.

use super::calibration::{Calibration, Familiarity, NOT_MEASURED, NOT_SAID, RunKind};
use super::format::Format;
use super::memory::memory;
use super::offload;
use super::parallelism::{Batch, Parallelism, Recompute, Zero};
use super::platform::{Hardware, Platform, decimal_year};
use super::run::Settled;
use super::step_time::{step_of_part, widening};
use crate::catalog::Catalog;
use crate::diagnostic::{Error, Result};
use crate::model::{AttentionCount, Layer, Model, Operator, Role};
use crate::provenance::{Basis, Input, Traced};
use crate::quantity::{
    DeviceBandwidth, DeviceTokenRate, Devices, Distribution, Measure as _, Time, Tokens,
};
use crate::training::layout::{Candidate, Wish, plan};
use crate::training::plan::{Efficiency, Pace, Prediction, Writing};
use crate::training::whole_run;

/// The step-time model's prediction of a run.
#[derive(Clone, Debug)]
pub struct Predicted {
    /// The layout, its step and its memory.
    pub candidate: Candidate,
    /// Sequences of a step.
    pub batch: Batch,
    /// The next layouts with other degrees, fastest first; none for a given layout.
    pub runners_up: Vec<Candidate>,
    /// Layouts tried, and those of them that did not fit; 0 for a given layout.
    pub tried: (usize, usize),
    /// Time for widening frozen narrow weights / time of the step.
    pub widening: f64,
    /// Time of a step that waits for the host, where that keeps the state.
    pub host: Time,
    /// FLOPs of the part of the forward pass that is computed twice / FLOPs of the model.
    pub again: f64,
    /// Bandwidth of a device to other nodes.
    pub network: Input<DeviceBandwidth>,
    /// Half-width of the 80 % interval of ln(measured / predicted).
    pub half_width: f64,
    /// The same of ln(elapsed / expected) of the whole run, the step's error included; none where
    /// the step does not say how long the run takes.
    pub run_half_width: Option<f64>,
    /// The reasons why the intervals are wider than those of tested conditions.
    pub reasons: Vec<&'static str>,
}

/// Most devices of a run; nobody has more, and the sums of degrees stay whole numbers.
const MOST_DEVICES: u64 = 1_000_000_000;

/// Predicts a run; a layout that is not given is chosen.
///
/// # Errors
/// The model is no transformer, a figure of the hardware is unknown, the degrees contradict each
/// other, or nothing fits.
pub fn predict(wanted: &Prediction, catalog: &Catalog) -> Result<Predicted> {
    let model = &wanted.model.extents;
    if !model.is_transformer() {
        let name = &wanted.model.name;
        return Err(Error::input(format!(
            "the step time of {name} cannot be predicted: it is no transformer over tokens"
        ))
        .hint("give what it reaches: efficiency: {mfu: 0.35, convention: model}"));
    }
    if wanted.devices > MOST_DEVICES {
        return Err(Error::input(format!("a run on {} devices is none", wanted.devices))
            .at(Some(&wanted.devices_place))
            .hint("at most a thousand million are forecast"));
    }
    let calibration = Calibration::shipped()?;
    let format = Format::of(wanted.precision)?;
    let mut hardware = Hardware::of(catalog, &wanted.accelerator, format)?;
    if wanted.devices > 1 {
        let joined = hardware.device.links.joined(&wanted.accelerator);
        joined.map_err(|error| {
            error.at(Some(&wanted.devices_place)).hint("or use one: training.hardware.count: 1")
        })?;
    }
    hardware.device.links.scale_out = wanted.network.value;
    let framework = match wanted.framework.as_deref() {
        Some(name) => calibration.framework_named(name)?,
        None => None,
    };
    let year = decimal_year(wanted.software_epoch);
    let software = calibration.software(framework, year);
    let platform = Platform::new(&hardware, format, software, calibration)?;
    let batch = Batch { sequences: wanted.sequences, length: wanted.sequence };
    let (candidate, runners_up, tried) = if let Some(layout) = &wanted.layout {
        let experts = model.experts.map_or(0, |experts| experts.count);
        let checked = layout.value.check(wanted.devices, model.layers, experts, batch);
        let elsewhere = &wanted.devices_place;
        checked.map_err(|error| {
            error.at(Some(&layout.place)).hint(format!(
                "{} devices are said in {}:{}",
                wanted.devices, elsewhere.file, elsewhere.line
            ))
        })?;
        layout.value.check_heads(model.heads).map_err(|error| error.at(Some(&layout.place)))?;
        let of = |layout| Candidate {
            layout,
            step: step_of_part(model, &layout, batch, &platform, wanted.trained),
            memory: memory(model, &layout, batch, &platform, wanted.state),
        };
        let given = of(layout.value);
        // Recomputation that nobody stated is what it takes to fit.
        let anew = of(Parallelism { recompute: Recompute::Full, ..layout.value });
        let open = wanted.recompute_open && !given.memory.fits() && anew.memory.fits();
        (if open { anew } else { given }, Vec::new(), (0, 0))
    } else {
        let wish = Wish {
            devices: wanted.devices,
            batch,
            state: wanted.state,
            trained: wanted.trained,
            interleave: framework
                .is_none_or(|(_, f)| f.interleaves_since.is_some_and(|since| year >= since)),
        };
        let chosen =
            plan(model, wish, &platform).map_err(|error| error.at(Some(&wanted.devices_place)))?;
        (chosen.best, chosen.runners_up, (chosen.tried, chosen.too_large))
    };
    let widening = if wanted.trained < 1.0 && wanted.weight_bytes < 2.0 {
        let layout = &candidate.layout;
        let time = widening(model, layout, batch, &platform, wanted.weight_bytes);
        (time / candidate.step.total).value
    } else {
        0.0
    };
    let host = offload::waits(
        wanted.state,
        &candidate.layout,
        candidate.layout.micro_batches(batch),
        model.parameters as f64 * wanted.state.trained,
        catalog.accelerator(&wanted.accelerator)?.devices_per_node,
        candidate.step.total,
    );
    let precision = format.precision().name();
    let known = Familiarity {
        framework: match (&wanted.framework, framework) {
            (_, Some(_)) => None,
            (Some(_), None) => Some(NOT_MEASURED),
            (None, None) => Some(NOT_SAID),
        },
        device: calibration.known(&wanted.accelerator, precision, platform.calibrated()),
        kind: RunKind::of(model, wanted.trained),
        beyond: calibration.beyond(model.parameters, wanted.sequence, wanted.devices),
        scans: model.scans(),
    };
    let general = calibration.general()?;
    Ok(Predicted {
        again: again(&wanted.model, candidate.layout.recompute.repeated(&general)),
        candidate,
        batch,
        runners_up,
        tried,
        widening,
        host,
        network: wanted.network.clone(),
        half_width: model.widened(known.half_width(&calibration.intervals), &calibration.intervals),
        run_half_width: None,
        reasons: known.reasons(),
    })
}

/// Settles how well a plan's devices are used: as given, or as predicted; `writing` is what comes
/// before each step.
///
/// # Errors
/// As [`predict`], where the plan depends on it.
pub fn settle(
    given: Option<&Efficiency>,
    prediction: Option<&Prediction>,
    writing: Option<&Writing>,
    catalog: &Catalog,
) -> Result<Settled> {
    // A layout guessed beside a given efficiency would say nothing about the run.
    let says = |wanted: &&Prediction| given.is_none() || wanted.layout.is_some();
    let asked = prediction.filter(says);
    let mut predicted = asked.map(|wanted| predict(wanted, catalog)).transpose()?;
    let mut run_error = None;
    let efficiency = match (given, asked, &mut predicted) {
        (Some(given), ..) => given.clone(),
        (None, Some(wanted), Some(predicted)) => {
            let rate = pace(wanted, predicted, writing, catalog)?;
            if let Some(writing) = writing {
                predicted.half_width = with_writing(wanted, predicted, writing);
                predicted
                    .reasons
                    .push("rollouts were compared with few published runs, of one framework");
            }
            // The model's own error is a factor like any other.
            let error = Distribution::of_half_width(rate.value().value, predicted.half_width);
            let rate = Input::computed("predicted throughput", rate.value(), &rate);
            let (tokens, epochs) = (wanted.tokens.clone(), wanted.epochs.clone());
            let devices = wanted.devices + writing.and_then(|it| it.apart).unwrap_or(0);
            let devices = Devices::from_stored(devices as f64);
            let useful = tokens.value * epochs.value / (rate.value * devices);
            let whole = whole_run::Calibration::shipped()?.half_width(useful, predicted.half_width);
            predicted.run_half_width = Some(whole);
            run_error = Some(error_of_run(whole, predicted.half_width));
            let pace = Pace::Throughput(rate.spread(Some(error)));
            Efficiency::Measured { tokens, epochs, pace }
        }
        _ => {
            return Err(Error::input("nothing says how fast the run is")
                .hint("give it: efficiency: {mfu: 0.35, convention: model}"));
        }
    };
    let recomputation = asked
        .zip(predicted.as_ref())
        .and_then(|(wanted, predicted)| recomputation(wanted, predicted.again));
    Ok(Settled { efficiency, recomputation, run_error, predicted })
}

/// Tokens per second and device of a run: of all its stages, each at its own pace, or with the
/// answers that are written before each step.
fn pace(
    wanted: &Prediction,
    predicted: &Predicted,
    writing: Option<&Writing>,
    catalog: &Catalog,
) -> Result<Traced<DeviceTokenRate>> {
    if wanted.stages.is_empty() {
        return Ok(throughput(predicted, work(wanted, predicted), writing));
    }
    let mut times = Vec::new();
    for (share, stage) in &wanted.stages {
        let predicted = predict(stage, catalog)?;
        let rate = throughput(&predicted, work(stage, &predicted), None);
        let name = format!("pace of the stage of {} tokens", stage.sequence);
        let share = Traced::derived("part of the tokens", *share, "tokens of the stage / all");
        times.push(share / rate.named(name));
    }
    Ok(Traced::constant(1.0) / Traced::total(times))
}

/// FLOPs of a token in the recipe / those that the step times: the step knows what frozen weights
/// save; what else the recipe adds runs at its utilisation. Models that are only asked compute nothing
/// anew. The widening of weights comes on top.
fn work(wanted: &Prediction, predicted: &Predicted) -> f64 {
    let passes = wanted.learned + (wanted.work - wanted.learned) / (1.0 + predicted.again);
    passes / timed(&wanted.model, wanted.trained) + predicted.widening
}

/// FLOPs of a step that trains a part of the weights / of one that trains all: products of frozen
/// weights have no gradients of theirs, attention has both of its own all the same.
fn timed(model: &Model, trained: f64) -> f64 {
    if trained >= 1.0 {
        return 1.0;
    }
    let flops = |layers: &mut dyn Iterator<Item = &Layer>| -> f64 {
        let count = AttentionCount::Causal;
        layers.map(|layer| (layer.forward(count) + layer.backward(count)).matmul.value).sum()
    };
    let is_attention = |layer: &&Layer| matches!(layer.operator, Operator::Attention(_));
    let all = flops(&mut model.layers.iter());
    let attention = flops(&mut model.layers.iter().filter(is_attention));
    (attention + (all - attention) * (2.0 + trained) / 3.0) / all
}

/// Half-width of the interval of a step with what is written before it: the errors of both are their
/// own.
fn with_writing(wanted: &Prediction, predicted: &Predicted, writing: &Writing) -> f64 {
    let learning = predicted.candidate.step.total.stored() * work(wanted, predicted);
    let written = (writing.time + writing.sync).stored();
    let share = learning / (learning + written);
    (share * predicted.half_width).hypot((1.0 - share) * writing.half_width)
}

/// Time of a step with its answers / that of engine and trainer alone: padding, states that make
/// room for each other, weights laid out anew, rewards, waiting. The geometric mean of eight runs of
/// `NeMo` RL 0.4 on H100 (`docs/performance-summary.md` of NVIDIA-NeMo/RL at r0.4.0), 1.5 to 2.7.
const BESIDE: f64 = 1.88;

/// Elapsed time of a whole run / expected, beside the error of its step.
fn error_of_run(whole: f64, step: f64) -> Input<f64> {
    let own = (whole * whole - step * step).max(0.0).sqrt();
    let why = "runs of days lose more and less than the mean of published ones";
    let basis = Basis::Assumed { why: why.to_owned(), source: None };
    let spread = (own > 0.0).then(|| Distribution::of_half_width(1.0, own));
    Input::new(RUN_ERROR, 1.0, basis).spread(spread)
}

/// The name of the input whose distribution is the error of a predicted run beside its step's.
pub const RUN_ERROR: &str = "error of the predicted run";

/// Tokens of a step / (devices x its time): the parts of the step-time model x `work`, the FLOPs of a
/// token in the recipe over those of plain training, and the writing of answers before it, or beside
/// it.
fn throughput(
    predicted: &Predicted,
    work: f64,
    writing: Option<&Writing>,
) -> Traced<DeviceTokenRate> {
    let Predicted { candidate: Candidate { layout, step, .. }, batch, .. } = predicted;
    let tokens = Tokens::from_stored((batch.sequences * batch.length) as f64);
    let tokens = Traced::derived(
        "tokens of a step",
        tokens,
        format!("{} sequences of {} tokens", batch.sequences, batch.length),
    );
    let devices = Devices::from_stored(layout.devices() as f64);
    let devices = Traced::derived("devices of the layout", devices, layout.to_string());
    let parts = step.parts().map(|(name, what, time)| {
        Traced::derived(format!("step: {name}"), time, format!("step-time model: {what}"))
    });
    let time = Traced::total(parts).named("predicted step time");
    let time = if (work - 1.0).abs() < 1e-9 {
        time
    } else {
        let how =
            "FLOPs of a token in the recipe / in plain training, with the widening of weights";
        (time * Traced::derived("work of the recipe", work, how)).named("time of learning")
    };
    let time = if predicted.host.value > 0.0 {
        let how = "the update by the processors, and what moves over their links beside it";
        let host = Traced::derived("step: offloaded state", predicted.host, how);
        (time + host).named("time of a step with its host")
    } else {
        time
    };
    let Some(writing) = writing else { return tokens / (devices * time) };
    let written = Traced::derived("step: writing answers", writing.time, writing.how.clone());
    let how = "new weights to those who write, over the links between nodes";
    let written = written + Traced::derived("step: weight synchronisation", writing.sync, how);
    let whole = match (writing.apart, writing.asynchronous) {
        (Some(_), true) => time.max(&written),
        _ => time + written,
    };
    let whole = whole.named("engine and trainer");
    let lost = "8 published runs of NeMo RL 0.4 / their parts (tests/published/rollouts.rs)";
    let whole = whole * Traced::derived("what a framework loses beside both", BESIDE, lost);
    let devices = match writing.apart {
        Some(apart) => {
            let apart = Devices::from_stored(apart as f64);
            devices + Traced::derived("devices that write", apart, "training.rl.rollout.devices")
        }
        None => devices,
    };
    tokens / (devices * whole.named("time of a step with its answers"))
}

/// FLOPs of the part of the forward pass that is computed twice / FLOPs of the recipe.
fn recomputation(wanted: &Prediction, again: f64) -> Option<Input<f64>> {
    let again = again * wanted.learned / (wanted.work + wanted.written);
    let formula = "forward FLOPs of what is computed anew / model FLOPs".to_owned();
    (again > 0.0).then(|| Input::new("recomputation", again, Basis::Derived { formula }))
}

/// FLOPs of the part of the forward pass that is computed twice / FLOPs of the model, of the products
/// and of the attention; the head keeps what it has.
fn again(model: &Model, [products, attention]: [f64; 2]) -> f64 {
    let all = model.forward(AttentionCount::Causal) + model.backward(AttentionCount::Causal);
    let repeated = |layer: &Layer| match (&layer.operator, layer.role) {
        (_, Role::Head) => 0.0,
        (Operator::Attention(_), _) => attention,
        _ => products,
    };
    let forward = |layer: &Layer| layer.forward(AttentionCount::Causal).matmul.value;
    let again: f64 = model.layers.iter().map(|layer| repeated(layer) * forward(layer)).sum();
    again / all.matmul.value
}

impl std::fmt::Display for Parallelism {
    /// `tensor 8 x pipeline 16 x data 128, ZeRO 1, micro-batch 1`: what is 1 or off is left out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let degrees = [
            ("tensor", self.tensor),
            ("pipeline", self.pipeline),
            ("context", self.context),
            ("data", self.data),
        ];
        let parts: Vec<String> =
            degrees.iter().filter(|(_, n)| *n > 1).map(|(name, n)| format!("{name} {n}")).collect();
        f.write_str(&if parts.is_empty() { "one device".to_owned() } else { parts.join(" x ") })?;
        if self.expert > 1 {
            write!(f, ", expert {}", self.expert)?;
        }
        if self.chunks > 1 {
            write!(f, ", {} chunks a stage", self.chunks)?;
        }
        let zero = [Zero::Off, Zero::Optimizer, Zero::Gradients, Zero::Weights];
        let stage = zero.iter().position(|z| *z == self.zero).unwrap_or(0);
        write!(f, ", ZeRO {stage}, micro-batch {}", self.micro_batch)?;
        match self.recompute {
            Recompute::None => Ok(()),
            Recompute::Full => f.write_str(", full recomputation"),
            Recompute::Selective => f.write_str(", selective recomputation"),
            _ => f.write_str(", partial recomputation"),
        }
    }
}
