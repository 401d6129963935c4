//! Questions without a file, and models of the Hub's local cache.

use std::process::{Command, Output};

use crate::common::{
    close, flopcast, holds, json, number, refused, root, scratch, stdout, written,
};

#[test]
fn a_run_is_asked_in_one_line() {
    let asked = ["estimate", "--model", "7B", "--tokens", "2T", "--on", "2048xA100"];
    let found = &json(&[&asked[..], &["--format", "json"]].concat());
    close("6ND", number(found, "training.flops.six_nd"), 6.0 * 7e9 * 2e12, 1e-9);
    close("devices", number(found, "training.devices"), 2048.0, 1e-9);
    assert!(number(found, "training.wall_clock_days") > 1.0);
    let why =
        stdout(&["explain", "training.mfu", "--model", "7B", "--tokens", "2T", "--on", "8xH100"]);
    holds("explain", &why, &["training.mfu", "data.tokens"]);
}

#[test]
fn a_service_is_asked_in_one_line() {
    let asked = ["--model", "llama-3.3-70b", "--requests", "40/s", "--on", "H100"];
    let found = &json(&[&["estimate"], &asked[..], &["--format", "json"]].concat());
    close("peak", number(found, "inference.fleet.peak_rate_per_s"), 80.0, 1e-9);
    let quick = ["--requests", "600", "--seeds", "1"];
    let sized = stdout(&[&["capacity"], &asked[..], &quick[..]].concat());
    holds("capacity", &sized, &["devices", "P95", "SLO", "--full"]);
    assert!(sized.lines().count() <= 24, "{sized}");
    let whole = stdout(&[&["capacity"], &asked[..], &quick[..], &["--full"]].concat());
    holds("capacity --full", &whole, &["devices", "KV cache"]);
    assert!(!sized.contains("unknownT"), "{sized}");
    let known = stdout(&[
        "estimate",
        "--full",
        "--model",
        "671B-A37B",
        "--requests",
        "1/s",
        "--on",
        "16xH200",
    ]);
    assert!(!known.contains("unknownT") && known.contains("KV cache of a replica"), "{known}");
}

/// A batch in sequences is so many of the length that is set.
#[test]
fn a_batch_in_sequences_follows_their_length() {
    let text = "name: a\nmodel: gpt2\ndata: {tokens: 1B}\ntraining: {batch_size: 512, seq_len: 512, \
                hardware: 8xH100}\n";
    let file = written("asked", "batch.yaml", text);
    let batch = |sets: &[&str]| {
        let run = json(&[&["estimate", file.as_str(), "--format", "json"], sets].concat());
        let figure = |name: &str| number(&run, &format!("training.{name}"));
        8.0 * figure("step_time_s") * figure("tokens_per_second_per_device")
    };
    close("as written", batch(&[]), 512.0 * 512.0, 1e-6);
    close("set", batch(&["--set", "training.sequence_length=1024"]), 512.0 * 1024.0, 1e-6);
    close("by another name", batch(&["--set", "seq_len=256"]), 512.0 * 256.0, 1e-6);
}

/// The scenario of the flags is one that can be saved and gives the same figures.
#[test]
fn the_flags_make_a_scenario() {
    let folder = scratch("asked");
    let file = folder.join("saved.yaml").display().to_string();
    let asked = [
        "estimate",
        "--model",
        "Qwen/Qwen3-8B",
        "--tokens",
        "1T",
        "--requests",
        "5/s",
        "--on",
        "64xh100-sxm",
        "--input-tokens",
        "900",
        "--region",
        "France",
        "--format",
        "json",
    ];
    let one = json(&[&asked[..], &["--write-scenario", &file]].concat());
    let other = json(&["estimate", &file, "--format", "json"]);
    for path in ["training.device_hours", "inference.fleet.devices", "training.co2e_kg.location"] {
        close(path, number(&one, path), number(&other, path), 1e-12);
    }
    // It is not written over.
    let again = refused(&[&asked[..], &["--write-scenario", &file]].concat(), 2);
    assert!(again.contains("exists already"), "{again}");
    // --set applies as with files.
    let set = json(&[&asked[..], &["--set", "data.epochs=2"]].concat());
    let path = "training.flops.six_nd";
    close("set", number(&set, path), 2.0 * number(&one, path), 1e-9);
}

/// Devices, machines and places by the names that people have for them.
#[test]
fn devices_and_places_as_people_write_them() {
    let ask = |on: &str, place: &[&str]| {
        let asked = ["estimate", "--model", "7B", "--tokens", "2T", "--format", "json", "--on", on];
        let mut answer = json(&[&asked[..], place].concat());
        answer.as_object_mut().expect("an object").remove("name");
        let figures = ["training", "tco"].map(|key| answer[key].to_string());
        figures.concat()
    };
    let aws = |region| ["--provider", "aws", "--region", region];
    for on in ["8 H100s", "H100:8", "p5.48xlarge", "1 x p5.48xlarge"] {
        assert_eq!(ask(on, &aws("Frankfurt")), ask("8xH100", &aws("eu-central-1")), "{on}");
    }
    assert_eq!(ask("TPU v5e-256", &[]), ask("256xTPU v5e", &[]));
    assert_eq!(ask("v6e-8", &["--region", "UK"]), ask("8xTrillium", &["--region", "GBR"]));
    let refuse = |on: &str, place: &[&str]| {
        let asked = ["estimate", "--model", "7B", "--tokens", "2T", "--on", on];
        refused(&[&asked[..], place].concat(), 2)
    };
    let said = refuse("8xH200 SXM9", &[]);
    assert!(said.contains("h200") && !said.contains("`h20`"), "{said}");
    holds("a region", &refuse("8xH100", &aws("Atlantis")), &["aws has", "eu-central-1"]);
    holds("two regions", &refuse("8xH100", &aws("US East")), &["may be", "us-east-1", "us-east-2"]);
    holds("a province", &refuse("8xH100", &["--region", "Quebec"]), &["`CAN`"]);
    let said = refuse("8xH100", &["--region", "Togoo"]);
    assert!(said.contains("`Togo`"), "{said}");
}

/// The list of presets is in the format that is asked for.
#[test]
fn presets_in_any_format() {
    let names = stdout(&["model", "--list"]);
    let rows = json(&["model", "--list", "--format", "json"]);
    assert_eq!(rows.as_array().expect("rows").len(), names.lines().count());
    assert!(stdout(&["model", "--list", "--format", "csv"]).starts_with("model\n"));
    assert!(stdout(&["model", "--list", "--format", "markdown"]).contains("| "));
}

#[test]
fn what_is_missing_is_said() {
    let cases: [(&[&str], &str); 8] = [
        (&["estimate", "--model", "7B"], "--tokens 2T"),
        (&["estimate", "--model", "7B", "--tokens", "1T"], "add --on"),
        (&["estimate", "--model", "7B", "--tokens", "1T", "--on", "8xH101"], "H101"),
        (&["estimate", "--model", "7B", "--tokens", "1T", "--on", "MI300X"], "--on 8xMI300X"),
        (&["estimate", "--model", "lama-3-8b", "--tokens", "1T", "--on", "8xH100"], "llama-3-8b"),
        (&["estimate", "--requests", "4/s", "scenarios/gpt3-175b.yaml"], "needs --model"),
        (&["capacity", "--model", "7B", "--tokens", "1T", "--on", "8xH100"], "no `inference`"),
        (&["model", "hf:owner"], "hf:owner/name"),
    ];
    for (arguments, part) in cases {
        let said = refused(arguments, 2);
        holds(&arguments.join(" "), &said, &[part]);
    }
    let neither = flopcast(&["estimate"]);
    assert_eq!(neither.status.code(), Some(2));
}

/// The binary with a cache of the Hub of the test's own.
fn cached(cache: &std::path::Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flopcast"))
        .args(arguments)
        .current_dir(root())
        .env("HF_HUB_CACHE", cache)
        .env("FLOPCAST_CACHE", cache.join("own"))
        .env_remove("HF_TOKEN")
        .output()
        .expect("the binary runs")
}

#[test]
fn a_model_of_the_hubs_cache_is_read() {
    let cache = scratch("hub");
    let repository = cache.join("models--owner--Tiny-1");
    let snapshot = repository.join("snapshots/0123abcd");
    for folder in [&snapshot, &repository.join("refs")] {
        std::fs::create_dir_all(folder).expect("a folder");
    }
    let config = r#"{"model_type": "llama", "vocab_size": 1000, "hidden_size": 64,
        "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}"#;
    std::fs::write(snapshot.join("config.json"), config).expect("a file");
    std::fs::write(repository.join("refs/main"), "0123abcd\n").expect("a file");
    let told = |arguments: &[&str]| {
        let output = cached(&cache, arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    for spec in ["hf:owner/Tiny-1", "hf:owner/Tiny-1@0123abcd"] {
        holds(spec, &told(&["model", spec]), &[spec, "parameters"]);
    }
    let run = ["estimate", "--model", "hf:owner/Tiny-1", "--tokens", "1B", "--on", "8xH100"];
    holds("a run", &told(&run), &["time of the training"]);
    // Without it, and without being told to ask, nothing is asked.
    for (spec, part) in [
        ("hf:owner/other", "--online"),
        ("hf:owner/Tiny-1@main2", "--online"),
        ("hf:Qwen/Qwen3-8B", "`qwen3-8b` is built in"),
        ("hf:../../etc", "no repository"),
    ] {
        let output = cached(&cache, &["model", spec]);
        assert_eq!(output.status.code(), Some(2), "{spec}");
        holds(spec, &String::from_utf8_lossy(&output.stderr), &[part]);
    }
    // A reference that leads elsewhere leads nowhere.
    std::fs::write(repository.join("refs/main"), "../../../secret").expect("a file");
    let output = cached(&cache, &["model", "hf:owner/Tiny-1"]);
    assert_eq!(output.status.code(), Some(2));
}
