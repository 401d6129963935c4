//! Spellings that people type where a scenario has another word: keys by their usual names
//! elsewhere, words in capitals, a device with its count in one text. Each is read, and said.

use flopcast_core::quantity::Precision;
use flopcast_import::document::{Key, Node, Value};

/// A key as typed, the key that it means, and the unit of a bare number there.
const KEYS: &[(&str, &str, &str)] = &[
    ("serving", "inference", ""),
    ("service", "inference", ""),
    ("train", "training", ""),
    ("slo", "inference.slo", ""),
    ("traffic", "inference.traffic", ""),
    ("tokens", "data.tokens", ""),
    ("dataset_tokens", "data.tokens", ""),
    ("samples", "data.samples", ""),
    ("images", "data.samples", ""),
    ("epochs", "data.epochs", ""),
    ("data.images", "data.samples", ""),
    ("data.size", "data.tokens", ""),
    ("provider", "placement.provider", ""),
    ("cloud", "placement.provider", ""),
    ("region", "placement.region", ""),
    ("placement.cloud", "placement.provider", ""),
    ("placement.country", "placement.region", ""),
    ("placement.location", "placement.region", ""),
    ("placement.price", "placement.purchase.price", ""),
    ("placement.carbon_intensity", "placement.grid", ""),
    ("hardware", "training.hardware", ""),
    ("gpu", "training.hardware.accelerator", ""),
    ("gpus", "training.hardware.count", ""),
    ("precision", "training.precision", ""),
    ("deadline", "training.deadline", ""),
    ("mfu", "training.efficiency.mfu", ""),
    ("training.mfu", "training.efficiency.mfu", ""),
    ("training.hfu", "training.efficiency.hfu", ""),
    ("training.gpu", "training.hardware.accelerator", ""),
    ("training.gpus", "training.hardware.count", ""),
    ("training.accelerator", "training.hardware.accelerator", ""),
    ("training.hardware.gpu", "training.hardware.accelerator", ""),
    ("training.hardware.type", "training.hardware.accelerator", ""),
    ("training.hardware.device", "training.hardware.accelerator", ""),
    ("training.hardware.gpus", "training.hardware.count", ""),
    ("training.hardware.num", "training.hardware.count", ""),
    ("training.hardware.devices", "training.hardware.count", ""),
    ("training.dtype", "training.precision", ""),
    ("training.seq_len", "training.sequence_length", ""),
    ("training.seq_length", "training.sequence_length", ""),
    ("training.context_length", "training.sequence_length", ""),
    ("training.max_seq_len", "training.sequence_length", ""),
    ("training.batch_size", "training.global_batch", ""),
    ("training.global_batch_size", "training.global_batch", ""),
    ("training.tokens", "data.tokens", ""),
    ("training.epochs", "data.epochs", ""),
    ("training.optim", "training.optimizer", ""),
    ("training.gradient_checkpointing", "training.parallelism.recompute", ""),
    ("training.activation_checkpointing", "training.parallelism.recompute", ""),
    ("training.parallelism.tp", "training.parallelism.tensor", ""),
    ("training.parallelism.pp", "training.parallelism.pipeline", ""),
    ("training.parallelism.dp", "training.parallelism.data", ""),
    ("training.parallelism.cp", "training.parallelism.context", ""),
    ("training.parallelism.ep", "training.parallelism.expert", ""),
    ("training.parallelism.micro_batch_size", "training.parallelism.micro_batch", ""),
    ("inference.gpu", "inference.hardware.accelerator", ""),
    ("inference.accelerator", "inference.hardware.accelerator", ""),
    ("inference.hardware.gpu", "inference.hardware.accelerator", ""),
    ("inference.hardware.type", "inference.hardware.accelerator", ""),
    ("inference.dtype", "inference.precision", ""),
    ("inference.kv_cache_dtype", "inference.kv_precision", ""),
    ("inference.max_num_seqs", "inference.max_batch", ""),
    ("inference.rps", "inference.traffic.requests", "/s"),
    ("inference.qps", "inference.traffic.requests", "/s"),
    ("inference.requests", "inference.traffic.requests", "/s"),
    ("inference.traffic.rps", "inference.traffic.requests", "/s"),
    ("inference.traffic.qps", "inference.traffic.requests", "/s"),
    ("inference.traffic.rate", "inference.traffic.requests", "/s"),
    ("inference.traffic.prompt_tokens", "inference.traffic.input_tokens", ""),
    ("inference.traffic.completion_tokens", "inference.traffic.output_tokens", ""),
    ("inference.parallelism.tp", "inference.parallelism.tensor", ""),
    ("inference.parallelism.pp", "inference.parallelism.pipeline", ""),
    ("inference.parallelism.dp", "inference.parallelism.data", ""),
    ("inference.parallelism.ep", "inference.parallelism.expert", ""),
];

/// Sections that people write as a single value, and the key in them that it means.
const SECTIONS: &[(&str, &str)] = &[
    ("data", "tokens"),
    ("training.efficiency", "mfu"),
    ("inference.traffic", "requests"),
    ("inference.slo.ttft", "p95"),
    ("inference.slo.tpot", "p95"),
    ("inference.slo.e2e", "p95"),
    ("inference.traffic.input_tokens", "mean"),
    ("inference.traffic.output_tokens", "mean"),
    ("training.hardware", "accelerator"),
    ("inference.hardware", "accelerator"),
];

/// Keys whose values are words of flopcast's own, in lower case.
const WORDS: &[&str] = &[
    "placement.provider",
    "placement.purchase",
    "inference.placement.provider",
    "inference.placement.purchase",
    "training.precision",
    "training.optimizer",
    "training.recipe",
    "training.framework",
    "training.parallelism.recompute",
    "inference.precision",
    "inference.kv_precision",
    "inference.engine",
    "inference.router",
];

/// Other names of such words.
const OTHERWISE: &[(&str, &str)] = &[
    ("amazon", "aws"),
    ("google", "gcp"),
    ("google cloud", "gcp"),
    ("microsoft", "azure"),
    ("ondemand", "on-demand"),
    ("on demand", "on-demand"),
    ("tensorrt-llm", "trtllm"),
    ("adam", "adamw"),
    ("lora-4bit", "qlora"),
    ("sft", "finetune"),
    ("fine-tune", "finetune"),
    ("fine-tuning", "finetune"),
    ("pretraining", "pretrain"),
    ("pre-training", "pretrain"),
];

/// Puts what people type into the scenario's own words; says each that it read so.
pub fn respell(document: &mut Node) -> Vec<String> {
    let mut notes = Vec::new();
    for (typed, key, unit) in KEYS {
        if document.at(key).is_some() {
            continue;
        }
        let Some(mut value) = document.take(typed) else { continue };
        if let (Value::Number(number), false) = (&value.value, unit.is_empty()) {
            value.value = Value::Text(format!("{number}{unit}"));
        }
        if matches!(value.value, Value::Bool(true)) && key.ends_with("recompute") {
            value.value = Value::Text("full".to_owned());
        }
        if document.put(key, value.clone()).is_ok() {
            notes.push(format!("`{typed}` as `{key}`"));
        } else {
            // Where it does not fit, the reader says what is wrong with it as typed.
            let _ = document.put(typed, value);
        }
    }
    for (section, key) in SECTIONS {
        widen(document, section, key, &mut notes);
    }
    for path in WORDS {
        lower(document, path, &mut notes);
    }
    notes
}

/// True if what is set at a path may be of another spelling.
pub fn concerns(path: &str) -> bool {
    let inside = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let sections = SECTIONS.iter().map(|(section, _)| *section);
    KEYS.iter().any(|(typed, ..)| inside(path, typed) || inside(typed, path))
        || sections.chain(WORDS.iter().copied()).any(|known| inside(known, path))
}

/// Makes a section of the single value that stands for it.
fn widen(document: &mut Node, section: &str, key: &str, notes: &mut Vec<String>) {
    let is_scalar = |node: &&Node| {
        matches!(&node.value, Value::Text(text) if text != "auto")
            || matches!(node.value, Value::Number(_))
    };
    if !document.at(section).is_some_and(|node| is_scalar(&node)) {
        return;
    }
    let Some(value) = document.take(section) else { return };
    let entry = |name: &str, value: Node| {
        (Key { name: name.to_owned(), place: value.place.clone() }, value)
    };
    let counted = match &value.value {
        Value::Text(text) if key == "accelerator" => count_and_device(text),
        _ => None,
    };
    let place = value.place.clone();
    let (entries, said) = match counted {
        Some((count, device)) => {
            let text =
                |text: &str| Node { value: Value::Text(text.to_owned()), place: place.clone() };
            let count_node = Node { value: Value::Number(count), place: place.clone() };
            let said = format!("`{section}` as `{{count: {count}, accelerator: {device}}}`");
            (vec![entry("count", count_node), entry("accelerator", text(device))], said)
        }
        None => (vec![entry(key, value.clone())], format!("`{section}` as `{section}.{key}`")),
    };
    if document.put(section, Node { value: Value::Map(entries), place }).is_ok() {
        notes.push(said);
    }
}

/// `64x H100`, `8 x a100-80gb`.
fn count_and_device(text: &str) -> Option<(f64, &str)> {
    let (count, device) = text.trim().split_once(['x', 'X', '×'])?;
    let count = count.trim().replace(['_', ','], "").parse().ok().filter(|it: &f64| *it >= 1.0)?;
    Some((count, device.trim())).filter(|(_, device)| !device.is_empty())
}

/// A word in lower case, or by the name that it has here.
fn lower(document: &mut Node, path: &str, notes: &mut Vec<String>) {
    let Some(node) = document.at(path) else { return };
    let Value::Text(typed) = &node.value else { return };
    let plain = typed.trim().to_lowercase();
    let format = || Precision::named(&plain).filter(|_| path.ends_with("precision"));
    let other = OTHERWISE.iter().find(|(other, _)| *other == plain).map(|(_, word)| *word);
    let named = other.or_else(|| format().map(Precision::name));
    let word = named.unwrap_or(&plain).to_owned();
    if word != *typed {
        notes.push(format!("`{path}: {typed}` as `{word}`"));
        let place = node.place.clone();
        let _ = document.put(path, Node { value: Value::Text(word), place });
    }
}

#[cfg(test)]
mod tests {
    use flopcast_import::document;

    use super::*;

    fn check(text: &str, wanted: &str) {
        let mut node = document::parse("test.yaml", text.as_bytes()).expect("YAML");
        let notes = respell(&mut node);
        let mut expected = document::parse("test.yaml", wanted.as_bytes()).expect("YAML");
        assert!(respell(&mut expected).is_empty(), "{wanted} is not in the scenario's words");
        assert_eq!(plain(&node), plain(&expected), "{text}: {notes:?}");
    }

    /// A tree without its places, keys sorted.
    fn plain(node: &Node) -> String {
        match &node.value {
            Value::Map(entries) => {
                let mut all: Vec<String> = entries
                    .iter()
                    .map(|(key, node)| format!("{}: {}", key.name, plain(node)))
                    .collect();
                all.sort();
                format!("{{{}}}", all.join(", "))
            }
            Value::Text(text) => text.clone(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn paths_that_may_be_spelled_otherwise() {
        let concerned = ["gpus", "train.hardware.count", "training", "training.precision", "data"];
        assert!(concerned.iter().all(|path| concerns(path)));
        let plain = ["training.hardware.count", "placement.pue", "data.tokens", "gpusx"];
        assert!(plain.iter().all(|path| !concerns(path)));
    }

    #[test]
    fn keys_by_their_other_names() {
        check("tokens: 1T", "data: {tokens: 1T}");
        check(
            "training: {tp: 1, parallelism: {tp: 8}}",
            "training: {tp: 1, parallelism: {tensor: 8}}",
        );
        check("inference: {traffic: {rps: 40}}", "inference: {traffic: {requests: 40/s}}");
        check(
            "placement: {price: 2 USD/device-h}",
            "placement: {purchase: {price: 2 USD/device-h}}",
        );
        check("training: {mfu: 0.4}", "training: {efficiency: {mfu: 0.4}}");
    }

    #[test]
    fn a_key_that_is_there_is_never_replaced() {
        let text = "tokens: 1T\ndata: {tokens: 2T}";
        check(text, text);
    }

    #[test]
    fn values_for_sections() {
        check(
            "training: {hardware: 64x H100}",
            "training: {hardware: {count: 64, accelerator: H100}}",
        );
        check("inference: {hardware: H100}", "inference: {hardware: {accelerator: H100}}");
        check("inference: {slo: {ttft: 500 ms}}", "inference: {slo: {ttft: {p95: 500 ms}}}");
        check("data: 2T", "data: {tokens: 2T}");
        check("training: {efficiency: auto}", "training: {efficiency: auto}");
    }

    #[test]
    fn words_in_capitals_and_by_other_names() {
        check("placement: {provider: AWS}", "placement: {provider: aws}");
        check("training: {precision: bfloat16}", "training: {precision: bf16}");
        check("inference: {engine: vLLM}", "inference: {engine: vllm}");
    }
}
