//! Recipes: which models a token passes, forward and backward, and in which stages.

use std::fmt::Write as _;
use std::sync::Arc;

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::{AttentionCount, Flops, Input as ModelInput, Model};
use flopcast_core::quantity::{Flop, Measure};

use super::super::file::recipe::{Asked, Section};
use super::super::file::{Data, Recipe, ScenarioFile, Training};
use super::Files;
use super::training::{built, model_of};

/// A stretch of the data with its own sequence length.
pub(super) struct Part {
    /// Tokens; 1 where the run is counted in samples.
    pub tokens: f64,
    /// Tokens of a sequence, where said.
    pub sequence: Option<u64>,
}

/// The stages of a run; one without `stages`.
///
/// # Errors
/// Both `stages` and a size of the data.
pub(super) fn stages(training: &Training, data: &Data) -> Result<Vec<Part>> {
    let usual = training.sequence_length.as_ref().map(|length| length.value);
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

/// What a token passes in a recipe.
pub(super) struct Passes {
    /// The model as it is trained.
    pub policy: Arc<Model>,
    /// Part of the parameters that is trained.
    pub trained: f64,
    /// The whole model, all of it trained.
    plain: Arc<Model>,
    /// Forward and backward passes of the trained model.
    learned: f64,
    /// Models that are only asked.
    asked: Vec<(&'static str, Arc<Model>)>,
}

/// The passes of the scenario's recipe at an input.
///
/// # Errors
/// The recipe lacks what it needs, or has what it does not use.
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
    let mut passes =
        Passes { policy: plain.clone(), trained: 1.0, plain, learned, asked: Vec::new() };
    if let Some(lora) = training.lora.as_ref().filter(|_| row.adapters) {
        let adapted = flopcast_core::model::adapt::lora(
            &passes.plain,
            lora.rank,
            &lora.targets,
            &lora.ranks,
        )?;
        let parameters = adapted.parameters();
        passes.trained = parameters.trainable as f64 / parameters.total as f64;
        passes.policy = Arc::new(adapted);
    }
    for (name, asked) in (row.asked)(training) {
        let model = match asked {
            Asked::Itself => passes.plain.clone(),
            Asked::Other(spec) => built(spec, files, input)?,
        };
        passes.asked.push((name, model));
    }
    Ok(passes)
}

impl Passes {
    /// Whether all weights are learned from every token once, and nothing else is asked: what
    /// 6 x parameters counts.
    pub(super) fn plain(&self) -> bool {
        Arc::ptr_eq(&self.policy, &self.plain)
            && self.asked.is_empty()
            && (self.learned - 1.0).abs() < 1e-12
    }

    /// Parameters of frozen models that lie beside the policy, each once / those of the policy.
    pub(super) fn held(&self) -> f64 {
        let own = self.plain.parameters().total as f64;
        let beside = |(name, _): &&(&str, Arc<Model>)| matches!(*name, "reference" | "reward");
        let held = self.asked.iter().filter(beside);
        held.map(|(_, model)| model.parameters().total as f64 / own).sum()
    }

    /// FLOPs of writing one token.
    pub(super) fn writing_per_token(&self) -> f64 {
        let writes = self.asked.iter().filter(|(name, _)| *name == "generation");
        let flops = writes.map(|(_, model)| model.forward(AttentionCount::Causal));
        flops.sum::<Flops>().matmul.value / tokens(&self.policy)
    }

    /// FLOPs of one batch of the model's input, in the matrix units.
    pub(super) fn flops(&self, attention: AttentionCount) -> Flop {
        let Self { policy, learned, .. } = self;
        let learned = policy.forward(attention) * *learned + policy.backward(attention) * *learned;
        let asked = self.asked.iter().map(|(_, model)| model.forward(attention));
        (learned + asked.sum::<Flops>()).matmul
    }

    /// FLOPs of one token; encoder and decoder see their own, each passes half of the network.
    pub(super) fn per_token(&self, attention: AttentionCount) -> f64 {
        self.flops(attention).value / tokens(&self.policy)
    }

    /// FLOPs of one token where all weights are trained and nothing else is asked.
    pub(super) fn plain_per_token(&self) -> f64 {
        let attention = AttentionCount::Causal;
        let flops = self.plain.forward(attention) + self.plain.backward(attention);
        flops.matmul.value / tokens(&self.plain)
    }
}

/// Tokens of one batch.
fn tokens(model: &Model) -> f64 {
    let input = &model.input;
    let length = input.sequence.unwrap_or(1) + input.decoder_sequence.unwrap_or(0);
    (length * input.batch.max(1)) as f64
}

/// What is counted, in words.
pub(super) fn formula(passes: &Passes, stages: usize, count: &str) -> String {
    let model = &passes.policy;
    let learned = passes.learned;
    let times = if (learned - 1.0).abs() < 1e-12 { String::new() } else { format!("{learned} x ") };
    let mut text = format!(
        "every operator of {}, {times}forward + backward, {count}, sequence {}",
        model.name,
        model.input.sequence.unwrap_or(0)
    );
    for (name, model) in &passes.asked {
        let _ = write!(text, " + {name}: forward of {}", model.name);
    }
    if stages > 1 {
        let _ = write!(text, "; mean of {stages} stages, by tokens");
    }
    text
}
