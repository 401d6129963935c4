//! The exact sums of a model's operators, to which the rebuild of a model as so many usual blocks is
//! held.

use super::{Extents, Layer, Operator, Role};
use crate::model::input::AttentionCount;

/// Exact sums over the operators of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sums {
    /// Tokens of the model's input.
    pub tokens: f64,
    /// Weights that a token passes in products, those of routed experts and of the head aside: FLOPs
    /// of a forward pass / (2 x tokens).
    pub passed: f64,
    /// The same of the head.
    pub head: f64,
    /// FLOPs of scans, of a token in a forward pass.
    pub scanned: f64,
    /// Numbers that scans read and write, of a token.
    pub moved: f64,
    /// Parameters in memory: of blocks without their routed experts.
    pub blocks: f64,
    /// Of all routed experts.
    pub experts: f64,
    /// Of tables that are looked up.
    pub tables: f64,
    /// Of a head that has its own.
    pub headed: f64,
    /// Of what is beside: towers, and what the input does not reach.
    pub beside: f64,
}

/// Layers that attend alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attending {
    /// Such layers / blocks of the model.
    pub share: f64,
    /// Query heads.
    pub heads: u64,
    /// Features of a query and key head.
    pub key: u64,
    /// Features of a value head.
    pub value: u64,
    /// Keys that a query sees on average.
    pub keys: f64,
}

impl Sums {
    /// Sums over the layers that run; `beside` are the parameters of the others.
    pub(super) fn of(layers: &[&Layer], beside: u64) -> Self {
        let rows = layers.iter().filter_map(|layer| match &layer.operator {
            Operator::Embedding(table) => Some((table.entries, table.rows)),
            _ => None,
        });
        let tokens = rows.max().map_or(1, |(_, rows)| rows.max(1)) as f64;
        let mut sums = Self { tokens, beside: beside as f64, ..Self::default() };
        for layer in layers {
            let flops = layer.forward(AttentionCount::Causal).matmul.value;
            match (&layer.operator, layer.role) {
                (Operator::Attention(_), _) => {}
                (Operator::Scan(scan), _) => {
                    let moved = scan.moved();
                    sums.scanned += flops / tokens;
                    sums.moved += (moved.read + moved.written) * layer.count as f64 / tokens;
                }
                (_, Role::Experts) if layer.routing.is_some() => {}
                (_, Role::Head) => sums.head += flops / (2.0 * tokens),
                _ => sums.passed += flops / (2.0 * tokens),
            }
            let part = match layer.role {
                Role::Embedding => &mut sums.tables,
                Role::Head => &mut sums.headed,
                Role::Experts if layer.routing.is_some() => &mut sums.experts,
                _ => &mut sums.blocks,
            };
            *part += layer.parameters() as f64;
        }
        sums
    }
}

impl Extents {
    /// Weights that a token passes in the products of all blocks, those of routed experts aside, as
    /// the extents make them up: blocks x attention + dense MLPs + shared experts.
    pub fn usual_weights(&self) -> f64 {
        let routed = self.expert_layers() as f64;
        let dense = self.layers as f64 - routed;
        let shared =
            self.experts.map_or(0.0, |e| e.shared as f64 * self.expert_weights() / e.count as f64);
        self.layers as f64 * self.attention_weights() + dense * self.mlp_weights() + routed * shared
    }

    /// The exact sums; where no operators are known, those of the usual blocks with a head of its own.
    pub fn sums(&self) -> Sums {
        self.sums.unwrap_or_else(|| {
            let blocks = self.usual_weights();
            let table = self.embedding_weights();
            Sums {
                passed: blocks,
                head: table,
                blocks,
                experts: self.expert_layers() as f64 * self.expert_weights(),
                tables: table,
                headed: table,
                ..Sums::default()
            }
        })
    }

    /// Projections around attention and scans / those of the usual blocks.
    pub fn mixing(&self) -> f64 {
        if self.sums.is_none() {
            return 1.0;
        }
        self.weights.mixing as f64 / (self.layers as f64 * self.attention_weights())
    }

    /// The layers that attend, by kind: those of the operators, else all blocks over a causal mask
    /// and the windows. The latter see n/2 keys on average, w - w²/(2 n) over a window of w.
    pub fn attending(&self, length: f64) -> impl Iterator<Item = Attending> {
        let of = |share, keys| Attending {
            share,
            heads: self.heads,
            key: self.key_dim,
            value: self.value_dim,
            keys,
        };
        let tokens = self.sums.map_or(1.0, |sums| sums.tokens);
        let known = self.mixers.iter().filter(|mixer| mixer.heads > 0).map(move |it| Attending {
            share: it.layers as f64 / self.layers as f64,
            heads: it.heads,
            key: it.key_dim,
            value: it.value_dim,
            keys: it.pairs as f64 / tokens,
        });
        let local = self.windows.map_or(0.0, |windows| windows.share);
        let window = self.windows.map_or(0.0, |windows| (windows.positions as f64).min(length));
        let usual =
            [of(1.0 - local, length / 2.0), of(local, window - window * window / (2.0 * length))];
        let unknown = self.sums.is_none();
        known.chain(usual.into_iter().filter(move |it| unknown && it.share > 0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Windows;
    use super::super::tests::llama3_70b;
    use super::*;

    #[test]
    fn windows_shorten_the_span_of_their_layers_only() {
        let windows = Some(Windows { share: 0.5, positions: 128 });
        let model = Extents { windows, ..llama3_70b() };
        let keys = |n: f64| model.attending(n).map(|it| it.share * it.keys).sum::<f64>() / n;
        assert!((keys(4096.0) - 0.5 * (0.5 + 0.5 * 0.061_523_437_5)).abs() < 1e-9);
        assert!((keys(64.0) - 0.5).abs() < 1e-12);
    }
}
