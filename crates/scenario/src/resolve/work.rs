//! The work of a run: FLOPs per token x tokens, or per sample x samples, of every stage of its data.

use std::sync::Arc;

use flopcast_core::diagnostic::{Error, Place, Result};
use flopcast_core::estimate::plan::Choice;
use flopcast_core::model::{AttentionCount, Input as ModelInput, Model};
use flopcast_core::provenance::{Basis, Input};
use flopcast_core::quantity::{FlopPerSample, FlopPerToken, Measure, Tokens};
use flopcast_core::training::plan::Work;

use super::super::file::recipe::Sample;
use super::super::file::{Data, ScenarioFile, Training};
use super::recipe::{self, Passes};
use super::rollout::Written;
use super::{Files, Notes, assumed};

/// The data and the FLOPs of one unit of it.
pub(super) struct Counted {
    pub(super) work: Work,
    /// The model as it is trained, adapters included.
    pub(super) model: Arc<Model>,
    /// FLOPs of the recipe, but for writing its data, / FLOPs of training all weights on the same data.
    pub(super) spent: f64,
    /// Those that are learned from / the same.
    pub(super) learned: f64,
    /// Those of writing the data / the same.
    pub(super) written: f64,
    /// Parameters that are trained / those of the model as it is named.
    pub(super) trained: f64,
    /// Parameters of frozen models beside it / its own.
    pub(super) held: f64,
}

/// A stage of the data, and what one pass over it takes.
type Staged<'a> = (&'a recipe::Part, Passes);

/// Counts the run: tokens or samples, epochs, and FLOPs per unit, causal and full.
///
/// # Errors
/// If the data has no size or two, if the model reads no tokens, or as [`recipe::passes`].
pub(super) fn work(
    file: &ScenarioFile,
    training: &Training,
    files: &dyn Files,
    notes: &mut Notes,
) -> Result<Counted> {
    let here = &training.precision.place;
    let data = file.data.clone().unwrap_or_default();
    let stages = recipe::stages(training, &data)?;
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
    let longest = stages.iter().map(|stage| stage.sequence).max().flatten();
    remark(training, passes, longest, notes);
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
        (None, Some(samples), true) if !reads_text(&passes.policy) => {
            let model = &passes.policy;
            let flops = passes.flops(AttentionCount::Causal).value / model.input.batch as f64;
            Work::Samples {
                samples: samples.input("data.samples"),
                epochs: epochs(&data),
                model: derived(model, flops),
            }
        }
        _ => {
            let at = data.tokens.as_ref().map_or(here, |tokens| &tokens.place);
            of_tokens(tokens(training, &data, &parts), epochs(&data), &parts, at)?
        }
    };
    let plain = per_token(&parts, Passes::plain_per_token);
    let written = per_token(&parts, Passes::writing_per_token) / plain;
    let all = per_token(&parts, |passes| passes.per_token(AttentionCount::Causal)) / plain;
    Ok(Counted {
        work,
        // The serving engine times what is written.
        spent: all - written,
        learned: per_token(&parts, Passes::learning_per_token) / plain,
        written,
        trained: passes.trained,
        held: passes.held(),
        model: Arc::clone(&passes.policy),
    })
}

/// Says what the run takes for granted of its model: layers that predict tokens further ahead, and
/// sequences longer than the model was made for.
fn remark(training: &Training, passes: &Passes, longest: Option<u64>, notes: &mut Notes) {
    if training.mtp.is_none() && !passes.plain.ahead.is_empty() {
        notes.choices.push(Choice {
            path: "training.mtp",
            value: passes.ahead.to_string(),
            why: "layers that predict tokens further ahead train with the model, unless it is \
                  tuned afterwards"
                .to_owned(),
        });
    }
    let model = &passes.policy;
    if let (Some(wanted), Some(most)) = (longest, model.extents.max_sequence)
        && wanted > most
    {
        notes.warnings.push(format!(
            "a sequence of {wanted} tokens is longer than the {most} that {} was made for",
            model.name
        ));
    }
}

/// The mean of a count over the tokens of all stages.
fn per_token(parts: &[Staged<'_>], count: impl Fn(&Passes) -> f64) -> f64 {
    let all: f64 = parts.iter().map(|(stage, _)| stage.tokens).sum();
    parts.iter().map(|(stage, passes)| stage.tokens / all * count(passes)).sum()
}

/// True if a sample of the model is a sequence of tokens, those of images and sound among them.
fn reads_text(model: &Model) -> bool {
    let ModelInput { sequence, image_size, images, frames, sound, steps, .. } = model.input;
    let media = [image_size, images, frames, sound].iter().any(Option::is_some);
    let is_text = sequence.is_some() && steps.is_none() && (!media || model.media_tokens > 0);
    is_text && model.extents.is_transformer()
}

/// The tokens of a run: as given, samples x their length, or those of all stages.
fn tokens(training: &Training, data: &Data, parts: &[Staged<'_>]) -> Input<Tokens> {
    if let Some(tokens) = &data.tokens {
        return tokens.input("data.tokens");
    }
    let Some(samples) = &data.samples else {
        let all: f64 = parts.iter().map(|(stage, _)| stage.tokens).sum();
        let formula = format!("sum of {} stages", parts.len());
        let basis = Basis::Derived { formula };
        return Input::new("tokens of all stages", Tokens::from_stored(all), basis);
    };
    let model = &parts[0].1.policy;
    let length = recipe::tokens(model) / model.input.batch.max(1) as f64;
    let (each, sample) = match training.recipe.row().sample {
        Sample::Sequence => (length, format!("a sequence of {length} tokens")),
        Sample::Pair => (2.0 * length, format!("two sequences of {length} tokens")),
        Sample::Prompt => {
            let Written { group, prompt, answer } = Written::of(training, length as u32);
            let each = group as f64 * (f64::from(prompt) + answer);
            (each, format!("{group} answers of {answer} tokens to a prompt of {prompt}"))
        }
    };
    let spread = samples.spread.map(|samples| Tokens::from_stored(samples.value * each));
    let total = Input::new(format!("data.samples x {sample}"), spread.central(), samples.basis());
    total.ranged(spread.distribution())
}

/// The work over tokens: 6N where every weight trains on every token, and every operator counted
/// with causal and with full attention.
///
/// # Errors
/// If the model reads no tokens.
fn of_tokens(
    tokens: Input<Tokens>,
    epochs: Input<f64>,
    parts: &[Staged<'_>],
    at: &Place,
) -> Result<Work> {
    let passes = &parts[0].1;
    let model = &passes.policy;
    if model.input.sequence.is_none() {
        let message = format!("{} reads no tokens; give `samples`", model.name);
        return Err(Error::input(message).at(Some(at)));
    }
    let counted = |attention, count: &str| {
        let flops = per_token(parts, |passes| passes.per_token(attention));
        let formula = recipe::formula(passes, parts.len(), count);
        let name = format!("FLOPs per token, {count}");
        Input::new(name, FlopPerToken::from_stored(flops), Basis::Derived { formula })
    };
    let halves = if model.input.decoder_sequence.is_some() { 2.0 } else { 1.0 };
    let active = passes.plain.parameters().active as f64 / halves;
    let six_nd = passes.plain().then(|| {
        let formula = format!("6 x {active:.4e} parameters that a token passes");
        let basis = Basis::Derived { formula };
        Input::new("FLOPs per token, 6N", FlopPerToken::from_stored(6.0 * active), basis)
    });
    Ok(Work::Tokens {
        tokens,
        epochs,
        six_nd,
        model: counted(AttentionCount::Causal, "causal attention"),
        model_full: counted(AttentionCount::Full, "full attention"),
    })
}

/// FLOPs per sample, counted from every operator of the model.
fn derived(model: &Model, value: f64) -> Input<FlopPerSample> {
    let formula = format!("every operator of {}, forward + backward", model.name);
    let flops = FlopPerSample::from_stored(value);
    Input::new("FLOPs per sample", flops, Basis::Derived { formula })
}

/// Passes over the data; one where nobody says.
fn epochs(data: &Data) -> Input<f64> {
    data.epochs.as_ref().map_or_else(
        || assumed("data.epochs", 1.0, "the data is passed once"),
        |given| given.input("data.epochs"),
    )
}
