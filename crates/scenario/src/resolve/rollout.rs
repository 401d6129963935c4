//! Rollouts: the answers that a model writes in each step, and the devices that it writes them on.

use std::sync::Arc;

use flopcast_core::catalog::Accelerator;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::plan::Choice;
use flopcast_core::estimate::rollout::Rollout;
use flopcast_core::provenance::Input;
use flopcast_core::quantity::Devices;
use flopcast_core::serving::calibration::Calibration;
use flopcast_core::serving::traffic::Lengths;
use flopcast_core::training::plan::Prediction;

use super::super::file::Training;
use super::super::file::recipe::Rollout as File;
use super::Notes;

/// Devices that learn: all but those that only write.
///
/// # Errors
/// None would be left.
pub(super) fn learners(
    training: &Training,
    devices: Option<&Input<Devices>>,
) -> Result<Option<u64>> {
    let Some(devices) = devices else { return Ok(None) };
    let all = devices.value.value as u64;
    let apart = training.rl.as_ref().and_then(|rl| rl.rollout.devices.as_ref());
    let Some(apart) = apart.filter(|_| training.recipe.row().writes()) else {
        return Ok(Some(all));
    };
    match all.checked_sub(apart.value).filter(|left| *left > 0 && apart.value > 0) {
        Some(left) => Ok(Some(left)),
        None => Err(Error::input(format!("of {all} devices, {} cannot only write", apart.value))
            .at(Some(&apart.place))
            .hint("at least one writes and at least one learns; leave it out to share all")),
    }
}

/// What a model writes: answers to a prompt, and tokens of each and of the prompt on average.
pub(super) struct Written {
    pub(super) group: u64,
    pub(super) prompt: u32,
    pub(super) answer: f64,
}

impl Written {
    /// As the scenario says; else the sequence is an eighth prompt, and answers fill half of the rest.
    pub(super) fn of(training: &Training, longest: u32) -> Self {
        let usual = File::default();
        let given = training.rl.as_ref().map_or(&usual, |rl| &rl.rollout);
        let prompt = given.prompt_tokens.as_ref().map(|it| it.spread.central().value as u32);
        let prompt = prompt.unwrap_or(longest / 8).clamp(1, longest.saturating_sub(1).max(1));
        let half = f64::from(longest.saturating_sub(prompt).max(1)) / 2.0;
        let answer = given.answer_tokens.as_ref().map(|it| it.mean.spread.central().value);
        let usual_group = if training.recipe.row().critic { 1 } else { 8 };
        let group = given.group.as_ref().map_or(usual_group, |group| group.value);
        Self { group: group.clamp(1, 1 << 16), prompt, answer: answer.unwrap_or(half) }
    }
}

/// Tokens of a sequence that holds a prompt and its answer as the scenario has them, where it gives no
/// length and the usual one is too short.
pub(super) fn sequence(training: &Training) -> Option<u64> {
    let given = &training.rl.as_ref().filter(|_| training.recipe.row().writes())?.rollout;
    let prompt = given.prompt_tokens.as_ref().map(|it| it.spread.central().value);
    let answer = given.answer_tokens.as_ref().map(|it| {
        let [mean, p95] = [Some(&it.mean), it.p95.as_ref()]
            .map(|it| it.map_or(0.0, |it| it.spread.central().value));
        mean.max(p95)
    });
    let whole = match (prompt, answer) {
        (Some(prompt), Some(answer)) => prompt + answer,
        (Some(prompt), None) => 2.0 * prompt,
        // An eighth is prompt.
        (None, Some(answer)) => answer * 8.0 / 7.0,
        (None, None) => return None,
    };
    (whole > USUAL_LENGTH).then(|| whole.ceil() as u64)
}

/// Tokens of a sequence where nobody says.
const USUAL_LENGTH: f64 = 2048.0;

/// The rollout of a recipe that writes; what nobody gives is a choice that the forecast tells.
///
/// # Errors
/// An engine that is not known, lengths that no distribution has.
pub(super) fn of(
    training: &Training,
    device: &Accelerator,
    devices: Option<&Input<Devices>>,
    asked: &Prediction,
    notes: &mut Notes,
) -> Result<Option<Rollout>> {
    let recipe = training.recipe.row();
    let Some(devices) = devices.filter(|_| recipe.writes()) else { return Ok(None) };
    let usual = File::default();
    let given = training.rl.as_ref().map_or(&usual, |rl| &rl.rollout);
    let longest = asked.sequence.min(u64::from(u32::MAX)) as u32;
    let Written { group, prompt, answer: mean } = Written::of(training, longest);
    let left = f64::from(longest.saturating_sub(prompt).max(1));
    if let Some(lengths) = given.answer_tokens.as_ref().filter(|_| mean > left) {
        let message = format!(
            "answers of {mean} tokens to a prompt of {prompt} do not fit a sequence of {longest}"
        );
        let hint = format!("`sequence_length: {}`", (f64::from(prompt) + mean).ceil());
        return Err(Error::input(message).at(Some(&lengths.mean.place)).hint(hint));
    }
    let answer = match &given.answer_tokens {
        None => spread(mean.max(1.0), 0.95 * left)?,
        Some(lengths) => {
            let p95 = lengths.p95.as_ref().map_or(mean, |p95| p95.spread.central().value);
            spread(mean, p95).map_err(|error| error.at(Some(&lengths.mean.place)))?
        }
    };
    let calibration = Calibration::shipped()?;
    let engine = match &given.engine {
        Some(name) => {
            let found = calibration.engine(&name.value);
            found.map_err(|error| error.at(Some(&name.place)))?.0.to_owned()
        }
        None => calibration.facts.engines.keys().next().cloned().unwrap_or_default(),
    };
    let batch = (asked.sequences * asked.sequence) as f64;
    let answers = (batch / (f64::from(prompt) + mean)).round().max(1.0) as u64;
    let apart = given.devices.as_ref().map(|devices| devices.value);
    let half = "the sequence is an eighth prompt, and answers fill half of the rest";
    let choices = [
        (
            training.sequence_length.is_none() && sequence(training) == Some(asked.sequence),
            "training.sequence_length",
            asked.sequence.to_string(),
            "a prompt with its answer",
        ),
        (
            given.engine.is_none(),
            "training.rl.rollout.engine",
            engine.clone(),
            "an engine in wide use",
        ),
        (
            given.prompt_tokens.is_none(),
            "training.rl.rollout.prompt_tokens",
            prompt.to_string(),
            half,
        ),
        (
            given.answer_tokens.is_none(),
            "training.rl.rollout.answer_tokens",
            format!("{{mean: {mean:.0}, p95: {:.0}}}", 0.95 * left),
            half,
        ),
        (
            given.group.is_none(),
            "training.rl.rollout.group",
            group.to_string(),
            "answers to the same prompt that are compared; one where a critic judges",
        ),
    ];
    notes.choices.extend(
        choices.into_iter().filter(|it| it.0).map(|(_, path, value, why)| Choice {
            path,
            value,
            why: why.to_owned(),
        }),
    );
    Ok(Some(Rollout {
        model: Arc::clone(&asked.model),
        accelerator: device.id.clone(),
        engine,
        precision: training.precision.value,
        tensor: given.tensor.as_ref().map(|tensor| tensor.value.clamp(1, 1 << 16) as u32),
        devices: apart.unwrap_or(devices.value.value as u64),
        apart: apart.is_some(),
        asynchronous: given.asynchronous && apart.is_some(),
        answers,
        group: group as u32,
        prompt,
        answer,
        longest,
    }))
}

/// Lengths of a mean and a 95th percentile; all alike where both are the same.
fn spread(mean: f64, p95: f64) -> Result<Lengths> {
    if p95 <= mean {
        return Ok(Lengths::Fixed(mean.round().max(1.0) as u32));
    }
    Lengths::lognormal(mean, 0.95, p95, None)
}
