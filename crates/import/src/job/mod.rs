//! Job files of other tools as scenarios: batch scripts, launchers and the configurations of
//! training frameworks and serving engines.
//!
//! A file becomes settings, each in the words of a framework. A `dialect`, which is data
//! (`jobs/*.yaml`), turns them into facts, and the facts become a scenario. Files that a job names
//! are read beside it, three deep; what stands nearer to the command overrules them. Keys that no
//! dialect understands are named, never passed over in silence.
//!
//! ```
//! use flopcast_import::job;
//! let text = "vllm serve Qwen/Qwen3-8B --tensor-parallel-size 2\n";
//! assert!(job::is_job("serve.sh", text));
//! let job = job::read("serve.sh", text, &|_| None).unwrap();
//! assert!(job.scenario.contains("tensor: 2") && job.strange.is_empty());
//! ```

mod dialect;
mod fact;
mod scenario;
mod setting;
mod shell;

use flopcast_core::diagnostic::{Error, Result};
use serde_json::Value as Json;

use self::dialect::Dialect;
use self::fact::Facts;
use self::setting::Setting;
use self::shell::Script;
use crate::document;

/// The longest job file in bytes.
pub const MAX_BYTES: usize = 1 << 20;
/// The deepest naming of files by files; deeper ones are a circle.
const MAX_DEPTH: usize = 3;

/// A job as a scenario.
#[derive(Clone, Debug)]
pub struct Job {
    /// The scenario's text.
    pub scenario: String,
    /// The frameworks whose words were read, in their order.
    pub spoken: Vec<String>,
    /// Keys that were not understood, each with the framework that it stands under.
    pub strange: Vec<String>,
    /// The assumptions that were made, and the files that could not be read.
    pub notes: Vec<String>,
}

/// A reader of the file that another one names, relative to it; `None` if it cannot be had.
pub type Beside<'a> = dyn Fn(&str) -> Option<Vec<u8>> + 'a;

/// True if a file's text looks like a job file and like no scenario.
pub fn is_job(name: &str, text: &str) -> bool {
    let has = |key: &str| text.lines().any(|line| line.starts_with(key));
    // A configuration of NeMo has a trainer beside a name and a model.
    let named = has("name:") && has("model:") && !has("trainer:");
    if !is_script(name, text) && (named || has("flopcast:") || has("extends:")) {
        return false;
    }
    let mut reader = Reader::new(&|_| None);
    reader.file(name, text, 0).is_ok() && !reader.spoken.is_empty()
}

/// Reads a job file; `beside` reads the files that it names.
///
/// # Errors
/// If it is too large, is no text of its kind, or is of no framework that is known.
pub fn read(name: &str, text: &str, beside: &Beside<'_>) -> Result<Job> {
    let mut reader = Reader::new(beside);
    reader.file(name, text, 0)?;
    if reader.spoken.is_empty() {
        let known: Vec<&str> = Dialect::all().iter().map(|it| it.name.as_str()).collect();
        return Err(Error::input(format!("{name} is a job of no framework that is known"))
            .hint(format!("known are {}", known.join(", "))));
    }
    let mut notes = std::mem::take(&mut reader.notes);
    let scenario = scenario::write(name, &reader.facts, &reader.spoken, &mut notes);
    Ok(Job { scenario, spoken: reader.spoken, strange: reader.strange, notes })
}

/// Reads a job and the files that it names, and gathers the facts.
struct Reader<'a> {
    beside: &'a Beside<'a>,
    facts: Facts,
    spoken: Vec<String>,
    strange: Vec<String>,
    notes: Vec<String>,
}

impl<'a> Reader<'a> {
    /// A reader without facts.
    fn new(beside: &'a Beside<'a>) -> Self {
        let facts = Facts::default();
        Self { beside, facts, spoken: Vec::new(), strange: Vec::new(), notes: Vec::new() }
    }

    /// Reads a script, or the documents of a configuration.
    ///
    /// # Errors
    /// If it is too large, or no YAML, JSON or TOML.
    fn file(&mut self, name: &str, text: &str, depth: usize) -> Result<()> {
        if text.len() > MAX_BYTES {
            return Err(Error::input(format!("{name} is too large for a job file")));
        }
        if is_script(name, text) {
            self.script(&Script::read(text), depth);
            return Ok(());
        }
        for json in documents(name, text)? {
            self.document(&json, depth);
        }
        Ok(())
    }

    /// Reads a document in the dialect of its keys; commands in it are read as scripts.
    fn document(&mut self, json: &Json, depth: usize) {
        let settings = setting::of_json(json);
        let Some(dialect) = Dialect::of_document(&settings) else { return };
        let among = |patterns: &[String], it: &Setting| {
            patterns.iter().any(|pattern| setting::matches(pattern, &it.plain_key()))
        };
        let (images, settings): (Vec<_>, Vec<_>) =
            settings.into_iter().partition(|it| among(&dialect.images, it));
        let (commands, settings): (Vec<_>, Vec<_>) =
            settings.into_iter().partition(|it| among(&dialect.commands, it));
        self.speak(dialect, &settings, depth);
        // The first image that is a known program; arguments may follow that name none.
        let image = images.iter().flat_map(|it| it.words.first());
        let image = image.map(|image| stem(image)).find(|it| Dialect::of_program(it).is_some());
        let mut words: Vec<String> = Vec::new();
        for command in commands {
            match command.words.as_slice() {
                // Arguments in a text belong to the image, and any other text is a script; a list
                // is a command, which may be a shell with a script.
                [text] if text.starts_with('-') => {
                    let script = Script::read(text);
                    words.extend(script.commands.into_iter().flat_map(|it| it.words));
                }
                [text] => self.script(&Script::read(text), depth),
                list => words.extend(list.iter().cloned()),
            }
        }
        if words.first().is_some_and(|word| word.starts_with('-')) {
            words.splice(0..0, image);
        }
        let shell = words.iter().position(|word| word.trim_start_matches('-').ends_with('c'));
        let text = shell.and_then(|at| words.get(at + 1));
        if let Some(text) = text.filter(|text| text.contains(char::is_whitespace)) {
            let script = Script::read(text);
            self.script(&script, depth);
            return;
        }
        self.command(&words, depth);
    }

    /// Reads the directives and the commands of a script.
    fn script(&mut self, script: &Script, depth: usize) {
        let mut systems: Vec<&str> = script.directives.iter().map(|(it, _)| it.as_str()).collect();
        systems.dedup();
        for system in systems {
            let of = script.directives.iter().filter(|(it, _)| it == system);
            let settings: Vec<Setting> = of.map(|(_, setting)| setting.clone()).collect();
            if let Some(dialect) = Dialect::of_directives(system) {
                self.speak(dialect, &settings, depth);
            }
        }
        for command in &script.commands {
            self.command(&command.words, depth);
        }
    }

    /// The programs of a command, each with the settings up to the next one.
    fn command(&mut self, words: &[String], depth: usize) {
        let mut heard: Option<&'static Dialect> = None;
        let mut from = 0;
        for at in 0..=words.len() {
            let here = (at < words.len()).then(|| program(words, at)).flatten();
            // The user's own script ends the arguments of its launcher.
            let script = words.get(at).is_some_and(|word| ending(word) == "py");
            if at < words.len() && here.is_none() && !script {
                continue;
            }
            let part = &words[from..at];
            // `-m` says that a module follows, which is the next program.
            let part = part.strip_suffix(&["-m".to_owned()]).unwrap_or(part);
            let (mut settings, alone) = shell::settings(part);
            if let Some(dialect) = heard {
                let first = alone.first().map(|word| Setting::new("$1", word.as_str()));
                settings.splice(0..0, first);
                self.speak(dialect, &settings, depth);
            } else if let Some(dialect) = Dialect::of_document(&settings) {
                self.speak(dialect, &settings, depth);
            } else {
                for setting in &settings {
                    self.named(setting, depth);
                }
            }
            heard = here;
            from = at + 1;
        }
    }

    /// Reads settings in a dialect: files that they name first, then the settings themselves.
    fn speak(&mut self, dialect: &'static Dialect, settings: &[Setting], depth: usize) {
        // What a file says is overruled by the arguments beside it.
        for setting in settings {
            self.named(setting, depth);
        }
        if !self.spoken.contains(&dialect.name) {
            self.spoken.push(dialect.name.clone());
        }
        for key in dialect.read(settings, &mut self.facts) {
            let strange = format!("{} `{key}`", dialect.name);
            if key != "$1" && !self.strange.contains(&strange) {
                self.strange.push(strange);
            }
        }
    }

    /// Reads a configuration that a setting names.
    fn named(&mut self, setting: &Setting, depth: usize) {
        let [file] = setting.words.as_slice() else { return };
        let is_config =
            ["yaml", "yml", "json", "toml"].contains(&ending(file)) && !file.contains("://");
        let key = setting.plain_key();
        let names = ["config", "deepspeed", "$1"].iter().any(|it| key.contains(it));
        if !is_config || !names || depth >= MAX_DEPTH {
            return;
        }
        let text = (self.beside)(file).and_then(|bytes| String::from_utf8(bytes).ok());
        let read = text.is_some_and(|text| self.file(file, &text, depth + 1).is_ok());
        if !read {
            self.notes
                .push(format!("{file} could not be read beside the job: what it says is missing"));
        }
    }
}

/// The dialect of the program at a word.
fn program(words: &[String], at: usize) -> Option<&'static Dialect> {
    let word = &words[at];
    if word.starts_with('-') || word.contains('=') {
        return None;
    }
    // `vllm serve` is a program of two words.
    let two = at.checked_sub(1).map(|before| format!("{} {word}", stem(&words[before])));
    let two = two.and_then(|two| Dialect::of_program(&two));
    two.or_else(|| Dialect::of_program(&stem(word)))
}

/// A program without its folder and ending.
fn stem(word: &str) -> String {
    let file = word.rsplit('/').next().unwrap_or(word);
    file.strip_suffix(".py").unwrap_or(file).to_ascii_lowercase()
}

/// True for a shell script, by its ending, its first line or its directives.
fn is_script(name: &str, text: &str) -> bool {
    let endings = ["sh", "bash", "sbatch", "slurm", "sub", "pbs", "job", "qsub"];
    let named = endings.contains(&ending(name));
    named || text.starts_with("#!") || text.lines().any(|line| line.starts_with("#SBATCH"))
}

/// The ending of a file's name, without the dot; empty if it has none.
fn ending(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(_, ending)| ending)
}

/// The documents of a YAML, JSON or TOML file.
fn documents(name: &str, text: &str) -> Result<Vec<Json>> {
    if ending(name) == "toml" {
        let json = toml::from_str(text)
            .map_err(|error| Error::input(format!("{name} is no TOML: {}", error.message())))?;
        return Ok(vec![json]);
    }
    let mut all = Vec::new();
    let mut part = String::new();
    for line in text.lines().chain(["---"]) {
        if line.trim_end() == "---" {
            let blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
            if !part.lines().all(blank) {
                all.push(document::json(name, part.as_bytes())?);
            }
            part.clear();
        } else {
            part.push_str(line);
            part.push('\n');
        }
    }
    Ok(all)
}
