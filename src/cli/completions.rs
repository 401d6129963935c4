//! `flopcast completions` and `flopcast man`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use flopcast_core::diagnostic::{Error, Result};

use super::Cli;

/// Options of `flopcast completions`.
#[derive(Args, Debug)]
pub(super) struct Options {
    /// The shell to complete for.
    #[arg(value_enum)]
    shell: Shell,
}

impl Options {
    /// The shell's script.
    pub(super) fn script(&self) -> String {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "flopcast", &mut script);
        String::from_utf8_lossy(&script).into_owned()
    }
}

/// The manual page in roff, all commands in one.
pub(super) fn manual() -> Result<String> {
    let mut page = Vec::new();
    let mut command = Cli::command();
    command.build();
    let render = |command: &clap::Command, page: &mut Vec<u8>| {
        clap_mangen::Man::new(command.clone()).render(page)
    };
    let pages = std::iter::once(&command).chain(command.get_subcommands());
    for command in pages {
        render(command, &mut page).map_err(|e| Error::input(format!("manual page: {e}")))?;
    }
    Ok(String::from_utf8_lossy(&page).into_owned())
}
