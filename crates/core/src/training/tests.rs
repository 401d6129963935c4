//! The rebuild of a model as so many usual blocks is held to the counts of its operators.

use super::calibration::Calibration;
use super::format::Format;
use super::memory::memory;
use super::parallelism::{Batch, Parallelism, Zero};
use super::platform::{Hardware, Platform, Software};
use super::state::ADAMW;
use super::step_time::step;
use crate::catalog::Catalog;
use crate::model::spec::{from_preset, preset_names};
use crate::model::{AttentionCount, Input, Layer, Operator};
use crate::quantity::Measure;

/// Tokens of a sequence: most presets were made for as many.
const LENGTH: u64 = 4096;

/// A device that reaches its peak in every product, waits for no memory, has no host.
fn ideal() -> Platform {
    let (catalog, calibration) = (Catalog::embedded(), Calibration::shipped().unwrap());
    let hardware = Hardware::of(&catalog, "h100-sxm", Format::Half).unwrap();
    let software = Software::usual(2026.0);
    let mut platform = Platform::new(&hardware, Format::Half, software, calibration).unwrap();
    platform.bandwidth = f64::INFINITY;
    platform.power_share = 1.0;
    platform.products = [None; 2];
    platform.host_launched = false;
    (platform.rates.gemm, platform.rates.gemm16, platform.rates.attention) = (1.0, 1.0, 1.0);
    (platform.general.expert_gemm, platform.general.expert_width) = (1.0, 0.0);
    platform
}

/// FLOPs of a forward pass with those of its attention as a kernel is timed: 3.5 passes instead of 3,
/// narrow heads at 0.8 of the rate (`kernel::attention`).
fn forward(layer: &Layer) -> f64 {
    let flops = layer.forward(AttentionCount::Causal).matmul.value;
    match &layer.operator {
        Operator::Attention(it) => flops * 3.5 / 3.0 / if it.qk_dim <= 64 { 0.8 } else { 1.0 },
        _ => flops,
    }
}

#[test]
fn the_rebuild_of_every_preset_has_the_parameters_and_flops_of_its_operators() {
    let platform = ideal();
    let batch = Batch { sequences: 64, length: LENGTH };
    let layout = Parallelism { zero: Zero::Off, micro_batch: 64, ..Parallelism::SINGLE };
    let input = Input { sequence: Some(LENGTH), ..Input::default() };
    let mut seen = 0;
    for name in preset_names() {
        let Ok(model) = from_preset(name, &input) else { continue };
        let extents = &model.extents;
        if !extents.is_transformer() {
            continue;
        }
        seen += 1;
        let held = memory(extents, &layout, batch, &platform, ADAMW).weights.stored();
        let held = held / (2.0 * model.parameters().total as f64);
        assert!((held - 1.0).abs() < 1e-6, "{name}: {held} of the weights");
        let time = step(extents, &layout, batch, &platform);
        let busy = time.products + time.experts + time.head + time.attention;
        let counted = 64.0 * 3.0 * model.layers.iter().map(forward).sum::<f64>();
        let ratio = platform.peak * busy.stored() / counted;
        // Products are padded to tiles of 256.
        let widths = [extents.hidden, extents.ffn, extents.experts.map_or(0, |it| it.ffn)];
        let most = if widths.iter().all(|it| it.is_multiple_of(256)) { 1.02 } else { 1.25 };
        assert!(ratio > 0.99 && ratio < most, "{name}: {ratio} of the FLOPs");
    }
    assert!(seen > 600, "{seen} presets");
}

/// Blocks of published architectures (their config.json).
#[test]
fn a_block_mixes_positions_and_has_an_mlp() {
    for (name, blocks) in [
        ("lfm2-2.6b", 30),     // gated convolutions in 22
        ("gemma-3n-e4b", 35),  // 15 attend to keys of others
        ("falcon-h1-7b", 44),  // attention and scan side by side
        ("jamba-v0.1", 32),    // experts in every other
        ("t5-base", 24),       // cross-attention is in a decoder's block
        ("longcat-flash", 56), // experts beside every other MLP
    ] {
        let model = from_preset(name, &Input::default()).unwrap();
        assert_eq!(model.extents.layers, blocks, "{name}");
    }
}
