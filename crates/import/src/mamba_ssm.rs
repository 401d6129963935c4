//! Configurations of `mamba_ssm` (state-spaces/mamba, `mamba_ssm/models/config_mamba.py`), and
//! `params.json` of a Mamba by Mistral, which has the same layers.

use flopcast_core::diagnostic::{Error, Result};
use serde_json::{Map, Value as Json, json};

/// True for such a file.
pub(crate) fn is_it(map: &Map<String, Json>) -> bool {
    let has = |key: &str| map.contains_key(key);
    let mistral = has("dim") && has("n_layers") && map.get("model_type") == Some(&json!("mamba"));
    mistral || has("d_model") && has("n_layer") && has("ssm_cfg") && !has("model_type")
}

/// The configuration of the model in the terms of the transformers library. Sizes that are not there
/// are the defaults of its layers (`mamba_ssm/modules/mamba_simple.py`, `mamba2.py`).
///
/// # Errors
/// If a size is missing, or the file has layers of attention.
pub(crate) fn config(map: &Map<String, Json>) -> Result<Json> {
    let size = |keys: [&str; 2]| {
        let found = keys.iter().find_map(|key| map.get(*key)).and_then(Json::as_u64);
        found.filter(|size| *size > 0).ok_or_else(|| {
            Error::input(format!("`{}` of a Mamba configuration is no size", keys[0]))
        })
    };
    let attends =
        map.get("attn_layer_idx").and_then(Json::as_array).is_some_and(|it| !it.is_empty());
    let feeds = map.get("d_intermediate").and_then(Json::as_u64).unwrap_or(0) > 0;
    if attends || feeds {
        return Err(Error::input("layers of attention beside those of Mamba are not read")
            .hint("take the config.json of the same model for the transformers library"));
    }
    let empty = Map::new();
    let layer = map.get("ssm_cfg").and_then(Json::as_object).unwrap_or(&empty);
    let of = |key: &str, usual: u64| layer.get(key).and_then(Json::as_u64).unwrap_or(usual);
    let mistral = map.contains_key("dim");
    let second = mistral || layer.get("layer") == Some(&json!("Mamba2"));
    let hidden = size(["d_model", "dim"])?;
    let multiple = map.get("pad_vocab_size_multiple").and_then(Json::as_u64);
    let multiple = multiple.unwrap_or(if mistral { 1 } else { 8 }).max(1);
    let truth = |key: &str| map.get(key).and_then(Json::as_bool);
    let mut it = json!({
        "model_type": if second { "mamba2" } else { "mamba" },
        "hidden_size": hidden,
        "num_hidden_layers": size(["n_layer", "n_layers"])?,
        "vocab_size": size(["vocab_size", "vocab_size"])?.div_ceil(multiple).saturating_mul(multiple),
        "expand": of("expand", 2),
        "conv_kernel": of("d_conv", 4),
        "state_size": of("d_state", if second { 128 } else { 16 }),
        "tie_word_embeddings": truth("tie_embeddings").unwrap_or(true),
    });
    if second {
        let head = of("headdim", 64).max(1);
        it["head_dim"] = json!(head);
        it["num_heads"] = json!(of("expand", 2).saturating_mul(hidden) / head);
        let groups = map.get("n_groups").and_then(Json::as_u64);
        it["n_groups"] = json!(groups.unwrap_or_else(|| of("ngroups", 1)));
    } else if let Some(rank) = layer.get("dt_rank") {
        it["time_step_rank"] = rank.clone();
    }
    Ok(it)
}
