//! The formats in which a checkpoint stores weights.
//!
//! A quantised weight takes its bits and its share of the scale and the zero of its group:
//! `bits + (scale bits + zero bits) / group size`. Neither scales nor zeros are parameters.

use super::layer::Layer;
use super::total::Model;
use crate::quantity::system::data::byte;
use crate::quantity::{Data, Precision};

/// How a checkpoint stores its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Storage {
    /// The format in words: `gptq, 4 bits in groups of 128`.
    pub name: String,
    /// True if weights are packed, so that an engine serves them as they are stored whatever the
    /// format of activations.
    pub packed: bool,
    /// The format of products, where activations are quantised as well.
    pub products: Option<Precision>,
}

/// The storage of one weight.
pub fn bits(bits: f64) -> Data {
    Data::new::<byte>(bits / 8.0)
}

impl Layer {
    /// The weights that the layer owns, as stored; at `element` bytes where the file does not say.
    pub fn stored_data(&self, element: Data) -> Data {
        self.weight_data(self.stored.unwrap_or(element))
    }
}

impl Model {
    /// All weights as stored; at `element` bytes each where the file does not say.
    pub fn stored_data(&self, element: Data) -> Data {
        self.layers.iter().fold(Data::default(), |sum, layer| sum + layer.stored_data(element))
    }
}
