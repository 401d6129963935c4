//! The image networks of `models/` against their published figures, `models/accuracy/torchvision.csv`.

use std::collections::BTreeMap;

use flopcast::model::spec::from_preset;
use flopcast::model::{AttentionCount, Input, Model};
use flopcast::quantity::system::compute::flop;

fn matmul_macs(model: &Model) -> f64 {
    model.forward(AttentionCount::Full).matmul.get::<flop>() / 2.0
}

fn build(name: &str, image_size: Option<u64>) -> Model {
    let input = Input { image_size, ..Input::default() };
    from_preset(name, &input).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Parameters equal, GMACs to the three digits published, at the size of the published weights.
#[test]
fn networks_have_their_published_size() {
    let table = include_str!("../../models/accuracy/torchvision.csv");
    let mut rows = csv::Reader::from_reader(table.as_bytes());
    for row in rows.deserialize::<BTreeMap<String, String>>() {
        let row = row.expect("a row");
        let name = &row["model"];
        let model = build(name, row["image_size"].parse().ok());
        assert_eq!(model.parameters().total.to_string(), row["parameters"], "{name}");
        let (gmacs, published) = (matmul_macs(&model) / 1e9, row["gmacs"].parse::<f64>().unwrap());
        assert!((gmacs - published).abs() < 5.01e-4, "{name}: {gmacs} GMACs, not {published}");
    }
}

/// GMACs of torchvision's own metadata (0.29.2) for networks that answer with maps and boxes; its
/// image of noise has 1,000 proposals.
#[test]
fn maps_and_boxes_cost_what_torchvision_says() {
    let published = [
        ("fcn_resnet50", 152.717),
        ("fcn_resnet101", 232.738),
        ("deeplabv3_resnet50", 178.722),
        ("deeplabv3_resnet101", 258.743),
        ("fasterrcnn_resnet50_fpn", 134.38),
    ];
    for (name, gmacs) in published {
        let counted = matmul_macs(&build(name, None)) / 1e9;
        assert!((counted - gmacs).abs() < 5.01e-4, "{name}: {counted} GMACs, not {gmacs}");
    }
    // Ultralytics counts activations and norms as well: 8.9 to 258.5 GFLOPs.
    for (name, gflops) in [("yolov8n", 8.9), ("yolov8m", 79.3), ("yolov8x", 258.5)] {
        let counted = 2.0 * matmul_macs(&build(name, None)) / 1e9;
        assert!(counted < gflops && counted > 0.97 * gflops, "{name}: {counted} GFLOP");
    }
}

/// Backward over forward as measured with torch's FLOP counter on torchvision's models
/// (convolution gradients corrected for groups): the image needs no gradient.
#[test]
fn training_takes_the_measured_multiple() {
    let cases = [
        ("alexnet", 1.9016),
        ("vgg16", 1.9944),
        ("resnet18", 1.9349),
        ("resnet152", 1.9898),
        ("mobilenet_v2", 1.964),
        ("mobilenet_v3_large", 1.975),
        ("efficientnet_b0", 1.9719),
        ("convnext_tiny", 1.9968),
        ("vit_b_16", 1.9934),
        ("swin_t", 1.9968),
        ("swin_v2_t", 1.9966),
        ("maxvit_t", 1.9961),
        ("densenet121", 1.9584),
        ("regnet_y_400mf", 1.973),
        ("squeezenet1_1", 1.939),
        ("shufflenet_v2_x1_0", 1.9439),
        ("mnasnet1_0", 1.9655),
    ];
    for (name, measured) in cases {
        let model = build(name, None);
        let backward = model.backward(AttentionCount::Full).matmul.get::<flop>() / 2.0;
        let ratio = backward / matmul_macs(&model);
        assert!((ratio / measured - 1.0).abs() < 5e-3, "{name}: {ratio:.4}, not {measured}");
    }
}
