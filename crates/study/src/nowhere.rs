//! A folder without files, for tests whose scenarios name none.

use flopcast_core::diagnostic::{Error, Result};
use flopcast_scenario::Files;

/// No file is there.
pub(crate) struct Nowhere;

impl Files for Nowhere {
    fn read(&self, path: &str) -> Result<Vec<u8>> {
        Err(Error::input(format!("there is no file {path}")))
    }
}
