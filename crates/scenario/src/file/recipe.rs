//! Recipes, each in one place: its key, its words, the weights that it trains, those that it keeps
//! frozen and their format, and the models that it runs forward only.

use flopcast_core::model::Spec;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Training;
use crate::reader::Located;

/// Bytes of a weight in 4 bits with its doubly quantized scales: 4 bits and 0.127 (Dettmers et al.
/// 2023, arXiv:2305.14314, sec. 3).
const NF4_BYTES: f64 = 4.127 / 8.0;

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
    /// True if the model generates the data that it learns from. The time is then that of decoding,
    /// which the step-time model of training does not know.
    pub writes: bool,
    /// Times that the model learns from each token.
    pub learned: fn(&Training) -> f64,
    /// The models that each token passes forward only, beside learning.
    pub asked: for<'a> fn(&'a Training) -> Vec<(&'static str, Asked<'a>)>,
}

/// A model that runs forward only.
pub(crate) enum Asked<'a> {
    /// The model as it is before training, or while it generates.
    Itself,
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
}

/// Training of all weights: forward and backward passes on every token, nothing frozen.
const PLAIN: Row = Row {
    card: "fine-tuning",
    section: None,
    adapters: false,
    frozen_bytes: 2.0,
    writes: false,
    learned: |_| 1.0,
    asked: |_| Vec::new(),
};

/// The section of adapters, which two recipes share.
const LORA: Section = Section {
    key: "lora",
    example: "`lora: {rank: ...}`",
    given: |training| training.lora.is_some(),
    exclusive: false,
};

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
    Pretrain = "pretrain" { card: "pre-training" }
    /// All weights, from a checkpoint.
    Finetune = "finetune" {}
    /// Low-rank adapters beside frozen weights (Hu et al. 2021).
    Lora = "lora" { adapters: true, section: Some(&LORA) }
    /// Low-rank adapters beside frozen weights in 4 bits (Dettmers et al. 2023).
    Qlora = "qlora" { adapters: true, frozen_bytes: NF4_BYTES, section: Some(&LORA) }
    /// All weights, trained to answer as a larger model does, whose forward pass is paid as well.
    Distill = "distill" {
        section: Some(&Section {
            key: "teacher",
            example: "`teacher: ...`",
            given: |training| training.teacher.is_some(),
            exclusive: true,
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
        }),
        writes: true,
        learned: |training| training.rl.as_ref().map_or(1.0, |rl| rl.update_epochs),
        asked: |training| {
            // Generating a token is one forward pass; then the model learns from it.
            let mut asked = vec![("generation", Asked::Itself)];
            if let Some(rl) = &training.rl {
                asked.extend(rl.reference.then_some(("reference", Asked::Itself)));
                asked.extend(rl.reward.iter().map(|reward| ("reward", Asked::Other(reward))));
            }
            asked
        },
    }
}

impl Recipe {
    /// The sections that belong to recipes, each with the first recipe that it belongs to.
    pub(crate) fn sections() -> impl Iterator<Item = (Self, &'static Section)> {
        Self::ALL.iter().filter_map(|recipe| Some((*recipe, recipe.row().section?)))
    }
}

/// The passes of reinforcement learning on every token, beside generating it and learning from it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rl {
    /// A frozen copy of the model keeps it from drifting (a KL penalty); true.
    #[serde(default = "yes")]
    pub reference: bool,
    /// The reward model, as `model`; none for rules and tests.
    #[schemars(with = "Option<serde_json::Value>")]
    pub reward: Option<Located<Spec>>,
    /// Times that the model learns from each token; 1.
    #[serde(default = "one")]
    pub update_epochs: f64,
}

fn yes() -> bool {
    true
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
    /// Ranks of single projections where they differ: {down_proj: 64}.
    #[serde(default)]
    pub ranks: std::collections::BTreeMap<String, u64>,
}
