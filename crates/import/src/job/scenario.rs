//! The scenario that a job's facts make, and the assumptions that it took.
//!
//! Facts are in the field's terms already ([`Fact`]); here they are put under the keys of a
//! scenario. Where a job leaves a size open that other sizes give (devices from degrees, tokens
//! from steps x batch), it is computed; where nothing gives it, a note names the `--set` that does.

use std::fmt::Write as _;

use flopcast_core::diagnostic::acts;
use flopcast_core::quantity::Precision;
use serde_json::{Map, Value as Json, json};

use super::fact::{Fact, Facts};
use crate::export;

/// Writes the scenario of a job as YAML. A model that it does not name is left to `--set
/// model=...`.
pub(super) fn write(
    name: &str,
    facts: &Facts,
    spoken: &[String],
    notes: &mut Vec<String>,
) -> String {
    let mut writer = Writer { facts, notes };
    let model = writer.model();
    if model.is_none() {
        writer.note("the job names no model: --set model=llama-3.1-8b");
    }
    let mut scenario = Map::new();
    scenario.insert("flopcast".to_owned(), json!(1));
    scenario.insert("name".to_owned(), json!(name));
    put(&mut scenario, "model", model);
    if facts.has(Fact::Engine) {
        put(&mut scenario, "placement", writer.placement());
        scenario.insert("inference".to_owned(), writer.service());
    } else {
        let (data, training) = writer.training();
        put(&mut scenario, "data", data);
        scenario.insert("training".to_owned(), training);
        put(&mut scenario, "placement", writer.placement());
    }
    // Quoted, a name of several lines is none of YAML.
    let mut text = format!("# From {}: {}.\n", comment(name), spoken.join(", "));
    for (key, value) in &scenario {
        block(&mut text, 0, key, value);
    }
    text
}

/// A name in a comment: quoted where it would leave its line.
fn comment(name: &str) -> String {
    if name.chars().any(acts) { export::quoted(&json!(name)) } else { name.to_owned() }
}

/// A key and its value, maps of maps as blocks and the innermost maps on a line.
fn block(out: &mut String, depth: usize, key: &str, value: &Json) {
    let nested = |map: &Map<String, Json>| map.values().any(Json::is_object) || map.len() > 4;
    let margin = "  ".repeat(depth);
    match value {
        Json::Object(map) if nested(map) => {
            let _ = writeln!(out, "{margin}{key}:");
            for (key, value) in map {
                block(out, depth + 1, key, value);
            }
        }
        Json::Null => {}
        value => {
            out.push_str(&margin);
            out.push_str(&export::line(key, value));
        }
    }
}

/// Adds a key, if it has a value.
fn put(map: &mut Map<String, Json>, key: &str, value: Option<Json>) {
    if let Some(value) = value {
        map.insert(key.to_owned(), value);
    }
}

/// Writes the sections of a scenario from the facts, and notes what it assumes.
struct Writer<'a> {
    facts: &'a Facts,
    notes: &'a mut Vec<String>,
}

impl Writer<'_> {
    /// Adds a note for the user.
    fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// The model by name, or the transformer whose sizes are given.
    fn model(&mut self) -> Option<Json> {
        let named = self.facts.word(Fact::Model).map(model_name);
        let flavor = self.facts.word(Fact::Flavor);
        let shape = [
            (Fact::Layers, "layers"),
            (Fact::Hidden, "hidden"),
            (Fact::Heads, "heads"),
            (Fact::KvHeads, "kv_heads"),
            (Fact::HeadDim, "head_dim"),
            (Fact::Ffn, "ffn"),
            (Fact::Vocab, "vocab"),
        ];
        let has_shape = self.facts.has(Fact::Layers) && self.facts.has(Fact::Hidden);
        if !has_shape {
            let named = named.filter(|name| !name.is_empty())?;
            return Some(json!(flavor.map_or(named.clone(), |flavor| format!("{named}-{flavor}"))));
        }
        let mut sizes = Map::new();
        for (fact, key) in shape {
            put(&mut sizes, key, self.facts.count(fact).map(|it| json!(it)));
        }
        if !sizes.contains_key("vocab") {
            self.note("the vocabulary is not in the job: 128,256 words are assumed");
            sizes.insert("vocab".to_owned(), json!(128_256));
        }
        if self.facts.has(Fact::Gated) {
            sizes.insert("gated".to_owned(), json!(true));
        }
        if self.facts.has(Fact::Untied) {
            sizes.insert("tied_embeddings".to_owned(), json!(false));
        }
        if let Some(experts) = self.facts.count(Fact::Experts) {
            let mut moe = Map::new();
            moe.insert("experts".to_owned(), json!(experts));
            put(&mut moe, "top_k", self.facts.count(Fact::TopK).map(|it| json!(it)));
            put(&mut moe, "expert_ffn", self.facts.count(Fact::ExpertFfn).map(|it| json!(it)));
            sizes.insert("moe".to_owned(), Json::Object(moe));
        }
        Some(json!({"transformer": sizes}))
    }

    /// The device and the number of them: nodes x devices of a node, as stated, or the product of
    /// the degrees.
    fn devices(&mut self) -> (Option<String>, Option<u64>) {
        let facts = self.facts;
        let count = |fact| facts.count(fact);
        let name = facts.word(Fact::Accelerator).map(str::to_owned);
        let nodes = count(Fact::Nodes).unwrap_or(1);
        let all = count(Fact::DevicesPerNode).and_then(|of_node| of_node.checked_mul(nodes));
        let degrees = [Fact::Data, Fact::Replicate, Fact::Tensor, Fact::Pipeline, Fact::Context];
        let product = || degrees.into_iter().filter_map(count).try_fold(1, u64::checked_mul);
        let of_layout = || count(Fact::Data).and_then(|_| product());
        let count = all.or_else(|| count(Fact::Devices)).or_else(of_layout);
        if let Some(lacks) = match (&name, count) {
            (None, None) => Some("its devices"),
            (None, _) => Some("the kind of its devices"),
            (_, None) => Some("how many devices it takes"),
            _ => None,
        } {
            let known = count.unwrap_or(8);
            self.note(format!(
                "the job does not say {lacks}: --set training.hardware={known}xH100"
            ));
        }
        (name, count)
    }

    /// The sections `data` and `training`.
    fn training(&mut self) -> (Option<Json>, Json) {
        let facts = self.facts;
        let (accelerator, devices) = self.devices();
        let sequence = facts.count(Fact::Sequence);
        let degree = |fact| facts.count(fact);
        let (tensor, pipeline) = (degree(Fact::Tensor), degree(Fact::Pipeline));
        let context = degree(Fact::Context);
        let sharded = [tensor, pipeline, context].into_iter().flatten().product::<u64>();
        let copies = devices.map(|devices| (devices / sharded.max(1)).max(1));
        let data = degree(Fact::Data).map(|data| data * degree(Fact::Replicate).unwrap_or(1));
        let data = data.filter(|data| Some(data * sharded) == devices).or(copies);
        let micro = degree(Fact::MicroBatch);
        let accumulation = degree(Fact::Accumulation);
        let batch = degree(Fact::GlobalBatch)
            .or_else(|| Some(micro? * accumulation.unwrap_or(1) * data?))
            .map(|sequences| sequences as f64 * sequence.unwrap_or(2048) as f64)
            .or_else(|| facts.number(Fact::GlobalBatchTokens));
        let mut training = Map::new();
        let recipe = self.recipe();
        put(&mut training, "recipe", recipe.clone().map(Json::from));
        if recipe.as_deref().is_some_and(|it| it.ends_with("lora")) {
            training.insert("lora".to_owned(), self.lora());
        }
        if recipe.as_deref() == Some("rl") {
            training.insert("rl".to_owned(), json!({}));
        }
        put(&mut training, "teacher", facts.word(Fact::Teacher).map(|it| json!(model_name(it))));
        training.insert("precision".to_owned(), json!(self.precision()));
        put(&mut training, "optimizer", self.optimizer().map(Json::from));
        put(&mut training, "sequence_length", sequence.map(Json::from));
        put(&mut training, "global_batch", batch.map(|it| json!(tokens(it))));
        let mut hardware = Map::new();
        put(&mut hardware, "accelerator", accelerator.map(Json::from));
        put(&mut hardware, "count", devices.map(Json::from));
        if !hardware.is_empty() {
            training.insert("hardware".to_owned(), Json::Object(hardware));
        }
        let mut layout = Map::new();
        let stated = [tensor, pipeline, context, degree(Fact::Expert)].iter().any(Option::is_some);
        if stated || facts.has(Fact::Zero) {
            for (key, value) in [
                ("tensor", tensor),
                ("pipeline", pipeline),
                ("data", data),
                ("context", context),
                ("expert", degree(Fact::Expert)),
                ("micro_batch", micro),
            ] {
                put(&mut layout, key, value.map(Json::from));
            }
            put(&mut layout, "zero", zero(facts.word(Fact::Zero)).map(Json::from));
            put(
                &mut layout,
                "recompute",
                facts.word(Fact::Recompute).map(recompute).map(Json::from),
            );
        }
        if !layout.is_empty() && data.is_some() {
            training.insert("parallelism".to_owned(), Json::Object(layout));
        }
        put(&mut training, "framework", facts.word(Fact::Framework).map(Json::from));
        (self.data(sequence, batch), Json::Object(training))
    }

    /// The tokens of the data: as stated, those of all steps (steps x batch), or those of all
    /// samples (samples x sequence). `None` with a note where the job says none of them.
    fn data(&mut self, sequence: Option<u64>, batch: Option<f64>) -> Option<Json> {
        let facts = self.facts;
        let steps = facts.number(Fact::Steps).zip(batch).map(|(steps, batch)| steps * batch);
        let samples = facts.number(Fact::Samples).zip(sequence);
        let (tokens, once) = match (facts.number(Fact::Tokens), steps, samples) {
            (Some(tokens), ..) => (tokens, false),
            (_, Some(tokens), _) => (tokens, true),
            (.., Some((samples, sequence))) => {
                self.note("every sample is taken to fill its sequence");
                (samples * sequence as f64, false)
            }
            _ => {
                self.note(
                    "the size of the data is not in the job: --set 'data.tokens=100M tokens'",
                );
                return None;
            }
        };
        let mut data = Map::new();
        data.insert("tokens".to_owned(), json!(self::tokens(tokens)));
        put(&mut data, "epochs", facts.number(Fact::Epochs).filter(|_| !once).map(Json::from));
        Some(Json::Object(data))
    }

    /// The recipe by the scenario's name: `pt` is pretrain, `sft` finetune, and adapters make it
    /// lora.
    fn recipe(&mut self) -> Option<String> {
        let said = self.facts.word(Fact::Recipe).map(str::to_ascii_lowercase);
        let adapters = self.facts.has(Fact::Rank) || self.facts.has(Fact::Targets);
        let said = match said.as_deref() {
            None | Some("full" | "finetune" | "sft" | "pretrain") if adapters => "lora".to_owned(),
            None => return None,
            Some("full" | "sft" | "freeze") => "finetune".to_owned(),
            Some("pt") => "pretrain".to_owned(),
            Some(said) => said.to_owned(),
        };
        Some(said)
    }

    /// The adapters: rank (8 by assumption, with a note) and targets.
    fn lora(&mut self) -> Json {
        let rank = self.facts.count(Fact::Rank).unwrap_or_else(|| {
            self.notes.push("the rank of the adapters is not in the job: 8 is assumed".to_owned());
            8
        });
        let mut lora = Map::new();
        lora.insert("rank".to_owned(), json!(rank));
        let targets = self.facts.words(Fact::Targets).map(<[String]>::to_vec);
        let named: Vec<String> = targets
            .into_iter()
            .flatten()
            .flat_map(|it| it.split(',').map(|it| it.trim().to_owned()).collect::<Vec<_>>())
            .filter(|it| !["all", "all-linear", ""].contains(&it.as_str()))
            .collect();
        if !named.is_empty() {
            lora.insert("targets".to_owned(), json!(named));
        }
        Json::Object(lora)
    }

    /// The number format; bf16 by assumption, with a note.
    fn precision(&mut self) -> String {
        let Some(word) = self.facts.word(Fact::Precision) else {
            self.note("the number format is not in the job: bf16 is assumed");
            return "bf16".to_owned();
        };
        precision(word)
    }

    /// The optimizer by the name that scenarios have for it. Tools write `adamw_bnb_8bit`,
    /// `paged_adamw_32bit`, `Lion8bit`: family, pages and 8-bit states are told apart.
    fn optimizer(&mut self) -> Option<String> {
        let word = self.facts.word(Fact::Optimizer)?.to_ascii_lowercase().replace(['_', '-'], "");
        let known = ["adafactor", "lion", "muon", "sgd", "adam"];
        let family = *known.iter().find(|it| word.contains(**it))?;
        let name = match (family, word.contains("paged"), word.contains("8bit")) {
            ("adam", false, false) => "adamw",
            ("adam", false, true) => "adamw-8bit",
            ("adam", true, false) => "paged-adamw",
            ("adam", true, true) => "paged-adamw-8bit",
            ("lion", _, true) => "lion-8bit",
            (family, _, true) => {
                self.note(format!("the 8-bit states of {word} are taken for those of 32 bits"));
                family
            }
            (family, ..) => family,
        };
        Some(name.to_owned())
    }

    /// Provider, region and spot purchase, as far as the job says them.
    fn placement(&mut self) -> Option<Json> {
        let mut placement = Map::new();
        let lower = |fact| self.facts.word(fact).map(|it| json!(it.to_ascii_lowercase()));
        put(&mut placement, "provider", lower(Fact::Provider));
        put(&mut placement, "region", lower(Fact::Region));
        if self.facts.has(Fact::Spot) && placement.contains_key("provider") {
            placement.insert("purchase".to_owned(), json!("spot"));
        }
        (!placement.is_empty()).then_some(Json::Object(placement))
    }

    /// The section `inference` of a serving engine. A command line says nothing of its traffic, so
    /// one request a second of 1,000 tokens in and 250 out is assumed, with a note.
    fn service(&mut self) -> Json {
        let facts = self.facts;
        let mut service = Map::new();
        self.note(
            "a command line says nothing of its traffic: one request a second of 1,000 tokens in \
             and 250 out is assumed; --set inference.traffic.requests=20/s",
        );
        let lengths = json!({"requests": "1/s", "input_tokens": {"mean": 1000}, "output_tokens": {"mean": 250}});
        service.insert("traffic".to_owned(), lengths);
        match facts.word(Fact::Accelerator) {
            Some(device) => {
                service.insert("hardware".to_owned(), json!({"accelerator": device}));
            }
            None => self
                .note("the job does not say which devices it takes: --set inference.hardware=H100"),
        }
        // Nothing said is the format that the weights are stored in.
        let stated = facts.word(Fact::Quantization).or_else(|| facts.word(Fact::Precision));
        let stated = stated.filter(|it| *it != "auto").map(precision);
        put(&mut service, "precision", stated.map(Json::from));
        let kv = facts.word(Fact::KvPrecision).filter(|it| *it != "auto").map(precision);
        put(&mut service, "kv_precision", kv.map(Json::from));
        let mut layout = Map::new();
        for (key, fact) in [
            ("tensor", Fact::Tensor),
            ("pipeline", Fact::Pipeline),
            ("data", Fact::Data),
            ("expert", Fact::Expert),
        ] {
            put(&mut layout, key, facts.count(fact).map(Json::from));
        }
        put(&mut service, "parallelism", (!layout.is_empty()).then_some(Json::Object(layout)));
        put(&mut service, "max_batch", facts.count(Fact::MaxBatch).map(Json::from));
        put(&mut service, "max_batch_tokens", facts.count(Fact::MaxBatchTokens).map(Json::from));
        put(&mut service, "engine", facts.word(Fact::Engine).map(Json::from));
        if let Some((draft, tokens)) = facts.word(Fact::Draft).zip(facts.count(Fact::DraftTokens)) {
            self.note("the share of accepted draft tokens is not in the job: 70 % is assumed");
            let draft = json!({"draft": model_name(draft), "tokens": tokens, "acceptance": "70 %"});
            service.insert("speculative".to_owned(), draft);
        }
        Json::Object(service)
    }
}

/// A model's name: a local path's last folder; `llama3_1_8b` as `llama3.1.8b`.
fn model_name(word: &str) -> String {
    let local = word.starts_with(['/', '.', '~', '$']) || word.matches('/').count() > 1;
    let word = word.trim_end_matches('/');
    let word = if local { word.rsplit('/').next().unwrap_or(word) } else { word };
    let word = word.rsplit("://").next().unwrap_or(word);
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

/// A count of tokens with its unit: `4_194_304 tokens`.
fn tokens(count: f64) -> String {
    let digits = format!("{count:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    text + " tokens"
}

/// A number format by the name that scenarios have for it.
fn precision(word: &str) -> String {
    let word = word.to_ascii_lowercase();
    if let Some(format) = Precision::named(&word) {
        return format.name().to_owned();
    }
    // Words that hold a format: `bf16-mixed`, `amp_bf16`, `fp8_e4m3`, `awq_marlin`.
    let known = [
        ("fp8", "fp8"),
        ("float8", "fp8"),
        ("fp4", "fp4"),
        ("bf16", "bf16"),
        ("bfloat16", "bf16"),
        ("fp16", "fp16"),
        ("float16", "fp16"),
        ("16-mixed", "fp16"),
        ("awq", "int4"),
        ("gptq", "int4"),
        ("int4", "int4"),
        ("4bit", "int4"),
        ("int8", "int8"),
        ("8bit", "int8"),
        ("32", "fp32"),
        ("auto", "bf16"),
        ("16", "fp16"),
    ];
    known
        .iter()
        .find(|(part, _)| word.contains(part))
        .map_or(word.clone(), |(_, it)| (*it).to_owned())
}

/// The ZeRO stage by number or by the words of FSDP.
fn zero(word: Option<&str>) -> Option<u64> {
    let word = word?.to_ascii_lowercase();
    let named =
        [("grad_op", 2), ("hybrid_shard", 3), ("full_shard", 3), ("no_shard", 0), ("fsdp", 3)];
    word.parse()
        .ok()
        .or_else(|| named.iter().find(|(it, _)| word.contains(it)).map(|(_, stage)| *stage))
}

/// The recomputation by the scenario's name: selective, none or full.
fn recompute(word: &str) -> String {
    match word.to_ascii_lowercase().as_str() {
        "selective" | "minimal" | "save_dot_except_mlpwi" => "selective".to_owned(),
        "none" | "false" => "none".to_owned(),
        _ => "full".to_owned(),
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
    }
}
