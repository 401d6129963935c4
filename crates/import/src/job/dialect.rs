//! The dialects of job files: which keys of a framework say what. They are data, in `jobs/`.

use std::sync::LazyLock;

use indexmap::IndexMap;
use serde::Deserialize;

use super::fact::{Fact, Facts};
use super::setting::{Setting, matches};

/// A framework's words.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dialect {
    /// Its name in messages.
    pub name: String,
    /// Its content: arguments of a program, directives of a batch system, or a document.
    pub form: Form,
    /// Programs whose arguments are its settings.
    #[serde(default)]
    programs: Vec<String>,
    /// Keys of which all stand in a document of this kind; `a | b` is either.
    #[serde(default)]
    signs: Vec<String>,
    /// The facts that the mere use of the framework tells, its defaults among them.
    #[serde(default)]
    says: IndexMap<Fact, String>,
    /// Its keys and what they say: the value, or these words if the value is no `false`.
    keys: IndexMap<String, Meaning>,
    /// Keys that are understood and change no figure.
    #[serde(default)]
    ignored: Vec<String>,
    /// Keys of commands in the document, whose programs have settings of their own.
    #[serde(default)]
    pub commands: Vec<String>,
    /// Keys of a container's image or entry point, which stands before arguments without a program.
    #[serde(default)]
    pub images: Vec<String>,
    /// Keys of variables that the commands of the document see.
    #[serde(default)]
    pub variables: Vec<String>,
    /// Keys of files that the document holds.
    #[serde(default)]
    pub files: Vec<String>,
}

/// The places in which a dialect is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Form {
    /// After a program's name.
    Arguments,
    /// Behind `#SBATCH` or the like.
    Directives,
    /// A YAML, JSON or TOML document.
    Document,
}

/// The meaning of a key.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Meaning {
    /// Its value is this.
    Value(Fact),
    /// Its presence says these, or what its value stands for.
    Words(IndexMap<Fact, Words>),
}

/// The words for a fact, or by the value of the key: `=` is the value itself, `=key` the end of
/// the key, `=pair` the key with its value, an empty word nothing.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Words {
    Fixed(String),
    ByValue(IndexMap<String, String>),
}

static DIALECTS: LazyLock<Vec<Dialect>> = LazyLock::new(|| {
    let read = |(name, text): &(&str, &str)| {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("jobs/{name}.yaml: {error}"))
    };
    flopcast_data::jobs::DIALECTS.iter().map(read).collect()
});

impl Dialect {
    /// All of them.
    pub(super) fn all() -> &'static [Self] {
        &DIALECTS
    }

    /// The dialect of a program's arguments.
    pub(super) fn of_program(program: &str) -> Option<&'static Self> {
        Self::all().iter().find(|dialect| dialect.programs.iter().any(|it| matches(it, program)))
    }

    /// The dialect of a batch system's directives.
    pub(super) fn of_directives(system: &str) -> Option<&'static Self> {
        let spoken = |dialect: &&Self| {
            dialect.form == Form::Directives && dialect.programs.iter().any(|it| it == system)
        };
        Self::all().iter().find(spoken)
    }

    /// The dialect of a document: all signs are there, and it understands the most keys.
    pub(super) fn of_document(settings: &[Setting]) -> Option<&'static Self> {
        let has = |sign: &String| {
            let any = |one: &str| settings.iter().any(|it| matches(one.trim(), &it.plain_key()));
            sign.split('|').any(any)
        };
        let fits = |dialect: &&Self| !dialect.signs.is_empty() && dialect.signs.iter().all(has);
        let understood = |dialect: &&Self| {
            let known = |it: &&Setting| dialect.meaning(it).is_some() || dialect.ignores(it);
            (dialect.signs.len(), settings.iter().filter(known).count())
        };
        Self::all().iter().filter(fits).max_by_key(understood)
    }

    /// Adds what settings say to the facts; gives back the keys that say nothing to it.
    pub(super) fn read(&self, settings: &[Setting], facts: &mut Facts) -> Vec<String> {
        let mut strange = Vec::new();
        for setting in settings {
            let parted = self.attached(setting);
            let setting = parted.as_ref().unwrap_or(setting);
            match self.meaning(setting) {
                Some(meaning) => apply(setting, meaning, facts),
                None if self.ignores(setting) => {}
                None => strange.push(setting.key.clone()),
            }
        }
        // What a framework does unasked is weaker than what any of the job's files says.
        for (fact, words) in &self.says {
            if !facts.has(*fact) {
                facts.say(*fact, vec![words.clone()]);
            }
        }
        strange
    }

    /// True if a key says something to it.
    pub(super) fn has(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }

    /// A short key whose value stands at it: `-N4`.
    fn attached(&self, setting: &Setting) -> Option<Setting> {
        let (key, value) = setting.key.split_at_checked(1)?;
        let short = value.starts_with(|c: char| c.is_ascii_digit()) && self.keys.contains_key(key);
        let unknown = || self.meaning(setting).is_none() && !self.ignores(setting);
        (short && unknown()).then(|| Setting::new(key, value))
    }

    /// True if a key says the model of a list's further service: `modelspec.1.modelurl`, where
    /// `modelspec.0.modelurl` is a model.
    pub(super) fn is_second_model(&self, setting: &Setting) -> bool {
        let number = |part: &str| part.parse::<u32>().ok();
        let key = setting.plain_key();
        let first: Vec<&str> =
            key.split('.').map(|part| number(part).map_or(part, |_| "0")).collect();
        let first = first.join(".");
        let model = matches!(self.keys.get(&first), Some(Meaning::Value(Fact::Model)));
        model && first != key
    }

    /// The meaning of a setting's key: its own, or that of a pattern with `*`.
    fn meaning(&self, setting: &Setting) -> Option<&Meaning> {
        let key = setting.plain_key();
        // A batch system's short keys differ in their case alone: `-N` and `-n`.
        let exact = self.keys.get(&setting.key).or_else(|| self.keys.get(&key));
        exact.or_else(|| {
            let globs = self.keys.iter().filter(|(pattern, _)| pattern.contains('*'));
            globs.into_iter().find(|(pattern, _)| matches(pattern, &key)).map(|(_, it)| it)
        })
    }

    /// True if the key is known to change nothing.
    fn ignores(&self, setting: &Setting) -> bool {
        let key = setting.plain_key();
        let last = key.rsplit('.').next().unwrap_or_default();
        let everywhere = EVERYWHERE.iter().any(|it| matches(it, last));
        everywhere || self.ignored.iter().any(|pattern| matches(pattern, &key))
    }
}

/// Adds the facts that a setting means.
fn apply(setting: &Setting, meaning: &Meaning, facts: &mut Facts) {
    let key = setting.plain_key();
    match meaning {
        Meaning::Value(fact) => {
            let denied = || Facts::denied(*fact).map(|word| vec![word.to_owned()]);
            let said = if setting.stands() { Some(setting.words.clone()) } else { denied() };
            facts.say(*fact, said.unwrap_or_default());
        }
        Meaning::Words(words) => {
            for (fact, words) in words {
                let value = setting.words.first().map_or("true", String::as_str);
                let word = match words {
                    Words::Fixed(word) if setting.stands() => Some(word.as_str()),
                    Words::Fixed(_) => Facts::denied(*fact),
                    Words::ByValue(words) => {
                        let value = value.trim().to_ascii_lowercase();
                        let named = words.iter().find(|(it, _)| matches(it, &value));
                        named.map(|(_, word)| word.as_str()).filter(|word| !word.is_empty())
                    }
                };
                let said = match word {
                    Some("=") => setting.words.clone(),
                    Some("=pair") => setting.words.iter().map(|it| format!("{key}={it}")).collect(),
                    Some("=key") => {
                        setting.key.rsplit('.').next().map(str::to_owned).into_iter().collect()
                    }
                    Some(word) => vec![word.to_owned()],
                    None => continue,
                };
                facts.say(*fact, said);
            }
        }
    }
}

/// Keys that change no figure, whoever uses them.
const EVERYWHERE: &[&str] = &[
    "*seed",
    "*log*",
    "wandb*",
    "*tensorboard*",
    "report_to",
    "run_name",
    "*project*",
    "*verbose*",
    "output_dir",
    "*save*",
    "load*",
    "*_load",
    "*ckpt*",
    "*path",
    "*dir",
    "*tokenizer*",
    "lr",
    "*learning_rate*",
    "*warmup*",
    "*decay*",
    "*beta*",
    "*eps",
    "*epsilon",
    "*grad_norm*",
    "*clip*",
    "*dropout*",
    "init_std",
    "*init_method*",
    "*scheduler*",
    "*timeout*",
    "*num_workers*",
    "*profil*",
    "*eval*",
    "*resume*",
    "*debug*",
    "*host*",
    "*port",
    "*addr*",
    "*rdzv*",
    "name",
    "*entity*",
    "*email*",
    "*mail*",
    "*hub*",
    "*token_id*",
    "*template*",
    "*prefetch*",
    "*shuffle*",
    "master_*",
    "*nccl*",
    "image",
    "image_id",
    "env",
    "envs*",
    "*secret*",
    "*label*",
    "*annotation*",
    "*namespace*",
];
