//! What each recipe costs: its FLOPs by the passes that a token takes, its memory, its time.
#![allow(clippy::unwrap_used)]

use flopcast::diagnostic::Result;
use serde_json::Value;

use crate::common::library::{Way, answer, resolved};
use crate::common::{close, holds, number};

/// The forecast of a scenario with this training section's head.
fn estimate(training: &str, data: &str) -> Result<Value> {
    let text = format!(
        "name: a recipe\nmodel: llama-3-8b\n{data}training:\n  precision: bf16\n  \
         sequence_length: 4096\n  global_batch: 1M tokens\n  hardware: {{accelerator: h100-sxm, \
         count: 16}}\n{training}"
    );
    answer(Way::Estimate, &resolved(&text)?)
}

const DATA: &str = "data: {tokens: 10B}\n";

fn figure(training: &str, path: &str) -> f64 {
    number(&estimate(training, DATA).unwrap(), path)
}

const FLOPS: &str = "training.flops.model";
const HOURS: &str = "training.device_hours";

#[test]
fn a_teacher_adds_its_forward_pass() {
    let plain = figure("", FLOPS);
    let same = "  recipe: distill\n  teacher: llama-3-8b\n";
    close("distill from itself", figure(same, FLOPS), plain * 4.0 / 3.0, 2e-3);
    let large = "  recipe: distill\n  teacher: llama-3-70b\n";
    // Of the same goodput: a longer run loses a larger part of its time.
    let goodput = "  goodput: 95 %\n";
    let ratio = figure(&format!("{goodput}{large}"), HOURS) / figure(goodput, HOURS);
    // 70.6B / 8.0B x one third, and a little less: the head counts less.
    assert!((3.5..4.5).contains(&ratio), "{ratio}");
}

#[test]
fn reinforcement_learning_writes_asks_and_learns() {
    let mfu = "  efficiency: {mfu: 0.2, convention: model}\n";
    let plain = figure("", FLOPS);
    let rl = format!("  recipe: rl\n  rl: {{reference: true}}\n{mfu}");
    close("generation and reference", figure(&rl, FLOPS), plain * 5.0 / 3.0, 2e-3);
    let rules = format!("  recipe: rl\n  rl: {{reference: false, update_epochs: 2}}\n{mfu}");
    close("two updates", figure(&rules, FLOPS), plain * 7.0 / 3.0, 2e-3);
}

/// What a recipe passes beside learning, in FLOPs of plain training (a third is one forward pass).
#[test]
fn recipes_of_post_training_pass_what_their_papers_say() {
    let plain = figure("", FLOPS);
    for (recipe, passes) in [
        ("sft", 3.0),
        ("reward", 3.0),
        ("orpo", 3.0),
        ("dpo", 4.0),
        ("kto", 6.0),
        // Generation, old probabilities; reference; model and critic learn, critic and reward are
        // asked.
        ("rlvr", 5.0),
        ("grpo", 6.0),
        ("ppo", 11.0),
    ] {
        let found = figure(&format!("  recipe: {recipe}\n"), FLOPS);
        close(recipe, found, plain * passes / 3.0, 2e-3);
    }
}

/// A sample of text is a sequence, a pair of them where two answers are compared, or a prompt with all
/// answers to it; the run is that of so many tokens.
#[test]
fn samples_of_text_are_their_tokens() {
    let rollout = "rl: {rollout: {group: 16, prompt_tokens: 500, answer_tokens: {mean: 1500}}}\n";
    for (recipe, more, tokens) in [
        ("pretrain", "", 4096.0),
        ("lora", "lora: {rank: 16}\n", 4096.0),
        ("kto", "", 4096.0),
        ("dpo", "", 2.0 * 4096.0),
        ("reward", "", 2.0 * 4096.0),
        ("grpo", rollout, 16.0 * 2000.0),
        // An eighth is prompt, half of the rest its one answer.
        ("ppo", "", 512.0 + 1792.0),
    ] {
        let training = format!("  recipe: {recipe}\n  {more}");
        let samples = estimate(&training, "data: {samples: 1M, epochs: 2}\n").unwrap();
        let same = estimate(&training, &format!("data: {{tokens: {}, epochs: 2}}\n", 1e6 * tokens));
        let same = same.unwrap();
        close(recipe, number(&samples, "training.tokens"), 2e6 * tokens, 1e-12);
        for path in [FLOPS, HOURS, "training.memory_gb.reserved"] {
            close(&format!("{recipe}, {path}"), number(&samples, path), number(&same, path), 1e-12);
        }
    }
}

/// Attention has both of its gradients whatever is frozen: adapters save at any length, less at long ones.
#[test]
fn adapters_are_no_slower_than_all_weights() {
    let hours = |more: &str, length: u32| {
        let text = format!(
            "name: a\nmodel: llama-3-8b\ndata: {{tokens: 1B}}\ntraining:\n  sequence_length: {length}\n  \
             global_batch: 4M tokens\n  hardware: {{accelerator: h100-sxm, count: 8}}\n{more}"
        );
        number(&answer(Way::Estimate, &resolved(&text).unwrap()).unwrap(), HOURS)
    };
    let saved = [2048, 8192, 32_768, 131_072].map(|length| {
        let lora = hours("  recipe: lora\n  lora: {rank: 8}\n", length);
        lora / hours("  recipe: sft\n", length)
    });
    assert!(saved.is_sorted() && saved[0] < 0.8 && saved[3] < 1.0, "{saved:?}");
}

/// Frozen models lie in memory, wherever the weights of the trained one are kept.
#[test]
fn frozen_models_take_memory() {
    let weights =
        |training: &str| number(&estimate(training, DATA).unwrap(), "training.memory_gb.weights");
    let layouts = ["zero: 0", "zero: 1", "zero: 3"].map(|zero| {
        format!(
            "  framework: torchtitan\n  parallelism: {{{zero}, micro_batch: 1, recompute: full}}\n"
        )
    });
    for (layout, shards) in layouts.iter().zip([1.0, 1.0, 16.0]) {
        let own = weights(&format!("  recipe: sft\n{layout}"));
        for (recipe, billions) in [
            ("dpo", 8.03),
            ("kto", 8.03),
            ("distill\n  teacher: llama-3-70b", 70.55),
            ("distill\n  teacher: llama-3-8b", 8.03),
        ] {
            let more = weights(&format!("  recipe: {recipe}\n{layout}")) - own;
            close(&format!("{recipe}, {layout}"), more, 2.0 * billions / shards, 0.01);
        }
    }
    // Without its adapters the model is its own reference.
    let lora = "  lora: {rank: 16}\n";
    let [sft, dpo] =
        ["sft", "dpo"].map(|it| weights(&format!("  recipe: {it}\n{lora}{}", layouts[0])));
    close("a reference without adapters", dpo, sft, 1e-9);
}

/// Models that are only asked keep no activations, and compute nothing anew.
#[test]
fn only_what_is_learned_is_computed_anew() {
    let flops = |recipe: &str| {
        let layout = "  parallelism: {zero: 3, micro_batch: 1, recompute: full}\n";
        let forecast = estimate(&format!("  recipe: {recipe}\n{layout}"), DATA).unwrap();
        number(&forecast, "training.flops.hardware") - number(&forecast, FLOPS)
    };
    for recipe in ["dpo", "kto", "grpo"] {
        close(recipe, flops(recipe), flops("sft"), 1e-6);
    }
    close("model and critic learn", flops("ppo"), 2.0 * flops("sft"), 1e-6);
}

/// Hardware FLOPs count what is computed anew, whatever the policy, and a given HFU is of them.
#[test]
fn what_is_computed_anew_is_counted() {
    let of = |policy: &str, more: &str, figure_of: &str| {
        let layout = format!("parallelism: {{tensor: 4, micro_batch: 1, recompute: {policy}}}");
        figure(&format!("  {layout}\n  goodput: 95 %\n{more}"), figure_of)
    };
    let hfu = "  efficiency: {hfu: 0.4}\n";
    let hardware = |policy: &str| of(policy, "", "training.flops.hardware");
    let full = hardware("full") / hardware("none") - 1.0;
    assert!((0.29..1.0 / 3.0).contains(&full), "the forward pass without the head: {full}");
    for (policy, part) in [("half", 0.5), ("products", 0.5), ("full", 1.0)] {
        let flops = hardware(policy) / hardware("none");
        close(policy, flops, 1.0 + part * full, 1e-9);
        close(policy, of(policy, hfu, HOURS) / of("none", hfu, HOURS), flops, 1e-9);
    }
    assert!(hardware("selective") > hardware("none"));
}

/// A framework of which no run was measured is timed as a usual one, in its own formats; one of which
/// nothing is known is refused whatever else is given.
#[test]
fn frameworks_without_a_measured_run() {
    // In one layout: with less memory another one may be the fastest.
    let layout = "  parallelism: {zero: 3, micro_batch: 1, recompute: full}\n";
    let usual = figure(layout, HOURS);
    for (framework, bytes) in
        [("deepspeed", 18.0), ("pytorch", 18.0), ("huggingface", 18.0), ("trl", 8.0), ("jax", 16.0)]
    {
        let framework = format!("  framework: {framework}\n");
        close(&framework, figure(&format!("{framework}{layout}"), HOURS), usual, 0.03);
        let run = estimate(&format!("{framework}{layout}"), DATA).unwrap();
        let part = |name: &str| number(&run, &format!("training.memory_gb.{name}"));
        let kept = part("weights") + part("gradients") + part("optimizer");
        // A sixteenth of 8.03B parameters, and the table of 0.525B gathered, with its gradients.
        assert!(kept <= bytes * 8.03 / 16.0 + 2.0 * 2.0 * 0.525, "{framework}: {kept}");
        let why = run["training"]["prediction"].to_string() + &run["warnings"].to_string();
        holds(&framework, &why, &["was ever measured"]);
    }
    for more in ["", "  efficiency: {mfu: 0.4}\n"] {
        let error = estimate(&format!("  framework: foo\n{more}"), DATA).expect_err("foo");
        holds("foo", &error.to_string(), &["nothing is known of the framework", "deepspeed"]);
    }
}

/// The usual sequence holds a prompt and its answer; only a given one may be too short.
#[test]
fn long_answers_have_long_sequences() {
    let asked = |length: &str, rollout: &str| {
        resolved(&format!(
            "name: a\nmodel: llama-3-8b\ndata: {{tokens: 1B}}\ntraining:\n  recipe: grpo\n{length}  hardware: \
             {{accelerator: h100-sxm, count: 16}}\n  rl: {{rollout: {{{rollout}}}}}\n"
        ))
        .and_then(|scenario| answer(Way::Estimate, &scenario))
    };
    let long = "prompt_tokens: 1000, answer_tokens: {mean: 6000}";
    let free = number(&asked("", long).unwrap(), HOURS);
    let said = number(&asked("  sequence_length: 7000\n", long).unwrap(), HOURS);
    close("the length that fits", free, said, 1e-9);
    let short = asked("  sequence_length: 2048\n", long).expect_err("too short").to_string();
    holds("a given length", &short, &["do not fit", "sequence_length: 7000"]);
    for rollout in ["answer_tokens: {mean: 3000, p95: 9000}", "prompt_tokens: 3000"] {
        assert!(asked("", rollout).is_ok(), "{rollout}");
    }
}

#[test]
fn answers_take_the_time_that_the_engine_needs() {
    let hours = |rl: &str| figure(&format!("  recipe: grpo\n  rl: {{rollout: {{{rl}}}}}\n"), HOURS);
    let answers = |mean: u32| format!("prompt_tokens: 256, answer_tokens: {{mean: {mean}}}");
    let learned = figure("  recipe: dpo\n", HOURS);
    let short = hours(&answers(500));
    assert!(short > 1.2 * learned, "writing takes time: {short} of {learned}");
    let spread = hours("prompt_tokens: 256, answer_tokens: {mean: 500, p95: 1500}");
    assert!(spread > short, "all wait for the longest answer: {spread} of {short}");
    let apart = hours(&format!("{}, devices: 8", answers(500)));
    let beside = hours(&format!("{}, devices: 8, asynchronous: true", answers(500)));
    assert!(beside < apart, "who writes need not wait for who learns: {beside} of {apart}");
}

#[test]
fn adapters_save_weight_gradients_and_memory() {
    let lora = "  recipe: lora\n  lora: {rank: 16}\n";
    let qlora = "  recipe: qlora\n  lora: {rank: 16}\n";
    let plain = figure("", FLOPS);
    let saved = figure(lora, FLOPS) / plain;
    assert!((0.66..0.75).contains(&saved), "{saved}");
    close("qlora", figure(qlora, FLOPS), figure(lora, FLOPS), 1e-9);
    let state = |recipe: &str| {
        let forecast = estimate(recipe, DATA).unwrap();
        ["weights", "gradients", "optimizer"]
            .map(|part| number(&forecast, &format!("training.memory_gb.{part}")))
    };
    let layout = "  parallelism: {tensor: 1, data: 16, zero: 0, recompute: full}\n";
    let small = state(&format!("{lora}{layout}"));
    let smaller = state(&format!("{qlora}{layout}"));
    close("frozen bf16 weights of 8B", small[0], 16.06, 0.01);
    // The adapters stay in 16 bits: rank 16 on all seven projections is 41.94M parameters.
    let adapters = 2.0 * 0.04194;
    // Table and head keep 16 bits, as bitsandbytes leaves them: 2 x 128,256 x 4,096.
    let tables = 2.0 * 0.52534;
    let narrow = (16.06 - 2.0 * tables) * 4.127 / 16.0;
    close("4-bit weights with scales", smaller[0], narrow + 2.0 * tables + adapters, 0.01);
    assert!(small[1] < 1.0 && small[2] < 1.0, "{small:?}");
    let hours = figure(lora, HOURS) / figure("", HOURS);
    close("time follows the FLOPs", hours, saved, 0.05);
    let widened = figure(qlora, HOURS) / figure(lora, HOURS);
    assert!(widened > 1.0, "4-bit weights are widened before each product: {widened}");
}

#[test]
fn stages_add_up() {
    let stages = "  stages: [{tokens: 8B}, {tokens: 2B, sequence_length: 8192}]\n";
    let staged = estimate(stages, "").unwrap();
    let short = estimate("", "data: {tokens: 8B}\n").unwrap();
    let long = "  stages: [{tokens: 2B, sequence_length: 8192}]\n";
    let long = estimate(long, "").unwrap();
    close("FLOPs", number(&staged, FLOPS), number(&short, FLOPS) + number(&long, FLOPS), 1e-6);
    // Each stage runs at its own pace.
    let pace = |answer: &Value| number(answer, "training.tokens_per_second_per_device");
    let apart = 1.0 / (0.8 / pace(&short) + 0.2 / pace(&long));
    close("pace", pace(&staged), apart, 1e-6);
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
        ("none-learns", "  recipe: grpo\n  rl: {rollout: {devices: 16}}\n", DATA, ["16", "learns"]),
    ] {
        let error = estimate(training, data).expect_err(name);
        holds(name, &error.to_string(), &parts);
    }
}
