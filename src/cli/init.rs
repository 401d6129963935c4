//! `flopcast init`: a commented scenario to start from, short or with every key.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use flopcast_core::diagnostic::Result;

use super::{output, print};

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
    /// Writes the scenario; it never replaces a file.
    pub(super) fn run(&self) -> Result<ExitCode> {
        let text = if self.full { FULL } else { STARTER };
        if self.file.as_os_str() == "-" {
            return print(text);
        }
        output::write(&self.file, text, self.force)?;
        let name = self.file.display();
        print(&format!("wrote {name}; next: flopcast estimate {name}\n"))
    }
}
