//! Fine-tuning adapters: `LoRA` and its kin ([`Kind`]), learned prompts.
//!
//! A low-rank adapter beside a frozen projection W of shape out x in computes y = W x + B A x, with
//! A of shape rank x in and B of shape out x rank (Hu et al. 2021, arXiv:2106.09685), so it trains
//! rank x (in + out) parameters. Frozen weights need no gradient of their own, but pass one on to
//! the adapters below them. Training with adapters therefore saves about a third of a step's FLOPs,
//! and nearly all of the optimizer's memory.
//!
//! Projections are found by name: those of the checkpoint, those of this library, or PEFT's words
//! for groups of them. Where a checkpoint fuses projections (`qkv_proj`), one adapter serves them
//! all.

mod kind;

use std::collections::BTreeMap;

pub use self::kind::{Blocks, Kind};
use super::layer::{Layer, Role};
use super::operator::{Dense, Operator};
use super::total::Model;
use crate::diagnostic::{Error, Result};

/// The projections that have an adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Targets {
    /// Every projection of attention, mixers and feed-forward layers, the usual choice of recipes.
    Usual,
    /// Every linear layer but the head and routed experts, as PEFT's `all-linear`.
    AllLinear,
    /// The projections whose names end in one of these, as the checkpoint or this library calls
    /// them.
    Named(Vec<String>),
}

/// An adapter of a model: rank, targets, and the modules that are trained whole beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// What is trained beside a projection.
    pub kind: Kind,
    /// The rank, at least 1; kinds without one ignore it.
    pub rank: u64,
    /// The projections that have one.
    pub targets: Targets,
    /// Ranks of single projections by the words of their names; the first entry whose last word
    /// fits counts.
    pub ranks: Vec<(Vec<String>, u64)>,
    /// Names of modules that are trained whole (PEFT's `modules_to_save`).
    pub saved: Vec<String>,
    /// True for a learned magnitude per output (`DoRA`, Liu et al. 2024, arXiv:2402.09353).
    pub magnitudes: bool,
    /// Names of projections that have none, whatever the targets say.
    pub excluded: Vec<String>,
    /// The blocks that have adapters, by their number from 0; all where nobody says.
    pub layers: Option<Vec<u64>>,
}

/// Names that checkpoints give to projections, with the projections that they are made of.
const ALSO: [(&str, &[&str]); 27] = [
    ("qkv_proj", &["q_proj", "k_proj", "v_proj"]),
    ("query_key_value", &["q_proj", "k_proj", "v_proj"]),
    ("qkv", &["q_proj", "k_proj", "v_proj"]),
    ("Wqkv", &["q_proj", "k_proj", "v_proj"]),
    ("W_pack", &["q_proj", "k_proj", "v_proj"]),
    ("c_attn", &["q_proj", "k_proj", "v_proj"]),
    ("gate_up_proj", &["gate_proj", "up_proj"]),
    ("query", &["q_proj"]),
    ("key", &["k_proj"]),
    ("value", &["v_proj"]),
    ("q", &["q_proj"]),
    ("k", &["k_proj"]),
    ("v", &["v_proj"]),
    ("o", &["o_proj"]),
    ("wq", &["q_proj"]),
    ("wk", &["k_proj"]),
    ("wv", &["v_proj"]),
    ("wo", &["o_proj"]),
    ("w1", &["gate_proj"]),
    ("w2", &["down_proj"]),
    ("w3", &["up_proj"]),
    ("out_proj", &["o_proj"]),
    ("fc1", &["up_proj"]),
    ("c_fc", &["up_proj"]),
    ("dense_h_to_4h", &["up_proj"]),
    ("fc2", &["down_proj"]),
    ("dense_4h_to_h", &["down_proj"]),
];

/// Projections of the usual decoder.
const USUAL: [&str; 7] =
    ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

impl Targets {
    /// True if a model has a projection of this name.
    pub fn has(model: &Model, name: &str) -> bool {
        model.layers.iter().any(|layer| {
            matches!(layer.operator, Operator::Dense(_))
                && members(model, name).contains(&last(&layer.name))
        })
    }
}

/// The projections of a model that a name means: its own, or those that a checkpoint fuses or calls
/// otherwise.
fn members<'n>(model: &Model, name: &'n str) -> Vec<&'n str> {
    let own = model.layers.iter().any(|layer| last(&layer.name) == name);
    let also = ALSO.iter().find(|(other, _)| !own && *other == name);
    // The output projections of GPT-2's attention and feed-forward layer share a name, as do those
    // of GPT-NeoX, BERT and BLOOM.
    match (name, also) {
        ("c_proj", None) if !own => vec!["o_proj", "down_proj"],
        ("dense", None) if !own => vec!["o_proj"],
        (_, Some((_, members))) => members.to_vec(),
        _ => vec![name],
    }
}

/// The model with low-rank adapters on the projections that `targets` name; with none, on every
/// attention and MLP projection; `all-linear` means PEFT's. `ranks` are those of single targets
/// where they differ.
///
/// # Errors
/// As [`adapted`].
pub fn lora(
    model: &Model,
    rank: u64,
    targets: &[String],
    ranks: &BTreeMap<String, u64>,
) -> Result<Model> {
    let targets =
        if targets.is_empty() { Targets::Usual } else { Targets::Named(targets.to_vec()) };
    let targets = match &targets {
        Targets::Named(names) if names == &["all-linear"] => Targets::AllLinear,
        _ => targets,
    };
    let of_target = |(name, rank): (&String, &u64)| {
        let members = members(model, name).into_iter();
        members.map(|member| (vec![member.to_owned()], *rank)).collect::<Vec<_>>()
    };
    let ranks = ranks.iter().flat_map(of_target).collect();
    let saved = Vec::new();
    let (excluded, layers) = (Vec::new(), None);
    let (kind, magnitudes) = (Kind::LowRank, false);
    adapted(model, &Adapter { kind, rank, targets, ranks, saved, magnitudes, excluded, layers })
}

/// The model with adapters beside frozen weights. Only the adapters are trained, of `LoRA` rank x
/// (in + out) parameters for each projection that has one, and the modules that are saved whole. A
/// projection that the checkpoint fuses has one adapter: rank x (in + sum of outs). The products of
/// other kinds than `LoRA` are of weights, not of tokens, and cost nothing here.
///
/// # Errors
/// If a rank is zero, no layer has one of the names, or the model becomes too large to count.
pub fn adapted(model: &Model, adapter: &Adapter) -> Result<Model> {
    if adapter.rank == 0 && adapter.kind.has_rank() {
        return Err(Error::input("the rank of an adapter is at least 1"));
    }
    let named: Vec<Vec<&str>> = match &adapter.targets {
        Targets::Named(names) => names.iter().map(|name| members(model, name)).collect(),
        Targets::Usual | Targets::AllLinear => Vec::new(),
    };
    let lacking = lacking(model, &adapter.targets, &named)?;
    let apart = first_apart(&model.layers);
    let mut layers = Vec::with_capacity(apart.len() * 2);
    for layer in &apart {
        layers.push(layer.clone());
        let Operator::Dense(dense) = &layer.operator else { continue };
        let name = last(&layer.name);
        let times = adapter.times(layer, &apart);
        if times == 0 || adapter.excluded.iter().any(|it| members(model, it).contains(&name)) {
            continue;
        }
        let group = named.iter().position(|group| group.contains(&name));
        let group: &[&str] = match (&adapter.targets, group) {
            (Targets::Named(_), None) => continue,
            (Targets::Usual, _)
                if !matches!(layer.role, Role::Attention | Role::Mlp | Role::Mixer) =>
            {
                continue;
            }
            (Targets::AllLinear, _) if matches!(layer.role, Role::Head | Role::Experts) => continue,
            (_, Some(group)) => &named[group],
            (_, None) => &[],
        };
        let fused = fuses(group);
        if fused && group.first() != Some(&name) {
            continue;
        }
        let siblings = apart.iter().filter(|other| {
            fused
                && stem(&other.name) == stem(&layer.name)
                && other.count == layer.count
                && group.contains(&last(&other.name))
        });
        let fused_outputs: u64 = siblings.map(outputs).sum();
        let outputs = if fused { fused_outputs } else { dense.outputs };
        layers.extend(adapter.beside(layer, *dense, outputs, times));
    }
    let mut adapted = with_layers(model, layers)?;
    if !lacking.is_empty() {
        let lacking = lacking.join(", ");
        adapted
            .warnings
            .push(format!("{} has no projection {lacking}: no adapter there", model.name));
    }
    let saved = |layer: &Layer| adapter.saved.iter().any(|module| is_module(layer, module));
    if let Some(module) =
        adapter.saved.iter().find(|module| !model.layers.iter().any(|it| is_module(it, module)))
    {
        return Err(Error::input(format!(
            "{} has no module `{module}` to train whole",
            model.name
        )));
    }
    adapted.train(|layer| kind::is_adapter(last(&layer.name)) || saved(layer));
    Ok(adapted)
}

/// The model with other layers.
fn with_layers(model: &Model, layers: Vec<Layer>) -> Result<Model> {
    let mut other =
        Model::new(model.name.clone(), layers, model.input, model.extents.max_sequence)?;
    other.assumptions.clone_from(&model.assumptions);
    other.unresolved.clone_from(&model.unresolved);
    other.extents.assumed = model.extents.assumed;
    other.media_tokens = model.media_tokens;
    other.warnings.clone_from(&model.warnings);
    other.storage.clone_from(&model.storage);
    Ok(other)
}

/// The model with learned tensors that stand before or beside its input (prompt, prefix and p-tuning,
/// trained tokens), each with its elements. All other weights are frozen.
///
/// # Errors
/// If the model becomes too large to count.
pub fn prompted(model: &Model, learned: &[(&str, u64)]) -> Result<Model> {
    let table = |layer: &Layer| layer.role == Role::Embedding;
    let behind = model.layers.iter().position(table).map_or(0, |first| first + 1);
    let mut layers = model.layers.clone();
    let tensors = learned.iter().map(|(name, elements)| {
        let operator = Operator::Parameter(*elements);
        Layer::new(format!("prompt.{name}"), Role::Embedding, operator)
    });
    layers.splice(behind..behind, tensors);
    let mut prompted = with_layers(model, layers)?;
    prompted.train(|layer| layer.name.starts_with("prompt."));
    Ok(prompted)
}

impl Adapter {
    /// What is trained beside a projection whose adapter puts out so many features.
    fn beside(&self, layer: &Layer, dense: Dense, outputs: u64, times: u64) -> Vec<Layer> {
        let rank = self.rank_of(&layer.name);
        let tensor = |name: &str, operator| Layer {
            name: format!("{}.{}_{name}", layer.name, self.kind.word()),
            operator,
            stored: None,
            count: times.min(layer.count),
            weight_copies: times.min(layer.weight_copies),
            ..layer.clone()
        };
        let product = |name: &str, inputs, outputs| {
            tensor(name, Operator::Dense(Dense { inputs, outputs, bias: false, ..dense }))
        };
        let low = || vec![product("a", dense.inputs, rank), product("b", rank, outputs)];
        let mut tensors = match &self.kind {
            Kind::LowRank => low(),
            Kind::Adaptive => [low(), vec![tensor("e", Operator::Parameter(rank))]].concat(),
            kind => {
                let elements = kind.elements(last(&layer.name), rank, dense.inputs, outputs);
                vec![tensor("weights", Operator::Parameter(elements))]
            }
        };
        if self.magnitudes {
            tensors.push(tensor("magnitude", Operator::Parameter(outputs)));
        }
        tensors
    }

    /// How many of a layer's repetitions have an adapter. The first pass of a repeated block stands
    /// apart from the rest, which are taken to follow it.
    fn times(&self, layer: &Layer, apart: &[Layer]) -> u64 {
        let Some(chosen) = self.layers.as_ref().filter(|_| layer.name.contains('*')) else {
            return layer.count;
        };
        let same = |other: &&Layer| other.name == layer.name;
        let first = apart.iter().find(same).is_some_and(|first| std::ptr::eq(first, layer));
        let blocks: u64 = apart.iter().filter(same).map(|layer| layer.count).sum();
        let within = |at: &&u64| if first { **at == 0 } else { (1..blocks).contains(*at) };
        chosen.iter().filter(within).count() as u64
    }

    /// The rank of a projection.
    fn rank_of(&self, name: &str) -> u64 {
        let fits = |words: &[String]| words.last().is_some_and(|word| word == last(name));
        self.ranks.iter().find(|(words, _)| fits(words)).map_or(self.rank, |(_, rank)| *rank)
    }
}

/// The named projections that a model lacks while it has others of those named, as in PEFT: recipes
/// name those of the usual decoder, whatever the model.
///
/// # Errors
/// If the model has none of them, or if one that it lacks is no usual name.
fn lacking<'t>(model: &Model, targets: &'t Targets, named: &[Vec<&str>]) -> Result<Vec<&'t str>> {
    let Targets::Named(names) = targets else { return Ok(Vec::new()) };
    let dense = || model.layers.iter().filter(|it| matches!(it.operator, Operator::Dense(_)));
    let has = |group: &Vec<&str>| dense().any(|layer| group.contains(&last(&layer.name)));
    let missing = names.iter().zip(named).filter(|(_, group)| !has(group));
    let missing: Vec<&str> = missing.map(|(name, _)| name.as_str()).collect();
    let usual =
        |name: &&&str| USUAL.contains(*name) || ALSO.iter().any(|(other, _)| other == *name);
    let wrong = missing.iter().find(|name| !usual(name) || missing.len() == names.len());
    let Some(wrong) = wrong else { return Ok(missing) };
    let known: Vec<&str> = dense().map(|layer| last(&layer.name)).collect();
    Err(Error::input(format!("{} has no projection `{wrong}`", model.name)).suggest(wrong, known))
}

/// True if projections share their input, so that a checkpoint keeps them as one matrix.
fn fuses(group: &[&str]) -> bool {
    group.len() > 1 && group != ["o_proj", "down_proj"]
}

/// The features that a linear layer puts out; 0 for other layers.
fn outputs(layer: &Layer) -> u64 {
    match &layer.operator {
        Operator::Dense(dense) => dense.outputs,
        _ => 0,
    }
}

/// True if a layer is a module, or inside of it.
fn is_module(layer: &Layer, module: &str) -> bool {
    let table = module == "wte" || module == "embed_tokens" || module == "word_embeddings";
    layer.name.split('.').any(|part| part == module)
        || table
            && layer.role == Role::Embedding
            && matches!(layer.operator, Operator::Embedding(_))
}

/// A layer's name without its last part.
fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(stem, _)| stem)
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
    use serde_json::json;

    use super::*;
    use crate::model::config::saved;
    use crate::model::input::Input;

    fn phi3() -> Model {
        let config = json!({"model_type": "phi3", "hidden_size": 3072, "intermediate_size": 8192,
            "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32,
            "vocab_size": 32064, "tie_word_embeddings": false});
        saved("phi3", &config, &Input::default()).unwrap()
    }

    fn trainable(targets: &[&str], change: impl Fn(&mut Adapter)) -> Result<u64> {
        let targets = match targets {
            ["all-linear"] => Targets::AllLinear,
            names => Targets::Named(names.iter().map(|name| (*name).to_owned()).collect()),
        };
        let mut adapter = Adapter {
            kind: Kind::LowRank,
            rank: 16,
            targets,
            ranks: Vec::new(),
            saved: Vec::new(),
            magnitudes: false,
            excluded: Vec::new(),
            layers: None,
        };
        change(&mut adapter);
        Ok(adapted(&phi3(), &adapter)?.parameters().trainable)
    }

    /// Phi-3 mini by the checkpoint's fused modules and by its parts: 32 layers, rank 16.
    #[test]
    fn a_fused_projection_has_one_adapter() {
        let layers = 32 * 16;
        let (attention, output) = (3072 + 9216, 2 * 3072);
        let (gate_up, down) = (3072 + 16384, 8192 + 3072);
        let cases: [(&[&str], u64); 4] = [
            (
                &["qkv_proj", "o_proj", "gate_up_proj", "down_proj"],
                attention + output + gate_up + down,
            ),
            (&["q_proj", "k_proj", "v_proj"], 3 * 2 * 3072),
            (&["query_key_value"], attention),
            (&["all-linear"], 4 * 2 * 3072 + 3 * (8192 + 3072)),
        ];
        for (targets, width) in cases {
            assert_eq!(trainable(targets, |_| {}).unwrap(), layers * width, "{targets:?}");
        }
        assert!(trainable(&["c_proj_x"], |_| {}).unwrap_err().to_string().contains("c_proj_x"));
    }

    #[test]
    fn ranks_magnitudes_and_saved_modules_count() {
        let q = 32 * 2 * 3072;
        let ranked = |it: &mut Adapter| it.ranks = vec![(vec!["q_proj".into()], 8)];
        assert_eq!(trainable(&["q_proj"], ranked).unwrap(), 8 * q);
        assert_eq!(trainable(&["q_proj"], |it| it.magnitudes = true).unwrap(), 16 * q + 32 * 3072);
        let saved = |it: &mut Adapter| it.saved = vec!["lm_head".into(), "embed_tokens".into()];
        assert_eq!(trainable(&["q_proj"], saved).unwrap(), 16 * q + 2 * 32064 * 3072);
        let adaptive = |it: &mut Adapter| it.kind = Kind::Adaptive;
        assert_eq!(trainable(&["q_proj"], adaptive).unwrap(), 16 * q + 32 * 16);
        let missing = |it: &mut Adapter| it.saved = vec!["classifier".into()];
        assert!(trainable(&["q_proj"], missing).is_err());
    }
}
