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

use std::collections::{BTreeMap, BTreeSet};

pub use self::kind::{Blocks, Kind};
use super::layer::{Layer, Role};
use super::operator::{Dense, Embedding, Operator};
use super::total::Model;
use crate::diagnostic::{Error, Result};

/// The projections that have an adapter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Targets {
    /// Every projection of attention, mixers and feed-forward layers, the usual choice of recipes.
    #[default]
    Usual,
    /// Every linear layer but the head and routed experts, as PEFT's `all-linear`.
    AllLinear,
    /// The projections whose names end in one of these, as the checkpoint or this library calls
    /// them.
    Named(Vec<String>),
}

/// An adapter of a model: rank, targets, and the modules that are trained whole beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adapter {
    /// What is trained beside a projection.
    pub kind: Kind,
    /// The rank, at least 1; kinds without one ignore it.
    pub rank: u64,
    /// The projections that have one.
    pub targets: Targets,
    /// Ranks of single projections by the words of their names; the first entry whose last word
    /// fits counts, of one block where a word is its number.
    pub ranks: Vec<(Vec<String>, u64)>,
    /// Names of modules that are trained whole (PEFT's `modules_to_save`). PEFT adds the names that
    /// heads usually have, so a model need not have all of them.
    pub saved: Vec<String>,
    /// True for a learned magnitude per output (`DoRA`, Liu et al. 2024, arXiv:2402.09353).
    pub magnitudes: bool,
    /// Names of projections that have none, whatever the targets say.
    pub excluded: Vec<String>,
    /// The blocks that have adapters, by their number from 0; all where nobody says.
    pub layers: Option<Vec<u64>>,
    /// The blocks that have none, whatever `layers` says.
    pub without: Vec<u64>,
}

/// Layers other than a projection of a block that BERT and its kin call `dense`.
const DENSE: [&str; 3] = ["pooler", "transform", "classifier_dense"];

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
        let members = members(model, name);
        model.layers.iter().any(|layer| takes(layer, &members))
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
        ("dense", None) if !own => {
            // The norm behind the sum of attention is BERT's.
            let bert = model.layers.iter().any(|it| last(&it.name) == "attention_norm");
            let inner = ["up_proj", "down_proj"].into_iter().chain(DENSE).filter(|_| bert);
            std::iter::once("o_proj").chain(inner).collect()
        }
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
    adapted(model, &Adapter { rank, targets, ranks, ..Adapter::default() })
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
        let name = last(&layer.name);
        let times = adapter.times(layer, &apart);
        if times.is_empty() || adapter.excluded.iter().any(|it| members(model, it).contains(&name))
        {
            continue;
        }
        let dense = match &layer.operator {
            Operator::Dense(dense) => *dense,
            Operator::Embedding(table) => {
                if named.iter().any(|group| takes(layer, group)) {
                    layers.extend(adapter.beside_table(layer, *table));
                }
                continue;
            }
            _ => continue,
        };
        let group = named.iter().position(|group| group.contains(&name));
        let group: &[&str] = match (&adapter.targets, group) {
            (Targets::Named(_), None) => continue,
            (Targets::Usual, _)
                if !matches!(layer.role, Role::Attention | Role::Mlp | Role::Mixer) =>
            {
                continue;
            }
            (Targets::AllLinear, _) if layer.role == Role::Head && !DENSE.contains(&name) => {
                continue;
            }
            (Targets::AllLinear, _) if layer.role == Role::Experts => continue,
            (_, Some(group)) => &named[group],
            (_, None) => &[],
        };
        let fused = fuses(group);
        if fused && group.first() != Some(&name) {
            continue;
        }
        // Each of them once: the passes of two equal blocks have one name.
        let of = |member: &&str| {
            apart.iter().find(|other| {
                stem(&other.name) == stem(&layer.name)
                    && other.count == layer.count
                    && last(&other.name) == *member
            })
        };
        let siblings = group.iter().filter(|_| fused).filter_map(of);
        let fused_outputs: u64 = siblings.map(outputs).sum();
        let outputs = if fused { fused_outputs } else { dense.outputs };
        for (rank, times) in times {
            layers.extend(adapter.beside(layer, dense, outputs, rank, times));
        }
    }
    let mut adapted = with_layers(model, layers)?;
    if !lacking.is_empty() {
        let lacking = lacking.join(", ");
        adapted
            .warnings
            .push(format!("{} has no projection {lacking}: no adapter there", model.name));
    }
    let saved = |layer: &Layer| adapter.saved.iter().any(|module| is_module(layer, module));
    let lacks = |module: &&String| !model.layers.iter().any(|it| is_module(it, module));
    let lacking: Vec<&str> = adapter.saved.iter().filter(lacks).map(String::as_str).collect();
    if let Some(module) = lacking.first() {
        let message = format!("{} has no module `{module}` to train whole", model.name);
        if lacking.len() == adapter.saved.len() {
            return Err(Error::input(message));
        }
        adapted.warnings.push(message);
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
    /// What is trained beside a table: rank x (entries + dim), looked up and multiplied.
    fn beside_table(&self, layer: &Layer, table: Embedding) -> Vec<Layer> {
        let rank = self.rank_of(&layer.name, None);
        let tensor = |name: &str, operator| Layer {
            name: format!("{}.{}_{name}", layer.name, self.kind.word()),
            operator,
            stored: None,
            ..layer.clone()
        };
        let (rows, outputs) = (table.rows, table.dim);
        vec![
            tensor("a", Operator::Embedding(Embedding { dim: rank, ..table })),
            tensor("b", Operator::Dense(Dense { rows, inputs: rank, outputs, bias: false })),
        ]
    }

    /// What is trained beside a projection whose adapter puts out so many features, of that rank and
    /// in so many blocks.
    fn beside(
        &self,
        layer: &Layer,
        dense: Dense,
        outputs: u64,
        rank: u64,
        times: u64,
    ) -> Vec<Layer> {
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

    /// How many of a layer's repetitions have an adapter, by its rank. The first pass of a repeated
    /// block stands apart from the rest, which are taken to follow it.
    fn times(&self, layer: &Layer, apart: &[Layer]) -> Vec<(u64, u64)> {
        let name = &layer.name;
        let numbered: BTreeSet<u64> = self.ranks.iter().filter_map(|(it, _)| block(it)).collect();
        let chosen = self.layers.is_some() || !self.without.is_empty() || !numbered.is_empty();
        if !chosen || !name.contains('*') {
            return vec![(self.rank_of(name, None), layer.count)];
        }
        let same = |other: &&Layer| other.name == *name;
        let first = apart.iter().find(same).is_some_and(|first| std::ptr::eq(first, layer));
        let blocks: u64 = apart.iter().filter(same).map(|layer| layer.count).sum();
        let within = |at: &u64| if first { *at == 0 } else { (1..blocks).contains(at) };
        let without: BTreeSet<u64> = self.without.iter().copied().filter(within).collect();
        let single: BTreeSet<u64> = match &self.layers {
            Some(layers) => layers.iter().copied().filter(within).collect(),
            None => numbered.into_iter().filter(within).collect(),
        };
        let mut times: BTreeMap<u64, u64> = BTreeMap::new();
        for at in single.difference(&without) {
            *times.entry(self.rank_of(name, Some(*at))).or_default() += 1;
        }
        if self.layers.is_none() {
            let named = single.union(&without).count() as u64;
            *times.entry(self.rank_of(name, None)).or_default() +=
                layer.count.saturating_sub(named);
        }
        times.into_iter().filter(|(_, times)| *times > 0).collect()
    }

    /// The rank of a projection in a block.
    fn rank_of(&self, name: &str, at: Option<u64>) -> u64 {
        let fits = |words: &[String]| {
            words.last().is_some_and(|word| word == last(name))
                && (block(words).is_none() || block(words) == at)
        };
        self.ranks.iter().find(|(words, _)| fits(words)).map_or(self.rank, |(_, rank)| *rank)
    }
}

/// The number of the block that the words of a module's name say.
fn block(words: &[String]) -> Option<u64> {
    words.iter().find_map(|word| word.parse().ok())
}

/// True if a layer can have an adapter and has one of the names: a projection, a table of tokens.
fn takes(layer: &Layer, names: &[&str]) -> bool {
    match layer.operator {
        Operator::Dense(_) => names.contains(&last(&layer.name)),
        Operator::Embedding(_) => names.iter().any(|name| is_module(layer, name)),
        _ => false,
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
    let has = |group: &Vec<&str>| model.layers.iter().any(|layer| takes(layer, group));
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
    group.len() > 1 && group.first() != Some(&"o_proj")
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
        let mut adapter = Adapter { rank: 16, targets, ..Adapter::default() };
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

    /// Blocks that differ in nothing stand apart from their first pass, of one name and number each.
    #[test]
    fn a_fused_projection_of_two_blocks_is_not_counted_twice() {
        let config = json!({"model_type": "gpt2", "n_embd": 64, "n_layer": 2, "n_head": 4,
            "vocab_size": 500, "n_positions": 64});
        let model = saved("gpt2", &config, &Input::default()).unwrap();
        let adapter = Adapter {
            rank: 8,
            targets: Targets::Named(vec!["c_attn".into()]),
            ..Adapter::default()
        };
        assert_eq!(adapted(&model, &adapter).unwrap().parameters().trainable, 2 * 8 * (64 + 192));
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
        // PEFT writes both usual names of a head.
        let either = |it: &mut Adapter| it.saved = vec!["classifier".into(), "lm_head".into()];
        assert_eq!(trainable(&["q_proj"], either).unwrap(), 16 * q + 32064 * 3072);
    }
}
