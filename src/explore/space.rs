//! A space of scenarios: one document and axes along which its keys vary, in all combinations.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::catalog::Catalog;
use crate::diagnostic::{Error, Result};
use crate::estimate::{Engine, Estimate};
use crate::model::{Input, Model, Spec};
use crate::quantity::show;
use crate::quantity::text::split_number;
use crate::scenario::document::{Node, parse};
use crate::scenario::file::ScenarioFile;
use crate::scenario::{Files, Scenario, reader, resolve};

/// More values of one axis, or more combinations of all, are a mistake.
const MOST_CHOICES: usize = 100_000;
const MOST_POINTS: u64 = 100_000_000;

/// What varies.
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
    text: String,
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
        Ok(Self { path: path.to_owned(), text: text.to_owned(), node })
    }

    /// Sets it in a document.
    ///
    /// # Errors
    /// As [`Node::put`].
    pub fn put(&self, document: &mut Node) -> Result<()> {
        document.put(&self.path, self.node.clone())
    }

    /// Whether it changes nothing of what a run computes and how fast: only what that costs and
    /// emits.
    fn only_places(&self) -> bool {
        let (section, key) = self.path.split_once('.').unwrap_or((&self.path, ""));
        match section {
            // The start of a run dates its software.
            "placement" => !key.is_empty() && key != "start",
            "finance" | "functional_unit" | "inference" | "name" | "tags" => true,
            _ => false,
        }
    }
}

/// A combination, forecast.
#[derive(Clone, Debug)]
pub struct Point {
    /// The forecast, as far as there is one.
    pub estimate: Option<Estimate>,
    /// Why it cannot be done, where it cannot.
    pub obstacle: Option<String>,
}

/// All combinations of the axes' values over a document.
pub struct Space<'a> {
    document: Node,
    axes: Vec<Axis>,
    catalog: &'a Catalog,
    models: Models<'a>,
    /// Settled runs by the values that settle them.
    engines: Memo<Vec<String>, Result<Engine>>,
}

impl Axis {
    /// Reads `path=a,b,c`, `path=64..1024*2` or `path=10..50+20`.
    ///
    /// # Errors
    /// No `=`, no value, a range without a step or with one that leads nowhere, a value that is no
    /// YAML.
    pub fn read(text: &str) -> Result<Self> {
        let example = "write --vary training.hardware.count=64..1024*2 or =64,128";
        let refuse = |what: &str| Error::input(format!("`--vary {text}` {what}")).hint(example);
        let (path, values) = text.split_once('=').ok_or_else(|| refuse("has no `=`"))?;
        let path = path.trim();
        let mut choices = Vec::new();
        for part in split(values) {
            let several = if part.starts_with(['{', '[', '"', '\'']) { None } else { range(part) };
            let shown = match several {
                Some(values) => values.map_err(|what| refuse(&what))?,
                None => vec![part.to_owned()],
            };
            for shown in shown {
                choices.push(Choice { sets: vec![Setting::new("--vary", path, &shown)?], shown });
            }
        }
        if choices.is_empty() || path.is_empty() {
            return Err(refuse("names no value"));
        }
        if choices.len() > MOST_CHOICES {
            return Err(refuse(&format!("has more than {MOST_CHOICES} values")));
        }
        Ok(Self { name: path.to_owned(), choices })
    }
}

/// Splits at commas that are not inside brackets or quotes.
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

/// A number and, as it is written, its unit.
fn number(text: &str) -> Option<(f64, &str)> {
    let (number, unit) = split_number(text.trim());
    Some((number.replace('_', "").parse().ok()?, unit))
}

/// The values of `low..high*factor` or `low..high+step`; none where the text is no range.
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

impl<'a> Space<'a> {
    /// A document and what varies in it.
    ///
    /// # Errors
    /// More combinations than anybody waits for; a key that no scenario has.
    pub fn new(
        document: Node,
        axes: Vec<Axis>,
        catalog: &'a Catalog,
        files: &'a (dyn Files + Sync),
    ) -> Result<Self> {
        let space = Self {
            document,
            axes,
            catalog,
            models: Models { files, built: Memo::default() },
            engines: Memo::default(),
        };
        if space.len() > MOST_POINTS {
            let message = format!("{} combinations are too many", space.len());
            return Err(Error::input(message).hint(format!("at most {MOST_POINTS}")));
        }
        // A value that no scenario can have, wherever it comes, is a mistake of the question.
        for (axis, values) in space.axes.iter().enumerate() {
            for choice in 0..values.choices.len() {
                let mut digits = vec![0; space.axes.len()];
                digits[axis] = choice;
                space.file(&digits)?;
            }
        }
        Ok(space)
    }

    /// How many combinations there are.
    pub fn len(&self) -> u64 {
        let sizes = self.axes.iter().map(|axis| axis.choices.len() as u64);
        sizes.fold(1, u64::saturating_mul)
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What varies.
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// Which value of each axis a combination has; the last axis varies fastest.
    pub fn digits(&self, mut number: u64) -> Vec<usize> {
        let mut digits = vec![0; self.axes.len()];
        for (digit, axis) in digits.iter_mut().zip(&self.axes).rev() {
            let size = axis.choices.len() as u64;
            *digit = (number % size) as usize;
            number /= size;
        }
        digits
    }

    /// The values of a combination, as people read them.
    pub fn labels(&self, number: u64) -> impl Iterator<Item = &str> {
        let digits = self.digits(number);
        self.axes.iter().zip(digits).map(|(axis, digit)| axis.choices[digit].shown.as_str())
    }

    fn file(&self, digits: &[usize]) -> Result<ScenarioFile> {
        let mut document = self.document.clone();
        for (axis, digit) in self.axes.iter().zip(digits) {
            for set in &axis.choices[*digit].sets {
                set.put(&mut document)?;
            }
        }
        reader::read(&document)
    }

    /// A combination, forecast.
    pub fn point(&self, number: u64) -> Point {
        let engine = match self.engine(number) {
            Ok(engine) => engine,
            Err(error) => return Point::impossible(&error),
        };
        match engine.run(false) {
            Ok(estimate) => {
                Point { obstacle: obstacle(&engine, &estimate), estimate: Some(estimate) }
            }
            Err(error) => Point::impossible(&error),
        }
    }

    /// A combination, resolved.
    ///
    /// # Errors
    /// As [`resolve()`].
    pub fn scenario(&self, number: u64) -> Result<Scenario> {
        resolve(&self.file(&self.digits(number))?, self.catalog, &self.models)
    }

    /// The forecast of a combination, ready to run.
    ///
    /// # Errors
    /// As [`resolve()`] and [`Engine::new`].
    pub fn engine(&self, number: u64) -> Result<Engine> {
        let digits = self.digits(number);
        let scenario = self.scenario(number)?;
        let sets = self.axes.iter().zip(digits).flat_map(|(axis, digit)| &axis.choices[digit].sets);
        let settling = sets.filter(|set| !set.only_places());
        self.settled(settling.map(|set| set.text.clone()).collect(), scenario)
    }

    fn settled(&self, key: Vec<String>, scenario: Scenario) -> Result<Engine> {
        match self.engines.get(&key) {
            Some(engine) => engine.map(|engine| engine.moved(scenario)),
            None => self.engines.put(key, Engine::new(&scenario, self.catalog)),
        }
    }
}

impl Point {
    fn impossible(error: &Error) -> Self {
        Self { estimate: None, obstacle: Some(error.message().to_owned()) }
    }
}

/// Why a forecast cannot come true, although it can be computed.
fn obstacle(engine: &Engine, estimate: &Estimate) -> Option<String> {
    let memory = engine.predicted().map(|predicted| predicted.candidate.memory);
    if let Some(memory) = memory.filter(|memory| !memory.fits()) {
        let (needed, there) = (show(memory.reserved), show(memory.capacity));
        return Some(format!("needs {needed} of memory, {there} are there"));
    }
    let margin = estimate.training.as_ref()?.calendar?.margin_days?;
    (margin < 0).then(|| format!("ends {} days after its deadline", -margin))
}

/// The models that combinations share, each built once.
struct Models<'a> {
    files: &'a (dyn Files + Sync),
    built: Memo<String, Result<Arc<Model>>>,
}

impl Files for Models<'_> {
    fn read(&self, path: &str) -> Result<Vec<u8>> {
        self.files.read(path)
    }

    fn model(&self, spec: &Spec, input: &Input) -> Result<Arc<Model>> {
        let key = format!("{spec:?} {input:?}");
        match self.built.get(&key) {
            Some(model) => model,
            None => self.built.put(key, self.files.model(spec, input)),
        }
    }
}

/// What was computed before, up to a number of entries.
struct Memo<K, V>(Mutex<BTreeMap<K, V>>);

impl<K, V> Default for Memo<K, V> {
    fn default() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }
}

impl<K: Ord, V: Clone> Memo<K, V> {
    const MOST: usize = 512;

    fn get(&self, key: &K) -> Option<V> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn put(&self, key: K, value: V) -> V {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= Self::MOST {
            known.clear();
        }
        known.insert(key, value.clone());
        value
    }
}
