//! Recipes, each in one place: its key, its words, the weights that it trains, those that it keeps
//! frozen and their format, and the models that it runs forward only.

use flopcast_core::model::Spec;
use flopcast_core::quantity::TokensPerRequest;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Training;
use crate::given::Given;
use crate::reader::Located;
use crate::traffic::Lengths;

/// Bytes of a weight in 4 bits with its doubly quantized scales: 4 bits and 0.127 (Dettmers et al.
/// 2023, arXiv:2305.14314, sec. 3).
const NF4_BYTES: f64 = 4.127 / 8.0;

/// Tokens of a step of adapters, which learn from little at a time.
const ADAPTED: f64 = 262_144.0;
/// Tokens of a step that starts from a checkpoint: 128 sequences of 4,096 (Tulu 3,
/// arXiv:2411.15124).
const TUNED: f64 = 524_288.0;
/// Tokens of a step that learns from its own answers: 1,024 of 2,048 (arXiv:2402.03300).
const WRITING: f64 = 2_097_152.0;

/// The properties in which a recipe differs from [`PLAIN`] training of all weights.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    /// The recipe's name in a model card.
    pub card: &'static str,
    /// The part of `training` that it needs.
    pub section: Option<&'static Section>,
    /// True if adapters are trained instead of the weights.
    pub adapters: bool,
    /// Bytes of a weight that stays frozen.
    pub frozen_bytes: f64,
    /// What a sample of its data is.
    pub sample: Sample,
    /// True if a critic of the same size learns beside the model.
    pub critic: bool,
    /// Tokens of a step where nobody says; by the size of the model where it is none.
    pub batch: Option<f64>,
    /// Times that the model learns from each token.
    pub learned: fn(&Training) -> f64,
    /// The models that each token passes forward only, beside learning.
    pub asked: for<'a> fn(&'a Training) -> Vec<(&'static str, Asked<'a>)>,
}

/// A sample of the data that a recipe learns from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sample {
    /// A sequence.
    Sequence,
    /// Two sequences: the chosen answer and the rejected one.
    Pair,
    /// A prompt, to which the model writes the answers that it learns from. The time is then that of
    /// decoding, which the step-time model of training does not know.
    Prompt,
}

impl Row {
    /// True if the model writes what it learns from.
    pub(crate) fn writes(&self) -> bool {
        self.sample == Sample::Prompt
    }
}

/// A model that runs forward only.
pub(crate) enum Asked<'a> {
    /// The model that is trained, or a frozen one that lies there for another question.
    Itself,
    /// A frozen copy of the model as it was before training.
    Copy,
    /// Another one.
    Other(&'a Located<Spec>),
}

/// A part of `training` that belongs to a recipe.
pub(crate) struct Section {
    /// Its key.
    pub key: &'static str,
    /// The text that an error tells the user to write.
    pub example: &'static str,
    /// True if a scenario has it.
    pub given: fn(&Training) -> bool,
    /// True if it contradicts a recipe that does not need it.
    pub exclusive: bool,
    /// True if the recipe has defaults for all of it.
    pub optional: bool,
}

/// Training of all weights: forward and backward passes on every token, nothing frozen.
const PLAIN: Row = Row {
    card: "fine-tuning",
    section: None,
    adapters: false,
    frozen_bytes: 2.0,
    sample: Sample::Sequence,
    critic: false,
    batch: Some(TUNED),
    learned: |_| 1.0,
    asked: |_| Vec::new(),
};

/// The section of adapters, which two recipes share.
const LORA: Section = Section {
    key: "lora",
    example: "`lora: {rank: ...}`",
    given: |training| training.lora.is_some(),
    exclusive: false,
    optional: false,
};

/// The section of recipes that learn from answers which the model writes, where its defaults do.
const ANSWERS: Section = Section {
    key: "rl",
    example: "`rl: {}`",
    given: |training| training.rl.is_some(),
    exclusive: true,
    optional: true,
};

/// A frozen copy of the model, asked once about each token.
fn reference(training: &Training, usual: bool) -> Option<(&'static str, Asked<'_>)> {
    let wanted = training.rl.as_ref().and_then(|rl| rl.reference).unwrap_or(usual);
    wanted.then_some(("reference", Asked::Copy))
}

/// The reward model that a scenario names.
fn reward(training: &Training) -> Option<(&'static str, Asked<'_>)> {
    let reward = training.rl.as_ref()?.reward.as_ref()?;
    Some(("reward", Asked::Other(reward)))
}

/// Generating a token is one forward pass; then the model is asked again for the probabilities that
/// it is trained against.
const WRITTEN: [(&str, Asked<'_>); 2] =
    [("generation", Asked::Itself), ("old probabilities", Asked::Itself)];

fn update_epochs(training: &Training) -> f64 {
    training.rl.as_ref().map_or(1.0, |rl| rl.update_epochs)
}

macro_rules! recipes {
    ($($(#[$meta:meta])+ $name:ident = $key:literal {
        $($field:ident: $value:expr),* $(,)?
    })+) => {
        /// The weights that are trained, and the data that they learn from.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
        pub enum Recipe {
            $($(#[$meta])+ #[serde(rename = $key)] $name,)+
        }

        impl Recipe {
            /// All of them, in the order of the reference.
            const ALL: &[Self] = &[$(Self::$name),+];

            /// Its name in a scenario.
            pub(crate) fn key(self) -> &'static str {
                match self { $(Self::$name => $key,)+ }
            }

            /// The recipe's properties.
            pub(crate) fn row(self) -> Row {
                match self { $(Self::$name => Row { $($field: $value,)* ..PLAIN },)+ }
            }
        }
    };
}

recipes! {
    /// All weights, from scratch.
    #[default]
    Pretrain = "pretrain" { card: "pre-training", batch: None }
    /// All weights, from a checkpoint.
    Finetune = "finetune" {}
    /// Low-rank adapters beside frozen weights (Hu et al. 2021).
    Lora = "lora" { adapters: true, batch: Some(ADAPTED), section: Some(&LORA) }
    /// Low-rank adapters beside frozen weights in 4 bits (Dettmers et al. 2023).
    Qlora = "qlora" { adapters: true, batch: Some(ADAPTED), frozen_bytes: NF4_BYTES, section: Some(&LORA) }
    /// All weights, trained to answer as a larger model does, whose forward pass is paid as well.
    Distill = "distill" {
        batch: None,
        section: Some(&Section {
            key: "teacher",
            example: "`teacher: ...`",
            given: |training| training.teacher.is_some(),
            exclusive: true,
            optional: false,
        }),
        asked: |training| {
            training.teacher.iter().map(|teacher| ("teacher", Asked::Other(teacher))).collect()
        },
    }
    /// All weights, trained from rewards for text that the model itself generates.
    Rl = "rl" {
        section: Some(&Section {
            key: "rl",
            example: "`rl: {}`, empty for the defaults",
            given: |training| training.rl.is_some(),
            exclusive: true,
            optional: false,
        }),
        sample: Sample::Prompt,
        batch: Some(WRITING),
        learned: update_epochs,
        asked: |training| {
            // Generating a token is one forward pass; then the model learns from it.
            let written = [("generation", Asked::Itself)];
            written.into_iter().chain(reference(training, true)).chain(reward(training)).collect()
        },
    }
    /// Supervised fine-tuning: all weights, from a checkpoint, on prompts and their answers.
    Sft = "sft" {}
    /// Direct preference optimisation (Rafailov et al. 2023): a frozen reference is asked about each
    /// token of the chosen and the rejected answers.
    Dpo = "dpo" { sample: Sample::Pair, asked: |_| vec![("reference", Asked::Copy)] }
    /// Odds-ratio preference optimisation (Hong et al. 2024): pairs, without a reference.
    Orpo = "orpo" { sample: Sample::Pair }
    /// Kahneman-Tversky optimisation (Ethayarajh et al. 2024): reference, and both models asked about
    /// mismatched answers.
    Kto = "kto" {
        asked: |_| vec![
            ("reference", Asked::Copy),
            ("mismatched answers", Asked::Itself),
            ("reference on them", Asked::Itself),
        ],
    }
    /// A reward model: all weights, with a head of one number, on pairs of answers.
    Reward = "reward" { sample: Sample::Pair }
    /// Proximal policy optimisation (Ouyang et al. 2022): the model writes, reward model, reference
    /// and a critic of the same size are asked, model and critic learn.
    Ppo = "ppo" {
        section: Some(&ANSWERS),
        sample: Sample::Prompt,
        batch: Some(WRITING),
        critic: true,
        learned: |training| 2.0 * update_epochs(training),
        asked: |training| {
            let judge = reward(training).unwrap_or(("reward", Asked::Copy));
            let others = [("critic", Asked::Itself), judge];
            WRITTEN.into_iter().chain(reference(training, true)).chain(others).collect()
        },
    }
    /// Group-relative policy optimisation (Shao et al. 2024): several answers to a prompt, no critic.
    Grpo = "grpo" {
        section: Some(&ANSWERS),
        sample: Sample::Prompt,
        batch: Some(WRITING),
        learned: update_epochs,
        asked: |training| {
            WRITTEN.into_iter().chain(reference(training, true)).chain(reward(training)).collect()
        },
    }
    /// The same with rewards that programs verify, without a reference unless `rl` has one.
    Rlvr = "rlvr" {
        section: Some(&ANSWERS),
        sample: Sample::Prompt,
        batch: Some(WRITING),
        learned: update_epochs,
        asked: |training| {
            WRITTEN.into_iter().chain(reference(training, false)).chain(reward(training)).collect()
        },
    }
}

impl Recipe {
    /// The sections that belong to recipes, each with the first recipe that it belongs to.
    pub(crate) fn sections() -> impl Iterator<Item = (Self, &'static Section)> {
        Self::ALL.iter().filter_map(|recipe| Some((*recipe, recipe.row().section?)))
    }
}

impl Training {
    /// True if adapters are trained beside frozen weights, by the recipe or by a section `lora`.
    pub(crate) fn adapts(&self) -> bool {
        self.recipe.row().adapters || self.lora.is_some()
    }
}

/// The passes of reinforcement learning on every token, beside generating it and learning from it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rl {
    /// A frozen copy of the model keeps it from drifting (a KL penalty); true, of `rlvr` false.
    pub reference: Option<bool>,
    /// The reward model, as `model`; none for rules and tests.
    #[schemars(with = "Option<serde_json::Value>")]
    pub reward: Option<Located<Spec>>,
    /// Times that the model learns from each token; 1.
    #[serde(default = "one")]
    pub update_epochs: f64,
    /// The answers that the model writes, and the devices that it writes them on.
    #[serde(default)]
    pub rollout: Rollout,
}

/// The answers of each step: `global_batch` / (prompt + answer) of them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// The serving engine that writes them; the first that is calibrated.
    pub engine: Option<Located<String>>,
    /// Answers to the same prompt; 8, of `ppo` 1.
    pub group: Option<Located<u64>>,
    /// Tokens of a prompt; an eighth of `sequence_length`.
    pub prompt_tokens: Option<Given<TokensPerRequest>>,
    /// Tokens of an answer; on average half of what is left of `sequence_length`.
    pub answer_tokens: Option<Lengths>,
    /// Devices of one replica; the fewest that hold it.
    pub tensor: Option<Located<u64>>,
    /// Devices of `hardware.count` that only write; none: all devices write, then learn.
    pub devices: Option<Located<u64>>,
    /// The next answers are written while the model learns from the last; false.
    #[serde(default)]
    pub asynchronous: bool,
}

fn one() -> f64 {
    1.0
}

/// Low-rank adapters.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lora {
    /// Rank of the adapter matrices.
    pub rank: u64,
    /// Names of the projections that get an adapter, as the checkpoint has them (`q_proj`,
    /// `query_key_value`, `gate_up_proj`), or `all-linear`; every attention and MLP projection.
    #[serde(default)]
    pub targets: Vec<String>,
    /// Ranks of single projections where they differ: `{down_proj: 64}`.
    #[serde(default)]
    pub ranks: std::collections::BTreeMap<String, u64>,
}
