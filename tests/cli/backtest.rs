//! `flopcast backtest` and `flopcast calibrate` on the shipped tables and on a user's own.
#![allow(clippy::unwrap_used)]

use std::fs;

use crate::common::{holds, json, number, refused, root, stdout, written};

fn file(name: &str, text: &str) -> String {
    written("backtest", name, text)
}

/// The path of a file that is not there yet.
fn vacant(name: &str) -> String {
    let path = file(name, "");
    fs::remove_file(&path).unwrap();
    path
}

/// Llama 3 70B on 64 H100, by NVIDIA's recipe of June 2025 (dgxc-benchmarking), and rows that
/// cannot be scored.
const MINE: &str = "\
id,source,date,model,n_layers,d_model,n_heads,n_kv_heads,d_ff,gated,vocab,seq_len,accelerator,\
n_devices,precision,global_batch_seqs,micro_batch,tp,pp,vp,cp,tokens_per_s_per_device
good,my cluster,2025-06,llama,80,8192,64,8,28672,1,128256,8192,h100-sxm,64,bf16,128,1,4,4,5,2,1118
unknown-chip,my cluster,2025-06,llama,80,8192,64,8,28672,1,128256,8192,h1000,64,bf16,128,1,4,4,5,2,1
odd,my cluster,2025-06,llama,80,8192,64,8,28672,1,128256,8192,h100-sxm,60,bf16,128,1,8,1,1,1,1
text,my cluster,2025-06,llama,eighty,8192,64,8,28672,1,128256,8192,h100-sxm,64,bf16,128,1,8,1,1,1,1
";

#[test]
fn a_table_of_ones_own_is_scored_and_the_rest_is_explained() {
    let path = file("mine.csv", MINE);
    let rows = vacant("rows.csv");
    let report = json(&["backtest", &path, "--rows", &rows, "--format", "json"]);
    assert_eq!(report["schema"], "flopcast.backtest/1");
    assert_eq!((report["rows"].as_u64(), report["scored"].as_u64()), (Some(4), Some(1)));
    let figure = "figures.tokens_per_second_per_device";
    assert!(number(&report, &format!("{figure}.median_abs_error")) < 0.15);
    let why: Vec<&str> = (0..3).map(|i| report["skipped"][i]["why"].as_str().unwrap()).collect();
    for (why, part) in why.iter().zip(["h1000", "60 is not divisible", "`eighty` is no number"]) {
        assert!(why.contains(part), "{why}");
    }
    let rows = fs::read_to_string(rows).unwrap();
    let fields: Vec<&str> = rows.lines().nth(1).unwrap().split(',').collect();
    let values: Vec<f64> = fields[2..].iter().map(|field| field.parse().unwrap()).collect();
    assert_eq!(fields[..2], ["good", "tokens_per_second_per_device"]);
    assert!(values[2] < values[1] && values[1] < values[3], "{values:?}");
}

#[test]
fn a_calibration_can_be_written_and_used() {
    let table = file("calibrate.csv", MINE);
    let output = vacant("mine.yaml");
    let report = stdout(&["calibrate", &table, "-o", &output]);
    assert!(report.contains("Constants before") && report.contains("operand-traffic"), "{report}");
    let error = |with: &[&str]| {
        let mut arguments = vec!["backtest", &table, "--format", "json"];
        arguments.extend(with);
        let report = json(&arguments);
        number(&report, "figures.tokens_per_second_per_device.median_abs_error")
    };
    assert!(error(&["--calibration", &output]) <= error(&[]) + 1e-9);
}

#[test]
fn what_is_no_table_is_refused() {
    for (name, text, part) in [
        ("empty.csv", "id,model\n", "no rows"),
        ("headless.csv", "model\nx\n", "no column `id`"),
        ("bare.csv", "", "no column `id`"),
    ] {
        holds(name, &refused(&["backtest", &file(name, text)], 2), &[part]);
    }
    let nothing = refused(&["calibrate", &file("nothing.csv", "id\nx\n")], 2);
    holds("nothing", &nothing, &["no row of the table can be fitted"]);
}

/// Llama 3.1 8B on one H100 (ai-dynamo/aiconfigurator@095f58a, `silicon_sample.csv`), and rows that
/// cannot be scored.
const SERVED: &str = "\
id,model,config,accelerator,tp,serving,engine,isl,osl,load,concurrency,figure,value
first,Llama-3.1-8B,llama,h100-sxm,1,aggregated,trtllm 1.0.0rc3,1024,128,closed,8,tpot_mean_ms,7.94
else,Llama-3.1-8B,llama,h100-sxm,1,aggregated,trtllm 1.0.0rc3,1024,128,closed,8,itl_mean_ms,7.94
split,Llama-3.1-8B,llama,h100-sxm,1,disaggregated,trtllm 1.0.0rc3,1024,128,closed,8,tpot_mean_ms,7
lost,Llama-3.1-8B,lost,h100-sxm,1,aggregated,trtllm 1.0.0rc3,1024,128,closed,8,tpot_mean_ms,7.94
";

/// Extents of Llama 3.1 8B (its config.json).
const LLAMA: &str = r#"{"architectures": ["LlamaForCausalLM"], "model_type": "llama",
"hidden_size": 4096, "intermediate_size": 14336, "max_position_embeddings": 131072,
"num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8,
"tie_word_embeddings": false, "vocab_size": 128256}"#;

/// The same model at other loads and devices: enough to leave a device out of a fit.
const SERVED_ELSEWHERE: &str = "\
id,model,config,accelerator,tp,engine,isl,osl,load,concurrency,figure,value
a,Llama-3.1-8B,llama,h100-sxm,1,trtllm 1.0.0rc3,1024,128,closed,8,tpot_mean_ms,7.94
b,Llama-3.1-8B,llama,h100-sxm,1,trtllm 1.0.0rc3,1024,128,closed,8,gpu_joules_per_output_token,0.6
c,Llama-3.1-8B,llama,h200-sxm,1,trtllm 1.0.0rc3,1024,128,closed,8,tpot_mean_ms,6.5
d,Llama-3.1-8B,llama,h200-sxm,1,trtllm 1.0.0rc3,1024,128,closed,8,e2e_p50_ms,900
";

#[test]
fn serving_constants_are_fitted_and_scored_on_groups_left_out() {
    let table = file("elsewhere.csv", SERVED_ELSEWHERE);
    file("serving_configs/llama.json", LLAMA);
    let fitted = &vacant("fitted-serving.yaml");
    let report =
        json(&["calibrate", &table, "--cross-validate", "2", "-o", fitted, "--format", "json"]);
    let error =
        |which: &str| number(&report, &format!("{which}.tpot_mean_ms.closed.median_abs_error"));
    assert!(error("after") <= error("before"), "{report}");
    assert!(error("left_out_groups") < 0.5, "{report}");
    let score = ["backtest", "--kind", "serving", &table, "--calibration", fitted];
    let report = json(&[&score[..], &["--format", "json"]].concat());
    assert_eq!(report["scored"].as_u64(), Some(4));
    let joules = number(&report, "figures.gpu_joules_per_output_token.median_abs_error");
    assert!(joules < 0.5, "{report}");
}

#[test]
fn serving_figures_are_scored_with_the_models_beside_the_table() {
    let table = file("served.csv", SERVED);
    file("serving_configs/llama.json", LLAMA);
    let report = json(&["backtest", "--kind", "serving", &table, "--format", "json"]);
    assert_eq!((report["rows"].as_u64(), report["scored"].as_u64()), (Some(4), Some(1)));
    assert!(number(&report, "figures.tpot_mean_ms.median_abs_error") < 0.3);
    for (i, part) in ["not forecast", "disaggregated", "lost.json"].iter().enumerate() {
        let why = report["skipped"][i]["why"].as_str().unwrap();
        assert!(why.contains(part), "{why}");
    }
    let none = refused(&["backtest", "--kind", "serving"], 2);
    holds("none", &none, &["--kind serving FILE.csv"]);
}

#[test]
fn shipped_tables_cite_their_sources() {
    let read =
        |name: &str| fs::read_to_string(root().join("hardware/backtest").join(name)).unwrap();
    let keys: Vec<String> = read("sources.csv")
        .lines()
        .skip(1)
        .map(|line| line.split(',').next().unwrap().to_owned())
        .collect();
    assert!(keys.len() >= 6);
    let mut rows = 0;
    let throughput = read("throughput.csv");
    let at = throughput.lines().next().and_then(|it| it.split(',').position(|it| it == "source"));
    for line in throughput.lines().skip(1) {
        let source = line.split(',').nth(at.expect("a column of sources")).unwrap();
        // A source is a row of sources.csv, or names its repository, commit and file itself.
        let cites = |source: &str| source.split_once('@').is_some_and(|(_, at)| at.contains(' '));
        assert!(keys.iter().any(|key| key == source) || cites(source), "{source}");
        rows += 1;
    }
    assert!(rows >= 150 && read("runs.csv").lines().count() > 60);
}
