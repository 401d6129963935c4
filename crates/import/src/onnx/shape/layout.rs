//! Operators that move elements without computing with them.

use super::super::call::{Call, Inferred, Stop};
use super::super::value::{Shape, Value};
use super::{Outputs, broadcast, shaped, size, sizes, total};

/// `Reshape(x, shape)`: 0 keeps a dimension (unless `allowzero` is set), one -1 takes the elements
/// that remain. The elements must come out even.
pub(in super::super) fn reshape(call: &Call) -> Outputs {
    let from = call.shape(0)?;
    let Some(wanted) = call.list("shape", 1)? else {
        return Err(call.invalid("no shape is given"));
    };
    let mut rest = None;
    let mut shape = Shape::with_capacity(wanted.len());
    for (index, &dim) in wanted.iter().enumerate() {
        shape.push(match dim {
            0 if !call.flag("allowzero") => *from.get(index).ok_or_else(|| {
                call.invalid(format!("shape {wanted:?} keeps dimension {index} of {from:?}"))
            })?,
            -1 if rest.replace(index).is_none() => 1,
            dim => size(call, dim)?,
        });
    }
    let (have, take) = (total(call, from)?, total(call, &shape)?);
    let does_not_fit = || call.invalid(format!("{from:?} does not reshape to {wanted:?}"));
    match rest {
        Some(index) if take > 0 && have.is_multiple_of(take) => shape[index] = have / take,
        Some(index) if take == 0 && have == 0 => shape[index] = 0,
        None if have == take => {}
        _ => return Err(does_not_fit()),
    }
    shaped(call, shape)
}

/// `Flatten(x)`: two dimensions, the products of those before and from `axis` (1 by default).
pub(in super::super) fn flatten(call: &Call) -> Outputs {
    let from = call.shape(0)?;
    let axis = match call.int("axis").unwrap_or(1) {
        axis if axis == from.len() as i64 => from.len(),
        axis => call.axis(axis, from.len())?,
    };
    let shape = vec![total(call, &from[..axis])?, total(call, &from[axis..])?];
    shaped(call, shape)
}

/// `Squeeze(x, axes)`: removes dimensions of 1, those of `axes` or all.
pub(in super::super) fn squeeze(call: &Call) -> Outputs {
    let from = call.shape(0)?;
    let mut gone = vec![false; from.len()];
    match call.list("axes", 1)? {
        Some(axes) => {
            for axis in axes {
                let axis = call.axis(axis, from.len())?;
                if from[axis] != 1 {
                    return Err(call.invalid(format!("dimension {axis} of {from:?} is not 1")));
                }
                gone[axis] = true;
            }
        }
        None => gone.iter_mut().zip(from).for_each(|(gone, &dim)| *gone = dim == 1),
    }
    let kept = from.iter().zip(gone).filter(|(_, gone)| !gone).map(|(&dim, _)| dim);
    shaped(call, kept.collect())
}

/// `Unsqueeze(x, axes)`: inserts dimensions of 1, at their places in the result.
pub(in super::super) fn unsqueeze(call: &Call) -> Outputs {
    let from = call.shape(0)?;
    let axes = call.list("axes", 1)?.ok_or(Stop::Unknown)?;
    let rank = from.len() + axes.len();
    if rank > 64 {
        return Err(call.invalid(format!("{rank} dimensions")));
    }
    let mut new = vec![false; rank];
    for axis in axes {
        let axis = call.axis(axis, rank)?;
        if std::mem::replace(&mut new[axis], true) {
            return Err(call.invalid(format!("axis {axis} twice")));
        }
    }
    let mut old = from.iter();
    shaped(call, new.iter().map(|&new| if new { 1 } else { *old.next().unwrap_or(&1) }).collect())
}

/// `Transpose(x)`: dimension i is that of axis `perm[i]`; without `perm` the axes are reversed.
pub(in super::super) fn transpose(call: &Call) -> Outputs {
    let from = call.shape(0)?;
    let order = permutation(call, from.len())?;
    shaped(call, order.into_iter().map(|axis| from[axis]).collect())
}

/// The order in which `Transpose` takes the axes; `perm` must name each of them once.
pub(in super::super) fn permutation(call: &Call, rank: usize) -> Inferred<Vec<usize>> {
    let Some(perm) = call.ints("perm").filter(|perm| !perm.is_empty()) else {
        return Ok((0..rank).rev().collect());
    };
    let order: Vec<usize> =
        perm.iter().map(|&axis| call.axis(axis, rank)).collect::<Inferred<_>>()?;
    let mut seen = vec![false; rank];
    for &axis in &order {
        seen[axis] = true;
    }
    if order.len() != rank || seen.contains(&false) {
        return Err(call.invalid(format!("{perm:?} does not permute {rank} dimensions")));
    }
    Ok(order)
}

/// `Concat(xs...)`: the extents along `axis` add up, the others agree.
pub(in super::super) fn concat(call: &Call) -> Outputs {
    let mut shape = call.ranked(0, 1)?.clone();
    let axis = call.axis(call.int("axis").unwrap_or(1), shape.len())?;
    for index in 1..call.inputs.len() {
        let next = call.shape(index)?;
        let fits = next.len() == shape.len()
            && (0..shape.len()).all(|at| at == axis || next[at] == shape[at]);
        if !fits {
            return Err(call.invalid(format!("{next:?} does not continue {shape:?}")));
        }
        shape[axis] = total_sum(call, shape[axis], next[axis])?;
    }
    shaped(call, shape)
}

/// A sum of extents that 64 bits must hold.
fn total_sum(call: &Call, a: u64, b: u64) -> Inferred<u64> {
    a.checked_add(b).ok_or_else(|| call.invalid("a dimension overflows"))
}

/// `Split(x, parts)` along `axis`. Without parts, all outputs have ceil(extent / outputs), except
/// that the last has the rest.
pub(in super::super) fn split(call: &Call) -> Outputs {
    let from = call.ranked(0, 1)?;
    let axis = call.axis(call.int("axis").unwrap_or(0), from.len())?;
    let parts = split_parts(call, from[axis])?;
    Ok(parts
        .into_iter()
        .map(|part| {
            let mut shape = from.clone();
            shape[axis] = part;
            Value::new(call.data_type(0), shape)
        })
        .collect())
}

/// The extents that `Split` cuts a dimension into.
pub(in super::super) fn split_parts(call: &Call, whole: u64) -> Inferred<Vec<u64>> {
    if let Some(parts) = call.list("split", 1)? {
        let parts = parts.iter().map(|&part| size(call, part)).collect::<Inferred<Vec<_>>>()?;
        let sum = parts.iter().try_fold(0_u64, |sum, &part| sum.checked_add(part));
        if sum != Some(whole) {
            return Err(call.invalid(format!("parts {parts:?} of {whole}")));
        }
        return Ok(parts);
    }
    let count = call.outputs.max(1) as u64;
    let each = whole.div_ceil(count);
    Ok((0..count).map(|index| each.min(whole.saturating_sub(index * each))).collect())
}

/// The cut that `Slice` makes in one axis: first index, step, and number of elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Cut {
    /// The axis.
    pub(in super::super) axis: usize,
    /// Index of the first element.
    pub(in super::super) start: i64,
    /// Elements from one to the next; negative counts down.
    pub(in super::super) step: i64,
    /// Elements that are taken.
    pub(in super::super) count: u64,
}

/// The cuts of `Slice(x, starts, ends, axes, steps)`, one per axis that it names.
pub(in super::super) fn cuts(call: &Call, from: &[u64]) -> Inferred<Vec<Cut>> {
    let missing = |name: &str| call.invalid(format!("no `{name}` are given"));
    let starts = call.list("starts", 1)?.ok_or_else(|| missing("starts"))?;
    let ends = call.list("ends", 2)?.ok_or_else(|| missing("ends"))?;
    let axes = call.list("axes", 3)?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = call.list("steps", 4)?.unwrap_or_else(|| vec![1; starts.len()]);
    if ends.len() != starts.len() || axes.len() != starts.len() || steps.len() != starts.len() {
        return Err(call.invalid("starts, ends, axes and steps differ in number"));
    }
    (0..starts.len())
        .map(|index| {
            let axis = call.axis(axes[index], from.len())?;
            let dim = i64::try_from(from[axis]).map_err(|_| call.invalid("too large"))?;
            let step = steps[index];
            let (low, high) = match step {
                0 => return Err(call.invalid("a step of 0")),
                1.. => (0, dim),
                _ => (-1, dim - 1),
            };
            let place = |at: i64, low: i64| {
                (if at < 0 { at.saturating_add(dim) } else { at }).max(low).min(high)
            };
            let start = place(starts[index], 0);
            // With a negative step, an end of -1 means the last element; only one far below means
            // "all".
            let end = place(ends[index], low);
            let span = if step > 0 { end - start } else { start - end };
            let count = span.max(0).unsigned_abs().div_ceil(step.unsigned_abs());
            Ok(Cut { axis, start, step, count })
        })
        .collect()
}

/// `Slice`: the axes that it names have ceil(span / step) elements, the others stay.
pub(in super::super) fn slice(call: &Call) -> Outputs {
    let mut shape = call.shape(0)?.clone();
    for cut in cuts(call, &shape)? {
        shape[cut.axis] = cut.count;
    }
    shaped(call, shape)
}

/// `Gather(x, indices)`: the indices' shape replaces the extent of `axis`.
pub(in super::super) fn gather(call: &Call) -> Outputs {
    let (from, indices) = (call.ranked(0, 1)?, call.shape(1)?);
    let axis = call.axis(call.int("axis").unwrap_or(0), from.len())?;
    let shape = [&from[..axis], indices, &from[axis + 1..]].concat();
    shaped(call, shape)
}

/// `GatherBlockQuantized(table, indices, scales)`: rows of the table, unpacked to as many elements as
/// scales times `block_size`, in the type of the scales.
pub(in super::super) fn gather_packed(call: &Call) -> Outputs {
    let (from, indices, scales) = (call.ranked(0, 2)?, call.shape(1)?, call.ranked(2, 2)?);
    // A byte holds two weights of four bits; types of four bits hold one.
    let bits = call.count("bits")?.unwrap_or(4).max(1);
    let wide = if call.data_type(0).bytes() < 1.0 { 1 } else { 8 / bits.min(8) };
    let last = from[from.len() - 1].checked_mul(wide);
    let last = last.ok_or_else(|| call.invalid("too wide a table"))?;
    if scales.len() != from.len() {
        return Err(call.invalid(format!("scales {scales:?} of {from:?}")));
    }
    let shape = [indices.as_slice(), &from[1..from.len() - 1], &[last]].concat();
    Ok(vec![Value::new(call.data_type(2), shape)])
}

/// `GatherElements(x, indices)`: one element per index, so the shape of the indices.
pub(in super::super) fn gather_elements(call: &Call) -> Outputs {
    shaped(call, call.shape(1)?.clone())
}

/// `GatherND(x, indices)`: the indices' shape without its last extent d, then the extents of x
/// behind `batch_dims` + d axes.
pub(in super::super) fn gather_nd(call: &Call) -> Outputs {
    let (from, indices) = (call.ranked(0, 1)?, call.ranked(1, 1)?);
    let batch = call.count("batch_dims")?.unwrap_or(0) as usize;
    let (depth, lead) = (indices[indices.len() - 1] as usize, &indices[..indices.len() - 1]);
    let tail = batch
        .checked_add(depth)
        .and_then(|taken| from.get(taken..))
        .ok_or_else(|| call.invalid(format!("indices {indices:?} into {from:?}")))?;
    let shape = [lead, tail].concat();
    shaped(call, shape)
}

/// `Expand(x, shape)`: the common shape of both by numpy's rule.
pub(in super::super) fn expand(call: &Call) -> Outputs {
    let to = sizes(call, &call.integers(1)?)?;
    shaped(call, broadcast(call, call.shape(0)?, &to)?)
}

/// `Tile(x, repeats)`: each extent x its repeats.
pub(in super::super) fn tile(call: &Call) -> Outputs {
    let from = call.shape(0)?;
    let repeats = sizes(call, &call.integers(1)?)?;
    if repeats.len() != from.len() {
        return Err(call.invalid(format!("repeats {repeats:?} of {from:?}")));
    }
    let dims = from.iter().zip(&repeats).map(|(&dim, &times)| total(call, &[dim, times]));
    shaped(call, dims.collect::<Inferred<_>>()?)
}

/// `Pad(x, pads, value, axes)`: extent + before + after; `pads` has all befores, then all afters,
/// and negative ones crop.
pub(in super::super) fn pad(call: &Call) -> Outputs {
    let mut shape = call.shape(0)?.clone();
    let name = if call.ints("paddings").is_some() { "paddings" } else { "pads" };
    let pads = call.list(name, 1)?.ok_or(Stop::Unknown)?;
    let axes = match call.optional(3) {
        Some(_) => call.integers(3)?,
        None => (0..shape.len() as i64).collect(),
    };
    if pads.len() != 2 * axes.len() {
        return Err(call.invalid(format!("{} paddings for {} axes", pads.len(), axes.len())));
    }
    for (index, &axis) in axes.iter().enumerate() {
        let axis = call.axis(axis, shape.len())?;
        let dim = i64::try_from(shape[axis]).ok();
        let padded =
            dim.and_then(|dim| dim.checked_add(pads[index])?.checked_add(pads[index + axes.len()]));
        shape[axis] = size(call, padded.ok_or_else(|| call.invalid("a dimension overflows"))?)?;
    }
    shaped(call, shape)
}

/// `DepthToSpace` (`grow`): `[n, c, h, w]` to `[n, c / b², h b, w b]` with blocks of b;
/// `SpaceToDepth` is the inverse.
fn blocks(call: &Call, grow: bool) -> Outputs {
    let from = call.ranked(0, 4)?;
    let block = call.count("blocksize")?.unwrap_or(0);
    let area = total(call, &[block, block])?;
    let divides = |whole: u64, part: u64| part > 0 && whole.is_multiple_of(part);
    let shape = if grow && divides(from[1], area) {
        vec![
            from[0],
            from[1] / area,
            total(call, &[from[2], block])?,
            total(call, &[from[3], block])?,
        ]
    } else if !grow && divides(from[2], block) && divides(from[3], block) {
        vec![from[0], total(call, &[from[1], area])?, from[2] / block, from[3] / block]
    } else {
        return Err(call.invalid(format!("blocks of {block} in {from:?}")));
    };
    shaped(call, shape)
}

/// `DepthToSpace`: channels become blocks of positions.
pub(in super::super) fn depth_to_space(call: &Call) -> Outputs {
    blocks(call, true)
}

/// `SpaceToDepth`: blocks of positions become channels.
pub(in super::super) fn space_to_depth(call: &Call) -> Outputs {
    blocks(call, false)
}

/// `Compress(x, condition)`: as many elements along `axis` as the condition holds, or in one
/// dimension without `axis`.
pub(in super::super) fn compress(call: &Call) -> Outputs {
    let count = call.contents(1)?.iter().filter(|x| **x != 0.0).count() as u64;
    let mut shape = call.shape(0)?.clone();
    match call.int("axis") {
        Some(axis) => {
            let axis = call.axis(axis, shape.len())?;
            shape[axis] = count;
        }
        None => shape = vec![count],
    }
    shaped(call, shape)
}

/// `CenterCropPad(x, shape)`: the extents of `axes` become those of `shape`.
pub(in super::super) fn center_crop_pad(call: &Call) -> Outputs {
    let mut shape = call.shape(0)?.clone();
    let to = sizes(call, &call.integers(1)?)?;
    let axes = match call.ints("axes") {
        Some(axes) => axes.to_vec(),
        None => (0..shape.len() as i64).collect(),
    };
    for (&axis, &dim) in axes.iter().zip(&to) {
        let axis = call.axis(axis, shape.len())?;
        shape[axis] = dim;
    }
    shaped(call, shape)
}
