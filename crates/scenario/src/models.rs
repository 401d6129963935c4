//! The models that a scenario, or many of a study, name: each is built once.

use std::sync::Arc;

use flopcast_core::diagnostic::Result;
use flopcast_core::model::{Input, Model, Spec};

use super::Files;
use super::memo::Memo;

/// Files that remember the models built of them, by description and input.
pub struct Models<'f, F: Files + ?Sized> {
    files: &'f F,
    built: Memo<String, Result<Arc<Model>>>,
}

impl<'f, F: Files + ?Sized> Models<'f, F> {
    /// The models of these files, none built yet.
    pub fn new(files: &'f F) -> Self {
        Self { files, built: Memo::default() }
    }
}

impl<F: Files + ?Sized> Files for Models<'_, F> {
    fn read(&self, path: &str) -> Result<Vec<u8>> {
        self.files.read(path)
    }

    fn head(&self, path: &str, most: u64) -> Result<Vec<u8>> {
        self.files.head(path, most)
    }

    fn part(&self, path: &str, from: u64, most: u64) -> Result<Vec<u8>> {
        self.files.part(path, from, most)
    }

    fn size(&self, path: &str) -> Option<u64> {
        self.files.size(path)
    }

    fn names(&self, path: &str) -> Option<Vec<String>> {
        self.files.names(path)
    }

    fn model(&self, spec: &Spec, input: &Input) -> Result<Arc<Model>> {
        let key = format!("{spec:?} {input:?}");
        self.built.of(key, || self.files.model(spec, input))
    }
}
