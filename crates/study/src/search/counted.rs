//! A model after compression: its sizes, and the time of a pass on each device.

use flopcast_core::catalog::Accelerator;
use flopcast_core::diagnostic::Result;
use flopcast_core::kernel::Device;
use flopcast_core::kernel::network::{Run, Setup, Task, Work};
use flopcast_core::model::compress::{Compressed, Compression, Form};
use flopcast_core::model::{AttentionCount, Model};
use flopcast_core::quantity::{Measure as _, Precision, Time};

use super::point::Points;

/// A device that passes are timed on.
pub(super) struct Timed {
    pub accelerator: Accelerator,
    pub setup: Setup,
}

/// A model after compression, counted.
pub(super) struct Counted {
    pub flops: f64,
    pub parameters: f64,
    pub memory: f64,
    pub compressed: bool,
    /// Time of a pass on each device.
    pub times: Vec<Time>,
}

impl Counted {
    /// Counts a model after compression.
    ///
    /// # Errors
    /// A group that the model lacks, a format that a device lacks.
    pub(super) fn new(
        model: &Model,
        points: &Points<'_>,
        compression: &Compression,
    ) -> Result<Self> {
        let precision = points.precision;
        let element = precision.size();
        let largest = |model: &Model| {
            let each =
                model.layers.iter().map(|layer| layer.operator.activations(element).stored());
            each.fold(0.0, f64::max)
        };
        let attention = AttentionCount::Causal;
        if compression.is_empty() {
            return Ok(Self {
                flops: model.forward(attention).matmul.stored(),
                parameters: model.parameters().total as f64,
                memory: model.weight_data(element).stored() + largest(model),
                compressed: false,
                times: times(points, &[(Form::default(), model)])?,
            });
        }
        let after = Compressed::new(model, precision, compression)?;
        let takes = after.takes(attention, None);
        let memory = after.weight_data(None).stored() + largest(&after.model);
        let forms = after.by_form();
        let forms: Vec<(Form, &Model)> = forms.iter().map(|(form, model)| (*form, model)).collect();
        Ok(Self {
            flops: takes.iter().map(|take| take.flops.matmul.stored()).sum(),
            parameters: takes.iter().map(|take| take.parameters as f64).sum(),
            memory,
            compressed: true,
            times: times(points, &forms)?,
        })
    }
}

/// The time of a pass on each device: the layers of each form by the peak of its products and the
/// bytes of its weights.
fn times(points: &Points<'_>, forms: &[(Form, &Model)]) -> Result<Vec<Time>> {
    let precision = points.precision;
    let samples = points.plan.batch as f64;
    let mut times = vec![Time::default(); points.devices.len()];
    for (form, model) in forms {
        // Devices that multiply in one format do the same work.
        let mut known: Vec<(Precision, Work)> = Vec::new();
        for (timed, time) in points.devices.iter().zip(&mut times) {
            let accelerator = &timed.accelerator;
            let Run { products, kept, weights } = Run::of(*form, accelerator, precision)?;
            let device = Device::of(accelerator, products)?;
            if !known.iter().any(|(of, _)| *of == products) {
                known.push((products, Work::of(model, products.size(), Task::Inference)));
            }
            let Some((_, work)) = known.iter().find(|(of, _)| *of == products) else { continue };
            let work = work.clone().with_weights(kept, weights);
            *time += timed.setup.cost(&work, &device).time(samples);
        }
    }
    Ok(times)
}
