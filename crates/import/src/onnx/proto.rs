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
    #[prost(string, tag = "2")]
    pub(super) name: String,
    /// [`TensorProto`]s.
    #[prost(bytes = "bytes", repeated, tag = "5")]
    pub(super) initializer: Vec<Bytes>,
    /// [`ValueInfoProto`]s.
    #[prost(bytes = "bytes", repeated, tag = "11")]
    pub(super) input: Vec<Bytes>,
    /// [`ValueInfoProto`]s.
    #[prost(bytes = "bytes", repeated, tag = "12")]
    pub(super) output: Vec<Bytes>,
    /// [`ValueInfoProto`]s.
    #[prost(bytes = "bytes", repeated, tag = "13")]
    pub(super) value_info: Vec<Bytes>,
    /// [`SparseTensorProto`]s.
    #[prost(bytes = "bytes", repeated, tag = "15")]
    pub(super) sparse_initializer: Vec<Bytes>,
}

/// A node: one operator applied to named values.
#[derive(Clone, PartialEq, Message)]
pub(super) struct NodeProto {
    #[prost(string, repeated, tag = "1")]
    pub(super) input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub(super) output: Vec<String>,
    #[prost(string, tag = "3")]
    pub(super) name: String,
    #[prost(string, tag = "4")]
    pub(super) op_type: String,
    /// [`AttributeProto`]s.
    #[prost(bytes = "bytes", repeated, tag = "5")]
    pub(super) attribute: Vec<Bytes>,
    #[prost(string, tag = "7")]
    pub(super) domain: String,
}

/// A named setting of a node; which field is meant follows from the operator.
#[derive(Clone, PartialEq, Message)]
pub(super) struct AttributeProto {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(float, optional, tag = "2")]
    pub(super) f: Option<f32>,
    #[prost(int64, optional, tag = "3")]
    pub(super) i: Option<i64>,
    #[prost(bytes = "bytes", optional, tag = "4")]
    pub(super) s: Option<Bytes>,
    /// A [`TensorProto`].
    #[prost(bytes = "bytes", optional, tag = "5")]
    pub(super) t: Option<Bytes>,
    /// A [`GraphProto`].
    #[prost(bytes = "bytes", optional, tag = "6")]
    pub(super) g: Option<Bytes>,
    #[prost(float, repeated, tag = "7")]
    pub(super) floats: Vec<f32>,
    #[prost(int64, repeated, tag = "8")]
    pub(super) ints: Vec<i64>,
    /// In a function's body: the caller's attribute that this one repeats.
    #[prost(string, tag = "21")]
    pub(super) ref_attr_name: String,
}

/// A tensor without its data, which may be absent anyway (`external_data`).
#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorProto {
    #[prost(int64, repeated, tag = "1")]
    pub(super) dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub(super) data_type: i32,
    #[prost(string, tag = "8")]
    pub(super) name: String,
}

/// The data of a small [`TensorProto`], in whichever field its writer chose.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorDataProto {
    #[prost(float, repeated, tag = "4")]
    pub(super) float: Vec<f32>,
    /// Also bool and the 8- and 16-bit types.
    #[prost(int32, repeated, tag = "5")]
    pub(super) int32: Vec<i32>,
    #[prost(int64, repeated, tag = "7")]
    pub(super) int64: Vec<i64>,
    /// Little-endian.
    #[prost(bytes = "bytes", tag = "9")]
    pub(super) raw: Bytes,
    #[prost(double, repeated, tag = "10")]
    pub(super) double: Vec<f64>,
    #[prost(uint64, repeated, tag = "11")]
    pub(super) uint64: Vec<u64>,
}

/// A tensor of which only some elements are stored.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SparseTensorProto {
    #[prost(message, optional, tag = "1")]
    pub(super) values: Option<TensorProto>,
    #[prost(int64, repeated, tag = "3")]
    pub(super) dims: Vec<i64>,
}

/// Name and type of a value.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ValueInfoProto {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, optional, tag = "2")]
    pub(super) r#type: Option<TypeProto>,
}

/// A type; only tensors are of interest.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TypeProto {
    #[prost(message, optional, tag = "1")]
    pub(super) tensor: Option<TensorTypeProto>,
}

/// Element type and shape; no shape means an unknown rank.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorTypeProto {
    #[prost(int32, tag = "1")]
    pub(super) elem_type: i32,
    #[prost(message, optional, tag = "2")]
    pub(super) shape: Option<ShapeProto>,
}

/// A shape.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ShapeProto {
    #[prost(message, repeated, tag = "1")]
    pub(super) dim: Vec<DimensionProto>,
}

/// One dimension: a size, a symbol, or (neither) unknown.
#[derive(Clone, PartialEq, Message)]
pub(super) struct DimensionProto {
    #[prost(int64, optional, tag = "1")]
    pub(super) value: Option<i64>,
    #[prost(string, optional, tag = "2")]
    pub(super) param: Option<String>,
}

/// A function defined in the file; a node calls it as if it were an operator.
#[derive(Clone, PartialEq, Message)]
pub(super) struct FunctionProto {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, repeated, tag = "4")]
    pub(super) input: Vec<String>,
    #[prost(string, repeated, tag = "5")]
    pub(super) output: Vec<String>,
    /// [`NodeProto`]s.
    #[prost(bytes = "bytes", repeated, tag = "7")]
    pub(super) node: Vec<Bytes>,
    #[prost(string, tag = "10")]
    pub(super) domain: String,
    /// [`AttributeProto`]s with their defaults.
    #[prost(bytes = "bytes", repeated, tag = "11")]
    pub(super) attribute_proto: Vec<Bytes>,
}

/// Reads one message.
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
