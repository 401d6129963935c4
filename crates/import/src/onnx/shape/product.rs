//! Matrix products, Einstein sums and recurrent layers.

use std::collections::BTreeMap;

use super::super::call::{Call, Inferred};
use super::super::value::{DataType, Shape, Value};
use super::{Outputs, broadcast, shaped, total};

/// A matrix product by numpy's rule, taken apart into batch, rows, inner extent and columns.
#[derive(Clone, Debug)]
pub(in super::super) struct Product {
    /// Batch dimensions of the left factor.
    pub(in super::super) left: Shape,
    /// Batch dimensions of the right factor.
    pub(in super::super) right: Shape,
    /// Batch dimensions of both, stretched.
    pub(in super::super) batch: Shape,
    /// Rows of the left factor.
    pub(in super::super) rows: u64,
    /// The extent summed over.
    pub(in super::super) inner: u64,
    /// Columns of the right factor.
    pub(in super::super) columns: u64,
    /// The product's shape.
    pub(in super::super) shape: Shape,
}

/// The product of inputs `left` and `right`: `[..., rows, inner] x [..., inner, columns]`, the
/// batch dimensions stretched. Flags `transA`, `transB` swap the last two axes of a factor, and a
/// vector is a row on the left or a column on the right.
pub(in super::super) fn product(call: &Call, left: usize, right: usize) -> Inferred<Product> {
    let (a, b) = (call.ranked(left, 1)?, call.ranked(right, 1)?);
    let mut matrix_a = if a.len() == 1 { vec![1, a[0]] } else { a.clone() };
    let mut matrix_b = if b.len() == 1 { vec![b[0], 1] } else { b.clone() };
    for (matrix, flag) in [(&mut matrix_a, "transA"), (&mut matrix_b, "transB")] {
        if call.flag(flag) {
            let rank = matrix.len();
            matrix.swap(rank - 1, rank - 2);
        }
    }
    let (&[ref left @ .., rows, inner], &[ref right @ .., other, columns]) =
        (matrix_a.as_slice(), matrix_b.as_slice())
    else {
        return Err(call.invalid("no matrices"));
    };
    if inner != other {
        return Err(call.invalid(format!("{a:?} times {b:?}")));
    }
    let batch = broadcast(call, left, right)?;
    let mut shape = batch.clone();
    if a.len() > 1 {
        shape.push(rows);
    }
    if b.len() > 1 {
        shape.push(columns);
    }
    let (left, right) = (left.to_vec(), right.to_vec());
    Ok(Product { left, right, batch, rows, inner, columns, shape })
}

/// `MatMul`, `Gemm`, `FusedMatMul`, `FusedGemm`: `[batch..., rows, columns]`.
pub(in super::super) fn matmul(call: &Call) -> Outputs {
    shaped(call, product(call, 0, 1)?.shape)
}

/// `MatMulInteger`: 32-bit sums.
pub(in super::super) fn matmul_integer(call: &Call) -> Outputs {
    Ok(vec![Value::new(DataType(6), product(call, 0, 1)?.shape)])
}

/// `MatMulIntegerToFloat`, `DynamicQuantizeMatMul`: floating-point sums.
pub(in super::super) fn matmul_to_float(call: &Call) -> Outputs {
    Ok(vec![Value::new(DataType::FLOAT, product(call, 0, 1)?.shape)])
}

/// `QLinearMatMul(a, scale, zero, b, ...)`, `QGemm`: as `MatMul` of inputs 0 and 3.
pub(in super::super) fn quantized_matmul(call: &Call) -> Outputs {
    shaped(call, product(call, 0, 3)?.shape)
}

/// `MatMulNBits(x, packed, ...)` and its kin: settings `K` and `N` state the matrix, so `[..., K]`
/// becomes `[..., N]`.
pub(in super::super) fn matmul_packed(call: &Call) -> Outputs {
    let (inner, columns) = packed(call)?;
    let mut shape = call.ranked(0, 1)?.clone();
    let last = shape.len() - 1;
    if shape[last] != inner {
        return Err(call.invalid(format!("input {shape:?} for {inner} features")));
    }
    shape[last] = columns;
    shaped(call, shape)
}

/// Features before and after a packed matrix.
pub(in super::super) fn packed(call: &Call) -> Inferred<(u64, u64)> {
    match (call.count("K")?, call.count("N")?) {
        (Some(inner), Some(columns)) => Ok((inner, columns)),
        _ => Err(call.invalid("settings `K` and `N` are missing")),
    }
}

/// Subscripts of an Einstein sum; an ellipsis stands for upper-case Greek letters of its own.
#[derive(Clone, Debug)]
pub(in super::super) struct Einsum {
    /// Labels of each factor.
    pub(in super::super) inputs: Vec<Vec<char>>,
    /// Labels of the result.
    pub(in super::super) output: Vec<char>,
    /// The extent of each label; 1 stretches.
    pub(in super::super) extents: BTreeMap<char, u64>,
}

/// Reads the equation of an `Einsum` against the shapes that it gets. Without `->`, the result has
/// the ellipsis and then, in alphabetical order, the labels that occur once.
pub(in super::super) fn einsum(call: &Call) -> Inferred<Einsum> {
    let equation = call.text("equation").unwrap_or_default().replace(' ', "");
    let bad = || call.invalid(format!("equation `{equation}`"));
    let (left, right) = match equation.split_once("->") {
        Some((left, right)) => (left, Some(right)),
        None => (equation.as_str(), None),
    };
    let terms: Vec<&str> = left.split(',').collect();
    if terms.len() != call.inputs.len() {
        return Err(bad());
    }
    let mut sum = Einsum { inputs: Vec::new(), output: Vec::new(), extents: BTreeMap::new() };
    let mut ellipsis: Vec<char> = Vec::new();
    for (index, term) in terms.into_iter().enumerate() {
        let shape = call.shape(index)?;
        let letters = term.replace("...", "").chars().count();
        let hidden = shape.len().checked_sub(letters).ok_or_else(bad)?;
        let stand_in = stand_ins(if term.contains("...") { hidden } else { 0 });
        if stand_in.len() > ellipsis.len() {
            ellipsis.clone_from(&stand_in);
        }
        let labels = expand(term, &stand_in);
        if labels.len() != shape.len() {
            return Err(bad());
        }
        for (&label, &extent) in labels.iter().zip(shape) {
            let known = sum.extents.entry(label).or_insert(extent);
            if *known == 1 {
                *known = extent;
            } else if *known != extent && extent != 1 {
                return Err(call.invalid(format!("`{label}` is {known} and {extent}")));
            }
        }
        sum.inputs.push(labels);
    }
    sum.output = if let Some(right) = right {
        expand(right, &ellipsis)
    } else {
        let once =
            |label: &char| sum.inputs.iter().flatten().filter(|other| *other == label).count() == 1;
        let letters = sum.extents.keys().copied().filter(|c| c.is_ascii() && once(c));
        ellipsis.iter().copied().chain(letters).collect()
    };
    if sum.output.iter().all(|label| sum.extents.contains_key(label)) {
        Ok(sum)
    } else {
        Err(bad())
    }
}

/// Letters for the dimensions behind an ellipsis, aligned at the end.
fn stand_ins(count: usize) -> Vec<char> {
    (0..count.min(24) as u32).rev().filter_map(|i| char::from_u32('Α' as u32 + i)).collect()
}

/// The labels of a term, with the ellipsis replaced by its letters.
fn expand(term: &str, ellipsis: &[char]) -> Vec<char> {
    match term.split_once("...") {
        Some((before, after)) => {
            before.chars().chain(ellipsis.iter().copied()).chain(after.chars()).collect()
        }
        None => term.chars().collect(),
    }
}

/// `Einsum`: the extents of the result's labels.
pub(in super::super) fn einsum_shape(call: &Call) -> Outputs {
    let sum = einsum(call)?;
    shaped(call, sum.output.iter().map(|label| sum.extents[label]).collect())
}

/// Extents of `RNN`, `GRU`, `LSTM`: x is `[length, batch, inputs]`, r is
/// `[directions, gates x hidden, hidden]`; with `layout` 1 the batch comes first.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Steps {
    /// Steps of a sequence.
    pub(in super::super) length: u64,
    /// Sequences.
    pub(in super::super) batch: u64,
    /// Features of the input.
    pub(in super::super) inputs: u64,
    /// 1, or 2 if it also runs backwards.
    pub(in super::super) directions: u64,
    /// Features of the state.
    pub(in super::super) hidden: u64,
}

/// Reads the extents of a recurrent layer off input, weights `w`
/// `[directions, gates x hidden, inputs]` and recurrent weights `r`.
pub(in super::super) fn steps(call: &Call) -> Inferred<Steps> {
    let (x, w, r) = (call.ranked(0, 3)?, call.ranked(1, 3)?, call.ranked(2, 3)?);
    if x[2] != w[2] || w[0] != r[0] || w[1] != r[1] {
        return Err(call.invalid(format!("weights {w:?} and {r:?} over input {x:?}")));
    }
    let (length, batch) = if call.flag("layout") { (x[1], x[0]) } else { (x[0], x[1]) };
    Ok(Steps { length, batch, inputs: x[2], directions: r[0], hidden: r[2] })
}

/// `RNN`, `GRU`, `LSTM`: all states `[length, directions, batch, hidden]`, the last one and the
/// last cell `[directions, batch, hidden]`; with `layout` 1 the batch comes first.
pub(in super::super) fn recurrent(call: &Call) -> Outputs {
    let Steps { length, batch, directions, hidden, .. } = steps(call)?;
    let (all, last) = if call.flag("layout") {
        (vec![batch, length, directions, hidden], vec![batch, directions, hidden])
    } else {
        (vec![length, directions, batch, hidden], vec![directions, batch, hidden])
    };
    total(call, &all)?;
    let value = |shape| Value::new(call.data_type(0), shape);
    Ok(vec![value(all), value(last.clone()), value(last)])
}
