//! Fine-tuning adapters.
//!
//! Frozen weights need no gradient of their own, but pass one on to the adapters below them.
//! Training with adapters therefore saves about a third of a step's FLOPs, and nearly all of the
//! optimizer's memory.

use super::layer::{Layer, Role};
use super::operator::{Dense, Operator};
use super::total::Model;
use crate::diagnostic::{Error, Result};

/// The model with low-rank adapters beside frozen weights: y = W x + B A x, A of shape rank x in, B
/// of shape out x rank (Hu et al. 2021, arXiv:2106.09685). Only the adapters are trained: rank x
/// (in + out) parameters for each projection that has one.
///
/// `targets` are the last parts of layer names (`q_proj`); with none, every attention and MLP
/// projection has an adapter.
///
/// # Errors
/// If the rank is zero, or no layer has one of the targets.
pub fn lora(model: &Model, rank: u64, targets: &[String]) -> Result<Model> {
    if rank == 0 {
        return Err(Error::input("the rank of an adapter is at least 1"));
    }
    let mut found = vec![false; targets.len()];
    let mut layers = Vec::with_capacity(model.layers.len() * 2);
    for layer in first_apart(&model.layers) {
        let adapted = match &layer.operator {
            Operator::Dense(dense) if is_target(&layer, targets, &mut found) => {
                let part = |name: &str, inputs, outputs| Layer {
                    name: format!("{}.lora_{name}", layer.name),
                    operator: Operator::Dense(Dense { inputs, outputs, bias: false, ..*dense }),
                    ..layer.clone()
                };
                Some([part("a", dense.inputs, rank), part("b", rank, dense.outputs)])
            }
            _ => None,
        };
        layers.push(layer);
        layers.extend(adapted.into_iter().flatten());
    }
    if let Some(missing) = found.iter().position(|found| !found) {
        let names: Vec<&str> = model.layers.iter().map(|layer| last(&layer.name)).collect();
        return Err(Error::input(format!(
            "{} has no projection `{}`",
            model.name, targets[missing]
        ))
        .suggest(&targets[missing], names));
    }
    let mut adapted =
        Model::new(model.name.clone(), layers, model.input, model.extents.max_sequence)?;
    adapted.assumptions.clone_from(&model.assumptions);
    adapted.unresolved.clone_from(&model.unresolved);
    adapted.extents.assumed = model.extents.assumed;
    adapted.train(|layer| layer.name.contains(".lora_"));
    Ok(adapted)
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

/// True if the layer gets an adapter; `found` notes the targets that a layer has.
fn is_target(layer: &Layer, targets: &[String], found: &mut [bool]) -> bool {
    if targets.is_empty() {
        return matches!(layer.role, Role::Attention | Role::Mlp | Role::Mixer);
    }
    match targets.iter().position(|target| target == last(&layer.name)) {
        Some(index) => {
            found[index] = true;
            true
        }
        None => false,
    }
}

/// The last part of a layer's name.
fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}
