//! Words of jobs by the names that scenarios have for them: models, formats, recipes, projections.

use flopcast_core::model::sized::ModelSize;
use flopcast_core::quantity::Precision;

/// A model's name: a local path's last folder; `llama3_1_8b` as `llama3.1.8b`.
pub(super) fn model_name(word: &str) -> String {
    let word = word.trim_end_matches('/');
    let file = word.strip_suffix(".gguf");
    let local =
        file.is_some() || word.starts_with(['/', '.', '~', '$']) || word.matches('/').count() > 1;
    // A cache of the Hub: `models--owner--name/snapshots/<commit>`.
    let cached = word.split('/').find_map(|part| part.strip_prefix("models--"));
    if let Some((owner, name)) = cached.and_then(|cached| cached.split_once("--")) {
        return format!("{owner}/{name}");
    }
    let word = if local { word.rsplit('/').next().unwrap_or(word) } else { word };
    let word = file.map_or(word, |_| without_format(word.trim_end_matches(".gguf")));
    let word = word.rsplit("://").next().unwrap_or(word);
    let word = word.replace("code_llama2", "codellama");
    let word = word.as_str();
    // torchtune's builders and configurations: `torchtune.models.qwen2.lora_qwen2_7b`,
    // `llama3_1/8B_full`.
    let builder = word.contains(".models.").then(|| word.rsplit('.').next()).flatten();
    let word = builder.unwrap_or(word);
    let word = ["qlora_", "lora_"].iter().find_map(|it| word.strip_prefix(it)).unwrap_or(word);
    let ends = ["_full", "_lora", "_qlora", "_dora"];
    let word = ends.iter().filter_map(|it| word.find(it)).min().map_or(word, |at| &word[..at]);
    if let Some((family, size)) = word.split_once('/')
        && size.starts_with(|c: char| c.is_ascii_digit())
    {
        return model_name(&format!("{family}-{size}"));
    }
    let chars: Vec<char> = word.chars().collect();
    let is_digit =
        |at: Option<usize>| at.and_then(|at| chars.get(at)).is_some_and(char::is_ascii_digit);
    let plain = !word.contains('/');
    chars
        .iter()
        .enumerate()
        .map(|(at, c)| match c {
            '_' if plain && is_digit(at.checked_sub(1)) && is_digit(Some(at + 1)) => '.',
            '_' if plain => '-',
            c => *c,
        })
        .collect()
}

/// A GGUF file's name without its part of several (`-00001-of-00003`) and its format (`-Q4_K_M`).
fn without_format(name: &str) -> &str {
    let mut name = name;
    if let Some((whole, parts)) = name.rsplit_once("-of-")
        && !parts.is_empty()
        && parts.bytes().all(|it| it.is_ascii_digit())
    {
        name = whole.rsplit_once('-').map_or(whole, |(name, _)| name);
    }
    while let Some((rest, last)) = name.rsplit_once(['-', '.'])
        && (gguf_format(last).is_some() || last == "UD")
    {
        name = rest;
    }
    name
}

/// The bits of a weight in a model file's name, by the formats of llama.cpp, and the format that
/// has as many or the next more; none where no format has so many.
pub(super) fn gguf(name: &str) -> Option<(&str, Option<&'static str>)> {
    name.strip_suffix(".gguf").unwrap_or(name).rsplit(['-', '.', ':', '/']).find_map(gguf_format)
}

/// The same of the name of a format: `Q4_K_M`, `IQ2_XS`, `q8_0`.
fn gguf_format(word: &str) -> Option<(&str, Option<&'static str>)> {
    let from = word.find(|c: char| c.is_ascii_digit())?;
    let (kind, rest) = word.split_at(from);
    if !["q", "iq", "tq"].contains(&&*kind.to_ascii_lowercase()) {
        return None;
    }
    let bits = &rest[..1];
    if !rest[1..].is_empty() && !rest[1..].starts_with('_') {
        return None;
    }
    let format = match bits {
        "1" | "2" | "3" | "4" => Some("int4"),
        "5" | "6" | "8" => Some("int8"),
        _ => None,
    };
    Some((bits, format))
}

/// True for a method of quantization that takes weights as they are stored, in whatever format.
pub(super) fn takes_stored(method: &str) -> bool {
    let method = method.to_ascii_lowercase();
    let known = ["gptq", "awq", "compressed", "modelopt", "gguf", "auto-round", "quark", "marlin"];
    known.iter().any(|it| method.starts_with(it))
}

/// The size that a model's name says: `4B`, or with its active part `30B-A3B`.
pub(super) fn size_in(name: &str) -> Option<String> {
    let words: Vec<String> =
        name.split(['-', '_', '/', ' ']).map(str::to_ascii_uppercase).collect();
    let is_size = |word: &str| {
        let number = word.strip_suffix('B').or_else(|| word.strip_suffix('M'));
        number.is_some_and(|it| it.parse::<f64>().is_ok_and(|size| size > 0.0))
    };
    let at = words.iter().position(|word| is_size(word))?;
    let active = words.get(at + 1).filter(|it| it.strip_prefix('A').is_some_and(is_size));
    let active = active.map_or_else(String::new, |active| format!("-{active}"));
    Some(format!("{}{active}", words[at]))
}

/// The published parameters of a preset; `None` of one whose table has none.
pub(super) fn published(preset: &str) -> Option<f64> {
    let row = flopcast_data::models::NAMES
        .lines()
        .find(|line| line.strip_prefix(preset).is_some_and(|rest| rest.starts_with(',')))?;
    row.split(',').nth(3)?.parse().ok().filter(|it: &f64| *it > 0.0)
}

/// True if a size is about that of a preset.
pub(super) fn is_size_of(size: &str, preset: &str) -> bool {
    let Some((size, real)) = parameters(size).zip(published(preset)) else { return false };
    (size / real - 1.0).abs() < 0.1
}

/// The parameters of a size such as `7B` or `30B-A3B`.
pub(super) fn parameters(size: &str) -> Option<f64> {
    ModelSize::named(size).map(|size| size.total as f64)
}

/// The number format in which a model's weights are published, where its name says it or the model
/// is known to come in none else.
pub(super) fn stored(name: &str) -> Option<&'static str> {
    if let Some((_, format)) = gguf(name) {
        return format;
    }
    let name = name.to_ascii_lowercase();
    let known = [
        ("nvfp4", "nvfp4"),
        ("mxfp4", "mxfp4"),
        ("-fp4", "nvfp4"),
        ("fp8", "fp8"),
        ("w8a8", "int8"),
        ("w8a16", "int8"),
        ("int8", "int8"),
        ("8bit", "int8"),
        ("awq", "int4"),
        ("gptq", "int4"),
        ("int4", "int4"),
        ("w4a16", "int4"),
        ("4bit", "int4"),
        // Their model cards: 8 bits of DeepSeek and Kimi, 4 bits of gpt-oss.
        ("deepseek-v3", "fp8"),
        ("deepseek-r1", "fp8"),
        ("kimi-k2", "fp8"),
        ("gpt-oss", "int4"),
    ];
    let found = known.iter().find(|(part, _)| name.contains(part)).map(|(_, format)| *format);
    found.filter(|_| !name.contains("distill") && !name.contains("-bf16"))
}

/// The recipe by the scenario's name; `None` if it has none.
pub(super) fn recipe(word: &str) -> Option<&'static str> {
    let word = word.to_ascii_lowercase();
    let known = [
        ("qlora", "qlora"),
        ("pretrain", "pretrain"),
        ("pt", "pretrain"),
        ("finetune", "finetune"),
        ("full", "finetune"),
        ("sft", "finetune"),
        ("freeze", "finetune"),
        ("distill", "distill"),
        ("kd", "distill"),
        ("rl", "rl"),
        ("dpo", "dpo"),
        ("ipo", "dpo"),
        ("orpo", "orpo"),
        ("simpo", "orpo"),
        ("cpo", "orpo"),
        ("kto", "kto"),
        ("reward", "reward"),
        ("rm", "reward"),
        ("ppo", "ppo"),
        ("grpo", "grpo"),
        ("gspo", "grpo"),
        ("gdpo", "grpo"),
        ("dapo", "grpo"),
        ("rloo", "grpo"),
        ("rlvr", "rlvr"),
        ("oft", "lora"),
    ];
    let named = known.iter().find(|(it, _)| *it == word).map(|(_, name)| *name);
    // Kin of adapters: `dora`, `loha`, `adalora`.
    named.or_else(|| {
        ["lora", "dora", "loha", "vera"].iter().any(|it| word.contains(it)).then_some("lora")
    })
}

/// The projections that words name, each once, and the words that name none. A pattern names those
/// that it spells: `.*(q|v)_proj`.
pub(super) fn projections(words: &[String]) -> (Vec<String>, Vec<String>) {
    let known = [
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
        "qkv_proj",
        "gate_up_proj",
        "query_key_value",
        "Wqkv",
        "W_pack",
        "c_attn",
        "c_proj",
        "c_fc",
        "dense",
        "dense_h_to_4h",
        "dense_4h_to_h",
        "out_proj",
        "fc1",
        "fc2",
        "w1",
        "w2",
        "w3",
        "wq",
        "wk",
        "wv",
        "wo",
        "query",
        "key",
        "value",
    ];
    // torchtune's word, and those of Megatron's layers.
    let same = [
        ("output_proj", "o_proj"),
        ("linear_qkv", "qkv_proj"),
        ("linear_proj", "o_proj"),
        ("linear_fc1", "gate_up_proj"),
        ("linear_fc2", "down_proj"),
    ];
    let mut found: Vec<String> = Vec::new();
    let mut strange = Vec::new();
    for word in words.iter().flat_map(|it| it.split(',')).map(str::trim) {
        let last = word.rsplit('.').next().unwrap_or(word);
        let last =
            same.iter().find(|(it, _)| *it == last).map_or(last, |(_, name)| name).to_owned();
        let mut here: Vec<String> = Vec::new();
        if known.contains(&last.as_str()) {
            here.push(last);
        } else if word.contains(['(', '*', '[', '|']) {
            for group in word.split(")_proj").filter(|it| it.len() < word.len()) {
                let inside = group.rsplit_once('(').map_or("", |(_, inside)| inside);
                here.extend(inside.split('|').map(|it| format!("{it}_proj")));
            }
            here.extend(known.iter().filter(|it| word.contains(**it)).map(|it| (*it).to_owned()));
            here.retain(|it| known.contains(&it.as_str()));
        }
        if here.is_empty() && !["", "all", "all-linear"].contains(&word) {
            strange.push(word.to_owned());
        }
        for name in here {
            if !found.contains(&name) {
                found.push(name);
            }
        }
    }
    (found, strange)
}

/// A number format by the name that scenarios have for it; `None` if the word names none.
pub(super) fn precision(word: &str) -> Option<String> {
    let word = word.to_ascii_lowercase();
    if let Some(format) = Precision::named(&word) {
        return Some(format.name().to_owned());
    }
    if let Some((_, format)) = gguf_format(&word) {
        return format.map(str::to_owned);
    }
    // Words that hold a format: `bf16-mixed`, `amp_bf16`, `fp8_e4m3`, `awq_marlin`.
    let known = [
        ("w4a", "int4"),
        ("mxfp4", "mxfp4"),
        ("nvfp4", "nvfp4"),
        ("fp8", "fp8"),
        ("float8", "fp8"),
        ("fp4", "fp4"),
        ("bf16", "bf16"),
        ("bfloat16", "bf16"),
        ("fp16", "fp16"),
        ("float16", "fp16"),
        ("16-mixed", "fp16"),
        ("half", "fp16"),
        ("bitsandbytes", "int4"),
        ("nf4", "int4"),
        ("awq", "int4"),
        ("gptq", "int4"),
        ("int4", "int4"),
        ("4bit", "int4"),
        ("int8", "int8"),
        ("8bit", "int8"),
        ("eetq", "int8"),
        ("32", "fp32"),
        ("auto", "bf16"),
        ("16", "fp16"),
    ];
    known.iter().find(|(part, _)| word.contains(part)).map(|(_, it)| (*it).to_owned())
}

/// The ZeRO stage by number or by the words of FSDP.
pub(super) fn zero(word: Option<&str>) -> Option<u64> {
    let word = word?.to_ascii_lowercase();
    let named =
        [("grad_op", 2), ("hybrid_shard", 3), ("full_shard", 3), ("no_shard", 0), ("fsdp", 3)];
    word.parse()
        .ok()
        .or_else(|| named.iter().find(|(it, _)| word.contains(it)).map(|(_, stage)| *stage))
}

/// The recomputation by the scenario's name. `MaxText`'s policies say what they keep: `minimal` all
/// products, `save_dot_except_mlp` those of attention.
pub(super) fn recompute(word: &str) -> String {
    let word = word.to_ascii_lowercase();
    let known = [
        ("selective", "selective"),
        ("minimal", "selective"),
        ("half", "half"),
        ("products", "products"),
        ("save_dot_except", "products"),
        ("none", "none"),
        ("null", "none"),
        ("false", "none"),
    ];
    let named = known.iter().find(|(it, _)| word.starts_with(it)).map(|(_, name)| *name);
    named.unwrap_or("full").to_owned()
}

/// Bytes that training holds of each parameter: frozen weights with little beside them, or bf16
/// weights with gradients, and with `state` master weights and two moments.
pub(super) fn held(recipe: Option<&str>, state: bool) -> f64 {
    match recipe {
        Some(recipe) if recipe.contains("qlora") => 0.6,
        Some(recipe) if recipe.contains("lora") => 2.2,
        _ if state => 18.0,
        _ => 6.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_by_the_names_that_jobs_have() {
        let check = |word: &str, wanted: &str| assert_eq!(model_name(word), wanted);
        check("meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-8B");
        check("/models/Qwen3-30B-A3B/", "Qwen3-30B-A3B");
        check("llama3_1_8b", "llama3.1.8b");
        check("torchtune.models.qwen2.lora_qwen2_7b", "qwen2.7b");
        check("llama3_1/8B_lora_single_device", "llama3.1-8B");
        check("gs://bucket/models/gemma-2-9b", "gemma-2-9b");
        check("/hub/models--openai--gpt-oss-20b/snapshots/6cee5e", "openai/gpt-oss-20b");
        check("models/Llama-3.2-3B-Instruct-Q4_K_M.gguf", "Llama-3.2-3B-Instruct");
        check("Qwen3-235B-A22B-UD-IQ2_XS-00001-of-00003.gguf", "Qwen3-235B-A22B");
    }

    #[test]
    fn formats_of_weights_that_names_say() {
        let check = |name: &str, wanted: Option<&str>| assert_eq!(stored(name), wanted, "{name}");
        check("x/Llama-3.1-8B-Instruct-GGUF:Q8_0", Some("int8"));
        check("Llama-3.1-8B-Instruct-Q5_K_M.gguf", Some("int8"));
        check("Llama-3.1-8B.Q6_K.gguf", Some("int8"));
        check("Llama-3.1-8B-IQ2_XS-00001-of-00002.gguf", Some("int4"));
        check("x/Llama-3.1-8B-GGUF:Q3_K_L", Some("int4"));
        check("Qwen/Qwen2.5-7B-Instruct-GPTQ-Int8", Some("int8"));
        check("Qwen/Qwen2.5-7B-Instruct-GPTQ-Int4", Some("int4"));
        check("Qwen/Qwen2.5-7B-Instruct", None);
    }

    #[test]
    fn sizes_that_names_say() {
        let check = |name: &str, wanted: Option<&str>| {
            assert_eq!(size_in(name).as_deref(), wanted, "{name}");
        };
        check("someone/Planner-4B", Some("4B"));
        check("open_model_3b_v2", Some("3B"));
        check("x/Y-30B-A3B-Preview", Some("30B-A3B"));
        check("x/y-1.5b", Some("1.5B"));
        check("x/y", None);
        check("8x7b-mix", None);
    }

    #[test]
    fn projections_that_jobs_name() {
        let check = |words: &[&str], wanted: &[&str]| {
            let words: Vec<String> = words.iter().map(|it| (*it).to_owned()).collect();
            assert_eq!(projections(&words).0, wanted, "{words:?}");
        };
        check(&["q_proj,v_proj"], &["q_proj", "v_proj"]);
        check(&["q_proj", "output_proj"], &["q_proj", "o_proj"]);
        check(&["self_attn.q_proj", "q_proj"], &["q_proj"]);
        check(
            &["model.layers.[\\d]+.(mlp|attn).(up|down|q)_proj"],
            &["up_proj", "down_proj", "q_proj"],
        );
        check(&["linear_qkv", "linear_fc2"], &["qkv_proj", "down_proj"]);
        check(&["all-linear"], &[]);
        assert_eq!(projections(&["in_proj_ba".to_owned()]).1, ["in_proj_ba"]);
    }
}
