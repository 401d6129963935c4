//! Layers as the walk collects them: the owner of each weight, and the repetitions that make one
//! layer.

use std::collections::{BTreeMap, HashMap};

use flopcast_core::model::AttentionCount;
use flopcast_core::model::layer::{Layer, Role};
use flopcast_core::model::operator::{Function, NormKind, Operator};
use flopcast_core::quantity::system::data::byte;
use flopcast_core::quantity::{Data, Measure as _};

use super::call::{Call, Inferred};
use super::lower::{Draft, pointwise};
use super::value::{DataType, Value};
use crate::pattern::pattern;

/// A tensor that the file stores.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    /// The tensor's name.
    pub(super) name: String,
    /// Elements as stored; a packed element holds several parameters.
    pub(super) elements: u64,
    /// The type of an element.
    pub(super) data_type: DataType,
    /// True for an initializer; a `Constant` node's tensor counts only as a layer's weights.
    pub(super) initializer: bool,
    claimed: bool,
    /// Bytes of its scales and zeros.
    beside: f64,
    /// True for running statistics of a norm, which are stored but not trained.
    statistic: bool,
}

/// The layers of a graph in the order in which they run.
#[derive(Debug)]
pub(super) struct Layers {
    stored: Vec<Stored>,
    /// Stored tensors called `W_scale`, by `W`.
    scales: BTreeMap<String, usize>,
    list: Vec<Layer>,
    /// Places of layers by name: layers that differ only in the index of a repetition are one.
    places: HashMap<String, Vec<usize>>,
    /// The number of times that the present node runs: steps of a `Scan`.
    pub(super) times: u64,
}

/// A state of the layers.
pub(super) struct Mark {
    list: Vec<Layer>,
    places: HashMap<String, Vec<usize>>,
    claimed: Vec<bool>,
}

impl Mark {
    /// FLOPs of a forward pass of its layers.
    pub(super) fn flops(&self) -> f64 {
        let forward = |layer: &Layer| layer.forward(AttentionCount::Full).total().stored();
        self.list.iter().map(forward).sum()
    }
}

impl Layers {
    /// No layers, outside any `Scan`.
    pub(super) fn new() -> Self {
        Self {
            stored: Vec::new(),
            scales: BTreeMap::new(),
            list: Vec::new(),
            places: HashMap::new(),
            times: 1,
        }
    }

    /// Registers a stored tensor. Values refer to it by the number that this returns.
    pub(super) fn store(
        &mut self,
        name: &str,
        elements: u64,
        data_type: DataType,
        initializer: bool,
    ) -> usize {
        if let Some(weight) = name.strip_suffix("_scale") {
            self.scales.insert(weight.to_owned(), self.stored.len());
        }
        let name = name.to_owned();
        let stored = Stored {
            name,
            elements,
            data_type,
            initializer,
            claimed: false,
            beside: 0.0,
            statistic: false,
        };
        self.stored.push(stored);
        self.stored.len() - 1
    }

    /// Takes the scales and zeros that a node reads out of the parameters: they are bytes of the
    /// weight that they go with.
    pub(super) fn set_aside(&mut self, call: &Call) {
        let Some((weight, beside)) = scales(&call.operator) else { return };
        let read = beside.iter().filter_map(|&index| parameter(call, index));
        // Integer products have their scales in a node behind them, found by the names that the
        // usual quantiser gives: `W_quantized`, `W_scale`.
        let behind = parameter(call, weight).and_then(|it| {
            let weight = self.stored[it].name.strip_suffix("_quantized")?;
            self.scales.get(weight).copied()
        });
        for number in read.chain(behind).collect::<Vec<_>>() {
            if self.stored[number].claimed {
                continue;
            }
            self.stored[number].claimed = true;
            let bytes = self.stored[number].elements as f64 * self.stored[number].data_type.bytes();
            if let Some(weight) = parameter(call, weight) {
                self.stored[weight].beside += bytes;
            }
        }
    }

    /// The number of layers so far.
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// The state, to return to it.
    pub(super) fn mark(&self) -> Mark {
        Mark {
            list: self.list.clone(),
            places: self.places.clone(),
            claimed: self.stored.iter().map(|stored| stored.claimed).collect(),
        }
    }

    /// Returns to a state. Tensors that were stored since belong to no layer.
    pub(super) fn restore(&mut self, mark: Mark) {
        for (number, stored) in self.stored.iter_mut().enumerate() {
            stored.claimed = mark.claimed.get(number).copied().unwrap_or(false);
        }
        (self.list, self.places) = (mark.list, mark.places);
    }

    /// Adds the operators of a node as layers. A layer owns the stored tensors that no layer before
    /// it owns; a weight that trains makes the layer trained, and an input that needs a gradient
    /// makes it pass one on.
    ///
    /// # Errors
    /// If the shape of an addition is too large to count.
    pub(super) fn add(
        &mut self,
        call: &Call,
        outputs: &[Value],
        drafts: Vec<Draft>,
    ) -> Inferred<()> {
        // True if gradients flow back through some of the inputs.
        let reached = |inputs: &mut dyn Iterator<Item = usize>| {
            inputs.filter_map(|index| call.optional(index)).any(|value| value.origin.gradient)
        };
        for draft in drafts {
            let mut operator = draft.operator.clone();
            let times = draft.count.saturating_mul(draft.routing.map_or(1, |it| it.experts));
            let mut owned = self.owns(call, &operator, times, &draft.weights);
            if let Some(bias) = draft.bias {
                // A bias shared with another layer is added all the same, as an addition.
                let biased = with_bias(&operator);
                let all = [draft.weights.as_slice(), &[bias]].concat();
                if self.owns(call, &biased, times, &all) {
                    (operator, owned) = (biased, true);
                    self.claim(call, bias);
                } else if let Some(shape) = outputs[0].shape.as_deref() {
                    for sum in pointwise(call, Function::Add, shape)? {
                        let layer = Layer {
                            count: sum.count,
                            weight_copies: 0,
                            trained: false,
                            needs_input_gradient: reached(&mut (0..call.inputs.len())),
                            ..Layer::new("", sum.role, sum.operator)
                        };
                        self.push(call, layer);
                    }
                }
            }
            let stored = owned.then(|| self.bytes(call, &draft, &operator, times)).flatten();
            if owned {
                draft.weights.iter().for_each(|&index| self.claim(call, index));
            }
            if matches!(&operator, Operator::Norm(norm) if norm.kind == NormKind::Batch) {
                for index in [3, 4] {
                    if let Some(number) = parameter(call, index) {
                        self.stored[number].statistic = true;
                    }
                }
            }
            let trained = draft
                .weights
                .iter()
                .any(|&index| call.optional(index).is_some_and(|value| value.origin.gradient));
            let copies = if owned { draft.count } else { 0 };
            let data = |index| !draft.weights.contains(&index) && draft.bias != Some(index);
            let layer = Layer {
                count: draft.count,
                weight_copies: copies,
                routing: draft.routing,
                stored,
                trained,
                needs_input_gradient: reached(&mut (0..call.inputs.len()).filter(|&i| data(i))),
                ..Layer::new("", draft.role, operator)
            };
            self.push(call, layer);
        }
        Ok(())
    }

    /// Adds a layer under the name of its node, as often as its graph runs.
    fn push(&mut self, call: &Call, layer: Layer) {
        let name = if call.name.is_empty() { call.operator.as_str() } else { call.name.as_str() };
        let name = pattern(name);
        self.merge(Layer {
            role: named_role(&name, layer.role),
            name,
            count: layer.count.saturating_mul(self.times),
            reads_data: layer.trained && !layer.needs_input_gradient,
            ..layer
        });
    }

    /// Merges a layer with an equal one of the same name, or appends it.
    fn merge(&mut self, layer: Layer) {
        let places = self.places.entry(layer.name.clone()).or_default();
        // A short look back finds every repetition of real files in bounded time.
        let same = places.iter().rev().take(64).copied().find(|&place| {
            let other = &self.list[place];
            other.operator == layer.operator
                && other.trained == layer.trained
                && other.needs_input_gradient == layer.needs_input_gradient
        });
        if let Some(place) = same {
            let other = &mut self.list[place];
            other.count = other.count.saturating_add(layer.count);
            other.weight_copies = other.weight_copies.saturating_add(layer.weight_copies);
        } else {
            places.push(self.list.len());
            self.list.push(layer);
        }
    }

    /// True if `weights` are stored tensors that no layer owns yet, and are all the parameters of
    /// `operator`.
    fn owns(&self, call: &Call, operator: &Operator, count: u64, weights: &[usize]) -> bool {
        let mut elements: u64 = 0;
        for &index in weights {
            let Some(stored) = parameter(call, index).map(|number| &self.stored[number]) else {
                return false;
            };
            // An exporter's own constants are settings, except those in a product, which are
            // weights.
            let weighs = stored.initializer || is_product(operator);
            if stored.claimed || !weighs {
                return false;
            }
            if stored.data_type.is_float() {
                elements = elements.saturating_add(stored.elements);
            } else if stored.data_type.is_quantized() {
                // A packed element holds several parameters.
                return true;
            } else {
                return false;
            }
        }
        !weights.is_empty() && elements == operator.parameters().saturating_mul(count)
    }

    /// Bytes of a weight of a layer, with its scales and zeros.
    fn bytes(&self, call: &Call, draft: &Draft, operator: &Operator, times: u64) -> Option<Data> {
        let weights = draft.weights.iter().chain(draft.bias.as_ref());
        let stored = weights.filter_map(|&index| parameter(call, index)).map(|it| &self.stored[it]);
        let bytes: f64 =
            stored.map(|it| it.elements as f64 * it.data_type.bytes() + it.beside).sum();
        let parameters = operator.parameters().saturating_mul(times);
        (parameters > 0).then(|| Data::new::<byte>(bytes / parameters as f64))
    }

    /// Marks the stored tensor of an input as owned.
    fn claim(&mut self, call: &Call, index: usize) {
        if let Some(number) = parameter(call, index) {
            self.stored[number].claimed = true;
        }
    }

    /// All layers. Floating-point initializers that none of them owns (positions, scales, shared
    /// weights) follow as bare parameters, so that the sum is that of the file.
    pub(super) fn finish(mut self) -> Vec<Layer> {
        let mut scalars: BTreeMap<bool, u64> = BTreeMap::new();
        for stored in std::mem::take(&mut self.stored) {
            if stored.claimed || !stored.initializer || !stored.data_type.is_float() {
                continue;
            }
            if stored.elements <= 1 {
                *scalars.entry(stored.statistic).or_default() += stored.elements;
                continue;
            }
            let operator = Operator::Parameter(stored.elements);
            let layer = bare(pattern(&stored.name), operator, !stored.statistic);
            let bytes = Some(Data::new::<byte>(stored.data_type.bytes()));
            self.merge(Layer { stored: bytes, ..layer });
        }
        for (statistic, count) in scalars {
            self.merge(bare("scalars".into(), Operator::Parameter(count), !statistic));
        }
        self.list
    }
}

/// The inputs of a quantised operator that hold scales and zeros, and the weight that they go with.
fn scales(operator: &str) -> Option<(usize, &'static [usize])> {
    let name = operator.rsplit('.').next().unwrap_or(operator);
    Some(match name {
        "QuantizeLinear" | "DequantizeLinear" => (0, &[1, 2]),
        "MatMulNBits" => (1, &[2, 3, 4]),
        "MatMulBnb4" | "MatMulFpQ4" => (1, &[2]),
        "MatMulInteger" | "ConvInteger" | "DynamicQuantizeMatMul" => (1, &[2, 3]),
        "MatMulIntegerToFloat" => (1, &[2, 3, 4, 5]),
        "QLinearMatMul" | "QLinearConv" | "QLinearAdd" | "QLinearMul" => (3, &[1, 2, 4, 5, 6, 7]),
        "QGemm" => (3, &[1, 2, 4, 5, 7, 8]),
        "QAttention" => (1, &[3, 4, 6, 7]),
        "GatherBlockQuantized" => (0, &[2, 3]),
        "QMoE" => (2, &[3, 6, 9, 11, 12, 13]),
        name if name.starts_with("QLinear") => (0, &[1, 2, 3, 4]),
        _ => return None,
    })
}

/// A layer of parameters without an operator.
fn bare(name: String, operator: Operator, trained: bool) -> Layer {
    Layer { trained, ..Layer::new(name, Role::Other, operator) }
}

/// The number of the stored tensor that an input is.
fn parameter(call: &Call, index: usize) -> Option<usize> {
    call.optional(index)?.origin.parameter
}

/// True for products with weights.
fn is_product(operator: &Operator) -> bool {
    matches!(operator, Operator::Dense(_) | Operator::Convolution(_) | Operator::Recurrent(_))
}

/// The operator with a bias.
fn with_bias(operator: &Operator) -> Operator {
    let mut operator = operator.clone();
    match &mut operator {
        Operator::Dense(dense) => dense.bias = true,
        Operator::Convolution(convolution) => convolution.bias = true,
        _ => {}
    }
    operator
}

/// The role of a dense layer, if its name gives a hint.
fn named_role(name: &str, role: Role) -> Role {
    /// Parts of names that exporters keep, with the role that each means.
    const HINTS: [(&str, Role); 5] = [
        ("attn", Role::Attention),
        ("attention", Role::Attention),
        ("lm_head", Role::Head),
        ("classifier", Role::Head),
        ("pooler", Role::Head),
    ];
    if role != Role::Mlp {
        return role;
    }
    let name = name.to_lowercase();
    let hint = HINTS.iter().find(|(hint, _)| name.contains(hint));
    hint.map_or(role, |&(_, role)| role)
}
