//! Result files: written whole or not at all, and never over another without being told to.

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use flopcast_core::diagnostic::{Error, Result};

/// Refuses a file that is there already, before anything long is computed for it.
///
/// # Errors
/// The file exists and `force` is not set, or it is one that is never replaced: a folder, a
/// symbolic link, a device.
pub(super) fn vacant(path: &Path, force: bool) -> Result<()> {
    let shown = path.display();
    // The link itself is asked, not what it points to.
    let Ok(there) = fs::symlink_metadata(path) else { return Ok(()) };
    if there.is_dir() {
        return Err(Error::input(format!("{shown} is a directory, not a file")));
    }
    if there.is_symlink() {
        return Err(Error::input(format!("{shown} is a symbolic link, which is not written over"))
            .hint("name the file that it points to"));
    }
    if !there.is_file() {
        return Err(Error::input(format!("{shown} is no regular file"))
            .hint("name a file; results that belong on a terminal go to standard output"));
    }
    if !force {
        return Err(Error::input(format!("{shown} exists already")).hint("--force overwrites it"));
    }
    Ok(())
}

/// Writes `bytes` to `path` by way of a file beside it, so that a reader sees all of it or none.
/// A file that is replaced keeps its mode.
///
/// # Errors
/// The file exists and `force` is not set; it cannot be written.
pub(super) fn write(path: &Path, bytes: &(impl AsRef<[u8]> + ?Sized), force: bool) -> Result<()> {
    vacant(path, force)?;
    sweep(path);
    // Who sweeps may take a file between its making and its lock for a leftover: try again.
    let mut attempts = 3;
    loop {
        attempts -= 1;
        match attempt(path, bytes.as_ref(), force) {
            Err(error) if error.kind() == ErrorKind::NotFound && attempts > 0 => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists && !force => {
                vacant(path, force)?;
                return Err(cannot(path, &error));
            }
            result => return result.map_err(|error| cannot(path, &error)),
        }
    }
}

/// Writes the bytes beside the path and gives the whole file its name, in one step.
fn attempt(path: &Path, bytes: &[u8], force: bool) -> io::Result<()> {
    let mut part = Part::new(path)?;
    part.file.write_all(bytes)?;
    part.settle(path, force)
}

/// A file in the making, beside the one that it becomes; it is gone when dropped before.
struct Part {
    beside: PathBuf,
    file: File,
}

impl Part {
    /// An empty one.
    fn new(path: &Path) -> io::Result<Self> {
        let beside = path.with_file_name(format!("{}{:016x}{END}", start(path), random()));
        let mode = fs::symlink_metadata(path).ok().map(|there| there.permissions());
        let mut open = OpenOptions::new();
        // Exclusive: a link or a file that somebody put there is never written to.
        open.write(true).create_new(true);
        #[cfg(unix)]
        if mode.is_some() {
            std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
        }
        let part = Self { file: open.open(&beside)?, beside };
        // The lock says that its writer lives; a file system without locks only keeps leftovers.
        let _ = part.file.try_lock();
        mode.map_or(Ok(()), |mode| part.file.set_permissions(mode))?;
        Ok(part)
    }

    /// Gives the whole file its name.
    fn settle(self, path: &Path, force: bool) -> io::Result<()> {
        self.file.sync_all()?;
        settle(&self.beside, path, force)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // What is left of a failed attempt is of no use; that it stays is no second error.
        let _ = fs::remove_file(&self.beside);
    }
}

/// A file that is written piece by piece; a reader sees it whole, once it is finished, or not at all.
pub(super) struct Growing {
    path: PathBuf,
    force: bool,
    part: BufWriter<Part>,
}

impl Write for Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Growing {
    /// An empty one.
    ///
    /// # Errors
    /// As [`write`].
    pub(super) fn new(path: &Path, force: bool) -> Result<Self> {
        vacant(path, force)?;
        sweep(path);
        let part = Part::new(path).map_err(|error| cannot(path, &error))?;
        Ok(Self { path: path.to_owned(), force, part: BufWriter::new(part) })
    }

    /// Adds a text.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn add(&mut self, text: &str) -> Result<()> {
        self.part.write_all(text.as_bytes()).map_err(|error| cannot(&self.path, &error))
    }

    /// Gives the whole file its name.
    ///
    /// # Errors
    /// As [`write`].
    pub(super) fn finish(self) -> Result<()> {
        let Self { path, force, part } = self;
        let part = part.into_inner().map_err(io::IntoInnerError::into_error);
        part.and_then(|part| part.settle(&path, force)).map_err(|error| {
            // Somebody else's file came meanwhile.
            vacant(&path, force).err().unwrap_or_else(|| cannot(&path, &error))
        })
    }
}

fn cannot(path: &Path, error: &io::Error) -> Error {
    Error::input(format!("cannot write {}: {error}", path.display())).hint(match error.kind() {
        ErrorKind::StorageFull => "free some space, or write elsewhere",
        _ => "check the folder and its permissions",
    })
}

/// Gives the whole file its name. Unforced, a file that came meanwhile stands.
fn settle(beside: &Path, path: &Path, force: bool) -> io::Result<()> {
    if force {
        return fs::rename(beside, path);
    }
    match fs::hard_link(beside, path) {
        Ok(()) => fs::remove_file(beside),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
        // Not every file system has links.
        Err(_) => fs::rename(beside, path),
    }
}

const END: &str = ".part";

/// How the temporary names of a file start.
fn start(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // A name may be as long as the file system allows: it is shortened on whole characters.
    let short: String = name.chars().take(40).collect();
    format!(".{short}.")
}

/// A number that nobody can foresee: the hasher's keys are random.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A folder of one's own for files that a program beside this one reads; it is gone when dropped.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// A new folder among the temporary ones, for this user alone.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(super) fn new() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("flopcast-{:016x}", random()));
        #[cfg_attr(not(unix), allow(unused_mut))]
        let mut folder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
        folder
            .create(&path)
            .map_err(|error| Error::input(format!("cannot make {}: {error}", path.display())))?;
        Ok(Self(path))
    }

    /// Its path.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays is a temporary file, and no second error.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Removes what writers of this file left that were stopped: files that nobody holds the lock of.
fn sweep(path: &Path) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let start = start(path);
    let is_ours = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        let middle = name.to_str().and_then(|name| name.strip_prefix(&start)?.strip_suffix(END));
        let regular = entry.file_type().is_ok_and(|kind| kind.is_file());
        regular && middle.is_some_and(|it| it.len() == 16 && u64::from_str_radix(it, 16).is_ok())
    };
    let entries = fs::read_dir(folder.unwrap_or(Path::new("."))).into_iter().flatten().flatten();
    let leftovers: Vec<PathBuf> = entries.filter(is_ours).map(|entry| entry.path()).collect();
    for leftover in leftovers {
        if File::open(&leftover).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_file(leftover);
        }
    }
}
