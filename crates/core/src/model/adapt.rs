//! Fine-tuning adapters.
//!
//! Frozen weights need no gradient of their own, but pass one on to the adapters below them.
//! Training with adapters therefore saves about a third of a step's FLOPs, and nearly all of the
//! optimizer's memory.

use std::collections::BTreeMap;

use super::layer::{Layer, Role};
use super::operator::{Dense, Operator};
use super::total::Model;
use crate::diagnostic::{Error, Result};

/// Which projections get adapters, and of which rank.
#[derive(Clone, Copy, Debug)]
pub struct Adapters<'a> {
    /// Rank of the adapter matrices.
    pub rank: u64,
    /// Names of the projections, as checkpoints have them; with none, or with `all-linear`, every
    /// projection of attention, mixers and MLPs.
    pub targets: &'a [String],
    /// Ranks of single targets where they differ.
    pub ranks: &'a BTreeMap<String, u64>,
}

/// Names that checkpoints have for projections: a name, and the projections of a layer list that it
/// stands for. Several are one fused matrix, whose adapter has one A.
const NAMES: &[(&[&str], &[&str])] = &[
    (
        &[
            "qkv_proj",
            "query_key_value",
            "Wqkv",
            "qkv",
            "W_pack",
            "c_attn",
            "linear_qkv",
            "in_proj",
        ],
        &["q_proj", "k_proj", "v_proj"],
    ),
    (&["gate_up_proj", "linear_fc1", "w1_w3"], &["gate_proj", "up_proj"]),
    (&["kv_proj", "linear_kv"], &["k_proj", "v_proj"]),
    (&["q_proj", "query", "wq", "q_lin", "q", "linear_q"], &["q_proj"]),
    (&["k_proj", "key", "wk", "k_lin", "k"], &["k_proj"]),
    (&["v_proj", "value", "wv", "v_lin", "v"], &["v_proj"]),
    (&["o_proj", "out_proj", "dense", "wo", "o", "out_lin", "linear_proj", "c_proj"], &["o_proj"]),
    (&["out_proj", "o_proj"], &["out_proj"]),
    (&["gate_proj", "w1"], &["gate_proj"]),
    (
        &["up_proj", "w3", "fc1", "c_fc", "dense_h_to_4h", "fc_in", "wi", "lin1", "linear_fc1"],
        &["up_proj"],
    ),
    (&["fc1", "up_proj", "c_fc", "dense_h_to_4h", "lin1", "wi"], &["fc1"]),
    (
        &[
            "down_proj",
            "w2",
            "fc2",
            "c_proj",
            "dense_4h_to_h",
            "fc_out",
            "wo",
            "lin2",
            "linear_fc2",
        ],
        &["down_proj"],
    ),
    (&["fc2", "down_proj", "c_proj", "dense_4h_to_h", "lin2"], &["fc2"]),
];

/// The target that stands for every projection (PEFT 0.8).
const ALL: &str = "all-linear";

/// The model with low-rank adapters beside frozen weights: y = W x + B A x, A of shape rank x in, B
/// of shape out x rank (Hu et al. 2021, arXiv:2106.09685). Only the adapters are trained: rank x
/// (in + out) parameters for each projection that has one. A fused projection has one A for all its
/// outputs.
///
/// # Errors
/// If a rank is zero, or no layer has one of the targets.
pub fn lora(model: &Model, adapters: &Adapters<'_>) -> Result<Model> {
    if adapters.rank == 0 || adapters.ranks.values().any(|rank| *rank == 0) {
        return Err(Error::input("the rank of an adapter is at least 1"));
    }
    let targets = targets(model, adapters)?;
    let mut layers = Vec::with_capacity(model.layers.len() * 2);
    for layer in first_apart(&model.layers) {
        let adapted = match &layer.operator {
            Operator::Dense(dense) => targets.of(&layer).map(|(rank, begins)| {
                let part = |name: &str, inputs, outputs| Layer {
                    name: format!("{}.lora_{name}", layer.name),
                    operator: Operator::Dense(Dense { inputs, outputs, bias: false, ..*dense }),
                    ..layer.clone()
                };
                let first = begins.then(|| part("a", dense.inputs, rank));
                [first, Some(part("b", rank, dense.outputs))]
            }),
            _ => None,
        };
        layers.push(layer);
        layers.extend(adapted.into_iter().flatten().flatten());
    }
    let mut adapted =
        Model::new(model.name.clone(), layers, model.input, model.extents.max_sequence)?;
    adapted.assumptions.clone_from(&model.assumptions);
    adapted.unresolved.clone_from(&model.unresolved);
    adapted.extents.assumed = model.extents.assumed;
    adapted.train(|layer| layer.name.contains(".lora_"));
    Ok(adapted)
}

/// Projections with an adapter: the last part of the name, the rank, and whether an A begins here.
struct Targets {
    /// Every projection, at this rank.
    all: Option<u64>,
    named: Vec<(String, u64, bool)>,
}

impl Targets {
    /// The rank of a layer's adapter, and whether it has an A of its own.
    fn of(&self, layer: &Layer) -> Option<(u64, bool)> {
        let named = self.named.iter().find(|(name, ..)| name == last(&layer.name));
        named.map(|(_, rank, begins)| (*rank, *begins)).or_else(|| {
            let inner = matches!(layer.role, Role::Attention | Role::Mlp | Role::Mixer);
            self.all.filter(|_| inner).map(|rank| (rank, true))
        })
    }
}

/// Resolves the names of targets to projections that the model has.
fn targets(model: &Model, adapters: &Adapters<'_>) -> Result<Targets> {
    let dense = |layer: &&Layer| matches!(layer.operator, Operator::Dense(_));
    let has = |name: &str| model.layers.iter().filter(dense).any(|it| last(&it.name) == name);
    let everything = adapters.targets.is_empty() || adapters.targets.iter().any(|it| it == ALL);
    let mut found = Targets { all: everything.then_some(adapters.rank), named: Vec::new() };
    let asked = adapters.targets.iter().filter(|target| *target != ALL);
    for target in asked.chain(adapters.ranks.keys()) {
        let rank = adapters.ranks.get(target).copied().unwrap_or(adapters.rank);
        // The layer list's own name first, then what checkpoints call it.
        let own = [target.as_str()];
        let members: Vec<&[&str]> = if has(target) {
            vec![&own]
        } else {
            let known = NAMES.iter().filter(|(names, _)| names.contains(&target.as_str()));
            known
                .map(|(_, members)| *members)
                .filter(|members| members.iter().all(|it| has(it)))
                .collect()
        };
        if members.is_empty() {
            let names = model.layers.iter().filter(dense).map(|layer| last(&layer.name));
            return Err(Error::input(format!("{} has no projection `{target}`", model.name))
                .suggest(target, names));
        }
        for group in members {
            for (at, member) in group.iter().enumerate() {
                if !found.named.iter().any(|(name, ..)| name == member) {
                    found.named.push(((*member).to_owned(), rank, at == 0));
                }
            }
        }
    }
    Ok(found)
}

/// Repeated blocks with their first pass apart. Fewer weights lie below it than below the others,
/// so its backward pass may be cheaper.
fn first_apart(layers: &[Layer]) -> Vec<Layer> {
    let block = |layer: &Layer| {
        (layer.count > 1).then(|| layer.name.split('*').next().unwrap_or_default().to_owned())
    };
    let mut apart = Vec::with_capacity(layers.len() * 2);
    let mut rest: &[Layer] = layers;
    while let Some(first) = rest.first() {
        let name = block(first);
        let length = rest.iter().take_while(|layer| block(layer) == name).count();
        let (run, after) = rest.split_at(length);
        if name.is_some() {
            apart.extend(run.iter().map(|layer| Layer {
                count: 1,
                weight_copies: layer.weight_copies.min(1),
                ..layer.clone()
            }));
            apart.extend(run.iter().map(|layer| Layer {
                count: layer.count - 1,
                weight_copies: layer.weight_copies.saturating_sub(1),
                ..layer.clone()
            }));
        } else {
            apart.extend(run.iter().cloned());
        }
        rest = after;
    }
    apart
}

/// The last part of a layer's name.
fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Input, spec};

    fn trainable(model: &str, rank: u64, targets: &[&str], ranks: &[(&str, u64)]) -> u64 {
        let model = spec::from_preset(model, &Input::default()).expect("a preset");
        let targets: Vec<String> = targets.iter().map(|it| (*it).to_owned()).collect();
        let ranks = ranks.iter().map(|(name, rank)| ((*name).to_owned(), *rank)).collect();
        let adapters = Adapters { rank, targets: &targets, ranks: &ranks };
        lora(&model, &adapters).expect("adapters").parameters().trainable
    }

    #[test]
    fn targets_are_called_as_checkpoints_call_them() {
        // PEFT: rank 16 on q and v of Llama 3.1 8B, 32 x 16 x (8192 + 5120).
        assert_eq!(trainable("llama-3.1-8b", 16, &["q_proj", "v_proj"], &[]), 6_815_744);
        // Phi-3 mini, rank 16, its four fused and plain projections.
        let phi = ["qkv_proj", "o_proj", "gate_up_proj", "down_proj"];
        assert_eq!(trainable("phi-3-mini-4k", 16, &phi, &[]), 25_165_824);
        // All seven projections of Llama 3.1 8B at rank 16 (unsloth's and PEFT's 41.9M).
        assert_eq!(trainable("llama-3.1-8b", 16, &["all-linear"], &[]), 41_943_040);
        assert_eq!(trainable("llama-3.1-8b", 16, &[], &[]), 41_943_040);
        // A rank of its own: down_proj at 32, the others at 16.
        let down = 32 * 16 * (14_336 + 4096);
        assert_eq!(trainable("llama-3.1-8b", 16, &[], &[("down_proj", 32)]), 41_943_040 + down);
    }

    #[test]
    fn other_targets_are_refused_with_the_nearest() {
        let model = spec::from_preset("llama-3-8b", &Input::default()).expect("a preset");
        let (targets, ranks) = (["q_prj".to_owned()], BTreeMap::new());
        let adapters = Adapters { rank: 8, targets: &targets, ranks: &ranks };
        let error = lora(&model, &adapters).unwrap_err().to_string();
        assert!(error.contains("did you mean `q_proj`"), "{error}");
    }
}
