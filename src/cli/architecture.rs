//! Architectures that a command names: presets, and files and folders of any kind.

use std::path::{Path, PathBuf};

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::{Bindings, Input, Model, Spec};
use flopcast_import::{Files, Source};

use super::input::{names, read_bytes, read_head, read_part, size};
use super::project::Project;
use super::{Global, hub};

/// The longest table.
const MAX_TEXT: u64 = 16 << 20;

/// A model as a command names it: by its size, its name or its file, or by its repository on the
/// Hub.
///
/// # Errors
/// As [`read`] and [`hub::file`].
pub(super) fn named(spec: &str, input: &Input, bindings: &str, global: &Global) -> Result<Model> {
    let Some(path) = hub::file(spec, global)? else { return read(spec, input, bindings, global) };
    let mut model = read(&path.display().to_string(), input, bindings, global)?;
    spec.clone_into(&mut model.name);
    Ok(model)
}

/// A preset's name, or a file or folder by its ending and content.
///
/// # Errors
/// A name or file that is not there, and as the reader of that kind of file.
fn read(spec: &str, input: &Input, bindings: &str, global: &Global) -> Result<Model> {
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
    let files = Typed::new(spec, global)?;
    let model = Source::new(&files, input, &bindings).read(spec);
    model.map_err(|error| if path.is_file() { error.within(spec) } else { error })
}

/// A file or folder that the user typed, which may be anywhere, and the files that it names, which
/// are those of its project.
struct Typed<'a> {
    spec: &'a Path,
    folder: &'a Path,
    project: Project,
}

impl<'a> Typed<'a> {
    fn new(spec: &'a str, global: &Global) -> Result<Self> {
        let spec = Path::new(spec);
        let folder = if spec.is_dir() { spec } else { spec.parent().unwrap_or(spec) };
        Ok(Self { spec, folder, project: Project::of_model(folder, global)? })
    }

    fn place(&self, path: &str) -> Result<PathBuf> {
        let path = Path::new(path);
        match path.strip_prefix(self.folder) {
            Ok(name) if path != self.spec => {
                self.project.find(&self.folder.join("config.json"), &name.display().to_string())
            }
            _ => Ok(path.to_owned()),
        }
    }
}

impl Files for Typed<'_> {
    fn head(&self, path: &str, most: u64) -> Result<Vec<u8>> {
        read_head(&self.place(path)?, most)
    }

    fn part(&self, path: &str, from: u64, most: u64) -> Result<Vec<u8>> {
        read_part(&self.place(path)?, from, most)
    }

    fn size(&self, path: &str) -> Option<u64> {
        size(&self.place(path).ok()?)
    }

    fn names(&self, path: &str) -> Option<Vec<String>> {
        names(&self.place(path).ok()?)
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
