//! Reads the extents of a transformer off a counted model.

use super::transformer::{Experts, Latent, Transformer, Windows};
use crate::model::operator::{Dense, Mask, Operator};
use crate::model::{Layer, Model, Role};

impl Transformer {
    /// The extents of a model, if it is a stack of attention blocks over tokens.
    pub fn of(model: &Model) -> Option<Self> {
        let shape = &model.shape;
        let dense = |layer: &Layer| match &layer.operator {
            Operator::Dense(dense) => Some(*dense),
            _ => None,
        };
        let by_role = |role: Role| model.layers.iter().filter(move |layer| layer.role == role);
        let attends = model.layers.iter().any(|l| matches!(l.operator, Operator::Attention(_)));
        if !attends || shape.heads == 0 || shape.hidden == 0 || shape.vocabulary == 0 {
            return None;
        }
        let hidden = shape.hidden;
        // Up-projections, and the gate beside them, leave the residual stream.
        let rising = |layer: &&Layer| {
            dense(layer).is_some_and(|d| d.inputs == hidden && layer.name.contains("_proj"))
        };
        let experts: Vec<&Layer> = by_role(Role::Experts).filter(rising).collect();
        let mlp: Vec<&Layer> = by_role(Role::Mlp).filter(rising).collect();
        let widest = |layers: &[&Layer]| {
            layers.iter().filter_map(|layer| dense(layer)).map(|d| d.outputs).max().unwrap_or(0)
        };
        let is_shared = |layer: &&&Layer| layer.name.contains("shared");
        let plain: Vec<&Layer> = mlp.iter().filter(|l| !is_shared(l)).copied().collect();
        let shared: Vec<&Layer> = mlp.iter().filter(is_shared).copied().collect();
        let gated = model.layers.iter().any(|layer| layer.name.ends_with("gate_proj"));
        let routed = experts.first().and_then(|layer| layer.routing.map(|r| (r, layer.count)));
        let expert_ffn = widest(&experts);
        let routed = routed.map(|(routing, sparse)| Experts {
            count: routing.experts,
            top_k: routing.top_k,
            ffn: expert_ffn,
            shared: (widest(&shared) + expert_ffn / 2) / expert_ffn.max(1),
            dense_layers: shape.layers.saturating_sub(sparse),
        });
        let ffn = widest(&plain).max(if routed.is_some() { expert_ffn } else { 0 });
        if ffn == 0 {
            return None;
        }
        Some(Self {
            layers: shape.layers,
            hidden,
            heads: shape.heads,
            kv_heads: shape.kv_heads,
            key_dim: shape.head_dim,
            value_dim: shape.value_dim,
            ffn,
            gated,
            vocabulary: shape.vocabulary,
            parameters: model.parameters().total,
            latent: latent(model, dense),
            experts: routed,
            windows: windows(model),
        })
    }
}

/// Ranks of latent attention, by the names that its projections have in every family.
fn latent(model: &Model, dense: impl Fn(&Layer) -> Option<Dense>) -> Option<Latent> {
    let find = |name: &str| model.layers.iter().find(|l| l.name.ends_with(name)).and_then(&dense);
    let down = find("kv_a_proj_with_mqa")?;
    let up = find("kv_b_proj")?;
    let query = find("q_a_proj").map_or(model.shape.hidden, |query| query.outputs);
    let rotary = down.outputs.saturating_sub(up.inputs);
    Some(Latent { query_rank: query, key_value_rank: up.inputs, rotary })
}

/// The window that most windowed layers have, and the part of the layers that have one.
fn windows(model: &Model) -> Option<Windows> {
    let (mut all, mut local, mut positions) = (0, 0, 0);
    for layer in &model.layers {
        if let Operator::Attention(attention) = &layer.operator {
            all += layer.count;
            if let Mask::Sliding(window) | Mask::Chunked(window) = attention.mask {
                local += layer.count;
                positions = window;
            }
        }
    }
    (local > 0).then(|| Windows { share: local as f64 / all as f64, positions })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Input, spec};

    fn check(preset: &str, expected: impl Fn(&Transformer) -> bool) {
        let model = spec::from_preset(preset, &Input::default()).expect("a preset");
        let transformer = Transformer::of(&model).expect("a transformer");
        assert!(expected(&transformer), "{preset}: {transformer:?}");
        // Blocks and tables make up the parameters, norms and biases aside.
        let layers = transformer.layers as f64;
        let sparse = transformer.expert_layers() as f64;
        let shared = transformer.experts.map_or(0.0, |e| e.shared as f64 * e.ffn as f64);
        let sum = layers * transformer.attention_weights()
            + (layers - sparse) * transformer.mlp_weights()
            + sparse * (transformer.expert_weights() + 3.0 * transformer.hidden as f64 * shared)
            + 2.0 * transformer.embedding_weights();
        let ratio = sum / transformer.parameters as f64;
        assert!((0.98..1.02).contains(&ratio), "{preset}: {ratio} of the parameters");
    }

    #[test]
    fn extents_make_up_the_parameters() {
        check("llama-3-8b", |t| t.gated && t.ffn == 14_336 && t.kv_heads == 8);
        check("llama-3.1-405b", |t| t.layers == 126 && t.ffn == 53_248);
        check("mixtral-8x7b", |t| t.experts.is_some_and(|e| (e.count, e.top_k) == (8, 2)));
        check("deepseek-v3", |t| {
            let experts =
                t.experts.is_some_and(|e| (e.dense_layers, e.shared, e.ffn) == (3, 1, 2048));
            experts
                && t.latent
                    .is_some_and(|l| (l.query_rank, l.key_value_rank, l.rotary) == (1536, 512, 64))
        });
    }

    #[test]
    fn convolutions_are_no_transformer() {
        let model = spec::from_preset("resnet50", &Input::default()).expect("a preset");
        assert!(Transformer::of(&model).is_none());
    }
}
