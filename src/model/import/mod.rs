//! Architectures from files of other tools.

pub mod onnx;
