//! What `flopcast model` and `flopcast import` refuse: a message that says what and what next, exit
//! code 2, nothing on stdout.

use std::fs;

use crate::common::{self, holds, json, stdout, written};

fn file(name: &str, text: &str) -> String {
    written("bad_model", name, text)
}

fn refused(arguments: &[&str], parts: &[&str]) {
    holds(&arguments.join(" "), &common::refused(arguments, 2), parts);
}

const LLAMA: &str = r#"{"model_type": "llama", "architectures": ["LlamaForCausalLM"],
 "vocab_size": 1000, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
 "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128}"#;

/// The good configuration with one passage replaced.
fn config(name: &str, from: &str, to: &str, parts: &[&str]) {
    assert!(LLAMA.contains(from), "{from}");
    let path = file(&format!("{name}.json"), &LLAMA.replacen(from, to, 1));
    refused(&["model", &path], parts);
    refused(&["import", &path], parts);
}

#[test]
fn the_good_configuration_is_good() {
    let path = file("good.json", LLAMA);
    stdout(&["model", &path]);
}

#[test]
fn configurations() {
    config("head", "LlamaForCausalLM", "LlamaForChess", &["LlamaForChess"]);
    config("zero", "attention_heads\": 4", "attention_heads\": 0", &["num_attention_heads"]);
    config("divide", "attention_heads\": 4", "attention_heads\": 5", &["5"]);
    config("share", "value_heads\": 2", "value_heads\": 3", &["3"]);
    config("negative", "hidden_size\": 64", "hidden_size\": -64", &["-64"]);
    config("half", "hidden_size\": 64", "hidden_size\": 64.5", &["64.5"]);
    config("text", "hidden_size\": 64", "hidden_size\": \"wide\"", &["wide"]);
    config("huge", "hidden_size\": 64", "hidden_size\": 64000000000000", &["too large"]);
    config("cut", "128}", "128", &["not a JSON configuration"]);
}

/// Type and class name the family; where neither is known, the nearest type is named.
#[test]
fn families() {
    let unnamed = |name: &str, model_type: &str, parts: &[&str]| {
        let text =
            LLAMA.replace("Llama", "Zebra").replace("\"model_type\": \"llama\",", model_type);
        refused(&["model", &file(&format!("{name}.json"), &text)], parts);
    };
    unnamed("type", "\"model_type\": \"lama\",", &["lama", "did you mean", "`llama`"]);
    unnamed("untyped", "", &["`model_type` is missing"]);
    let told = |name: &str, from: &str, to: &str, part: &str| {
        let path = file(&format!("{name}.json"), &LLAMA.replacen(from, to, 1));
        let text = stdout(&["model", &path, "--format", "json"]);
        assert!(text.contains(part), "{text}");
    };
    told("class", "\"llama\"", "\"lama\"", "`lama` is not known, its class LlamaForCausalLM is");
    told("typo", "num_hidden_layers", "num_hiden_layers", "did you mean `num_hidden_layers`");
    told("foreign", "LlamaForCausalLM", "MistralForCausalLM", "belongs to `mistral`");
}

#[test]
fn an_unknown_type_names_the_keys_that_nobody_places() {
    let text = LLAMA
        .replace("Llama", "Zebra")
        .replace("\"llama\"", "\"lamma9\"")
        .replace('}', ", \"wormholes\": 3}");
    let path = file("wormholes.json", &text);
    refused(&["model", &path], &["lamma9", "did you mean", "wormholes"]);
}

/// A weight has some bits, and a format that is no section is said.
#[test]
fn formats_that_are_none() {
    let with = |name: &str, section: &str| {
        let quantized = format!("{{\"quantization_config\": {section}, ");
        file(name, &LLAMA.replacen('{', &quantized, 1))
    };
    let bits = |bits: &str| format!("{{\"quant_method\": \"gptq\", \"bits\": {bits}}}");
    for wide in ["-4", "0", "400"] {
        let path = with("bits.json", &bits(wide));
        refused(&["model", &path], &["bits.json", "quantization_config", wide, "1 to 32"]);
    }
    let told = stdout(&["model", &with("text.json", "\"awq\"")]);
    assert!(told.contains("`quantization_config` holds no keys"), "{told}");
}

/// One matrix of 64 x 64 whose use nobody says: no FLOPs, no fleet.
#[test]
fn weights_alone_have_no_flops() {
    let header = r#"{"a": {"dtype": "BF16", "shape": [64, 64], "data_offsets": [0, 8192]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.resize(bytes.len() + 8192, 0);
    let weights = file("alone.safetensors", "");
    std::fs::write(&weights, bytes).expect("written");
    let told = stdout(&["model", &weights]);
    assert!(told.contains("matmul        unknown") && !told.contains("0FLOP"), "{told}");
    let value = json(&["model", &weights, "--format", "json"]);
    assert!(value.pointer("/forward/flops/matmul").is_some_and(serde_json::Value::is_null));
    let served = "{name: s, model: {file: alone.safetensors}, inference: {hardware: {accelerator: \
                  h100-sxm}, traffic: {requests: 5/s}}}";
    refused(&["estimate", &file("served.yaml", served)], &["FLOPs", "config.json"]);
}

#[test]
fn missing_keys() {
    let path = file("empty.json", r#"{"model_type": "transformer"}"#);
    refused(&["model", &path], &["transformer"]);
    refused(&["model", &file("list.json", "[1, 2]")], &["section of keys"]);
}

#[test]
fn names_and_files() {
    refused(&["model", "gtp2"], &["no model `gtp2`", "`gpt2`"]);
    refused(&["model", "nowhere.json"], &["no file nowhere.json"]);
    refused(&["model", "gpt2", "--on", "h100-smx"], &["h100-smx", "`h100-sxm`"]);
    refused(&["model", "gpt2", "--precision", "fp7"], &["`fp7` is not a precision"]);
    refused(&["model"], &["SPEC"]);
    refused(&["model", "gpt2", "--batch", "0"], &["--batch"]);
    refused(&["model", &file("cut.onnx", "\u{8}\u{7f}")], &["cut.onnx"]);
    refused(&["model", &file("cut.safetensors", "\u{1}")], &["cut.safetensors"]);
    refused(&["model", &file("odd.yaml", "layers: [{dense: {in: 3, owt: 4}}]")], &["`owt`", "out"]);
}

#[test]
fn bindings() {
    let graph = "tests/data/onnx/resnet18-dynNHW.onnx";
    refused(&["model", graph], &["--bind"]);
    refused(&["model", graph, "--bind", "N"], &["N"]);
    refused(&["model", graph, "--bind", "N=many"], &["many"]);
    refused(&["model", graph, "--bind", "M=1,H=224,W=224"], &["M"]);
}

#[test]
fn compressions() {
    let compress = |setting: &str, parts: &[&str]| {
        refused(&["model", "gpt2", "--on", "a100-sxm-80gb", "--compress", setting], parts);
    };
    compress("quantization=fp7", &["`fp7`", "`fp8`"]);
    compress("quantization=fp8", &["no fp8 peak of a100-sxm-80gb", "int4"]);
    compress("quantisation=int8", &["`quantisation`", "`quantization`"]);
    compress("quantization.mpl=int8", &["no group `mpl`", "mlp"]);
    compress("pruning=150%", &["150%"]);
    compress("pruning.experts=50%", &["no experts weights"]);
    compress("pruning.head=50%", &["2:4"]);
    compress("distillation=gtp2", &["`gtp2`", "`gpt2`"]);
    compress("int8", &["e.g."]);
}

#[test]
fn metrics() {
    let metric = |table: &str, parts: &[&str]| {
        refused(&["model", "resnet50", "--metric", &file("scores.csv", table)], parts);
    };
    metric("model,points\nresnet50,80\n", &["score"]);
    metric("model,score\nresnet50,good\n", &["scores.csv", "line: 2"]);
    metric("model,score\nresnet5O,80\n", &["no score of `resnet50`", "`resnet5O`"]);
    refused(&["model", "resnet50", "--metric", "torchvision", "--against", "time"], &["--on"]);
    refused(&["model", "resnet50", "--metric", "nowhere.csv"], &["no file nowhere.csv"]);
    let there = file("there.svg", "mine");
    refused(&["model", "resnet50", "--metric", "torchvision", "--svg", &there], &["--force"]);
    assert_eq!(fs::read_to_string(there).expect("still there"), "mine");
}

#[test]
fn imports() {
    let there = file("there.yaml", "mine");
    refused(&["import", "gpt2", "-o", &there], &["exists already", "--force"]);
    assert_eq!(fs::read_to_string(&there).expect("still there"), "mine");
    refused(&["import", "gpt2", "-o", &file("x.txt", "")], &["no model file"]);
    refused(&["import", &there], &["model file already"]);
    refused(&["import", "nowhere/config.json"], &["no file"]);
}
