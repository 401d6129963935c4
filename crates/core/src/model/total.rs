//! A model: its layers and their sums.

use serde::Deserialize;

use super::cost::Flops;
use super::extents::Extents;
use super::input::{AttentionCount, Input};
use super::layer::{Layer, Part};
use super::operator::{Mask, Operator};
use super::stored::Storage;
use crate::diagnostic::{Error, Result};
use crate::quantity::Data;

/// An assumption made while counting, with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assumption {
    /// The subject, in the terms of the source: a key, a node, an input.
    pub what: String,
    /// The value taken.
    pub value: String,
    /// The reason for this value.
    pub why: String,
}

impl Assumption {
    /// An assumption: a value, and the reason for it.
    pub fn of(what: &str, value: impl std::fmt::Display, why: impl Into<String>) -> Self {
        Self { what: what.to_owned(), value: value.to_string(), why: why.into() }
    }
}

/// A part of the source that could not be costed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unresolved {
    /// The part's type, in the terms of the source.
    pub kind: String,
    /// The number of such parts.
    pub count: u64,
    /// The reason why it could not be costed.
    pub why: String,
}

impl std::fmt::Display for Unresolved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, count, why } = self;
        write!(f, "{count} {kind} of the model could not be counted: {why}")
    }
}

/// Parameters of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// All parameters; shared ones count once.
    pub total: u64,
    /// Parameters that one position passes through: only `top_k` of the routed experts count.
    pub active: u64,
    /// Parameters in tables of tokens, positions and types.
    pub embedding: u64,
    /// Parameters that are trained.
    pub trainable: u64,
}

/// An architecture at a concrete input.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The model's name.
    pub name: String,
    /// Its layers, in the order of a forward pass.
    pub layers: Vec<Layer>,
    /// Its layers that predict tokens further ahead. They are in no sum of the model's.
    pub ahead: Vec<Layer>,
    /// The input, with every default filled in.
    pub input: Input,
    /// Tokens of the sequence that stand for images, video and sound.
    pub media_tokens: u64,
    /// The extents that memory, parallelism and serving need.
    pub extents: Extents,
    /// The assumptions made while counting.
    pub assumptions: Vec<Assumption>,
    /// The parts of the source that could not be costed.
    pub unresolved: Vec<Unresolved>,
    /// How the file stores its weights, if it says so.
    pub storage: Option<Storage>,
    /// Doubts whether the source is read as it is meant, each with what to do.
    pub warnings: Vec<String>,
}

/// The projection of stream and next token that each layer for tokens further ahead begins with.
const COMBINED: &str = "mtp.*.eh_proj";

/// A bound above any real model; beyond it sums might overflow.
const MOST_PARAMETERS: u64 = 1 << 56;

impl Model {
    /// True unless parts could not be counted and nothing else multiplies: of weights alone nobody
    /// knows how they are used.
    pub fn is_counted(&self) -> bool {
        let products = self.forward(AttentionCount::Causal).matmul.value;
        self.unresolved.is_empty() || products > 0.0
    }

    /// The same model with other layers.
    ///
    /// # Errors
    /// As [`Model::new`].
    pub(super) fn relaid(&self, layers: Vec<Layer>) -> Result<Self> {
        let mut model =
            Self::new(self.name.clone(), layers, self.input, self.extents.max_sequence)?;
        model.assumptions.clone_from(&self.assumptions);
        model.unresolved.clone_from(&self.unresolved);
        model.warnings.clone_from(&self.warnings);
        model.storage.clone_from(&self.storage);
        model.extents.assumed = self.extents.assumed;
        Ok(model)
    }

    /// A model of these layers, all trained.
    ///
    /// # Errors
    /// If a layer or the sum of all exceeds 2^56 parameters, or if FLOPs are not finite.
    pub fn new(
        name: impl Into<String>,
        layers: Vec<Layer>,
        input: Input,
        max_sequence: Option<u64>,
    ) -> Result<Self> {
        let (ahead, layers) = layers.into_iter().partition(|layer| layer.part == Part::Ahead);
        let mut model = Self {
            name: name.into(),
            layers,
            ahead,
            input,
            media_tokens: 0,
            extents: Extents::default(),
            assumptions: Vec::new(),
            unresolved: Vec::new(),
            storage: None,
            warnings: Vec::new(),
        };
        let mut sum: u64 = 0;
        for layer in model.layers.iter().chain(&model.ahead) {
            sum = sum.saturating_add(layer.parameters());
            let flops = layer.forward(AttentionCount::Full).total();
            if sum > MOST_PARAMETERS || layer.count > MOST_PARAMETERS || !flops.is_finite() {
                let message = format!("`{}` is too large to count", layer.name);
                return Err(Error::input(message).hint("check the extents of this layer"));
            }
        }
        model.extents = Extents::of(&model.layers, max_sequence);
        model.train(|layer| layer.trained);
        Ok(model)
    }

    /// Trains the layers that `chosen` picks and freezes the rest. A layer then passes a gradient
    /// on if a layer before it, since the last one that read data, is trained.
    pub fn train(&mut self, chosen: impl Fn(&Layer) -> bool) {
        let mut trained_below = false;
        for layer in &mut self.layers {
            layer.trained = chosen(layer);
            if layer.reads_data {
                trained_below = false;
            }
            // A bare count stands for layers on top of each other.
            let stacked = layer.trained && matches!(layer.operator, Operator::Bulk(_));
            layer.needs_input_gradient = trained_below || stacked;
            trained_below |= layer.trained && layer.operator.parameters() > 0;
        }
    }

    /// The parameters, summed over layers.
    pub fn parameters(&self) -> Parameters {
        let mut sum = Parameters::default();
        for layer in &self.layers {
            let own = layer.parameters();
            sum.total += own;
            sum.active += layer.active_parameters();
            if matches!(layer.operator, Operator::Embedding(_)) {
                sum.embedding += own;
            }
            if layer.trained {
                sum.trainable += own;
            }
        }
        sum
    }

    /// Parameters of the layers that predict tokens further ahead, which are in no other sum, and
    /// the same with the copies of table and head that checkpoints hold for each of them.
    pub fn ahead_parameters(&self) -> (u64, u64) {
        let own =
            self.ahead.iter().fold(0, |sum: u64, layer| sum.saturating_add(layer.parameters()));
        let heads = self.ahead.iter().filter(|layer| layer.name == COMBINED);
        let copies: u64 = heads.map(|layer| layer.count).sum();
        let tables = self.extents.weights.embedding.saturating_add(self.extents.weights.head);
        (own, own.saturating_add(copies.saturating_mul(tables)))
    }

    /// The model as it trains with its layers for tokens further ahead: they are layers as others
    /// are (DeepSeek-V3, arXiv:2412.19437, section 2.2). Its extents stay.
    #[must_use]
    pub fn with_ahead(&self) -> Self {
        let mut model = self.clone();
        model.layers.append(&mut model.ahead);
        model.train(|layer| layer.trained);
        model
    }

    /// The layers for tokens further ahead as a model that drafts for this one, with the head of
    /// this one. Each draft token passes one of them; their weights are those of all.
    ///
    /// # Errors
    /// If there are none.
    pub fn drafting(&self) -> Result<Self> {
        let depth = self.ahead.iter().find(|layer| layer.name == COMBINED);
        let Some(depth) = depth.map(|layer| layer.count.max(1)) else {
            let message = format!("{} has no layers that predict tokens further ahead", self.name);
            return Err(Error::input(message).hint("name a smaller model, or leave the draft out"));
        };
        let one =
            |layer: &Layer| Layer { part: Part::Main, count: layer.count / depth, ..layer.clone() };
        let layers = self.ahead.iter().map(one).collect();
        Self::new(format!("MTP layers of {}", self.name), layers, self.input, None)
    }

    /// True if it generates text token by token: it reads tokens, has a head over a vocabulary, and
    /// looks back only, or scans.
    pub fn generates(&self) -> bool {
        let looks_back = |layer: &Layer| match &layer.operator {
            Operator::Attention(it) => !matches!(it.mask, Mask::Full | Mask::Band(_)),
            Operator::Scan(_) | Operator::Recurrent(_) | Operator::Bulk(_) => true,
            _ => false,
        };
        let tokens = self.input.sequence.is_some() && self.extents.vocabulary > 0;
        tokens && self.extents.weights.head > 0 && self.layers.iter().any(looks_back)
    }

    /// FLOPs of one forward pass over the input.
    pub fn forward(&self, attention: AttentionCount) -> Flops {
        self.layers.iter().map(|layer| layer.forward(attention)).sum()
    }

    /// FLOPs of one backward pass: gradients of inputs and of weights, operator by operator. A
    /// transformer that is trained whole has about twice its forward FLOPs.
    pub fn backward(&self, attention: AttentionCount) -> Flops {
        self.layers.iter().map(|layer| layer.backward(attention)).sum()
    }

    /// All weights, at `element` bytes each.
    pub fn weight_data(&self, element: Data) -> Data {
        element * self.parameters().total as f64
    }
}
