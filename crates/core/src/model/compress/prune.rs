//! Structured pruning: it removes whole units, and with them every weight that reads or writes
//! them.

use super::{ByGroup, Pruning, setting};
use crate::diagnostic::{Error, Result};
use crate::model::layer::{Layer, Role};
use crate::model::operator::{Attention, Bulk, Convolution, Dense, Operator};
use crate::model::total::Model;

/// The model without the units that are pruned. Of the n units of a layer, n (1 - share) remain,
/// rounded, at least one:
///
/// - attention: heads, by whole groups that share keys and values, with the projections to and from
///   them;
/// - feed-forward layers and experts: inner features, columns of the first products and rows of the
///   last;
/// - convolutional networks without such blocks: filters, and the channels that the next layers
///   read of them. The network becomes uniformly narrower (Howard et al. 2017, arXiv:1704.04861,
///   section 3.3), except for its data and its answer.
///
/// # Errors
/// If the units of a named group cannot be removed alone, or if nothing can be removed.
pub(super) fn units(model: &Model, pruning: &ByGroup<Pruning>) -> Result<Model> {
    let share = |layer: &Layer| match setting(pruning, layer) {
        Some(Pruning::Units(share)) => Some(share),
        _ => None,
    };
    if !model.layers.iter().any(|layer| share(layer).is_some()) {
        return Ok(model.clone());
    }
    let blocks = !is_plain(&model.layers);
    for role in pruning.keys().flatten() {
        let refused = match role {
            Role::Conv => blocks.then_some("they carry what its blocks pass on"),
            Role::Mixer => Some("the state of a mixer has no units of its own"),
            Role::Head => Some("each of its outputs is an answer"),
            _ => None,
        };
        if let (Some(why), Some(Pruning::Units(_))) = (refused, pruning.get(&Some(*role))) {
            let message = format!("no {} units of {} can go: {why}", role.name(), model.name);
            return Err(Error::input(message).hint("prune 2:4, or attention, mlp or experts"));
        }
    }
    let mut layers = model.layers.clone();
    for layer in &mut layers {
        if let (Some(share), Operator::Bulk(it)) = (share(layer), &mut layer.operator) {
            let (parameters, active) = (kept(it.parameters, share), kept(it.active, share));
            *it = Bulk { parameters, active, ..*it };
        }
    }
    if blocks {
        heads(&model.layers, &mut layers, &share);
        inner(&mut layers, &share);
    } else {
        filters(&mut layers, &share);
    }
    let pruned = model.relaid(layers)?;
    if pruned.parameters() == model.parameters() {
        return Err(Error::input(format!("{} has no whole units that could go", model.name))
            .hint("prune 2:4, which needs none"));
    }
    Ok(pruned)
}

/// True for a convolutional network without blocks of its own kind of units: no attention, and
/// feed-forward layers, if any, only behind all convolutions.
fn is_plain(layers: &[Layer]) -> bool {
    let conv = |layer: &Layer| matches!(layer.operator, Operator::Convolution(_));
    let of_blocks =
        |layer: &Layer| matches!(layer.role, Role::Attention | Role::Experts | Role::Mixer);
    let last = layers.iter().rposition(conv);
    let feeds_forward = layers.iter().position(|layer| layer.role == Role::Mlp);
    !layers.iter().any(of_blocks)
        && last.is_some_and(|last| feeds_forward.is_none_or(|first| first > last))
}

/// The number of whole units that remain: units x (1 - share), rounded, at least 1.
pub(super) fn kept(units: u64, share: f64) -> u64 {
    ((units as f64 * (1.0 - share)).round() as u64).max(1)
}

/// Removes heads from every attention block: from its products, from the outputs of the projections
/// before them and the inputs of the one after.
fn heads(before: &[Layer], layers: &mut [Layer], share: &impl Fn(&Layer) -> Option<f64>) {
    for index in 0..layers.len() {
        let layer = &before[index];
        let Some(share) = share(layer).filter(|_| layer.role == Role::Attention) else { continue };
        if let Operator::Attention(it) = &mut layers[index].operator {
            *it = fewer_heads(it, share);
            continue;
        }
        let Some((at, all)) = block(before, index) else { continue };
        let few = fewer_heads(&all, share);
        match &mut layers[index].operator {
            Operator::Dense(it) if index > at && it.inputs == all.heads * all.v_dim => {
                it.inputs = few.heads * few.v_dim;
            }
            Operator::Dense(it) if index < at => it.outputs = projected(it.outputs, &all, &few),
            Operator::Pointwise(it) if it.elements.is_multiple_of(all.heads) => {
                it.elements = it.elements / all.heads * few.heads;
            }
            _ => {}
        }
    }
}

/// The attention products that a layer belongs to: those whose name shares most parts with its own,
/// and the nearest of these.
fn block(layers: &[Layer], index: usize) -> Option<(usize, Attention)> {
    let shared =
        |a: &str, b: &str| a.split('.').zip(b.split('.')).take_while(|(a, b)| a == b).count();
    let products = layers.iter().enumerate().filter_map(|(at, layer)| match layer.operator {
        Operator::Attention(it) => Some((shared(&layer.name, &layers[index].name), at, it)),
        _ => None,
    });
    products
        .max_by_key(|(shared, at, _)| (*shared, std::cmp::Reverse(at.abs_diff(index))))
        .map(|(_, at, it)| (at, it))
}

/// Attention with the heads that remain. With grouped queries, whole groups are removed, so that
/// heads per group stay.
fn fewer_heads(all: &Attention, share: f64) -> Attention {
    if all.kv_heads > 1 {
        let kv_heads = kept(all.kv_heads, share);
        Attention { heads: all.heads / all.kv_heads * kv_heads, kv_heads, ..*all }
    } else {
        Attention { heads: kept(all.heads, share), ..*all }
    }
}

/// The outputs of a projection to fewer heads. A latent narrower than the heads keeps its width.
fn projected(outputs: u64, all: &Attention, few: &Attention) -> u64 {
    let fused = |it: &Attention| it.heads * it.qk_dim + it.kv_heads * (it.qk_dim + it.v_dim);
    let narrow = all.qk_dim.min(all.v_dim);
    if outputs == fused(all) {
        fused(few)
    } else if outputs.is_multiple_of(all.heads) && outputs / all.heads >= narrow {
        outputs / all.heads * few.heads
    } else if outputs.is_multiple_of(all.kv_heads) && outputs / all.kv_heads >= narrow {
        outputs / all.kv_heads * few.kv_heads
    } else {
        outputs
    }
}

/// Narrows the inside of every feed-forward layer and expert, which is a run of layers of one role.
fn inner(layers: &mut [Layer], share: &impl Fn(&Layer) -> Option<f64>) {
    for run in layers.chunk_by_mut(|a, b| a.role == b.role) {
        let Some(share) =
            share(&run[0]).filter(|_| matches!(run[0].role, Role::Mlp | Role::Experts))
        else {
            continue;
        };
        let mut products: Vec<&mut Dense> = Vec::new();
        let mut functions = Vec::new();
        for layer in run {
            match &mut layer.operator {
                Operator::Dense(it) => products.push(it),
                Operator::Pointwise(it) => functions.push(it),
                _ => {}
            }
        }
        let Some((last, first)) = products.split_last_mut() else { continue };
        let (wide, narrow) = (last.inputs, kept(last.inputs, share));
        // A single product, or one that reads no inner features, has no inside to narrow.
        if !first.iter().any(|it| it.outputs.is_multiple_of(wide)) {
            continue;
        }
        last.inputs = narrow;
        for it in first.iter_mut().filter(|it| it.outputs.is_multiple_of(wide)) {
            it.outputs = it.outputs / wide * narrow;
        }
        for it in functions.into_iter().filter(|it| it.elements.is_multiple_of(wide)) {
            it.elements = it.elements / wide * narrow;
        }
    }
}

/// Narrows a convolutional network: filters, and the channels that later layers read. The data and
/// the last layer's outputs keep their width.
fn filters(layers: &mut [Layer], share: &impl Fn(&Layer) -> Option<f64>) {
    let answer = layers
        .iter()
        .rposition(|it| matches!(it.operator, Operator::Convolution(_) | Operator::Dense(_)));
    let mut after_filters = None;
    for (index, layer) in layers.iter_mut().enumerate() {
        let own = share(layer);
        let Some(share) = own.or(after_filters) else { continue };
        let last = layer.role == Role::Head || Some(index) == answer;
        match &mut layer.operator {
            Operator::Convolution(it) => {
                narrower(it, share, layer.reads_data, last);
                after_filters = Some(share);
            }
            Operator::Dense(it) => {
                if after_filters.is_some() {
                    it.inputs = kept(it.inputs, share);
                }
                let own = own.filter(|_| !last);
                it.outputs = own.map_or(it.outputs, |share| kept(it.outputs, share));
                after_filters = own;
            }
            Operator::Norm(it) => it.dim = kept(it.dim, share),
            Operator::Pool(it) => it.rows = kept(it.rows, share),
            Operator::Pointwise(it) => it.elements = kept(it.elements, share),
            _ => {}
        }
    }
}

/// Narrows one convolution. A depthwise one keeps one group per channel, a grouped one its groups.
fn narrower(it: &mut Convolution, share: f64, reads_data: bool, last: bool) {
    let (inputs, outputs, groups) = (it.in_channels, it.out_channels, it.groups.max(1));
    let width = |channels: u64| {
        if groups > 1 && groups < inputs {
            groups * kept(channels / groups, share)
        } else {
            kept(channels, share)
        }
    };
    if !reads_data {
        it.in_channels = width(inputs);
    }
    if !last {
        it.out_channels = width(outputs);
    }
    if groups > 1 && groups == inputs {
        it.groups = it.in_channels;
        it.out_channels = it.in_channels * (outputs / inputs).max(1);
    }
}
