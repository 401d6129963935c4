//! `flopcast init`.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use flopcast_core::diagnostic::{Error, Result};

use super::print;

const STARTER: &str = include_str!("init/starter.yaml");
const FULL: &str = include_str!("init/full.yaml");

/// Options of `flopcast init`.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// The file to write; `-` prints it.
    #[arg(default_value = "flopcast.yaml")]
    file: PathBuf,
    /// Every key that there is.
    #[arg(long)]
    full: bool,
    /// Replace the file if it exists.
    #[arg(long)]
    force: bool,
}

impl Options {
    pub(super) fn run(&self) -> Result<ExitCode> {
        let text = if self.full { FULL } else { STARTER };
        if self.file.as_os_str() == "-" {
            return print(text);
        }
        let name = self.file.display();
        let mut open = OpenOptions::new();
        open.write(true);
        if self.force {
            open.create(true).truncate(true)
        } else {
            open.create_new(true)
        };
        let written = open.open(&self.file).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => {
                Error::input(format!("{name} exists already")).hint("--force replaces it")
            }
            _ => Error::input(format!("{name} could not be written: {error}")),
        })?;
        print(&format!("wrote {name}; next: flopcast estimate {name}\n"))
    }
}
