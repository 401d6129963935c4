//! Architectures and their exact counts: operators at concrete shapes, layers of them, models.
//!
//! ```text
//! file or name -> Spec -> Config + Template -> Vec<Layer> -> Model -> parameters, FLOPs, Extents
//! ```
//! [`spec`] reads the ways in which a user names a model, [`names`] those of presets, [`config`] a
//! configuration of the Hub. [`template`] makes the layers of a family from a configuration.
//! [`operator`] holds the formulas, [`layer`] the number of times that an operator runs and the
//! weights that it owns, and [`Model`] adds them up. [`extents`] reads off the layers what memory,
//! parallelism and serving need; [`compress`] prunes and quantizes, [`adapt`] adds adapters.
//!
//! Counts are exact, not 6 N D: GPT-3 175B over 300B tokens of sequences of 2,048 is 3.23e23 FLOP
//! forward and backward if attention is counted in full, and 3.19e23 if only its causal half is.
//! Parameters are those of published checkpoints, to the unit.
//!
//! ```
//! use flopcast_core::model::{AttentionCount, Input, spec};
//! let model = spec::from_preset("llama-3-8b", &Input::default()).unwrap();
//! assert_eq!(model.parameters().total, 8_030_261_248);
//! assert!(model.forward(AttentionCount::Causal).total() < model.forward(AttentionCount::Full).total());
//! ```

pub mod adapt;
mod bindings;
pub mod compress;
pub mod config;
pub mod cost;
mod decode;
pub mod extents;
pub mod input;
mod kept;
pub mod layer;
pub mod names;
pub mod operator;
pub mod roofline;
pub mod sized;
pub mod spec;
pub mod stored;
pub mod template;
mod total;

pub use bindings::Bindings;
pub use cost::{Flops, Gradients};
pub use decode::Decode;
pub use extents::Extents;
pub use input::{AttentionCount, Input};
pub use kept::{Kept, kept};
pub use layer::{Layer, Part, Role, Routing};
pub use operator::Operator;
pub use spec::Spec;
pub use total::{Assumption, Model, Parameters, Unresolved};
