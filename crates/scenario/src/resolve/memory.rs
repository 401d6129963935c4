//! Bytes per parameter of a run, what a network needs at least, and the size of a checkpoint.

use flopcast_core::catalog::Accelerator;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::Model;
use flopcast_core::provenance::{Basis, Input};
use flopcast_core::quantity::{Data as Bytes, Devices, Measure, Precision, show};
use flopcast_core::training::state::{self, Offload, State};

use super::super::file::{Master, Offload as OffloadFile, Training};

/// Bytes per parameter: those of the framework and the optimizer, with what the scenario says of
/// formats, and frozen weights as they are stored.
///
/// # Errors
/// If the core has no such optimizer.
pub(super) fn state(training: &Training) -> Result<State> {
    let framework = training.framework.as_ref().and_then(|it| state::formats(&it.value));
    let formats = framework.unwrap_or(&state::MIXED);
    let mut state = state::recipe(state::optimizer(training.optimizer.name())?, formats);
    let size = |precision: Precision| precision.size().value;
    let given = &training.formats;
    state.weights = given.weights.map_or(state.weights, size);
    state.gradients = given.gradients.map_or(state.gradients, size);
    if let Some(moments) = given.moments {
        state.moments *= size(moments) / formats.moment;
    }
    match given.master {
        None => {}
        Some(Master::None) => {
            // The gradients of weights that are trained as they are have their format.
            state.gradients = given.gradients.map_or(state.gradients.min(state.weights), size);
            (state.master, state.buffered) = (0.0, false);
        }
        Some(Master::Bf16) => state.master = 2.0,
        Some(Master::Fp32) => state.master = 4.0,
    }
    state.in_backward = training.optimizer_in_backward;
    state.offload = match training.offload {
        OffloadFile::None => Offload::Nothing,
        OffloadFile::Optimizer => Offload::Optimizer,
        OffloadFile::Weights => Offload::Weights,
    };
    // A base that adapters leave alone is stored in the format of the products.
    let stored = match training.precision.value {
        Precision::Fp8 | Precision::Int8 => 1.0,
        Precision::Fp4 => 0.5625,
        _ => 2.0,
    };
    let frozen = training.recipe.row().frozen_bytes.min(stored);
    state.frozen = if training.adapts() { frozen } else { 0.0 };
    Ok(state)
}

/// Bytes per parameter with the frozen models and the critic that lie beside the policy.
pub(super) fn beside(state: State, held: f64, training: &Training) -> State {
    let times = if training.recipe.row().critic { 2.0 } else { 1.0 };
    State {
        weights: times * state.weights,
        beside: 2.0 * held,
        gradients: times * state.gradients,
        master: times * state.master,
        moments: times * state.moments,
        ..state
    }
}

/// Refuses a model whose weights, gradients and state exceed all devices together: tables of
/// embeddings of a network at 4 bytes a number, with nothing beside, all else by the recipe, of which
/// weights that stay frozen are only stored.
/// Activations come on top, so what passes may still not fit.
///
/// # Errors
/// If it does not fit: the hint has the least number of devices.
pub(super) fn least_memory(
    model: &Model,
    device: &Accelerator,
    devices: Option<&Input<Devices>>,
    state: State,
    training: &Training,
) -> Result<()> {
    /// A maker's gigabyte of memory is 2^30 bytes.
    const GIB: f64 = 1.073_741_824;
    let (Some(memory), Some(devices)) = (&device.memory, devices) else { return Ok(()) };
    let parameters = model.parameters();
    let sparse = if model.extents.is_transformer() { 0 } else { parameters.embedding };
    let tables = sparse as f64 * 4.0;
    let gradients = if state.in_backward { 0.0 } else { state.gradients };
    let learned = match state.offload {
        Offload::Nothing => state.weights + gradients + state.optimizer(),
        Offload::Optimizer => state.weights + gradients,
        // A layer at a time comes from the host.
        Offload::Weights => return Ok(()),
    };
    let trained = if state.frozen > 0.0 { state.trained } else { 1.0 };
    let each = state.frozen + state.beside + trained * learned;
    let needed = tables + (parameters.total - sparse) as f64 * each;
    let there = memory.value.value * GIB * devices.value.value;
    if needed <= there {
        return Ok(());
    }
    let least = (needed / (memory.value.value * GIB)).ceil();
    let place = training.hardware.count.as_ref().map(|count| &count.place);
    Err(Error::limit(format!(
        "{} does not fit: weights, gradients and state take {}, the devices have {}",
        model.name,
        show(Bytes::from_stored(needed)),
        show(Bytes::from_stored(there))
    ))
    .at(place.or(Some(&training.precision.place)))
    .hint(format!("at least {least} devices, over which weights and state are spread"))
    .hint("or `training.offload: optimizer`, where the host keeps the state"))
}

/// Size of a checkpoint: trained parameters x (2 bytes of weights + the optimizer's state).
pub(super) fn checkpoint(state: State, model: &Model, trained: f64) -> Input<Bytes> {
    let bytes = 2.0 + state.optimizer();
    let size = bytes * trained * model.parameters().total as f64;
    let formula = format!("trained parameters x {bytes} B of weights and optimizer state");
    Input::new("size of a checkpoint", Bytes::from_stored(size), Basis::Derived { formula })
}

#[cfg(test)]
mod tests {
    use flopcast_core::training::state;

    use super::super::super::file::Optimizer;

    #[test]
    fn every_optimizer_has_a_row() {
        for optimizer in Optimizer::ALL {
            assert_eq!(state::optimizer(optimizer.name()).unwrap().name, optimizer.name());
        }
        assert_eq!(Optimizer::ALL.len(), state::OPTIMIZERS.len());
    }
}
