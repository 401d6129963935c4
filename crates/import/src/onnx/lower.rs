//! The operators of the cost model that a node at known shapes stands for.
//!
//! Every function here takes the node whose signature its docstring gives, and returns its
//! operators without yet knowing which weights they own.
//!
//! A product with a factor that does not depend on the input is a dense layer, whatever its
//! operator; a product of two activations is one of attention's. Operators that only move data have
//! no cost.

use flopcast_core::model::layer::{Role, Routing};
use flopcast_core::model::operator::{
    Attention, Axis, Cell, Convolution, Dense, Embedding, Function, Mask, Matmul, Norm, NormKind,
    Operator, Pointwise, Pool, Recurrent,
};

use super::call::{Call, Inferred};
use super::shape::attention::{self as fused, Extents};
use super::shape::product::{Steps, einsum as read_einsum, packed, product, steps};
use super::shape::window::{Convolved, convolution, image, pool_windows, transposed_convolution};
use super::shape::{Outputs, broadcast, layout, total};
use super::value::Value;

/// An operator before the owner of its weights is known.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    /// The part that it plays, unless its name says more.
    pub(super) role: Role,
    /// The operator, without a bias.
    pub(super) operator: Operator,
    /// The number of times that it is computed, each time with weights of its own.
    pub(super) count: u64,
    /// Inputs that hold its weights.
    pub(super) weights: Vec<usize>,
    /// The input that holds its bias, which `operator` does not yet have.
    pub(super) bias: Option<usize>,
    /// The choice among experts, each of which is the operator.
    pub(super) routing: Option<Routing>,
}

impl Draft {
    /// A draft that is computed once.
    fn new(role: Role, operator: Operator, weights: Vec<usize>) -> Self {
        Self { role, operator, count: 1, weights, bias: None, routing: None }
    }

    /// The draft with a bias, where the node has that input.
    fn with_bias(self, call: &Call, index: usize) -> Self {
        Self { bias: call.optional(index).map(|_| index), ..self }
    }
}

/// The operators of one node.
pub(super) type Drafts = Inferred<Vec<Draft>>;

/// A function of each element of `shape`; operands are the inputs that depend on the data.
pub(super) fn pointwise(call: &Call, function: Function, shape: &[u64]) -> Drafts {
    let operands = call.inputs.iter().flatten().filter(|input| input.origin.data).count() as u64;
    let it = Pointwise { function, elements: total(call, shape)?, operands: operands.max(1) };
    let role = match function {
        Function::Softmax | Function::Rotary => Role::Attention,
        Function::Reduce => Role::Pool,
        _ => Role::Other,
    };
    Ok(vec![Draft::new(role, Operator::Pointwise(it), vec![])])
}

/// A norm over the channels (batch, group) or over the last axes (layer, RMS).
pub(super) fn norm(call: &Call, kind: NormKind) -> Drafts {
    let shape = call.ranked(0, 1)?;
    let elements = total(call, shape)?;
    let dim = match kind {
        NormKind::Batch | NormKind::Group => call.ranked(0, 2)?[1],
        NormKind::Layer | NormKind::Rms => {
            let axis = call.axis(call.int("axis").unwrap_or(-1), shape.len())?;
            total(call, &shape[axis..])?
        }
    };
    Ok(vec![norm_of(call, kind, elements, dim, [1, 2])])
}

/// A norm over `dim` of `elements`; scale and shift are the inputs in `affine`, if they are given.
fn norm_of(call: &Call, kind: NormKind, elements: u64, dim: u64, affine: [usize; 2]) -> Draft {
    let [scale, bias] = affine.map(|index| call.optional(index).is_some());
    let rows = elements.checked_div(dim).unwrap_or(0);
    let weights = affine.into_iter().filter(|&index| call.optional(index).is_some()).collect();
    Draft::new(Role::Norm, Operator::Norm(Norm { kind, rows, dim, scale, bias }), weights)
}

/// `SkipLayerNormalization(x, skip, scale, shift, bias)`: an addition for the skip, one for the
/// bias, and the norm. The simplified one is an RMS norm without shift.
pub(super) fn skip_layer_norm(call: &Call, outputs: &[Value]) -> Drafts {
    let shape = call.ranked(0, 1)?;
    let simplified = call.operator.ends_with("SkipSimplifiedLayerNormalization");
    let kind = if simplified { NormKind::Rms } else { NormKind::Layer };
    let affine = [2, if simplified { usize::MAX } else { 3 }];
    let bias = if simplified { 3 } else { 4 };
    let mut drafts = pointwise(call, Function::Add, shape)?;
    if call.optional(bias).is_some() {
        drafts.extend(pointwise(call, Function::Add, shape)?);
    }
    let elements = total(call, outputs[0].shape.as_deref().unwrap_or(shape))?;
    drafts.push(norm_of(call, kind, elements, shape[shape.len() - 1], affine));
    Ok(drafts)
}

/// `EmbedLayerNormalization(ids, segments, words, positions, segments, scale, shift)`: a look-up
/// and an addition per table, then the norm.
pub(super) fn embed_layer_norm(call: &Call, _: &[Value]) -> Drafts {
    let rows = total(call, &call.ranked(0, 2)?[..2])?;
    let mut drafts = Vec::new();
    for table in [2, 3, 4] {
        if call.optional(table).is_some() {
            drafts.push(look_up(call.ranked(table, 2)?, rows, table));
            drafts.extend(pointwise(call, Function::Add, &[rows, call.ranked(table, 2)?[1]])?);
        }
    }
    let dim = call.ranked(2, 2)?[1];
    drafts.push(norm_of(call, NormKind::Layer, total(call, &[rows, dim])?, dim, [5, 6]));
    Ok(drafts)
}

/// A look-up of `rows` in a table `[entries, dim]`.
fn look_up(table: &[u64], rows: u64, weight: usize) -> Draft {
    let it = Embedding { entries: table[0], dim: table[1], rows };
    Draft::new(Role::Embedding, Operator::Embedding(it), vec![weight])
}

/// `Gather(table, indices)`: a look-up if the table is learned, otherwise a move.
pub(super) fn gather(call: &Call) -> Drafts {
    let table = call.ranked(0, 1)?;
    let weighs = call.data_type(0).is_float() || call.data_type(0).is_quantized();
    let learned = call.input(0)?.origin.parameter.is_some() && weighs;
    if learned && table.len() == 2 && call.int("axis").unwrap_or(0) == 0 {
        let rows = total(call, call.shape(1)?)?;
        return Ok(vec![look_up(table, rows, 0)]);
    }
    Ok(vec![])
}

/// `GatherBlockQuantized(table, indices, scales, zeros)`: a look-up in a table of packed integers.
pub(super) fn gather_packed(call: &Call, outputs: &[Value]) -> Drafts {
    let dim = outputs[0].shape.as_deref().and_then(|shape| shape.last().copied()).unwrap_or(1);
    let entries = call.ranked(0, 2)?[0];
    Ok(vec![look_up(&[entries, dim], total(call, call.shape(1)?)?, 0)])
}

/// `ScatterElements(x, indices, updates)`, `ScatterND`: an addition for each update where it
/// reduces, as the messages of a graph network do; a move otherwise.
pub(super) fn scatter(call: &Call, _: &[Value]) -> Drafts {
    match call.text("reduction").as_deref() {
        None | Some("none") => Ok(vec![]),
        Some("mul") => pointwise(call, Function::Multiply, call.shape(2)?),
        Some(_) => pointwise(call, Function::Add, call.shape(2)?),
    }
}

/// `MoE(x, router, fc1, bias, fc2, bias, fc3, bias)`: for each row `k` experts of two or three
/// products.
pub(super) fn experts(call: &Call, _: &[Value]) -> Drafts {
    routed(call, [(2, 3), (4, 5), (6, 7)], 1)
}

/// `QMoE(x, router, fc1, scales, bias, fc2, scales, bias, fc3, scales, bias, ...)`: the same of
/// packed weights.
pub(super) fn packed_experts(call: &Call, _: &[Value]) -> Drafts {
    let bits = call.count("expert_weight_bits")?.unwrap_or(4).clamp(1, 8);
    routed(call, [(2, 4), (5, 7), (8, 10)], 8 / bits)
}

/// Products of experts, whose matrices are `[experts, ...]` with `packed` weights in an element. The
/// second one leads back to the width of the input.
fn routed(call: &Call, matrices: [(usize, usize); 3], packed: u64) -> Drafts {
    let x = call.ranked(0, 1)?;
    let hidden = x[x.len() - 1];
    let rows = total(call, &x[..x.len() - 1])?;
    let top_k = call.count("k")?.unwrap_or(1);
    let mut drafts = Vec::new();
    for (at, (weight, bias)) in matrices.into_iter().enumerate() {
        if call.optional(weight).is_none() {
            continue;
        }
        let shape = call.ranked(weight, 3)?;
        let experts = shape[0];
        let elements = total(call, shape)?.saturating_mul(packed);
        let width = elements.checked_div(experts.saturating_mul(hidden)).unwrap_or(0);
        if experts == 0 || width == 0 || !(1..=experts).contains(&top_k) {
            return Err(call.invalid(format!("{top_k} of {experts} experts of width {width}")));
        }
        let (inputs, outputs) = if at == 1 { (width, hidden) } else { (hidden, width) };
        let dense = Dense { rows, inputs, outputs, bias: false };
        let draft = Draft::new(Role::Experts, Operator::Dense(dense), vec![weight]);
        let routing = Some(Routing { experts, top_k });
        drafts.push(Draft { routing, ..draft.with_bias(call, bias) });
    }
    Ok(drafts)
}

/// `LRN(x)`: a window of `size` channels at each position.
pub(super) fn local_response(call: &Call, _: &[Value]) -> Drafts {
    let shape = call.ranked(0, 2)?;
    let size = call.count("size")?.unwrap_or(1).max(1);
    let rows = total(call, shape)?.checked_div(shape[1]).unwrap_or(0);
    let axes = vec![Axis::new(shape[1], size, 1, size - 1)];
    Ok(vec![Draft::new(Role::Norm, Operator::Pool(Pool { rows, axes, ceil: false }), vec![])])
}

/// `MaxPool`, `AveragePool`, `LpPool`: windows over batch x channels rows.
pub(super) fn pool(call: &Call, _: &[Value]) -> Drafts {
    let rows = total(call, &image(call, 0)?[..2])?;
    let it = Pool { rows, axes: pool_windows(call)?.axes, ceil: call.flag("ceil_mode") };
    Ok(vec![Draft::new(Role::Pool, Operator::Pool(it), vec![])])
}

/// `RoiAlign`: one interpolation per sample, `sampling_ratio`² samples per output.
pub(super) fn roi_align(call: &Call, outputs: &[Value]) -> Drafts {
    let ratio = call.count("sampling_ratio")?.unwrap_or(0).max(1);
    let shape = outputs[0].shape.as_deref().unwrap_or_default();
    pointwise(call, Function::Interpolate, &[shape, &[ratio, ratio]].concat())
}

/// `Resize`: interpolation costs arithmetic, copying the nearest element none.
pub(super) fn resize(call: &Call, outputs: &[Value]) -> Drafts {
    if matches!(call.text("mode").as_deref(), None | Some("nearest")) {
        return Ok(vec![]);
    }
    pointwise(call, Function::Interpolate, outputs[0].shape.as_deref().unwrap_or_default())
}

/// A convolution with weights at input `weight`.
fn convolved(it: Convolved, transposed: bool, weight: usize) -> Draft {
    let operator = Operator::Convolution(Convolution {
        batch: it.batch,
        in_channels: it.in_channels,
        out_channels: it.out_channels,
        axes: it.windows.axes,
        groups: it.groups,
        transposed,
        bias: false,
    });
    Draft::new(Role::Conv, operator, vec![weight])
}

/// `Conv(x, w, b)`, `ConvInteger(x, w, zero, zero)`: a convolution, with the bias of the first.
pub(super) fn conv(call: &Call, _: &[Value]) -> Drafts {
    let draft = convolved(convolution(call, 0, 1)?, false, 1);
    let integer = call.operator.ends_with("ConvInteger");
    Ok(vec![if integer { draft } else { draft.with_bias(call, 2) }])
}

/// `QLinearConv(x, scale, zero, w, scale, zero, scale, zero, b)`: a convolution with a bias.
pub(super) fn quantized_conv(call: &Call, _: &[Value]) -> Drafts {
    Ok(vec![convolved(convolution(call, 0, 3)?, false, 3).with_bias(call, 8)])
}

/// `ConvTranspose(x, w, b)`: a transposed convolution with a bias.
pub(super) fn conv_transpose(call: &Call, _: &[Value]) -> Drafts {
    Ok(vec![convolved(transposed_convolution(call)?, true, 1).with_bias(call, 2)])
}

/// `DeformConv(x, w, offset, b, mask)`: an interpolation for each channel, position and tap, then
/// the convolution.
pub(super) fn deformable_conv(call: &Call, outputs: &[Value]) -> Drafts {
    let it = convolution(call, 0, 1)?;
    let taps: Vec<u64> = it.windows.axes.iter().map(|axis| axis.kernel).collect();
    let space = &outputs[0].shape.as_deref().unwrap_or_default()[2..];
    let sampled = [&[it.batch, it.in_channels], space, &taps].concat();
    let mut drafts = pointwise(call, Function::Interpolate, &sampled)?;
    drafts.push(convolved(it, false, 1).with_bias(call, 3));
    Ok(drafts)
}

/// `MatMul(a, b)`, `Gemm(a, b, c)` and their kin: a product, with c as its bias.
pub(super) fn matmul(call: &Call, outputs: &[Value]) -> Drafts {
    let biased = matches!(call.operator.as_str(), "Gemm" | "com.microsoft.FusedGemm");
    let bias = if biased { 2 } else { usize::MAX };
    multiplied(call, outputs, [0, 1], bias)
}

/// `QLinearMatMul(a, scale, zero, b, ...)`, `QGemm(a, scale, zero, b, scale, zero, c)`: a product
/// of inputs 0 and 3.
pub(super) fn quantized_matmul(call: &Call, outputs: &[Value]) -> Drafts {
    let bias = if call.operator.ends_with("QGemm") { 6 } else { usize::MAX };
    multiplied(call, outputs, [0, 3], bias)
}

/// A product of two activations is attention's; a product with a constant factor is a dense layer,
/// with one copy per matrix of that factor.
fn multiplied(call: &Call, outputs: &[Value], factors: [usize; 2], bias: usize) -> Drafts {
    let it = product(call, factors[0], factors[1])?;
    let [left, right] = factors;
    let constant = |index| Ok::<_, super::call::Stop>(!call.input(index)?.origin.data);
    let all = total(call, &it.batch)?;
    let dense = |copies: u64, rows: u64, outputs: u64, weight| -> Drafts {
        // Each copy of the weights processes its share of the batch.
        let rows = total(call, &[all.checked_div(copies).unwrap_or(0), rows])?;
        let dense = Dense { rows, inputs: it.inner, outputs, bias: false };
        let draft = Draft::new(Role::Mlp, Operator::Dense(dense), vec![weight]);
        Ok(vec![Draft { count: copies, ..draft }])
    };
    let mut drafts = if constant(right)? {
        dense(total(call, &it.right)?, it.rows, it.columns, right)?
    } else if constant(left)? {
        dense(total(call, &it.left)?, it.columns, it.rows, left)?
    } else {
        let matmul = Matmul { batch: all, rows: it.rows, inner: it.inner, columns: it.columns };
        vec![Draft::new(Role::Attention, Operator::Matmul(matmul), vec![])]
    };
    match call.optional(bias) {
        Some(bias_value) if !bias_value.origin.data && constant(right)? => {
            drafts[0].bias = Some(bias);
        }
        Some(_) => {
            let shape = outputs[0].shape.as_deref().unwrap_or_default();
            drafts.extend(pointwise(call, Function::Add, shape)?);
        }
        None => {}
    }
    Ok(drafts)
}

/// `MatMulNBits(x, packed, scales, zeros, groups, bias)` and its kin: a dense layer from `K` to `N`
/// features.
pub(super) fn matmul_packed(call: &Call, _: &[Value]) -> Drafts {
    let (inputs, outputs) = packed(call)?;
    let x = call.ranked(0, 1)?;
    let rows = total(call, &x[..x.len() - 1])?;
    let dense = Dense { rows, inputs, outputs, bias: false };
    let draft = Draft::new(Role::Mlp, Operator::Dense(dense), vec![1]);
    let biased = call.operator.ends_with("MatMulNBits");
    Ok(vec![if biased { draft.with_bias(call, 5) } else { draft }])
}

/// `Einsum`: the factors are multiplied in pairs from the left, and a label is summed as soon as no
/// later factor and not the output needs it. A pair with one constant factor is a dense layer.
pub(super) fn einsum(call: &Call, _: &[Value]) -> Drafts {
    let sum = read_einsum(call)?;
    let extent = |labels: &[char]| -> Inferred<u64> {
        total(call, &labels.iter().map(|label| sum.extents[label]).collect::<Vec<_>>())
    };
    let distinct = |labels: &[char]| {
        let mut seen = Vec::new();
        for &label in labels {
            if !seen.contains(&label) {
                seen.push(label);
            }
        }
        seen
    };
    let mut drafts = Vec::new();
    let mut left = distinct(sum.inputs.first().map_or(&[], Vec::as_slice));
    let mut from_data = call.input(0)?.origin.data;
    let mut left_weight = Some(0);
    for (index, term) in sum.inputs.iter().enumerate().skip(1) {
        let right = distinct(term);
        let later = |label: &char| {
            sum.output.contains(label) || sum.inputs[index + 1..].iter().any(|t| t.contains(label))
        };
        let labels = |test: &dyn Fn(&char) -> bool| {
            let all = distinct(&[left.as_slice(), right.as_slice()].concat());
            all.into_iter().filter(|label| test(label)).collect::<Vec<char>>()
        };
        let both = |label: &char| left.contains(label) && right.contains(label);
        let inner = extent(&labels(&|l| both(l) && !later(l)))?;
        let batch = extent(&labels(&|l| both(l) && later(l)))?;
        let rows = extent(&labels(&|l| !right.contains(l)))?;
        let columns = extent(&labels(&|l| !left.contains(l)))?;
        let kept = labels(&later);
        let right_data = call.input(index)?.origin.data;
        let contracts = labels(&|l| both(l) && !later(l)).iter().any(|l| sum.extents[l] > 1);
        if !contracts && (rows == 1 || columns == 1) {
            drafts.extend(pointwise(call, Function::Multiply, &[batch, rows, columns])?);
        } else if from_data == right_data {
            let matmul = Matmul { batch, rows, inner, columns };
            drafts.push(Draft::new(Role::Attention, Operator::Matmul(matmul), vec![]));
        } else {
            let (rows, outputs) = if from_data { (rows, columns) } else { (columns, rows) };
            let weight = if from_data { Some(index) } else { left_weight };
            let dense = Dense { rows, inputs: inner, outputs, bias: false };
            let weights = weight.into_iter().collect();
            let draft = Draft::new(Role::Mlp, Operator::Dense(dense), weights);
            drafts.push(Draft { count: batch, ..draft });
        }
        left = kept;
        from_data |= right_data;
        left_weight = None;
    }
    if sum.inputs.len() == 1 && left.len() > sum.output.len() {
        drafts.extend(pointwise(call, Function::Reduce, call.shape(0)?)?);
    }
    Ok(drafts)
}

/// A recurrent layer; the biases of ONNX are two per gate.
fn recurrent(call: &Call, cell: Cell) -> Drafts {
    let Steps { length, batch, inputs, directions, hidden } = steps(call)?;
    let biases = if call.optional(3).is_some() { 2 } else { 0 };
    let it = Recurrent { cell, batch, length, inputs, hidden, directions, biases };
    let weights = [1, 2, 3].into_iter().filter(|&index| call.optional(index).is_some()).collect();
    Ok(vec![Draft::new(Role::Mixer, Operator::Recurrent(it), weights)])
}

/// `LSTM(x, w, r, b, ...)`: four gates.
pub(super) fn lstm(call: &Call, _: &[Value]) -> Drafts {
    recurrent(call, Cell::Lstm)
}

/// `GRU(x, w, r, b, ...)`: three gates.
pub(super) fn gru(call: &Call, _: &[Value]) -> Drafts {
    recurrent(call, Cell::Gru)
}

/// `RNN(x, w, r, b, ...)`: one gate.
pub(super) fn rnn(call: &Call, _: &[Value]) -> Drafts {
    recurrent(call, Cell::Rnn)
}

/// The products of attention at these extents.
fn attended(it: Extents, mask: Mask) -> Draft {
    let Extents { batch, heads, kv_heads, queries, keys, qk_dim, v_dim } = it;
    let operator = Attention {
        batch,
        heads,
        kv_heads,
        queries,
        keys,
        qk_dim,
        v_dim,
        mask,
        cached: None,
        cross: false,
    };
    Draft::new(Role::Attention, Operator::Attention(operator), vec![])
}

/// The mask of a causal flag.
fn causal(flag: bool) -> Mask {
    if flag { Mask::Causal } else { Mask::Full }
}

/// `Attention(q, k, v, ...)` of ONNX: the two products, causal by its flag.
pub(super) fn attention(call: &Call, _: &[Value]) -> Drafts {
    Ok(vec![attended(fused::standard(call)?, causal(call.flag("is_causal")))])
}

/// `com.microsoft.Attention`, `QAttention`: the projection of queries, keys and values, then the
/// two products.
pub(super) fn projecting(call: &Call, _: &[Value]) -> Drafts {
    let it = fused::projecting(call)?;
    let (x, w) = (call.ranked(0, 3)?, call.ranked(1, 2)?);
    let rows = total(call, &x[..2])?;
    let dense = Dense { rows, inputs: w[0], outputs: w[1], bias: false };
    let projection =
        Draft::new(Role::Attention, Operator::Dense(dense), vec![1]).with_bias(call, 2);
    Ok(vec![projection, attended(it, causal(call.flag("unidirectional")))])
}

/// `com.microsoft.MultiHeadAttention`: the two products.
pub(super) fn multi_head(call: &Call, _: &[Value]) -> Drafts {
    Ok(vec![attended(fused::multi_head(call)?, causal(call.flag("unidirectional")))])
}

/// `com.microsoft.GroupQueryAttention`: causal, with a window if one is set.
pub(super) fn grouped(call: &Call, _: &[Value]) -> Drafts {
    let mask = match call.int("local_window_size") {
        Some(window) if window > 0 => Mask::Sliding(window as u64),
        _ => Mask::Causal,
    };
    Ok(vec![attended(fused::grouped(call)?, mask)])
}

/// `QLinearConcat(scale, zero, x, scale, zero, x, ...)`: `Concat` of every third input.
pub(super) fn quantized_concat(call: &Call) -> Outputs {
    let inputs = call.inputs.iter().skip(2).step_by(3).cloned().collect();
    layout::concat(&Call { inputs, ..call.clone() })
}

/// `QLinearAdd(a, scale, zero, b, ...)` and its kin: shapes of inputs 0 and 3.
pub(super) fn quantized_pair(call: &Call) -> Outputs {
    let shape = broadcast(call, call.shape(0)?, call.shape(3)?)?;
    Ok(vec![Value::new(call.data_type(0), shape)])
}
