//! Functions of each element, reductions, norms, generators.

use super::super::call::{Call, Inferred, Stop};
use super::super::value::{DataType, Shape, Value};
use super::{Outputs, broadcast, same_as, shaped, size, sizes};

/// Functions of several inputs: all of them stretched to one shape by numpy's rule.
pub(in super::super) fn stretched(call: &Call) -> Outputs {
    shaped(call, common(call)?)
}

/// As [`stretched`], with truth values as the result.
pub(in super::super) fn compared(call: &Call) -> Outputs {
    Ok(vec![Value::new(DataType::BOOL, common(call)?)])
}

/// `Where(condition, a, b)`: all three stretched to one shape, with the type of `a`.
pub(in super::super) fn selected(call: &Call) -> Outputs {
    Ok(vec![Value::new(call.data_type(1), common(call)?)])
}

/// The shape to which all inputs stretch.
fn common(call: &Call) -> Inferred<Shape> {
    let mut shape = call.shape(0)?.clone();
    for index in 1..call.inputs.len() {
        if call.inputs[index].is_some() {
            shape = broadcast(call, &shape, call.shape(index)?)?;
        }
    }
    Ok(shape)
}

/// A truth value per element: the shape of input 0.
pub(in super::super) fn tested(call: &Call) -> Outputs {
    same_as(call, DataType::BOOL)
}

/// `Cast`, `CastLike`, and other operators that name their element type in `to` or input 1.
pub(in super::super) fn cast(call: &Call) -> Outputs {
    let data_type = match call.int("to") {
        Some(to) => DataType(to as i32),
        None => call.data_type(1),
    };
    same_as(call, data_type)
}

/// `QuantizeLinear(x, scale, zero_point)`: the shape of x, with the type of the zero point, or
/// unsigned bytes without one.
pub(in super::super) fn quantized(call: &Call) -> Outputs {
    let stated = call.int("output_dtype").filter(|&i| i != 0).map(|i| DataType(i as i32));
    let data_type =
        stated.or_else(|| call.optional(2).map(|zero| zero.data_type)).unwrap_or(DataType(2));
    same_as(call, data_type)
}

/// `DequantizeLinear(x, scale, zero_point)`: the shape of x, with the type of the scale.
pub(in super::super) fn dequantized(call: &Call) -> Outputs {
    same_as(call, call.data_type(1))
}

/// `DynamicQuantizeLinear(x)`: values in unsigned bytes, then scale and zero point, which are
/// scalars.
pub(in super::super) fn dynamically_quantized(call: &Call) -> Outputs {
    Ok(vec![
        Value::new(DataType(2), call.shape(0)?.clone()),
        Value::new(DataType::FLOAT, vec![]),
        Value::new(DataType(2), vec![]),
    ])
}

/// `Dropout(x)`: values and mask, both of the shape of x.
pub(in super::super) fn dropped(call: &Call) -> Outputs {
    let shape = call.shape(0)?;
    Ok(vec![
        Value::new(call.data_type(0), shape.clone()),
        Value::new(DataType::BOOL, shape.clone()),
    ])
}

/// `BatchNormalization(x, scale, bias, mean, variance)`: the shape of x; in training also the new
/// statistics `[channels]`.
pub(in super::super) fn batch_norm(call: &Call) -> Outputs {
    let shape = call.ranked(0, 2)?;
    let channels = vec![shape[1]];
    let mut outputs = vec![Value::new(call.data_type(0), shape.clone())];
    outputs.extend((1..call.outputs).map(|_| Value::new(call.data_type(3), channels.clone())));
    Ok(outputs)
}

/// `LayerNormalization`, `RMSNormalization`: values, then statistics with the normalised axes 1.
pub(in super::super) fn layer_norm(call: &Call) -> Outputs {
    let shape = call.ranked(0, 1)?;
    let axis = call.axis(call.int("axis").unwrap_or(-1), shape.len())?;
    let mut rows = shape.clone();
    rows[axis..].fill(1);
    let mut outputs = vec![Value::new(call.data_type(0), shape.clone())];
    outputs.extend((1..call.outputs).map(|_| Value::new(DataType::FLOAT, rows.clone())));
    Ok(outputs)
}

/// `SkipLayerNormalization(x, skip, ...)`: values, mean, deviation, sum.
pub(in super::super) fn skip_layer_norm(call: &Call) -> Outputs {
    let shape = call.ranked(0, 1)?;
    let mut rows = shape.clone();
    rows[shape.len() - 1] = 1;
    let value = Value::new(call.data_type(0), shape.clone());
    let statistic = Value::new(DataType::FLOAT, rows);
    Ok(vec![value.clone(), statistic.clone(), statistic, value])
}

/// `EmbedLayerNormalization(ids, segments, words, positions, ...)`: `[batch, length, hidden]`, a
/// mask index `[batch]`, and the sum before the norm.
pub(in super::super) fn embed_layer_norm(call: &Call) -> Outputs {
    let ids = call.ranked(0, 2)?.clone();
    let hidden = call.ranked(2, 2)?[1];
    let value = Value::new(call.data_type(2), vec![ids[0], ids[1], hidden]);
    Ok(vec![value.clone(), Value::new(DataType(6), vec![ids[0]]), value])
}

/// Sums, means, extremes, norms along `axes` (all without them): each becomes 1, or is removed
/// without `keepdims`.
pub(in super::super) fn reduced(call: &Call) -> Outputs {
    let shape = call.shape(0)?;
    let axes = call.list("axes", 1)?.unwrap_or_default();
    if axes.is_empty() && call.flag("noop_with_empty_axes") {
        return shaped(call, shape.clone());
    }
    let keep = call.int("keepdims").unwrap_or(1) != 0;
    let mut gone = vec![axes.is_empty(); shape.len()];
    for axis in axes {
        gone[call.axis(axis, shape.len())?] = true;
    }
    shaped(call, without(shape, &gone, keep))
}

/// `ArgMax`, `ArgMin`: 64-bit indices along one axis, which becomes 1, or is removed without
/// `keepdims`.
pub(in super::super) fn arg_reduced(call: &Call) -> Outputs {
    let shape = call.ranked(0, 1)?;
    let mut gone = vec![false; shape.len()];
    gone[call.axis(call.int("axis").unwrap_or(0), shape.len())?] = true;
    let keep = call.int("keepdims").unwrap_or(1) != 0;
    Ok(vec![Value::new(DataType::INT64, without(shape, &gone, keep))])
}

/// A shape without the axes that are gone, or with 1 in their place.
fn without(shape: &[u64], gone: &[bool], keep: bool) -> Shape {
    let dims = shape.iter().zip(gone);
    if keep {
        dims.map(|(&dim, &gone)| if gone { 1 } else { dim }).collect()
    } else {
        dims.filter(|(_, gone)| !**gone).map(|(&dim, _)| dim).collect()
    }
}

/// `TopK(x, k)`: values and 64-bit indices, with k elements along `axis` (the last by default).
pub(in super::super) fn top_k(call: &Call) -> Outputs {
    let mut shape = call.ranked(0, 1)?.clone();
    let axis = call.axis(call.int("axis").unwrap_or(-1), shape.len())?;
    let k = match call.int("k") {
        Some(k) => k,
        None => *call.integers(1)?.first().ok_or(Stop::Unknown)?,
    };
    shape[axis] = size(call, k)?;
    Ok(vec![Value::new(call.data_type(0), shape.clone()), Value::new(DataType::INT64, shape)])
}

/// `Shape(x)`: the dimensions from `start` to `end`, as a list of 64-bit integers.
pub(in super::super) fn shape(call: &Call) -> Outputs {
    let (start, end) = shape_bounds(call)?;
    Ok(vec![Value::new(DataType::INT64, vec![(end - start) as u64])])
}

/// The dimensions that `Shape` returns: first, and one past the last.
pub(in super::super) fn shape_bounds(call: &Call) -> Inferred<(usize, usize)> {
    let rank = call.shape(0)?.len() as i64;
    let at = |name, default| {
        let axis = call.int(name).unwrap_or(default);
        (if axis < 0 { axis.saturating_add(rank) } else { axis }).clamp(0, rank) as usize
    };
    let (start, end) = (at("start", 0), at("end", rank));
    Ok((start, end.max(start)))
}

/// `Size(x)`: the number of elements, a 64-bit scalar.
pub(in super::super) fn scalar_count(call: &Call) -> Outputs {
    call.shape(0)?;
    Ok(vec![Value::new(DataType::INT64, vec![])])
}

/// `ConstantOfShape(shape)`: that shape, with the type of the value (float without one).
pub(in super::super) fn filled(call: &Call) -> Outputs {
    let shape = sizes(call, &call.integers(0)?)?;
    let value = call.optional(1).map_or(DataType::FLOAT, |value| value.data_type);
    Ok(vec![Value::new(value, shape)])
}

/// `Range(start, limit, step)`: ceil((limit - start) / step) elements, none if that is negative.
pub(in super::super) fn range(call: &Call) -> Outputs {
    let at = |index| call.contents(index)?.first().copied().ok_or(Stop::Unknown);
    let (start, limit, step) = (at(0)?, at(1)?, at(2)?);
    if step == 0.0 {
        return Err(call.invalid("a step of 0"));
    }
    let count = ((limit - start) / step).ceil().max(0.0);
    shaped(call, vec![count as u64])
}

/// `RandomNormal` and its kin: the shape in setting `shape`, the type in `dtype` (float by
/// default).
pub(in super::super) fn generated(call: &Call) -> Outputs {
    let shape = sizes(call, call.ints("shape").unwrap_or_default())?;
    Ok(vec![Value::new(DataType(call.int("dtype").unwrap_or(1) as i32), shape)])
}

/// `HannWindow(size)` and its kin: `[size]`.
pub(in super::super) fn signal_window(call: &Call) -> Outputs {
    let length = *call.integers(0)?.first().ok_or(Stop::Unknown)?;
    let data_type = DataType(call.int("output_datatype").unwrap_or(1) as i32);
    Ok(vec![Value::new(data_type, vec![size(call, length)?])])
}

/// `OneHot(indices, depth, values)`: the indices' shape with `depth` inserted at `axis` (the end by
/// default).
pub(in super::super) fn one_hot(call: &Call) -> Outputs {
    let mut shape = call.shape(0)?.clone();
    let depth = *call.integers(1)?.first().ok_or(Stop::Unknown)?;
    let axis = call.axis(call.int("axis").unwrap_or(-1), shape.len() + 1)?;
    shape.insert(axis, size(call, depth)?);
    Ok(vec![Value::new(call.data_type(2), shape)])
}

/// `NonZero(x)`: `[rank, elements that are not zero]`; the number of elements is known only if the
/// contents are.
pub(in super::super) fn non_zero(call: &Call) -> Outputs {
    let rank = call.shape(0)?.len().max(1) as u64;
    let count = call.contents(0)?.iter().filter(|x| **x != 0.0).count() as u64;
    Ok(vec![Value::new(DataType::INT64, vec![rank, count])])
}

/// A shape that depends on the data.
pub(in super::super) fn unknown(_: &Call) -> Outputs {
    Err(Stop::Unknown)
}
