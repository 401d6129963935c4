//! The architecture of an ONNX file: every node's shape, operators, parameters.
//!
//! The weights need not be there: files whose tensors are external are read as they are. A graph is
//! walked node by node as it would run (`graph`), with shapes (`shape`) and the small integers that
//! shapes are computed with (`fold`) in place of data. `operators` lists the operators that are
//! understood, and `lower` turns nodes into this crate's operators.
//!
//! Every read is bounded: node runs (with loops unrolled), depth of bodies, rank, size of contents
//! that are kept and computed with, and tensors of a sequence. A file above a bound is refused, or
//! its values become unknown and are listed; it never takes unbounded time or memory.

#![allow(clippy::cast_possible_wrap, reason = "ranks and small indices")]

mod call;
mod fold;
mod graph;
mod layers;
mod lower;
mod operators;
mod proto;
mod sequence;
mod shape;
mod sieve;
mod value;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::stored::Storage;
use flopcast_core::model::{Assumption, Bindings, Input, Model};
use flopcast_core::quantity::system::data::byte;
use prost::bytes::Bytes;

pub(crate) use sieve::sieve;

use graph::Reader;
use proto::{GraphProto, ModelProto, ValueInfoProto, decode, decode_all};
use value::DataType;

/// Reads an ONNX file at the input that `bindings` fix.
///
/// Parameters are the elements of the file's floating-point initializers, each counted once;
/// exporters fold and drop some of those that training had. Products with a constant factor are
/// dense layers, the others products of activations.
///
/// # Errors
/// If the file is not ONNX or contradicts itself, or a dimension of an input has no size. Parts
/// that are merely unknown are listed in [`Model::unresolved`].
pub fn read(file: impl Into<Bytes>, bindings: &Bindings) -> Result<Model> {
    let model: ModelProto = decode(&file.into(), "the file")?;
    let Some(graph) = &model.graph else {
        return Err(Error::input("the file holds no graph").hint("is it an ONNX model?"));
    };
    let graph: GraphProto = decode(graph, "the graph")?;
    let functions = decode_all(&model.functions, "a function").collect::<Result<_>>()?;
    if bindings.iter().next().is_some() {
        refuse_unused(bindings, &graph)?;
    }
    let mut reader = Reader::new(bindings, functions);
    let inputs = reader.run(&graph)?;

    let chosen = reader.chosen();
    let (layers, unresolved) = reader.finish();
    let layers = layers.finish();
    let gradients: Vec<bool> = layers.iter().map(|layer| layer.needs_input_gradient).collect();
    let batch = inputs.first().and_then(|(_, shape)| shape.first()).copied().unwrap_or(1);
    let input = Input { batch, ..Input::default() };
    let mut model = Model::new(graph.name, layers, input, None)?;
    // The graph itself shows where gradients flow, branches included.
    for (layer, gradient) in model.layers.iter_mut().zip(gradients) {
        layer.needs_input_gradient = gradient;
    }
    model.unresolved = unresolved;
    model.assumptions = inputs
        .into_iter()
        .map(|(name, shape)| Assumption {
            what: format!("input `{name}`"),
            value: format!("{shape:?}"),
            why: "the shape that the file states, its symbols bound".into(),
        })
        .collect();
    model.assumptions.extend(chosen.into_iter().map(|(branch, count)| Assumption {
        what: format!("{count} If"),
        value: branch.into(),
        why: "the branch that costs more, since the condition depends on the data: bind a condition \
              that is an input, --bind NAME=1, to choose"
            .into(),
    }));
    if model.layers.iter().any(|layer| layer.stored.is_some()) {
        model.storage = Some(storage(&model));
    }
    model.assumptions.push(Assumption {
        what: "parameters".into(),
        value: model.parameters().total.to_string(),
        why: "elements of the floating-point tensors in the file: exporters fold norms into \
              convolutions and drop what the output does not need"
            .into(),
    });
    Ok(model)
}

/// How the weights of a file are stored, by the bits of most of them.
fn storage(model: &Model) -> Storage {
    let mut bits: BTreeMap<u64, u64> = BTreeMap::new();
    for layer in &model.layers {
        if let Some(stored) = layer.stored {
            let wide = (stored.get::<byte>() * 8.0).round() as u64;
            let sum = bits.entry(wide).or_default();
            *sum = sum.saturating_add(layer.parameters());
        }
    }
    let most = bits.iter().max_by_key(|(_, parameters)| **parameters).map_or(32, |(wide, _)| *wide);
    Storage { name: format!("onnx, most in {most} bits"), packed: most < 16, products: None }
}

/// Refuses a binding of a dimension that the file does not mention, which must be a slip.
fn refuse_unused(bindings: &Bindings, graph: &GraphProto) -> Result<()> {
    let (mut symbols, mut places) = (BTreeSet::new(), BTreeSet::new());
    for info in decode_all::<ValueInfoProto>(&graph.input, "an input")
        .chain(decode_all(&graph.value_info, "a value"))
    {
        let ValueInfoProto { name, r#type } = info?;
        let tensor = r#type.and_then(|it| it.tensor);
        // A truth and a whole number are bound by the name of their input.
        if tensor.as_ref().is_some_and(|tensor| DataType(tensor.elem_type).is_bound()) {
            places.insert(name.clone());
        }
        let shape = tensor.and_then(|tensor| tensor.shape);
        for (axis, dim) in shape.map(|shape| shape.dim).unwrap_or_default().into_iter().enumerate()
        {
            places.insert(format!("{name}.{axis}"));
            symbols.extend(dim.param);
        }
    }
    let known = |symbol: &str| symbols.contains(symbol) || places.contains(symbol);
    let Some(unknown) = bindings.iter().map(|(symbol, _)| symbol).find(|symbol| !known(symbol))
    else {
        return Ok(());
    };
    let error = Error::input(format!("no input has a dimension `{unknown}`"));
    let names: Vec<_> = symbols.iter().take(12).map(|name| format!("`{name}`")).collect();
    let names = names.join(", ");
    Err(if symbols.is_empty() {
        error.hint("all dimensions of this file are fixed")
    } else {
        error
            .hint(format!("its symbols are {names}"))
            .suggest(unknown, symbols.iter().map(String::as_str))
    })
}
