//! Layers: an operator, the number of times it runs, and the weights that it owns.
//!
//! A model repeats its blocks, so a layer stands for all its repetitions. Its costs are those of
//! one operator x `count` x experts per position, and its parameters those of one operator x
//! `weight_copies` x experts. The two numbers differ where weights are shared (one copy for several
//! runs) and where a part does not run (copies without runs).

use super::cost::{Flops, count};
use super::input::AttentionCount;
use super::operator::Operator;
use crate::quantity::Data;

macro_rules! roles {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)+) => {
        /// The part that a layer plays in its model.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Role { $($(#[$doc])* $name,)+ }

        impl Role {
            /// All roles, in the order of a forward pass.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The name, as tables and templates spell it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

roles! {
    /// Tables of tokens, positions, types.
    Embedding = "embedding";
    /// Convolutions, the patch embedding among them.
    Conv = "conv";
    /// Attention: projections and products.
    Attention = "attention";
    /// State-space, recurrent and linear-attention mixers.
    Mixer = "mixer";
    /// Feed-forward layers that every position passes.
    Mlp = "mlp";
    /// The choice of experts: gates and indexers.
    Router = "router";
    /// Routed experts.
    Experts = "experts";
    /// Norms.
    Norm = "norm";
    /// Pooling.
    Pool = "pool";
    /// The layer that gives the answer: LM head, classifier.
    Head = "head";
    /// Any other layer.
    Other = "other";
}

/// A choice of `top_k` among `experts` for every position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Routing {
    /// Experts to choose from.
    pub experts: u64,
    /// Experts that a position passes through.
    pub top_k: u64,
}

/// The sequence that a layer works on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// The model's own sequence.
    #[default]
    Main,
    /// Images, video or sound beside a sequence of tokens: a tower and its projector.
    Beside,
    /// Tokens further ahead (multi-token prediction, DeepSeek-AI 2024, arXiv:2412.19437, section
    /// 2.2). Such layers train or speculate; a forward pass of the model has none.
    Ahead,
}

impl Part {
    /// The part of a name that templates use.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "main" => Self::Main,
            "beside" => Self::Beside,
            "ahead" => Self::Ahead,
            _ => return None,
        })
    }
}

/// An operator in its place in a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// The path, `*` for the index of a repetition: `layers.*.self_attn.q_proj`.
    pub name: String,
    /// The part that it plays.
    pub role: Role,
    /// The operator that it computes each time.
    pub operator: Operator,
    /// The number of times that it is computed in one forward pass; 0 for a part that this input
    /// does not reach.
    pub count: u64,
    /// The copies of the weights that this layer owns: as many as it is computed times, 1 if all
    /// uses share one (ALBERT), 0 if the weights belong to another layer (a tied head).
    pub weight_copies: u64,
    /// The choice among experts, if there is one: weights are those of all experts, FLOPs those of
    /// `top_k`. The operator is one expert over all positions.
    pub routing: Option<Routing>,
    /// Bytes of one of its weights as the file stores them, scales included.
    pub stored: Option<Data>,
    /// The sequence that it works on.
    pub part: Part,
    /// True if its weights are trained.
    pub trained: bool,
    /// True if it reads the data itself: then no layer below it needs a gradient.
    pub reads_data: bool,
    /// True if its backward pass passes a gradient on.
    pub needs_input_gradient: bool,
}

impl Layer {
    /// A layer computed once, trained, that owns its weights and passes a gradient on.
    pub fn new(name: impl Into<String>, role: Role, operator: Operator) -> Self {
        Self {
            name: name.into(),
            role,
            operator,
            count: 1,
            weight_copies: 1,
            routing: None,
            stored: None,
            part: Part::Main,
            trained: true,
            reads_data: false,
            needs_input_gradient: true,
        }
    }

    /// All parameters that the layer owns: parameters of the operator x copies x experts.
    pub fn parameters(&self) -> u64 {
        self.owned(self.routing.map_or(1, |routing| routing.experts))
    }

    /// The parameters that one position passes through: as [`Layer::parameters`], with `top_k`
    /// experts, and the active part of a bare count.
    pub fn active_parameters(&self) -> u64 {
        if let Operator::Bulk(bulk) = &self.operator {
            return count(&[bulk.active, self.weight_copies]);
        }
        self.owned(self.routing.map_or(1, |routing| routing.top_k))
    }

    /// Parameters owned with this number of experts.
    fn owned(&self, experts: u64) -> u64 {
        count(&[self.operator.parameters(), self.weight_copies, experts])
    }

    /// The number of times that the operator's FLOPs are spent: count x experts per position.
    fn times(&self) -> f64 {
        self.count as f64 * self.routing.map_or(1, |routing| routing.top_k) as f64
    }

    /// FLOPs of one forward pass: those of the operator x count x experts per position.
    pub fn forward(&self, attention: AttentionCount) -> Flops {
        self.operator.forward(attention) * self.times()
    }

    /// FLOPs of one backward pass: the gradient of the weights if they are trained, and that of the
    /// inputs if a layer below is.
    pub fn backward(&self, attention: AttentionCount) -> Flops {
        let gradients = self.operator.gradients(attention);
        let mut flops = Flops::default();
        if self.trained {
            flops += gradients.weight;
        }
        if self.needs_input_gradient {
            flops += gradients.input;
        }
        if self.needs_input_gradient || self.trained && self.operator.parameters() > 0 {
            flops += gradients.state;
        }
        flops * self.times()
    }

    /// The weights that the layer owns, at `element` bytes each.
    pub fn weight_data(&self, element: Data) -> Data {
        element * self.parameters() as f64
    }

    /// Activations read and written in one forward pass, at `element` bytes each.
    pub fn activation_data(&self, element: Data) -> Data {
        self.operator.activations(element) * self.times()
    }
}
