//! Each line of docs/glossary-checks.md.

use flopcast::catalog::Catalog;
use flopcast::model::{AttentionCount, Input, Model, Spec};
use flopcast::quantity::{DeviceFlopRate, Devices, Flop, Measure, Precision, Time, parse};

fn model(layers: &str) -> Model {
    let json = serde_json::json!({"layers": serde_yaml::from_str::<serde_json::Value>(layers).expect("YAML")});
    Spec::from_json(&json)
        .expect("a layer list")
        .build(&Input::default())
        .expect("no file")
        .expect("a model")
}

fn matmul(layers: &str) -> f64 {
    model(layers).forward(AttentionCount::Full).matmul.value
}

fn check(what: &str, actual: f64, expected: f64) {
    assert!((actual - expected).abs() <= 1e-9 * expected, "{what}: {actual} is not {expected}");
}

#[test]
fn dense_layer() {
    check("2 I O", matmul("[{dense: {in: 784, out: 128}}]"), 2.0 * 784.0 * 128.0);
}

#[test]
fn convolution() {
    let conv =
        "[{conv2d: {in: [3, 224, 224], out_channels: 64, kernel: 7, stride: 2, padding: 3}}]";
    let flop = 2.0 * 7.0 * 7.0 * 3.0 * 64.0 * 112.0 * 112.0;
    check("2 K K C C H W", matmul(conv), flop);
    check("in MACs, as also printed", matmul(conv) / 2.0, flop / 2.0);
}

#[test]
fn square_matrices() {
    let n: f64 = 512.0;
    check("2 n^3", matmul("[{matmul: {rows: 512, inner: 512, columns: 512}}]"), 2.0 * n.powi(3));
}

#[test]
fn attention() {
    let products = |n: u64, d: u64, count| {
        let layers = format!(
            "[{{input: {{extents: [{n}], features: {d}}}}}, \
             {{attention: {{heads: 1, head_dim: {d}, causal: true}}}}]"
        );
        model(&layers).forward(count).matmul.value
    };
    let full = |n, d| products(n, d, AttentionCount::Full);
    check("4 n^2 d", full(1024, 64), 4.0 * 1024.0 * 1024.0 * 64.0);
    check("twice n", full(2048, 64), 4.0 * full(1024, 64));
    check("twice d", full(1024, 128), 2.0 * full(1024, 64));
    let half = products(1024, 64, AttentionCount::Causal) / full(1024, 64);
    assert!((half - 0.5).abs() < 1e-3, "{half}");
}

#[test]
fn training_sample() {
    // Ten layers of 10 GFLOP each.
    let layers = "[{input: {extents: [1000], features: 2236}}, {repeat: 10, layers: [{dense: {out: 2236}}]}]";
    let model = model(layers);
    let forward = model.forward(AttentionCount::Full).matmul;
    let training = forward + model.backward(AttentionCount::Full).matmul;
    assert!((forward.value / 1e11 - 1.0).abs() < 1e-3, "{} FLOP", forward.value);
    assert!((2.8..=3.0).contains(&(training / forward).value), "{}", (training / forward).value);
}

#[test]
fn utilisation() {
    let (flops, time): (Flop, Time) =
        (parse("1 TFLOP").expect("FLOPs"), parse("0.02 s").expect("a time"));
    let peak: DeviceFlopRate = parse("100 TFLOP/s").expect("a rate");
    check("50 %", (flops / (time * peak * Devices::from_stored(1.0))).value, 0.5);
}

#[test]
fn h100() {
    let catalog = Catalog::embedded();
    let peak = |precision| {
        let device = catalog.accelerator("h100-sxm").expect("the H100");
        device.peak(precision).expect("a peak").value.value / 1e12
    };
    check("FP16, dense", peak(Precision::Fp16), 989.4);
    check("BF16, dense", peak(Precision::Bf16), 989.4);
    check("FP8, dense", peak(Precision::Fp8), 1979.0);
    check("FP32", peak(Precision::Fp32), 66.91);
}
