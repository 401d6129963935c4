//! The names of presets: their own, those of repositories on the Hub, and those in common use.
//!
//! `models/names.csv` lists them. Capitals and the order of words do not count, and `_`, `.`, `-`,
//! `:` and a space are alike. Where nothing is called so, the endings that repositories append
//! (`-Instruct`, `-hf`, `-AWQ`) are taken off one by one, and the model is taken to have the
//! architecture of the rest: an assumption that is listed. Then, a name that only one preset begins
//! with, or whose words only one has in this order, means that preset. Last, a name that has a
//! preset's name with its size inside is taken for a model trained further from it.
//!
//! ```
//! use flopcast_core::model::names::find;
//! assert_eq!(find("meta-llama/Meta-Llama-3-8B").unwrap().preset, "llama-3-8b");
//! assert!(find("llama-3-8b-awq").unwrap().read_as.is_some());
//! assert!(find("no such model").is_err());
//! ```

use flopcast_data::models::NAMES;

use super::sized::contradiction;
use super::template::{preset, presets};
use super::total::Assumption;
use crate::diagnostic::{Error, Result, nearest};

/// A preset that was found by a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The preset's own name.
    pub preset: &'static str,
    /// The assumption by which the name was read, where it is not one of the preset's names.
    pub read_as: Option<Assumption>,
}

/// The preset that a name means.
///
/// # Errors
/// If no preset has such a name (the error has the nearest), or if several have (it lists them).
pub fn find(name: &str) -> Result<Found> {
    let known = |it| Found { preset: it, read_as: None };
    if let Some((own, ..)) = preset(name) {
        return Ok(known(own));
    }
    // Epoch AI puts the vendor's word for a model after its name: `GPT-3 175B (davinci)`.
    let plain = name.split('(').next().filter(|rest| !rest.trim().is_empty()).unwrap_or(name);
    for same in [str::to_lowercase, words, letters, any_order] {
        if let Some(it) = only(name, &called(plain, same))? {
            return Ok(known(it));
        }
    }
    if let Some(maker) = unpublished(plain) {
        return Err(Error::input(format!("{maker} publishes no size of `{name}`"))
            .hint("give a size that you assume, such as 200B, or 1T-A100B with its active part"));
    }
    let read_as = |preset: &str, why: String| {
        Some(Assumption { what: "model".to_owned(), value: preset.to_owned(), why })
    };
    // Others publish a model again under its name.
    let mut rest = words(plain.rsplit('/').next().unwrap_or(plain));
    let mut stored = None;
    loop {
        for same in [words, letters, any_order] {
            if let Some(it) = only(name, &called(&rest, same))? {
                let stored = stored.as_ref().map_or_else(String::new, |format| {
                    format!("; `{format}` says how its weights are stored: give the precision")
                });
                let why = format!("`{name}` is taken to have its architecture{stored}");
                return Ok(Found { preset: it, read_as: read_as(it, why) });
            }
        }
        let Some((shorter, ending, is_format)) = shortened(&rest) else { break };
        if is_format {
            stored = Some(ending.to_owned());
        }
        rest = shorter.to_owned();
    }
    // The same endings in the middle: `llama 2 chat 7b`.
    let whole = words(plain.rsplit('/').next().unwrap_or(plain));
    let kept: Vec<&str> = whole.split('-').filter(|word| !VARIANTS.contains(word)).collect();
    if let Some(it) = only(name, &called(&kept.join("-"), any_order))? {
        let why = format!("`{name}` is taken to have its architecture");
        return Ok(Found { preset: it, read_as: read_as(it, why) });
    }
    // timm puts a tag after a point, which says what a network was trained on: `.fb_in22k`.
    let bare = plain.rsplit('/').next().unwrap_or(plain);
    if let Some((network, tag)) = bare.split_once('.')
        && tag.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && let Ok(found) = find(network)
    {
        let why = format!("`{tag}` says how it was trained");
        return Ok(Found { preset: found.preset, read_as: read_as(found.preset, why) });
    }
    // A name without its size, or with a part of it.
    for (fits, told) in
        [(begins as fn(&str, &str) -> bool, "begins with"), (has_in_order, "has the words of")]
    {
        let named = |row: &Row| row.names().any(|it| fits(it, plain));
        let begun: Vec<&str> = rows().filter(named).map(|row| row.preset).collect();
        if let Some(it) = only(name, &begun)? {
            let why = format!("the only model whose name {told} `{name}`");
            return Ok(Found { preset: it, read_as: read_as(it, why) });
        }
    }
    if let Some((inside, preset)) = inside(plain)
        && !sizes(&words(inside)).is_empty()
    {
        let why =
            format!("`{name}` has `{inside}` in its name, whose architecture it is taken to have");
        return Ok(Found { preset, read_as: read_as(preset, why) });
    }
    Err(unknown(name))
}

/// The longest name of a preset inside a name, as what is trained further has, and the preset.
fn inside(name: &str) -> Option<(&'static str, &'static str)> {
    let padded = format!("-{}-", words(name.rsplit('/').next().unwrap_or(name)));
    rows()
        .flat_map(|row| row.names().map(|it| (it, row.preset)).collect::<Vec<_>>())
        .filter(|(it, _)| it.contains('-') && padded.contains(&format!("-{}-", words(it))))
        .max_by_key(|(it, _)| it.len())
}

/// A line of the table of names: the preset, its repository on the Hub, other names.
struct Row {
    preset: &'static str,
    hub: &'static str,
    others: &'static str,
}

impl Row {
    /// All names: the preset's own, repositories with and without their owner, short names.
    fn names(&self) -> impl Iterator<Item = &'static str> {
        let given = std::iter::once(self.hub).chain(self.others.split(';'));
        let bare = given.clone().filter_map(|name| Some(name.split_once('/')?.1));
        std::iter::once(self.preset).chain(given).chain(bare).filter(|name| !name.is_empty())
    }
}

/// The lines of the table. Only its last column has quotes, which a test holds.
fn rows() -> impl Iterator<Item = Row> {
    NAMES.lines().skip(1).filter_map(|line| {
        let mut cells = line.splitn(4, ',');
        Some(Row { preset: cells.next()?, hub: cells.next()?, others: cells.next()? })
    })
}

/// The presets one of whose names is the same in this spelling, each once.
fn called(name: &str, same: impl Fn(&str) -> String) -> Vec<&'static str> {
    let wanted = same(name);
    let all = rows().filter(|row| row.names().any(|it| same(it) == wanted));
    if wanted.is_empty() { Vec::new() } else { all.map(|row| row.preset).collect() }
}

/// True if a name begins with these letters, and they end where a word does. A version goes on
/// behind its point: `qwen2` does not begin `qwen2.5-7b`.
fn begins(name: &str, wanted: &str) -> bool {
    let wanted = letters(wanted);
    let mut rest = name;
    for letter in wanted.chars() {
        let Some(next) = without(rest.trim_start_matches(SEPARATORS), letter) else {
            return false;
        };
        rest = next;
    }
    let digits = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    let goes_on = wanted.ends_with(|c: char| c.is_ascii_digit())
        && rest.strip_prefix('.').is_some_and(digits);
    !wanted.is_empty() && rest.starts_with(SEPARATORS) && !goes_on
}

/// The text behind its first letter, if it is this one, whatever its case.
fn without(text: &str, letter: char) -> Option<&str> {
    let first = text.chars().next()?;
    first.to_lowercase().eq([letter]).then(|| &text[first.len_utf8()..])
}

/// True if a name has all these words in this order, the first of them at its beginning. A family's
/// name and its version are two words: `qwen3`.
fn has_in_order(name: &str, wanted: &str) -> bool {
    let wanted = parts(wanted);
    let name = parts(name.rsplit('/').next().unwrap_or(name));
    let mut left = name.iter();
    wanted.len() > 1
        && name.first() == wanted.first()
        && wanted.iter().all(|word| left.any(|it| it == word))
}

/// What separates the words of a name.
const SEPARATORS: [char; 5] = ['_', '.', '-', ':', ' '];

/// Lower case, with `-` for whatever separates words.
fn words(name: &str) -> String {
    let mut words = String::with_capacity(name.len());
    for letter in name.trim().chars().flat_map(char::to_lowercase) {
        match letter {
            it if !SEPARATORS.contains(&it) => words.push(it),
            _ if words.ends_with('-') || words.is_empty() => {}
            _ => words.push('-'),
        }
    }
    words.truncate(words.trim_end_matches('-').len());
    words
}

/// Lower case, without whatever separates words.
fn letters(name: &str) -> String {
    words(name).replace('-', "")
}

/// The words in the order of the alphabet, with numbers whole: makers write `Jamba-1.5-Large` and
/// `Jamba-Large-1.5`.
fn any_order(name: &str) -> String {
    let name = name.to_lowercase();
    let mut words: Vec<&str> =
        name.split(['_', '-', ':', ' ']).filter(|word| !word.is_empty()).collect();
    words.sort_unstable();
    words.join("-")
}

/// The words of a name, with the version behind a family's name apart.
fn parts(name: &str) -> Vec<String> {
    let words = words(name);
    let split = words.split('-').flat_map(|word| {
        let family = word.trim_end_matches(|c: char| c.is_ascii_digit());
        [family, &word[family.len()..]]
    });
    split.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Who makes a model of this name and does not say how large it is.
fn unpublished(name: &str) -> Option<&'static str> {
    let name = words(name.rsplit('/').next().unwrap_or(name));
    let starts = |word: &&str| {
        name.strip_prefix(word).is_some_and(|rest| {
            matches!(rest.trim_start_matches('o').chars().next(), None | Some('-'))
        })
    };
    UNPUBLISHED.iter().find(|(_, names)| names.iter().any(&starts)).map(|it| it.0)
}

/// Models whose makers publish no size.
const UNPUBLISHED: [(&str, &[&str]); 5] = [
    ("OpenAI", &["gpt-3-5", "gpt-4", "gpt-5", "gpt4", "gpt5", "chatgpt", "o1", "o3", "o4"]),
    ("Anthropic", &["claude"]),
    ("Google", &["gemini", "bard"]),
    ("xAI", &["grok-3", "grok-4", "grok-5", "grok3", "grok4"]),
    ("Mistral AI", &["mistral-medium"]),
];

/// Endings of repositories that were trained further, without another architecture.
const VARIANTS: [&str; 21] = [
    "instruct",
    "it",
    "chat",
    "base",
    "hf",
    "pt",
    "latest",
    "preview",
    "thinking",
    "reasoning",
    "text",
    "sft",
    "dpo",
    "rl",
    "diffusers",
    "abliterated",
    "uncensored",
    "heretic",
    "deduped",
    "finetuned",
    "merged",
];

/// Endings of repositories whose weights are stored in another format.
const FORMATS: [&str; 37] = [
    "awq",
    "gptq",
    "fp8",
    "fp16",
    "bf16",
    "fp4",
    "nvfp4",
    "mxfp4",
    "mxfp8",
    "int4",
    "int8",
    "4bit",
    "8bit",
    "3bit",
    "6bit",
    "bnb",
    "gguf",
    "ggml",
    "mlx",
    "exl2",
    "hqq",
    "dynamic",
    "quantized",
    "w4a16",
    "w8a8",
    "w8a16",
    "qat",
    "q4",
    "q8",
    "nf4",
    "1bit",
    "2bit",
    "5bit",
    "block",
    "unquantized",
    "autoround",
    "safetensors",
];

/// The name without its last ending, that ending, and whether it says how weights are stored;
/// `None` if the ending is none that is known.
fn shortened(words: &str) -> Option<(&str, &str, bool)> {
    let (rest, ending) = words.rsplit_once('-')?;
    let digits = |text: &str| text.bytes().all(|letter| letter.is_ascii_digit());
    // `2507`, `20241022`; and the context that a model was trained on: `128k`, `1m`.
    let dated = matches!(ending.len(), 4 | 6 | 8) && digits(ending);
    let context = ending.strip_suffix(['k', 'm']).is_some_and(|it| !it.is_empty() && digits(it));
    // `q4_k_m` and its kin of llama.cpp.
    let ggml = matches!(ending, "0" | "1" | "k" | "m" | "s" | "l" | "xl") && {
        let before = rest.rsplit('-').find(|word| *word != "k")?;
        before.len() == 2 && before.starts_with('q')
    } || (ending.len() == 2
        && ending.starts_with('q')
        && ending.ends_with(|c: char| c.is_ascii_digit()));
    let is_format = FORMATS.contains(&ending) || ggml;
    let is_variant = VARIANTS.contains(&ending) || dated || context;
    (is_format || is_variant).then_some((rest, ending, is_format))
}

/// The one preset that was found, if any was.
///
/// # Errors
/// If there are several: the error lists up to eight, the usual one first, then those of the
/// shortest names by their size.
fn only(name: &str, found: &[&'static str]) -> Result<Option<&'static str>> {
    if found.len() < 2 {
        return Ok(found.first().copied());
    }
    let tag = words(&format!("{name} latest"));
    let usual: Vec<&str> = called(&tag, words);
    let mut sorted = found.to_vec();
    sorted.sort_by_key(|it| (!usual.contains(it), words(it).matches('-').count(), sizes(it), *it));
    let most = 8;
    let more = sorted.len().saturating_sub(most);
    let listed = sorted[..sorted.len() - more].join(", ");
    let others = if more > 0 { format!(" and {more} more") } else { String::new() };
    let error = Error::input(format!("several models are called `{name}`: {listed}{others}"));
    let error = match usual.first() {
        Some(usual) => error.hint(format!("`{usual}` is the usual one")),
        None => error,
    };
    Err(error.hint("name one of them; `flopcast model --list` names all"))
}

/// The numbers of a name, for sorting by size: `0.6b` before `14b`.
fn sizes(name: &str) -> Vec<u64> {
    let size = |word: &str| {
        let (number, unit) = word.split_at(word.len().checked_sub(1)?);
        let factor = match unit {
            "m" => 1e6,
            "b" => 1e9,
            _ => return None,
        };
        Some((number.parse::<f64>().ok()? * factor) as u64)
    };
    name.split('-').filter_map(size).collect()
}

/// The error of a name that no preset has, with the nearest names: first the longest that it has
/// inside, as what is trained further has.
fn unknown(name: &str) -> Error {
    let bare = name.rsplit('/').next().unwrap_or(name);
    if let Some(why) = contradiction(name) {
        return Error::input(format!("`{name}`: {why}")).hint("e.g. 671B-A37B");
    }
    let near = nearest(&words(name), presets());
    let error = Error::input(format!("there is no model `{name}`"));
    let error = if let Some((inside, _)) = inside(bare) {
        error.suggest(bare, [inside])
    } else if near.is_empty() {
        error.suggest(bare, rows().flat_map(|row| row.names().collect::<Vec<_>>()))
    } else {
        error.suggest(&words(name), near)
    };
    error.hint(
        "`flopcast model --list` names all; or give its size, such as 7B or 671B-A37B, or its \
         config.json",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_found_however_its_name_is_written() {
        let cases = [
            ("llama-3.3-70b", "llama-3.3-70b"),
            ("LLAMA_3.3_70B", "llama-3.3-70b"),
            ("Qwen/Qwen3-30B-A3B", "qwen3-30b-a3b"),
            ("qwen3-30b-a3b", "qwen3-30b-a3b"),
            ("vit-l", "vit-large-patch16-224"),
            ("llama3.1:8b", "llama-3.1-8b"),
            ("Llama 3.1 8B", "llama-3.1-8b"),
            ("meta-llama/Llama-3.3-70B-Instruct", "llama-3.3-70b"),
            ("Mixtral-8x7B-Instruct-v0.1", "mixtral-8x7b"),
            ("deepseek-ai/DeepSeek-V3", "deepseek-v3"),
            ("AI21-Jamba-1.5-Large", "jamba-large-1.6"),
            // As Epoch AI writes them.
            ("Llama 3.1-405B", "llama-3.1-405b"),
            ("GPT-3 175B (davinci)", "gpt3-175b"),
            ("BLOOM-176B", "bloom-176b"),
            ("Llama 2-70B", "llama-2-70b"),
        ];
        for (name, preset) in cases {
            let found = find(name).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(found.preset, preset, "{name}");
            assert_eq!(found.read_as, None, "{name}");
        }
    }

    #[test]
    fn what_a_name_says_beside_the_model_is_told() {
        let cases = [
            ("hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4", "llama-3.1-8b", "awq"),
            ("gpt2-GPTQ", "gpt2", "stored"),
            ("gpt2-128k", "gpt2", "architecture"),
            ("deepseek-67b", "deepseek-llm-67b", "has the words of"),
            ("llama-3.1-8b-instruct-q4_K_M", "llama-3.1-8b", "stored"),
            ("alia", "alia-40b", "begins with"),
            ("someone/Huihui-gemma-2-9b-tuned", "gemma-2-9b", "in its name"),
        ];
        for (name, preset, part) in cases {
            let bare = name.rsplit('/').next().unwrap_or(name);
            for name in [name, bare] {
                let found = find(name).unwrap_or_else(|error| panic!("{name}: {error}"));
                let said = found.read_as.expect("a note");
                assert_eq!(found.preset, preset, "{name}");
                assert!(said.why.contains(part), "{name}: {}", said.why);
            }
        }
    }

    #[test]
    fn what_trained_it_further_may_stand_anywhere() {
        let found = find("llama 2 chat 7b").expect("a model");
        assert!(found.preset == "llama-2-7b" && found.read_as.is_some());
        let error = find("7B-A9B").expect_err("a contradiction").to_string();
        assert!(error.contains("9B parameters that a token passes"), "{error}");
    }

    #[test]
    fn what_is_unclear_names_what_it_may_be() {
        let cases = [
            ("qwen3-vl", "qwen3-vl-8b, qwen3-vl-2b, qwen3-vl-4b"),
            ("gemma2", "gemma-2-9b, gemma-2-2b, gemma-2-27b"),
            ("gpt-4o", "OpenAI publishes no size"),
            ("sentence-bert-base-uncased-tuned", "did you mean `bert-base-uncased`"),
            ("lama-3-8b", "did you mean `llama-3-8b`"),
            ("no such thing", "--list"),
            ("", "there is no model"),
            ("-/:", "there is no model"),
        ];
        for (name, part) in cases {
            let error = find(name).expect_err(name).to_string();
            assert!(error.contains(part), "{name}: {error}");
        }
    }

    /// A name in some spelling leads to one model, and the table is read line by line.
    #[test]
    fn names_do_not_collide() {
        for row in rows() {
            assert!(preset(row.preset).is_some(), "{}", row.preset);
            for name in row.names() {
                assert!(!name.contains('"'), "{name}: a quote");
                match find(name) {
                    Ok(found) => assert_eq!(found.preset, row.preset, "{name}"),
                    Err(error) => panic!("{name}: {error}"),
                }
            }
        }
    }
}
