//! The memory of a network over samples, and the samples that a device takes at once.

use flopcast_core::catalog::Accelerator;
use flopcast_core::diagnostic::Result;
use flopcast_core::model::Model;
use flopcast_core::quantity::Devices;
use flopcast_core::training::memory::{Held, of_network};
use flopcast_core::training::parallelism::{Parallelism, Zero};
use flopcast_core::training::state::State;

use super::super::file::Training;
use super::prediction;

/// Samples that a device takes at once, where nobody says.
const SAMPLES: f64 = 128.0;
/// The same of a network that mostly looks up rows of tables: `MLPerf` Training's DLRM took 55,296 on
/// eight devices (v0.7, NVIDIA).
const LOOKED_UP: f64 = 6912.0;

/// The samples that each device of a network takes in a step: its part of the batch, or a usual number.
fn samples(training: &Training, model: &Model, devices: Option<Devices>) -> f64 {
    let batch = training.global_batch.as_ref().map(|it| it.spread.central().value);
    let each = batch.zip(devices).map(|(batch, devices)| batch / devices.value);
    let parameters = model.parameters();
    let usual = if 2 * parameters.embedding > parameters.total { LOOKED_UP } else { SAMPLES };
    each.unwrap_or(usual).max(1.0)
}

/// A network on its devices: whole copies of it with parts of the batch, or with states shared out as the
/// scenario says; weights shared out where a copy does not fit with one sample. What does not fit at
/// once is accumulated over 2, 4, 8... parts. With it, the samples at once; no memory where that of the
/// device is unknown.
///
/// # Errors
/// If the layout does not divide the devices.
pub(super) fn held(
    training: &Training,
    device: &Accelerator,
    model: &Model,
    devices: Option<Devices>,
    state: State,
) -> Result<(f64, Option<Held>)> {
    let part = samples(training, model, devices);
    let Some(capacity) = &device.memory else { return Ok((part, None)) };
    let count = devices.map_or(1.0, |it| it.value).max(1.0) as u64;
    let place = &training.precision.place;
    let given = prediction::layout(training, count, place)?.map(|layout| layout.value);
    let stated = training.parallelism.as_ref().is_some_and(|it| it.value.zero.is_some());
    let element = training.precision.value.size().value.max(2.0);
    let with = |zero: Zero, samples: f64| {
        let micro_batch = samples.ceil() as u64;
        let layout = Parallelism { data: count, zero, micro_batch, ..Parallelism::SINGLE };
        Held { layout, memory: of_network(model, &layout, state, element, capacity.value) }
    };
    let zero = given.filter(|_| stated).map_or(Zero::Off, |it| it.zero);
    let whole = stated || count == 1 || with(zero, 1.0).memory.fits();
    let zero = if whole { zero } else { Zero::Weights };
    let micro = training.parallelism.as_ref().and_then(|it| it.value.micro_batch);
    if let Some(samples) = micro {
        return Ok((samples as f64, Some(with(zero, samples as f64))));
    }
    let mut at_once = part;
    while at_once > 1.0 && !with(zero, at_once).memory.fits() {
        at_once = (at_once / 2.0).max(1.0);
    }
    Ok((at_once, Some(with(zero, at_once))))
}
