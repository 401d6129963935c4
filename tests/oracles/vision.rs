//! The image networks of `models/` against what torchvision publishes, layer by layer and in
//! training.

use std::collections::BTreeMap;

use flopcast::model::config;
use flopcast::model::spec::{from_preset, preset_names};
use flopcast::model::{AttentionCount, Input, Model, Operator, Role};
use flopcast::quantity::system::compute::flop;

use crate::folder;

type Row = BTreeMap<String, String>;

fn rows(file: &str) -> Vec<Row> {
    let path = folder().join("vision").join(file);
    let mut reader = csv::Reader::from_path(path).expect("a table");
    reader.deserialize().map(|row| row.expect("a row")).collect()
}

fn model(name: &str, image_size: Option<u64>) -> Option<Model> {
    preset_names().any(|known| known == name).then(|| {
        let input = Input { image_size, ..Input::default() };
        from_preset(name, &input).unwrap_or_else(|error| panic!("{name}: {error}"))
    })
}

fn macs(model: &Model) -> f64 {
    model.forward(AttentionCount::Full).matmul.get::<flop>() / 2.0
}

fn report(seen: usize, misses: &[String]) {
    for miss in misses {
        println!("{miss}");
    }
    println!("{} of {seen} exact", seen - misses.len());
    assert!(misses.is_empty(), "{} miss", misses.len());
}

/// Parameters equal, GMACs to the three digits published, at the size that the weights were
/// measured at.
#[test]
#[ignore = "needs FLOPCAST_ORACLES"]
fn networks_have_their_published_size() {
    let (mut seen, mut misses) = (0, Vec::new());
    for row in rows("torchvision.csv") {
        if row["task"] != "classification" || row["backend"].contains("gemm") {
            continue;
        }
        let name = &row["model"];
        let Some(model) = model(name, row["crop_size"].parse().ok()) else {
            misses.push(format!("{name}: no such model"));
            continue;
        };
        seen += 1;
        let (total, gmacs) = (model.parameters().total, macs(&model) / 1e9);
        if total.to_string() != row["num_params"] {
            misses.push(format!("{name}: {total} parameters, not {}", row["num_params"]));
        }
        let published: f64 = row["gmacs_ops"].parse().expect("GMACs");
        if (gmacs - published).abs() > 5.01e-4 {
            misses.push(format!("{name} {}: {gmacs} GMACs, not {published}", row["weights"]));
        }
    }
    report(seen, &misses);
}

/// Every layer with weights or multiplications: kind, parameters, MACs, output, as often as there.
#[test]
#[ignore = "needs FLOPCAST_ORACLES"]
fn layers_are_those_of_torchvision() {
    let config = r#"{"architectures": ["BertModel"], "model_type": "bert"}"#;
    let sequence = Input { sequence: Some(128), ..Input::default() };
    let bert = config::read("bert_base_s128", config, &sequence).expect("BERT base");
    layers_equal("bert_base_s128", &bert, false);
    for name in ["alexnet", "vgg16", "resnet50", "mobilenet_v2", "vit_b_16"] {
        let model = model(name, None).expect("a preset");
        layers_equal(name, &model, true);
        assert!(model.layers.iter().any(|layer| layer.role == Role::Head));
    }
}

/// `joined`: the table has queries, keys and values as one layer.
fn layers_equal(name: &str, model: &Model, joined: bool) {
    let mut expected: BTreeMap<(u64, u64), i64> = BTreeMap::new();
    for row in rows(&format!("layers/{name}.csv")) {
        let figures = (row["params"].parse().expect("n"), row["macs"].parse().expect("n"));
        if figures != (0, 0) {
            *expected.entry(figures).or_default() += 1;
        }
    }
    let mut ours: BTreeMap<(u64, u64), i64> = BTreeMap::new();
    for layer in &model.layers {
        let parameters = layer.operator.parameters();
        let macs = layer.operator.forward(AttentionCount::Full).matmul.get::<flop>() / 2.0;
        let count = i64::try_from(layer.count).expect("a count");
        let times = match &layer.operator {
            // q, k, v in one layer there
            Operator::Dense(_) if joined && layer.name.ends_with("q_proj") => {
                *ours.entry((3 * parameters, 3 * macs as u64)).or_default() += count;
                0
            }
            Operator::Dense(_) if joined && layer.name.contains("k_proj") => 0,
            Operator::Dense(_) if joined && layer.name.contains("v_proj") => 0,
            // scores and values apart there
            Operator::Attention(_) => {
                *ours.entry((0, macs as u64 / 2)).or_default() += 2 * count;
                0
            }
            _ => count,
        };
        if times > 0 && (parameters, macs as u64) != (0, 0) {
            *ours.entry((parameters, macs as u64)).or_default() += times;
        }
    }
    expected.retain(|_, count| *count > 0);
    let missing: Vec<_> = expected.iter().filter(|(k, v)| ours.get(k) != Some(v)).collect();
    let extra: Vec<_> = ours.iter().filter(|(k, v)| expected.get(k) != Some(v)).collect();
    println!("{name}: {} rows", expected.values().sum::<i64>());
    assert!(missing.is_empty() && extra.is_empty(), "{name}: {missing:?} {extra:?}");
}

/// Backward over forward within half a percent.
#[test]
#[ignore = "needs FLOPCAST_ORACLES"]
fn training_takes_the_measured_multiple() {
    let (mut seen, mut misses) = (0, Vec::new());
    for row in rows("training_ratio.csv") {
        let name = &row["model"];
        let Some(model) = model(name, None) else {
            println!("{name}: left out, not in models/");
            continue;
        };
        seen += 1;
        let backward = model.backward(AttentionCount::Full).matmul.get::<flop>() / 2.0;
        let (ratio, measured) =
            (backward / macs(&model), row["corrected_ratio"].parse::<f64>().expect("a ratio"));
        if (ratio / measured - 1.0).abs() > 5e-3 {
            misses.push(format!("{name}: {ratio:.4}, not {measured}"));
        }
    }
    report(seen, &misses);
}
