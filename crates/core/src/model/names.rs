//! The names of presets: their own, those of repositories on the Hub, and those in common use.
//!
//! `models/names.csv` lists them. Capitals do not count, and `_`, `.`, `-`, `:` and a space are
//! alike. Where nothing is called so, the endings that repositories append (`-Instruct`, `-hf`,
//! `-AWQ`) are taken off one by one, and the model is taken to have the architecture of the rest:
//! an assumption that is listed. Last, a name that only one preset begins with means that preset.
//!
//! ```
//! use flopcast_core::model::names::find;
//! assert_eq!(find("meta-llama/Meta-Llama-3-8B").unwrap().preset, "llama-3-8b");
//! assert!(find("llama-3-8b-awq").unwrap().read_as.is_some());
//! assert!(find("no such model").is_err());
//! ```

use flopcast_data::models::NAMES;

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
    for same in [str::to_lowercase, words, letters] {
        if let Some(it) = only(name, &called(plain, same))? {
            return Ok(known(it));
        }
    }
    let read_as = |preset: &str, why: String| {
        Some(Assumption { what: "model".to_owned(), value: preset.to_owned(), why })
    };
    // Others publish a model again under its name.
    let mut rest = words(plain.rsplit('/').next().unwrap_or(plain));
    let mut stored = None;
    loop {
        for same in [words, letters] {
            if let Some(it) = only(name, &called(&rest, same))? {
                let stored = stored.as_ref().map_or_else(String::new, |format| {
                    format!("; `{format}` says how its weights are stored: give the precision")
                });
                let why = format!("`{name}` is taken to have its architecture{stored}");
                return Ok(Found { preset: it, read_as: read_as(it, why) });
            }
        }
        let Some((shorter, ending)) = shortened(&rest) else { break };
        if !VARIANTS.contains(&ending) {
            stored = Some(ending.to_owned());
        }
        rest = shorter.to_owned();
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
    let begun: Vec<&str> = begins(&words(plain));
    match only(name, &begun)? {
        Some(it) => {
            let why = format!("the only model whose name begins with `{name}`");
            Ok(Found { preset: it, read_as: read_as(it, why) })
        }
        None => Err(unknown(name)),
    }
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

/// The presets whose own name begins with these words, each once.
fn begins(wanted: &str) -> Vec<&'static str> {
    let starts =
        |name: &str| words(name).strip_prefix(wanted).is_some_and(|rest| rest.starts_with('-'));
    let all = rows().filter(|row| !wanted.is_empty() && starts(row.preset));
    all.map(|row| row.preset).collect()
}

/// Lower case, with `-` for whatever separates words.
fn words(name: &str) -> String {
    let mut words = String::with_capacity(name.len());
    for letter in name.trim().chars().flat_map(char::to_lowercase) {
        match letter {
            '_' | '.' | '-' | ':' | ' ' if words.ends_with('-') || words.is_empty() => {}
            '_' | '.' | '-' | ':' | ' ' => words.push('-'),
            letter => words.push(letter),
        }
    }
    words.truncate(words.trim_end_matches('-').len());
    words
}

/// Lower case, without whatever separates words.
fn letters(name: &str) -> String {
    words(name).replace('-', "")
}

/// Endings of repositories that were trained further, without another architecture.
const VARIANTS: [&str; 12] = [
    "instruct", "it", "chat", "base", "hf", "pt", "latest", "preview", "thinking", "text", "sft",
    "dpo",
];

/// Endings of repositories whose weights are stored in another format.
const FORMATS: [&str; 30] = [
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
];

/// The name without its last ending, and that ending; `None` if the ending is none that is known.
fn shortened(words: &str) -> Option<(&str, &str)> {
    let (rest, ending) = words.rsplit_once('-')?;
    let dated = ending.len() == 4 && ending.bytes().all(|letter| letter.is_ascii_digit());
    // `q4_k_m` and its kin of llama.cpp.
    let ggml = matches!(ending, "0" | "1" | "k" | "m" | "s" | "l" | "xl") && {
        let before = rest.rsplit('-').find(|word| *word != "k")?;
        before.len() == 2 && before.starts_with('q')
    } || (ending.len() == 2
        && ending.starts_with('q')
        && ending.ends_with(|c: char| c.is_ascii_digit()));
    let listed = VARIANTS.contains(&ending) || FORMATS.contains(&ending);
    (listed || dated || ggml).then_some((rest, ending))
}

/// The one preset that was found, if any was.
///
/// # Errors
/// If there are several: the error lists up to eight.
fn only(name: &str, found: &[&'static str]) -> Result<Option<&'static str>> {
    if found.len() < 2 {
        return Ok(found.first().copied());
    }
    let most = 8;
    let more = found.len().saturating_sub(most);
    let listed = found[..found.len() - more].join(", ");
    let others = if more > 0 { format!(" and {more} more") } else { String::new() };
    Err(Error::input(format!("several models are called `{name}`: {listed}{others}"))
        .hint("name one of them; `flopcast model --list` names all"))
}

/// The error of a name that no preset has, with the nearest names.
fn unknown(name: &str) -> Error {
    let near = nearest(&words(name), presets());
    let error = Error::input(format!("there is no model `{name}`"));
    let error = if near.is_empty() {
        let bare = name.rsplit('/').next().unwrap_or(name);
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
            ("llama-3.1-8b-instruct-q4_K_M", "llama-3.1-8b", "stored"),
            ("alia", "alia-40b", "begins with"),
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
    fn what_is_unclear_names_what_it_may_be() {
        let cases = [
            ("qwen3-vl", "qwen3-vl-32b, qwen3-vl-4b"),
            ("llama", "and 12 more"),
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
