//! The files that the page keeps: those that were dropped on it, and the shipped scenarios.

use std::collections::BTreeMap;
use std::sync::Arc;

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::{Input, Model, Spec};
use flopcast_scenario::memo::Memo;
use flopcast_scenario::{Files, Seen};

/// Files by name, and the models built of them and of presets. Of a large file of weights the page
/// hands over the header alone.
#[derive(Default)]
pub struct Kept {
    files: BTreeMap<String, File>,
    models: Memo<String, Result<Arc<Model>>>,
}

struct File {
    bytes: Vec<u8>,
    /// That of the whole file.
    size: u64,
}

impl Kept {
    /// Keeps a file, or what there is of it; `size` is that of the whole.
    pub fn keep(&mut self, name: &str, bytes: &[u8], size: u64) {
        let file = File { bytes: bytes.to_vec(), size: size.max(bytes.len() as u64) };
        self.files.insert(name.to_owned(), file);
        self.models = Memo::default();
    }

    fn file(&self, path: &str) -> Option<&File> {
        self.files.get(path.strip_prefix("./").unwrap_or(path))
    }
}

impl Files for Kept {
    fn read(&self, path: &str) -> Result<Vec<u8>> {
        match self.file(path) {
            Some(File { bytes, size }) if bytes.len() as u64 == *size => Ok(bytes.clone()),
            Some(_) => Err(Error::input(format!("{path} is too large to be read whole in a page"))
                .hint("read it with the command line")),
            None => Err(missing(path)),
        }
    }

    fn head(&self, path: &str, most: u64) -> Result<Vec<u8>> {
        let file = self.file(path).ok_or_else(|| missing(path))?;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Ok(file.bytes[..file.bytes.len().min(most)].to_vec())
    }

    fn size(&self, path: &str) -> Option<u64> {
        self.file(path).map(|file| file.size)
    }

    fn model(&self, spec: &Spec, input: &Input) -> Result<Arc<Model>> {
        let build = || flopcast_import::build(spec, &Seen(self), input).map(Arc::new);
        self.models.of(format!("{spec:?} {input:?}"), build)
    }
}

fn missing(path: &str) -> Error {
    Error::input(format!("the page has no file {path}")).hint("drop it on the page")
}
