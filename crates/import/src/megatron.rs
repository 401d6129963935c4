//! Models of Megatron and `NeMo`: YAML whose keys are the arguments of the trainer.
//!
//! They become the section `transformer` of a scenario. Arguments that change the architecture
//! beyond a plain decoder (latent attention, hybrid layers) are refused, since leaving them out
//! would count another model.

use flopcast_core::diagnostic::{Error, Result};
use serde_json::{Map, Value as Json, json};

/// The section with the sizes: the file itself, or its `model`.
pub(crate) fn section(json: &Json) -> Option<Map<String, Json>> {
    let map = plain(json.as_object()?);
    if is_it(&map) {
        return Some(map);
    }
    let inner = ["model", "model_config", "config"].iter().find_map(|key| map.get(*key));
    if let Some(inner) = inner.and_then(Json::as_object) {
        let mut inner = plain(inner);
        // The tokenizer of a NeMo file may say how many words it has.
        let words = inner.get("tokenizer").and_then(|it| it.get("vocab_size")).cloned();
        if let (false, Some(words)) = (inner.contains_key("vocab_size"), words) {
            inner.insert("vocab_size".to_owned(), words);
        }
        return if is_it(&inner) { Some(inner) } else { section(&Json::Object(inner)) };
    }
    // Scripts keep the arguments of the command line in sections: MODEL_ARGS.
    map.values().filter_map(Json::as_object).map(plain).find(is_it)
}

/// Arguments may be written as on the command line: `num-layers`.
fn plain(map: &Map<String, Json>) -> Map<String, Json> {
    map.iter()
        .map(|(key, value)| (key.trim_start_matches('-').replace('-', "_"), value.clone()))
        .collect()
}

/// True for a section that has the sizes of a decoder.
fn is_it(map: &Map<String, Json>) -> bool {
    ["num_layers", "hidden_size", "num_attention_heads"].iter().all(|key| map.contains_key(*key))
}

/// The inline transformer of such a section (NVIDIA/Megatron-LM, `megatron/training/arguments.py`
/// and `TransformerConfig`; `NeMo`, `megatron_gpt_config.yaml`).
///
/// # Errors
/// If a size is missing, or the file says something that a plain decoder does not have.
pub(crate) fn transformer(map: &Map<String, Json>) -> Result<Json> {
    let whole = |key: &str| map.get(key).and_then(Json::as_u64).filter(|size| *size > 0);
    let needed = |key: &str| whole(key).ok_or_else(|| Error::input(format!("`{key}` is no size")));
    let truth = |key: &str| map.get(key).and_then(Json::as_bool);
    let word = |key: &str| map.get(key).and_then(Json::as_str).map(str::to_lowercase);
    for other in ["multi_latent_attention", "is_hybrid_model", "hybrid_override_pattern"] {
        let value = map.get(other);
        if value.is_some_and(|value| !value.is_null() && *value != json!(false)) {
            return Err(Error::input(format!("`{other}` of a Megatron file is not read"))
                .hint("take the model's config.json, or its preset"));
        }
    }
    let activation = word("activation").or_else(|| word("activation_func")).unwrap_or_default();
    let gated = truth("swiglu")
        .or_else(|| truth("gated_linear_unit"))
        .unwrap_or(activation.contains("glu"));
    let (hidden, heads) = (needed("hidden_size")?, needed("num_attention_heads")?);
    let mut it = Map::new();
    let mut set = |key: &str, value: Json| it.insert(key.to_owned(), value);
    set("layers", json!(needed("num_layers")?));
    set("hidden", json!(hidden));
    set("heads", json!(heads));
    set("kv_heads", json!(whole("num_query_groups").unwrap_or(heads)));
    set("head_dim", json!(whole("kv_channels")));
    let ffn = whole("ffn_hidden_size").unwrap_or(4 * hidden);
    set("ffn", json!(ffn));
    set("gated", json!(gated));
    set(
        "activation",
        json!(if activation.contains("relu") {
            "relu"
        } else if gated {
            "silu"
        } else {
            "gelu"
        }),
    );
    set("vocab", json!(vocabulary(map)?));
    let rms = word("normalization").is_some_and(|norm| norm.contains("rms"));
    set("norm", json!(if rms { "rms" } else { "layer" }));
    let bias = match (truth("add_bias_linear"), truth("disable_bias_linear"), truth("bias")) {
        (Some(bias), ..) | (None, None, Some(bias)) => bias,
        (None, Some(without), _) => !without,
        (None, None, None) => true,
    };
    set("bias", json!(bias));
    if let Some(qkv) = truth("add_qkv_bias") {
        set("qkv_bias", json!(qkv || bias));
    }
    if truth("qk_layernorm") == Some(true) {
        set("qk_norm", json!("head"));
    }
    let untied = truth("untie_embeddings_and_output_weights");
    let shared = truth("share_embeddings_and_output_weights");
    set("tied_embeddings", json!(shared.unwrap_or(!untied.unwrap_or(false))));
    let learned = word("position_embedding_type").is_none_or(|kind| kind.starts_with("learned"));
    set("positions", json!(if learned { "learned" } else { "rotary" }));
    let context = ["max_position_embeddings", "encoder_seq_length", "seq_length"];
    set("max_sequence", json!(context.iter().find_map(|key| whole(key))));
    if let Some(window) = whole("window_size") {
        set("window", json!(window));
    }
    if let Some(experts) = whole("num_moe_experts").or_else(|| whole("num_experts")) {
        let dense = map.get("moe_layer_freq").and_then(Json::as_array);
        let dense = dense.map(|list| list.iter().take_while(|it| it.as_u64() == Some(0)).count());
        set(
            "moe",
            json!({
                "experts": experts,
                "top_k": whole("moe_router_topk").unwrap_or(2),
                "expert_ffn": whole("moe_ffn_hidden_size").unwrap_or(ffn),
                "shared_ffn": whole("moe_shared_expert_intermediate_size").unwrap_or(0),
                "dense_layers": dense.unwrap_or(0),
            }),
        );
    }
    Ok(Json::Object(it))
}

/// The rows of the token table: padded as the trainer pads them.
fn vocabulary(map: &Map<String, Json>) -> Result<u64> {
    let whole = |key: &str| map.get(key).and_then(Json::as_u64).filter(|size| *size > 0);
    if let Some(padded) = whole("padded_vocab_size") {
        return Ok(padded);
    }
    let plain = whole("vocab_size").or_else(|| whole("override_vocab_size")).ok_or_else(|| {
        Error::input("`vocab_size` is missing")
            .hint("the trainer takes it from the tokenizer: add `vocab_size: 50257`")
    })?;
    let multiple = whole("make_vocab_size_divisible_by").unwrap_or(1);
    let ranks = whole("tensor_model_parallel_size").filter(|_| multiple > 1).unwrap_or(1);
    let multiple = multiple.saturating_mul(ranks);
    Ok(plain.div_ceil(multiple).saturating_mul(multiple))
}
