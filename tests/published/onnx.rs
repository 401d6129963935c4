//! ONNX files of real exporters, whole and damaged.
//!
//! Expected figures: `torch.utils.flop_counter` and the element counts of the files' initializers
//! (torch 2.15.0); MACs of ViT-B/16 and `MobileNetV2` agree with torchvision's published GFLOPS.

use flopcast::import::onnx;
use flopcast::model::Bindings;
use flopcast::model::{AttentionCount, Model};
use flopcast::quantity::system::compute::flop;
use proptest::prelude::*;

const LSTM: &[u8] = include_bytes!("../data/onnx/lstm_2x512.onnx");
const MOBILENET: &[u8] = include_bytes!("../data/onnx/mobilenet_v2-dynamo-dynN.onnx");
const RESNET: &[u8] = include_bytes!("../data/onnx/resnet18-dynNHW.onnx");
const VIT: &[u8] = include_bytes!("../data/onnx/vit_b_16-dynN.onnx");

fn read(file: &'static [u8], bindings: &str) -> flopcast::diagnostic::Result<Model> {
    onnx::read(file, &bindings.parse().expect("bindings"))
}

/// Parameters, MACs, and backward over forward in ten-thousandths.
fn check(file: &'static [u8], bindings: &str, expected: (u64, u64, u64)) {
    let model = read(file, bindings).expect("a model");
    assert_eq!(model.unresolved, []);
    let forward = model.forward(AttentionCount::Full).matmul.get::<flop>();
    let backward = model.backward(AttentionCount::Full).matmul.get::<flop>();
    let ratio = (1e4 * backward / forward).round() as u64;
    assert_eq!((model.parameters().total, (forward / 2.0) as u64, ratio), expected);
}

#[test]
fn parameters_macs_and_backward_passes() {
    check(RESNET, "N=1,H=224,W=224", (11_680_872, 1_814_073_344, 19_349));
    check(RESNET, "N=2,H=224,W=224", (11_680_872, 2 * 1_814_073_344, 19_349));
    check(MOBILENET, "N=1", (3_469_762, 300_774_272, 19_640));
    check(VIT, "N=1", (86_495_464, 17_563_828_224, 19_934));
    check(VIT, "N=8", (86_495_464, 8 * 17_563_828_224, 19_934));
    check(LSTM, "", (4_191_208, 470_274_048, 18_528));
}

#[test]
fn many_nodes_make_few_layers() {
    let model = read(VIT, "N=1").expect("a model");
    assert!(model.layers.len() < 60, "{} layers", model.layers.len());
    let elementwise = model.forward(AttentionCount::Full).elementwise.get::<flop>();
    assert!(elementwise > 0.0);
}

#[test]
fn dimensions_must_be_bound_and_bindings_used() {
    let check = |file, bindings, expected: &str| {
        let error = read(file, bindings).expect_err("an error").to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(VIT, "", "dimension 0 of input `input` is `N`, which has no size");
    check(VIT, "", "--bind N=1");
    check(RESNET, "N=1,H=224", "dimension 3 of input `input` is `W`");
    check(VIT, "n=1,N=1", "did you mean `N`?");
    check(LSTM, "S=1", "all dimensions of this file are fixed");
    for slip in ["N", "N=", "N=x", "=1", "N=-1", "N=99999999999999999999"] {
        assert!(slip.parse::<Bindings>().is_err(), "{slip}");
    }
}

#[test]
fn sizes_that_nobody_can_mean_are_refused() {
    let error = read(RESNET, "N=4000000000,H=4000000000,W=4000000000").expect_err("too many");
    assert!(error.to_string().contains("too many elements"), "{error}");
    assert!(read(RESNET, "N=1,H=1,W=1").is_ok());
}

#[test]
fn a_file_that_is_cut_or_not_onnx_says_so() {
    for cut in (0..RESNET.len()).step_by(97) {
        let _ = read(&RESNET[..cut], "N=1,H=224,W=224");
    }
    let not_onnx = read(b"{\"model_type\": \"gpt2\"}", "").expect_err("JSON");
    assert!(not_onnx.to_string().contains("is it an ONNX"), "{not_onnx}");
    assert!(read(b"", "").is_err());
}

/// Damages some bytes of a file: whatever comes out, it is an answer, and soon.
fn damage(file: &[u8], bindings: &str, hits: &[(usize, u8)]) {
    let mut bytes = file.to_vec();
    for &(at, byte) in hits {
        let at = at % bytes.len();
        bytes[at] = byte;
    }
    let _ = onnx::read(bytes, &bindings.parse().expect("bindings"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn damaged_files_end_in_an_answer(
        hits in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..8),
    ) {
        damage(RESNET, "N=1,H=224,W=224", &hits);
        damage(LSTM, "", &hits);
        damage(MOBILENET, "N=1", &hits);
        damage(VIT, "N=1", &hits);
    }

    #[test]
    fn any_bytes_end_in_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = onnx::read(bytes, &Bindings::default());
    }
}
