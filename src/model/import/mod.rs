//! Architectures from files of other tools.

pub mod hf;
pub mod onnx;
mod pattern;
pub mod safetensors;
