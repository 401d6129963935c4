//! What each recipe costs: its FLOPs by the passes that a token takes, its memory, its time.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::common::{close, flopcast, number};

/// The forecast of a scenario with this training section's head.
fn estimate(name: &str, training: &str, data: &str) -> Result<Value, String> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("recipes");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{name}.yaml"));
    let text = format!(
        "name: {name}\nmodel: llama-3-8b\n{data}training:\n  precision: bf16\n  \
         sequence_length: 4096\n  global_batch: 1M tokens\n  hardware: {{accelerator: h100-sxm, \
         count: 16}}\n{training}"
    );
    fs::write(&path, text).unwrap();
    let output = flopcast(&["estimate", path.to_str().unwrap(), "--format", "json"]);
    if output.stdout.is_empty() {
        return Err(String::from_utf8(output.stderr).unwrap());
    }
    Ok(serde_json::from_slice(&output.stdout).unwrap())
}

const DATA: &str = "data: {tokens: 10B}\n";

fn figure(name: &str, training: &str, path: &str) -> f64 {
    number(&estimate(name, training, DATA).unwrap(), path)
}

const FLOPS: &str = "training.flops.model";
const HOURS: &str = "training.device_hours";

#[test]
fn a_teacher_adds_its_forward_pass() {
    let plain = figure("plain", "", FLOPS);
    let same = "  recipe: distill\n  teacher: llama-3-8b\n";
    close("distill from itself", figure("distill", same, FLOPS), plain * 4.0 / 3.0, 2e-3);
    let large = "  recipe: distill\n  teacher: llama-3-70b\n";
    let ratio = figure("distill-70b", large, HOURS) / figure("plain-h", "", HOURS);
    // 70.6B / 8.0B x one third, and a little less: the head counts less.
    assert!((3.5..4.5).contains(&ratio), "{ratio}");
}

#[test]
fn reinforcement_learning_writes_asks_and_learns() {
    let mfu = "  efficiency: {mfu: 0.2, convention: model}\n";
    let plain = figure("rl-plain", "", FLOPS);
    let rl = format!("  recipe: rl\n  rl: {{reference: true}}\n{mfu}");
    close("generation and reference", figure("rl", &rl, FLOPS), plain * 5.0 / 3.0, 2e-3);
    let rules = format!("  recipe: rl\n  rl: {{reference: false, update_epochs: 2}}\n{mfu}");
    close("two updates", figure("rl-rules", &rules, FLOPS), plain * 7.0 / 3.0, 2e-3);
    let auto = estimate("rl-auto", "  recipe: rl\n  rl: {}\n", DATA).unwrap_err();
    assert!(auto.contains("efficiency"), "{auto}");
}

#[test]
fn adapters_save_weight_gradients_and_memory() {
    let lora = "  recipe: lora\n  lora: {rank: 16}\n";
    let qlora = "  recipe: qlora\n  lora: {rank: 16}\n";
    let plain = figure("full", "", FLOPS);
    let saved = figure("lora", lora, FLOPS) / plain;
    assert!((0.66..0.75).contains(&saved), "{saved}");
    close("qlora", figure("qlora", qlora, FLOPS), figure("lora-2", lora, FLOPS), 1e-9);
    let state = |name: &str, recipe: &str| {
        let forecast = estimate(name, recipe, DATA).unwrap();
        ["weights", "gradients", "optimizer"]
            .map(|part| number(&forecast, &format!("training.memory_gb.{part}")))
    };
    let layout = "  parallelism: {tensor: 1, data: 16, zero: 0, recompute: full}\n";
    let small = state("lora-m", &format!("{lora}{layout}"));
    let smaller = state("qlora-m", &format!("{qlora}{layout}"));
    close("frozen bf16 weights of 8B", small[0], 16.06, 0.01);
    close("4-bit weights with scales", smaller[0], 16.06 * 4.127 / 16.0, 0.01);
    assert!(small[1] < 1.0 && small[2] < 1.0, "{small:?}");
    let hours = figure("lora-h", lora, HOURS) / figure("full-h", "", HOURS);
    close("time follows the FLOPs", hours, saved, 0.05);
    let widened = figure("qlora-h", qlora, HOURS) / figure("lora-h2", lora, HOURS);
    assert!(widened > 1.0, "4-bit weights are widened before each product: {widened}");
}

#[test]
fn stages_add_up() {
    let stages = "  stages: [{tokens: 8B}, {tokens: 2B, sequence_length: 8192}]\n";
    let staged = estimate("stages", stages, "").unwrap();
    let short = estimate("short", "", "data: {tokens: 8B}\n").unwrap();
    let long = "  stages: [{tokens: 2B, sequence_length: 8192}]\n";
    let long = estimate("long", long, "").unwrap();
    close("FLOPs", number(&staged, FLOPS), number(&short, FLOPS) + number(&long, FLOPS), 1e-6);
    close("6ND", number(&staged, "training.flops.six_nd"), 6.0 * 8.03e9 * 10e9, 0.01);
}

#[test]
fn recipes_that_lack_or_contradict() {
    for (name, training, data, parts) in [
        ("no-teacher", "  recipe: distill\n", DATA, ["needs `teacher", "recipe distill"]),
        ("no-rank", "  recipe: qlora\n", DATA, ["needs `lora", "rank"]),
        ("idle", "  teacher: gpt2\n", DATA, ["`teacher` belongs", "distill"]),
        ("twice", "  stages: [{tokens: 1B}]\n", DATA, ["both say how much", "leave out"]),
        ("no-rl", "  recipe: rl\n", DATA, ["needs `rl", "recipe rl"]),
    ] {
        let message = estimate(name, training, data).unwrap_err();
        for part in parts {
            assert!(message.contains(part), "{name}: {message}");
        }
    }
}
