//! An axis: a key of the scenario and its values, as a list or a range.
//!
//! ```text
//! --vary training.hardware.count=64..1024*2        64, 128, 256, 512, 1024
//! --vary training.hardware.count=64..256+64        64, 128, 192, 256
//! --vary inference.precision=bf16,fp8
//! ```

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::quantity::text::split_number;
use flopcast_scenario::document::{Node, parse};
use flopcast_scenario::spelling;

/// The most values of one axis; more are a mistake.
const MOST_CHOICES: usize = 100_000;

/// The axes that vary.
#[derive(Clone, Debug)]
pub struct Axis {
    /// Its heading.
    pub name: String,
    /// Its values.
    pub choices: Vec<Choice>,
}

/// One value of an axis.
#[derive(Clone, Debug)]
pub struct Choice {
    /// As people read it.
    pub shown: String,
    /// The keys that it sets.
    pub sets: Vec<Setting>,
}

/// A key and its value.
#[derive(Clone, Debug)]
pub struct Setting {
    path: String,
    node: Node,
}

impl Setting {
    /// The value of a dotted path, as YAML; `origin` says who sets it.
    ///
    /// # Errors
    /// A text that is no YAML.
    pub fn new(origin: &str, path: &str, text: &str) -> Result<Self> {
        let node = parse(&format!("{origin} {path}"), text.as_bytes())
            .map_err(|error| Error::input(format!("{origin} {path}: {}", error.message())))?;
        Ok(Self { path: path.to_owned(), node })
    }

    /// Sets it in a document.
    ///
    /// # Errors
    /// As [`Node::put`].
    pub fn put(&self, document: &mut Node) -> Result<()> {
        document.put(&self.path, self.node.clone())
    }

    /// The value that it sets.
    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    /// The key that it sets.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl Axis {
    /// Reads `path=a,b,c`, `path=64..1024*2` or `path=10..50+20`, in the words of a document.
    ///
    /// # Errors
    /// No `=`, no value, a range without a step or with one that leads nowhere, a value that is no
    /// YAML.
    pub fn read(text: &str, document: &Node) -> Result<Self> {
        let example = "write --vary training.hardware.count=64..1024*2 or =64,128";
        let refuse = |what: &str| Error::input(format!("`--vary {text}` {what}")).hint(example);
        let (path, values) = text.split_once('=').ok_or_else(|| refuse("has no `=`"))?;
        let path = path.trim();
        let path = spelling::meaning(path, document).unwrap_or(path);
        let mut choices = Vec::new();
        for shown in self::values(values).map_err(|what| refuse(&what))? {
            choices.push(Choice { sets: vec![Setting::new("--vary", path, &shown)?], shown });
        }
        if choices.is_empty() || path.is_empty() {
            return Err(refuse("names no value"));
        }
        if choices.len() > MOST_CHOICES {
            return Err(refuse(&format!("has more than {MOST_CHOICES} values")));
        }
        Ok(Self { name: path.to_owned(), choices })
    }

    /// The keys that its values set, those of many values once.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let mut before: &[Setting] = &[];
        let news = self.choices.iter().filter(move |choice| {
            let same = choice.sets.len() == before.len()
                && choice.sets.iter().zip(before).all(|(set, other)| set.path == other.path);
            before = &choice.sets;
            !same
        });
        news.flat_map(|choice| &choice.sets).map(Setting::path)
    }
}

/// The values of `a,b,c`, `64..1024*2` or `10..50+20`, as texts.
///
/// # Errors
/// What is wrong with a range, as the end of a sentence.
pub(super) fn values(text: &str) -> Result<Vec<String>, String> {
    let mut values = Vec::new();
    for part in split(text) {
        let several = if part.starts_with(['{', '[', '"', '\'']) { None } else { range(part) };
        values.extend(several.unwrap_or_else(|| Ok(vec![part.to_owned()]))?);
    }
    Ok(values)
}

/// Splits at commas that are outside of brackets and quotes.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut quote, mut start) = (Vec::new(), 0_i32, None, 0);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) => quote = Some(open).filter(|open| *open != c),
            (None, '"' | '\'') => quote = Some(c),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth -= 1,
            (None, ',') if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts.into_iter().filter(|part| !part.is_empty()).collect()
}

/// A number and its unit as it is written; `None` if there is no number.
fn number(text: &str) -> Option<(f64, &str)> {
    let (number, unit) = split_number(text.trim());
    Some((number.replace('_', "").parse().ok()?, unit))
}

/// The values of `low..high*factor` or `low..high+step`; `None` if the text is no range.
fn range(text: &str) -> Option<Result<Vec<String>, String>> {
    let (low, rest) = text.split_once("..")?;
    let Some(at) = rest.find(['*', '+']) else {
        return Some(Err("is a range without a step; add *2 or +64".to_owned()));
    };
    let ((high, step), times) = (rest.split_at(at), rest[at..].starts_with('*'));
    let (Some((low, low_unit)), Some((high, high_unit)), Some((step, step_unit))) =
        (number(low), number(high), number(&step[1..]))
    else {
        return Some(Err("is no range of numbers".to_owned()));
    };
    let units = [high_unit, low_unit, step_unit];
    let unit = units.into_iter().find(|unit| !unit.is_empty()).unwrap_or_default();
    if units.iter().any(|said| !said.is_empty() && *said != unit) {
        return Some(Err("has several units; write all numbers in one".to_owned()));
    }
    let onward = if times { step > 1.0 && low > 0.0 } else { step > 0.0 };
    if !onward || low > high {
        return Some(Err("does not rise".to_owned()));
    }
    let count = if times { (high / low).ln() / step.ln() } else { (high - low) / step };
    let count = (count + 1e-9).floor();
    if count >= MOST_CHOICES as f64 {
        return Some(Err(format!("has more than {MOST_CHOICES} values")));
    }
    let at = |i: i32| if times { low * step.powi(i) } else { low + step * f64::from(i) };
    let shown = |value: f64| {
        // What adding up a decimal step leaves behind is no digit of the value.
        let value = format!("{value:.12}");
        let value = value.trim_end_matches('0').trim_end_matches('.');
        format!("{value}{unit}")
    };
    Some(Ok((0..=count as i32).map(|i| shown(at(i))).collect()))
}
