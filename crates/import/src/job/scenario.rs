//! The scenario that a job's facts make, and the assumptions that it took.
//!
//! Facts are in the field's terms already ([`Fact`]); here they are put under the keys of a
//! scenario. Where a job leaves a size open that other sizes give (devices from degrees, tokens
//! from steps x batch), it is computed; where nothing gives it, a note names the `--set` that does.

use std::fmt::Write as _;

use flopcast_core::catalog::Catalog;
use flopcast_core::diagnostic::acts;
use flopcast_core::model::names;
use flopcast_core::quantity::Measure as _;
use serde_json::{Map, Value as Json, json};

use super::cluster::USUAL_DEVICE;
use super::fact::{Fact, Facts};
use super::words::{self, model_name, precision};
use crate::export;

/// The tokens of the data where a job does not say them.
const USUAL_TOKENS: f64 = 1e8;
/// The tokens of a sequence where a job does not say them.
const USUAL_SEQUENCE: u64 = 2048;
/// The part of a device's memory that weights and gradients may take beside activations.
pub(super) const ROOM: f64 = 0.8;

/// Writes the scenario of a job as YAML. A model that it does not name is left to `--set
/// model=...`.
pub(super) fn write(
    name: &str,
    facts: &Facts,
    spoken: &[String],
    notes: &mut Vec<String>,
) -> String {
    let mut writer = Writer { facts, notes, sized: false, assumed: Vec::new() };
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
        scenario.insert("data".to_owned(), data);
        scenario.insert("training".to_owned(), training);
        put(&mut scenario, "placement", writer.placement());
    }
    let said = facts.has(Fact::Provider) || facts.has(Fact::Placed);
    if !scenario.contains_key("placement") && !said {
        let key = "--set placement.provider=aws --set placement.region=us-east-1";
        writer.note(format!("the job does not say where it runs, so that its cost is open: {key}"));
    }
    // Quoted, a name of several lines is none of YAML.
    let mut text = format!("# From {}: {}.\n", comment(name), spoken.join(", "));
    for (key, value) in &scenario {
        block(&mut text, key, value, &writer.assumed);
    }
    text
}

/// A name in a comment: quoted where it would leave its line.
fn comment(name: &str) -> String {
    if name.chars().any(acts) { export::quoted(&json!(name)) } else { name.to_owned() }
}

/// The value at a path, maps of maps as blocks and the innermost maps on a line. A comment says
/// what is assumed there.
fn block(out: &mut String, path: &str, value: &Json, assumed: &[(&str, &str)]) {
    let nested = |map: &Map<String, Json>| map.values().any(Json::is_object) || map.len() > 4;
    let key = path.rsplit('.').next().unwrap_or(path);
    let margin = "  ".repeat(path.matches('.').count());
    match value {
        Json::Object(map) if nested(map) => {
            let _ = writeln!(out, "{margin}{key}:");
            for (key, value) in map {
                block(out, &format!("{path}.{key}"), value, assumed);
            }
        }
        Json::Null => {}
        value => {
            let line = export::line(key, value);
            let here = assumed.iter().filter(|(at, _)| *at == path);
            let words: Vec<&str> = here.map(|(_, what)| *what).collect();
            let comment = match words.as_slice() {
                [] => String::new(),
                words => format!("  # assumed: {}", words.join(", ")),
            };
            let _ = writeln!(out, "{margin}{}{comment}", line.trim_end());
        }
    }
}

/// Adds a key, if it has a value.
pub(super) fn put(map: &mut Map<String, Json>, key: &str, value: Option<Json>) {
    if let Some(value) = value {
        map.insert(key.to_owned(), value);
    }
}

/// Writes the sections of a scenario from the facts, and notes what it assumes.
pub(super) struct Writer<'a> {
    pub(super) facts: &'a Facts,
    notes: &'a mut Vec<String>,
    /// The model is one of which only the size is known.
    pub(super) sized: bool,
    /// Paths of the scenario, and what is assumed there.
    pub(super) assumed: Vec<(&'static str, &'static str)>,
}

impl Writer<'_> {
    /// Adds a note for the user.
    pub(super) fn note(&mut self, text: impl Into<String>) {
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
            let named = flavor.map_or(named.clone(), |flavor| format!("{named}-{flavor}"));
            return Some(json!(self.known(named)));
        }
        let mut sizes = Map::new();
        for (fact, key) in shape {
            put(&mut sizes, key, self.facts.count(fact).map(|it| json!(it)));
        }
        if !sizes.contains_key("vocab") {
            let usual = self.facts.count(Fact::UsualVocab);
            put(&mut sizes, "vocab", usual.map(|it| json!(it)));
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

    /// A model's name; the size that it says where no model is called so, with a note. A size
    /// behind a name that needs none is left out: `deepseek-v3-671B`.
    fn known(&mut self, name: String) -> String {
        let Some(size) = words::size_in(&name).filter(|_| names::find(&name).is_err()) else {
            return name;
        };
        let base = &name[..name.len() - size.len().min(name.len())];
        let base = base.trim_end_matches(['-', '_']);
        if name.to_ascii_uppercase().ends_with(&size)
            && names::find(base).is_ok_and(|found| words::is_size_of(&size, found.preset))
        {
            return base.to_owned();
        }
        self.note(format!(
            "no model is known as {name}: a usual transformer of the size in its name, {size}, is \
             counted; --set model=config.json counts its own"
        ));
        self.sized = true;
        size
    }

    /// The sections `data` and `training`.
    fn training(&mut self) -> (Json, Json) {
        let facts = self.facts;
        let (accelerator, devices) = self.devices();
        let recipe = self.recipe();
        let is = |names: &[&str]| recipe.as_deref().is_some_and(|recipe| names.contains(&recipe));
        let (writes, pairs) = (is(&["rl", "ppo", "grpo", "rlvr"]), is(&["dpo", "orpo", "reward"]));
        let prompt = facts.count(Fact::Prompt).filter(|_| writes);
        let sequence = facts.count(Fact::Sequence).or_else(|| facts.count(Fact::UsualSequence));
        let sequence = sequence.map(|answer| answer.saturating_add(prompt.unwrap_or(0)));
        if sequence.is_none() {
            self.note(format!(
                "the length of sequences is not in the job: {USUAL_SEQUENCE} tokens, or the model's \
                 most, are assumed; --set training.sequence_length=4096"
            ));
        }
        // A preference is two sequences, and answers fill half of their room.
        let each = |length: u64| match prompt {
            Some(prompt) => (prompt + length) as f64 / 2.0,
            None if pairs => 2.0 * length as f64,
            None => length as f64,
        };
        let group = facts.count(Fact::Group).or_else(|| facts.count(Fact::Answers));
        let answers = group.filter(|_| writes).unwrap_or(1) as f64;
        let sample = sequence.map(|length| answers * each(length));
        let degree = |fact| facts.count(fact);
        let (tensor, pipeline) = (degree(Fact::Tensor), degree(Fact::Pipeline));
        let context = degree(Fact::Context);
        // A model of which only the size is known has no experts to spread.
        let expert = degree(Fact::Expert).filter(|_| !self.sized);
        let sharded =
            [tensor, pipeline, context].into_iter().flatten().fold(1, u64::saturating_mul);
        let copies = Some((devices / sharded.max(1)).max(1));
        let data = degree(Fact::Data)
            .and_then(|data| data.checked_mul(degree(Fact::Replicate).unwrap_or(1)));
        let data = data.filter(|data| data.checked_mul(sharded) == Some(devices)).or(copies);
        // A replica's batch goes through a pipeline sequence by sequence, else at once.
        let local = degree(Fact::LocalBatch);
        let piped = pipeline.is_some_and(|stages| stages > 1);
        let whole = || if piped { local.map(|_| 1) } else { local };
        let micro = degree(Fact::MicroBatch).or_else(whole);
        let accumulation = degree(Fact::Accumulation);
        let of_replica = || local.or_else(|| micro?.checked_mul(accumulation.unwrap_or(1)));
        let batch = degree(Fact::GlobalBatch)
            .or_else(|| of_replica()?.checked_mul(data?))
            .and_then(|sequences| sequences.checked_mul(degree(Fact::Answers).unwrap_or(1)))
            .map(|sequences| sequences as f64 * each(sequence.unwrap_or(USUAL_SEQUENCE)))
            .or_else(|| facts.number(Fact::GlobalBatchTokens));
        let mut training = Map::new();
        put(&mut training, "recipe", recipe.clone().map(Json::from));
        if self.adapts() && recipe.is_some() || is(&["lora", "qlora"]) {
            training.insert("lora".to_owned(), self.lora());
        }
        if writes && (is(&["rl"]) || group.is_some() || prompt.is_some()) {
            let mut rollout = Map::new();
            put(&mut rollout, "group", group.map(Json::from));
            put(&mut rollout, "prompt_tokens", prompt.map(Json::from));
            let rl = if rollout.is_empty() { json!({}) } else { json!({"rollout": rollout}) };
            training.insert("rl".to_owned(), rl);
        }
        put(&mut training, "teacher", facts.word(Fact::Teacher).map(|it| json!(model_name(it))));
        training.insert("precision".to_owned(), json!(self.precision()));
        put(&mut training, "optimizer", self.optimizer().map(Json::from));
        let gradients = facts.word(Fact::Gradients).and_then(precision);
        put(&mut training, "formats", gradients.map(|it| json!({"gradients": it})));
        if facts.has(Fact::InBackward) {
            training.insert("optimizer_in_backward".to_owned(), json!(true));
        }
        put(&mut training, "sequence_length", sequence.map(Json::from));
        put(&mut training, "global_batch", batch.map(|it| json!(tokens(it))));
        let hardware = json!({"accelerator": accelerator, "count": devices});
        training.insert("hardware".to_owned(), hardware);
        let of_layers = || {
            let chunk = degree(Fact::LayersOfChunk)?.checked_mul(pipeline?)?;
            let layers = degree(Fact::Layers)?;
            (layers % chunk == 0).then_some(layers / chunk)
        };
        let chunks = degree(Fact::Chunks).or_else(of_layers);
        let mut layout = Map::new();
        let stated = [tensor, pipeline, context, expert, micro].iter().any(Option::is_some);
        if stated || facts.has(Fact::Zero) || facts.has(Fact::Recompute) {
            let zero = words::zero(facts.word(Fact::Zero));
            let copies = devices / sharded.max(1);
            let zero =
                zero.or_else(|| self.sharding(&accelerator, sharded, copies, recipe.as_deref()));
            for (key, value) in [
                ("tensor", tensor),
                ("pipeline", pipeline),
                ("chunks", chunks.filter(|_| piped)),
                ("data", data),
                ("context", context),
                ("expert", expert),
                ("micro_batch", micro),
            ] {
                put(&mut layout, key, value.map(Json::from));
            }
            put(&mut layout, "zero", zero.map(Json::from));
            put(&mut layout, "recompute", self.recompute().map(Json::from));
        }
        if !layout.is_empty() && data.is_some() {
            training.insert("parallelism".to_owned(), Json::Object(layout));
        }
        put(&mut training, "framework", facts.word(Fact::Framework).map(Json::from));
        (self.data(sample, batch), Json::Object(training))
    }

    /// ZeRO's third stage, with a note, where a job says no stage and a copy of the weights with
    /// their gradients leaves no room on its devices.
    fn sharding(
        &mut self,
        accelerator: &str,
        of_copy: u64,
        copies: u64,
        recipe: Option<&str>,
    ) -> Option<u64> {
        let catalog = Catalog::embedded();
        let memory = catalog.accelerator(accelerator).ok()?.memory.as_ref()?;
        let room = memory.value.stored() * ROOM;
        let held = self.parameters()? * words::held(recipe, false) / of_copy.max(1) as f64;
        let spread = self.facts.count(Fact::Expert).is_some_and(|it| it > 1);
        if copies < 2 || held < room || spread {
            return None;
        }
        self.note("the job does not say that it shards the model, of which one copy is too large: ZeRO 3 is assumed");
        Some(3)
    }

    /// The parameters of the model, as published or by the size in its name.
    pub(super) fn parameters(&self) -> Option<f64> {
        let name = model_name(self.facts.word(Fact::Model)?);
        let published = names::find(&name).ok().and_then(|it| words::published(it.preset));
        published.or_else(|| words::parameters(&words::size_in(&name)?))
    }

    /// The recomputation; of a framework with kinds of the selective one, which.
    fn recompute(&self) -> Option<String> {
        let said = words::recompute(self.facts.word(Fact::Recompute)?);
        let kind = self.facts.word(Fact::Selective).filter(|_| said == "selective");
        Some(kind.map_or(said, words::recompute))
    }

    /// The tokens of the data: as stated, those of all steps (steps x batch), or those of all
    /// samples (samples x tokens of one). Where the job says none of them, so many are assumed with a note.
    fn data(&mut self, sample: Option<f64>, batch: Option<f64>) -> Json {
        let facts = self.facts;
        let steps = facts.number(Fact::Steps).zip(batch).map(|(steps, batch)| steps * batch);
        let samples = facts.number(Fact::Samples).zip(sample);
        let (tokens, once) = match (facts.number(Fact::Tokens), steps, samples) {
            (Some(tokens), ..) => (tokens, false),
            (_, Some(tokens), _) => (tokens, true),
            (.., Some((samples, sample))) => {
                self.note("every sample is taken to fill its sequence");
                (samples * sample, false)
            }
            _ => {
                self.note(
                    "the size of the data is not in the job: 100M tokens are assumed, and cost \
                     and time grow with them; --set 'data.tokens=2B tokens'",
                );
                self.assumed.push(("data", "tokens"));
                (USUAL_TOKENS, false)
            }
        };
        let mut data = Map::new();
        data.insert("tokens".to_owned(), json!(self::tokens(tokens)));
        put(&mut data, "epochs", facts.number(Fact::Epochs).filter(|_| !once).map(Json::from));
        Json::Object(data)
    }

    /// The recipe by the scenario's name; adapters make one of plain training lora.
    fn recipe(&mut self) -> Option<String> {
        let said = self.facts.word(Fact::Recipe).map(str::to_ascii_lowercase);
        let adapters = self.adapts();
        let named = said.as_deref().map(|said| words::recipe(said).unwrap_or_default());
        // What trains on weights of 4 bits trains adapters.
        let stored = self.facts.word(Fact::Quantization).and_then(precision);
        let four =
            stored.is_some_and(|format| ["int4", "fp4", "nvfp4", "mxfp4"].contains(&&*format));
        match named {
            None | Some("finetune" | "lora") if four => Some("qlora".to_owned()),
            None | Some("finetune" | "pretrain") if adapters => Some("lora".to_owned()),
            Some("") => {
                let said = said.unwrap_or_default();
                self.note(format!("no recipe is called {said}: it is counted as fine-tuning"));
                Some("finetune".to_owned())
            }
            named => named.map(str::to_owned),
        }
    }

    /// True if the job trains adapters.
    fn adapts(&self) -> bool {
        [Fact::Rank, Fact::Targets, Fact::Adapters].iter().any(|fact| self.facts.has(*fact))
    }

    /// The adapters: rank (8 by assumption, with a note) and targets.
    fn lora(&mut self) -> Json {
        let rank = self.facts.count(Fact::Rank).unwrap_or_else(|| {
            let rank = self.facts.count(Fact::UsualRank).unwrap_or(8);
            self.note(format!("the rank of the adapters is not in the job: {rank} is assumed"));
            rank
        });
        let mut lora = Map::new();
        lora.insert("rank".to_owned(), json!(rank));
        let said = |fact| self.facts.words(fact).unwrap_or_default();
        let first = [Fact::Targets, Fact::UsualTargets].into_iter().find(|it| self.facts.has(*it));
        let targets = [first.map_or(&[][..], said), said(Fact::MoreTargets)].concat();
        let (named, strange) = words::projections(&targets);
        if !strange.is_empty() {
            self.note(format!("adapters of {} are not counted", strange.join(", ")));
        }
        if !named.is_empty() {
            lora.insert("targets".to_owned(), json!(named));
        }
        Json::Object(lora)
    }

    /// The number format; bf16 by assumption, with a note.
    fn precision(&mut self) -> String {
        let said = self.facts.word(Fact::Precision).and_then(precision);
        said.unwrap_or_else(|| {
            self.note("the number format is not in the job: bf16 is assumed");
            "bf16".to_owned()
        })
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

    /// The tensor- and the data-parallel degree of a service. Engines that split the tensor-parallel
    /// group into data-parallel ranks of attention count the ranks in both.
    fn ranks(&mut self) -> (Option<u64>, Option<u64>) {
        let (tensor, data) = (self.facts.count(Fact::Tensor), self.facts.count(Fact::Data));
        if self.facts.has(Fact::AllWithinTensor) {
            return (tensor.map(|_| 1), tensor);
        }
        match (tensor, data) {
            (Some(group), Some(ranks)) if self.facts.has(Fact::WithinTensor) => {
                if group % ranks == 0 {
                    return (Some(group / ranks), data);
                }
                self.note(format!(
                    "{ranks} ranks do not divide the {group} devices that they share"
                ));
                (tensor, None)
            }
            degrees => degrees,
        }
    }

    /// The number format of a service's weights: as said, or that which they are stored in. A method
    /// that takes the weights as they are stored says less than the model's name.
    fn weights(&mut self) -> Option<String> {
        let model = self.facts.word(Fact::Model);
        let stored = model.and_then(words::stored).map(str::to_owned);
        let method = self.facts.word(Fact::Quantization).filter(|it| words::takes_stored(it));
        let fact = [Fact::Quantization, Fact::Precision].into_iter().find(|it| self.facts.has(*it));
        if method.is_none()
            && let Some(format) = fact.and_then(|fact| self.format(fact))
        {
            return Some(format);
        }
        if let Some((bits, format)) = model.and_then(words::gguf)
            && let Some(format) = format
            && bits != format.trim_start_matches(|c: char| !c.is_ascii_digit())
        {
            self.note(format!("weights of {bits} bits are counted as {format}"));
        }
        stored.or_else(|| method.and_then(precision))
    }

    /// The number format of a fact; one that no format is known as is noted, `auto` is none.
    fn format(&mut self, fact: Fact) -> Option<String> {
        let word = self.facts.word(fact).filter(|it| *it != "auto")?;
        let found = precision(word);
        if found.is_none() {
            self.note(format!("no number format is known as {word}: it is not counted"));
        }
        found
    }

    /// The section `inference` of a serving engine. A command line says nothing of its traffic, so
    /// one request a second of 1,000 tokens in and 250 out is assumed, with a note.
    fn service(&mut self) -> Json {
        let facts = self.facts;
        let mut service = Map::new();
        for (path, what) in [
            ("inference.traffic.requests", "requests"),
            ("inference.traffic.input_tokens", "length"),
            ("inference.traffic.output_tokens", "length"),
        ] {
            self.assumed.push((path, what));
        }
        self.note(
            "a command line says nothing of its traffic: one request a second of 1,000 tokens in \
             and 250 out is assumed; --set inference.traffic.requests=20/s",
        );
        let lengths = json!({"requests": "1/s", "input_tokens": {"mean": 1000}, "output_tokens": {"mean": 250}});
        service.insert("traffic".to_owned(), lengths);
        let device = self.device().unwrap_or_else(|| {
            self.note(format!(
                "the job does not say which devices it takes: {USUAL_DEVICE} is assumed; \
                 --set inference.hardware=A100"
            ));
            self.assumed.push(("inference.hardware", "accelerator"));
            USUAL_DEVICE.to_owned()
        });
        service.insert("hardware".to_owned(), json!({"accelerator": device}));
        if let Some(replicas) = facts.word(Fact::Replicas).filter(|it| *it != "1") {
            self.note(format!(
                "the job runs {replicas} replicas; here the traffic says how many it takes"
            ));
        }
        let weights = self.weights();
        put(&mut service, "precision", weights.map(Json::from));
        let kv = self.format(Fact::KvPrecision);
        put(&mut service, "kv_precision", kv.map(Json::from));
        let mut layout = Map::new();
        let (tensor, data) = self.ranks();
        let shares = facts.has(Fact::Spread) || facts.count(Fact::Expert).is_some_and(|it| it > 1);
        if let Some(copies) = data.filter(|copies| !shares && *copies > 1) {
            self.note(format!(
                "the job runs {copies} copies; here the traffic says how many it takes"
            ));
        }
        for (key, count) in [
            ("tensor", tensor),
            ("pipeline", facts.count(Fact::Pipeline)),
            ("data", data.filter(|_| shares)),
            ("expert", facts.count(Fact::Expert)),
        ] {
            put(&mut layout, key, count.map(Json::from));
        }
        put(&mut service, "parallelism", (!layout.is_empty()).then_some(Json::Object(layout)));
        put(&mut service, "max_batch", facts.count(Fact::MaxBatch).map(Json::from));
        put(&mut service, "max_batch_tokens", facts.count(Fact::MaxBatchTokens).map(Json::from));
        // Any other engine is counted as a usual one.
        let engine = facts.word(Fact::Engine).filter(|it| *it != "other");
        put(&mut service, "engine", engine.map(Json::from));
        if let Some((draft, tokens)) = facts.word(Fact::Draft).zip(facts.count(Fact::DraftTokens)) {
            self.note("the share of accepted draft tokens is not in the job: 70 % is assumed");
            let draft = json!({"draft": model_name(draft), "tokens": tokens, "acceptance": "70 %"});
            service.insert("speculative".to_owned(), draft);
        }
        Json::Object(service)
    }
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
