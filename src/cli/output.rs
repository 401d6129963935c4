//! Result files: written whole or not at all, and never over another without being told to.

use std::io::Write;
use std::path::Path;

use flopcast_core::diagnostic::{Error, Result};

/// Refuses a file that is there already, before anything long is computed for it.
///
/// # Errors
/// The file exists and `force` is not set.
pub(super) fn vacant(path: &Path, force: bool) -> Result<()> {
    if path.exists() && !force {
        let shown = path.display();
        return Err(Error::input(format!("{shown} exists already")).hint("--force overwrites it"));
    }
    Ok(())
}

/// Writes `bytes` to `path` by way of a file beside it, so that a reader sees all of it or none.
///
/// # Errors
/// The file exists and `force` is not set; it cannot be written.
pub(super) fn write(path: &Path, bytes: &(impl AsRef<[u8]> + ?Sized), force: bool) -> Result<()> {
    vacant(path, force)?;
    let shown = path.display();
    if path.is_dir() {
        return Err(Error::input(format!("{shown} is a directory, not a file")));
    }
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("out");
    let beside = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
    let written = std::fs::File::create(&beside)
        .and_then(|mut file| file.write_all(bytes.as_ref()).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|error| {
        // What is left of a failed attempt is of no use; that it stays is no second error.
        let _ = std::fs::remove_file(&beside);
        Error::input(format!("cannot write {shown}: {error}"))
    })
}
