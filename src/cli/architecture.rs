//! Architectures that a command names: presets, and files and folders of any kind.

use std::path::Path;

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::{Bindings, Input, Model, Spec};
use flopcast_import::{Files, Source};

use super::input::{names, read_bytes, read_head, size};
use super::{Global, hub};

/// The longest table.
const MAX_TEXT: u64 = 16 << 20;

/// A model as a command names it: by its size, its name or its file, or by its repository on the
/// Hub.
///
/// # Errors
/// As [`read`] and [`hub::file`].
pub(super) fn named(spec: &str, input: &Input, bindings: &str, global: &Global) -> Result<Model> {
    let Some(path) = hub::file(spec, global)? else { return read(spec, input, bindings) };
    let mut model = read(&path.display().to_string(), input, bindings)?;
    spec.clone_into(&mut model.name);
    Ok(model)
}

/// A preset's name, or a file or folder by its ending and content.
///
/// # Errors
/// A name or file that is not there, and as the reader of that kind of file.
pub(super) fn read(spec: &str, input: &Input, bindings: &str) -> Result<Model> {
    /// Endings of files that are read; a name with one is no preset.
    const ENDINGS: [&str; 6] = ["json", "yaml", "yml", "onnx", "safetensors", "gguf"];
    let path = Path::new(spec);
    if !path.exists() && !ENDINGS.contains(&ending(path)) {
        return match Spec::named(spec).build(input) {
            Some(model) => model,
            None => Err(Error::input(format!("{spec} is no model that is read by its name"))),
        };
    }
    let bindings = bindings.parse::<Bindings>()?;
    let model = Source::new(&Disk, input, &bindings).read(spec);
    model.map_err(|error| if path.is_file() { error.within(spec) } else { error })
}

/// The files of this machine, by paths that the user typed.
struct Disk;

impl Files for Disk {
    fn head(&self, path: &str, most: u64) -> Result<Vec<u8>> {
        read_head(Path::new(path), most)
    }

    fn size(&self, path: &str) -> Option<u64> {
        size(Path::new(path))
    }

    fn names(&self, path: &str) -> Option<Vec<String>> {
        names(Path::new(path))
    }
}

/// The last part of a path; empty if it is no text.
pub(super) fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// The ending of a path, without its dot; empty if it has none.
pub(super) fn ending(path: &Path) -> &str {
    path.extension().and_then(|ending| ending.to_str()).unwrap_or_default()
}

/// The text of a configuration, model file or table.
pub(super) fn text(path: &Path) -> Result<String> {
    String::from_utf8(read_bytes(path, MAX_TEXT)?)
        .map_err(|_| Error::input(format!("{} is not UTF-8 text", path.display())))
}
