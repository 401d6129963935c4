//! Recipes: which models a token passes, forward and backward, and in which stages.

use std::fmt::Write as _;
use std::sync::Arc;

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::{AttentionCount, Flops, Input as ModelInput, Model};
use flopcast_core::quantity::{Flop, Measure};

use super::super::file::{Data, Recipe, ScenarioFile, Training};
use super::Files;
use super::training::{built, model_of};

/// Bytes of a weight in 4 bits with its doubly quantized scales: 4 bits and 0.127 (Dettmers et al.
/// 2023, arXiv:2305.14314, sec. 3).
pub(super) const NF4_BYTES: f64 = 4.127 / 8.0;

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
    learned: [f64; 2],
    /// Models that are only asked, and how often.
    asked: Vec<(&'static str, Arc<Model>, f64)>,
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
    let here = &training.precision.place;
    let plain = model_of(file, files, input)?;
    let needs = |what: &str| Error::input(what.to_owned()).at(Some(here));
    let mut passes = Passes {
        policy: plain.clone(),
        trained: 1.0,
        plain,
        learned: [1.0, 1.0],
        asked: Vec::new(),
    };
    match training.recipe {
        Recipe::Pretrain | Recipe::Finetune => {}
        Recipe::Lora | Recipe::Qlora => {
            let lora = training.lora.as_ref();
            let lora = lora.ok_or_else(|| needs("this recipe needs `lora: {rank: ...}`"))?;
            let adapted =
                flopcast_core::model::adapt::lora(&passes.plain, lora.rank, &lora.targets)?;
            let parameters = adapted.parameters();
            passes.trained = parameters.trainable as f64 / parameters.total as f64;
            passes.policy = Arc::new(adapted);
        }
        Recipe::Distill => {
            let teacher = training.teacher.as_ref();
            let teacher = teacher.ok_or_else(|| needs("recipe distill needs `teacher: ...`"))?;
            passes.asked.push(("teacher", built(teacher, files, input)?, 1.0));
        }
        Recipe::Rl => {
            let rl = training.rl.as_ref();
            let rl = rl.ok_or_else(|| needs("recipe rl needs `rl: {}`, empty for the defaults"))?;
            if !(rl.update_epochs > 0.0 && rl.update_epochs.is_finite()) {
                return Err(needs("`rl.update_epochs` is a positive number"));
            }
            // Writing a token is one forward pass; then it is learned from.
            passes.asked.push(("generation", passes.plain.clone(), 1.0));
            if rl.reference {
                passes.asked.push(("reference", passes.plain.clone(), 1.0));
            }
            if let Some(reward) = &rl.reward {
                passes.asked.push(("reward", built(reward, files, input)?, 1.0));
            }
            passes.learned = [rl.update_epochs; 2];
        }
    }
    if training.teacher.is_some() && training.recipe != Recipe::Distill {
        return Err(needs("`teacher` belongs to `recipe: distill`"));
    }
    if training.rl.is_some() && training.recipe != Recipe::Rl {
        return Err(needs("`rl` belongs to `recipe: rl`"));
    }
    Ok(passes)
}

impl Passes {
    /// FLOPs of one batch of the model's input, in the matrix units.
    pub(super) fn flops(&self, attention: AttentionCount) -> Flop {
        let [forward, backward] = self.learned;
        let learned =
            self.policy.forward(attention) * forward + self.policy.backward(attention) * backward;
        let asked = self.asked.iter().map(|(_, model, times)| model.forward(attention) * *times);
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
    let [forward, _] = passes.learned;
    let times = if (forward - 1.0).abs() < 1e-12 { String::new() } else { format!("{forward} x ") };
    let mut text = format!(
        "every operator of {}, {times}forward + backward, {count}, sequence {}",
        model.name,
        model.input.sequence.unwrap_or(0)
    );
    for (name, model, _) in &passes.asked {
        let _ = write!(text, " + {name}: forward of {}", model.name);
    }
    if stages > 1 {
        let _ = write!(text, "; mean of {stages} stages, by tokens");
    }
    text
}
