//! `optimize --search` and `model --advise`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::{close, flopcast, holds, json, number, refused, scratch, stdout};

/// Top-1 of timm's `augreg_in21k_ft_in1k` vision transformers (results of timm, Apache-2.0).
const RESULTS: &str = "\
hidden_size,patch_size,image_size,top1
192,16,224,75.452
192,16,384,78.438
384,16,224,81.402
384,16,384,83.814
384,32,224,76.010
384,32,384,80.476
768,16,384,86.010
768,32,224,80.732
768,32,384,83.358
";

const SPACE: &str = "\
model: vit-small-patch16-224
knobs:
  hidden_size: 192..768+64
  patch_size: [16, 32]
  image_size: [224, 256, 384]
derived: {num_attention_heads: hidden_size / 64, intermediate_size: 4 * hidden_size}
devices: [l4, jetson-orin-nano-8gb]
";

/// A space in a folder of the test's own, beside the table.
fn space(name: &str, text: &str) -> PathBuf {
    let folder = scratch(name);
    fs::write(folder.join("results.csv"), RESULTS).expect("a table");
    fs::write(folder.join("space.yaml"), text).expect("a space");
    folder
}

fn search(folder: &Path) -> Vec<String> {
    let path = folder.join("space.yaml").display().to_string();
    vec!["optimize".to_owned(), "--search".to_owned(), path]
}

fn with<'a>(asked: &'a [String], more: &[&'a str]) -> Vec<&'a str> {
    asked.iter().map(String::as_str).chain(more.iter().copied()).collect()
}

#[test]
fn the_front_is_of_models_that_the_other_commands_take() {
    let rest = "objectives: [quality, latency@l4]\nquality: {table: results.csv, score: top1}\n\
                limits: {parameters: 60M}\n";
    let folder = space("search-front", &format!("{SPACE}{rest}"));
    let asked = search(&folder);
    let out = folder.join("front").display().to_string();
    let svg = folder.join("front.svg").display().to_string();
    // The Jetson does not multiply bf16: what both do is usual.
    let more = ["--propose", "2", "-o", &out, "--svg", &svg, "--format", "json"];
    let answer = json(&with(&asked, &more));
    assert_eq!(answer["points"], 60);
    assert_eq!(answer["exhaustive"], true);
    assert_eq!(answer["precision"], "fp16");
    assert!(number(&answer, "quality.left_out.median_abs_error") < 2.0, "{answer:#}");
    let front = answer["front"].as_array().expect("a front");
    assert!(front.len() > 3);
    for (point, at) in front.iter().zip(1..) {
        let model = format!("{out}/front-{at:02}.model.yaml");
        let counted = json(&["model", &model, "--format", "json"]);
        let parameters = number(&counted, "parameters.total");
        close("parameters", number(point, "figures.parameters"), parameters, 1e-12);
        assert!(parameters <= 60e6);
        let width = number(point, "quality_half_width");
        assert!(width > 0.0 && width < 20.0, "{width}");
    }
    assert_eq!(answer["proposals"].as_array().expect("proposals").len(), 2);
    let proposed = format!("{out}/measure-01.yaml");
    assert!(stdout(&["validate", &proposed]).contains("measure-01"));
    assert!(fs::read_to_string(svg).expect("a picture").starts_with("<svg"));
    let page = stdout(&with(&asked, &["--format", "html"]));
    holds("page", &page, &["<!doctype html", "<svg", "<th", "no other beats"]);
    // What is there is not written over, and the same question has the same answer.
    assert!(refused(&with(&asked, &["-o", &out]), 2).contains("exists already"));
    let again = json(&with(&asked, &["--propose", "2", "--format", "json"]));
    assert_eq!(again, answer);
}

#[test]
fn a_large_space_is_bred_by_a_seed() {
    let folder = space(
        "search-bred",
        "model: {transformer: {layers: 12, hidden: 768, heads: 12, vocab: 32000}}\n\
         knobs: {layers: 4..48+2, hidden: 512..4096+128, heads: [8, 16, 32], ffn: 1024..16384+512,\n\
         compress.quantization: [none, int8, int4], kv_heads: [1, 2, 4, 8]}\n\
         constraints: [hidden % heads == 0, kv_heads <= heads]\nsequence_length: 128\n\
         limits: {memory: 2 GB}\nobjectives: [quality, flops]\n\
         quality: {law: besiroglu, tokens: 100B}\n",
    );
    let asked = search(&folder);
    let ask =
        |seed| json(&with(&asked, &["--evaluations", "300", "--seed", seed, "--format", "json"]));
    let (one, same) = (ask("1"), ask("1"));
    assert_eq!(one, same);
    assert_eq!(one["exhaustive"], false);
    assert_eq!(one["quality"]["sees"], "size, not shape");
    let front = one["front"].as_array().expect("a front");
    assert!(!front.is_empty() && front.len() <= 300);
    for point in front {
        assert!(number(point, "figures.memory_gb") <= 2.0);
        // A law says nothing of a quantized model: it is not ranked.
        assert_eq!(point["values"]["compress.quantization"], "none");
    }
}

#[test]
fn a_scenario_lends_its_figures() {
    let folder = space(
        "search-scenario",
        "knobs: {hidden_size: [192, 384], scenario.training.hardware.count: [8, 16]}\n\
         derived: {num_attention_heads: hidden_size / 64, intermediate_size: 4 * hidden_size}\n\
         limits: {cost: 1M}\nobjectives: [max:parameters, cost, days]\n",
    );
    let plan = folder.join("plan.yaml");
    fs::write(
        &plan,
        "name: Plan\nmodel: vit-small-patch16-224\ndata: {samples: 1.28M, epochs: 90}\n\
         training: {precision: bf16, hardware: {accelerator: h100-sxm, count: 8}, efficiency: {mfu: 0.3}}\n\
         placement: {provider: aws, region: us-east-1, purchase: on-demand}\n",
    )
    .expect("a plan");
    let plan = plan.display().to_string();
    let path = folder.join("space.yaml").display().to_string();
    let out = folder.join("out").display().to_string();
    let answer = json(&["optimize", &plan, "--search", &path, "-o", &out, "--format", "json"]);
    let front = answer["front"].as_array().expect("a front");
    assert!(front.len() >= 2, "{answer:#}");
    for (point, at) in front.iter().zip(1..) {
        let forecast =
            json(&["estimate", &format!("{out}/front-{at:02}.yaml"), "--format", "json"]);
        let cost = number(&forecast, "training.cost_usd.total");
        let figures = point["figures"].as_object().expect("figures");
        let said = figures.iter().find(|(key, _)| key.contains("cost")).expect("a cost").1;
        close("cost", said.as_f64().expect("a cost"), cost, 1e-9);
    }
}

/// What the answer says of the student is what `estimate` says of its scenario.
#[test]
fn a_student_pays_after_some_queries() {
    let folder = space(
        "search-student",
        "teacher: llama-3-8b\nknobs: {num_hidden_layers: [8, 12, 16]}\nlimits: {memory: 2.6 GB}\n",
    );
    let plan = folder.join("plan.yaml");
    let text = "name: Student\nmodel: llama-3.2-1b\ndata: {tokens: 20B}\n\
        training: {precision: bf16, sequence_length: 2048, hardware: {accelerator: h100-sxm, count: 16}, efficiency: {mfu: 0.4}}\n\
        placement: {provider: aws, region: us-east-1, purchase: on-demand}\n\
        inference: {precision: bf16, hardware: {accelerator: h100-sxm}, traffic: {requests: 20M/day, input_tokens: 500, output_tokens: 200}}\n";
    fs::write(&plan, text).expect("a plan");
    let plan = plan.display().to_string();
    let path = folder.join("space.yaml").display().to_string();
    let out = folder.join("out").display().to_string();
    let answer = json(&["optimize", &plan, "--search", &path, "-o", &out, "--format", "json"]);
    let student = &answer["student"];
    assert_eq!(student["values"]["num_hidden_layers"], 12, "{answer:#}");
    let forecast = json(&["estimate", &format!("{out}/front-01.yaml"), "--format", "json"]);
    let cost = number(&forecast, "training.cost_usd.total");
    close("cost", number(student, "distillation.cost_usd"), cost, 1e-9);
    let own = number(&forecast, "inference.per_query.serving_usd");
    close("query", number(student, "per_query_usd"), own, 1e-9);
    // Llama 3 8B reads 20B tokens once: two FLOPs per weight, and attention beside.
    let passes = number(student, "teacher_forward_flops") / (2.0 * 7.5e9 * 20e9);
    assert!((1.0..1.2).contains(&passes), "{passes}");
    let saved = number(student, "teacher_per_query_usd") - own;
    assert!(saved > 0.0);
    close("pays", number(student, "pays_after_queries"), cost / saved, 1e-9);
}

#[test]
fn spaces_that_make_no_sense() {
    let cases: [(&str, &str, &[&str]); 18] = [
        ("empty", "model: resnet50\nknobs: {}\n", &["the space is empty"]),
        ("values", "model: resnet50\nknobs: {depths: []}\n", &["`depths` has no value"]),
        ("range", "model: resnet50\nknobs: {stem: 16..64}\n", &["a range without a step"]),
        (
            "lacks",
            "model: vit-small-patch16-224\nknobs: {hiden_size: [384]}\n",
            &["no key `hiden_size`", "did you mean `hidden_size`"],
        ),
        (
            "template",
            "model: resnet50\nknobs: {depth: [1, 2]}\n",
            &["`depth` changes nothing", "`depths`"],
        ),
        (
            "compression",
            "model: resnet50\nknobs: {compress.low_rnk: [25%]}\n",
            &["no key `low_rnk`", "`low_rank`", "space.yaml:2"],
        ),
        (
            "format",
            "model: resnet50\nknobs: {compress.quantization: [none, int9]}\n",
            &["`int9` is no quantization", "int8, fp8"],
        ),
        ("size", "model: {parameters: 7B}\nknobs: {layers: [1]}\n", &["no knobs to turn"]),
        (
            "contradiction",
            "model: resnet50\nknobs: {stem: 16..64+16, groups: [1, 2]}\n\
             constraints: [groups >= 1, stem > 40, stem < 40]\n",
            &["no point meets `stem > 40` and `stem < 40`", "exit"],
        ),
        (
            "constraint",
            "model: resnet50\nknobs: {stem: [64]}\nconstraints: [stam > 4]\n",
            &["`stam` is neither a knob nor a key", "`stem`"],
        ),
        (
            "expression",
            "model: resnet50\nknobs: {stem: [64]}\nconstraints: ['stem >']\n",
            &["is not an expression", "space.yaml:3"],
        ),
        (
            "device",
            "model: resnet50\nknobs: {stem: [64]}\nobjectives: [latency@l4]\n",
            &["names no device of the space"],
        ),
        (
            "figure",
            "model: resnet50\nknobs: {stem: [64]}\nobjectives: [flps]\n",
            &["no figure `flps`", "`flops`"],
        ),
        (
            "forecast",
            "model: resnet50\nknobs: {stem: [64]}\nlimits: {cost: 5}\n",
            &["is a figure of a scenario"],
        ),
        (
            "unmeasured",
            "model: resnet50\nknobs: {stem: [64]}\nobjectives: [quality]\n",
            &["nothing says the quality"],
        ),
        (
            "column",
            "model: vit-small-patch16-224\nknobs: {hidden_size: [192, 384]}\n\
             quality: {table: results.csv, score: top1}\n",
            &["column `patch_size` is no knob"],
        ),
        (
            "score",
            "model: vit-small-patch16-224\nknobs: {hidden_size: [192]}\n\
             quality: {table: results.csv, score: top5}\n",
            &["no column `top5`", "`top1`"],
        ),
        (
            "budget",
            "model: resnet50\nknobs: {stem: [32, 64]}\nlimits: {flops: 1 GFLOP}\n",
            &["flops binds", "% off the limit of 1", "The nearest point", "exit"],
        ),
    ];
    for (name, text, expected) in cases {
        let folder = space(&format!("search-bad-{name}"), text);
        let asked = search(&folder);
        let arguments = with(&asked, &[]);
        // An answer of nothing is an answer, with the exit code of a limit.
        let said = if expected.contains(&"exit") {
            let output = flopcast(&arguments);
            assert_eq!(output.status.code(), Some(1), "{name}");
            String::from_utf8(output.stdout).expect("UTF-8") + " exit"
        } else {
            refused(&arguments, 2)
        };
        holds(name, &said.split_whitespace().collect::<Vec<_>>().join(" "), expected);
    }
    for (name, table, expected) in [
        ("nan", "hidden_size,top1\n192,75\n384,nan\n", "line 3: `nan` is no top1"),
        ("one", "hidden_size,top1\n192,75\n", "1 configuration(s)"),
    ] {
        let text = "model: vit-small-patch16-224\nknobs: {hidden_size: [192, 384]}\n\
                    quality: {table: results.csv, score: top1}\n";
        let folder = space(&format!("search-table-{name}"), text);
        fs::write(folder.join("results.csv"), table).expect("a table");
        holds(name, &refused(&with(&search(&folder), &[]), 2), &[expected]);
    }
}

/// The saving is the difference of the times that `model --on --compress` gives, on devices whose
/// rooflines differ.
/// A service of one replica that answers requests by batches of so many, and compresses its model.
fn served(model: &str, device: &str, (precision, batch): (&str, u64), setting: &str) -> String {
    let (lengths, layout) = match model {
        "llama-3.2-1b" => (", input_tokens: 512, output_tokens: 64", "parallelism: {tensor: 1}, "),
        _ => ("", ""),
    };
    let (key, value) = setting.split_once('=').unwrap_or_default();
    let compress = match key.split_once('.') {
        _ if key.is_empty() => String::new(),
        Some((key, group)) => format!("compress: {{{key}: {{{group}: \"{value}\"}}}}\n"),
        None => format!("compress: {{{key}: \"{value}\"}}\n"),
    };
    format!(
        "name: {model}\nmodel: {model}\n{compress}inference: {{precision: {precision}, {layout}\
         max_batch: {batch}, hardware: {{accelerator: {device}}}, traffic: {{requests: 0.1/s{lengths}}}}}\n"
    )
}

/// The time of a batch, and what each compression saves of it, is what `estimate` says of the service
/// before and after.
#[test]
fn advice_saves_what_estimate_says() {
    let folder = scratch("advise");
    let path = folder.join("service.yaml");
    for model in ["vit_b_16", "resnet50", "llama-3.2-1b"] {
        let mut first = Vec::new();
        for device in ["jetson-orin-nano-8gb", "l4", "snapdragon-x-elite-npu"] {
            let precision = if device == "snapdragon-x-elite-npu" { "int8" } else { "fp16" };
            let mut asked = vec!["model", model, "--on", device, "--precision", precision];
            asked.extend(["--advise", "--batch", "4", "--format", "json"]);
            if model == "llama-3.2-1b" {
                asked.extend(["--seq-len", "512", "--answer", "64"]);
            }
            let advice = json(&asked);
            let time = |setting: &str| {
                let text = served(model, device, (precision, 4), setting);
                fs::write(&path, text).expect("a scenario");
                let path = path.display().to_string();
                let forecast = json(&["estimate", &path, "--format", "json"]);
                4.0 / number(&forecast, "inference.replica.max_rate_per_s")
            };
            let before = time("");
            close(device, number(&advice, "time_s"), before, 1e-12);
            let actions = advice["actions"].as_array().expect("actions");
            let grouped = |it: &&Value| it["compress"].as_str().is_some_and(|it| it.contains('.'));
            let some = actions.iter().take(2).chain(actions.iter().filter(grouped).take(2));
            for action in some {
                let setting = action["compress"].as_str().expect("a setting");
                let saved = before - time(setting);
                close(
                    &format!("{model} {device} {setting}"),
                    number(action, "saved_s"),
                    saved,
                    1e-9,
                );
            }
            let layers = advice["layers"].as_array().expect("layers");
            let parts: f64 = layers.iter().map(|it| number(it, "time_s")).sum();
            close("layers", parts, before, 1e-9);
            let best = actions.iter().take(6).map(|it| it["compress"].clone());
            first.push(best.collect::<Vec<_>>());
        }
        first.dedup();
        assert!(first.len() > 1, "{model}: {first:?}");
    }
    let folder = scratch("advise-deltas");
    let table = folder.join("deltas.csv");
    fs::write(&table, "compress,delta\npruning.mlp=2:4,-0.1\nquantization=int8,-2\n")
        .expect("a table");
    let table = table.display().to_string();
    let said = stdout(&[
        "model", "vit_b_16", "--on", "l4", "--advise", "--batch", "64", "--deltas", &table,
    ]);
    let (pruned, all) = (said.find("pruning.mlp=2:4"), said.find("quantization=int8"));
    assert!(pruned < all && pruned.is_some(), "{said}");
}
