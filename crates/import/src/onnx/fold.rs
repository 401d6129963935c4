//! Contents of small values that follow from contents: shapes, axes, indices, window masks.
//!
//! A shape that a graph computes (`Shape`, `Gather`, `Concat`, `Reshape` ...) is a constant once
//! the input's dimensions are bound; this module does that arithmetic, by the operators'
//! definitions in the ONNX reference.

use std::rc::Rc;

use super::call::Call;
use super::shape::layout::{cuts, permutation};
use super::shape::pointwise::shape_bounds;
use super::value::{MAX_CONTENTS, Value, product};

/// Contents of the outputs of `call`, whose types and shapes are known. `None` if they depend on
/// the data, are too many, or the operator is not one that shapes are computed with.
pub(super) fn contents(call: &Call, output: &Value, index: usize) -> Option<Rc<[f64]>> {
    let shape = output.shape.as_deref()?;
    if product(shape)? > MAX_CONTENTS {
        return None;
    }
    let elements: Vec<f64> = match call.operator.as_str() {
        "Shape" => {
            let (start, end) = shape_bounds(call).ok()?;
            call.shape(0).ok()?[start..end].iter().map(|&dim| dim as f64).collect()
        }
        "Size" => vec![product(call.shape(0).ok()?)? as f64],
        "ConstantOfShape" => {
            let value =
                call.optional(1).map_or(Some(0.0), |v| v.contents.as_deref()?.first().copied());
            vec![value?; product(shape)? as usize]
        }
        "Range" => {
            let (start, step) = (*given(call, 0)?.first()?, *given(call, 2)?.first()?);
            (0..product(shape)?).map(|i| start + i as f64 * step).collect()
        }
        "Identity" | "Reshape" | "Squeeze" | "Unsqueeze" | "Flatten" | "Dropout" => {
            return call.optional(0)?.contents.clone().filter(|_| index == 0);
        }
        "Cast" | "CastLike" => {
            let whole = !output.data_type.is_float();
            let truth = output.data_type.0 == 9;
            let cast = |&x: &f64| match x {
                _ if truth => f64::from(u8::from(x != 0.0)),
                _ if whole => x.trunc(),
                _ => x,
            };
            given(call, 0)?.iter().map(cast).collect()
        }
        "Concat" => concat(call, shape)?,
        "Gather" => gather(call, shape)?,
        "Slice" => slice(call, shape)?,
        "Split" => split(call, shape, index)?,
        "Transpose" => {
            let from = call.shape(0).ok()?;
            let order = permutation(call, from.len()).ok()?;
            let strides = strides(from);
            let stepped: Vec<u64> = order.iter().map(|&axis| strides[axis]).collect();
            pick(given(call, 0)?, shape, |place| dot(place, &stepped))?
        }
        "Expand" => stretch(given(call, 0)?, call.shape(0).ok()?, shape)?,
        "Tile" => {
            let from = call.shape(0).ok()?;
            let strides = strides(from);
            pick(given(call, 0)?, shape, |place| {
                let wrapped = place.iter().zip(from).zip(&strides);
                wrapped.map(|((&at, &dim), &stride)| at % dim.max(1) * stride).sum()
            })?
        }
        "Where" => {
            let [test, yes, no] = [0, 1, 2].map(|i| stretched(call, i, shape));
            let (yes, no) = (yes?, no?);
            test?.iter().enumerate().map(|(i, &t)| if t == 0.0 { no[i] } else { yes[i] }).collect()
        }
        "NonZero" => non_zero(given(call, 0)?, call.shape(0).ok()?),
        "ReduceSum" | "ReduceProd" | "ReduceMax" | "ReduceMin" | "ReduceMean" => {
            reduce(call, shape)?
        }
        "ScatterND" => scatter_nd(call)?,
        "CumSum" if shape.len() == 1 && !call.flag("exclusive") && !call.flag("reverse") => {
            let mut sum = 0.0;
            let running = |&x: &f64| {
                sum += x;
                sum
            };
            given(call, 0)?.iter().map(running).collect()
        }
        operator => {
            if let Some(function) = unary(operator) {
                given(call, 0)?.iter().map(|&x| function(x)).collect()
            } else {
                let function = binary(operator, call)?;
                let mut elements = stretched(call, 0, shape)?;
                for index in 1..call.inputs.len() {
                    let other = stretched(call, index, shape)?;
                    elements.iter_mut().zip(other).for_each(|(x, y)| *x = function(*x, y));
                }
                elements
            }
        }
    };
    (elements.len() as u64 == product(shape)?).then(|| elements.into())
}

/// Contents of input `index`, if they are known.
fn given(call: &Call, index: usize) -> Option<&[f64]> {
    call.optional(index)?.contents.as_deref()
}

/// A truth value as a number.
fn truth(test: bool) -> f64 {
    f64::from(u8::from(test))
}

/// The function of an operator of one element.
fn unary(operator: &str) -> Option<fn(f64) -> f64> {
    Some(match operator {
        "Neg" => |x| -x,
        "Abs" => f64::abs,
        "Floor" => f64::floor,
        "Ceil" => f64::ceil,
        "Round" => f64::round_ties_even,
        "Sqrt" => f64::sqrt,
        "Reciprocal" => |x| 1.0 / x,
        "Sign" => |x| if x == 0.0 { 0.0 } else { x.signum() },
        "Not" => |x| truth(x == 0.0),
        "Relu" => |x| x.max(0.0),
        _ => return None,
    })
}

// Integers up to 2^53 compare exactly.
/// The function of an operator of two elements, whole or real by their type.
#[allow(clippy::float_cmp)]
fn binary(operator: &str, call: &Call) -> Option<fn(f64, f64) -> f64> {
    let whole = !call.data_type(0).is_float();
    Some(match operator {
        "Add" | "Sum" => |x, y| x + y,
        "Sub" => |x, y| x - y,
        "Mul" => |x, y| x * y,
        "Div" if whole => |x: f64, y| (x / y).trunc(),
        "Div" => |x, y| x / y,
        "Mod" if call.flag("fmod") => |x, y| x % y,
        "Mod" => |x: f64, y: f64| x - (x / y).floor() * y,
        "Pow" => f64::powf,
        "Min" => f64::min,
        "Max" => f64::max,
        "Equal" => |x, y| truth(x == y),
        "Greater" => |x, y| truth(x > y),
        "GreaterOrEqual" => |x, y| truth(x >= y),
        "Less" => |x, y| truth(x < y),
        "LessOrEqual" => |x, y| truth(x <= y),
        "And" => |x, y| truth(x != 0.0 && y != 0.0),
        "Or" => |x, y| truth(x != 0.0 || y != 0.0),
        "Xor" => |x, y| truth((x != 0.0) != (y != 0.0)),
        _ => return None,
    })
}

/// Elements from one position to the next, per axis, in row-major order: the product of the extents
/// behind it.
fn strides(shape: &[u64]) -> Vec<u64> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis].max(1);
    }
    strides
}

/// The index of a place: the sum of coordinate x stride.
fn dot(place: &[u64], strides: &[u64]) -> u64 {
    place.iter().zip(strides).map(|(&at, &stride)| at * stride).sum()
}

/// The elements of `from` at the indices that `source` gives for the places of `shape`.
fn pick(from: &[f64], shape: &[u64], source: impl Fn(&[u64]) -> u64) -> Option<Vec<f64>> {
    places(shape).map(|place| from.get(source(&place) as usize).copied()).collect()
}

/// All places of a shape in row-major order.
fn places(shape: &[u64]) -> impl Iterator<Item = Vec<u64>> + '_ {
    let strides = strides(shape);
    (0..product(shape).unwrap_or(0)).map(move |index| {
        shape.iter().zip(&strides).map(|(&dim, &stride)| index / stride % dim).collect()
    })
}

/// `from` stretched to `to` by numpy's rule: shapes are aligned at the end, and an extent of 1
/// repeats.
fn stretch(from: &[f64], shape: &[u64], to: &[u64]) -> Option<Vec<f64>> {
    if shape == to {
        return Some(from.to_vec());
    }
    if from.len() == 1 {
        return Some(vec![from[0]; product(to)? as usize]);
    }
    let lead = to.len().checked_sub(shape.len())?;
    let strides: Vec<u64> = strides(shape)
        .into_iter()
        .zip(shape)
        .map(|(s, &dim)| if dim == 1 { 0 } else { s })
        .collect();
    pick(from, to, |place| dot(&place[lead..], &strides))
}

/// Contents of input `index`, stretched to a shape.
fn stretched(call: &Call, index: usize, to: &[u64]) -> Option<Vec<f64>> {
    stretch(given(call, index)?, call.shape(index).ok()?, to)
}

/// Contents of `Concat`: runs of the inputs in turn, along the axis.
fn concat(call: &Call, shape: &[u64]) -> Option<Vec<f64>> {
    let axis = call.axis(call.int("axis").unwrap_or(1), shape.len()).ok()?;
    let runs = product(&shape[..axis])?;
    let mut elements = Vec::new();
    for run in 0..runs as usize {
        for index in 0..call.inputs.len() {
            let from = given(call, index)?;
            let width = from.len() / runs as usize;
            elements.extend_from_slice(from.get(run * width..(run + 1) * width)?);
        }
    }
    Some(elements)
}

/// Contents of `Gather`: slices of the source along the axis, by index; negative indices count from
/// the end.
fn gather(call: &Call, shape: &[u64]) -> Option<Vec<f64>> {
    let (from, source) = (given(call, 0)?, call.shape(0).ok()?);
    let axis = call.axis(call.int("axis").unwrap_or(0), source.len()).ok()?;
    let indices = given(call, 1)?;
    let inner = product(&source[axis + 1..])? as usize;
    let width = indices.len() * inner;
    let dim = *source.get(axis)? as i64;
    let count = product(shape)? as usize;
    (0..count)
        .map(|place| {
            let (outer, rest) = (place / width, place % width);
            let wanted = indices[rest / inner] as i64;
            let at = if wanted < 0 { wanted.checked_add(dim)? } else { wanted };
            if !(0..dim).contains(&at) {
                return None;
            }
            from.get((outer * dim as usize + at as usize) * inner + rest % inner).copied()
        })
        .collect()
}

/// Contents of `Slice`: start + place x step along each axis that it cuts.
fn slice(call: &Call, shape: &[u64]) -> Option<Vec<f64>> {
    let from = call.shape(0).ok()?;
    let cuts = cuts(call, from).ok()?;
    let strides = strides(from);
    pick(given(call, 0)?, shape, |place| {
        let mut place: Vec<i64> = place.iter().map(|&at| at as i64).collect();
        for cut in &cuts {
            place[cut.axis] = cut.start + place[cut.axis] * cut.step;
        }
        place.iter().zip(&strides).map(|(&at, &stride)| at as u64 * stride).sum()
    })
}

/// Contents of output `index` of `Split`.
fn split(call: &Call, shape: &[u64], index: usize) -> Option<Vec<f64>> {
    let from = call.shape(0).ok()?;
    let axis = call.axis(call.int("axis").unwrap_or(0), from.len()).ok()?;
    let parts = super::shape::layout::split_parts(call, from[axis]).ok()?;
    let before: u64 = parts.iter().take(index).sum();
    let strides = strides(from);
    pick(given(call, 0)?, shape, |place| dot(place, &strides) + before * strides[axis])
}

/// Contents of `NonZero`: the coordinates of all elements that are not zero, axis by axis.
fn non_zero(elements: &[f64], shape: &[u64]) -> Vec<f64> {
    let scalar = [1];
    let shape = if shape.is_empty() { &scalar } else { shape };
    let found: Vec<Vec<u64>> =
        places(shape).zip(elements).filter(|(_, x)| **x != 0.0).map(|(place, _)| place).collect();
    (0..shape.len()).flat_map(|axis| found.iter().map(move |place| place[axis] as f64)).collect()
}

/// Contents of a reduction: sum, mean, product or extreme along axes.
fn reduce(call: &Call, shape: &[u64]) -> Option<Vec<f64>> {
    let (from, source) = (given(call, 0)?, call.shape(0).ok()?);
    let axes = call.list("axes", 1).ok()?.unwrap_or_default();
    if axes.is_empty() && call.flag("noop_with_empty_axes") {
        return Some(from.to_vec());
    }
    let mut gone = vec![axes.is_empty(); source.len()];
    for axis in axes {
        gone[call.axis(axis, source.len()).ok()?] = true;
    }
    let kept: Vec<u64> =
        source.iter().zip(&gone).map(|(&dim, &gone)| if gone { 1 } else { dim }).collect();
    let strides: Vec<u64> =
        strides(&kept).iter().zip(&gone).map(|(&s, &gone)| if gone { 0 } else { s }).collect();
    let count = product(shape)? as usize;
    let (start, function): (f64, fn(f64, f64) -> f64) = match call.operator.as_str() {
        "ReduceProd" => (1.0, |x, y| x * y),
        "ReduceMax" => (f64::NEG_INFINITY, f64::max),
        "ReduceMin" => (f64::INFINITY, f64::min),
        _ => (0.0, |x, y| x + y),
    };
    let mut results = vec![start; count];
    for (place, &x) in places(source).zip(from) {
        let result = results.get_mut(dot(&place, &strides) as usize)?;
        *result = function(*result, x);
    }
    if call.operator == "ReduceMean" {
        let each = from.len() as f64 / count as f64;
        for x in &mut results {
            *x /= each;
        }
    }
    Some(results)
}

/// Contents of `ScatterND` without a reduction: slices that updates replace.
fn scatter_nd(call: &Call) -> Option<Vec<f64>> {
    if call.text("reduction").is_some_and(|reduction| reduction != "none") {
        return None;
    }
    let shape = call.shape(0).ok()?;
    let mut elements = given(call, 0)?.to_vec();
    let (indices, updates) = (given(call, 1)?, given(call, 2)?);
    let depth = *call.shape(1).ok()?.last()? as usize;
    if depth == 0 || depth > shape.len() {
        return None;
    }
    let strides = strides(shape);
    let width = product(&shape[depth..])? as usize;
    for (row, index) in indices.chunks_exact(depth).enumerate() {
        let mut start = 0;
        for (axis, &at) in index.iter().enumerate() {
            let at = if at < 0.0 { at + shape[axis] as f64 } else { at };
            if !(0.0..shape[axis] as f64).contains(&at) {
                return None;
            }
            start += at as usize * strides[axis] as usize;
        }
        let update = updates.get(row * width..(row + 1) * width)?;
        elements.get_mut(start..start + width)?.copy_from_slice(update);
    }
    Some(elements)
}
