//! What a forward pass leaves behind for the backward pass.
//!
//! A gradient needs the input of a product, of a norm and of a curved function, both operands of a
//! product of activations, and the output of a function whose slope it gives (`ReLU`, softmax). A sum
//! needs nothing. Each tensor is kept once, whoever needs it: layers are walked in the order in which
//! they run, and a tensor is known by its size. Automatic differentiation as in `PyTorch`; a
//! compiler that computes functions anew keeps less.

use super::layer::Layer;
use super::operator::{Function, NormKind, Operator};

/// Elements that the backward pass reads of one forward pass.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Kept {
    /// Those in the format of the products.
    pub plain: f64,
    /// Inputs of norms over features, which mixed precision computes in fp32 with the sums before them.
    pub wide: f64,
    /// Places of the maxima of pools, and masks.
    pub places: f64,
}

impl Kept {
    /// Bytes of all, with elements of `element` bytes: places are 64-bit indices.
    pub fn bytes(&self, element: f64) -> f64 {
        self.plain * element + self.wide * element.max(4.0) + self.places * 8.0
    }
}

/// A tensor of the forward pass: its elements, and whether it is kept.
struct Tensor {
    elements: f64,
    kept: bool,
}

/// The tensors that were written so far, and how many runs wrote a kept one of each size: a model lists
/// layers that are alike once, so that a writer may stand before or behind its reader.
#[derive(Default)]
struct Tensors {
    all: Vec<Tensor>,
    written: Vec<(f64, f64)>,
}

impl Tensors {
    /// The tensors of outputs that are kept anyway.
    fn of(layers: &[Layer]) -> Self {
        let mut found = Self::default();
        for layer in layers.iter().filter(|layer| Needs::of(&layer.operator).output) {
            let (elements, times) = (layer.operator.written(), times(layer));
            match found.written.iter_mut().find(|it| same(it.0, elements)) {
                Some(known) => known.1 += times,
                None => found.written.push((elements, times)),
            }
        }
        found
    }

    /// Marks the input of so many runs of a norm or a curved function as kept: whatever else is kept, it
    /// is a tensor of its own. Gives the runs that keep a new one.
    fn own(&mut self, elements: f64, times: f64) -> f64 {
        let open = self.all.iter_mut().rev().find(|it| !it.kept && same(it.elements, elements));
        if let Some(tensor) = open {
            tensor.kept = true;
        }
        times
    }

    /// The same of a product, which may read what another has read, or what a function keeps.
    fn shared(&mut self, elements: f64, times: f64) -> f64 {
        let left = self.written.iter_mut().find(|it| same(it.0, elements));
        let had = left.map_or(0.0, |it| {
            let taken = it.1.min(times);
            it.1 -= taken;
            taken
        });
        match self.all.iter_mut().rev().find(|it| same(it.elements, elements)) {
            Some(tensor) if tensor.kept => 0.0,
            Some(tensor) => {
                tensor.kept = true;
                times - had
            }
            None => {
                self.all.push(Tensor { elements, kept: true });
                times - had
            }
        }
    }
}

/// Runs of a layer's operator in one forward pass.
fn times(layer: &Layer) -> f64 {
    layer.count as f64 * layer.routing.map_or(1.0, |it| it.top_k as f64)
}

/// Elements kept of the layers of a model, for the samples that it is built for.
pub fn kept(layers: &[Layer]) -> Kept {
    let mut found = Kept::default();
    let mut tensors = Tensors::of(layers);
    for layer in layers.iter().filter(|layer| layer.count > 0) {
        let times = times(layer);
        let needs = Needs::of(&layer.operator);
        let mut new = 0.0;
        for elements in needs.inputs {
            new += elements
                * if needs.own {
                    tensors.own(elements, times)
                } else {
                    tensors.shared(elements, times)
                };
        }
        let written = layer.operator.written();
        if needs.output {
            new += written * times;
        }
        match &layer.operator {
            Operator::Norm(norm) if norm.kind != NormKind::Batch => found.wide += new,
            _ => found.plain += new,
        }
        found.places += needs.places * times;
        if written > 0.0 {
            tensors.all.push(Tensor { elements: written, kept: needs.output });
        }
    }
    found
}

/// Sizes that differ by rounding alone.
fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.max(b)
}

/// What the gradient of an operator reads.
#[derive(Default)]
struct Needs {
    /// Elements of each input that it reads.
    inputs: Vec<f64>,
    /// True if nothing else keeps these inputs.
    own: bool,
    /// True if it reads the output.
    output: bool,
    /// Indices that it reads.
    places: f64,
}

impl Needs {
    fn of(operator: &Operator) -> Self {
        let read = operator.read();
        let input = || Self { inputs: vec![read], ..Self::default() };
        let own = || Self { own: true, ..input() };
        match operator {
            Operator::Dense(_) | Operator::Convolution(_) | Operator::Scan(_) => input(),
            Operator::Norm(_) => own(),
            // Every gate of every step: four of a cell of an LSTM.
            Operator::Recurrent(it) => Self { inputs: vec![read, it.kept()], ..Self::default() },
            Operator::Attention(it) => {
                let [query, key, value] = it.operands();
                Self { inputs: vec![query, key, value], ..Self::default() }
            }
            Operator::Matmul(it) => Self { inputs: it.operands().to_vec(), ..Self::default() },
            Operator::Pool(it) if it.takes_the_largest() => {
                Self { places: operator.written(), ..own() }
            }
            Operator::Pointwise(it) => match it.function {
                Function::Relu
                | Function::Sigmoid
                | Function::Tanh
                | Function::Exponential
                | Function::Softmax => Self { output: true, ..Self::default() },
                Function::SquaredRelu
                | Function::Silu
                | Function::Gelu
                | Function::HardSwish
                | Function::HardSigmoid
                | Function::Softplus => own(),
                Function::Multiply => Self {
                    inputs: vec![it.elements as f64; it.operands as usize],
                    ..Self::default()
                },
                Function::Rotary
                | Function::Add
                | Function::Reduce
                | Function::Interpolate
                | Function::Other
                | Function::Fourier => Self::default(),
            },
            Operator::Pool(_)
            | Operator::Embedding(_)
            | Operator::Parameter(_)
            | Operator::Bulk(_) => Self::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Input, spec};

    /// Megabytes of one image that autograd keeps in mixed precision (bf16), counted with hooks on saved
    /// tensors of the models of timm 1.0.31 under `PyTorch` 2.15, each storage once, copies of weights
    /// left out.
    const SAVED: &[(&str, u64, f64)] = &[
        ("resnet18", 224, 11.9),
        ("resnet50", 224, 43.7),
        ("resnext50_32x4d", 224, 56.8),
        ("densenet121", 224, 65.9),
        ("efficientnet_b0", 224, 44.0),
        ("mnasnet1_0", 224, 22.1),
        ("vit_b_16", 224, 66.1),
        ("inception_v3", 299, 51.9),
    ];

    #[test]
    fn an_image_leaves_behind_what_autograd_keeps() {
        for (name, image, measured) in SAVED {
            let input = Input { image_size: Some(*image), ..Input::default() };
            let model = spec::from_preset(name, &input).unwrap();
            let found = kept(&model.layers).bytes(2.0) / 1e6 / model.input.batch.max(1) as f64;
            let error = found / measured - 1.0;
            assert!(error.abs() < 0.12, "{name}: {found} MB, {measured} measured");
        }
    }
}
