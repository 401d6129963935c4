//! Low-rank factors: a product becomes two, through fewer features.

use super::{ByGroup, Rank, setting, weighs};
use crate::diagnostic::{Error, Result};
use crate::model::layer::{Layer, Role};
use crate::model::operator::{Axis, Convolution, Dense, Operator};
use crate::model::total::Model;

/// The ending of the name of a first factor; the second keeps the layer's own.
pub const FIRST: &str = ".low_rank";

/// The model with products of low rank r in place of those of a group, where that takes fewer
/// parameters (Denton et al. 2014, arXiv:1404.0736; Hsu et al. 2022, arXiv:2207.00112):
/// ```text
/// dense        W [out, in]            -> [r, in], [out, r]
/// convolution  W [out, in, k...]      -> [r, in, k...], [out, r, 1...]
/// ```
/// Experts are factored one by one; grouped and transposed convolutions stay.
///
/// # Errors
/// If no product of a named group, or none at all, becomes smaller.
pub(super) fn factors(model: &Model, rank: &ByGroup<Rank>) -> Result<Model> {
    if rank.is_empty() {
        return Ok(model.clone());
    }
    let mut smaller: Vec<Role> = Vec::new();
    let mut layers = Vec::with_capacity(model.layers.len());
    for layer in &model.layers {
        let asked = setting(rank, layer).filter(|_| weighs(layer));
        match asked.and_then(|rank| factored(&layer.operator, rank)) {
            Some([first, second]) => {
                smaller.push(layer.role);
                let name = format!("{}{FIRST}", layer.name);
                layers.push(Layer { name, operator: first, ..layer.clone() });
                let (reads_data, needs_input_gradient) = (false, true);
                let operator = second;
                layers.push(Layer { operator, reads_data, needs_input_gradient, ..layer.clone() });
            }
            None => layers.push(layer.clone()),
        }
    }
    for group in rank.keys() {
        if !group.map_or(!smaller.is_empty(), |role| smaller.contains(&role)) {
            let of = group.map_or_else(String::new, |role| format!("{} ", role.name()));
            let message = format!("no {of}product of {} gets smaller by that rank", model.name);
            return Err(Error::input(message)
                .hint("a rank r pays below in x out / (in + out): low_rank: 25 %, or 128"));
        }
    }
    model.relaid(layers)
}

/// The two factors of an operator; none where they are not smaller than it.
fn factored(operator: &Operator, rank: Rank) -> Option<[Operator; 2]> {
    let factors = match operator {
        Operator::Dense(it) => {
            let rank = rank.of(it.inputs.min(it.outputs));
            [
                Operator::Dense(Dense { outputs: rank, bias: false, ..*it }),
                Operator::Dense(Dense { inputs: rank, ..*it }),
            ]
        }
        Operator::Convolution(it) if it.groups == 1 && !it.transposed => {
            let read =
                it.axes.iter().fold(it.in_channels, |all, axis| all.saturating_mul(axis.kernel));
            let rank = rank.of(read.min(it.out_channels));
            let axes = it.output().into_iter().map(|output| Axis::new(output, 1, 1, 0)).collect();
            [
                Operator::Convolution(Convolution {
                    out_channels: rank,
                    bias: false,
                    ..it.clone()
                }),
                Operator::Convolution(Convolution { in_channels: rank, axes, ..it.clone() }),
            ]
        }
        _ => return None,
    };
    let parameters: u64 = factors.iter().map(Operator::parameters).sum();
    (parameters < operator.parameters()).then_some(factors)
}
