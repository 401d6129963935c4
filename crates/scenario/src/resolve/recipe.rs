//! Recipes: the models that a token passes, forward and backward, and in which stages.
//!
//! A recipe is a row of `file::recipe`. It says which passes learn, which sections it needs, and
//! which other models are asked for a forward pass (a teacher, a reference, a reward model).
//! ```text
//! FLOPs of a batch = learned x (forward + backward of the policy) + sum of the forward passes of the others
//! ```
//! A run in stages has FLOPs per token weighted by the tokens of each stage, since attention grows
//! with the sequence.

use std::fmt::Write as _;
use std::sync::Arc;

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::{self, AttentionCount, Flops, Input as ModelInput, Model};
use flopcast_core::quantity::{Flop, Measure};

use super::super::file::recipe::{Asked, Section};
use super::super::file::{Data, Recipe, ScenarioFile, Training};
use super::training::{built, model_of};
use super::{Files, rollout};

/// A stage of the data with its own sequence length.
pub(super) struct Part {
    /// Tokens of the stage; 1 where the run is counted in samples.
    pub tokens: f64,
    /// Tokens of a sequence, where the scenario says.
    pub sequence: Option<u64>,
}

/// The stages of a run; one for a run without `stages`.
///
/// # Errors
/// If both `stages` and a size of the data are given, or a stage has no tokens.
pub(super) fn stages(training: &Training, data: &Data) -> Result<Vec<Part>> {
    let given = training.sequence_length.as_ref().map(|length| length.value);
    let usual = given.or_else(|| rollout::sequence(training));
    let Some(first) = training.stages.first() else {
        let tokens = data.tokens.as_ref().map_or(1.0, |t| t.spread.central().value.stored());
        return Ok(vec![Part { tokens, sequence: usual }]);
    };
    if data.tokens.is_some() || data.samples.is_some() {
        return Err(first
            .tokens
            .refuse("`data` and `training.stages` both say how much data there is")
            .hint("leave out `data.tokens`: the stages' tokens add up"));
    }
    let part = |stage: &super::super::file::Stage| Part {
        tokens: stage.tokens.spread.central().value.stored(),
        sequence: stage.sequence_length.as_ref().map(|length| length.value).or(usual),
    };
    let parts: Vec<Part> = training.stages.iter().map(part).collect();
    if parts.iter().all(|part| part.tokens > 0.0) {
        Ok(parts)
    } else {
        Err(first.tokens.refuse("every stage has tokens"))
    }
}

/// The passes of a token in a recipe.
pub(super) struct Passes {
    /// The model as it is trained.
    pub policy: Arc<Model>,
    /// Part of the parameters that is trained, 0 to 1.
    pub trained: f64,
    /// Its layers for tokens further ahead train.
    pub ahead: bool,
    /// The whole model, all of it trained.
    pub plain: Arc<Model>,
    /// Adapters are trained in its place.
    adapted: bool,
    /// Forward and backward passes of the trained model.
    learned: f64,
    /// Models that are only asked.
    asked: Vec<Frozen>,
}

/// A model that is only asked.
struct Frozen {
    name: &'static str,
    model: Arc<Model>,
    /// It lies in memory beside the policy.
    lies: bool,
}

/// The passes of the scenario's recipe at an input.
///
/// # Errors
/// If the recipe lacks a section that it needs, or the scenario has one that it does not use.
pub(super) fn passes(
    file: &ScenarioFile,
    training: &Training,
    files: &dyn Files,
    input: &ModelInput,
) -> Result<Passes> {
    let refuse = |what: String| Error::input(what).at(Some(&training.precision.place));
    let (recipe, row) = (training.recipe, training.recipe.row());
    let lacks = |section: &&Section| !section.optional && !(section.given)(training);
    if let Some(section) = row.section.filter(lacks) {
        return Err(refuse(format!("recipe {} needs {}", recipe.key(), section.example)));
    }
    let idle = |section: &Section| row.section.is_none_or(|own| own.key != section.key);
    for (owner, section) in Recipe::sections() {
        if section.exclusive && idle(section) && (section.given)(training) {
            let message = format!("`{}` belongs to `recipe: {}`", section.key, owner.key());
            return Err(refuse(message));
        }
    }
    let learned = (row.learned)(training);
    if !(learned > 0.0 && learned.is_finite()) {
        return Err(refuse("`rl.update_epochs` is a positive number".to_owned()));
    }
    let plain = model_of(file, files, input)?;
    let ahead = match &training.mtp {
        Some(given) if given.value && plain.ahead.is_empty() => {
            let message = format!("{} has no MTP layers to train", plain.name);
            return Err(Error::input(message).at(Some(&given.place)));
        }
        Some(given) => given.value,
        None => recipe == Recipe::Pretrain && !plain.ahead.is_empty(),
    };
    let policy = if ahead { Arc::new(plain.with_ahead()) } else { plain.clone() };
    let mut passes =
        Passes { policy, trained: 1.0, ahead, adapted: false, plain, learned, asked: Vec::new() };
    passes.trained = share(&passes.policy, &passes.plain);
    if let Some(lora) = &training.lora {
        let adapted = flopcast_core::model::adapt::lora(
            &passes.policy,
            lora.rank,
            &lora.targets,
            &lora.ranks,
        )?;
        passes.trained = share(&adapted, &passes.plain);
        passes.policy = Arc::new(adapted);
        passes.adapted = true;
    }
    for (name, asked) in (row.asked)(training) {
        let model = match asked {
            Asked::Itself | Asked::Copy => passes.plain.clone(),
            Asked::Other(spec) => built(spec, files, input)?,
        };
        // Without its adapters the model is its own reference.
        let lies = match asked {
            Asked::Itself => false,
            Asked::Copy => !passes.adapted,
            Asked::Other(_) => true,
        };
        passes.asked.push(Frozen { name, model, lies });
    }
    Ok(passes)
}

impl Passes {
    /// True if all weights are learned from every token once and no other model is asked, which is
    /// what 6 x parameters counts.
    pub(super) fn plain(&self) -> bool {
        !self.adapted && self.asked.is_empty() && (self.learned - 1.0).abs() < 1e-12
    }

    /// Parameters of frozen models that lie beside the policy, each once / those of the policy.
    pub(super) fn held(&self) -> f64 {
        let own = self.plain.parameters().total as f64;
        let held = self.asked.iter().filter(|asked| asked.lies);
        held.map(|asked| asked.model.parameters().total as f64 / own).sum()
    }

    /// FLOPs of writing one token.
    pub(super) fn writing_per_token(&self) -> f64 {
        let writes = self.asked.iter().filter(|asked| asked.name == "generation");
        let flops = writes.map(|asked| asked.model.forward(AttentionCount::Causal));
        flops.sum::<Flops>().matmul.value / tokens(&self.policy)
    }

    /// Matmul FLOPs of one batch of the model's input.
    pub(super) fn flops(&self, attention: AttentionCount) -> Flop {
        let asked = self.asked.iter().map(|asked| asked.model.forward(attention));
        (self.learning(attention) + asked.sum::<Flops>()).matmul
    }

    /// FLOPs of the forward and backward passes of one batch that are learned from.
    fn learning(&self, attention: AttentionCount) -> Flops {
        (self.policy.forward(attention) + self.policy.backward(attention)) * self.learned
    }

    /// Matmul FLOPs of one token that are learned from.
    pub(super) fn learning_per_token(&self) -> f64 {
        self.learning(AttentionCount::Causal).matmul.value / tokens(&self.policy)
    }

    /// Matmul FLOPs of one token: those of a batch / its tokens. An encoder and a decoder see
    /// tokens of their own, each of which passes half of the network.
    pub(super) fn per_token(&self, attention: AttentionCount) -> f64 {
        self.flops(attention).value / tokens(&self.policy)
    }

    /// Matmul FLOPs of one token in the layers of the sequence, which the step-time model knows, where
    /// all weights are trained and no other model is asked. Towers of images and sound come on top.
    pub(super) fn plain_per_token(&self) -> f64 {
        let attention = AttentionCount::Causal;
        let own = self.plain.layers.iter().filter(|layer| layer.part != model::Part::Beside);
        let flops: Flops =
            own.map(|layer| layer.forward(attention) + layer.backward(attention)).sum();
        flops.matmul.value / tokens(&self.plain)
    }
}

/// Trained parameters of a model / all of another.
fn share(trained: &Model, of: &Model) -> f64 {
    trained.parameters().trainable as f64 / of.parameters().total.max(1) as f64
}

/// Tokens of one batch, of encoder and decoder together.
pub(super) fn tokens(model: &Model) -> f64 {
    let input = &model.input;
    let length = input.sequence.unwrap_or(1) + input.decoder_sequence.unwrap_or(0);
    (length * input.batch.max(1)) as f64
}

/// The passes that are counted, in words, for `explain`.
pub(super) fn formula(passes: &Passes, stages: usize, count: &str) -> String {
    let model = &passes.policy;
    let learned = passes.learned;
    let times = if (learned - 1.0).abs() < 1e-12 { String::new() } else { format!("{learned} x ") };
    let mut text = format!(
        "every operator of {}, {times}forward + backward, {count}, sequence {}",
        model.name,
        model.input.sequence.unwrap_or(0)
    );
    for Frozen { name, model, .. } in &passes.asked {
        let _ = write!(text, " + {name}: forward of {}", model.name);
    }
    if stages > 1 {
        let _ = write!(text, "; mean of {stages} stages, by tokens");
    }
    text
}
