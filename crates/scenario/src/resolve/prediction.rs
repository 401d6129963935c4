//! The inputs of the step-time model: the batch, the layout, the network and the stages of a run.

use std::sync::Arc;

use chrono::NaiveDate;
use flopcast_core::catalog::{Accelerator, Links};
use flopcast_core::diagnostic::{Place, Placed, Result};
use flopcast_core::model::{Input as ModelInput, Model};
use flopcast_core::provenance::Input;
use flopcast_core::quantity::{DeviceBandwidth, Precision};
use flopcast_core::training::parallelism::{Parallelism, Zero};
use flopcast_core::training::plan::{Prediction, Work};
use flopcast_core::training::state;

use super::super::file::{ScenarioFile, Training};
use super::training::model_of;
use super::{Files, assumed, memory, recipe};

/// The inputs of the step-time model; `None` where the scenario says too little for a prediction:
/// no tokens, no number of devices, a format without calibration, a recipe that writes.
///
/// # Errors
/// If a step holds less than one sequence, or the layout does not divide the devices.
pub(super) fn prediction(
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
    let timed = recipe.writes() && training.efficiency.is_some();
    if timed || !matrix_format || model.input.decoder_sequence.is_some() {
        return Ok(None);
    }
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
        sequences: sequences(training, model, sequence, devices)?,
        sequence,
        layout: layout(training, devices, &devices_place)?,
        devices_place,
        state: memory::state(training)?,
        recompute_open: training
            .parallelism
            .as_ref()
            .is_some_and(|given| given.value.recompute.is_none()),
        weight_bytes: recipe.frozen_bytes,
        trained: 1.0,
        work: 1.0,
        learned: 1.0,
        written: 0.0,
        framework: training.framework.as_ref().map(|it| it.value.clone()),
        software_epoch: training
            .software_epoch
            .or_else(|| file.placement.as_ref()?.start.as_ref().map(|start| start.value))
            .unwrap_or(STATE_OF_THE_ART),
        stages: Vec::new(),
        network: network(training, device),
    }))
}

/// Sequences of a step over all devices: the global batch as given, near what a layout divides where
/// the layout is open, else what runs of this recipe and size use.
///
/// # Errors
/// If it is less than one, or more than any product holds.
fn sequences(training: &Training, model: &Model, sequence: u64, devices: u64) -> Result<u64> {
    let Some(batch) = &training.global_batch else {
        let tokens = training.recipe.row().batch.unwrap_or_else(|| usual_tokens(model));
        return Ok(usual_batch(tokens / sequence as f64, devices));
    };
    let sequences = batch.spread.central().value / sequence as f64;
    if sequences < 1.0 {
        let message = format!("a step holds at least one sequence of {sequence} tokens");
        let said = batch.spread.central().value;
        let tokens = said * sequence as f64;
        return Err(batch
            .refuse(message)
            .hint(format!("{said} sequences are `global_batch: {tokens} tokens`")));
    }
    if sequences > MOST_SEQUENCES {
        return Err(batch.refuse(format!("a step of {sequences:.0} sequences is none")));
    }
    Ok(match training.parallelism {
        Some(_) => sequences.round() as u64,
        None => most_divisible(sequences),
    })
}

/// The layout as given, over all devices; where it leaves ZeRO open, weights are sharded by a
/// framework that does so.
///
/// # Errors
/// If it does not divide the devices.
pub(super) fn layout(
    training: &Training,
    devices: u64,
    counted: &Place,
) -> Result<Option<Placed<Parallelism>>> {
    let Some(given) = &training.parallelism else { return Ok(None) };
    let framework = training.framework.as_ref().and_then(|it| state::formats(&it.value));
    let alone = given.value.pipeline.unwrap_or(1) == 1 && devices > 1;
    let shards = framework.is_some_and(|formats| formats.sharded) && alone;
    let usual = if shards { Zero::Weights } else { Zero::default() };
    let value = given.value.over(devices, usual).map_err(|error| {
        error
            .at(Some(&given.place))
            .hint(format!("{devices} devices are said in {}:{}", counted.file, counted.line))
    })?;
    Ok(Some(Placed { value, place: given.place.clone() }))
}

/// The link of a device to other nodes: as given, or as the catalog has it.
pub(super) fn network(training: &Training, device: &Accelerator) -> Input<DeviceBandwidth> {
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
pub(super) fn in_stages(
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

/// Tokens of a step of pre-training where nobody says: from 1M below a billion parameters to 16M
/// above a hundred (Llama 3 405B, arXiv:2407.21783).
fn usual_tokens(model: &Model) -> f64 {
    match model.parameters().total {
        0..1_000_000_000 => 1e6,
        1_000_000_000..100_000_000_000 => 4e6,
        _ => 16e6,
    }
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
