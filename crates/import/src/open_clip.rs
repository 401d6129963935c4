//! Configurations of `open_clip`: two towers by their widths (`src/open_clip/model.py` of its
//! repository).

use flopcast_core::diagnostic::{Error, Result};
use serde_json::{Map, Value as Json, json};

/// The towers of such a file: the file itself, or its `model_cfg`.
pub(crate) fn section(map: &Map<String, Json>) -> Option<&Map<String, Json>> {
    let inner = map.get("model_cfg").and_then(Json::as_object).unwrap_or(map);
    let has = |key: &str| inner.get(key).is_some_and(Json::is_object);
    (has("vision_cfg") && has("text_cfg")).then_some(inner)
}

/// The configuration in the terms of the transformers library, which has the same towers.
///
/// # Errors
/// If a tower is one of another library, or a size is missing.
pub(crate) fn config(map: &Map<String, Json>) -> Result<Json> {
    let empty = Map::new();
    let tower = |key: &str| map.get(key).and_then(Json::as_object).unwrap_or(&empty);
    let (vision, text) = (tower("vision_cfg"), tower("text_cfg"));
    for key in ["timm_model_name", "hf_model_name", "attentional_pool"] {
        let named = [vision, text].into_iter().find_map(|tower| tower.get(key));
        if let Some(name) = named.filter(|name| !name.is_null() && **name != json!(false)) {
            return Err(Error::input(format!("a tower of an open_clip configuration is {key} {name}"))
                .hint("take the config.json of the same model for the transformers library (model_type `clip` or `siglip`), or a preset: `flopcast model --list`"));
        }
    }
    let size = |tower: &Map<String, Json>, key: &str, usual: Option<u64>| {
        tower.get(key).and_then(Json::as_u64).or(usual).filter(|size| *size > 0).ok_or_else(|| {
            Error::input(format!("`{key}` of an open_clip configuration is no size"))
        })
    };
    let wide = |tower: &Map<String, Json>, width: u64| {
        let ratio = tower.get("mlp_ratio").and_then(Json::as_f64).unwrap_or(4.0);
        (width as f64 * ratio) as u64
    };
    let embed = size(map, "embed_dim", None)?;
    let (seen, read) = (size(vision, "width", Some(768))?, size(text, "width", Some(512))?);
    let layers = size(vision, "layers", Some(12)).map_err(|error| {
        error.hint("a ResNet by its stages is not read: take a preset (`flopcast model --list`)")
    })?;
    Ok(json!({
        "model_type": "clip",
        "projection_dim": embed,
        "text_config": {
            "hidden_size": read,
            "intermediate_size": wide(text, read),
            "num_hidden_layers": size(text, "layers", Some(12))?,
            "num_attention_heads": size(text, "heads", Some(8))?,
            "vocab_size": size(text, "vocab_size", Some(49_408))?,
            "max_position_embeddings": size(text, "context_length", Some(77))?,
            "projection_dim": embed,
        },
        "vision_config": {
            "hidden_size": seen,
            "intermediate_size": wide(vision, seen),
            "num_hidden_layers": layers,
            "num_attention_heads": seen / size(vision, "head_width", Some(64))?,
            "patch_size": size(vision, "patch_size", Some(16))?,
            "image_size": size(vision, "image_size", Some(224))?,
            "projection_dim": embed,
        },
    }))
}
