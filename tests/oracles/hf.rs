//! Every configuration of the oracle collection against the figures counted with the real
//! libraries. `FLOPCAST_TYPES=llama,qwen2` looks at these types alone.

use std::collections::BTreeMap;

use flopcast::model::config;
use flopcast::model::{AttentionCount, Input};
use flopcast::quantity::system::compute::flop;

use crate::folder;

#[test]
#[ignore = "needs FLOPCAST_ORACLES"]
fn configurations_count_as_the_libraries_do() {
    let folder = folder().join("hf");
    let only: Option<Vec<String>> = std::env::var_os("FLOPCAST_TYPES")
        .map(|types| types.to_string_lossy().split(',').map(str::to_owned).collect());
    let mut rows = csv::Reader::from_path(folder.join("oracle.csv")).expect("oracle.csv");
    let (mut seen, mut misses) = (0, Vec::new());
    for row in rows.deserialize::<BTreeMap<String, String>>() {
        let row = row.expect("a row");
        if only.as_ref().is_some_and(|only| !only.contains(&row["model_type"])) {
            continue;
        }
        seen += 1;
        let path = folder.join("configs").join(format!("{}.json", row["id"]));
        let text = std::fs::read_to_string(path).expect("a config");
        let text = with_class(&text, &row["arch_class"]);
        if let Err(miss) = check(&text, &row) {
            misses.push((row["model_type"].clone(), row["id"].clone(), miss));
        }
    }
    misses.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    for (model_type, id, miss) in &misses {
        println!("{model_type:24} {id:40} {miss}");
    }
    println!("{} of {seen} exact", seen - misses.len());
    assert!(misses.is_empty(), "{} configurations miss", misses.len());
}

/// The oracle counted one class; a config that names none gets the family's usual one, so the
/// class is only put in where the config names a different one.
fn with_class(text: &str, class: &str) -> String {
    let mut json: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let named = json.get("architectures").and_then(|classes| classes.get(0)).cloned();
    if named.is_some_and(|named| named != class) {
        json["architectures"] = serde_json::json!([class]);
    }
    json.to_string()
}

fn check(text: &str, row: &BTreeMap<String, String>) -> Result<(), String> {
    let count = |sequence: Option<u64>| {
        let input = Input { sequence, ..Input::default() };
        config::read(&row["id"], text, &input).map_err(|error| format!("! {}", error.message()))
    };
    let own = count(row["seq"].parse().ok())?;
    let mut wrong = Vec::new();
    let mut equal = |what: &str, ours: f64, theirs: &str, tolerance: f64| {
        if let Ok(theirs) = theirs.parse::<f64>()
            && (ours - theirs).abs() > tolerance * theirs
        {
            let off = 100.0 * (ours / theirs - 1.0);
            wrong.push(format!("{what} {ours} != {theirs} ({off:+.3} %)"));
        }
    };
    let parameters = own.parameters();
    equal("total", parameters.total as f64, &row["total_params"], 0.0);
    equal("active", parameters.active as f64, &row["active_params"], 0.0);
    equal("embedding", parameters.embedding as f64, &row["embedding_params"], 0.0);
    let matmul = own.forward(AttentionCount::Full).matmul.get::<flop>();
    equal("flops", matmul, &row["forward_flops"], 1e-3);
    if !row["forward_flops_seq128"].is_empty() {
        let short = count(Some(128))?.forward(AttentionCount::Full).matmul.get::<flop>();
        equal("flops128", short, &row["forward_flops_seq128"], 1e-3);
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}
