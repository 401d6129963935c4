//! The part of the ONNX schema that a cost model needs (onnx/onnx, `onnx.proto3`, IR version 13).
//!
//! Messages that a file can repeat stay bytes until someone looks at them, so a file cannot make
//! the reader build more than it uses; weights are slices of the file, never copies.

use flopcast_core::diagnostic::{Error, Result};
use prost::Message;
use prost::bytes::Bytes;

/// A file.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ModelProto {
    /// The model's [`GraphProto`].
    #[prost(bytes = "bytes", optional, tag = "7")]
    pub(super) graph: Option<Bytes>,
    /// [`FunctionProto`]s.
    #[prost(bytes = "bytes", repeated, tag = "25")]
    pub(super) functions: Vec<Bytes>,
}

/// A graph: the model's, or the body of a control-flow node.
#[derive(Clone, PartialEq, Message)]
pub(super) struct GraphProto {
    /// [`NodeProto`]s in an order in which they can run.
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub(super) node: Vec<Bytes>,
    /// The graph's name.
    #[prost(string, tag = "2")]
    pub(super) name: String,
    /// [`TensorProto`]s.
    #[prost(bytes = "bytes", repeated, tag = "5")]
    pub(super) initializer: Vec<Bytes>,
    /// [`ValueInfoProto`]s: inputs of the graph.
    #[prost(bytes = "bytes", repeated, tag = "11")]
    pub(super) input: Vec<Bytes>,
    /// [`ValueInfoProto`]s: outputs of the graph.
    #[prost(bytes = "bytes", repeated, tag = "12")]
    pub(super) output: Vec<Bytes>,
    /// [`ValueInfoProto`]s: values in between, as far as the exporter states them.
    #[prost(bytes = "bytes", repeated, tag = "13")]
    pub(super) value_info: Vec<Bytes>,
    /// [`SparseTensorProto`]s.
    #[prost(bytes = "bytes", repeated, tag = "15")]
    pub(super) sparse_initializer: Vec<Bytes>,
}

/// A node: one operator applied to named values.
#[derive(Clone, PartialEq, Message)]
pub(super) struct NodeProto {
    /// Names of the values that it reads; an empty name leaves an optional input out.
    #[prost(string, repeated, tag = "1")]
    pub(super) input: Vec<String>,
    /// Names of the values that it writes.
    #[prost(string, repeated, tag = "2")]
    pub(super) output: Vec<String>,
    /// The node's own name, which may be empty.
    #[prost(string, tag = "3")]
    pub(super) name: String,
    /// The operator, or the function of the file.
    #[prost(string, tag = "4")]
    pub(super) op_type: String,
    /// [`AttributeProto`]s.
    #[prost(bytes = "bytes", repeated, tag = "5")]
    pub(super) attribute: Vec<Bytes>,
    /// The domain of the operator: empty for the ONNX standard.
    #[prost(string, tag = "7")]
    pub(super) domain: String,
}

/// A named setting of a node; which field is meant follows from the operator.
#[derive(Clone, PartialEq, Message)]
pub(super) struct AttributeProto {
    /// The setting's name.
    #[prost(string, tag = "1")]
    pub(super) name: String,
    /// A number.
    #[prost(float, optional, tag = "2")]
    pub(super) f: Option<f32>,
    /// An integer.
    #[prost(int64, optional, tag = "3")]
    pub(super) i: Option<i64>,
    /// A text, as bytes.
    #[prost(bytes = "bytes", optional, tag = "4")]
    pub(super) s: Option<Bytes>,
    /// A [`TensorProto`].
    #[prost(bytes = "bytes", optional, tag = "5")]
    pub(super) t: Option<Bytes>,
    /// A [`GraphProto`].
    #[prost(bytes = "bytes", optional, tag = "6")]
    pub(super) g: Option<Bytes>,
    /// A list of numbers.
    #[prost(float, repeated, tag = "7")]
    pub(super) floats: Vec<f32>,
    /// A list of integers.
    #[prost(int64, repeated, tag = "8")]
    pub(super) ints: Vec<i64>,
    /// In a function's body: the caller's attribute that this one repeats.
    #[prost(string, tag = "21")]
    pub(super) ref_attr_name: String,
}

/// A tensor without its data, which may be absent anyway (`external_data`).
#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorProto {
    /// Sizes, outermost first.
    #[prost(int64, repeated, tag = "1")]
    pub(super) dims: Vec<i64>,
    /// Element type by its number in `TensorProto.DataType`.
    #[prost(int32, tag = "2")]
    pub(super) data_type: i32,
    /// The tensor's name.
    #[prost(string, tag = "8")]
    pub(super) name: String,
}

/// The data of a small [`TensorProto`], in whichever field its writer chose.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorDataProto {
    /// Elements of a float tensor.
    #[prost(float, repeated, tag = "4")]
    pub(super) float: Vec<f32>,
    /// Also bool and the 8- and 16-bit types.
    #[prost(int32, repeated, tag = "5")]
    pub(super) int32: Vec<i32>,
    /// Elements of a 64-bit integer tensor.
    #[prost(int64, repeated, tag = "7")]
    pub(super) int64: Vec<i64>,
    /// Elements of any type, little-endian.
    #[prost(bytes = "bytes", tag = "9")]
    pub(super) raw: Bytes,
    /// Elements of a double tensor.
    #[prost(double, repeated, tag = "10")]
    pub(super) double: Vec<f64>,
    /// Elements of unsigned 32- and 64-bit tensors.
    #[prost(uint64, repeated, tag = "11")]
    pub(super) uint64: Vec<u64>,
}

/// A tensor of which only some elements are stored.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SparseTensorProto {
    /// The elements that are stored, and the tensor's name.
    #[prost(message, optional, tag = "1")]
    pub(super) values: Option<TensorProto>,
    /// Sizes of the whole tensor.
    #[prost(int64, repeated, tag = "3")]
    pub(super) dims: Vec<i64>,
}

/// Name and type of a value.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ValueInfoProto {
    /// The value's name.
    #[prost(string, tag = "1")]
    pub(super) name: String,
    /// The value's type, if it is stated.
    #[prost(message, optional, tag = "2")]
    pub(super) r#type: Option<TypeProto>,
}

/// A type; only tensors are of interest.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TypeProto {
    /// The tensor's type; `None` for sequences and the like.
    #[prost(message, optional, tag = "1")]
    pub(super) tensor: Option<TensorTypeProto>,
}

/// Element type and shape; no shape means an unknown rank.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorTypeProto {
    /// Element type by its number in `TensorProto.DataType`.
    #[prost(int32, tag = "1")]
    pub(super) elem_type: i32,
    /// The shape; `None` for an unknown rank.
    #[prost(message, optional, tag = "2")]
    pub(super) shape: Option<ShapeProto>,
}

/// A shape.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ShapeProto {
    /// Dimensions, outermost first.
    #[prost(message, repeated, tag = "1")]
    pub(super) dim: Vec<DimensionProto>,
}

/// One dimension: a size, a symbol, or (neither) unknown.
#[derive(Clone, PartialEq, Message)]
pub(super) struct DimensionProto {
    /// The size, if it is fixed.
    #[prost(int64, optional, tag = "1")]
    pub(super) value: Option<i64>,
    /// The symbol, if it has one.
    #[prost(string, optional, tag = "2")]
    pub(super) param: Option<String>,
}

/// A function defined in the file; a node calls it as if it were an operator.
#[derive(Clone, PartialEq, Message)]
pub(super) struct FunctionProto {
    /// The function's name, which nodes use as their operator.
    #[prost(string, tag = "1")]
    pub(super) name: String,
    /// Names of its inputs.
    #[prost(string, repeated, tag = "4")]
    pub(super) input: Vec<String>,
    /// Names of its outputs.
    #[prost(string, repeated, tag = "5")]
    pub(super) output: Vec<String>,
    /// [`NodeProto`]s.
    #[prost(bytes = "bytes", repeated, tag = "7")]
    pub(super) node: Vec<Bytes>,
    /// Its domain.
    #[prost(string, tag = "10")]
    pub(super) domain: String,
    /// [`AttributeProto`]s with their defaults.
    #[prost(bytes = "bytes", repeated, tag = "11")]
    pub(super) attribute_proto: Vec<Bytes>,
}

/// Reads one message; `what` names it in the error.
///
/// # Errors
/// If the bytes are no such message.
pub(super) fn decode<M: Message + Default>(bytes: &Bytes, what: &str) -> Result<M> {
    M::decode(bytes.clone()).map_err(|error| {
        Error::input(format!("{what} is not readable: {error}"))
            .hint("is it an ONNX file (protobuf), and complete?")
    })
}

/// Reads each of a list of messages.
pub(super) fn decode_all<'a, M: Message + Default>(
    list: &'a [Bytes],
    what: &'a str,
) -> impl Iterator<Item = Result<M>> + 'a {
    list.iter().map(move |bytes| decode(bytes, what))
}
