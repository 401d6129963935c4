//! `params.json`, as Meta and Mistral ship it with their own checkpoints.

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::Assumption;
use flopcast_core::model::spec::presets_of;
use serde_json::{Map, Value as Json, json};

/// True for such a file.
pub(crate) fn is_it(map: &Map<String, Json>) -> bool {
    map.contains_key("dim") && map.contains_key("n_layers") && !map.contains_key("model_type")
}

/// The configuration of the model in the terms of the transformers library.
///
/// Meta gives the width of the feed-forward layer by a rule (meta-llama/llama-models,
/// `models/llama3/model.py`): two thirds of 4 x dim, times `ffn_dim_multiplier`, up to the next
/// multiple of `multiple_of`. Mistral gives `hidden_dim` (mistralai/mistral-inference, `args.py`).
///
/// Meta's file does not say whether the head is the table of tokens again: the second value is the
/// assumption that this takes.
///
/// # Errors
/// If a size is missing.
pub(crate) fn config(map: &Map<String, Json>) -> Result<(Json, Option<Assumption>)> {
    let size = |key: &str| {
        map.get(key).and_then(Json::as_u64).filter(|size| *size > 0).ok_or_else(|| {
            Error::input(format!("`{key}` of params.json is no size")).hint(
                "params.json has dim, n_layers, n_heads, vocab_size and the width of its layers",
            )
        })
    };
    let dim = size("dim")?;
    let heads = size("n_heads")?;
    let mut text = Map::new();
    let mut set = |key: &str, value: Json| text.insert(key.to_owned(), value);
    set("hidden_size", json!(dim));
    set("num_hidden_layers", json!(size("n_layers")?));
    set("num_attention_heads", json!(heads));
    set(
        "num_key_value_heads",
        json!(map.get("n_kv_heads").and_then(Json::as_u64).unwrap_or(heads)),
    );
    // Llama 1 and 2 leave the vocabulary to their tokenizer of 32,000.
    let vocab = map.get("vocab_size").and_then(Json::as_u64).filter(|size| *size > 0);
    set("vocab_size", json!(vocab.unwrap_or(32_000)));
    let ffn = match map.get("hidden_dim").and_then(Json::as_u64) {
        Some(given) => given,
        None => feed_forward(dim, map),
    };
    set("intermediate_size", json!(ffn));
    for (key, name) in [
        ("head_dim", "head_dim"),
        ("sliding_window", "sliding_window"),
        ("rope_theta", "rope_theta"),
        ("norm_eps", "rms_norm_eps"),
        ("tied_embeddings", "tie_word_embeddings"),
    ] {
        if let Some(value) = map.get(key).filter(|value| !value.is_null()) {
            set(name, value.clone());
        }
    }
    let context = ["max_position_embeddings", "max_seq_len", "model_max_length"];
    let context = context.iter().find_map(|key| map.get(*key)).cloned();
    set("max_position_embeddings", context.unwrap_or_else(|| json!(131_072)));
    let moe = map.get("moe").and_then(Json::as_object);
    let of_mistral = map.contains_key("hidden_dim") || moe.is_some();
    set(
        "model_type",
        json!(if moe.is_some() {
            "mixtral"
        } else if of_mistral {
            "mistral"
        } else {
            "llama"
        }),
    );
    if let Some(moe) = moe {
        for (key, name) in
            [("num_experts", "num_local_experts"), ("num_experts_per_tok", "num_experts_per_tok")]
        {
            set(name, moe.get(key).cloned().unwrap_or_default());
        }
    }
    unread(map)?;
    let tied = (text["model_type"] == "llama" && !text.contains_key(TIED)).then(|| tied(&text));
    if let Some(assumed) = &tied {
        text.insert(TIED.to_owned(), json!(assumed.value == "true"));
    }
    let config = match map.get("vision_encoder").and_then(Json::as_object) {
        Some(vision) => with_vision(text, vision),
        None => Json::Object(text),
    };
    Ok((config, tied))
}

const TIED: &str = "tie_word_embeddings";

/// Whether the head of a Llama is its table of tokens: as in the presets of the same extents.
fn tied(text: &Map<String, Json>) -> Assumption {
    let extents = [
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
    ];
    let same = |config: &Json| extents.iter().all(|key| config[*key] == text[*key]);
    let mut like = presets_of("llama").filter(|(_, config)| same(config));
    let (value, why) = match like.next() {
        Some((name, config)) => {
            (config[TIED] == json!(true), format!("as in `{name}`, of the same extents"))
        }
        None => (false, "the head is taken to have weights of its own".to_owned()),
    };
    let why = format!("params.json does not say; {why}");
    Assumption { what: TIED.to_owned(), value: value.to_string(), why }
}

/// The width of Meta's feed-forward layers.
fn feed_forward(dim: u64, map: &Map<String, Json>) -> u64 {
    let number = |key: &str| map.get(key).and_then(Json::as_f64);
    let multiple = number("multiple_of").map_or(256, |multiple| multiple.max(1.0) as u64);
    let two_thirds = (2.0 * (4 * dim) as f64 / 3.0).floor();
    let wide = (two_thirds * number("ffn_dim_multiplier").unwrap_or(1.0)).floor() as u64;
    wide.div_ceil(multiple).saturating_mul(multiple)
}

/// Sections that change the architecture and that this reader does not map.
fn unread(map: &Map<String, Json>) -> Result<()> {
    let sections = ["moe_args", "vision_args", "q_lora_rank", "kv_lora_rank", "vision_chunk_size"];
    match sections.iter().find(|key| map.get(**key).is_some_and(|value| !value.is_null())) {
        Some(key) => Err(Error::input(format!("`{key}` of params.json is not read"))
            .hint("take the model's config.json, or its preset (`flopcast model --list`)")),
        None => Ok(()),
    }
}

/// A text model behind the image tower of Mistral.
fn with_vision(text: Map<String, Json>, vision: &Map<String, Json>) -> Json {
    let merged = vision.get("spatial_merge_size").and_then(Json::as_u64);
    let mut tower = vision.clone();
    tower.insert("model_type".into(), json!("pixtral"));
    let mut whole = Map::new();
    whole.insert("model_type".into(), json!(if merged.is_some() { "mistral3" } else { "llava" }));
    if let Some(merged) = merged {
        whole.insert("spatial_merge_size".into(), json!(merged));
    }
    if let Some(bias) = vision.get("adapter_bias") {
        whole.insert("multimodal_projector_bias".into(), bias.clone());
    }
    whole.insert("text_config".into(), Json::Object(text));
    whole.insert("vision_config".into(), Json::Object(tower));
    Json::Object(whole)
}
