//! Shapes of an operator's outputs from those of its inputs, by family of operator.
//!
//! The rules are those of the operator reference (onnx.ai/onnx/operators) for every version at
//! once: if a setting became an input in a later version, both places are read.

pub(super) mod attention;
pub(super) mod layout;
pub(super) mod pointwise;
pub(super) mod product;
pub(super) mod window;

use super::call::{Call, Inferred};
use super::value::{DataType, MAX_RANK, Shape, Value, product as product_of};

/// Type and shape of each output.
pub(super) type Outputs = Inferred<Vec<Value>>;

/// One output of this shape with the type of input 0.
fn shaped(call: &Call, shape: Shape) -> Outputs {
    if shape.len() > MAX_RANK {
        return Err(call.invalid(format!("a shape of {} dimensions", shape.len())));
    }
    Ok(vec![Value::new(call.data_type(0), shape)])
}

/// A signed size as a dimension.
fn size(call: &Call, value: i64) -> Inferred<u64> {
    u64::try_from(value).map_err(|_| call.invalid(format!("a dimension of {value}")))
}

/// Several signed sizes as a shape.
fn sizes(call: &Call, values: &[i64]) -> Inferred<Shape> {
    values.iter().map(|&value| size(call, value)).collect()
}

/// A product of sizes that 64 bits must hold.
pub(super) fn total(call: &Call, sizes: &[u64]) -> Inferred<u64> {
    product_of(sizes).ok_or_else(|| call.invalid(format!("{sizes:?} elements are too many")))
}

/// The common shape of two by numpy's rule: aligned at the end, 1 stretches.
pub(super) fn broadcast(call: &Call, left: &[u64], right: &[u64]) -> Inferred<Shape> {
    let rank = left.len().max(right.len());
    let at = |shape: &[u64], index: usize| {
        (index + shape.len()).checked_sub(rank).map_or(1, |index| shape[index])
    };
    (0..rank)
        .map(|index| match (at(left, index), at(right, index)) {
            (a, b) if a == b || b == 1 => Ok(a),
            (1, b) => Ok(b),
            _ => Err(call.invalid(format!("shapes {left:?} and {right:?} do not fit together"))),
        })
        .collect()
}

/// Every output has type and shape of input 0.
pub(super) fn same(call: &Call) -> Outputs {
    let shape = call.shape(0)?;
    Ok((0..call.outputs.max(1)).map(|_| Value::new(call.data_type(0), shape.clone())).collect())
}

/// As input 0, with another element type.
pub(super) fn same_as(call: &Call, data_type: DataType) -> Outputs {
    Ok(vec![Value::new(data_type, call.shape(0)?.clone())])
}
