//! The compress section: the model as it is served.
//!
//! Weights run in the format that `compress` asks for, or as the checkpoint packs them, or in the
//! service's precision, in this order. Products run in the narrowest of these formats for which the
//! device has a peak.

use std::collections::BTreeMap;

use flopcast_core::catalog::Accelerator;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::estimate::plan::Choice;
use flopcast_core::model::compress::{Compressed, Compression, Format, Target};
use flopcast_core::model::{AttentionCount, Model, Role};
use flopcast_core::provenance::{Basis, Input};
use flopcast_core::quantity::{Data, DeviceFlopRate, Flop, Precision, show};
use flopcast_core::serving::network;
use flopcast_core::serving::plan::{GroupFormat, Quantized, Reached};

use super::super::file::{Inference, ScenarioFile};
use super::Notes;

/// The model as a service runs it.
pub(super) struct Served {
    model: Compressed,
    target: Target,
    words: String,
    /// The format that the scenario names; products may run in a wider one.
    precision: Precision,
    /// Weights stay as the file packs them; the format that their products run in.
    packed: Option<Precision>,
}

impl Served {
    /// Compresses the model for the device of the service.
    ///
    /// # Errors
    /// If the compression asks for a teacher, for groups that the model lacks, or for formats that
    /// the device lacks.
    pub(super) fn new(
        file: &ScenarioFile,
        service: &Inference,
        device: &Accelerator,
        model: &Model,
    ) -> Result<Self> {
        let plain = Compression::default();
        let asked = file.compress.as_ref();
        let compression = asked.map_or(&plain, |asked| &asked.value);
        let place = asked.map_or(&service.precision.place, |asked| &asked.place);
        let build = || {
            if compression.teacher.is_some() {
                return Err(Error::input("a run that learns from a teacher is a training recipe")
                    .hint("`training: {recipe: distill, teacher: MODEL}`"));
            }
            let precision = service.precision.value;
            let products = device.products(precision)?;
            let stored = model.storage.as_ref().filter(|storage| storage.packed);
            let stored =
                stored.map(|storage| storage.products.filter(|it| device.peak(*it).is_ok()));
            let model = Compressed::new(model, products, compression)?;
            let target = Target::new(device, products, compression)?;
            let words = compression.words();
            let packed = stored
                .filter(|_| {
                    words.is_empty() && matches!(precision, Precision::Bf16 | Precision::Fp16)
                })
                .map(|it| it.unwrap_or(products));
            Ok(Self { model, target, words, precision, packed })
        };
        build().map_err(|error| error.at(Some(place)))
    }

    /// The layers that remain of the model.
    pub(super) fn model(&self) -> &Model {
        &self.model.model
    }

    /// Matmul FLOPs that the device runs for one forward pass.
    pub(super) fn flops(&self) -> Flop {
        self.model.run(AttentionCount::Causal, &self.target).0
    }

    /// All weights in bytes, as the device keeps them.
    pub(super) fn weights(&self) -> Input<Data> {
        let size = self.precision.size();
        let formula = match &self.model().storage {
            Some(storage) if self.packed.is_some() => {
                format!("{} as stored: {}", self.model().name, storage.name)
            }
            _ if self.words.is_empty() => {
                format!("{} parameters x {}", self.model().parameters().total, show(size))
            }
            _ => format!("{} after {}", self.model().name, self.words),
        };
        let weights = match (self.packed.is_some(), self.words.is_empty()) {
            (true, _) => self.model().stored_data(size),
            (false, true) => self.model().weight_data(size),
            (false, false) => self.model.weight_data(Some(&self.target)),
        };
        Input::new("weights", weights, Basis::Derived { formula })
    }

    /// The formats of routed experts and of the other weights, where they are not all `precision`;
    /// the head and the embedding are left out.
    pub(super) fn formats(&self) -> Option<Quantized> {
        if let Some(products) = self.packed {
            return self.stored(products);
        }
        if self.words.is_empty() {
            return None;
        }
        let takes = self.model.takes(AttentionCount::Causal, Some(&self.target));
        let layers = || self.model.model.layers.iter().zip(&self.model.forms).zip(&takes);
        let format = |of: &dyn Fn(Role) -> bool| {
            let (mut weights, mut parameters) = (Data::default(), 0);
            let mut products: BTreeMap<Precision, u64> = BTreeMap::new();
            for ((layer, form), take) in layers().filter(|((layer, _), _)| of(layer.role)) {
                let kept = layer.parameters();
                weights += take.weights;
                parameters += kept;
                let precision = form.format.and_then(Format::products);
                *products.entry(precision.unwrap_or(self.model.precision)).or_default() += kept;
            }
            let most = products.into_iter().max_by_key(|(_, parameters)| *parameters);
            most.filter(|_| parameters > 0)
                .map(|(products, _)| GroupFormat { weight: weights / parameters as f64, products })
        };
        let rest = format(&|role| !matches!(role, Role::Experts | Role::Head | Role::Embedding))?;
        let experts = format(&|role| role == Role::Experts).unwrap_or(rest);
        Some(Quantized { experts, rest })
    }

    /// The formats of weights that stay as they are stored, with products in this format.
    fn stored(&self, products: Precision) -> Option<Quantized> {
        let model = self.model();
        let format = |of: &dyn Fn(Role) -> bool| {
            let (mut data, mut parameters) = (Data::default(), 0);
            for layer in model.layers.iter().filter(|layer| of(layer.role)) {
                data += layer.stored_data(self.precision.size());
                parameters += layer.parameters();
            }
            (parameters > 0).then(|| GroupFormat { weight: data / parameters as f64, products })
        };
        let rest = format(&|role| !matches!(role, Role::Experts | Role::Head | Role::Embedding))?;
        let experts = format(&|role| role == Role::Experts).unwrap_or(rest);
        Some(Quantized { experts, rest })
    }

    /// Dense peak of the formats that the products run in: the mean over their FLOPs where they
    /// differ.
    pub(super) fn peak(&self, device: &Accelerator) -> Result<Input<DeviceFlopRate>> {
        let precision = self.model.precision;
        let peak = device.peak(precision)?;
        if self.words.is_empty() {
            return Ok(peak.input(format!("dense {precision} peak of {}", device.id)));
        }
        let (_, rate) = self.model.run(AttentionCount::Causal, &self.target);
        let formula = format!(
            "dense peaks of {} in the formats after {}, weighted by their share of the prompt's time",
            device.id, self.words
        );
        Ok(Input::new(format!("dense peak of {}", device.id), rate, Basis::Derived { formula }))
    }

    /// The share of the device that the model reaches, answering in one pass.
    ///
    /// # Errors
    /// As [`network::reached`].
    pub(super) fn reached(&self, device: &Accelerator) -> Result<Reached> {
        network::reached(&self.model, &self.target, device, self.precision)
    }

    /// Notes the choices that were made, and warns of what the forecast leaves out.
    pub(super) fn note(&self, device: &Accelerator, notes: &mut Notes) {
        if let Some(storage) = self.model().storage.as_ref().filter(|_| self.packed.is_some()) {
            notes.choices.push(Choice {
                path: "model.weights",
                value: storage.name.clone(),
                why: format!(
                    "the checkpoint stores them so; {} is the format of activations",
                    self.precision
                ),
            });
        }
        if self.model.precision != self.precision {
            notes.choices.push(Choice {
                path: "format of products",
                value: self.model.precision.to_string(),
                why: format!(
                    "{} has no {} products: weights alone are stored so",
                    device.id, self.precision
                ),
            });
        }
        if self.words.is_empty() {
            return;
        }
        notes.warnings.push(format!(
            "{}: what it costs in quality, and in calibration or further training, is not forecast",
            self.words
        ));
        if !self.target.skips_zeros && self.model.forms.iter().any(|form| form.sparse) {
            notes.warnings.push(format!(
                "{} is not known to skip zeros: 2:4 saves it no time and no bytes",
                device.id
            ));
        }
    }
}
