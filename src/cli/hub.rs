//! Models that are named by their repository on the Hub, `hf:owner/name`: the user's local cache,
//! and with `--online` the Hub itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::names;
use flopcast_live::{Hub, Policy, Repository};

use super::input::read_bytes;
use super::{Global, load, output};

/// The beginning of a name of a repository.
const PREFIX: &str = "hf:";
const CONFIG: &str = "config.json";

/// The file that a name on the Hub stands for: its configuration, or the index or the file of its
/// weights where it has none; none for any other name.
///
/// # Errors
/// It is no name of a repository; neither the cache nor, where it may be asked, the Hub has it.
pub(super) fn file(spec: &str, global: &Global) -> Result<Option<PathBuf>> {
    let Some(name) = spec.strip_prefix(PREFIX) else { return Ok(None) };
    let of = Repository::read(name)?;
    let kept = load::cache(global).join("hub").join(folder(&of)).join(&of.revision);
    let places = caches().map(|cache| snapshot(&cache.join(folder(&of)), &of));
    let mut places = places.flatten().chain([kept.clone()]);
    if let Some(found) = places.find_map(|place| described(&place)) {
        return Ok(Some(found));
    }
    if global.online {
        return fetched(&of, &kept).map(Some);
    }
    let cache = caches().next().map_or_else(String::new, |it| format!(" at {}", it.display()));
    let error = Error::input(format!("the Hub's local cache{cache} has no {name}"))
        .hint("--online asks the Hub for its config.json");
    let same = names::find(&format!("{}/{}", of.owner, of.name)).ok();
    let same = same.filter(|found| found.read_as.is_none());
    Err(match same {
        Some(found) => error.hint(format!("`{}` is built in and needs neither", found.preset)),
        None => error,
    })
}

/// The file that describes the model in a folder.
fn described(folder: &Path) -> Option<PathBuf> {
    let files = [CONFIG, "model.safetensors.index.json", "model.safetensors"];
    files.map(|name| folder.join(name)).into_iter().find(|path| path.is_file())
}

/// A repository's folder in the cache.
fn folder(of: &Repository) -> String {
    format!("models--{}--{}", of.owner, of.name)
}

/// The folders in which the Hub's library keeps what it fetched, the user's own choice first.
fn caches() -> impl Iterator<Item = PathBuf> {
    let variable = |name: &str| load::folder(name);
    let own = variable("HF_HUB_CACHE").or_else(|| variable("HUGGINGFACE_HUB_CACHE"));
    let home = variable("HF_HOME").map(|home| home.join("hub"));
    let usual = || {
        let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
        cache.or_else(|| Some(variable("USERPROFILE")?.join(".cache")))
    };
    own.or(home).or_else(|| Some(usual()?.join("huggingface").join("hub"))).into_iter()
}

/// The snapshot of a revision: what a branch or tag refers to, or the commit itself.
fn snapshot(repository: &Path, of: &Repository) -> Option<PathBuf> {
    let reference = repository.join("refs").join(&of.revision);
    let commit = read_bytes(&reference, 256).ok().and_then(|it| String::from_utf8(it).ok());
    let commit = commit.map_or_else(|| of.revision.clone(), |it| it.trim().to_owned());
    // A reference leads into the snapshots and nowhere else.
    let plain = !commit.is_empty() && commit.chars().all(|c| c.is_ascii_alphanumeric());
    let known = plain || commit == of.revision;
    let path = repository.join("snapshots").join(commit);
    (known && path.is_dir()).then_some(path)
}

/// The Hub's files of a repository, kept in flopcast's own cache.
fn fetched(of: &Repository, kept: &Path) -> Result<PathBuf> {
    let hub = Hub {
        variable: &load::variable,
        policy: Policy { timeout: Duration::from_secs(30), retries: 2, pause: &std::thread::sleep },
    };
    let save = |name: &str, bytes: &[u8]| -> Result<PathBuf> {
        fs::create_dir_all(kept).map_err(|error| {
            Error::input(format!("cannot make the folder {}: {error}", kept.display()))
                .hint("--cache-dir or FLOPCAST_CACHE names another")
        })?;
        let path = kept.join(name);
        output::write(&path, bytes, true)?;
        Ok(path)
    };
    let config = hub.file(of, CONFIG);
    match config {
        Ok(bytes) => save(CONFIG, &bytes),
        Err(error) if !error.message().contains("404") => Err(error),
        // Without a configuration, the header of the weights still counts the parameters.
        Err(missing) => match hub.header(of, "model.safetensors") {
            Ok(bytes) => save("model.safetensors", &bytes),
            Err(_) => Err(missing),
        },
    }
}
