//! A scenario that a front opens to compute with its document, many times perhaps.

use std::collections::BTreeMap;

use flopcast_scenario::document::Node;

use crate::Fault;
use crate::request::{Asking, about_a_scenario, read};
use crate::session::Session;

about_a_scenario! {
    /// A scenario alone.
    pub struct Request {}
}

/// The surroundings of a scenario that was opened.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The files of the request, by their path from the scenario.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The scenario's folder among the files of the session.
    pub folder: Option<String>,
    /// What there is to tell about how it was read.
    pub notes: Vec<String>,
}

impl Opening {
    /// The document of a request that holds a scenario alone: `scenario`, `set`, `files`.
    ///
    /// # Errors
    /// If the request is none, or its scenario no document.
    pub fn read(session: &Session<'_>, request: &str) -> Result<(Node, Self), Fault> {
        let request: Request = read(request)?;
        let asking = Asking::new(*session);
        let opened = asking.open(&request.whole())?;
        let files = opened.files;
        Ok((
            opened.document,
            Self { files: files.files, folder: files.folder, notes: asking.notes() },
        ))
    }
}
