//! Counts of configurations as the real libraries give them: `tests/data/hf_facts/*.yaml`, one
//! fact per line, only what differs from the class's defaults.

use std::fs;
use std::path::Path;

use flopcast::model::config;
use flopcast::model::{AttentionCount, Input};
use flopcast::quantity::system::compute::flop;
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fact {
    #[serde(alias = "name")]
    id: String,
    r#type: String,
    class: Option<String>,
    config: Map<String, Value>,
    total: u64,
    active: Option<u64>,
    embedding: Option<u64>,
    sequence: Option<u64>,
    flops: Option<f64>,
}

fn check(fact: &Fact) {
    let mut config = fact.config.clone();
    config.insert("model_type".to_owned(), json!(fact.r#type));
    if let Some(class) = &fact.class {
        config.insert("architectures".to_owned(), json!([class]));
    }
    let input = Input { sequence: fact.sequence, ..Input::default() };
    let text = Value::Object(config).to_string();
    let model = config::read(&fact.id, &text, &input)
        .unwrap_or_else(|error| panic!("{}: {error}", fact.id));
    let counted = model.parameters();
    assert_eq!(counted.total, fact.total, "{}", fact.id);
    if let Some(embedding) = fact.embedding {
        let expected = (fact.active.unwrap_or(fact.total), embedding);
        assert_eq!((counted.active, counted.embedding), expected, "{}", fact.id);
    }
    if let Some(flops) = fact.flops {
        let matmul = model.forward(AttentionCount::Full).matmul.get::<flop>();
        assert!((matmul / flops - 1.0).abs() < 1e-3, "{}: {matmul} FLOP, not {flops}", fact.id);
    }
}

#[test]
fn configurations_count_as_the_libraries_do() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/hf_facts");
    let mut facts = 0;
    for file in fs::read_dir(folder).expect("the facts") {
        let text = fs::read_to_string(file.expect("a file").path()).expect("text");
        let list: Vec<Fact> = serde_yaml::from_str(&text).expect("facts");
        list.iter().for_each(check);
        facts += list.len();
    }
    assert!(facts >= 20, "{facts} facts");
}
