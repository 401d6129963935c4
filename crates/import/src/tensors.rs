//! Tensors of weight files as weights of a model: packed integers are unpacked, scales are no
//! parameters, and what a format stores beside a weight counts as its bytes.

use std::collections::BTreeMap;

use flopcast_core::diagnostic::Result;
use flopcast_core::model::stored::Storage;
use flopcast_core::model::{Assumption, Input, Layer, Model, Operator, Role, Unresolved};
use flopcast_core::quantity::Data;

use super::pattern::pattern;

/// A weight of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Weight {
    /// Its name in the file.
    pub name: String,
    /// Its element type.
    pub kind: String,
    /// Parameters, unpacked.
    pub parameters: u64,
    /// Bytes, with those of its scales and zeros.
    pub data: Data,
}

/// A model of these weights alone, whose FLOPs are unknown.
///
/// # Errors
/// If there are more parameters than a model can have.
pub fn model(name: &str, weights: &[Weight]) -> Result<Model> {
    let mut groups: BTreeMap<(String, u64), (u64, Data)> = BTreeMap::new();
    for weight in weights {
        let group = groups.entry((pattern(&weight.name), weight.parameters)).or_default();
        group.0 += 1;
        group.1 += weight.data;
    }
    let layers = groups.into_iter().map(|((name, parameters), (copies, data))| Layer {
        count: 0,
        weight_copies: copies,
        stored: per_parameter(data, parameters.saturating_mul(copies)),
        ..Layer::new(name, Role::Other, Operator::Parameter(parameters))
    });
    let mut model = Model::new(name, layers.collect(), Input::default(), None)?;
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    for weight in weights {
        let sum = kinds.entry(&weight.kind).or_default();
        *sum = sum.saturating_add(weight.parameters);
    }
    model.assumptions = kinds
        .iter()
        .map(|(kind, parameters)| Assumption {
            what: format!("{kind} parameters"),
            value: parameters.to_string(),
            why: "weights of the file; packed ones are unpacked, scales are none".into(),
        })
        .collect();
    model.storage = Some(storage(weights));
    model.unresolved = vec![Unresolved {
        kind: "tensor".into(),
        count: weights.len() as u64,
        why: "a weight file does not say how its tensors are used, so FLOPs are unknown".into(),
    }];
    Ok(model)
}

/// Takes the bytes of the weights of a model from its file: those of its table of tokens, its head,
/// its norms, its experts and all others on average, so that their sum is the file's.
pub fn store(model: &mut Model, weights: &[Weight]) {
    let mut sums: BTreeMap<Group, (Data, u64)> = BTreeMap::new();
    for weight in weights {
        let sum = sums.entry(Group::of_tensor(&weight.name)).or_default();
        sum.0 += weight.data;
        sum.1 = sum.1.saturating_add(weight.parameters);
    }
    let of = |group: Group| sums.get(&group).and_then(|(data, count)| per_parameter(*data, *count));
    for layer in &mut model.layers {
        let group = Group::of_role(layer.role);
        let next = if group == Group::Head { Group::Embedding } else { Group::Rest };
        layer.stored = of(group).or_else(|| of(next)).or_else(|| of(Group::Rest));
    }
    model.storage = Some(storage(weights));
    let held = weights.iter().fold(0_u64, |sum, weight| sum.saturating_add(weight.parameters));
    let counted = model.parameters().total;
    if counted.abs_diff(held) > counted / 100 {
        model.warnings.push(format!(
            "the weights beside the configuration hold {held} parameters, the architecture has \
             {counted}: they may be of another model, or a part of it"
        ));
    }
}

/// The element types that hold most of the weights, and whether any is packed.
fn storage(weights: &[Weight]) -> Storage {
    let mut kinds: BTreeMap<&str, f64> = BTreeMap::new();
    for weight in weights {
        *kinds.entry(&weight.kind).or_default() += weight.parameters as f64;
    }
    let all: f64 = kinds.values().sum();
    let mut most: Vec<_> = kinds.into_iter().filter(|(_, count)| *count >= 0.01 * all).collect();
    most.sort_by(|a, b| b.1.total_cmp(&a.1));
    let plain = ["F64", "F32", "F16", "BF16"];
    Storage {
        name: most.iter().map(|(kind, _)| *kind).collect::<Vec<_>>().join(", "),
        packed: most.iter().any(|(kind, _)| !plain.contains(kind)),
        products: None,
    }
}

/// Bytes per parameter; `None` of no parameters.
fn per_parameter(data: Data, parameters: u64) -> Option<Data> {
    (parameters > 0).then(|| data / parameters as f64)
}

/// A part of a model whose weights share a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Embedding,
    Head,
    Norm,
    Experts,
    Rest,
}

impl Group {
    /// The group of a role.
    fn of_role(role: Role) -> Self {
        match role {
            Role::Embedding => Self::Embedding,
            Role::Head => Self::Head,
            Role::Norm => Self::Norm,
            Role::Experts => Self::Experts,
            _ => Self::Rest,
        }
    }

    /// The part that a tensor is of, by the names that libraries give.
    fn of_tensor(name: &str) -> Self {
        const TABLES: [&str; 8] = [
            "embed_tokens",
            "token_embd",
            "wte",
            "word_embeddings",
            "tok_embeddings",
            "embed_in",
            "shared.weight",
            "embeddings.weight",
        ];
        let has = |part: &&str| name.contains(*part);
        if TABLES.iter().any(has) {
            Self::Embedding
        } else if ["lm_head", "embed_out"].iter().any(has) || name == "output.weight" {
            Self::Head
        } else if name.contains("norm") {
            Self::Norm
        } else if name.contains("exps") || name.contains("experts") && !name.contains("shared") {
            Self::Experts
        } else {
            Self::Rest
        }
    }
}
