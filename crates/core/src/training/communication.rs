//! Time of the collectives on the topology that they cross. Seconds, bytes, devices inside.
//!
//! A ring moves (n-1)/n of the data over each device's link. Inside a scale-up domain the link is
//! the domain's; across domains a group is bounded by the network cards of all the devices that
//! one domain lends it: a data-parallel group of whole nodes uses every card of a node.

use super::parallelism::{Parallelism, Zero};
use super::platform::Platform;
use crate::kernel::collective::{Fabric, others, ring};
use crate::quantity::real;

/// Bandwidths that the groups of a layout see, in bytes per second and device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Links {
    /// The link of a tensor-parallel group.
    pub tensor: f64,
    /// The link of a context-parallel group.
    pub context: f64,
    /// The link of an expert-parallel group.
    pub expert: f64,
    /// Between pipeline stages.
    pub pipeline: f64,
    /// The link of a data-parallel group.
    pub data: f64,
    /// The link of the copies of an expert. Where neighbours hold other experts, each reduces its
    /// own over its own network card.
    pub copies: f64,
    /// Domains that an expert-parallel group spans.
    pub expert_domains: f64,
}

impl Links {
    /// The links of a layout on a platform, bytes/s: a group within a scale-up domain has its
    /// bandwidth, a wider one that of the network, both times the measured share of the bus.
    pub(super) fn new(layout: &Parallelism, platform: &Platform) -> Self {
        let [tensor, context, pipeline, data, expert] =
            real([layout.tensor, layout.context, layout.pipeline, layout.data, layout.expert]);
        let fabric = Fabric {
            up: platform.scale_up * platform.general.scale_up_bus,
            out: platform.scale_out * platform.general.scale_out_bus,
            domain: platform.domain,
        };
        let Fabric { up, out, .. } = fabric;
        let inside = tensor * expert <= platform.domain;
        // The cards of a domain that reduce the same weights, of groups that hold all of them.
        let copied = |group: f64| {
            if tensor * data * context <= platform.domain {
                up
            } else {
                up.min(out * (platform.domain / group).max(1.0))
            }
        };
        Self {
            tensor: fabric.of(tensor),
            context: fabric.of(tensor * context),
            expert: fabric.of(tensor * expert),
            pipeline: if tensor * pipeline <= platform.domain {
                platform.scale_up
            } else {
                platform.scale_out
            } * platform.general.scale_out_bus,
            data: copied(tensor),
            copies: copied(tensor * expert),
            expert_domains: if inside { 1.0 } else { (expert / platform.domain).max(1.0) },
        }
    }
}

/// Exposed time of one layer's tensor-parallel communication: four all-reduces of the activations
/// (or as many reduce-scatters and all-gathers), and two more where the forward pass is repeated.
pub(super) fn tensor(
    layout: &Parallelism,
    platform: &Platform,
    links: &Links,
    activations: f64,
    repeated: f64,
) -> f64 {
    if layout.tensor == 1 {
        return 0.0;
    }
    let bytes = 16.0 * ring(layout.tensor as f64) * activations * (1.0 + repeated / 2.0);
    let exposed =
        if platform.software.overlaps_tensor { platform.general.exposed_tensor } else { 1.0 };
    bytes / links.tensor * exposed
}

/// Exposed time of one layer's dispatch and combination of tokens, forward + backward. `routed`
/// are the activations of a rank, `top_k` the experts of a token. Across domains a token travels
/// once to each domain that holds one of its experts, as dispatchers that are aware of nodes do.
pub(super) fn expert(
    layout: &Parallelism,
    platform: &Platform,
    links: &Links,
    routed: f64,
    top_k: f64,
    most_domains: f64,
) -> f64 {
    if layout.expert == 1 {
        return 0.0;
    }
    let domains = links.expert_domains;
    let copies = if domains <= 1.0 && links.expert > platform.scale_out {
        top_k * ring(layout.expert as f64)
    } else {
        others(domains, top_k).min(most_domains)
    };
    8.0 * routed * copies / links.expert * platform.general.exposed_expert
}

/// Time of the ring that passes keys and values around a context-parallel group, before overlap.
pub(super) fn context(layout: &Parallelism, links: &Links, keys_values: f64) -> f64 {
    let ranks = layout.context as f64;
    12.0 * keys_values * (ranks - 1.0) / links.context
}

/// Time in which the weights of a step are gathered and the gradients of those that are `trained`
/// scattered, before overlap: per micro-batch with ZeRO-3, where each pass gathers anew (once per step
/// in a pipeline, which keeps them), and with ZeRO-2 the gradients only. Bytes: bf16.
pub(super) fn sharded_weights(
    layout: &Parallelism,
    platform: &Platform,
    links: &Links,
    weights: [f64; 2],
    micro_batches: f64,
    trained: f64,
) -> f64 {
    let passes = match layout.zero {
        Zero::Off | Zero::Optimizer => return 0.0,
        Zero::Weights if layout.pipeline > 1 => 2.0 + trained,
        Zero::Weights => (2.0 + trained) * micro_batches,
        Zero::Gradients => trained * (2.0 * micro_batches + 1.0),
    };
    let early = layout.zero == Zero::Weights && platform.software.year < 2022.0;
    let bus = if early { platform.general.early_sharding } else { 1.0 };
    passes * 2.0 * of_a_byte(layout, links, weights) / bus
}

/// Exposed time of the gradient all-reduce (fp32 scatter, bf16 gather) of one step.
pub(super) fn gradients(
    layout: &Parallelism,
    platform: &Platform,
    links: &Links,
    weights: [f64; 2],
) -> f64 {
    if layout.zero >= Zero::Gradients {
        return 0.0;
    }
    let exposed =
        if platform.software.overlaps_gradients { platform.general.exposed_gradients } else { 1.0 };
    6.0 * of_a_byte(layout, links, weights) * exposed
}

/// Time in which the copies of a device's weights, of experts and of the rest, exchange a byte of
/// each. Experts that are spread over devices have fewer copies.
fn of_a_byte(layout: &Parallelism, links: &Links, [experts, rest]: [f64; 2]) -> f64 {
    let ranks = (layout.data * layout.context) as f64;
    let copies = (ranks / layout.expert as f64).max(1.0);
    rest * ring(ranks) / links.data + experts * ring(copies) / links.copies
}

/// Part of the transfers between pipeline stages that is not hidden behind the other
/// micro-batches.
const EXPOSED_PIPELINE: f64 = 0.3;

/// Exposed time of the transfers between pipeline stages in one step; `activations` are a
/// micro-batch's, split over the tensor-parallel ranks.
pub(super) fn pipeline(
    layout: &Parallelism,
    links: &Links,
    activations: f64,
    micro_batches: f64,
) -> f64 {
    if layout.pipeline == 1 {
        return 0.0;
    }
    micro_batches * 4.0 * activations * layout.chunks as f64 / links.pipeline * EXPOSED_PIPELINE
}
