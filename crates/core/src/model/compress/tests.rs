use super::*;
use crate::catalog::Catalog;
use crate::model::Input;
use crate::model::spec::from_preset;

fn compressed(name: &str, settings: &[&str]) -> Result<Compressed> {
    let model = from_preset(name, &Input::default())?;
    let compression = Compression::from_settings(settings.iter().copied())?;
    Compressed::new(&model, Precision::Bf16, &compression)
}

fn matmul(it: &Compressed) -> f64 {
    it.forward(AttentionCount::Causal).matmul.stored()
}

/// Parameters after pruning whole units, computed by hand from the published extents.
#[test]
fn structured_pruning_removes_what_the_units_weigh() {
    // Llama 3 8B: 32 blocks; MLP 3 x 4096 x 14336, attention 2 x 4096 x 4096 + 2 x 4096 x 1024.
    let (mlp, attention) = (3 * 4096 * 14336_u64, 2 * 4096 * 4096 + 2 * 4096 * 1024_u64);
    let cases = [
        ("llama-3-8b", "pruning.mlp=25%", 32 * mlp / 4),
        ("llama-3-8b", "pruning.attention=50%", 32 * attention / 2),
        ("llama-3-8b", "pruning=50%", 32 * (mlp + attention) / 2),
        // GPT-2: 12 blocks with biases; half of 12 heads, half of 3072 inner features.
        ("gpt2", "pruning.mlp=50%", 12 * (768 * 3072 + 3072 / 2)),
        ("gpt2", "pruning.attention=0.5", 12 * (2 * 768 * 768 + 3 * 384)),
        // Experts: 32 layers, 8 experts of 3 x 4096 x 14336.
        ("mixtral-8x7b", "pruning.experts=50 %", 32 * 8 * mlp / 2),
        // MLA: heads go from q_b (192 each), kv_b (256) and o (128); the latents stay.
        ("deepseek-v3", "pruning.attention=25%", 61 * 32 * (1536 * 192 + 512 * 256 + 128 * 7168)),
    ];
    for (name, setting, gone) in cases {
        let before = compressed(name, &[]).unwrap().model.parameters().total;
        let after = compressed(name, &[setting]).unwrap().model.parameters().total;
        assert_eq!(before - after, gone, "{name} {setting}");
    }
}

/// Parameters after whole blocks went or products were factored, computed by hand.
#[test]
fn blocks_and_factors_are_counted_exactly() {
    // A block of Llama 3 8B: MLP and attention as above, and two norms of 4096.
    let block = 3 * 4096 * 14336_u64 + 2 * 4096 * 4096 + 2 * 4096 * 1024 + 2 * 4096;
    // One of ViT-B: 4 products of 768 x 768, 2 of 768 x 3072, their biases, two norms.
    let vit = 12 * 768 * 768_u64 + 4 * 768 + 3072 + 768 + 4 * 768;
    // A product [out, in] at rank r: in x out - r (in + out) go.
    let rank = |inputs: u64, outputs: u64, r: u64| inputs * outputs - r * (inputs + outputs);
    let convolutions: [(u64, u64); 7] =
        [(64, 128), (128, 256), (256, 256), (256, 512), (512, 512), (512, 512), (512, 512)];
    let cases = [
        ("llama-3-8b", "layer_drop=25%", 8 * block),
        ("vit-base-patch16-224", "layer_drop=0.5", 6 * vit),
        ("llama-3-8b", "low_rank.mlp=25%", 32 * 3 * rank(4096, 14336, 1024)),
        ("llama-3-8b", "low_rank.mlp=512", 32 * 3 * rank(4096, 14336, 512)),
        ("vit-base-patch16-224", "low_rank.attention=128", 12 * 4 * rank(768, 768, 128)),
        // Each of 8 experts, in 32 layers.
        ("mixtral-8x7b", "low_rank.experts=1024", 32 * 8 * 3 * rank(4096, 14336, 1024)),
        // The products of VGG-11 read 3 x 3 positions; the first, of 27 x 64, stays.
        ("vgg11", "low_rank.conv=32", convolutions.map(|(i, o)| rank(9 * i, o, 32)).iter().sum()),
    ];
    for (name, setting, gone) in cases {
        let before = compressed(name, &[]).unwrap();
        let after = compressed(name, &[setting]).unwrap();
        let left = after.model.parameters().total;
        assert_eq!(before.model.parameters().total - left, gone, "{name} {setting}");
        // Fewer weights are fewer FLOPs and bytes, in proportion where all are products.
        assert!(matmul(&after) < matmul(&before), "{name} {setting}");
        assert!((after.weight_data(None).stored() - 2.0 * left as f64).abs() < 0.5, "{name}");
    }
    // Formats go onto the factors.
    let both = compressed("llama-3-8b", &["low_rank.mlp=512", "quantization.mlp=int8"]).unwrap();
    let mlp = 32.0 * 3.0 * 512.0 * (4096.0 + 14336.0);
    let rest = both.model.parameters().total as f64 - mlp;
    assert!((both.weight_data(None).stored() - (mlp + 2.0 * rest)).abs() < 0.5);
    for (name, setting, part) in [
        ("gpt2", "layer_drop.mlp=25%", "no mlp layer goes alone"),
        ("gpt2", "layer_drop=all", "`all` is no layer drop"),
        ("vgg11", "layer_drop=25%", "no block of VGG-11 can go"),
        ("gpt2", "low_rank=0", "`0` is no rank"),
        ("gpt2", "low_rank.mlp=700", "gets smaller by that rank"),
    ] {
        let error = compressed(name, &[setting]).map(|_| ()).unwrap_err().to_string();
        assert!(error.to_lowercase().contains(&part.to_lowercase()), "{setting}: {error}");
    }
}

/// A width multiplier a leaves about a^2 of a convolutional network.
#[test]
fn filters_take_the_channels_after_them_along() {
    for name in ["resnet50", "mobilenet_v2", "vgg16", "resnext50_32x4d", "densenet121"] {
        let before = compressed(name, &[]).unwrap();
        let after = compressed(name, &["pruning=50%"]).unwrap();
        let share = matmul(&after) / matmul(&before);
        assert!((0.22..0.36).contains(&share), "{name}: {share}");
    }
}

/// Bytes follow from the format, FLOPs stay.
#[test]
fn quantization_changes_bytes_and_not_flops() {
    let plain = compressed("llama-3-8b", &[]).unwrap();
    let linear = 6_979_321_856.0; // 32 blocks of attention and MLP
    let rest = 8_030_261_248.0 - linear;
    for (format, bytes) in [("int8", 1.0), ("fp8", 1.0), ("int4", 0.515_625), ("fp4", 0.5625)] {
        let it = compressed("llama-3-8b", &[&format!("quantization={format}")]).unwrap();
        let expected = linear * bytes + rest * 2.0;
        let actual = it.weight_data(None).stored();
        assert!((actual / expected - 1.0).abs() < 1e-12, "{format}: {actual} {expected}");
        assert!((matmul(&it) - matmul(&plain)).abs() < 0.5, "{format}");
    }
}

/// 2:4 keeps half of the weights and two bits for each: 9/16 of bf16, 5/8 of 8-bit formats.
#[test]
fn two_to_four_halves_the_products_with_weights() {
    let plain = compressed("llama-3-8b", &[]).unwrap();
    let it = compressed("llama-3-8b", &["pruning=2:4"]).unwrap();
    let linear = 6_979_321_856.0;
    let saved = (plain.weight_data(None) - it.weight_data(None)).stored();
    assert!((saved / (linear * 2.0 * 7.0 / 16.0) - 1.0).abs() < 1e-12);
    let skipped = matmul(&plain) - matmul(&it);
    assert!((skipped / (linear * 2048.0) - 1.0).abs() < 1e-12, "one FLOP of two per weight");
    let both = compressed("llama-3-8b", &["pruning=2:4", "quantization=fp8"]).unwrap();
    let expected = linear * 0.625 + (8_030_261_248.0 - linear) * 2.0;
    assert!((both.weight_data(None).stored() / expected - 1.0).abs() < 1e-12);
}

/// The time bound uses the peak of the format, and what the matrix units can skip.
#[test]
fn the_target_offers_the_peak() {
    let catalog = Catalog::embedded();
    let model = from_preset("llama-3-8b", &Input::default()).unwrap();
    let bound = |device: &str, settings: &[&str]| {
        let compression = Compression::from_settings(settings.iter().copied())?;
        let target = Target::new(catalog.accelerator(device)?, Precision::Bf16, &compression)?;
        let it = Compressed::new(&model, Precision::Bf16, &compression)?;
        let takes = it.takes(AttentionCount::Causal, Some(&target));
        let gate = it.model.layers.iter().position(|l| l.name.ends_with("gate_proj")).unwrap();
        Ok::<_, Error>(takes[gate].bound.unwrap().time.stored())
    };
    let plain = bound("h100-sxm", &[]).unwrap();
    let ratio = |settings: &[&str]| plain / bound("h100-sxm", settings).unwrap();
    assert!((ratio(&["quantization=fp8"]) - 1979.0 / 989.4).abs() < 1e-9);
    assert!((ratio(&["quantization=int4"]) - 1.0).abs() < 1e-9);
    assert!((ratio(&["pruning=2:4"]) - 2.0).abs() < 1e-9);
    // Volta has no sparse matrix units: the zeros are multiplied.
    let fp16 = |settings: &[&str]| {
        let compression = Compression::from_settings(settings.iter().copied()).unwrap();
        let v100 = catalog.accelerator("v100-sxm2-32gb").unwrap();
        let target = Target::new(v100, Precision::Fp16, &compression).unwrap();
        let it = Compressed::new(&model, Precision::Fp16, &compression).unwrap();
        it.takes(AttentionCount::Causal, Some(&target))[11].bound.unwrap().time.stored()
    };
    assert!((fp16(&["pruning=2:4"]) / fp16(&[]) - 1.0).abs() < 1e-12);
    let refused = bound("a100-sxm-80gb", &["quantization=fp8"]).unwrap_err().to_string();
    assert!(refused.contains("no fp8 peak"), "{refused}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let cases = [
        (vec!["quantization=fp7"], "`fp7` is no quantization"),
        (vec!["quantisation=fp8"], "did you mean `quantization`"),
        (vec!["pruning=1.2"], "no pruning"),
        (vec!["pruning=0%"], "no pruning"),
        (vec!["pruning.atention=30%"], "did you mean `attention`"),
        (vec!["pruning.experts=30%"], "no experts weights"),
        (vec!["pruning.head=30%"], "each of its outputs is an answer"),
        (vec!["pruning"], "`pruning` is no compression"),
    ];
    let dense = serde_json::json!({"layers": [{"dense": {"in": 8, "out": 8}}]});
    let dense = Spec::from_json(&dense).unwrap().build(&Input::default()).unwrap().unwrap();
    let third = Compression::from_settings(["pruning=30%"]).unwrap();
    let error = Compressed::new(&dense, Precision::Bf16, &third).unwrap_err().to_string();
    assert!(error.contains("no whole units"), "{error}");
    for (settings, expected) in &cases {
        let error = compressed("gpt2", settings).unwrap_err().to_string();
        assert!(error.contains(expected), "{settings:?}: {error}");
    }
}
