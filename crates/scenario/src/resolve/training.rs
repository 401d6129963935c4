//! The training section: the work, the efficiency, the prediction's inputs, memory, and the run's
//! place.
//!
//! The work is FLOPs per token x tokens (or per sample x samples). Its time follows from one of:
//!
//! - a pace that the scenario gives: MFU, HFU, a step time, tokens/s per device, device-hours;
//! - the step-time model (`training::predict`), where devices, tokens and format allow a
//!   prediction;
//! - for a network over samples, its operators timed one by one (`kernel::network`);
//! - else a dated default of the device's generation, an assumption.

use std::sync::Arc;

use chrono::NaiveDate;
use flopcast_core::catalog::{Accelerator, Catalog, Links};
use flopcast_core::diagnostic::{Error, Placed, Result};
use flopcast_core::estimate::plan::{Card, Choice, Deadline, TrainingPlan};
use flopcast_core::model::{AttentionCount, Input as ModelInput, Model, Spec};
use flopcast_core::provenance::{Basis, Input};
use flopcast_core::quantity::{
    Data as Bytes, DeviceBandwidth, Devices, FlopPerSample, FlopPerToken, Measure, Precision,
    Share, Tokens, show,
};
use flopcast_core::training::parallelism::Zero;
use flopcast_core::training::plan::{Prediction, Run, Work};
use flopcast_core::training::state::{self, Offload, State};

use super::super::file::{
    Data, Master, Offload as OffloadFile, Placement, Recipe, ScenarioFile, Training,
};
use super::super::given::Given;
use super::super::reader::Located;
use super::costs::Payer;
use super::rent::Tenant;
use super::{
    Files, Notes, assumed, efficiency, goodput, owned, placement, recipe, rollout, share, site,
};

/// The scenario's model at an input.
///
/// # Errors
/// As [`built`].
pub(super) fn model_of(
    file: &ScenarioFile,
    files: &dyn Files,
    input: &ModelInput,
) -> Result<Arc<Model>> {
    built(&file.model, files, input)
}

/// A model that the scenario names, at an input.
///
/// # Errors
/// If it cannot be built: the error has the place of its name.
pub(super) fn built(
    spec: &Located<Spec>,
    files: &dyn Files,
    input: &ModelInput,
) -> Result<Arc<Model>> {
    files.model(&spec.value, input).map_err(|error| error.at(Some(&spec.place)))
}

/// Resolves the training section into a plan.
///
/// # Errors
/// If a part of it contradicts another, is impossible, or is unknown to the catalog.
pub(super) fn plan(
    file: &ScenarioFile,
    training: &Training,
    catalog: &Catalog,
    files: &dyn Files,
    notes: &mut Notes,
) -> Result<TrainingPlan> {
    let device = placement::accelerator(catalog, &training.hardware)?;
    if let Some(slice) = &training.hardware.slice {
        return Err(Error::input("a run takes whole devices: slices have no link to each other")
            .at(Some(&slice.place))
            .hint("leave training.hardware.slice out; services run on slices"));
    }
    let devices = devices(training)?;
    let Counted { work, model, ratio, trained, held } = work(file, training, files, notes)?;
    notes
        .model_assumptions
        .extend(model.assumptions.iter().map(|a| format!("{} = {}: {}", a.what, a.value, a.why)));
    notes.warnings.extend(model.warnings.iter().map(|warning| format!("model: {warning}")));
    for unresolved in &model.unresolved {
        notes.warnings.push(format!(
            "{} {} of the model could not be counted: {}",
            unresolved.count, unresolved.kind, unresolved.why
        ));
    }
    let precision = &training.precision;
    let peak = device.peak(precision.value).map_err(|error| error.at(Some(&precision.place)))?;
    let whole = model_of(file, files, &model.input)?;
    let learners = rollout::learners(training, devices.as_ref())?;
    let prediction = prediction(file, training, device, &work, learners, &whole)?;
    let settled = |asked: Prediction| Prediction {
        work: ratio,
        trained: trained.min(1.0),
        state: State { trained, ..beside(asked.state, held, training) },
        ..asked
    };
    let rollout = prediction.as_ref().and_then(|asked| {
        rollout::of(training, device, devices.as_ref(), asked, notes).transpose()
    });
    let rollout = rollout.transpose()?;
    if training.recipe.row().writes && training.efficiency.is_none() && rollout.is_none() {
        return Err(Error::input(
            "nothing says how fast the run is: rollouts are timed of language models on a number \
             of devices in a format of matrix products",
        )
        .at(Some(&precision.place))
        .hint(
            "give `hardware: {count: ...}`, or what it reaches over all: efficiency: {mfu: 0.15, \
             convention: model}",
        ));
    }
    let prediction =
        prediction.map(|asked| in_stages(settled(asked), file, training, files)).transpose()?;
    if !whole.extents.is_transformer() {
        least_memory(&whole, device, devices.as_ref(), state(training)?, training)?;
    }
    let efficiency = efficiency::efficiency(
        catalog,
        training,
        device,
        (&work, &model),
        devices.as_ref(),
        prediction.is_some(),
    )?;
    let run = Run {
        work,
        peak: peak.input(format!("dense {} peak of {}", precision.value, device.id)),
        goodput: goodput::goodput(training, devices.as_ref())?,
        devices,
        interruptions: None,
        spares: or_zero(
            training.spares.as_ref(),
            "training.spares",
            "no spare devices are paid for",
        ),
        experiments: training.experiments.as_ref().map_or_else(
            || assumed("training.experiments", 0.0, "ablations and failed runs are not counted"),
            |given| given.input("training.experiments"),
        ),
        global_batch: match (&training.global_batch, &prediction) {
            (Some(batch), _) => Some(batch.input("training.global_batch")),
            (None, Some(prediction)) => Some(assumed(
                "training.global_batch",
                Tokens::from_stored((prediction.sequences * prediction.sequence) as f64),
                "tokens that runs of this recipe and size use",
            )),
            (None, None) => None,
        },
    };
    let nowhere = super::super::file::Placement::default();
    let place = file.placement.as_ref().unwrap_or(&nowhere);
    let together = run.devices.as_ref().map_or(1.0, |d| d.value.value).max(1.0) as u64;
    if run.devices.is_some() && efficiency.is_none() && training.hardware.network.is_none() {
        super::network(notes, device, together as f64);
    }
    let together = together.min(device.devices_per_node);
    let start = place.start.as_ref();
    if let Some(deadline) = &training.deadline {
        due(deadline, start)?;
    }
    // The site first: a region that does not exist has no price either.
    let site = site::site(catalog, place, &training.hardware, device, "training", notes)?;
    let tenant = Tenant { catalog, placement: place, device, together, stage: "training" };
    let owned = owned::plan(catalog, place, device, "placement", notes)?;
    let rent = tenant.rent(notes)?;
    let interruptions = match &rent {
        Some(rent) => {
            let reliability = &training.reliability;
            tenant.interruptions(
                rent,
                &run,
                goodput::interval(reliability),
                goodput::restart(reliability),
            )?
        }
        None => None,
    };
    let payer = Payer { catalog, placement: place, section: "training.costs" };
    let costs = match &training.costs {
        Some(costs) => {
            Some(payer.of_training(costs, checkpoint(state(training)?, &whole, trained))?)
        }
        None => None,
    };
    Ok(TrainingPlan {
        card: card(training, place, &device.id, &whole, catalog)?,
        site,
        rent,
        owned,
        costs,
        trainable: training.recipe.row().adapters.then(|| {
            let count = (trained * whole.parameters().total as f64).round();
            let formula = format!("adapters of {}", whole.name);
            Input::new("training.trainable_parameters", count, Basis::Derived { formula })
        }),
        billion_parameters: Input::new(
            "parameters of the model, in billions",
            whole.parameters().total as f64 / 1e9,
            Basis::Derived { formula: format!("counted from {}", whole.name) },
        ),
        start: start.map(|start| start.value),
        deadline: training.deadline.as_ref().map(|deadline| deadline.value.0),
        efficiency,
        prediction,
        rollout,
        run: Run { interruptions, ..run },
    })
}

/// Refuses a deadline before the start, or a day without a start to count from.
fn due(
    deadline: &Located<super::super::file::Deadline>,
    start: Option<&Located<chrono::NaiveDate>>,
) -> Result<()> {
    let Deadline::On(day) = deadline.value.0 else { return Ok(()) };
    let error = |message: String| Error::input(message).at(Some(&deadline.place));
    match start {
        None => Err(error("a deadline needs a start to count from".to_owned())
            .hint("give `placement: {start: 2027-01-01}`, or a time: `deadline: 60 days`")),
        Some(start) if day < start.value => {
            let message = format!("the deadline {day} is before the start {}", start.value);
            Err(error(message).hint(format!("placement.start is on line {}", start.place.line)))
        }
        Some(_) => Ok(()),
    }
}

/// The facts of the run that documents state.
///
/// # Errors
/// If the region is unknown.
fn card(
    training: &Training,
    place: &Placement,
    device: &str,
    model: &Model,
    catalog: &Catalog,
) -> Result<Card> {
    let recipe = training.recipe.row();
    let named = |name: &Option<Located<String>>| name.as_ref().map(|name| name.value.clone());
    let region = placement::region(catalog, place, None)?;
    let count = training.hardware.count.as_ref().map(|count| count.input("").value);
    Ok(Card {
        model: model.name.clone(),
        parameters: model.parameters().total,
        generates: model.generates(),
        training_type: recipe.card,
        adapts: !matches!(training.recipe, Recipe::Pretrain | Recipe::Distill),
        precision: training.precision.value,
        accelerator: device.to_owned(),
        devices: count.map(|count: Devices| count.value as u64),
        provider: named(&place.provider),
        region: named(&place.region),
        country: region.map(|region| region.country),
    })
}

/// The inputs of the step-time model; `None` where the scenario says too little for a prediction:
/// no tokens, no number of devices, a format without calibration, a recipe that writes.
///
/// # Errors
/// If a step holds less than one sequence, or the layout does not divide the devices.
fn prediction(
    file: &ScenarioFile,
    training: &Training,
    device: &Accelerator,
    work: &Work,
    devices: Option<u64>,
    model: &Arc<Model>,
) -> Result<Option<Prediction>> {
    let recipe = training.recipe.row();
    let matrix_format = matches!(
        training.precision.value,
        Precision::Fp16 | Precision::Bf16 | Precision::Fp8 | Precision::Fp4
    );
    let (Work::Tokens { tokens, epochs, .. }, Some(devices), Some(sequence)) =
        (work, devices, model.input.sequence)
    else {
        return Ok(None);
    };
    let timed = recipe.writes && training.efficiency.is_some();
    if timed || !matrix_format || model.input.decoder_sequence.is_some() {
        return Ok(None);
    }
    let sequences = match &training.global_batch {
        None => {
            let wanted = recipe.batch.unwrap_or_else(|| usual_tokens(model)) / sequence as f64;
            usual_batch(wanted, devices)
        }
        Some(batch) => {
            let sequences = batch.spread.central().value / sequence as f64;
            if sequences < 1.0 {
                return Err(batch
                    .refuse(format!("a step holds at least one sequence of {sequence} tokens")));
            }
            if sequences > MOST_SEQUENCES {
                return Err(batch.refuse(format!("a step of {sequences:.0} sequences is none")));
            }
            match training.parallelism {
                Some(_) => sequences.round() as u64,
                None => most_divisible(sequences),
            }
        }
    };
    let devices_place = training
        .hardware
        .count
        .as_ref()
        .map_or_else(|| training.precision.place.clone(), |count| count.place.clone());
    Ok(Some(Prediction {
        model: Arc::clone(model),
        tokens: tokens.clone(),
        epochs: epochs.clone(),
        accelerator: device.id.clone(),
        devices,
        precision: training.precision.value,
        sequences,
        sequence,
        layout: match &training.parallelism {
            Some(given) => {
                let count = devices;
                let framework = training.framework.as_deref().and_then(state::formats);
                let alone = given.value.pipeline.unwrap_or(1) == 1 && count > 1;
                let shards = framework.is_some_and(|formats| formats.sharded) && alone;
                let usual = if shards { Zero::Weights } else { Zero::default() };
                let layout = given.value.over(count, usual);
                let value = layout.map_err(|error| {
                    let elsewhere = &devices_place;
                    error.at(Some(&given.place)).hint(format!(
                        "{} devices are said in {}:{}",
                        devices, elsewhere.file, elsewhere.line
                    ))
                })?;
                Some(Placed { value, place: given.place.clone() })
            }
            None => None,
        },
        devices_place,
        state: state(training)?,
        recompute_open: training
            .parallelism
            .as_ref()
            .is_some_and(|given| given.value.recompute.is_none()),
        weight_bytes: recipe.frozen_bytes,
        trained: 1.0,
        work: 1.0,
        framework: training.framework.clone(),
        software_epoch: training
            .software_epoch
            .or_else(|| file.placement.as_ref()?.start.as_ref().map(|start| start.value))
            .unwrap_or(STATE_OF_THE_ART),
        stages: Vec::new(),
        network: network(training, device),
    }))
}

/// The link of a device to other nodes: as given, or as the catalog has it.
fn network(training: &Training, device: &Accelerator) -> Input<DeviceBandwidth> {
    let name = "training.hardware.network";
    let links = Links::of(device);
    match (&training.hardware.network, &device.scale_out) {
        (Some(given), _) => given.input(name),
        (None, Some(fact)) => fact.input(name),
        (None, None) => {
            let why = "the catalog has none: a 100 Gbit/s card each, or in a pod the link within";
            assumed(name, links.scale_out, why)
        }
    }
}

/// The prediction of each stage where their lengths differ: the longest decides the layout that is
/// shown.
fn in_stages(
    asked: Prediction,
    file: &ScenarioFile,
    training: &Training,
    files: &dyn Files,
) -> Result<Prediction> {
    let parts = recipe::stages(training, &file.data.clone().unwrap_or_default())?;
    let all: f64 = parts.iter().map(|part| part.tokens).sum();
    let mut stages = Vec::new();
    for part in &parts {
        let input = ModelInput { sequence: part.sequence, ..ModelInput::default() };
        let model = model_of(file, files, &input)?;
        let sequence = model.input.sequence.unwrap_or(asked.sequence);
        let tokens = asked.sequences.saturating_mul(asked.sequence);
        let sequences = match training.parallelism {
            Some(_) => (tokens / sequence).max(1),
            None => most_divisible(tokens as f64 / sequence as f64),
        };
        let stage = Prediction { model, sequence, sequences, ..asked.clone() };
        stages.push((part.tokens / all, stage));
    }
    let same = stages.iter().all(|(_, stage)| stage.sequence == asked.sequence);
    let longest = stages.iter().map(|(_, stage)| stage).max_by_key(|stage| stage.sequence);
    match longest.cloned() {
        Some(longest) if !same => Ok(Prediction { stages, ..longest }),
        _ => Ok(asked),
    }
}

/// Bytes per parameter with the frozen models and the critic that lie beside the policy.
fn beside(state: State, held: f64, training: &Training) -> State {
    let times = if training.recipe.row().critic { 2.0 } else { 1.0 };
    State {
        weights: times * state.weights + 2.0 * held,
        gradients: times * state.gradients,
        master: times * state.master,
        moments: times * state.moments,
        ..state
    }
}

/// Tokens of a step of pre-training where nobody says: from 1M below a billion parameters to 16M
/// above a hundred (Llama 3 405B, arXiv:2407.21783).
fn usual_tokens(model: &Model) -> f64 {
    match model.parameters().total {
        0..1_000_000_000 => 1e6,
        1_000_000_000..100_000_000_000 => 4e6,
        _ => 16e6,
    }
}

/// Bytes per parameter: those of the framework and the optimizer, with what the scenario says of
/// formats, and frozen weights as they are stored.
///
/// # Errors
/// If the core has no such optimizer.
fn state(training: &Training) -> Result<State> {
    let framework = training.framework.as_deref().and_then(state::formats);
    let formats = framework.unwrap_or(&state::MIXED);
    let mut state = state::recipe(state::optimizer(training.optimizer.name())?, formats);
    let size = |precision: Precision| precision.size().value;
    let given = &training.formats;
    state.weights = given.weights.map_or(state.weights, size);
    state.gradients = given.gradients.map_or(state.gradients, size);
    if let Some(moments) = given.moments {
        state.moments *= size(moments) / formats.moment;
    }
    match given.master {
        None => {}
        Some(Master::None) => {
            // The gradients of weights that are trained as they are have their format.
            state.gradients = given.gradients.map_or(state.gradients.min(state.weights), size);
            (state.master, state.buffered) = (0.0, false);
        }
        Some(Master::Bf16) => state.master = 2.0,
        Some(Master::Fp32) => state.master = 4.0,
    }
    state.in_backward = training.optimizer_in_backward;
    state.offload = match training.offload {
        OffloadFile::None => Offload::Nothing,
        OffloadFile::Optimizer => Offload::Optimizer,
        OffloadFile::Weights => Offload::Weights,
    };
    // A base that adapters leave alone is stored in the format of the products.
    let stored = match training.precision.value {
        Precision::Fp8 | Precision::Int8 => 1.0,
        Precision::Fp4 => 0.5625,
        _ => 2.0,
    };
    let recipe = training.recipe.row();
    state.frozen = if recipe.adapters { recipe.frozen_bytes.min(stored) } else { 0.0 };
    Ok(state)
}

/// Refuses a network whose weights, gradients and state exceed all devices together: tables of
/// embeddings at 4 bytes a number, with nothing beside, all else by the recipe. Activations come on
/// top, so a network that passes may still not fit.
///
/// # Errors
/// If it does not fit: the hint has the least number of devices.
fn least_memory(
    model: &Model,
    device: &Accelerator,
    devices: Option<&Input<Devices>>,
    state: State,
    training: &Training,
) -> Result<()> {
    /// A maker's gigabyte of memory is 2^30 bytes.
    const GIB: f64 = 1.073_741_824;
    let (Some(memory), Some(devices)) = (&device.memory, devices) else { return Ok(()) };
    let parameters = model.parameters();
    let tables = parameters.embedding as f64 * 4.0;
    let each = state.weights + state.gradients + state.optimizer();
    let needed = tables + (parameters.total - parameters.embedding) as f64 * each;
    let there = memory.value.value * GIB * devices.value.value;
    if needed <= there {
        return Ok(());
    }
    let least = (needed / (memory.value.value * GIB)).ceil();
    let place = training.hardware.count.as_ref().map(|count| &count.place);
    Err(Error::limit(format!(
        "{} does not fit: weights, gradients and state take {}, the devices have {}",
        model.name,
        show(Bytes::from_stored(needed)),
        show(Bytes::from_stored(there))
    ))
    .at(place.or(Some(&training.precision.place)))
    .hint(format!("at least {least} devices, over which tables and weights are spread")))
}

/// A number of sequences near `wanted` that the devices share evenly, or groups of 2, 4, 8... of
/// them where there are more devices than sequences.
fn usual_batch(wanted: f64, devices: u64) -> u64 {
    let mut copies = devices.max(1);
    while copies as f64 > 1.5 * wanted && copies.is_multiple_of(2) {
        copies /= 2;
    }
    let times = (wanted / copies as f64).log2().round().exp2().max(1.0) as u64;
    copies.saturating_mul(times)
}

/// The number within 5 % of `sequences` that the largest power of two divides: batches are often
/// said round ("16M tokens" for 2,048 sequences of 8,192).
fn most_divisible(sequences: f64) -> u64 {
    // Halving a power of two and rounding are exact, so that no number is too large to try.
    let mut step = 2_f64.powi(40);
    while step > 1.0 {
        let candidate = (sequences / step).round() * step;
        if candidate > 0.0 && (candidate / sequences - 1.0).abs() <= 0.05 {
            return candidate as u64;
        }
        step /= 2.0;
    }
    sequences.round().max(1.0) as u64
}

/// More sequences of a step are a mistake in the file: a count beyond it holds no product.
const MOST_SEQUENCES: f64 = 4_294_967_296.0;

/// Release date of the newest software that the calibration has seen.
const STATE_OF_THE_ART: NaiveDate = match NaiveDate::from_ymd_opt(2026, 8, 1) {
    Some(date) => date,
    None => NaiveDate::MIN,
};

/// Size of a checkpoint: trained parameters x (2 bytes of weights + the optimizer's state).
fn checkpoint(state: State, model: &Model, trained: f64) -> Input<Bytes> {
    let bytes = 2.0 + state.optimizer();
    let size = bytes * trained * model.parameters().total as f64;
    let formula = format!("trained parameters x {bytes} B of weights and optimizer state");
    Input::new("size of a checkpoint", Bytes::from_stored(size), Basis::Derived { formula })
}

/// The number of devices, where the scenario gives one.
///
/// # Errors
/// If it is no whole number from 1.
fn devices(training: &Training) -> Result<Option<Input<Devices>>> {
    let Some(count) = &training.hardware.count else { return Ok(None) };
    let devices = count.spread.central().value;
    if devices < 1.0 || devices.fract() != 0.0 {
        return Err(count.refuse("the number of devices is a whole number from 1"));
    }
    Ok(Some(count.input("training.hardware.count")))
}

/// A share that is zero where nobody gives it, as an assumption with its reason.
fn or_zero(given: Option<&Given<Share>>, name: &str, why: &str) -> Input<Share> {
    given.map_or_else(|| assumed(name, share(0.0), why), |given| given.input(name))
}

/// The data and the FLOPs of one unit of it.
struct Counted {
    work: Work,
    /// The model as it is trained, adapters included.
    model: Arc<Model>,
    /// FLOPs of the recipe / FLOPs of training all weights on the same data.
    ratio: f64,
    /// Parameters that are trained / those of the model as it is named.
    trained: f64,
    /// Parameters of frozen models beside it / its own.
    held: f64,
}

/// Counts the run: tokens or samples, epochs, and FLOPs per unit, causal and full.
///
/// # Errors
/// If the data has no size or two, if the model reads no tokens, or as [`recipe::passes`].
fn work(
    file: &ScenarioFile,
    training: &Training,
    files: &dyn Files,
    notes: &mut Notes,
) -> Result<Counted> {
    let here = &training.precision.place;
    let data = file.data.clone().unwrap_or_default();
    let stages = recipe::stages(training, &data)?;
    let longest = stages.iter().map(|stage| stage.sequence).max().flatten();
    let at = |sequence: Option<u64>| ModelInput {
        sequence,
        image_size: data.image_size.as_ref().map(|s| s.value),
        training: true,
        ..ModelInput::default()
    };
    let mut parts = Vec::new();
    for stage in &stages {
        parts.push((stage, recipe::passes(file, training, files, &at(stage.sequence))?));
    }
    let passes = &parts[0].1;
    let model = passes.policy.clone();
    if training.mtp.is_none() && !passes.plain.ahead.is_empty() {
        notes.choices.push(Choice {
            path: "training.mtp",
            value: passes.ahead.to_string(),
            why: "layers that predict tokens further ahead train with the model, unless it is \
                  tuned afterwards"
                .to_owned(),
        });
    }
    if let (Some(wanted), Some(most)) = (longest, model.extents.max_sequence)
        && wanted > most
    {
        notes.warnings.push(format!(
            "a sequence of {wanted} tokens is longer than the {most} that {} was made for",
            model.name
        ));
    }
    let epochs = epochs(&data);
    let trained = passes.trained;
    let work = match (&data.tokens, &data.samples, training.stages.is_empty()) {
        (Some(_), Some(samples), _) => {
            return Err(samples
                .refuse("`tokens` and `samples` are two sizes of one data set; give one of them"));
        }
        (None, None, true) => {
            let what = if file.data.is_some() {
                "`data` needs `tokens` or `samples`"
            } else {
                "a training run needs `data: {tokens: ...}` or `{samples: ...}`"
            };
            return Err(Error::input(what).at(Some(here)));
        }
        (None, Some(samples), true) => {
            let flops = passes.flops(AttentionCount::Causal).value / model.input.batch as f64;
            Work::Samples {
                samples: samples.input("data.samples"),
                epochs,
                model: derived::<FlopPerSample>(&model, flops, "sample"),
            }
        }
        (tokens, _, staged) => {
            if model.input.sequence.is_none() {
                return Err(Error::input(format!(
                    "{} reads no tokens; give `samples`",
                    model.name
                ))
                .at(tokens.as_ref().map(|t| &t.place).or(Some(here))));
            }
            let all: f64 = stages.iter().map(|stage| stage.tokens).sum();
            let per_token = |attention, count: &str| {
                let weighted: f64 = parts
                    .iter()
                    .map(|(stage, passes)| stage.tokens / all * passes.per_token(attention))
                    .sum();
                let formula = recipe::formula(&parts[0].1, stages.len(), count);
                let name = format!("FLOPs per token, {count}");
                Input::new(name, FlopPerToken::from_stored(weighted), Basis::Derived { formula })
            };
            let halves = if model.input.decoder_sequence.is_some() { 2.0 } else { 1.0 };
            let active = passes.plain.parameters().active as f64 / halves;
            let six_nd = passes.plain().then(|| {
                let formula = format!("6 x {active:.4e} parameters that a token passes");
                let basis = Basis::Derived { formula };
                Input::new("FLOPs per token, 6N", FlopPerToken::from_stored(6.0 * active), basis)
            });
            Work::Tokens {
                tokens: match (tokens, staged) {
                    (Some(tokens), _) => tokens.input("data.tokens"),
                    (None, _) => Input::new(
                        "tokens of all stages",
                        Tokens::from_stored(all),
                        Basis::Derived { formula: format!("sum of {} stages", stages.len()) },
                    ),
                },
                epochs,
                six_nd,
                model: per_token(AttentionCount::Causal, "causal attention"),
                model_full: per_token(AttentionCount::Full, "full attention"),
            }
        }
    };
    let all: f64 = stages.iter().map(|stage| stage.tokens).sum();
    let spent: f64 = parts
        .iter()
        .map(|(stage, passes)| {
            // Writing is timed by the serving engine.
            let learning = passes.per_token(AttentionCount::Causal) - passes.writing_per_token();
            stage.tokens / all * learning
        })
        .sum();
    let plain: f64 =
        parts.iter().map(|(stage, passes)| stage.tokens / all * passes.plain_per_token()).sum();
    Ok(Counted { work, ratio: spent / plain, trained, held: passes.held(), model })
}

/// FLOPs per unit, counted from every operator of the model.
fn derived<Q: Measure>(model: &Model, value: f64, unit: &str) -> Input<Q> {
    let formula = format!("every operator of {}, forward + backward", model.name);
    Input::new(format!("FLOPs per {unit}"), Q::from_stored(value), Basis::Derived { formula })
}

/// Passes over the data; one where nobody says.
fn epochs(data: &Data) -> Input<f64> {
    data.epochs.as_ref().map_or_else(
        || assumed("data.epochs", 1.0, "the data is passed once"),
        |given| given.input("data.epochs"),
    )
}

#[cfg(test)]
mod tests {
    use flopcast_core::training::state;

    use super::super::super::file::Optimizer;

    #[test]
    fn every_optimizer_has_a_row() {
        for optimizer in Optimizer::ALL {
            assert_eq!(state::optimizer(optimizer.name()).unwrap().name, optimizer.name());
        }
        assert_eq!(Optimizer::ALL.len(), state::OPTIMIZERS.len());
    }
}
