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
