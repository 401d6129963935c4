//! Reading architectures: an ONNX graph of ViT-B/16 whose shapes must be inferred.

use flopcast::model::import::onnx::{self, Bindings};

const VIT: &[u8] = include_bytes!("../tests/data/onnx/vit_b_16-dynN.onnx");

fn main() {
    divan::main();
}

#[divan::bench]
fn onnx_vit_b_16(bencher: divan::Bencher<'_, '_>) {
    let bindings: Bindings = "N=1".parse().expect("a binding");
    bencher.bench(|| onnx::read(VIT, &bindings).expect("a model"));
}
