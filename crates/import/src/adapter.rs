//! PEFT adapters: `adapter_config.json`, what is trained beside the weights of a base, by the
//! definitions of huggingface/peft 0.21.
//!
//! The base is a configuration beside the file, a path, or a preset by its name on the Hub
//! ([`crate::source`] finds it); [`flopcast_core::model::adapt`] counts the adapter on it.

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::adapt::{Adapter, Blocks, Kind, Targets, adapted, prompted};
use flopcast_core::model::{Assumption, Model, Operator};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

/// An adapter as its file has it; keys that nobody reads change no count.
#[derive(Clone, Debug, Deserialize)]
pub struct File {
    peft_type: String,
    /// The base: a name on the Hub or a path.
    #[serde(default)]
    pub base_model_name_or_path: Option<String>,
    #[serde(default)]
    target_modules: Json,
    #[serde(default)]
    rank_pattern: Option<Map<String, Json>>,
    #[serde(default)]
    modules_to_save: Option<Vec<String>>,
    #[serde(default)]
    exclude_modules: Json,
    #[serde(default)]
    layers_to_transform: Json,
    #[serde(flatten)]
    rest: Map<String, Json>,
}

/// The kinds that train something beside projections.
const BESIDE: [&str; 12] = [
    "LORA",
    "ADALORA",
    "LOHA",
    "LOKR",
    "IA3",
    "VERA",
    "OFT",
    "BOFT",
    "HRA",
    "MISS",
    "BONE",
    "FOURIERFT",
];

/// The kinds that train something before the input.
const BEFORE: [&str; 4] = ["PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING", "TRAINABLE_TOKENS"];

impl File {
    /// Reads an adapter.
    ///
    /// # Errors
    /// If it is of a kind that is not counted.
    pub fn read(json: &Json) -> Result<Self> {
        let file = Self::deserialize(json)
            .map_err(|error| Error::input(format!("not an adapter_config.json: {error}")))?;
        let kind = file.peft_type.as_str();
        let known = || BESIDE.iter().chain(&BEFORE).copied();
        if known().all(|it| it != kind) {
            let names: Vec<_> = known().collect();
            return Err(Error::input(format!("adapters of the kind {kind} are not counted"))
                .hint(format!("those that are: {}", names.join(", ")))
                .hint("of others the parameters are in adapter_model.safetensors"));
        }
        Ok(file)
    }

    /// The base with the adapter: all weights frozen but those of the adapter and of the modules
    /// that it saves whole.
    ///
    /// # Errors
    /// If the base lacks a module that the adapter names, or a size is missing.
    pub fn on(&self, base: &Model) -> Result<Model> {
        if BEFORE.contains(&self.peft_type.as_str()) {
            return self.before(base);
        }
        let ranks = self.rank_pattern.iter().flatten();
        let kind = self.kind()?;
        // Blocks that an expression names go whole, unless it names projections as well.
        let excluded_blocks = match &self.exclude_modules {
            Json::String(pattern) if !words(pattern).iter().any(|it| Targets::has(base, it)) => {
                numbers(pattern)
            }
            _ => Vec::new(),
        };
        let adapter = Adapter {
            rank: self.rank()?,
            targets: self.targets(base)?,
            ranks: ranks
                // AdaLoRA's own pattern is the mask of ranks that it kept.
                .filter(|_| self.peft_type != "ADALORA")
                .map(|(module, rank)| {
                    let rank = rank.as_u64().filter(|rank| *rank > 0);
                    let error = || Error::input(format!("the rank of `{module}` is no number"));
                    Ok((words(module), rank.ok_or_else(error)?))
                })
                .collect::<Result<_>>()?,
            saved: self.modules_to_save.clone().unwrap_or_default(),
            magnitudes: kind == Kind::LowRank && self.says("use_dora"),
            kind,
            excluded: match &self.exclude_modules {
                Json::String(pattern) if excluded_blocks.is_empty() => words(pattern),
                Json::Array(list) => list.iter().filter_map(Json::as_str).map(last).collect(),
                _ => Vec::new(),
            },
            layers: match &self.layers_to_transform {
                Json::Number(one) => one.as_u64().map(|one| vec![one]),
                Json::Array(list) if !list.is_empty() => {
                    list.iter().map(Json::as_u64).collect::<Option<Vec<_>>>()
                }
                _ => self.target_modules.as_str().map(numbers).filter(|it| !it.is_empty()),
            },
            without: excluded_blocks,
        };
        let mut model = adapted(base, &adapter)?;
        if !self.layers_to_transform.is_null() && adapter.layers.is_none() {
            model.warnings.push(
                "`layers_to_transform` of the adapter is not read: every layer is taken to have it"
                    .to_owned(),
            );
        }
        let patterns = [&self.target_modules, &self.exclude_modules];
        if patterns.into_iter().filter_map(Json::as_str).any(unclear) {
            model.warnings.push(
                "the numbers of blocks in an expression over modules are not read: every block is \
                 taken to have the adapter; `layers_to_transform` lists them"
                    .to_owned(),
            );
        }
        model.warnings.extend(self.unread());
        Ok(model)
    }

    /// What is trained beside a projection.
    fn kind(&self) -> Result<Kind> {
        // OFT and BOFT give the number of blocks or their size, and 0 for the other.
        let blocks = |number: &str, size: &str, usual: u64| match (
            self.number(number, 0),
            self.number(size, usual),
        ) {
            (0, 0) => Err(Error::input(format!("`{number}` and `{size}` are both 0"))
                .hint("one of them says how the inputs are cut into blocks")),
            (0, size) => Ok(Blocks::Size(size)),
            (number, _) => Ok(Blocks::Number(number)),
        };
        Ok(match self.peft_type.as_str() {
            "ADALORA" => Kind::Adaptive,
            "LOHA" => Kind::Hadamard,
            "LOKR" => Kind::Kronecker {
                factor: self.rest.get("decompose_factor").and_then(Json::as_u64),
                both: self.says("decompose_both"),
            },
            "IA3" => Kind::Scales {
                inputs_of: match self.rest.get("feedforward_modules") {
                    Some(Json::String(pattern)) => words(pattern),
                    Some(Json::Array(list)) => {
                        list.iter().filter_map(Json::as_str).map(last).collect()
                    }
                    _ => Vec::new(),
                },
            },
            "VERA" => Kind::Shared,
            "OFT" => Kind::Rotation {
                blocks: blocks("r", "oft_block_size", 32)?,
                shared: self.says("block_share"),
            },
            "BOFT" => Kind::Butterfly {
                blocks: blocks("boft_block_num", "boft_block_size", 4)?,
                factors: self.number("boft_n_butterfly_factor", 1),
            },
            "HRA" => Kind::Reflections,
            "MISS" | "BONE" => Kind::Shards,
            "FOURIERFT" => Kind::Spectrum(self.number("n_frequency", 1000)),
            _ => Kind::LowRank,
        })
    }

    /// The rank, with the default of each kind; 0 where a kind has none.
    fn rank(&self) -> Result<u64> {
        let (key, usual) = match self.peft_type.as_str() {
            "ADALORA" => ("init_r", Some(12)),
            "VERA" => ("r", Some(256)),
            "LOHA" | "LOKR" | "HRA" => ("r", Some(8)),
            "MISS" | "BONE" => ("r", Some(64)),
            "IA3" | "OFT" | "BOFT" | "FOURIERFT" => return Ok(0),
            _ => ("r", None),
        };
        let said = self.rest.get(key).filter(|it| !it.is_null());
        let given = said.and_then(Json::as_u64);
        given.or(usual.filter(|_| said.is_none())).ok_or_else(|| match said {
            Some(other) => Error::input(format!("`{key}` of the adapter is {other}, no count")),
            None => Error::input(format!("`{key}` of the adapter is missing")),
        })
    }

    /// Keys that change what is trained and that this reader does not count.
    fn unread(&self) -> Vec<String> {
        let set = |key: &&str| match self.rest.get(*key) {
            None | Some(Json::Null | Json::Bool(false)) => false,
            Some(Json::String(word)) => word != "none",
            Some(Json::Array(list)) => !list.is_empty(),
            Some(Json::Object(map)) => !map.is_empty(),
            Some(_) => true,
        };
        let keys = ["bias", "lora_bias", "target_parameters", "layer_replication"];
        let keys = keys.into_iter().chain(["trainable_token_indices", "use_bdlora"]);
        keys.filter(set)
            .map(|key| {
                format!("`{key}` of the adapter is not counted: it trains more than is shown")
            })
            .collect()
    }

    /// A learned prompt before the input of the base.
    fn before(&self, base: &Model) -> Result<Model> {
        let tokens = self.number("num_virtual_tokens", 0);
        let dim = table(base).ok_or_else(|| {
            Error::input(format!("{} has no table of tokens for a prompt", base.name))
        })?;
        let both = self.rest.get("task_type").and_then(Json::as_str) == Some("SEQ_2_SEQ_LM");
        let sides = self.number("num_transformer_submodules", if both { 2 } else { 1 });
        let dim = self.number("token_dim", dim);
        let wide = self.number("encoder_hidden_size", dim);
        let linear = |from: u64, to: u64| from.saturating_add(1).saturating_mul(to);
        let prompt = tokens.saturating_mul(sides).saturating_mul(dim);
        let learned: Vec<(&str, u64)> = match self.peft_type.as_str() {
            "TRAINABLE_TOKENS" => {
                let chosen = self.rest.get("token_indices").and_then(Json::as_array);
                vec![("tokens", chosen.map_or(0, |it| it.len() as u64).saturating_mul(dim))]
            }
            "P_TUNING" if self.text("encoder_reparameterization_type") == Some("LSTM") => {
                return Err(Error::input("the LSTM encoder of p-tuning is not counted")
                    .hint("`encoder_reparameterization_type: MLP` is"));
            }
            "P_TUNING" => {
                let encoder = [linear(dim, wide), linear(wide, wide), linear(wide, dim)];
                vec![
                    ("embedding", prompt),
                    ("mlp_head", encoder.into_iter().fold(0, u64::saturating_add)),
                ]
            }
            "PREFIX_TUNING" => {
                let (layers, cached) = caches(base);
                let dim = self.number("token_dim", cached);
                let wide = self.number("encoder_hidden_size", dim);
                let pairs = self.number("num_layers", layers).saturating_mul(2).saturating_mul(dim);
                if self.says("prefix_projection") {
                    let encoder = linear(dim, wide).saturating_add(linear(wide, pairs));
                    vec![("embedding", tokens.saturating_mul(dim)), ("transform", encoder)]
                } else {
                    vec![("embedding", tokens.saturating_mul(pairs))]
                }
            }
            _ => vec![("embedding", prompt)],
        };
        if learned.iter().all(|(_, elements)| *elements == 0) {
            return Err(Error::input("`num_virtual_tokens` of the adapter is missing"));
        }
        let mut model = prompted(base, &learned)?;
        if tokens > 0 {
            model.assumptions.push(Assumption {
                what: "virtual tokens".into(),
                value: tokens.to_string(),
                why: "of the adapter; the sequence is counted without them (--seq-len)".into(),
            });
        }
        Ok(model)
    }

    /// A number of the file, where it has one.
    fn number(&self, key: &str, usual: u64) -> u64 {
        self.rest.get(key).and_then(Json::as_u64).unwrap_or(usual)
    }

    /// True if a switch of the file is on.
    fn says(&self, key: &str) -> bool {
        self.rest.get(key).and_then(Json::as_bool).unwrap_or(false)
    }

    /// A word of the file.
    fn text(&self, key: &str) -> Option<&str> {
        self.rest.get(key).and_then(Json::as_str)
    }

    /// The modules that it names: a list, `all-linear`, or an expression of which the words count.
    fn targets(&self, base: &Model) -> Result<Targets> {
        match &self.target_modules {
            Json::Null if self.peft_type == "LORA" => {
                Ok(Targets::Named(vec!["q_proj".into(), "v_proj".into()]))
            }
            Json::Null => Err(Error::input("`target_modules` of the adapter is missing")
                .hint("PEFT writes the names into the file that it saves")),
            Json::String(all) if all == "all-linear" => Ok(Targets::AllLinear),
            Json::String(pattern) => {
                let of = |text: &str| -> Vec<String> {
                    words(text).into_iter().filter(|word| Targets::has(base, word)).collect()
                };
                let mut named = of(pattern);
                if named.is_empty() {
                    // Alternatives may be parts of a name: `(gate|up|down)_proj`.
                    named = alternatives(pattern).iter().flat_map(|text| of(text)).collect();
                }
                if named.is_empty() {
                    return Err(Error::input(format!("{} has no module `{pattern}`", base.name)));
                }
                Ok(Targets::Named(named))
            }
            Json::Array(list) => list
                .iter()
                .map(|it| it.as_str().map(last))
                .collect::<Option<Vec<_>>>()
                .map(Targets::Named)
                .ok_or_else(|| Error::input("`target_modules` is a list of names")),
            other => Err(Error::input(format!("`target_modules` is {other}, not a list of names"))),
        }
    }
}

/// The width of the first table of the model.
fn table(model: &Model) -> Option<u64> {
    model.layers.iter().find_map(|layer| match &layer.operator {
        Operator::Embedding(table) => Some(table.dim),
        _ => None,
    })
}

/// The layers of attention, and the width of the keys of one.
fn caches(model: &Model) -> (u64, u64) {
    let attended = model.layers.iter().filter_map(|layer| match &layer.operator {
        Operator::Attention(it) => Some((layer.count, it.kv_heads.saturating_mul(it.qk_dim))),
        _ => None,
    });
    attended.fold((0, 0), |(layers, widest): (u64, u64), (count, width)| {
        (layers.saturating_add(count), widest.max(width))
    })
}

/// An expression with each choice of its groups of alternatives written out; a bounded number.
fn alternatives(pattern: &str) -> Vec<String> {
    const MOST: usize = 4096;
    let mut done = Vec::new();
    let mut open = vec![pattern.replace("(?:", "(")];
    while let Some(text) = open.pop() {
        // The innermost group has no other inside.
        let group = text.find(')').and_then(|end| Some((text[..end].rfind('(')?, end)));
        match group {
            Some((start, end)) if done.len() + open.len() < MOST => {
                let choices = text[start + 1..end].split('|');
                open.extend(
                    choices.map(|it| format!("{}{it}{}", &text[..start], &text[end + 1..])),
                );
            }
            _ => done.push(text),
        }
    }
    done
}

/// The blocks that an expression over module names chooses: a number in each of its alternatives,
/// `layers\.(0|1)\.`, `layers\.[0-3]\.`; none where one of them says no number.
fn numbers(pattern: &str) -> Vec<u64> {
    let mut text = pattern.replace("[0-9]+", "").replace("[0-9]*", "");
    while let Some((before, rest)) = text.split_once('[') {
        let Some((class, after)) = rest.split_once(']') else { return Vec::new() };
        let letters: Vec<char> = class.chars().collect();
        let digits: Vec<String> = match *letters.as_slice() {
            [from @ '0'..='9', '-', to @ '0'..='9'] => (from..=to).map(String::from).collect(),
            _ if letters.iter().all(char::is_ascii_digit) => {
                letters.iter().map(|it| String::from(*it)).collect()
            }
            _ => return Vec::new(),
        };
        // Numbers of any length are no choice.
        if after.starts_with(['+', '*', '{']) {
            return Vec::new();
        }
        text = format!("{before}({}){after}", digits.join("|"));
    }
    let of = |it: &String| {
        // What is left of a group is one choice too many.
        let whole = !it.contains('|');
        words(it).iter().filter(|_| whole).find_map(|word| word.parse().ok())
    };
    let found: Option<Vec<u64>> = alternatives(&text).iter().map(of).collect();
    found.unwrap_or_default()
}

/// True for an expression that says numbers which are no plain choice of blocks.
fn unclear(pattern: &str) -> bool {
    let any = pattern.replace("[0-9]+", "").replace("[0-9]*", "");
    let number = |word: &String| word.bytes().all(|it| it.is_ascii_digit());
    words(&any).iter().any(number) && numbers(pattern).is_empty()
}

/// The last part of a module's path.
fn last(path: &str) -> String {
    path.rsplit('.').next().unwrap_or(path).to_owned()
}

/// The words of an expression over module names.
fn words(pattern: &str) -> Vec<String> {
    let parts = pattern.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}
