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

mod cluster;
mod dialect;
mod fact;
mod scenario;
mod setting;
mod shell;
mod words;

use std::collections::BTreeMap;

use flopcast_core::diagnostic::{Error, Result};
use indexmap::IndexMap;
use serde_json::Value as Json;

use self::dialect::Dialect;
use self::fact::{Fact, Facts};
use self::setting::Setting;
use self::shell::{Script, Variables};
use crate::document;

/// The longest job file in bytes.
pub const MAX_BYTES: usize = 1 << 20;
/// The deepest naming of files by files; deeper ones are a circle.
const MAX_DEPTH: usize = 3;
/// The most files, scripts within scripts and containers that are read of one job.
const MOST_PARTS: usize = 200;
/// The most variables of a job's containers.
const MOST_VARIABLES: usize = 1000;

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
    // A configuration of NeMo has a trainer beside a name and a model, a service of dstack commands.
    let named = has("name:") && has("model:") && !has("trainer:") && !has("commands:");
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
    read_on(name, text, beside, &Told::default())
}

/// What the user says of a job beside its file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// How many devices it takes: its copies and its batch follow.
    pub devices: Option<u64>,
    /// The device.
    pub accelerator: Option<String>,
    /// Where it runs is said.
    pub placed: bool,
}

/// The same where the user says more than the file.
///
/// # Errors
/// As [`read`].
pub fn read_on(name: &str, text: &str, beside: &Beside<'_>, told: &Told) -> Result<Job> {
    let mut reader = Reader::new(beside);
    reader.file(name, text, 0)?;
    if let Some(devices) = told.devices {
        reader.facts.take(devices);
    }
    if let Some(accelerator) = &told.accelerator {
        reader.facts.say(Fact::Accelerator, vec![accelerator.clone()]);
    }
    if told.placed {
        reader.facts.say(Fact::Placed, vec!["true".to_owned()]);
    }
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
    /// The model of the first command that starts a service.
    served: Option<String>,
    /// Variables that hold wherever a command stands.
    variables: Variables,
    /// The files that the job itself writes or holds.
    files: BTreeMap<String, String>,
    /// The parts that were read.
    parts: usize,
}

impl<'a> Reader<'a> {
    /// A reader without facts.
    fn new(beside: &'a Beside<'a>) -> Self {
        Self {
            beside,
            facts: Facts::default(),
            spoken: Vec::new(),
            strange: Vec::new(),
            notes: Vec::new(),
            served: None,
            variables: Variables::new(),
            files: BTreeMap::new(),
            parts: 0,
        }
    }

    /// Counts a part of the job; false once it has too many, or lies too deep.
    fn enters(&mut self, depth: usize) -> bool {
        self.parts += 1;
        self.parts <= MOST_PARTS && depth <= MAX_DEPTH
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
            self.script(text, depth);
            return Ok(());
        }
        for json in documents(name, text)? {
            self.document(name, &json, depth);
        }
        Ok(())
    }

    /// Reads a document in the dialect of its keys, in which `$file` is its name; commands in it are
    /// read as scripts.
    fn document(&mut self, name: &str, json: &Json, depth: usize) {
        let mut settings = setting::of_json(json);
        let Some(dialect) = Dialect::of_document(&settings) else { return };
        settings.push(Setting::new("$file", named(name)));
        let among = |patterns: &[String], it: &Setting| {
            patterns.iter().any(|pattern| setting::matches(pattern, &it.plain_key()))
        };
        let (images, settings): (Vec<_>, Vec<_>) =
            settings.into_iter().partition(|it| among(&dialect.images, it));
        let (commands, settings): (Vec<_>, Vec<_>) =
            settings.into_iter().partition(|it| among(&dialect.commands, it));
        self.surroundings(dialect, &settings);
        self.speak(dialect, &settings, depth);
        self.cluster();
        let program = |image: &Setting| {
            let name = stem(image.words.first()?);
            // KServe names its servers by the format of the model: `huggingfaceserver`.
            let server = format!("{name}server");
            [name, server].into_iter().find(|it| Dialect::of_program(it).is_some())
        };
        let mut containers: IndexMap<String, Vec<Setting>> = IndexMap::new();
        for command in commands {
            containers.entry(owner(&command).to_owned()).or_default().push(command);
        }
        for (container, mut commands) in containers {
            // A container's program stands before its arguments, wherever the file has them.
            let order = ["entrypoint", "command", "args"];
            commands.sort_by_key(|it| order.iter().position(|end| it.key.ends_with(end)));
            let own = images.iter().find(|it| owner(it) == container).and_then(program);
            let image = own.or_else(|| images.iter().find_map(program));
            self.container(&commands, image, depth);
        }
    }

    /// Reads what a container runs: scripts, or the words of a command, which follow its image
    /// where they name no program.
    fn container(&mut self, commands: &[Setting], image: Option<String>, depth: usize) {
        let mut known = Script::read("", &self.variables);
        let mut words: Vec<String> = Vec::new();
        let flags = |it: &Setting| it.words.first().is_some_and(|word| word.starts_with('-'));
        for (at, command) in commands.iter().enumerate() {
            let before_flags = commands.get(at + 1).is_some_and(flags);
            match command.words.as_slice() {
                // Arguments in a text are split into words, as is their program; any other text is
                // a script.
                [text] if text.starts_with('-') || before_flags && !text.contains('\n') => {
                    let script = Script::read(&known.filled(text), &self.variables);
                    words.extend(script.commands.into_iter().flat_map(|it| it.words));
                }
                [text] if text.trim().contains(char::is_whitespace) => {
                    self.script(text, depth + 1);
                }
                // Lines of a script, not words of a command.
                [first, ..]
                    if first.trim().contains(char::is_whitespace) && !first.starts_with('-') =>
                {
                    self.script(&command.words.join("\n"), depth + 1);
                }
                list => words.extend(list.iter().cloned()),
            }
        }
        // What a shell runs is filled in with the variables that it sets itself.
        if shell_text(&words).is_none() {
            for word in &mut words {
                *word = known.filled(word);
            }
        }
        if words.first().is_some_and(|word| word.starts_with('-') && !is_run_flag(word)) {
            words.splice(0..0, image);
        }
        self.command(&words, depth);
    }

    /// The variables of a document's containers, and the files that it holds.
    fn surroundings(&mut self, dialect: &Dialect, settings: &[Setting]) {
        let named: BTreeMap<&str, &str> = settings
            .iter()
            .filter_map(|it| Some((it.key.strip_suffix(".name")?, it.words.first()?.as_str())))
            .collect();
        for setting in settings {
            let key = setting.plain_key();
            let among = |patterns: &[String]| patterns.iter().any(|it| setting::matches(it, &key));
            if among(&dialect.files) {
                let name = setting.key.split_once('.').map_or("", |(_, name)| name);
                self.files.insert(name.to_owned(), setting.words.join("\n"));
            }
            if !among(&dialect.variables) || self.variables.len() > MOST_VARIABLES {
                continue;
            }
            // `NAME: value`, `{name: NAME, value: ...}`, or a list of `NAME=value`.
            let last = setting.key.rsplit('.').next().unwrap_or_default();
            let stem = setting.key.strip_suffix(".value");
            let name = stem.map_or(Some(last), |stem| named.get(stem).copied());
            let pairs = setting.words.iter().filter_map(|word| word.split_once('='));
            match (name, setting.words.as_slice()) {
                (Some("name"), _) => {}
                (Some(name), [word]) if stem.is_some() || !word.contains('=') => {
                    self.variables.insert(name.to_owned(), vec![word.clone()]);
                }
                _ => self
                    .variables
                    .extend(pairs.map(|(name, word)| (name.to_owned(), vec![word.to_owned()]))),
            }
        }
    }

    /// The variables by which a cluster tells a job its size.
    fn cluster(&mut self) {
        let nodes = self.facts.nodes().or(Some(1));
        let devices = self.facts.count(Fact::DevicesPerNode);
        let all = devices.zip(nodes).and_then(|(devices, nodes)| devices.checked_mul(nodes));
        let of_nodes =
            &["SLURM_NNODES", "SLURM_JOB_NUM_NODES", "SKYPILOT_NUM_NODES", "DSTACK_NODES_NUM"];
        let of_devices = &[
            "SLURM_GPUS_ON_NODE",
            "SLURM_GPUS_PER_NODE",
            "SKYPILOT_NUM_GPUS_PER_NODE",
            "DSTACK_GPUS_PER_NODE",
        ];
        let of_all = &["SLURM_GPUS", "DSTACK_GPUS_NUM", "SLURM_GPUS_TOTAL"];
        for (count, names) in [(nodes, of_nodes.as_slice()), (devices, of_devices), (all, of_all)] {
            for name in names {
                let value = count.map(|count| ((*name).to_owned(), vec![count.to_string()]));
                self.variables.extend(value);
            }
        }
    }

    /// Reads the directives and the commands of a script, and what it writes for others.
    fn script(&mut self, text: &str, depth: usize) {
        if !self.enters(depth) {
            return;
        }
        let directives = shell::directives(text);
        let mut systems: Vec<&str> = directives.iter().map(|(it, _)| it.as_str()).collect();
        systems.dedup();
        for system in systems {
            let of = directives.iter().filter(|(it, _)| it == system);
            let settings: Vec<Setting> = of.map(|(_, setting)| setting.clone()).collect();
            if let Some(dialect) = Dialect::of_directives(system) {
                self.speak(dialect, &settings, depth);
            }
        }
        self.cluster();
        let script = Script::read(text, &self.variables);
        self.files.extend(script.files);
        for text in &script.texts {
            // A text for another program may be of any kind.
            let _ = self.file("text.yaml", text, depth + 1);
        }
        // `CONFIG_FILE=train.toml ./run.sh`: what a variable names is read where it can be.
        for (name, value) in &script.variables {
            if let [file] = value.as_slice()
                && name.to_ascii_lowercase().contains("config")
            {
                self.configuration(file, depth);
            }
        }
        for command in &script.commands {
            self.command(&command.words, depth);
        }
        let visible = script.variables.get("CUDA_VISIBLE_DEVICES").map(|it| it.join(","));
        let visible = visible.filter(|it| it.split(',').all(|one| one.parse::<u32>().is_ok()));
        let unsaid = !self.facts.has(Fact::DevicesPerNode) && !self.facts.has(Fact::Devices);
        if let Some(visible) = visible.filter(|_| unsaid) {
            let count = visible.split(',').count().to_string();
            self.facts.say(Fact::DevicesPerNode, vec![count]);
        }
    }

    /// The programs of a command, each with the settings up to the next one.
    fn command(&mut self, words: &[String], depth: usize) {
        let text = shell_text(words);
        let words = text.map_or(words, |(shell, _)| &words[..shell]);
        self.programs(words, depth);
        if let Some((_, text)) = text {
            self.script(text, depth + 1);
        }
    }

    /// As [`Self::command`], of a command that is no shell.
    fn programs(&mut self, words: &[String], depth: usize) {
        let mut heard: Option<&'static Dialect> = None;
        let mut from = 0;
        for at in 0..=words.len() {
            let here = (at < words.len()).then(|| program(words, at)).flatten();
            // The user's own script or module ends the arguments of its launcher.
            // `-m` is a model to some programs.
            let module = at > 0 && ["-m", "--module"].contains(&words[at - 1].as_str());
            let module = module && !heard.is_some_and(|dialect| dialect.has("m"));
            let script = words.get(at).is_some_and(|word| ending(word) == "py" || module);
            if at < words.len() && here.is_none() && !script {
                continue;
            }
            let part = &words[from..at];
            // `-m` says that a module follows, which is the next program.
            let part = part.strip_suffix(&["-m".to_owned()]).unwrap_or(part);
            let (mut settings, alone) = shell::settings(part);
            // The first word without a key, and the program that has all of them.
            let first = alone.first().map(|word| Setting::new("$1", word.as_str()));
            let program = from.checked_sub(1).map(|at| Setting::new("$program", stem(&words[at])));
            if let Some(dialect) = heard {
                settings.splice(0..0, program.into_iter().chain(first));
                if !self.is_second_service(dialect, &settings) {
                    self.speak(dialect, &settings, depth);
                }
            } else if let Some(dialect) = Dialect::of_document(&settings) {
                settings.splice(0..0, program);
                self.speak(dialect, &settings, depth);
            } else {
                for setting in settings.iter().chain(&first) {
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
        for setting in settings.iter().filter(|it| dialect.is_second_model(it)) {
            let model = setting.words.join(" ");
            self.notes.push(format!("the job serves {model}, too: only the first is counted"));
        }
        for key in dialect.read(settings, &mut self.facts) {
            let strange = format!("{} `{key}`", dialect.name);
            if !key.starts_with('$') && !self.strange.contains(&strange) {
                self.strange.push(strange);
            }
        }
    }

    /// Notes the model of a command that starts a service where one of another model stands before
    /// it; false of any other command.
    fn is_second_service(&mut self, dialect: &Dialect, settings: &[Setting]) -> bool {
        let mut here = Facts::default();
        dialect.read(settings, &mut here);
        let Some(model) = here.word(Fact::Model).filter(|_| here.has(Fact::Engine)) else {
            return false;
        };
        let first = self.served.get_or_insert_with(|| model.to_owned());
        let second = first != model;
        if second {
            let note = format!("the job serves {model}, too: only {first} is counted");
            self.notes.push(note);
        }
        second
    }

    /// Reads a configuration that a setting names.
    fn named(&mut self, setting: &Setting, depth: usize) {
        let [file] = setting.words.as_slice() else { return };
        let is_config =
            ["yaml", "yml", "json", "toml"].contains(&ending(file)) && !file.contains("://");
        let key = setting.plain_key();
        let names = ["config", "deepspeed", "options", "$1"].iter().any(|it| key.contains(it));
        // Hydra's configurations by name are the framework's own.
        if !is_config || !names || key == "config_name" || depth >= MAX_DEPTH {
            return;
        }
        if !self.configuration(file, depth) {
            self.notes
                .push(format!("{file} could not be read beside the job: what it says is missing"));
        }
    }

    /// Reads a configuration that the job holds itself or that lies beside it, at its path or under
    /// its name; false if there is none.
    fn configuration(&mut self, file: &str, depth: usize) -> bool {
        if !["yaml", "yml", "json", "toml"].contains(&ending(file)) || !self.enters(depth + 1) {
            return false;
        }
        let bare = file.rsplit('/').next().unwrap_or(file);
        let held = self.files.get(file).or_else(|| self.files.get(bare)).cloned();
        let read = |file: &str| String::from_utf8((self.beside)(file)?).ok();
        // A job's paths are those of the machine that it runs on.
        let text = held
            .or_else(|| read(file))
            .or_else(|| read(file.trim_start_matches('/')))
            .or_else(|| read(bare));
        text.is_some_and(|text| self.file(file, &text, depth + 1).is_ok())
    }
}

/// The place of a shell among the words of a command, and the text that it runs: `bash -c "..."`.
fn shell_text(words: &[String]) -> Option<(usize, &str)> {
    let shell = words.iter().position(|word| ["bash", "sh", "zsh"].contains(&&*stem(word)));
    // A container's arguments may begin with the shell's flag.
    let from = shell.map_or(0, |shell| shell + 1);
    let flags = words[from..].iter().take_while(|word| word.starts_with('-'));
    let flag = flags.take(3).position(|word| is_run_flag(word))? + from;
    let text = words.get(flag + 1)?;
    let runs = shell.is_some() || flag == 0;
    runs.then_some((shell.unwrap_or(0), text.as_str()))
}

/// True for a shell's `-c`, alone or behind other flags.
fn is_run_flag(word: &str) -> bool {
    word.strip_prefix('-').is_some_and(|flags| flags.len() <= 4 && flags.ends_with('c'))
}

/// The path of the container that a setting belongs to.
fn owner(setting: &Setting) -> &str {
    setting.key.rsplit_once('.').map_or("", |(owner, _)| owner)
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

/// A file's name with its folder's, in lower case: `dpo/config_full.yaml`.
fn named(path: &str) -> String {
    let mut parts: Vec<&str> = path.rsplit('/').take(2).collect();
    parts.reverse();
    parts.join("/").to_ascii_lowercase()
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
