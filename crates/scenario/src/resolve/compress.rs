//! The compress section: the model as it is served.

use std::collections::BTreeMap;

use flopcast_core::catalog::Accelerator;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::compress::{Compressed, Compression, Format, Target};
use flopcast_core::model::{AttentionCount, Model, Role};
use flopcast_core::provenance::{Basis, Input};
use flopcast_core::quantity::{Data, DeviceFlopRate, Flop, Precision, show};
use flopcast_core::serving::plan::{GroupFormat, Quantized};

use super::super::file::{Inference, ScenarioFile};
use super::Notes;

/// The model as a service runs it.
pub(super) struct Served {
    model: Compressed,
    target: Target,
    words: String,
}

impl Served {
    /// Compresses the model for the device of the service.
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
            let model = Compressed::new(model, precision, compression)?;
            let target = Target::new(device, precision, compression)?;
            Ok(Self { model, target, words: compression.words() })
        };
        build().map_err(|error| error.at(Some(place)))
    }

    /// What of the model is left.
    pub(super) fn model(&self) -> &Model {
        &self.model.model
    }

    /// FLOPs that the device runs for one forward pass.
    pub(super) fn flops(&self) -> Flop {
        self.model.run(AttentionCount::Causal, &self.target).0
    }

    /// All weights as the device keeps them.
    pub(super) fn weights(&self) -> Input<Data> {
        let formula = if self.words.is_empty() {
            let (count, size) = (self.model().parameters().total, self.model.precision.size());
            format!("{count} parameters x {}", show(size))
        } else {
            format!("{} after {}", self.model().name, self.words)
        };
        let weights = self.model.weight_data(Some(&self.target));
        Input::new("weights", weights, Basis::Derived { formula })
    }

    /// The formats of routed experts and of the other weights, where they are not all `precision`;
    /// the head and the embedding are left out.
    pub(super) fn formats(&self) -> Option<Quantized> {
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

    /// Dense peak of the formats that the products run in.
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

    /// Tells what the forecast leaves out.
    pub(super) fn note(&self, device: &Accelerator, notes: &mut Notes) {
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
