//! Architectures as data.
//!
//! One language of layers, conditions, repetitions and expressions serves the families of Hugging
//! Face configurations, the presets in `models/` and the layer lists of scenarios.
//! `docs/adding-a-model.md` teaches it.

mod builder;
mod expression;
mod family;
mod node;
mod operators;
mod value;

pub use builder::{Config, build, head_part};
pub use expression::{Expression, Failure, Names};
pub use family::{Template, bases, chain, known_types, preset, presets};
pub use value::Value;
