//! Layer drop: whole blocks of a repetition go.

use std::collections::BTreeMap;

use super::prune::kept;
use crate::diagnostic::{Error, Result};
use crate::model::total::Model;

/// The model without a share of the blocks of each repetition (Fan et al. 2020, arXiv:1909.11556;
/// Gromov et al. 2024, arXiv:2403.17887). Of n equal blocks n (1 - share) remain, rounded, at least
/// one; where blocks differ in turn, n counts the turns.
///
/// # Errors
/// If no block can go.
pub(super) fn blocks(model: &Model, share: Option<f64>) -> Result<Model> {
    let Some(share) = share else { return Ok(model.clone()) };
    let repetition = |name: &str| Some(name.split_once('*')?.0.to_owned());
    // Every layer of a repetition is computed a multiple of n times.
    let mut turns: BTreeMap<String, u64> = BTreeMap::new();
    for layer in &model.layers {
        if let Some(of) = repetition(&layer.name) {
            let n = turns.entry(of).or_default();
            *n = divisor(*n, layer.count);
        }
    }
    let mut layers = model.layers.clone();
    for layer in &mut layers {
        let turns = repetition(&layer.name).and_then(|of| turns.get(&of));
        let Some(&turns) = turns.filter(|turns| **turns > 0) else { continue };
        let left = kept(turns, share);
        layer.count = layer.count / turns * left;
        if layer.weight_copies.is_multiple_of(turns) {
            layer.weight_copies = layer.weight_copies / turns * left;
        }
    }
    if layers == model.layers {
        return Err(Error::input(format!(
            "no block of {} can go: none is repeated alike",
            model.name
        ))
        .hint("a larger share, or the number of layers by its key in a model file"));
    }
    model.relaid(layers)
}

/// The greatest number that divides both.
fn divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { divisor(b, a % b) }
}
