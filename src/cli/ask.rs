//! A question without a file: flags that write the scenario.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::Input;
use flopcast_core::quantity::Precision;
use flopcast_scenario::spelling;

use super::{Global, architecture, load, output};

/// The name under which errors point at a line of such a scenario.
pub(super) const NAME: &str = "flags";

const HEADING: &str = "Instead of a file";

/// Options that say what a scenario file would.
#[derive(Args, Clone, Debug)]
#[group(skip)]
pub(super) struct Asked {
    /// Forecast this model without a file: a size (7B, 671B-A37B), a name, a config.json or its
    /// folder, an ONNX or model file, hf:owner/name.
    #[arg(long, help_heading = HEADING, value_name = "MODEL")]
    model: Option<String>,
    /// Train on so many tokens: 2T.
    #[arg(long, help_heading = HEADING, value_name = "TOKENS", requires = "model")]
    tokens: Option<String>,
    /// Accelerators: 2048xA100 trains on all of them, H100 sizes the fleet of a service, 8xH100
    /// serves it by replicas of eight.
    #[arg(long, help_heading = HEADING, value_name = "[COUNTx]ACCELERATOR", requires = "model")]
    on: Option<String>,
    /// Tokens of a prompt; 1,155.
    #[arg(long, help_heading = HEADING, value_name = "TOKENS", requires = "model")]
    input_tokens: Option<String>,
    /// Tokens of an answer; 211.
    #[arg(long, help_heading = HEADING, value_name = "TOKENS", requires = "model")]
    output_tokens: Option<String>,
    /// Number format: bf16, fp8, int4 ...; bf16, or fp16 where the device lacks it.
    #[arg(long, help_heading = HEADING, value_name = "FORMAT", requires = "model")]
    precision: Option<String>,
    /// The cloud to rent from, for the price.
    #[arg(long, help_heading = HEADING, value_name = "CLOUD", requires = "model")]
    provider: Option<String>,
    /// The cloud's region, or a country, for price, energy and carbon.
    #[arg(long, help_heading = HEADING, value_name = "REGION", requires = "model")]
    region: Option<String>,
    /// Also write the scenario that these flags make, to go on from.
    #[arg(long, help_heading = HEADING, value_name = "OUT.yaml", requires = "model")]
    write_scenario: Option<PathBuf>,
    /// Write over a result file that exists.
    #[arg(long)]
    pub(super) force: bool,
}

/// A scenario that flags made.
#[derive(Clone, Debug)]
pub(super) struct Written {
    /// Its YAML.
    pub(super) text: String,
}

/// Mean lengths of the conversations in the Azure trace of 2023 (Patel et al. 2023,
/// arXiv:2311.18677): tokens of a prompt and of an answer.
const USUAL: [(&str, u64); 2] = [("input_tokens", 1155), ("output_tokens", 211)];

impl Asked {
    /// The options with the scenario of the flags in them, and what stands for its path; the
    /// options as they are where no model is named. `requests` is the rate of a service.
    ///
    /// # Errors
    /// The flags do not say enough, with what to add; the scenario cannot be written.
    pub(super) fn scenario(
        &self,
        requests: Option<&str>,
        global: &Global,
    ) -> Result<(Global, Option<PathBuf>)> {
        let Some(model) = &self.model else {
            return match requests {
                None => Ok((global.clone(), None)),
                Some(rate) => Err(Error::input(format!("a rate such as {rate} needs --model"))
                    .hint("in a file, it is inference.traffic.requests: --set changes it")),
            };
        };
        let text = self.text(model, requests, global)?;
        if let Some(path) = &self.write_scenario {
            output::write(path, &text, self.force)?;
        }
        let global = Global { asked: Some(Written { text }), ..global.clone() };
        Ok((global, Some(PathBuf::from(NAME))))
    }

    /// The scenario as YAML.
    fn text(&self, model: &str, requests: Option<&str>, global: &Global) -> Result<String> {
        if self.tokens.is_none() && requests.is_none() {
            return Err(Error::input("nothing is asked of the model")
                .hint("training: --tokens 2T --on 2048xA100")
                .hint("serving: --requests 40/s --on H100"));
        }
        let on = self.on.as_deref().ok_or_else(|| {
            Error::input("nothing says which accelerators it runs on")
                .hint("add --on 8xH100; `flopcast catalog list accelerators` names them")
        })?;
        let (count, device) = counted(on)?;
        let catalog = load::catalog(global)?;
        // A machine or a slice is so many devices.
        let (count, device) = match catalog.machine(&device) {
            Some((found, each)) if catalog.accelerator(&device).is_err() => {
                (Some(count.unwrap_or(1).saturating_mul(each)), found.id.clone())
            }
            _ => (count, device),
        };
        let known = catalog.accelerator(&device)?;
        if count.is_none() && self.tokens.is_some() {
            return Err(Error::input(format!("nothing says on how many {device} it trains"))
                .hint(format!("--on {}x{device}", known.devices_per_node)));
        }
        let precision = match &self.precision {
            Some(given) => given.as_str(),
            None if known.peak(Precision::Bf16).is_ok() => "bf16",
            None => "fp16",
        };
        let tokens = self.tokens.as_ref().map(|tokens| format!("{tokens} tokens"));
        let asked: Vec<&str> = tokens.as_deref().into_iter().chain(requests).collect();
        let title = format!("{model}: {} on {on}", asked.join(", "));
        let mut text = format!(
            "# What `flopcast estimate --model {}` was asked; `flopcast init --full` shows every key.\n\
             flopcast: 1\nname: {}\nmodel: {}\n",
            model.replace(['\n', '\r'], " "),
            scalar(&title),
            named(model)
        );
        // An encoder has no answers, a pipeline of diffusion no tokens at all. A model that cannot be
        // built is told of where the scenario is read.
        let usual = match architecture::named(model, &Input::default(), "", global) {
            Ok(built) if built.input.sequence.is_none() => Vec::new(),
            Ok(built) if !built.generates() => {
                built.input.sequence.map(|length| (USUAL[0].0, length, OWN)).into_iter().collect()
            }
            _ => USUAL.map(|(key, length)| (key, length, WHY)).to_vec(),
        };
        let mut line = |indent: usize, key: &str, value: &str| {
            let pad = "  ".repeat(indent);
            let space = if value.is_empty() { "" } else { " " };
            let _ = writeln!(text, "{pad}{key}:{space}{value}");
        };
        let device = scalar(&device);
        if let Some(tokens) = &self.tokens {
            line(0, "data", &format!("{{tokens: {}}}", scalar(tokens)));
            line(0, "training", "");
            line(1, "precision", &scalar(precision));
            let count = count.map_or_else(String::new, |count| format!(", count: {count}"));
            line(1, "hardware", &format!("{{accelerator: {device}{count}}}"));
        }
        let place = [("provider", &self.provider), ("region", &self.region)];
        let place: Vec<String> = place
            .into_iter()
            .filter_map(|(key, said)| Some(format!("{key}: {}", scalar(said.as_deref()?))))
            .collect();
        if !place.is_empty() {
            line(0, "placement", &format!("{{{}}}", place.join(", ")));
        }
        if let Some(requests) = requests {
            line(0, "inference", "");
            line(1, "traffic", "");
            line(2, "requests", &scalar(requests));
            for (key, said) in
                [("input_tokens", &self.input_tokens), ("output_tokens", &self.output_tokens)]
            {
                let usual = usual.iter().find(|(usual, ..)| *usual == key);
                let mean = match (said, usual) {
                    (Some(said), _) => scalar(said),
                    (None, Some((_, length, why))) => {
                        format!("{{value: {length}, source: {}}}", scalar(why))
                    }
                    (None, None) => continue,
                };
                line(2, key, &format!("{{mean: {mean}}}"));
            }
            line(1, "hardware", &format!("{{accelerator: {device}}}"));
            line(1, "precision", &scalar(precision));
            if let Some(count) = count.filter(|_| self.tokens.is_none()) {
                line(1, "parallelism", &format!("{{tensor: {count}}}"));
            }
        }
        Ok(text)
    }
}

const WHY: &str = "not said: mean of the Azure conversation trace of 2023 (arXiv:2311.18677)";

/// The reason for the length of what an encoder reads.
const OWN: &str = "not said: what is usual for the model";

/// `8xH100`, `8 x H100`, `H100:8`: a number of devices and their name; a name alone has none.
///
/// # Errors
/// The number is zero or none, the name is missing.
fn counted(on: &str) -> Result<(Option<u64>, String)> {
    let digits =
        on.len() - on.trim_start_matches(|c: char| c.is_ascii_digit() || ",_".contains(c)).len();
    let (number, rest) = on.split_at(digits);
    let device = rest.trim_start().strip_prefix(['x', 'X', '*', '\u{d7}']);
    let Some(device) = device.filter(|_| !number.is_empty()).map(str::trim) else {
        return Ok(match spelling::devices(on) {
            Some((count, device)) => (Some(count as u64), device),
            None => (None, on.trim().to_owned()),
        });
    };
    let count = number.replace([',', '_'], "").parse().ok().filter(|count| *count > 0);
    match count {
        Some(count) if !device.is_empty() => Ok((Some(count), device.to_owned())),
        _ => Err(Error::input(format!("`--on {on}` says no number of accelerators"))
            .hint("e.g. --on 2048xA100, --on H100")),
    }
}

/// The value of `model:`: a path by its kind, else the words as they are.
fn named(model: &str) -> String {
    let path = Path::new(model);
    let key = match architecture::ending(path) {
        "json" => "hf_config",
        "onnx" => "onnx",
        "yaml" | "yml" | "safetensors" | "gguf" => "file",
        _ if path.is_dir() => "file",
        _ => return scalar(model),
    };
    format!("{{{key}: {}}}", scalar(model))
}

/// A text as a YAML scalar: plain where it reads as itself, else in quotes.
fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    // A word that YAML takes for a number or a truth is none of ours.
    let read = text.parse::<f64>().is_ok_and(f64::is_finite);
    let words = ["true", "false", "yes", "no", "null", "on", "off", "nan", "inf"];
    if begins && text.chars().all(plain) && !words.contains(&text.to_lowercase().as_str()) || read {
        text.to_owned()
    } else {
        flopcast_import::export::quoted(&serde_json::Value::from(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stands_before_the_device() {
        let cases = [
            ("2048xA100", Some((Some(2048), "A100"))),
            ("8x H100-80GB", Some((Some(8), "H100-80GB"))),
            ("16,384 x h100", Some((Some(16384), "h100"))),
            ("H100", Some((None, "H100"))),
            ("RTX 4090", Some((None, "RTX 4090"))),
            ("8 H100s", Some((Some(8), "H100"))),
            ("H100:8", Some((Some(8), "H100"))),
            ("a100x8", Some((Some(8), "a100"))),
            ("0xH100", None),
            ("8x", None),
        ];
        for (on, expected) in cases {
            let expected = expected.map(|(count, device): (_, &str)| (count, device.to_owned()));
            assert_eq!(counted(on).ok(), expected, "{on}");
        }
    }

    #[test]
    fn words_are_quoted_where_yaml_would_read_them_otherwise() {
        let cases = [
            ("7B", "7B"),
            ("40/s", "40/s"),
            ("2e12", "2e12"),
            ("hf:a/b", "\"hf:a/b\""),
            ("no", "\"no\""),
            ("a: b", "\"a: b\""),
            ("line\nbreak", "\"line\\nbreak\""),
            ("", "\"\""),
        ];
        for (text, expected) in cases {
            assert_eq!(scalar(text), expected, "{text}");
        }
    }
}
