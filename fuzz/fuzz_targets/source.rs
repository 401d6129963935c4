//! Any text as each kind of model file, in a folder where every name holds the same text: adapters,
//! diffusion pipelines, sentence-transformers, params.json, indices, Megatron.
//! Seeds: tests/data/files
#![no_main]

use flopcast::diagnostic::Result;
use flopcast::import::{Files, Source};
use flopcast::model::{Bindings, Input};
use libfuzzer_sys::fuzz_target;

struct Everywhere<'a>(&'a str);

impl Files for Everywhere<'_> {
    fn head(&self, _: &str, most: u64) -> Result<Vec<u8>> {
        Ok(self.0.bytes().take(most as usize).collect())
    }

    fn size(&self, _: &str) -> Option<u64> {
        Some(self.0.len() as u64)
    }

    fn names(&self, path: &str) -> Option<Vec<String>> {
        path.ends_with("folder").then(|| vec!["adapter_config.json".to_owned()])
    }
}

fuzz_target!(|text: &str| {
    let (files, input, bindings) = (Everywhere(text), Input::default(), Bindings::default());
    let source = Source::new(&files, &input, &bindings);
    for path in ["config.json", "model.yaml", "folder", "model.safetensors.index.json"] {
        let _ = source.read(path);
    }
});
