//! Sequences of tensors, into which exporters turn lists of tensors of the original program.

use std::rc::Rc;

use super::call::{Call, Inferred, Stop};
use super::fold;
use super::shape::layout;
use super::value::{DataType, Origin, Value};

/// The most tensors of a sequence, above any list of a model's layers.
const MAX_ITEMS: usize = 4096;

/// True if an operator makes, changes or reads a sequence.
pub(super) fn is_sequence(operator: &str) -> bool {
    operator.contains("Sequence") && operator != "ReverseSequence"
}

/// The one output of an operator on sequences.
///
/// # Errors
/// If a tensor of it is unknown, the sequence is too long, or an index lies outside.
pub(super) fn run(call: &Call) -> Inferred<Rc<Value>> {
    match call.operator.as_str() {
        "SequenceEmpty" => list(call, vec![]),
        "SequenceConstruct" => list(call, call.inputs.iter().flatten().cloned().collect()),
        "SequenceInsert" => {
            let mut items = items(call)?.to_vec();
            let at = position(call, 2, items.len() + 1)?.unwrap_or(items.len());
            let item = call.inputs.get(1).cloned().flatten().ok_or(Stop::Unknown)?;
            items.insert(at, item);
            list(call, items)
        }
        "SequenceErase" => {
            let mut items = items(call)?.to_vec();
            let last = items.len().checked_sub(1).ok_or(Stop::Unknown)?;
            items.remove(position(call, 1, items.len())?.unwrap_or(last));
            list(call, items)
        }
        "SequenceAt" => {
            let items = items(call)?;
            let at = position(call, 1, items.len())?.ok_or(Stop::Unknown)?;
            Ok(Rc::clone(&items[at]))
        }
        "SequenceLength" => {
            let contents = Some([items(call)?.len() as f64].as_slice().into());
            Ok(Rc::new(Value { contents, ..Value::new(DataType::INT64, vec![]) }))
        }
        "SplitToSequence" => split(call),
        "ConcatFromSequence" => concat(call),
        _ => Err(Stop::Unknown),
    }
}

/// The tensors of the sequence at input 0.
fn items(call: &Call) -> Inferred<&[Rc<Value>]> {
    call.input(0)?.sequence.as_deref().ok_or(Stop::Unknown)
}

/// A sequence of tensors; sequences in sequences are refused.
fn list(call: &Call, items: Vec<Rc<Value>>) -> Inferred<Rc<Value>> {
    if items.len() > MAX_ITEMS {
        return Err(call.invalid(format!("a sequence of more than {MAX_ITEMS} tensors")));
    }
    if items.iter().any(|item| item.sequence.is_some()) {
        return Err(call.invalid("a sequence of sequences"));
    }
    let origin = items.iter().fold(Origin::default(), |all, item| all.join(item.origin));
    let data_type = items.first().map_or(DataType::FLOAT, |item| item.data_type);
    Ok(Rc::new(Value { sequence: Some(items.into()), origin, ..Value::unknown(data_type) }))
}

/// The position that input `index` states, within `count`.
fn position(call: &Call, index: usize, count: usize) -> Inferred<Option<usize>> {
    if call.optional(index).is_none() {
        return Ok(None);
    }
    let at = *call.integers(index)?.first().ok_or(Stop::Unknown)?;
    call.axis(at, count).map(Some)
}

/// `SplitToSequence(x, parts)`: parts of one size, of several, or of 1.
fn split(call: &Call) -> Inferred<Rc<Value>> {
    let from = call.ranked(0, 1)?;
    let axis = call.axis(call.int("axis").unwrap_or(0), from.len())?;
    let whole = from[axis];
    let parts: Vec<u64> = match call.optional(1) {
        None => equal(call, whole, 1)?,
        Some(parts) => match (parts.shape.as_deref(), call.integers(1)?.as_slice()) {
            (Some([]), &[each]) if each > 0 => equal(call, whole, each as u64)?,
            (Some([_]), sizes) => sizes
                .iter()
                .map(|&part| u64::try_from(part).map_err(|_| call.invalid("a negative part")))
                .collect::<Inferred<_>>()?,
            _ => return Err(call.invalid("parts of no size")),
        },
    };
    let squeeze = call.optional(1).is_none() && call.int("keepdims") == Some(0);
    let origin = Origin { parameter: None, ..call.input(0)?.origin };
    let item = |part: u64| {
        let mut shape = from.clone();
        if squeeze {
            shape.remove(axis);
        } else {
            shape[axis] = part;
        }
        Rc::new(Value { origin, ..Value::new(call.data_type(0), shape) })
    };
    list(call, parts.into_iter().map(item).collect())
}

/// Parts of `each`, the last of which may be smaller.
fn equal(call: &Call, whole: u64, each: u64) -> Inferred<Vec<u64>> {
    if whole.div_ceil(each) > MAX_ITEMS as u64 {
        return Err(call.invalid(format!("a sequence of more than {MAX_ITEMS} tensors")));
    }
    Ok((0..whole.div_ceil(each)).map(|index| each.min(whole - index * each)).collect())
}

/// `ConcatFromSequence(xs)`: joined along an axis, or stacked along a new one.
fn concat(call: &Call) -> Inferred<Rc<Value>> {
    let mut inputs = items(call)?.to_vec();
    let axis = call.int("axis").unwrap_or(0);
    if call.flag("new_axis") {
        for input in &mut inputs {
            let mut shape = input.shape.clone().ok_or(Stop::Unknown)?;
            shape.insert(call.axis(axis, shape.len() + 1)?, 1);
            *input = Rc::new(Value { shape: Some(shape), ..(**input).clone() });
        }
    }
    let joined = Call {
        operator: "Concat".into(),
        inputs: inputs.into_iter().map(Some).collect(),
        ..call.clone()
    };
    let mut output = layout::concat(&joined)?.swap_remove(0);
    output.contents = fold::contents(&joined, &output, 0);
    output.origin = Origin { parameter: None, ..call.input(0)?.origin };
    Ok(Rc::new(output))
}
