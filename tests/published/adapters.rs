//! Trainable parameters of adapters as PEFT counts them: `tests/data/adapters.yaml`.

use flopcast::import::adapter::File;
use flopcast::model::{Input, Model, spec};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    base: Option<String>,
    trainable: u64,
    adapter: Value,
}

fn base() -> Model {
    preset("qwen2.5-0.5b")
}

fn preset(name: &str) -> Model {
    spec::from_preset(name, &Input::default()).expect("the base")
}

#[test]
fn adapters_train_what_peft_trains() {
    let rows: Vec<Row> =
        serde_yaml::from_str(include_str!("../data/adapters.yaml")).expect("the rows");
    assert!(rows.len() >= 19, "{}", rows.len());
    for row in rows {
        let base = row.base.as_deref().map_or_else(base, preset);
        let adapted = File::read(&row.adapter).and_then(|file| file.on(&base));
        let adapted = adapted.unwrap_or_else(|error| panic!("{}: {error}", row.id));
        assert_eq!(adapted.parameters().trainable, row.trainable, "{}", row.id);
    }
}

#[test]
fn what_is_not_counted_is_said() {
    let refused = |adapter: Value, part: &str| {
        let error = File::read(&adapter).and_then(|file| file.on(&base())).expect_err(part);
        assert!(error.to_string().contains(part), "{error}");
    };
    refused(json!({"peft_type": "XLORA"}), "ADALORA, LOHA");
    refused(
        json!({"peft_type": "OFT", "oft_block_size": 0, "target_modules": ["q_proj"]}),
        "both 0",
    );
    refused(json!({"peft_type": "IA3"}), "`target_modules` of the adapter is missing");
    refused(json!({"peft_type": "PROMPT_TUNING"}), "`num_virtual_tokens`");
    let file = json!({"peft_type": "LORA", "r": 8, "target_modules": ["q_proj"], "bias": "all"});
    let model = File::read(&file).and_then(|file| file.on(&base())).expect("an adapter");
    assert!(model.warnings.iter().any(|it| it.contains("`bias`")), "{:?}", model.warnings);
}
