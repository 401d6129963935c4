//! Architectures that a command names: presets and files of any kind.

use std::path::{Path, PathBuf};

use flopcast_core::diagnostic::{Error, Result};
use flopcast_core::model::{Bindings, Input, Model, Spec, config};
use flopcast_import::{model_file, onnx, safetensors};

use super::input::read_bytes;
use super::{Global, hub};

/// Larger model files are refused; the weights of a safetensors file are not read.
const MAX_BYTES: u64 = 4 << 30;
/// The longest header of a safetensors file that is read.
const MAX_HEADER: u64 = 128 << 20;
/// The longest configuration or model file.
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

/// A preset's name, or a file by its ending.
///
/// # Errors
/// A name or file that is not there, and as the reader of that kind of file.
pub(super) fn read(spec: &str, input: &Input, bindings: &str) -> Result<Model> {
    let path = Path::new(spec);
    let name = file_name(path);
    let build = || match ending(path) {
        "onnx" => onnx::read(read_bytes(path, MAX_BYTES)?, &bindings.parse::<Bindings>()?),
        "safetensors" => weights(path)?.model(name),
        "json" if name.ends_with(".safetensors.index.json") => sharded(path, &text(path)?, name),
        "json" => config::read(name, &text(path)?, input),
        "yaml" | "yml" => model_file::read(name, &text(path)?, input),
        _ if path.is_dir() => {
            read(&path.join("config.json").display().to_string(), input, bindings)
        }
        _ => match Spec::named(spec).build(input) {
            Some(model) => model,
            None => Err(Error::input(format!("{spec} is no model that is read by its name"))),
        },
    };
    build().map_err(|error| if path.is_file() { error.within(spec) } else { error })
}

pub(super) fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

pub(super) fn ending(path: &Path) -> &str {
    path.extension().and_then(|ending| ending.to_str()).unwrap_or_default()
}

/// The text of a configuration, model file or table.
pub(super) fn text(path: &Path) -> Result<String> {
    String::from_utf8(read_bytes(path, MAX_TEXT)?)
        .map_err(|_| Error::input(format!("{} is not UTF-8 text", path.display())))
}

/// The tensors of one file, from its header alone.
fn weights(path: &Path) -> Result<safetensors::Weights> {
    use std::io::Read;
    let cannot =
        |error: std::io::Error| Error::input(format!("cannot read {}: {error}", path.display()));
    // An index may name anything: a pipe would keep us waiting.
    if !path.is_file() {
        return Err(Error::input(format!("{} is no regular file", path.display())));
    }
    let mut file = std::fs::File::open(path).map_err(cannot)?;
    let size = file.metadata().map_err(cannot)?.len();
    let mut bytes = vec![0; 8.min(usize::try_from(size).unwrap_or(8))];
    file.read_exact(&mut bytes).map_err(cannot)?;
    let header = safetensors::header_length(&bytes)? as u64;
    file.take(header.min(MAX_HEADER)).read_to_end(&mut bytes).map_err(cannot)?;
    // The header alone counts as well: it is what the Hub was asked for.
    let alone = size == 8 + header;
    safetensors::read(&bytes, (!alone).then_some(size))
}

/// The tensors of an index and the files that it names.
fn sharded(path: &Path, text: &str, name: &str) -> Result<Model> {
    let index = safetensors::Index::read(text)?;
    let folder = path.parent().map(PathBuf::from).unwrap_or_default();
    let mut files = std::collections::BTreeMap::new();
    for file in index.files.keys() {
        files.insert(file.clone(), weights(&folder.join(file))?);
    }
    index.collect(files)?.model(name)
}
