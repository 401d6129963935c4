//! How a replica is spread over devices: by the degrees that are given, or over the fewest devices
//! that hold the weights.
//!
//! tensor x pipeline x data devices make a replica. Data-parallel ranks exist inside a replica only
//! for models with experts, which they share.

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::Model;
use flopcast_core::provenance::{Basis, Input};
use flopcast_core::quantity::{Data, Devices, Measure};
use flopcast_core::serving::plan::Spread;

use super::super::file::ServingParallelism;
use super::super::reader::Located;
use super::assumed;

/// The degrees of a replica, and the devices that follow from them.
pub(super) struct Spreading {
    pub spread: Spread,
    pub devices: Input<Devices>,
}

/// Spreads a model over devices of which each offers `usable`; `weights` are its own and a draft's.
///
/// # Errors
/// If a degree is zero or beyond any replica, or the model or an engine cannot have it.
pub(super) fn over_devices(
    parallelism: Option<&Located<ServingParallelism>>,
    model: &Model,
    weights: Data,
    usable: Data,
) -> Result<Spreading> {
    let derived = |formula: &str| Basis::Derived { formula: formula.to_owned() };
    let Some(given) = parallelism else {
        let tensor = smallest_power_of_two(weights, usable);
        let devices = assumed(
            "inference.parallelism.tensor",
            Devices::from_stored(f64::from(tensor)),
            "the smallest power of two that holds the weights with room for the KV cache",
        );
        let spread = Spread { tensor, pipeline: 1, data: 1, whole_experts: false };
        return Ok(Spreading { spread, devices });
    };
    let refuse = |message: String| Err(Error::input(message).at(Some(&given.place)));
    let degrees = &given.value;
    let [tensor, pipeline, data] = [degrees.tensor, degrees.pipeline, degrees.data].map(|degree| {
        let degree = degree.unwrap_or(1);
        u32::try_from(degree).ok().filter(|degree| (1..=4096).contains(degree))
    });
    let (Some(tensor), Some(pipeline), Some(data)) = (tensor, pipeline, data) else {
        return refuse("a replica has from 1 to 4096 devices in each direction".to_owned());
    };
    let experts = model.layers.iter().any(|layer| layer.routing.is_some());
    if data > 1 && !experts {
        return refuse(format!(
            "{} has no experts that data-parallel ranks could share: each copy is a replica of \
             its own, and their number follows from the traffic",
            model.name
        ));
    }
    if u64::from(pipeline) > model.extents.layers.max(1) {
        return refuse(format!("{} has {} layers", model.name, model.extents.layers));
    }
    let together = u64::from(tensor) * u64::from(data);
    let whole_experts = match degrees.expert {
        None => data > 1,
        Some(1) if data == 1 => false,
        Some(expert) if experts && expert == together => true,
        Some(_) if !experts => return refuse(format!("{} has no experts", model.name)),
        Some(expert) => {
            return refuse(format!(
                "engines spread experts over all tensor x data = {together} devices, not {expert}"
            ));
        }
    };
    let devices = f64::from(tensor) * f64::from(pipeline) * f64::from(data);
    let devices = if pipeline == 1 && data == 1 {
        Input::new("inference.parallelism.tensor", Devices::from_stored(devices), derived("given"))
    } else {
        let formula = format!("tensor {tensor} x pipeline {pipeline} x data {data}");
        Input::new("devices of a replica", Devices::from_stored(devices), derived(&formula))
    };
    let spread = Spread { tensor, pipeline, data, whole_experts };
    Ok(Spreading { spread, devices })
}

/// The least power of two of devices that hold the weights with a fifth of the memory left for the
/// KV cache.
fn smallest_power_of_two(weights: Data, usable: Data) -> u32 {
    let mut devices: u32 = 1;
    while weights > 0.8 * usable * f64::from(devices) && devices < 1 << 20 {
        devices *= 2;
    }
    devices
}
