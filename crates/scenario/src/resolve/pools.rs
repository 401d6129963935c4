//! Disaggregated prefill and decode: the instances of a replica.
//!
//! A replica then has whole prefill instances and whole decode instances, and the KV cache of a
//! prompt travels from the former to the latter over the network.

use flopcast_core::catalog::{Accelerator, Links};
use flopcast_core::diagnostic::Result;
use flopcast_core::model::Model;
use flopcast_core::provenance::{Basis, Input};
use flopcast_core::quantity::Data;
use flopcast_core::serving::plan::{Pools, Spread};

use super::super::file::{Disaggregated, Inference};
use super::super::given::Given;
use super::assumed;
use super::spread::{self, Spreading};

/// The most instances of a group.
const MOST: f64 = 1024.0;

/// The pools of a service whose model and draft have these weights, and how a prefill instance is
/// spread; `usable` is the memory of a device.
///
/// # Errors
/// If the network generates nothing, counts are not whole, or degrees do not fit as those of
/// `inference.parallelism`.
pub(super) fn plan(
    given: &Disaggregated,
    service: &Inference,
    device: &Accelerator,
    model: &Model,
    generates: bool,
    (weights, usable): (Data, Data),
) -> Result<(Pools, Spread)> {
    if !generates {
        return Err(given
            .decode
            .refuse("the model answers in one pass: there is nothing to decode")
            .hint("give inference.traffic.output_tokens, or leave disaggregated out"));
    }
    let parallelism = given.prefill_parallelism.as_ref().or(service.parallelism.as_ref());
    let Spreading { spread, devices } = spread::over_devices(parallelism, model, weights, usable)?;
    let network = "link of a device to other nodes";
    let pools = Pools {
        prefill: count(&given.prefill, "prefill")?,
        decode: count(&given.decode, "decode")?,
        prefill_devices: Input::new(
            "devices of a prefill instance",
            devices.value,
            Basis::Derived {
                formula: format!(
                    "tensor {} x pipeline {} x data {}",
                    spread.tensor, spread.pipeline, spread.data
                ),
            },
        ),
        network: device.scale_out.as_ref().map_or_else(
            || assumed(network, Links::network_card(), "a 100 Gbit/s network card"),
            |link| link.input(network),
        ),
    };
    Ok((pools, spread))
}

/// The number of instances of a pool.
///
/// # Errors
/// If it is no whole number from 1 to 1,024.
fn count(given: &Given<f64>, pool: &str) -> Result<Input<f64>> {
    let engines = given.spread.central();
    if given.spread.distribution().is_some()
        || !(1.0..=MOST).contains(&engines)
        || engines.fract() != 0.0
    {
        return Err(given
            .refuse("a replica has a whole number of instances of each kind, from 1 to 1024")
            .hint("`capacity --vary inference.disaggregated.decode=1,2,3` finds the best"));
    }
    Ok(given.input(&format!("inference.disaggregated.{pool}")))
}
