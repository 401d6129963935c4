//! The data that the devices of a replica send each other within a step, over both levels of links.
//!
//! Bytes by `D` devices, `t` of a tensor-parallel group and `d` data-parallel attention ranks, with
//! `h` the bytes of a token's residual stream in 16 bits:
//! ```text
//! reductions    2 (t - 1) / t x h per half layer, each rank its own tokens
//! experts, d=1  2 (D - 1) / D x h per layer with experts, every token
//! experts, d>1  up to 8 devices a gather, beyond the cheaper of
//!   gather      2 (D - 1) / D x h of every token of all ranks, at a rate of its own: batches of ranks
//!               are uneven, so the collective is one broadcast after another; and
//!   all-to-all  1 / D of the tokens, to (n - 1) (1 - (1 - 1/n)^k) other places of n that k experts
//!               fall on: one copy there in the format of the products, one back in 16 bits; over
//!               the network once per other domain, over the links within once per other device
//! ```
//! The all-to-all waits for the device that most tokens go to. With `e` experts of which each is
//! asked for with a coefficient of variation `skew`, the busiest of `D` devices has about
//! `1 + skew sqrt(2 ln D x D / e)` times the mean.
//!
//! Across domains an engine overlaps two halves of the batch (`DeepSeek`, `SGLang`): one half's
//! exchange runs beside the other's products. A step then takes no less than the exchange, and a part
//! of the exchange shows all the same.

use super::calibration::Constants;
use super::served::ServedModel;
use super::step::Deployment;
use crate::catalog::{Device, Links};
use crate::kernel::collective::{Fabric, others, ring};

/// Times of the links in a step, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Exchange {
    /// However few tokens there are.
    pub latency: f64,
    /// Per token of the replica: reductions, and the exchange before and after experts.
    pub per_token: f64,
    /// The least that a step takes per token of the replica, where the exchange runs beside products.
    pub beneath: f64,
    /// Load of the busiest device's experts / mean.
    pub busiest: f64,
}

/// Seconds per byte of a device's link to others among `devices`: what leaves the node goes over the
/// network.
fn per_byte(links: &Links, devices: f64, c: &Constants) -> f64 {
    let scale_out = links.scale_out.value;
    // A device alone has no use for a link.
    let up = links.scale_up.map_or(scale_out, |link| link.value);
    let fabric = Fabric { up, out: scale_out.min(up), domain: links.domain as f64 };
    1.0 / (c.link * fabric.of(devices))
}

/// Devices up to which engines gather tokens, whatever an all-to-all would take: a node.
const NODE: f64 = 8.0;

impl Exchange {
    /// That of a model so deployed whose expert products are in so many bits.
    pub(super) fn new(
        model: &ServedModel,
        device: &Device,
        deployment: &Deployment,
        bits: u32,
        c: &Constants,
    ) -> Self {
        let links = &device.links;
        let (tensor, data) = (f64::from(deployment.tensor), f64::from(deployment.data));
        let all = tensor * data;
        let (layers, moe) = (model.layers as f64, model.moe_layers as f64);
        let residual = model.hidden as f64 * 2.0;
        let reductions = |ways: f64| 2.0 * ring(ways);
        let two = if links.pcie { c.pcie_reduction } else { c.reduction };
        let latency = |ways: f64| {
            if ways > 1.0 { two + c.reduction_doubling * (ways.log2() - 1.0) } else { 0.0 }
        };
        let whole = deployment.expert_parallel || data > 1.0;
        let spread = if whole { all } else { tensor };
        let halves = layers + (layers - moe);
        let within = halves * reductions(tensor) / data * residual * per_byte(links, tensor, c);
        let gathered = moe * reductions(spread) * residual * per_byte(links, spread, c);

        let busiest = if whole && spread > 1.0 && model.experts > 0 {
            let shared = (spread / model.experts as f64).min(1.0);
            1.0 + c.expert_skew * (2.0 * spread.ln() * shared).sqrt()
        } else {
            1.0
        };
        let domain = (links.domain as f64).max(1.0);
        let copy = model.hidden as f64 * (f64::from(bits.min(16)) / 8.0 + 2.0);
        let top_k = model.top_k as f64;
        // The network between domains is reached by the all-to-all's own kernels.
        let network = others((all / domain).ceil(), top_k) / (links.scale_out.value * c.exchange);
        let inside = others(all, top_k) * per_byte(links, all.min(domain), c);
        let scattered = moe * copy / all * network.max(inside) * busiest;
        let slowly = gathered * c.link / c.gather;
        let exchanged = if data > 1.0 && all > NODE {
            slowly.min(scattered)
        } else if data > 1.0 {
            slowly
        } else {
            gathered
        };
        // Attention ranks gather each other's tokens before the experts and scatter the sums after.
        let exchanges = if data > 1.0 { 2.0 } else { 1.0 };
        let overlaps = data > 1.0 && all > domain;
        // Each stage hands the residual stream to the next.
        let stages = f64::from(deployment.pipeline);
        let passed = (stages - 1.0) * residual * per_byte(links, all * stages, c);
        Self {
            latency: halves * latency(tensor)
                + moe * exchanges * latency(spread)
                + (stages - 1.0) * two,
            per_token: within + exchanged * if overlaps { c.exchange_shown } else { 1.0 } + passed,
            beneath: if overlaps { exchanged } else { 0.0 },
            busiest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::calibration::Calibration;
    use super::super::step::Weights;
    use super::*;
    use crate::catalog::Catalog;

    /// `DeepSeek`-V3 as its exchange sees it (its config.json): 58 layers of 256 experts, 8 of a token.
    fn deepseek() -> ServedModel {
        ServedModel {
            layers: 61,
            moe_layers: 58,
            hidden: 7168,
            experts: 256,
            top_k: 8,
            ..ServedModel::default()
        }
    }

    fn exchange(data: u32, skew: f64) -> Exchange {
        let device = Device::of(Catalog::embedded().accelerator("h800-sxm").unwrap()).unwrap();
        let deployment = Deployment {
            tensor: 1,
            pipeline: 1,
            data,
            expert_parallel: true,
            weights: Weights::Eight,
            kv_bytes: 1.0,
        };
        let constants = Calibration::shipped().unwrap().constants("sglang").unwrap();
        let constants = Constants { expert_skew: skew, ..constants };
        Exchange::new(&deepseek(), &device, &deployment, 8, &constants)
    }

    #[test]
    fn a_device_carries_its_own_tokens_only() {
        // DeepEP's README: 128 tokens of 7168 to 8 experts each over 128 H800, dispatched in 8 bits and
        // combined in 16, take 192 + 369 us with a copy per expert; ours goes once to each node.
        let layer = exchange(128, 1e-9).beneath * 128.0 * 128.0 / 58.0;
        assert!((0.35e-3..0.57e-3).contains(&layer), "{layer}");
        // Twice the devices with twice the tokens: each carries little more, as fewer experts of its
        // tokens are on its own node.
        let (one, two) = (exchange(64, 0.1).beneath * 64.0, exchange(128, 0.1).beneath * 128.0);
        assert!((1.0..1.5).contains(&(two / one)), "{one} {two}");
    }

    #[test]
    fn within_a_node_nothing_overlaps_and_experts_even_out() {
        let (node, wide) = (exchange(8, 0.1), exchange(144, 0.1));
        assert!(node.beneath <= 0.0 && wide.beneath > 0.0);
        assert!(1.0 < node.busiest && node.busiest < wide.busiest, "{node:?} {wide:?}");
        assert!(exchange(1, 0.1).busiest <= 1.0);
    }
}
