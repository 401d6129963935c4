//! Reading architectures: an ONNX graph of ViT-B/16 whose shapes must be inferred, and a Hugging
//! Face configuration.

use flopcast::import::onnx;
use flopcast::model::Bindings;
use flopcast::model::Input;
use flopcast::model::config;

const VIT: &[u8] = include_bytes!("../tests/data/onnx/vit_b_16-dynN.onnx");

/// Llama 3.1 70B (arXiv:2407.21783, table 3).
const LLAMA: &str = r#"{
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 8192,
    "intermediate_size": 28672, "num_hidden_layers": 80, "num_attention_heads": 64,
    "num_key_value_heads": 8, "vocab_size": 128256, "max_position_embeddings": 131072,
    "tie_word_embeddings": false
}"#;

fn main() {
    divan::main();
}

#[divan::bench]
fn onnx_vit_b_16(bencher: divan::Bencher<'_, '_>) {
    let bindings: Bindings = "N=1".parse().expect("a binding");
    bencher.bench(|| onnx::read(VIT, &bindings).expect("a model"));
}

#[divan::bench]
fn config_llama_70b(bencher: divan::Bencher<'_, '_>) {
    bencher.bench(|| config::read("llama", LLAMA, &Input::default()).expect("a model"));
}
