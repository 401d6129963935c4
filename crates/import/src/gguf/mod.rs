//! GGUF files: types and bytes of their tensors, and the architecture that their keys describe.

mod header;

pub use header::{Header, Tensor, Unread, Value};

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::{Input, Model, config};
use serde_json::{Map, Value as Json, json};

use super::tensors::{self, Weight};

/// The longest header that is read; vocabularies take most of it.
pub const MAX_HEADER: u64 = 256 << 20;

/// Architectures of llama.cpp with the model type whose layers they have.
const ARCHITECTURES: [(&str, &str); 26] = [
    ("llama", "llama"),
    ("llama4", "llama4_text"),
    ("mistral3", "mistral"),
    ("qwen2", "qwen2"),
    ("qwen2moe", "qwen2_moe"),
    ("qwen3", "qwen3"),
    ("qwen3moe", "qwen3_moe"),
    ("gemma", "gemma"),
    ("gemma2", "gemma2"),
    ("gemma3", "gemma3_text"),
    ("phi2", "phi"),
    ("phi3", "phi3"),
    ("gpt2", "gpt2"),
    ("gptneox", "gpt_neox"),
    ("gpt-oss", "gpt_oss"),
    ("starcoder2", "starcoder2"),
    ("stablelm", "stablelm"),
    ("olmo2", "olmo2"),
    ("olmoe", "olmoe"),
    ("granite", "granite"),
    ("command-r", "cohere"),
    ("cohere2", "cohere2"),
    ("deepseek2", "deepseek_v3"),
    ("glm4", "glm4"),
    ("smollm3", "smollm3"),
    ("mixtral", "mixtral"),
];

/// Keys of an architecture with those of a configuration.
const KEYS: [(&str, &str); 26] = [
    ("block_count", "num_hidden_layers"),
    ("context_length", "max_position_embeddings"),
    ("embedding_length", "hidden_size"),
    ("feed_forward_length", "intermediate_size"),
    ("vocab_size", "vocab_size"),
    ("attention.head_count", "num_attention_heads"),
    ("attention.head_count_kv", "num_key_value_heads"),
    ("attention.key_length", "head_dim"),
    ("attention.sliding_window", "sliding_window"),
    ("attention.q_lora_rank", "q_lora_rank"),
    ("attention.kv_lora_rank", "kv_lora_rank"),
    ("expert_count", "num_experts"),
    ("expert_count", "num_local_experts"),
    ("expert_count", "n_routed_experts"),
    ("expert_used_count", "num_experts_per_tok"),
    ("expert_feed_forward_length", "moe_intermediate_size"),
    ("expert_shared_feed_forward_length", "shared_expert_intermediate_size"),
    ("expert_shared_count", "n_shared_experts"),
    ("leading_dense_block_count", "first_k_dense_replace"),
    ("attention.value_length", "v_head_dim"),
    ("attention.key_length_mla", "qk_head_dim"),
    ("attention.value_length_mla", "v_head_dim"),
    ("rope.dimension_count", "qk_rope_head_dim"),
    ("interleave_moe_layer_step", "interleave_moe_layer_step"),
    ("attention.layer_norm_epsilon", "layer_norm_eps"),
    ("attention.layer_norm_rms_epsilon", "rms_norm_eps"),
];

impl Header {
    /// The weights of the file; tables of frequencies are none.
    pub fn weights(&self) -> Vec<Weight> {
        let weights = self.tensors.iter().filter(|(name, _)| !name.starts_with("rope_"));
        weights
            .map(|(name, tensor)| Weight {
                name: name.clone(),
                kind: tensor.kind.to_owned(),
                parameters: tensor.elements,
                data: tensor.data,
            })
            .collect()
    }

    /// The number of files that the model is split into.
    pub fn files(&self) -> u64 {
        match self.keys.get("split.count") {
            Some(Value::Whole(files)) => *files,
            _ => 1,
        }
    }

    /// Adds the tensors of another file of the same model.
    pub fn extend(&mut self, other: Self) {
        self.tensors.extend(other.tensors);
    }

    /// The model of the file on an input: the layers of its architecture with the bytes of its
    /// tensors. Where the architecture is not known, or has other parameters than the tensors, its
    /// FLOPs are unknown, and a line says so.
    ///
    /// # Errors
    /// If there are more parameters than a model can have.
    pub fn model(&self, name: &str, input: &Input) -> Result<Model> {
        let weights = self.weights();
        let held = weights.iter().fold(0_u64, |sum, weight| sum.saturating_add(weight.parameters));
        let laid_out = self.config().and_then(|config| config::saved(name, &config, input));
        let why = match laid_out {
            Ok(mut model) => {
                let counted = model.parameters().total;
                if counted.abs_diff(held) <= counted / 200 {
                    // What a file lacks of the library's keys is no doubt about a model whose
                    // tensors agree.
                    model.warnings.clear();
                    tensors::store(&mut model, &weights);
                    return Ok(model);
                }
                format!("its keys describe {counted} parameters, its tensors hold {held}")
            }
            Err(error) => error.message().to_owned(),
        };
        let mut model = tensors::model(name, &weights)?;
        model.warnings.push(format!("the architecture of the GGUF file is not counted: {why}"));
        Ok(model)
    }

    /// The configuration that its keys describe.
    fn config(&self) -> Result<Json> {
        let Some(Value::Text(architecture)) = self.keys.get("general.architecture") else {
            return Err(Error::input("`general.architecture` is missing"));
        };
        let known = ARCHITECTURES.iter().find(|(name, _)| name == architecture);
        let Some((_, model_type)) = known else {
            return Err(Error::input(format!("architecture `{architecture}` is not known")));
        };
        let whole = |key: &str| self.whole(&format!("{architecture}.{key}"));
        let mut config = Map::new();
        for (key, name) in KEYS {
            if let Some(value) = whole(key) {
                config.insert(name.to_owned(), json!(value));
            }
        }
        let routed = whole("expert_count").is_some_and(|experts| experts > 0);
        let model_type = if *model_type == "llama" && routed { "mixtral" } else { model_type };
        config.insert("model_type".into(), json!(model_type));
        config.insert(
            "tie_word_embeddings".into(),
            json!(!self.tensors.contains_key("output.weight")),
        );
        if let Some(tokens) = self.tensors.get("token_embd.weight").and_then(|it| it.shape.last()) {
            config.insert("vocab_size".into(), json!(tokens));
        }
        if let (Some(total), Some(rope)) = (
            whole("attention.key_length_mla").or_else(|| whole("attention.key_length")),
            whole("rope.dimension_count"),
        ) && config.contains_key("kv_lora_rank")
        {
            config.insert("qk_nope_head_dim".into(), json!(total.saturating_sub(rope)));
        }
        let biased = self.tensors.keys().any(|name| name.ends_with("attn_q.bias"));
        if biased {
            config.insert("attention_bias".into(), json!(true));
        }
        Ok(Json::Object(config))
    }

    /// A whole number; of a list with one value for each layer, the largest.
    fn whole(&self, key: &str) -> Option<u64> {
        let whole = |value: &Value| match value {
            Value::Whole(number) => Some(*number),
            _ => None,
        };
        match self.keys.get(key)? {
            Value::List(list) => list.iter().filter_map(whole).max(),
            value => whole(value),
        }
    }
}

/// The header of a file, of which `head` gives the first bytes.
///
/// # Errors
/// If it is not in the format, or longer than [`MAX_HEADER`].
pub fn read(head: impl Fn(u64) -> Result<Vec<u8>>) -> Result<Header> {
    let mut most = 1 << 20;
    loop {
        let bytes = head(most)?;
        match Header::read(&bytes) {
            Ok(header) => return Ok(header),
            Err(Unread::Broken(error)) => return Err(error),
            Err(Unread::Short) if bytes.len() as u64 >= most && most < MAX_HEADER => most *= 8,
            Err(Unread::Short) => {
                return Err(Error::input("the file ends within its GGUF header")
                    .hint("the download may be incomplete"));
            }
        }
    }
}

#[cfg(test)]
mod tests;
