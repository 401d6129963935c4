//! `flopcast mcp`: the questions as tools of an agent.

use std::path::Path;
use std::process::ExitCode;

use flopcast_core::diagnostic::Result;
use flopcast_serve::{Surroundings, mcp};

use super::{Global, catalog, load};

/// Serves the tools over standard streams until the agent leaves. A scenario may name files of the
/// project that the command runs in, as one in the current folder might.
///
/// # Errors
/// If the catalog cannot be read, or the other side does not speak the protocol.
pub(super) fn run(global: &Global) -> Result<ExitCode> {
    // Both live as long as the process, which ends with the command.
    let global: &'static Global = Box::leak(Box::new(global.clone()));
    let files = load::Beside::new(Path::new("scenario.yaml"), global)?;
    mcp::serve(Surroundings {
        catalog: load::catalog(global)?,
        files: Box::new(files),
        today: catalog::today,
    })?;
    Ok(ExitCode::SUCCESS)
}
