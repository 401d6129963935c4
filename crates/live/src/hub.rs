//! The Hugging Face Hub: the configuration of a repository and the headers of its weights.

use std::io::{self, Read as _};

use flopcast_core::diagnostic::{Error, Result};

use super::Key;
use super::secret::Secrets;
use super::transport::{self, Answer, Form, Policy, Request, Server};

/// The address of the Hub, unless `FLOPCAST_HUB_BASE` names another.
const BASE: &str = "https://huggingface.co";
/// The longest configuration or index of weights.
const MOST: u64 = 16 << 20;
/// The longest header of a file of weights, as the safetensors library has it.
const LONGEST_HEADER: u64 = 100_000_000;

/// Asks the Hub for files of a repository.
pub struct Hub<'a> {
    /// The environment: `HF_TOKEN` and the address.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// How patient it is.
    pub policy: Policy<'a>,
}

/// A repository at a revision: `owner/name`, `owner/name@revision`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Whose it is.
    pub owner: String,
    /// Its name.
    pub name: String,
    /// A branch, a tag or a commit.
    pub revision: String,
}

impl Repository {
    /// Reads `owner/name` or `owner/name@revision`.
    ///
    /// # Errors
    /// It is neither, or holds what no name on the Hub does.
    pub fn read(text: &str) -> Result<Self> {
        let (path, revision) = text.split_once('@').unwrap_or((text, "main"));
        let letter = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let word = |it: &str| {
            !it.is_empty() && it.len() <= 128 && !it.contains("..") && it.chars().all(letter)
        };
        match path.split_once('/') {
            Some((owner, name)) if word(owner) && word(name) && word(revision) => Ok(Self {
                owner: owner.to_owned(),
                name: name.to_owned(),
                revision: revision.to_owned(),
            }),
            _ => Err(Error::input(format!("`{text}` is no repository of the Hub"))
                .hint("it is called hf:owner/name, or hf:owner/name@revision")),
        }
    }
}

impl Hub<'_> {
    /// A small file of a repository: `config.json`, an index of weights.
    ///
    /// # Errors
    /// The Hub does not give it, after repetitions where they may help; it is too large.
    pub fn file(&self, of: &Repository, name: &str) -> Result<Vec<u8>> {
        self.part(of, name, None)
    }

    /// The header of a file of weights in safetensors: its length in 8 bytes, then the JSON.
    ///
    /// # Errors
    /// As [`Hub::file`]; its length makes no sense.
    pub fn header(&self, of: &Repository, name: &str) -> Result<Vec<u8>> {
        let mut bytes = self.part(of, name, Some((0, 8)))?;
        let length = bytes.first_chunk().map(|first| u64::from_le_bytes(*first));
        let length = length.filter(|length| (2..=LONGEST_HEADER).contains(length));
        let Some(length) = length else {
            return Err(Error::live(format!("Hub: {name} has no header of weights")));
        };
        let rest = self.part(of, name, Some((8, length)))?;
        if rest.len() as u64 != length {
            return Err(Error::live(format!("Hub: the header of {name} is cut short")));
        }
        bytes.extend(rest);
        Ok(bytes)
    }

    /// A file, or bytes of it: where they begin and how many.
    fn part(&self, of: &Repository, name: &str, range: Option<(u64, u64)>) -> Result<Vec<u8>> {
        let said = |name: &str| {
            let said = (self.variable)(name);
            said.map(|it| it.trim().to_owned()).filter(|it| !it.is_empty())
        };
        let token = said("HF_TOKEN");
        let secrets = Secrets::of(token.as_deref());
        let client = transport::client(&self.policy)?;
        let server = Server {
            name: "Hub",
            base: said("FLOPCAST_HUB_BASE").unwrap_or_else(|| BASE.to_owned()),
            key: token.map(|token| (Key::Bearer, token)),
            secrets: &secrets,
            client: &client,
            policy: &self.policy,
        };
        let Repository { owner, name: repository, revision } = of;
        let request = Request {
            path: format!("/{owner}/{repository}/resolve/{revision}/{name}"),
            range,
            follow: true,
            ..Request::default()
        };
        let most = range.map_or(MOST, |(_, count)| count);
        let answer = server.ask(&request, Form::Bytes, |body| {
            let mut bytes = Vec::new();
            body.take(most + u64::from(range.is_none())).read_to_end(&mut bytes)?;
            if bytes.len() as u64 > most {
                let message = format!("{name} is too large: more than {} MiB", most >> 20);
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
            }
            Ok(bytes)
        });
        match answer.map_err(|error| Self::explained(error, of))? {
            Answer::New(bytes, _) => Ok(bytes),
            Answer::Unchanged => Err(server.failed("nothing new although there is no copy of it")),
        }
    }

    /// The error with what may help, where the Hub lets nobody in.
    fn explained(error: Error, of: &Repository) -> Error {
        let closed = ["401", "403"].iter().any(|status| error.message().contains(status));
        if closed {
            let address = format!("{BASE}/{}/{}", of.owner, of.name);
            error.hint(format!("accept its terms at {address} and give a token in HF_TOKEN"))
        } else {
            error
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_an_owner_and_a_name() {
        let cases = [
            ("Qwen/Qwen3-8B", Some(("Qwen", "Qwen3-8B", "main"))),
            ("a/b@v1.0", Some(("a", "b", "v1.0"))),
            ("gpt2", None),
            ("a/b/c", None),
            ("../b", None),
            ("a/..", None),
            ("a/b@../../x", None),
            ("a/b?x=1", None),
            ("a/", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let read = Repository::read(text).ok();
            let parts = read.as_ref().map(|it| (&*it.owner, &*it.name, &*it.revision));
            assert_eq!(parts, expected, "{text}");
        }
    }
}
