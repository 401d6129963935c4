//! What a step waits for where the host keeps the state: the update there, and what moves over its link.

use super::parallelism::{Parallelism, Zero};
use super::state::{Offload, State};
use crate::quantity::{Measure, Time};

/// Parameters that the processors of a node update in a second: 10 billion in 2.57 s (`ZeRO-Offload`,
/// arXiv:2101.06840, table of CPU-Adam; recalled). An update reads and writes 28 bytes of each, so it is
/// as fast as the host's memory.
const UPDATED: f64 = 3.9e9;
/// Bandwidth of a device to its host, one direction: 16 lanes of `PCIe` 4, as copies reach it.
const HOST_LINK: f64 = 25e9;
/// Part of a step that the backward pass takes, beside which gradients leave.
const BACKWARD: f64 = 2.0 / 3.0;

/// Time that a step of `step` waits for its host: all of the update and of the new weights' way back, and
/// what the other transfers take beyond the computation that they run beside. `parameters` are those
/// that are trained, `node` the devices that share a host.
///
/// ```text
/// node own / updated + 2 own / link + (2 own / link - 2/3 step)+
/// weights too: + (4 held micro-batches / link - step)+   held = own, gathered from all by the other links
/// ```
pub(super) fn waits(
    state: State,
    layout: &Parallelism,
    micro_batches: f64,
    parameters: f64,
    node: u64,
    step: Time,
) -> Time {
    if state.offload == Offload::Nothing {
        return Time::from_stored(0.0);
    }
    let copies = if layout.zero == Zero::Off { 1 } else { layout.data * layout.context };
    let own = parameters / (layout.tensor * layout.pipeline * copies) as f64;
    let sharing = node.min(layout.devices()) as f64;
    let step = step.value;
    let moved = 2.0 * own / HOST_LINK;
    let mut waits = sharing * own / UPDATED + moved + (moved - BACKWARD * step).max(0.0);
    if state.offload == Offload::Weights {
        waits += (2.0 * moved * micro_batches - step).max(0.0);
    }
    Time::from_stored(waits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::state::ADAMW;

    #[test]
    fn a_host_updates_what_the_devices_of_a_node_share_out() {
        let of = |offload, data, parameters, step| {
            let layout = Parallelism { data, ..Parallelism::SINGLE };
            let state = State { offload, ..ADAMW };
            waits(state, &layout, 1.0, parameters, 8, Time::from_stored(step)).value
        };
        assert!(of(Offload::Nothing, 1, 1e10, 1.0) < 1e-12);
        // The update of 10 billion parameters alone takes 2.57 s.
        let one = of(Offload::Optimizer, 1, 1e10, 100.0);
        assert!((2.57..3.5).contains(&one), "{one}");
        // A node of eight updates as many; eight nodes share them out.
        let eight = of(Offload::Optimizer, 8, 1e10, 100.0);
        assert!((2.5..one).contains(&eight), "{eight}");
        assert!(of(Offload::Optimizer, 64, 1e10, 100.0) < eight / 7.0);
        // Where the step is too short to hide them, transfers are waited for.
        assert!(of(Offload::Optimizer, 1, 1e10, 0.0) > one);
        assert!(of(Offload::Weights, 1, 1e10, 0.0) > of(Offload::Optimizer, 1, 1e10, 0.0));
    }
}
